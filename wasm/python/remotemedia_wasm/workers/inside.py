"""Inside: what runs in a worker of nodes. It does what the session tells, node by node."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from remotemedia.clock import Clock, SystemClock
from remotemedia.errors import NodeError, RemoteMediaError
from remotemedia.node import make_params
from remotemedia.registry import default_registry
from remotemedia_wasm import page_source
from remotemedia_wasm.workers import messages as m
from remotemedia_wasm.workers.ends import NodeHost
from remotemedia_wasm.workers.faults import to_fault
from remotemedia_wasm.workers.hosted import HostedNode


class Inside:
    """The nodes of one worker.

    Parameters
    ----------
    host : NodeHost
        Posts to the session.
    unknown : list of str
        Packages that Pyodide's distribution has not.
    to_js : callable
        Makes of bytes what the host can post.
    to_bytes : callable
        Makes bytes of what came.
    clock : Clock
        What nodes are given.
    """

    def __init__(
        self,
        host: NodeHost,
        unknown: list[str],
        to_js: Callable[[bytes], Any],
        to_bytes: Callable[[Any], bytes],
        clock: Clock | None = None,
    ) -> None:
        self._host = host
        self._unknown = unknown
        self._to_js = to_js
        self._to_bytes = to_bytes
        self._clock = clock or SystemClock()
        self._nodes: dict[str, HostedNode] = {}
        self._held: list[tuple[m.Told, bytes]] | None = []
        self._task: asyncio.Task[None] | None = None

    def receive(self, text: str, frame: Any = None) -> None:
        """Take one message of the session."""
        told = m.read_told(text)
        content = b"" if frame is None else self._to_bytes(frame)
        if isinstance(told, m.Ping):
            self._say(m.Pong(self._host.memoryBytes()), None)
        elif isinstance(told, m.Setup):
            self._task = asyncio.get_running_loop().create_task(self._set_up(told))
        elif self._held is not None:
            self._held.append((told, content))
        else:
            self._do(told, content)

    async def _set_up(self, told: m.Setup) -> None:
        os.environ.update(told.environment)
        try:
            for packages, index_urls in [*told.installs, (tuple(self._unknown), ())]:
                await page_source.install(packages, index_urls)
            if told.source:
                page_source.run_source(told.source)
        except Exception as error:
            ours = error
            if not isinstance(error, RemoteMediaError):
                ours = NodeError(
                    f"what the page has brought raised {type(error).__name__}: {error}"
                )
                ours.__cause__ = error
            self._say(m.Ready(to_fault("", "", ours)), None)
            return
        self._say(m.Ready(), None)
        held, self._held = self._held or [], None
        for each in held:
            self._do(*each)

    def _do(self, told: Any, content: bytes) -> None:
        if isinstance(told, m.Make):
            self._make(told)
        elif (node := self._nodes.get(told.node)) is not None:
            node.take(told, content)
            if isinstance(told, m.Close):
                del self._nodes[told.node]
        elif isinstance(told, m.Close):
            self._say(m.Closed(told.node), None)

    def _make(self, told: m.Make) -> None:
        """A node; what it raises is what opening it raises."""
        try:
            cls = default_registry().find(told.node_type)
            node = cls(make_params(cls, told.params, told.node))
        except Exception as error:
            if not isinstance(error, RemoteMediaError):
                message = (
                    f"node {told.node!r} ({told.node_type}) cannot be made: "
                    f"{type(error).__name__}: {error}"
                )
                cause, error = error, NodeError(message, node=told.node)
                error.__cause__ = cause
            self._say(m.Opened(told.node, None, to_fault(told.node, told.node_type, error)), None)
            return
        node.backend = told.backend
        self._nodes[told.node] = HostedNode(node, told, self._say, self._clock)

    def _say(self, said: m.Message, frame: bytes | None) -> None:
        if frame is None:
            self._host.say(m.encode(said))
        else:
            self._host.say(m.encode(said), self._to_js(frame))


def boot(host: Any, unknown: Any) -> Any:
    """In a worker: install the event loop; gives the function that takes messages."""
    from pyodide.ffi import create_proxy

    from remotemedia_wasm.loop import install
    from remotemedia_wasm.worker import to_js

    loop = install(suspendable=False)  # as in the session's worker
    inside = Inside(host, list(unknown), to_js, lambda frame: frame.to_bytes())
    return create_proxy(lambda text, frame=None: loop.enter(inside.receive, text, frame))
