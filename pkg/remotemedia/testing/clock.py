"""A clock whose time passes only when every task waits, and the event loop that goes with it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import TypeVar

from remotemedia.clock import US_PER_SECOND, Timer, sleep
from remotemedia.testing.loop import DeadlockError, VirtualLoop

__all__ = ["DeadlockError", "VirtualClock"]

T = TypeVar("T")

# 2024-01-01T00:00:00Z: fixed, so that time stamps in recorded results never change.
WALL_START_US = 1_704_067_200 * US_PER_SECOND
HOUR_US = 3600 * US_PER_SECOND

# A page's loop counts as running from start to end, even while plain synchronous code runs.
_HOST_LOOP_ALWAYS_RUNS = sys.platform == "emscripten"


def _is_at_work(loop: asyncio.AbstractEventLoop | None) -> bool:
    if loop is None:
        return False
    return not _HOST_LOOP_ALWAYS_RUNS or asyncio.current_task(loop) is not None


class VirtualClock:
    """A `Clock` for tests: nothing waits for real time, and every run is the same.

    Coroutines run on an event loop of the clock's own. As soon as nothing is left to run, time
    jumps to the next timer. Timers due at the same µs run in the order in which they were set.
    `remotemedia.clock.sleep` and `deadline` are given this clock as any other; asyncio's own
    `sleep`, `timeout` and `wait_for` run on it, too. Works in CPython and in Pyodide.

    Parameters
    ----------
    wall_start_us : int
        The UTC time that `wall_us` shows at the start, in µs.

    Examples
    --------
    >>> clock = VirtualClock()
    >>> async def nap() -> int:
    ...     await sleep(clock, 60_000_000)
    ...     return clock.now_us()
    >>> clock.run(nap())
    60000000
    """

    def __init__(self, wall_start_us: int = WALL_START_US) -> None:
        self._now_us = 0
        self._wall_start_us = wall_start_us
        self._loop = VirtualLoop(self._now, self._jump)

    def _now(self) -> int:
        return self._now_us

    def _jump(self, now_us: int) -> None:
        self._now_us = now_us

    def now_us(self) -> int:
        """Virtual time in µs; 0 when the clock was made."""
        return self._now_us

    def wall_us(self) -> int:
        """Virtual UTC in µs since 1970."""
        return self._wall_start_us + self._now_us

    def call_later(self, delay_us: int, callback: Callable[[], None]) -> Timer:
        """Call `callback` when `delay_us` of virtual time have passed.

        Raises
        ------
        RuntimeError
            If called on another event loop than this clock's: its time would stand still there.
        """
        running = asyncio._get_running_loop()
        if running is not self._loop and _is_at_work(running):
            raise RuntimeError("this VirtualClock stands still here: start with clock.run(...)")
        return self._loop.call_at_us(self._now_us + max(delay_us, 0), callback)

    @property
    def timers(self) -> tuple[int, ...]:
        """When the timers and deadlines that are set are due, in `now_us`; the next comes first.

        Empty once all have fired or were cancelled: so a test sees that none is left behind, and
        what the next one will be.
        """
        return tuple(self._loop.due_us())

    def run(self, main: Coroutine[object, object, T], *, limit_us: int = HOUR_US) -> T:
        """Run a coroutine to its end and return its result.

        Tasks and asynchronous generators that it leaves behind are cancelled and closed, and
        timers dropped, before this returns.

        Parameters
        ----------
        main : coroutine
            What to run.
        limit_us : int
            The virtual time that it may take: what waits for ever beside a ticking timer would
            otherwise never end.

        Raises
        ------
        DeadlockError
            When every task waits, no timer is pending and nothing can wake them; or when the
            limit has passed. The message says which task waits where.
        ExceptionGroup
            When `main` succeeded but tasks or callbacks failed and nobody looked.
        RuntimeError
            When called from asynchronous code.
        """
        self._refuse_in_asynchronous_code(main)
        loop = self._loop
        loop.limit_us = self._now_us + limit_us
        try:
            result = self._drive(main)
        except BaseException as error:
            self._clean_up(loop)
            for unseen in loop.take_unseen():
                error.add_note(f"Also, and unseen by any task: {unseen!r}")
            raise
        self._clean_up(loop)
        unseen_errors = loop.take_unseen()
        if unseen_errors:
            raise ExceptionGroup("errors that no task looked at", unseen_errors)
        return result

    def advance(self, delay_us: int) -> None:
        """From synchronous code: let `delay_us` pass, and run all that becomes due or ready.

        In a coroutine, ``await sleep(clock, delay_us)`` does the same.
        """
        self._drive(self._advance(delay_us))
        self._raise_unseen()

    async def _advance(self, delay_us: int) -> None:
        await sleep(self, delay_us)
        await self.idle()

    def run_until_idle(self) -> None:
        """From synchronous code: run all that is ready, while time stands still."""
        self._drive(self.idle())
        self._raise_unseen()

    async def idle(self) -> None:
        """Wait until every other task waits, while time stands still."""
        await self._loop.idle()

    def _refuse_in_asynchronous_code(self, main: Coroutine[object, object, object]) -> None:
        if _is_at_work(asyncio._get_running_loop()):
            main.close()  # it will never be awaited
            raise RuntimeError("a VirtualClock is driven from synchronous code only")

    def _drive(self, main: Coroutine[object, object, T]) -> T:
        self._refuse_in_asynchronous_code(main)
        host = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        try:
            return self._loop.run_until_complete(main)
        finally:
            asyncio._set_running_loop(host)

    def _clean_up(self, loop: VirtualLoop) -> None:
        loop.limit_us = self._now_us + HOUR_US
        try:
            self._drive(loop.cancel_all())
            self._drive(loop.shutdown_asyncgens())
        except DeadlockError as error:
            loop.unseen.append(error)
            for task in asyncio.all_tasks(loop):
                # Named in the error already: no second report when it is collected.
                setattr(task, "_log_destroy_pending", False)  # noqa: B010 - unknown to mypy
        finally:
            loop.close()
            self._loop = VirtualLoop(self._now, self._jump)

    def _raise_unseen(self) -> None:
        unseen = self._loop.take_unseen()
        if unseen:
            raise ExceptionGroup("errors that no task looked at", unseen)
