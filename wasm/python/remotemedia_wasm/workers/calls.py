"""Calls of nodes in a worker, as the session waits for them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from remotemedia.data import Packet
from remotemedia.node import Emit
from remotemedia_wasm.workers import messages as m

Tell = Callable[[m.Message], None]


class WorkerCall:
    """One call: what comes of it, as it comes.

    Parameters
    ----------
    told : Call
        What the worker is told.
    frame : bytes or None
        Beside it.
    tell : callable
        Tells the worker how much was taken.
    over : callable
        Told that nobody waits for it any more.

    Attributes
    ----------
    is_sent : bool
        Whether a worker has it.
    """

    __slots__ = (
        "_error",
        "_floor",
        "_is_over",
        "_items",
        "_over",
        "_taken",
        "_tell",
        "_waiter",
        "frame",
        "is_sent",
        "told",
    )

    def __init__(
        self, told: m.Call, frame: bytes | None, tell: Tell, over: Callable[[WorkerCall], None]
    ) -> None:
        self.told = told
        self.frame = frame
        self.is_sent = False
        self._tell = tell
        self._over = over
        self._items: deque[Any] = deque()
        self._taken = 0
        self._floor = 0
        self._error: Exception | None = None
        self._is_over = False
        self._waiter: asyncio.Future[None] | None = None

    async def next(self) -> Any:
        """The next item: data, or an `Emit`; None after the last.

        Raises
        ------
        RemoteMediaError
            What the call raised, after the items in front of that.
        """
        while not self._items:
            if self._is_over:
                if self._error is not None:
                    raise self._error
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        self._took(1)
        return self._items.popleft()

    def put(self, packet: Packet, generation: int) -> None:
        """An item has come."""
        if generation < self._floor:
            self._took(1)
            return
        self._items.append(Emit(packet.port, packet.data) if packet.port else packet.data)
        self._wake()

    def end(self, error: Exception | None = None) -> None:
        """No more will come."""
        self._is_over = True
        self._error = error
        self._wake()

    def begin_anew(self) -> None:
        """Another worker is given it, from its beginning."""
        self.is_sent = False
        self._taken = -len(self._items)  # that one knows nothing of these
        self._floor = 0

    def drop(self, generation: int) -> None:
        """What is older is stale."""
        self._floor = generation
        self._took(len(self._items))
        self._items.clear()

    def close(self) -> None:
        """Nobody waits for it any more."""
        if not self._is_over:
            self._is_over = True
            self._over(self)
        self._items.clear()

    def _took(self, count: int) -> None:
        before, self._taken = self._taken, self._taken + count
        if not self._is_over and before // (m.WINDOW // 2) != self._taken // (m.WINDOW // 2):
            self._tell(m.Took(self.told.node, self.told.number, max(0, self._taken)))

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
