"""Subscription: a client's view of one port, which never slows it down."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from remotemedia.data import Packet
from remotemedia.session.inbox import wait_in, wake_all

CAPACITY = 1_024  # packets that wait for a subscriber


class Subscription(AsyncIterator[Packet]):
    """Packets of one port; iterate over it. One who is too slow misses the oldest, and is told.

    Parameters
    ----------
    place : str
        What is subscribed to.
    capacity : int
        Packets that wait.
    lagged : callable
        Told once each time that it falls behind.

    Attributes
    ----------
    skipped : int
        Packets that were missed.
    """

    def __init__(self, place: str, capacity: int, lagged: Callable[[str], None]) -> None:
        self.place = place
        self.skipped = 0
        self._waiting: deque[Packet] = deque()
        self._capacity = capacity
        self._lagged = lagged
        self._behind = False
        self._closed = False
        self._waiters: list[asyncio.Future[None]] = []
        self.detach: Callable[[], None] = self.end

    def show(self, packet: Packet) -> None:
        """A packet passes."""
        if len(self._waiting) >= self._capacity:
            self._waiting.popleft()
            self.skipped += 1
            if not self._behind:
                self._behind = True
                self._lagged(f"a subscriber of {self.place} is too slow: it misses packets")
        self._waiting.append(packet)
        if self._waiters:
            wake_all(self._waiters)

    def close(self) -> None:
        """See no more; what waits can still be read."""
        self.detach()
        self.end()

    def end(self) -> None:
        """Nothing more will come."""
        self._closed = True
        wake_all(self._waiters)

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Packet:
        while not self._waiting:
            self._behind = False
            if self._closed:
                raise StopAsyncIteration
            await wait_in(self._waiters)
        return self._waiting.popleft()
