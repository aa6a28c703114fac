"""What is ready, and what is due: the part of the event loop that knows nothing of the page."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

BUDGET_S = 0.008
US_PER_S = 1_000_000
MAX_TIMEOUT_MS = 2**31 - 1
"""The longest that setTimeout takes."""
NESTED_CLAMP_MS = 4
"""What browsers make of a shorter timeout that the handler of a timeout sets."""
SPARE_TIMERS = 64
"""Cancelled timers that are kept whatever else there is."""


class _Ready(asyncio.Handle):
    """A handle without what asyncio's looks up for its debug mode: a tenth of a switch of tasks."""

    __slots__ = ()

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[object, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = self._source_traceback = None


class _Timer(asyncio.TimerHandle):
    __slots__ = ()
    _scheduled: bool  # asyncio's own: it is in the heap, and not cancelled


@dataclass(frozen=True)
class LoopStatistics:
    """What a loop has done since it was installed, and what waits in it now.

    Attributes
    ----------
    batches, callbacks : int
        Callbacks that were ready together count as one batch.
    longest_batch_us : int
        The longest that a batch ran without a break.
    exhausted : int
        Turns that used up their budget, with callbacks left for the next one.
    ready, timers : int
        Callbacks and timers that wait. A cancelled timer does not.
    """

    batches: int
    callbacks: int
    longest_batch_us: int
    exhausted: int
    ready: int
    timers: int


class Scheduler(asyncio.AbstractEventLoop):
    """Runs callbacks in batches, a turn of JavaScript's event loop at a time.

    A batch is what is ready when it begins, and then the timers that are due, as in asyncio's own
    ``_run_once``; what it adds is in the next batch. A turn runs batches until nothing is ready or
    its budget is spent, and then asks for another one: a batch that was cut off goes on there. So
    the order is that of asyncio, and a message to the page waits for the budget and one callback
    at most.

    It is mixed into a loop that makes futures and tasks, handles exceptions and has a debug mode.
    Everything is called from one thread.

    Parameters
    ----------
    post : callable
        Asks for a call of `on_message` from JavaScript's event loop, soon, behind what waits there.
    set_timeout : callable
        Asks for a call of `on_timeout` after so many ms; gives what `clear_timeout` takes.
    clear_timeout : callable
        Takes that back.
    now : callable
        The monotonic clock, s.
    watch : callable, optional
        Told that a turn begins; sees to it that `on_suspended` is called if it is suspended.
    budget_s : float
        How long a turn may go on starting callbacks, s.
    """

    _debug: bool  # the loop's

    def __init__(
        self,
        *,
        post: Callable[[], None],
        set_timeout: Callable[[int], object],
        clear_timeout: Callable[[object], None],
        now: Callable[[], float],
        watch: Callable[[], None] | None = None,
        budget_s: float = BUDGET_S,
    ) -> None:
        self._post = post
        self._set_timeout = set_timeout
        self._clear_timeout = clear_timeout
        self._now = now
        self._watch = watch
        self._budget_s = budget_s
        self._queue: deque[asyncio.Handle] = deque()  # the next batch
        self._batch: deque[asyncio.Handle] = deque()  # the rest of this one
        self._deadline = 0.0  # of the turn that runs; 0: none does
        self._posted = False
        self._awake = False  # a turn runs or is asked for
        self._timers: list[tuple[int, int, float, _Timer]] = []  # due µs, number, due s
        self._timer_number = itertools.count()
        self._cancelled_timers = 0
        self._timeout: tuple[int, object] | None = None  # due µs, what clear_timeout takes
        self._batches = 0
        self._callbacks = 0
        self._longest_s = 0.0
        self._exhausted = 0

    def statistics(self) -> LoopStatistics:
        """What happened since it was installed."""
        return LoopStatistics(
            batches=self._batches,
            callbacks=self._callbacks,
            longest_batch_us=round(self._longest_s * US_PER_S),
            exhausted=self._exhausted,
            ready=len(self._batch) + len(self._queue),
            timers=len(self._timers) - self._cancelled_timers,
        )

    def time(self) -> float:
        return self._now()

    # -- what the loop is asked for ------------------------------------------------------------

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Run the callback in the next batch.

        Real-time path: one handle is allocated; JavaScript is called only to wake an idle loop.
        """
        make = asyncio.Handle if self._debug else _Ready
        handle = make(callback, args, self, context)
        self._queue.append(handle)
        if not self._awake:
            self._ask()
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """As `call_soon`: there is one thread."""
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run the callback after so many seconds, never earlier. Infinite ones are never over."""
        return self.call_at(self._now() + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run the callback at that time of `time`; what is due in the same µs keeps its order."""
        timer = _Timer(when, callback, args, self, context)
        if when != math.inf:
            due_us = round(when * US_PER_S)
            heapq.heappush(self._timers, (due_us, next(self._timer_number), when, timer))
            timer._scheduled = True
            if not self._awake:
                self._arm()
        return timer

    def _timer_handle_cancelled(self, handle: _Timer) -> None:
        if not handle._scheduled:
            return
        handle._scheduled = False
        self._cancelled_timers += 1
        if self._cancelled_timers > max(SPARE_TIMERS, len(self._timers) // 2):
            self._timers = [item for item in self._timers if item[3]._scheduled]
            heapq.heapify(self._timers)
            self._cancelled_timers = 0

    # -- what JavaScript calls -----------------------------------------------------------------

    def enter(self, callback: Callable[[*Ts], T], *args: *Ts) -> T:
        """Run a callback, and then at once what it made ready, within the budget.

        Where Python already runs below (it called JavaScript, which calls back), only the callback
        is run: what it makes ready has its turn when that Python returns.

        Raises
        ------
        BaseException
            What the callback raises; what is ready has run before.
        """
        if self._deadline or asyncio.current_task(self) is not None:
            return callback(*args)
        self._begin_turn()
        try:
            return callback(*args)
        finally:
            self._turn()

    def on_message(self) -> None:
        """The turn that was asked for by `post`."""
        self._posted = False
        if not self._deadline:
            self._begin_turn()
            self._turn()

    def on_timeout(self) -> None:
        """The timeout is over."""
        self._timeout = None
        if not self._deadline:
            self._begin_turn()
            self._turn(in_timeout=True)

    def on_suspended(self) -> None:
        """The turn that runs does not run: a callback switched its stack away (`run_sync`).

        What waits goes on in a new turn; the old one ends when its callback has come back.
        """
        if self._deadline:
            self._end_turn()

    # -- turns ---------------------------------------------------------------------------------

    def _ask(self) -> None:
        self._posted = self._awake = True
        self._post()

    def _begin_turn(self) -> None:
        self._deadline = self._now() + self._budget_s
        self._awake = True
        if self._watch is not None:
            self._watch()

    def _turn(self, in_timeout: bool = False) -> None:
        # A callback may uninstall the loop: then these are no longer methods of it.
        run, stopped, end = self._run_batches, self._stopped, self._end_turn
        try:
            while True:
                try:
                    run()
                except (SystemExit, KeyboardInterrupt) as error:
                    stopped(error)
                else:
                    break
        finally:
            if self._deadline:
                end(in_timeout)

    def _run_batches(self) -> None:
        """Run what is ready, until nothing is or the turn is over; at least one callback."""
        now = self._now
        time = now()
        while True:
            batch = self._batch
            if not batch:
                if self._timers and self._timers[0][2] <= time:
                    self._take_due(time)
                if not self._queue:
                    return
                self._batch, self._queue = self._queue, batch
                batch = self._batch
                self._batches += 1
                self._callbacks += len(batch)
            began = time
            while batch:
                handle = batch.popleft()
                if handle._cancelled:
                    continue
                handle._run()
                time = now()
                if time >= self._deadline:
                    # Also where the turn was suspended meanwhile, and is another's now.
                    self._longest_s = max(self._longest_s, time - began)
                    if batch or self._queue:
                        self._exhausted += 1
                    return
            if time - began > self._longest_s:
                self._longest_s = time - began

    def _end_turn(self, in_timeout: bool = False) -> None:
        self._deadline = 0.0
        self._awake = self._posted
        if self._posted:
            return
        if self._batch or self._queue:
            self._ask()
        elif self._timers:
            self._arm(in_timeout)

    def _stopped(self, error: SystemExit | KeyboardInterrupt) -> None:
        """A callback raised what ends a process: there is none that could end."""
        self.call_exception_handler({"message": "A callback asked for the end", "exception": error})

    # -- timers --------------------------------------------------------------------------------

    def _take_due(self, time: float) -> None:
        timers = self._timers
        while timers and timers[0][2] <= time:
            timer = heapq.heappop(timers)[3]
            if timer._scheduled:
                timer._scheduled = False
                self._queue.append(timer)
            else:
                self._cancelled_timers -= 1

    def _arm(self, in_timeout: bool = False) -> None:
        """See to it that a turn comes when the earliest timer is due."""
        timers = self._timers
        while timers and not timers[0][3]._scheduled:
            heapq.heappop(timers)
            self._cancelled_timers -= 1
        if not timers:
            return
        due_us, _, due, _ = timers[0]
        if self._timeout is not None:
            if self._timeout[0] <= due_us:
                return  # comes too early, perhaps: then it is armed again
            self._clear_timeout(self._timeout[1])
            self._timeout = None
        delay_ms = math.ceil((due - self._now()) * 1000)
        if delay_ms <= 0 or (in_timeout and delay_ms < NESTED_CLAMP_MS):
            self._ask()  # a timeout that a message sets is not clamped
        else:
            self._timeout = due_us, self._set_timeout(min(delay_ms, MAX_TIMEOUT_MS))
