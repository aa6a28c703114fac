"""Bridge: carries out what the page asks, on a session that lives in the worker."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from remotemedia import protocol
from remotemedia.clock import Clock
from remotemedia.errors import ParamsError, SessionError
from remotemedia.pipeline import Pipeline
from remotemedia.protocol import Done, Failed, Happened, error_info
from remotemedia.session.failure import Event
from remotemedia.session.monitor import StreamMonitor
from remotemedia.session.router import reached
from remotemedia.session.session import Session
from remotemedia_wasm import messages as page
from remotemedia_wasm import page_source
from remotemedia_wasm.connections import Connections
from remotemedia_wasm.control import Control, data_of
from remotemedia_wasm.ends import Host, View
from remotemedia_wasm.live import Handlers, Live
from remotemedia_wasm.pump import Pump
from remotemedia_wasm.recordings import Recordings
from remotemedia_wasm.ring_signal import MakeWake

MODEL_NODE = "remotemedia.nodes.models.model_node"
"""In a part of the package that only pages with such nodes load."""


class Bridge:
    """What the worker's JavaScript calls.

    Parameters
    ----------
    host : Host
        Posts to the page.
    make_wake : callable
        Makes of a Python function one that JavaScript calls, and that runs what it woke.
    to_js : callable
        Makes of bytes what the host can post.
    clock : Clock, optional
        Of the sessions.
    """

    def __init__(
        self,
        host: Host,
        make_wake: MakeWake,
        to_js: Callable[[bytes], Any],
        clock: Clock | None = None,
    ) -> None:
        self._live = live = Live(host, to_js, clock)
        self._connections = Connections(live, make_wake)
        self._control = Control(live)
        self._recordings = Recordings(live)
        self._pump = Pump(live, self._connections)
        self._monitor: StreamMonitor | None = None
        self._running: list[asyncio.Task[None]] = []  # the pump, and who listens to events
        self._interrupting = asyncio.Lock()
        self._handlers: Handlers = {
            protocol.Load: self._load,
            protocol.Start: self._start,
            protocol.Stop: self._stop,
            protocol.Finish: self._finish,
            protocol.Interrupt: self._interrupt,
            protocol.Send: self._send,
            protocol.Read: self._read,
            protocol.GetMetrics: self._metrics,
            page.GetModels: self._models,
            **page_source.HANDLERS,
            **self._connections.handlers,
            **self._control.handlers,
            **self._recordings.handlers,
        }

    def receive(self, text: str, attachment: Any = None) -> None:
        """Take one message of the page; the answer is posted when it is carried out."""
        union: Any = page.PageRequest
        try:
            request = protocol.decode(text, union)
        except msgspec.ValidationError as error:
            number: int = msgspec.json.decode(text)["id"]
            self._live.answer(Failed(number, error_info(ParamsError(str(error)))))
            return
        self._live.spawn(self._carry_out(request, attachment))

    async def _carry_out(self, request: Any, attachment: Any) -> None:
        live = self._live
        try:
            result: Any = await self._handlers[type(request)](request, attachment)
        except Exception as error:
            live.answer(Failed(request.id, error_info(error)))
            return
        if isinstance(result, bytes):
            live.answer(Done(request.id), live.to_js(result))
        else:
            live.answer(Done(request.id, result))

    async def _load(self, request: protocol.Load, _: object) -> protocol.GraphInfo:
        await self._end_session()
        pipeline = Pipeline.load(page_source.as_source(request.manifest), name=request.name)
        warnings = pipeline.validate()
        plan = pipeline.plan()
        self._live.pipeline = pipeline
        return page_source.describe(pipeline, plan, request.name, warnings)

    async def _start(self, request: protocol.Start, _: object) -> None:
        await self._end_session()
        live = self._live
        if live.pipeline is None:
            raise SessionError("there is no pipeline to start: load one first")
        session = live.pipeline.session(
            clock=live.clock, policy=request.policy, max_latency_ms=request.max_latency_ms
        )
        if request.record is not None:
            self._recordings.begin(session, request.record)
        self._monitor = watch(session) if request.monitor else None
        # From now on: opening takes long where models are downloaded, and tells how far it is.
        listening = live.spawn(self._listen(session))
        try:
            await session.open()
        except BaseException:
            self._recordings.close()
            raise
        live.session = session
        self._pump = Pump(live, self._connections)
        self._running = [live.spawn(self._pump.run(session)), listening]

    async def _stop(self, request: protocol.Stop, _: object) -> None:
        await self._end_session()

    async def _finish(self, request: protocol.Finish, _: object) -> None:
        session = self._live.open_session()
        await self._connections.end_sources()
        await session.finish()
        if self._running:
            await asyncio.wait(self._running[:1])

    async def _interrupt(self, request: protocol.Interrupt, _: object) -> protocol.Interrupted:
        session = self._live.open_session()
        behind = reached(session.plan, request.from_)
        if self._interrupting.locked():  # silent at once, the rest in turn
            self._connections.clear(behind, request.fade_ms)
        async with self._interrupting:  # so that the next generation is known
            nodes = [node for node in session.plan.graph.order if node in behind]
            # All of this, and the session's own part, before anything else has a turn.
            self._pump.interrupt(nodes, session.generation + 1)
            self._connections.clear(nodes, request.fade_ms)
            await session.interrupt(request.from_)
            return protocol.Interrupted(session.generation, nodes)

    async def _send(self, request: protocol.Send, frame: View | None) -> int:
        return await self._live.open_session().send(data_of(frame), request.to)

    async def _read(self, request: protocol.Read, _: object) -> None:
        if request.subscription is not None:
            self._control.allow(request)
        else:
            self._pump.outbox.allow(request.packets)
            self._pump.tell_end()

    async def _metrics(self, request: protocol.GetMetrics, _: object) -> dict[str, object]:
        session, unread = self._live.session, self._pump.outbox.unread
        if session is None:
            return {"nodes": [], "edges": [], "session": None, "streams": [], "unread": unread}
        streams = self._monitor.metrics() if self._monitor is not None else ()
        metrics = msgspec.structs.replace(session.metrics(), streams=streams)
        return {**metrics.to_dict(), "unread": unread}

    async def _models(self, request: page.GetModels, _: object) -> page.ModelList:
        graph, session = self._live.plan().graph, self._live.session
        if MODEL_NODE not in sys.modules:  # no class of the graph is a node of that kind
            return page.ModelList(())
        from remotemedia_wasm.models.listing import models_of

        steps = session.router.steps if session is not None else {}
        return models_of(graph, {node_id: step.node for node_id, step in steps.items()})

    async def _listen(self, session: Session) -> None:
        async for event in session.events():
            self._live.answer(happened(event))

    async def _end_session(self) -> None:
        session, self._live.session = self._live.session, None
        self._connections.close()
        self._control.close()
        if session is None:
            return
        await session.aclose()
        self._recordings.close()
        for task in self._running:
            task.cancel()
        self._pump.outbox.clear()


def watch(session: Session) -> StreamMonitor:
    """A monitor of the streams of a session, whose alerts are events."""
    monitor = StreamMonitor(
        lambda stream, changed: session.tell(
            "alert", f"stream {stream.name}: {stream.alerts.name or 'no alert'}", ""
        )
    )
    session.observe(monitor)
    return monitor


def happened(event: Event) -> Happened:
    """An event of the session as it crosses."""
    return Happened(
        event.kind,
        event.node,
        event.port,
        event.sequence,
        error_info(event.error, event.traceback) if event.error is not None else None,
        event.message,
        event.fraction,
    )
