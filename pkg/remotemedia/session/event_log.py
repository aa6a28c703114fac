"""Event log: what has happened in a session, until its client reads it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator

from remotemedia.session.failure import Event
from remotemedia.session.inbox import wait_in, wake_all

_log = logging.getLogger("remotemedia.session")

MAX_EVENTS = 1_024  # that wait for the client; the oldest are dropped and counted


class EventLog(AsyncIterator[Event]):
    """Events in order; iterate over it to take them, until the session is closed.

    Attributes
    ----------
    dropped : int
        Events that nobody took in time.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._waiting: deque[Event] = deque()
        self._logged: set[str | None] = set()
        self._waiters: list[asyncio.Future[None]] = []
        self._ended = False

    def note(self, event: Event) -> None:
        """Something has happened. The first error of each node is logged, too."""
        if event.error is not None and event.node not in self._logged:
            self._logged.add(event.node)
            _log.warning("%s (the first such event of this session)", event.error)
        if len(self._waiting) >= MAX_EVENTS:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(event)
        wake_all(self._waiters)

    def end(self) -> None:
        """Nothing more will happen."""
        self._ended = True
        wake_all(self._waiters)

    def __aiter__(self) -> EventLog:
        return self

    async def __anext__(self) -> Event:
        while not self._waiting:
            if self._ended:
                raise StopAsyncIteration
            await wait_in(self._waiters)
        return self._waiting.popleft()
