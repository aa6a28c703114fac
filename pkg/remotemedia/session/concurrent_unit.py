"""Concurrent unit: an async node that is called on several items at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Set
from typing import Any

from remotemedia.data import Data, Packet
from remotemedia.session.async_unit import AsyncUnit
from remotemedia.session.inbox import Inbox, wait_in, wake_all
from remotemedia.session.unit import Hooks
from remotemedia.session.wiring import Wiring

_WINDOW = 4  # calls that are begun and not over, those that wait included: so many times the limit


class ConcurrentUnit(AsyncUnit):
    """Runs one async node, several calls at a time.

    A call that backs off, or whose result waits for those before it, lets another one work
    meanwhile. So only calls that do something count against the limit.

    Parameters
    ----------
    limit : int
        Calls that work at once.
    ordered : bool
        Emit in the order of the inputs.
    """

    def __init__(
        self, wiring: Wiring, inbox: Inbox, hooks: Hooks, limit: int, ordered: bool
    ) -> None:
        super().__init__(wiring, inbox, hooks)
        self._limit = limit
        self._ordered = ordered
        self._working = 0
        self._calls: dict[asyncio.Task[None], Packet] = {}
        self._ending: set[asyncio.Task[None]] = set()  # those that an interrupt has cancelled
        self._line: deque[Packet] = deque()  # those begun, in the order of the inputs
        self._changed: list[asyncio.Future[None]] = []

    async def run(self) -> None:
        """Work until the input has ended and the tail is out."""
        inbox, budget = self.inbox, self._hooks.budget
        while True:
            while self._is_busy():
                await wait_in(self._changed)
            boundary = inbox.oldest() or await inbox.next()
            if self._is_busy():  # one that rested works again
                continue
            if boundary is None:
                while self._calls:
                    await wait_in(self._changed)
                if inbox.paused or inbox.ended:
                    break
                continue  # it was paused for a moment
            if budget is not None and budget.drops(boundary):
                continue
            packet, target = self._take(boundary)
            (call,) = self.wiring.arrivals[target].calls
            self._working += 1
            self._line.append(packet)
            task = asyncio.get_running_loop().create_task(self._work(call, packet), name=self.name)
            self._calls[task] = packet
            task.add_done_callback(self._over)
        if not inbox.paused:
            await self.end_nodes({self.step.id})
            self.ended = True

    @property
    def origin(self) -> Packet | None:
        """The packet that the call works on which asks."""
        task: asyncio.Task[Any] | None = asyncio.current_task()
        return self._calls.get(task, self.packet) if task is not None else self.packet

    def tasks(self) -> list[asyncio.Task[None]]:
        """Everything of it that runs."""
        return [*super().tasks(), *self._calls]

    def stop(self) -> None:
        """End now."""
        super().stop()
        for call in self._calls:
            call.cancel()

    def drop(self, nodes: Set[str]) -> None:
        """Cancel the calls in flight; no other begins before they have ended."""
        if self.step.id not in nodes or not self._calls:
            super().drop(nodes)
            return
        self.cut = self.generation
        for call in self._calls.keys() - self._ending:
            call.cancel()
        self._ending.update(self._calls)

    async def settle(self) -> None:
        """Wait until the calls have ended."""
        if self._ending:
            await asyncio.wait(self._ending)
        await super().settle()

    def _is_busy(self) -> bool:
        working, begun = self._working, len(self._calls)
        return bool(self._ending) or working >= self._limit or begun >= _WINDOW * self._limit

    async def _work(self, call: Callable[[Data], Any], packet: Packet) -> None:
        await self._process(call, packet)

    def _over(self, task: asyncio.Task[None]) -> None:
        packet = self._calls.pop(task)
        if task in self._ending:
            self._ending.remove(task)
            if not self._ending:
                self._forget({self.step.id})
        self._leave(packet)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._hooks.broken(error)

    def _leave(self, packet: Packet) -> None:
        """A call is over: it counts no more, and who waits behind it may go on."""
        self._line.remove(packet)
        self._working -= 1
        self.inbox.done(packet)
        wake_all(self._changed)

    async def _rest(self, waiting: Callable[[], Any]) -> None:
        """Wait for something that is no work."""
        self._working -= 1
        wake_all(self._changed)
        try:
            await waiting()
            while self._working >= self._limit:
                await wait_in(self._changed)
        finally:
            self._working += 1

    async def _nap(self, pause: Any) -> None:
        nap = super()._nap
        await self._rest(lambda: nap(pause))

    async def _emit(self, item: Any, origin: Packet) -> None:
        if self._ordered and self._line and self._line[0] is not origin and origin in self._line:
            await self._rest(lambda: self._turn_of(origin))
        await super()._emit(item, origin)

    async def _turn_of(self, packet: Packet) -> None:
        while self._line[0] is not packet:
            await wait_in(self._changed)

    def _is_cancelled(self, error: BaseException) -> bool:
        task = asyncio.current_task()
        cancelled = isinstance(error, asyncio.CancelledError)
        return cancelled and task is not None and task.cancelling() > 0
