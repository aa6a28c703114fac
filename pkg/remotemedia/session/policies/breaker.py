"""Circuit breaker: a node that keeps failing is left alone for a while, then tried again.

M. Nygard, Release It! (2007). Closed: calls are made. Open: they are not. Half open, once the reset
time has passed: one call at a time is tried; if `probes` of them succeed it closes, if one fails
it opens again.
"""

from __future__ import annotations

from collections.abc import Callable

from remotemedia.clock import Clock
from remotemedia.manifest import CircuitBreaker

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half_open"


class Breaker:
    """The breaker of one node.

    Parameters
    ----------
    settings : CircuitBreaker
        When it opens, and for how long.
    clock : Clock
        The session clock.
    told : callable
        Told in words when it opens and closes.

    Attributes
    ----------
    state : str
        ``closed``, ``open`` or ``half_open``.
    failures : int
        In a row.
    calm : bool
        Closed, and the last call went well: then there is nothing to ask or tell.
    """

    __slots__ = (
        "_clock",
        "_open_until_us",
        "_probing",
        "_settings",
        "_succeeded",
        "_told",
        "calm",
        "failures",
        "state",
    )

    def __init__(self, settings: CircuitBreaker, clock: Clock, told: Callable[[str], None]) -> None:
        self._settings = settings
        self._clock = clock
        self._told = told
        self.state = CLOSED
        self.failures = 0
        self.calm = True
        self._open_until_us = 0
        self._probing = False
        self._succeeded = 0

    def allows(self) -> bool:
        """Whether the node may be called; if so, `succeeded` or `failed` must follow."""
        if self.state == CLOSED:
            return True
        if self.state == OPEN:
            if self._clock.now_us() < self._open_until_us:
                return False
            self.state, self._probing, self._succeeded = HALF_OPEN, False, 0
        if self._probing:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """A call went well."""
        self.failures = 0
        if self.state == HALF_OPEN:
            self._probing = False
            self._succeeded += 1
            if self._succeeded >= self._settings.probes:
                self.state = CLOSED
                self._told("the circuit breaker closed: the node works again")
        self.calm = self.state == CLOSED

    def failed(self) -> None:
        """A call failed."""
        self.failures += 1
        self.calm = False
        if self.state == HALF_OPEN or (
            self.state == CLOSED and self.failures >= self._settings.failures
        ):
            self.state = OPEN
            self._probing = False
            self._open_until_us = self._clock.now_us() + round(self._settings.reset_ms * 1000)
            self._told(
                f"the circuit breaker opened after {self.failures} failures in a row; "
                f"one call is tried in {self._settings.reset_ms:g} ms"
            )

    def given_up(self) -> None:
        """A call was cut off from outside: it says nothing of the node."""
        self._probing = False
