"""Bridge: carries out what the page asks, on a session that lives in the worker."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import linecache
import sys
import types
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np

from remotemedia import diagram, protocol, wire
from remotemedia.clock import Clock, deadline
from remotemedia.data import Audio, Packet
from remotemedia.errors import RemoteMediaError, SessionError, UnavailableError
from remotemedia.graph import requirements
from remotemedia.manifest import load_manifest
from remotemedia.pipeline import Pipeline
from remotemedia.plan import Plan
from remotemedia.protocol import Answer, Done, Ended, Failed, Happened, error_info, problem_info
from remotemedia.session.address import find_entries
from remotemedia.session.failure import Event
from remotemedia.session.session import Session
from remotemedia_wasm import messages as page
from remotemedia_wasm.ends import BlockReader, BlockWriter, Host, View
from remotemedia_wasm.outbox import Outbox
from remotemedia_wasm.outlets import Port, audio_outlet, fixed, is_reached
from remotemedia_wasm.ring_signal import MakeWake
from remotemedia_wasm.sinks import RecorderSink, Sink, SpeakerSink
from remotemedia_wasm.sources import RingSource, play_samples, play_wav

PAGE_MODULE = "page_source"
"""The module that source from the page is run in."""
DRAIN_US = 1_000_000  # within which a source that has ended is read to its end


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
        self._host = host
        self._clock = clock
        self._make_wake = make_wake
        self._to_js = to_js
        self._tasks: set[asyncio.Task[Any]] = set()
        self._pipeline: Pipeline | None = None
        self._plan: Plan | None = None
        self._session: Session | None = None
        self._pump: asyncio.Task[None] | None = None
        self._listener: asyncio.Task[None] | None = None
        self._outbox = Outbox(self._post)
        self._sources: dict[str, tuple[asyncio.Task[Any], RingSource | None]] = {}
        self._sinks: dict[str, tuple[Port, Sink]] = {}
        self._routes: dict[Port, tuple[Sink, ...]] = {}
        self._broken: set[Sink] = set()
        self._ended = False
        self._failure: protocol.ErrorInfo | None = None
        self._handlers: dict[type, Callable[..., Awaitable[Any]]] = {
            protocol.Load: self._load,
            protocol.Start: self._start,
            protocol.Stop: self._stop,
            protocol.Finish: self._finish,
            protocol.Interrupt: self._interrupt,
            protocol.Send: self._send,
            protocol.Read: self._read,
            protocol.GetMetrics: self._metrics,
            page.Define: self._define,
            page.Requirements: self._requirements,
            page.Install: self._install,
            page.AttachReader: self._attach_reader,
            page.AttachWriter: self._attach_writer,
            page.AttachRecorder: self._attach_recorder,
            page.PlayFile: self._play_file,
            page.Detach: self._detach,
            page.Formats: self._formats,
        }

    def receive(self, text: str, attachment: Any = None) -> None:
        """Take one message of the page; the answer is posted when it is carried out."""
        union: Any = page.PageRequest
        request = protocol.decode(text, union)
        self._spawn(self._carry_out(request, attachment))

    # -- requests ----------------------------------------------------------------------------

    async def _carry_out(self, request: Any, attachment: Any) -> None:
        try:
            result: Any = await self._handlers[type(request)](request, attachment)
        except Exception as error:
            self._answer(Failed(request.id, error_info(error)))
            return
        if isinstance(result, bytes):
            self._answer(Done(request.id), self._to_js(result))
        else:
            self._answer(Done(request.id, result))

    async def _load(self, request: protocol.Load, _: Any) -> protocol.GraphInfo:
        await self._end_session()
        pipeline = Pipeline.load(as_source(request.manifest), name=request.name)
        warnings = pipeline.validate()
        plan = pipeline.plan()
        self._pipeline, self._plan = pipeline, plan
        metadata = pipeline.manifest.metadata
        return protocol.graph_info(
            plan,
            metadata.name or request.name,
            metadata.description or "",
            diagram.mermaid(plan.graph),
            list(map(problem_info, warnings)),
        )

    async def _start(self, request: protocol.Start, _: Any) -> None:
        await self._end_session()
        if self._pipeline is None:
            raise SessionError("there is no pipeline to start: load one first")
        self._outbox = Outbox(self._post)
        self._ended = False
        session = self._pipeline.session(clock=self._clock)
        await session.open()
        self._session = session
        self._pump = self._spawn(self._run_outputs(session, self._outbox))
        self._listener = self._spawn(self._run_events(session))

    async def _stop(self, request: protocol.Stop, _: Any) -> None:
        await self._end_session()

    async def _finish(self, request: protocol.Finish, _: Any) -> None:
        session = self._open_session()
        for name in list(self._sources):
            task, ring = self._sources[name]
            if ring is not None:  # a file that is being sent ends by itself
                self._close_source(name)
            else:
                await asyncio.wait([task])
        await session.finish()
        if self._pump is not None:
            await asyncio.wait([self._pump])

    async def _interrupt(self, request: protocol.Interrupt, _: Any) -> int:
        session = self._open_session()
        for _port, sink in self._sinks.values():
            sink.clear()
        await session.interrupt()
        for _port, sink in self._sinks.values():
            sink.clear()
        self._outbox.clear()
        return session.generation

    async def _send(self, request: protocol.Send, frame: View | None) -> int:
        if frame is None:
            raise SessionError("there is no frame beside the message")
        _session, _time, item = wire.decode(frame.to_bytes())
        if not isinstance(item, Packet):
            raise SessionError("an end of input cannot be sent: use finish()")
        return await self._open_session().send(item.data, request.to)

    async def _read(self, request: protocol.Read, _: Any) -> None:
        self._outbox.allow(request.packets)
        self._tell_end()

    async def _metrics(self, request: protocol.GetMetrics, _: Any) -> Any:
        session = self._session
        if session is None:
            return {"nodes": [], "edges": [], "unread": 0}
        return {**session.metrics().to_dict(), "unread": self._outbox.unread}

    async def _define(self, request: page.Define, _: Any) -> None:
        run_source(request.source)

    async def _requirements(self, request: page.Requirements, _: Any) -> tuple[str, ...]:
        return requirements(load_manifest(as_source(request.manifest), name=request.name))

    async def _install(self, request: page.Install, _: Any) -> None:
        import micropip

        for package in request.packages:
            try:
                await micropip.install(package, index_urls=list(request.index_urls) or None)
            except Exception as error:
                raise UnavailableError(
                    f"package {package} cannot be installed: {type(error).__name__}: {error} "
                    "(is that its address, and is it a pure Python wheel?)"
                ) from error
        importlib.invalidate_caches()

    # -- connections -------------------------------------------------------------------------

    async def _attach_reader(self, request: page.AttachReader, reader: BlockReader) -> None:
        session = self._open_session()
        session.accepting(silence(reader.channels, reader.sampleRate), request.to)
        source = RingSource(session, reader, request.to, self._make_wake)
        task = self._spawn(self._watched(request.connection, source.run(), source))
        self._sources[request.connection] = task, source

    async def _play_file(self, request: page.PlayFile, content: View) -> float:
        session = self._open_session()
        if request.sample_rate:
            playing = play_samples(
                session,
                content,
                request.to,
                request.sample_rate,
                request.channels,
                request.block_ms,
            )
        else:
            playing = play_wav(session, content, request.to, request.block_ms)
        task: asyncio.Task[float] = self._spawn(playing)
        self._sources[request.connection] = task, None
        try:
            return await task
        except asyncio.CancelledError:
            if task.cancelled():
                return 0.0  # disconnected, or the session was stopped
            raise
        finally:
            self._sources.pop(request.connection, None)

    async def _attach_writer(self, request: page.AttachWriter, writer: BlockWriter) -> None:
        self._open_session()
        port = audio_outlet(self._loaded(), request.from_)
        self._add_sink(request.connection, port, SpeakerSink(writer, request.live, self._make_wake))

    async def _attach_recorder(self, request: page.AttachRecorder, _: Any) -> None:
        self._open_session()
        port = audio_outlet(self._loaded(), request.from_)
        self._add_sink(request.connection, port, RecorderSink(request.encoding))

    async def _detach(self, request: page.Detach, _: Any) -> bytes | None:
        source = self._sources.get(request.connection)
        if request.drain and source is not None and self._session is not None:
            with contextlib.suppress(TimeoutError):  # a graph that is held up
                async with deadline(self._session.clock, DRAIN_US):
                    await asyncio.wait([source[0]])
        self._close_source(request.connection)
        found = self._sinks.pop(request.connection, None)
        self._set_routes()
        return found[1].close() if found is not None else None

    async def _formats(self, request: page.Formats, _: Any) -> page.PortFormat:
        node, port = audio_outlet(self._loaded(), request.from_)
        caps = self._loaded().formats.outputs[node, port]
        fed = {
            entry.node
            for _task, ring in self._sources.values()
            if ring is not None
            for entry in find_entries(self._loaded(), ring.to)
        }
        return page.PortFormat(
            f"{node}:{port}",
            fixed(caps, "sample_rate"),
            fixed(caps, "channels"),
            is_reached(self._loaded(), fed, node),
        )

    def _add_sink(self, connection: str, port: Port, sink: Sink) -> None:
        self._sinks[connection] = port, sink
        self._set_routes()

    def _set_routes(self) -> None:
        routes: dict[Port, tuple[Sink, ...]] = {}
        for port, sink in self._sinks.values():
            if sink not in self._broken:
                routes[port] = (*routes.get(port, ()), sink)
        self._routes = routes

    def _close_source(self, connection: str) -> None:
        found = self._sources.pop(connection, None)
        if found is not None:
            task, ring = found
            task.cancel()
            if ring is not None:
                ring.close()

    async def _watched(self, connection: str, running: Awaitable[None], ring: RingSource) -> None:
        """A source whose errors reach the page."""
        try:
            await running
        except RemoteMediaError as error:
            self._happened("source", error)
        finally:
            if self._sources.pop(connection, None) is not None:
                ring.close()

    # -- the session -------------------------------------------------------------------------

    async def _run_outputs(self, session: Session, outbox: Outbox) -> None:
        """Hand out what comes out.

        Real-time path: one look into a dict per packet, beside what the sinks do.
        """
        error: protocol.ErrorInfo | None = None
        outputs = session.outputs()
        poll, put = outputs.poll, outbox.put
        try:
            while True:
                packet = poll()
                if packet is None:
                    packet = await anext(outputs, None)
                    if packet is None:
                        break
                sinks = self._routes.get((packet.node, packet.port), ())
                heard = False
                if sinks and packet.data.__class__ is Audio:
                    heard = True
                    for sink in sinks:
                        try:
                            waiting = sink.write(packet)
                            if waiting is not None:
                                await waiting
                        except RemoteMediaError as failed:
                            self._happened("sink", failed, packet.sequence)
                            self._broken.add(sink)
                            self._set_routes()
                if not put(packet, heard):
                    await outbox.read()
            for _port, sink in list(self._sinks.values()):
                await sink.finish()
        except RemoteMediaError as failed:
            error = error_info(failed)
        await outbox.read()
        self._ended = True
        self._failure = error
        self._tell_end()

    def _tell_end(self) -> None:
        if self._ended and not self._outbox.waiting:
            self._ended = False
            self._answer(Ended(self._failure))

    async def _run_events(self, session: Session) -> None:
        async for event in session.events():
            self._answer(happened(event))

    async def _end_session(self) -> None:
        session, self._session = self._session, None
        for name in list(self._sources):
            self._close_source(name)
        for _port, sink in self._sinks.values():
            sink.close()
        self._sinks.clear()
        self._broken.clear()
        self._set_routes()
        if session is None:
            return
        await session.aclose()
        for task in (self._pump, self._listener):
            if task is not None:
                task.cancel()
        self._outbox.clear()

    def _open_session(self) -> Session:
        if self._session is None:
            raise SessionError("the pipeline is not running: call start() first")
        return self._session

    def _loaded(self) -> Plan:
        if self._plan is None:
            raise SessionError("there is no pipeline: load one first")
        return self._plan

    # -- to the page -------------------------------------------------------------------------

    def _spawn(self, running: Any) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(running)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _post(self, packet: Packet) -> None:
        self._host.packet(self._to_js(wire.encode(packet)))

    def _answer(self, message: Answer, beside: Any = None) -> None:
        self._host.answer(protocol.encode(message), beside)

    def _happened(self, kind: str, error: RemoteMediaError, sequence: int = 0) -> None:
        info = error_info(error)
        self._answer(Happened(kind, info.node, info.port, sequence, info, info.message))


def happened(event: Event) -> Happened:
    """An event of the session as it crosses."""
    return Happened(
        event.kind,
        event.node,
        event.port,
        event.sequence,
        error_info(event.error, event.traceback) if event.error is not None else None,
        event.message,
    )


def as_source(manifest: dict[str, Any] | str) -> dict[str, Any] | str:
    """Text that `Pipeline.load` cannot take for a path."""
    if isinstance(manifest, str) and "\n" not in manifest:
        return manifest + "\n"
    return manifest


def run_source(source: str) -> None:
    """Run Python source of the page in a module of its own; tracebacks show its lines."""
    file = f"<{PAGE_MODULE}>"
    module = types.ModuleType(PAGE_MODULE)
    module.__file__ = file
    sys.modules[PAGE_MODULE] = module
    lines = source.splitlines(keepends=True)
    linecache.cache[file] = len(source), None, lines, file
    code = compile(source, file, "exec", dont_inherit=True)
    exec(code, module.__dict__)  # noqa: S102 - the page's own code, as its JavaScript is


def silence(channels: int, sample_rate: int) -> Audio:
    """An empty block, to ask whether its format is accepted."""
    return Audio(np.zeros((channels, 0), np.float32), sample_rate)
