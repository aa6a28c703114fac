"""Pump: takes what comes out of a session, to the sinks and to the page."""

from __future__ import annotations

from collections.abc import Iterable

from remotemedia.data import Audio
from remotemedia.errors import RemoteMediaError
from remotemedia.protocol import Ended, ErrorInfo, error_info
from remotemedia.session.session import Session
from remotemedia_wasm.connections import Connections
from remotemedia_wasm.live import Live
from remotemedia_wasm.outbox import Outbox


class Pump:
    """What comes out of one session.

    Parameters
    ----------
    live : Live
        The page.
    connections : Connections
        Where audio goes.

    Attributes
    ----------
    outbox : Outbox
        What waits for the page.
    """

    def __init__(self, live: Live, connections: Connections) -> None:
        self.outbox = Outbox(live.post)
        self._live = live
        self._connections = connections
        self._floors: dict[str, int] = {}  # by node: what is of an older generation is stale
        self._ended = False
        self._failure: ErrorInfo | None = None

    async def run(self, session: Session) -> None:
        """Hand out what comes out, to the end.

        Real-time path: one look into a dict per packet, beside what the sinks do.
        """
        error: ErrorInfo | None = None
        outbox, connections = self.outbox, self._connections
        outputs = session.outputs()
        poll, put, floor_of = outputs.poll, outbox.put, self._floors.get
        try:
            while True:
                packet = poll()
                if packet is None:
                    packet = await anext(outputs, None)
                    if packet is None:
                        break
                sinks = connections.routes.get((packet.node, packet.port), ())
                heard = False
                if sinks and packet.data.__class__ is Audio:
                    heard = True
                    for sink in sinks:
                        try:
                            waiting = sink.write(packet)
                            if waiting is not None:
                                await waiting
                        except RemoteMediaError as failed:
                            connections.broke(sink, failed, packet.sequence)
                        if packet.generation < floor_of(packet.node, 0):
                            break  # while a sink waited for room
                if packet.generation < floor_of(packet.node, 0):
                    continue
                if not put(packet, heard):
                    await outbox.read()
            await connections.finish_sinks()
        except RemoteMediaError as failed:
            error = error_info(failed)
        await outbox.read()
        self._ended = True
        self._failure = error
        self.tell_end()

    def interrupt(self, nodes: Iterable[str], generation: int) -> None:
        """What these nodes gave out is stale, unless it is of this generation."""
        self._floors.update(dict.fromkeys(nodes, generation))
        self.outbox.clear(self._floors)

    def tell_end(self) -> None:
        """Tell the page of the end, once it has read all."""
        if self._ended and not self.outbox.waiting:
            self._ended = False
            self._live.answer(Ended(self._failure))
