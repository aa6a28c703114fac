"""Connections: what the page has connected to the session: rings, files, recorders."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Container

import numpy as np

from remotemedia.clock import deadline
from remotemedia.data import Audio
from remotemedia.errors import RemoteMediaError
from remotemedia.session.address import find_entries
from remotemedia_wasm import messages as page
from remotemedia_wasm.ends import BlockReader, BlockWriter, View
from remotemedia_wasm.live import Handlers, Live
from remotemedia_wasm.outlets import Port, audio_outlet, fixed, is_reached
from remotemedia_wasm.ring_signal import MakeWake
from remotemedia_wasm.sinks import RecorderSink, Sink, SpeakerSink
from remotemedia_wasm.sources import RingSource, play_samples, play_wav

DRAIN_US = 1_000_000  # within which a source that has ended is read to its end


class Connections:
    """Sources and sinks, by the names that the page has given them.

    Parameters
    ----------
    live : Live
        The session.
    make_wake : callable
        See `MakeWake`.

    Attributes
    ----------
    routes : dict of Port to tuple of Sink
        Where the packets of a port go.
    """

    def __init__(self, live: Live, make_wake: MakeWake) -> None:
        self.routes: dict[Port, tuple[Sink, ...]] = {}
        self._live = live
        self._make_wake = make_wake
        self._sources: dict[str, tuple[asyncio.Task[None], RingSource | None]] = {}
        self._sinks: dict[str, tuple[Port, Sink]] = {}
        self._broken: set[Sink] = set()

    @property
    def handlers(self) -> Handlers:
        """What it carries out."""
        return {
            page.AttachReader: self._attach_reader,
            page.AttachWriter: self._attach_writer,
            page.AttachRecorder: self._attach_recorder,
            page.PlayFile: self._play_file,
            page.Detach: self._detach,
            page.Formats: self._formats,
        }

    # -- for the session ---------------------------------------------------------------------

    async def end_sources(self) -> None:
        """No more is captured; a file that is being sent goes on to its end."""
        for name in list(self._sources):
            task, ring = self._sources[name]
            if ring is not None:
                self._close_source(name)
            else:
                await asyncio.wait([task])

    async def finish_sinks(self) -> None:
        """No more comes out."""
        for _port, sink in list(self._sinks.values()):
            await sink.finish()

    def clear(self, nodes: Container[str], fade_ms: float) -> None:
        """Interrupt what plays the outputs of these nodes."""
        for (node, _port), sink in self._sinks.values():
            if node in nodes:
                sink.clear(fade_ms)

    def broke(self, sink: Sink, error: RemoteMediaError, sequence: int) -> None:
        """A sink cannot go on; the page is told."""
        self._live.happened("sink", error, sequence)
        self._broken.add(sink)
        self._set_routes()

    def close(self) -> None:
        """Let go of all."""
        for name in list(self._sources):
            self._close_source(name)
        for _port, sink in self._sinks.values():
            sink.close()
        self._sinks.clear()
        self._broken.clear()
        self._set_routes()

    # -- requests ----------------------------------------------------------------------------

    async def _attach_reader(self, request: page.AttachReader, reader: BlockReader) -> None:
        session = self._live.open_session()
        session.accepting(silence(reader.channels, reader.sampleRate), request.to)
        source = RingSource(session, reader, request.to, self._make_wake)
        task = self._live.spawn(self._watched(request.connection, source.run(), source))
        self._sources[request.connection] = task, source

    async def _play_file(self, request: page.PlayFile, content: View) -> float:
        session = self._live.open_session()
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
        task = self._live.spawn(playing)
        self._sources[request.connection] = task, None
        try:
            seconds: float = await task
            return seconds
        except asyncio.CancelledError:
            if task.cancelled():
                return 0.0  # disconnected, or the session was stopped
            raise
        finally:
            self._sources.pop(request.connection, None)

    async def _attach_writer(self, request: page.AttachWriter, writer: BlockWriter) -> None:
        sink = SpeakerSink(writer, request.live, self._make_wake)
        self._add_sink(request.connection, request.from_, sink)

    async def _attach_recorder(self, request: page.AttachRecorder, _: object) -> None:
        self._add_sink(request.connection, request.from_, RecorderSink(request.encoding))

    async def _detach(self, request: page.Detach, _: object) -> bytes | None:
        source, session = self._sources.get(request.connection), self._live.session
        if request.drain and source is not None and session is not None:
            with contextlib.suppress(TimeoutError):  # a graph that is held up
                async with deadline(session.clock, DRAIN_US):
                    await asyncio.wait([source[0]])
        self._close_source(request.connection)
        found = self._sinks.pop(request.connection, None)
        self._set_routes()
        return found[1].close() if found is not None else None

    async def _formats(self, request: page.Formats, _: object) -> page.PortFormat:
        plan = self._live.plan()
        node, port = audio_outlet(plan, request.from_)
        caps = plan.formats.outputs[node, port]
        fed = {
            entry.node
            for _task, ring in self._sources.values()
            if ring is not None
            for entry in find_entries(plan, ring.to)
        }
        return page.PortFormat(
            f"{node}:{port}",
            fixed(caps, "sample_rate"),
            fixed(caps, "channels"),
            is_reached(plan, fed, node),
        )

    # -- inside ------------------------------------------------------------------------------

    def _add_sink(self, connection: str, address: str | None, sink: Sink) -> None:
        port = audio_outlet(self._live.open_session().plan, address)
        self._sinks[connection] = port, sink
        self._set_routes()

    def _set_routes(self) -> None:
        routes: dict[Port, tuple[Sink, ...]] = {}
        for port, sink in self._sinks.values():
            if sink not in self._broken:
                routes[port] = (*routes.get(port, ()), sink)
        self.routes = routes

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
            self._live.happened("source", error)
        finally:
            if self._sources.pop(connection, None) is not None:
                ring.close()


def silence(channels: int, sample_rate: int) -> Audio:
    """An empty block, to ask whether its format is accepted."""
    return Audio(np.zeros((channels, 0), np.float32), sample_rate)
