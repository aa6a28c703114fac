"""The session clock: the one source of time for timers, deadlines and time stamps.

Everything in the core that waits is given a `Clock`, so that a test can put
`remotemedia.testing.VirtualClock` in its place and a minute passes in a millisecond.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic_ns, time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    import asyncio

US_PER_SECOND = 1_000_000


class Timer(Protocol):
    """A callback that has not run yet."""

    def cancel(self) -> None:
        """Keep the callback from running; without effect once it has run."""


class Clock(Protocol):
    """What a session needs to know of time."""

    def now_us(self) -> int:
        """Monotonic time in µs; only differences mean anything."""

    def wall_us(self) -> int:
        """UTC in µs since 1970, for time stamps that leave the session."""

    def call_later(self, delay_us: int, callback: Callable[[], None]) -> Timer:
        """Call `callback` from the event loop once `delay_us` have passed, never before."""


class SystemClock:
    """The time of this machine; timers run on the asyncio loop that is running.

    On one machine the `now_us` of two processes can be compared.
    """

    def now_us(self) -> int:
        """Monotonic time in µs."""
        return monotonic_ns() // 1000

    def wall_us(self) -> int:
        """UTC in µs since 1970."""
        return time_ns() // 1000

    def call_later(self, delay_us: int, callback: Callable[[], None]) -> Timer:
        """Call `callback` from the running loop after `delay_us`.

        Raises
        ------
        RuntimeError
            If no event loop is running.
        """
        import asyncio

        return _SystemTimer(self, asyncio.get_running_loop(), delay_us, callback)


class _SystemTimer:
    """A loop timer that goes round again when the loop calls it too early.

    Pyodide's loop runs whatever is due within 4 ms at once.
    """

    __slots__ = ("_callback", "_clock", "_due_us", "_handle", "_loop")

    def __init__(
        self,
        clock: SystemClock,
        loop: asyncio.AbstractEventLoop,
        delay_us: int,
        callback: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._loop = loop
        self._due_us = clock.now_us() + delay_us
        self._callback = callback
        self._handle = loop.call_later(max(delay_us, 0) / US_PER_SECOND, self._fire)

    def _fire(self) -> None:
        early_us = self._due_us - self._clock.now_us()
        if early_us > 0:
            self._handle = self._loop.call_later(early_us / US_PER_SECOND, self._fire)
        else:
            self._callback()

    def cancel(self) -> None:
        self._handle.cancel()


async def sleep(clock: Clock, delay_us: int) -> None:
    """Wait for `delay_us` of the clock's time.

    Zero or less gives the other tasks one turn.
    """
    import asyncio

    if delay_us <= 0:
        await asyncio.sleep(0)  # noqa: TID251 - a yield; no time passes
        return
    woken = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not woken.done():
            woken.set_result(None)

    timer = clock.call_later(delay_us, wake)
    try:
        await woken
    finally:
        timer.cancel()


def deadline(clock: Clock, delay_us: int | None) -> Deadline:
    """Limit the time that the body of an ``async with`` may take.

    Parameters
    ----------
    clock : Clock
        Whose time counts.
    delay_us : int or None
        The limit in µs; None sets none.

    Raises
    ------
    TimeoutError
        On leaving the body, when the deadline passed and cancelled it. A cancellation that comes
        from elsewhere, even in the same instant, stays a `CancelledError`.

    Examples
    --------
    >>> async def close_within_a_second(session, clock):
    ...     async with deadline(clock, 1_000_000):
    ...         await session.finish()
    """
    return Deadline(clock, delay_us)


class Deadline:
    """The context manager of `deadline`; enter it once, inside a task."""

    __slots__ = ("_cancels_before", "_clock", "_delay_us", "_expired", "_task", "_timer")

    def __init__(self, clock: Clock, delay_us: int | None) -> None:
        self._clock = clock
        self._delay_us = delay_us
        self._expired = False
        self._task: asyncio.Task[object] | None = None
        self._timer: Timer | None = None

    @property
    def expired(self) -> bool:
        """Whether the deadline passed while the body ran."""
        return self._expired

    async def __aenter__(self) -> Self:
        import asyncio

        task = asyncio.current_task()
        if task is None or self._task is not None:
            raise RuntimeError("a deadline is entered once, inside a task")
        self._task = task
        # Cancel requests are counted: those that were there before us are not ours to answer.
        self._cancels_before = task.cancelling()
        if self._delay_us is not None:
            self._timer = self._clock.call_later(self._delay_us, self._expire)
        return self

    def _expire(self) -> None:
        self._expired = True
        if self._task is not None:
            self._task.cancel()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        import asyncio

        if self._timer is not None:
            self._timer.cancel()
        if not self._expired or self._task is None:
            return
        # Taking back our own request must come first, whatever the body raised.
        only_ours = self._task.uncancel() <= self._cancels_before
        if only_ours and exc_type is asyncio.CancelledError:
            raise TimeoutError(f"not done within {self._delay_us} µs") from exc
