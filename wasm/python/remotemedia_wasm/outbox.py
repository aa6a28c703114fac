"""Outbox: packets on their way to the page."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping

from remotemedia.data import Packet
from remotemedia.session.inbox import wait_in, wake_all

MAX_UNREAD = 1_024  # packets that wait for a page that has not begun to read


class Outbox:
    """Gives packets to the page when it has asked for them.

    While the page reads, nothing is lost: who gives waits. While nobody reads, the newest packets
    are kept and the oldest dropped and counted, because a page that only wants to hear the sound
    must not hold up the graph.

    Parameters
    ----------
    post : callable
        Sends one packet.

    Attributes
    ----------
    unread : int
        Packets that were dropped because nobody read them.
    """

    def __init__(self, post: Callable[[Packet], None]) -> None:
        self.unread = 0
        self._post = post
        self._credit = 0
        self._reading = False
        self._kept: deque[Packet] = deque()
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def waiting(self) -> int:
        """Packets that the page has not asked for yet."""
        return len(self._kept)

    def allow(self, packets: int) -> None:
        """The page takes so many more; 0: it reads no longer."""
        self._reading = packets > 0
        self._credit = self._credit + packets if self._reading else 0
        self._flush()
        wake_all(self._waiters)

    def put(self, packet: Packet, heard: bool) -> bool:
        """Give one packet; False if `read` has to be awaited before the next one.

        Parameters
        ----------
        packet : Packet
            What.
        heard : bool
            Whether it went to a sink, so that it is not kept for who reads later.
        """
        if not self._reading:
            if not heard:
                self._keep(packet)
            return True
        self._kept.append(packet)
        self._flush()
        return not self._kept

    async def read(self) -> None:
        """Wait until a page that reads has taken everything."""
        while self._kept and self._reading:
            await wait_in(self._waiters)

    def clear(self, floors: Mapping[str, int] | None = None) -> None:
        """Forget what waits.

        Parameters
        ----------
        floors : mapping of node id to int, optional
            Only what these nodes gave out, and what is of an older generation than this.
        """
        kept = self._kept
        self._kept = deque()
        if floors is not None:
            self._kept.extend(one for one in kept if one.generation >= floors.get(one.node, 0))
        wake_all(self._waiters)

    def _keep(self, packet: Packet) -> None:
        self._kept.append(packet)
        if len(self._kept) > MAX_UNREAD:
            self._kept.popleft()
            self.unread += 1

    def _flush(self) -> None:
        while self._kept and self._credit > 0:
            self._credit -= 1
            self._post(self._kept.popleft())
