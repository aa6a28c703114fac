"""Live: the pipeline and session of a worker, and the way to its page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from remotemedia import protocol, wire
from remotemedia.clock import Clock
from remotemedia.data import Packet
from remotemedia.errors import RemoteMediaError, SessionError
from remotemedia.pipeline import Pipeline
from remotemedia.plan import Plan
from remotemedia.protocol import Answer, Happened, error_info
from remotemedia.session.session import Session
from remotemedia_wasm.ends import Host

Handlers = dict[type, Callable[..., Coroutine[Any, Any, Any]]]
"""Type of a message → what carries it out; it is given the message and what came beside it."""


class Live:
    """What all that works for one page share.

    Parameters
    ----------
    host : Host
        Posts to the page.
    to_js : callable
        Makes of bytes what the host can post.
    clock : Clock, optional
        Of the sessions.

    Attributes
    ----------
    pipeline : Pipeline or None
        What was loaded, or is run now.
    session : Session or None
        While there is one.
    tasks : set of asyncio.Task
        All that run.
    """

    def __init__(self, host: Host, to_js: Callable[[bytes], Any], clock: Clock | None) -> None:
        self.host = host
        self.to_js = to_js
        self.clock = clock
        self.pipeline: Pipeline | None = None
        self.session: Session | None = None
        self.tasks: set[asyncio.Task[Any]] = set()

    def open_session(self) -> Session:
        """The session.

        Raises
        ------
        SessionError
            There is none.
        """
        if self.session is None:
            raise SessionError("the pipeline is not running: call start() first")
        return self.session

    def plan(self) -> Plan:
        """What runs, or would run.

        Raises
        ------
        SessionError
            Nothing was loaded.
        """
        if self.session is not None:
            return self.session.plan
        if self.pipeline is None:
            raise SessionError("there is no pipeline: load one first")
        return self.pipeline.plan()

    def spawn(self, running: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run it on its own."""
        task = asyncio.get_running_loop().create_task(running)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def post(self, packet: Packet, subscription: str | None = None) -> None:
        """Send a packet to the page."""
        self.host.packet(self.to_js(wire.encode(packet)), subscription)

    def answer(self, message: Answer, beside: Any = None) -> None:
        """Send a message to the page."""
        self.host.answer(protocol.encode(message), beside)

    def happened(self, kind: str, error: RemoteMediaError, sequence: int = 0) -> None:
        """Tell the page of an error."""
        info = error_info(error)
        self.answer(Happened(kind, info.node, info.port, sequence, info, info.message))
