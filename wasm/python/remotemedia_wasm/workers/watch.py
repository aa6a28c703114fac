"""Watches a worker that has work: for work that does not go on, and for too much memory."""

from __future__ import annotations

from collections.abc import Callable

from remotemedia.clock import US_PER_SECOND, Clock, Timer

PERIOD_US = 100_000
MIB = 2**20


class Watch:
    """Asks a worker for signs of life while it has something to do.

    Time in which this worker itself stood still does not count.

    Parameters
    ----------
    clock : Clock
        The session clock.
    ping : callable
        Asks for a sign.
    on_trouble : callable
        Told once, in words that have the worker as their subject: it is to be ended.
    hang_timeout_us : int or None
        Longest time without a sign, µs.
    memory_limit : int or None
        Bytes.
    """

    def __init__(
        self,
        clock: Clock,
        ping: Callable[[], None],
        on_trouble: Callable[[str], None],
        *,
        hang_timeout_us: int | None,
        memory_limit: int | None,
    ) -> None:
        self._clock = clock
        self._ping = ping
        self._on_trouble = on_trouble
        self._hang_timeout_us = hang_timeout_us
        self._memory_limit = memory_limit
        self._is_busy: Callable[[], bool] = lambda: False
        self._silent_us = 0
        self._last_us = 0
        self._timer: Timer | None = None

    def begin(self, is_busy: Callable[[], bool]) -> None:
        """There is something to do, for as long as `is_busy` says."""
        if self._timer is None and (self._hang_timeout_us or self._memory_limit):
            self._is_busy = is_busy
            self._silent_us = 0
            self._last_us = self._clock.now_us()
            self._timer = self._clock.call_later(PERIOD_US, self._look)

    def heard(self) -> None:
        """It has said something."""
        self._silent_us = 0

    def measured(self, memory: int) -> None:
        """It has so many bytes of memory."""
        limit = self._memory_limit
        if limit is not None and memory > limit:
            self._trouble(
                f"uses {memory / MIB:.0f} MiB of the {limit / MIB:.0f} MiB that memory_limit_mb "
                "allows"
            )

    def close(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if not self._is_busy():
            if self._memory_limit:
                self._ping()  # once more, for what the last of its work took
            return
        now_us = self._clock.now_us()
        self._silent_us += min(now_us - self._last_us, 2 * PERIOD_US)
        self._last_us = now_us
        if self._hang_timeout_us is not None and self._silent_us >= self._hang_timeout_us:
            self._trouble(
                f"made no progress for {self._silent_us / US_PER_SECOND:.3g} s, longer than "
                "hang_timeout_ms allows"
            )
            return
        self._ping()
        self._timer = self._clock.call_later(PERIOD_US, self._look)

    def _trouble(self, words: str) -> None:
        self.close()
        self._on_trouble(words)
