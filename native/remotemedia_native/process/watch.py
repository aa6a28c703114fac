"""Watches a child that is alive: for too much memory, and for work that does not go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from remotemedia.clock import US_PER_SECOND, Clock, Timer
from remotemedia_native.process.vitals import Vitals, vitals

PERIOD_US = 100_000
DUMP_US = 200_000  # in which a stack is written
TERMINATE_S = 2.0

Progress = Callable[[], tuple[int, bool]]
Trouble = Callable[[str, tuple[str, ...]], None]


class Watched(Protocol):
    """What is needed of a `ChildProcess`."""

    @property
    def pid(self) -> int:
        """Its process id."""

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""

    @property
    def dump(self) -> tuple[str, ...]:
        """What it wrote since `dump_stack`."""

    def dump_stack(self) -> None:
        """Make it write its stacks."""

    def kill(self, why: str = "") -> None:
        """End it at once."""

    async def terminate(self, deadline_s: float, why: str = "") -> object:
        """End it."""


class Watch:
    """Watches one child until it ends, there is trouble, or `close`. Trouble ends the child.

    A child over its limit of memory is killed. One that hangs is first made to write its stacks,
    then terminated. Time in which this process itself stood still does not count.

    Parameters
    ----------
    child : ChildProcess
        Whom to watch.
    clock : Clock
        The session clock.
    on_trouble : callable
        Called once, with words that have the child as their subject, and its stacks if it hung.
        The child is about to end; its `Exit` has the same words.
    memory_limit : int or None
        Bytes; None for none.
    hang_timeout_us : int or None
        How long it may be busy, or stopped, without progress, µs; None for as long as it likes.
    progress : callable
        Gives a number that changes whenever the child has done something, and whether it has
        something to do.
    look : callable
        Gives the vitals of a process id.
    """

    def __init__(
        self,
        child: Watched,
        clock: Clock,
        on_trouble: Trouble,
        *,
        memory_limit: int | None = None,
        hang_timeout_us: int | None = None,
        progress: Progress = lambda: (0, False),
        look: Callable[[int], Vitals | None] = vitals,
    ) -> None:
        self._child = child
        self._clock = clock
        self._on_trouble = on_trouble
        self._memory_limit = memory_limit
        self._hang_timeout_us = hang_timeout_us
        self._progress = progress
        self._look = look
        self._stuck_us = 0
        self._count = progress()[0]
        self._last_us = clock.now_us()
        self._ending: asyncio.Future[object] | None = None
        self._timer: Timer | None = None
        if memory_limit is not None or hang_timeout_us is not None:
            self._timer = clock.call_later(PERIOD_US, self._tick)

    def close(self) -> None:
        """Watch no more. What has begun to be ended is ended all the same."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        if not self._child.is_alive:
            return  # that is for others to tell
        found = self._look(self._child.pid)
        limit = self._memory_limit
        if found and limit is not None and found.resident > limit:
            words = (
                f"uses {found.resident / 2**20:.0f} MiB of the {limit / 2**20:.0f} MiB that "
                "memory_limit_mb allows"
            )
            self._child.kill(f"it {words}")
            self._on_trouble(words, ())
        elif self._is_stuck(stopped=found is not None and found.stopped):
            self._child.dump_stack()
            self._timer = self._clock.call_later(DUMP_US, self._end)
        else:
            self._timer = self._clock.call_later(PERIOD_US, self._tick)

    def _is_stuck(self, stopped: bool) -> bool:
        now_us = self._clock.now_us()
        passed_us, self._last_us = now_us - self._last_us, now_us
        count, busy = self._progress()
        if count != self._count or not (busy or stopped):
            self._count = count
            self._stuck_us = 0
            return False
        self._stuck_us += min(passed_us, 2 * PERIOD_US)  # more, and it was us who stood still
        return self._hang_timeout_us is not None and self._stuck_us >= self._hang_timeout_us

    def _end(self) -> None:
        self._timer = None
        if not self._child.is_alive:
            return
        if self._progress()[0] != self._count:  # just so
            self._is_stuck(stopped=False)
            self._timer = self._clock.call_later(PERIOD_US, self._tick)
            return
        found = self._look(self._child.pid)
        what = "has been stopped by a signal" if found and found.stopped else "made no progress"
        words = (
            f"{what} for {self._stuck_us / US_PER_SECOND:.3g} s, longer than hang_timeout_ms allows"
        )
        self._ending = asyncio.ensure_future(self._child.terminate(TERMINATE_S, f"it {words}"))
        self._on_trouble(words, self._child.dump)
