"""Retry: how long to wait before a call is made again, and whether that is worth it."""

from __future__ import annotations

import random

from remotemedia.errors import RemoteMediaError
from remotemedia.manifest import Retry


class Backoff:
    """The waits of one node.

    Parameters
    ----------
    settings : Retry
        How often, how long, and for which errors.
    seed : str
        Of the jitter, so that two runs are the same: the id of the node.
    """

    __slots__ = ("_random", "_settings")

    def __init__(self, settings: Retry, seed: str) -> None:
        self._settings = settings
        self._random = random.Random(seed)

    def delay_us(self, attempt: int, error: BaseException) -> int | None:
        """The wait after the so-many-th call (from 1) has failed, µs; None: it was the last."""
        settings = self._settings
        if attempt >= settings.attempts or not self._is_worth_it(error):
            return None
        delay_ms = settings.delay_ms
        if settings.backoff == "exponential":
            growth = min(float(settings.factor) ** min(attempt - 1, 64), 1e12)
            delay_ms *= growth
        delay_ms = min(delay_ms, settings.max_delay_ms)
        if settings.jitter:
            delay_ms *= 1 + settings.jitter * self._random.uniform(-1, 1)
        return round(min(delay_ms, settings.max_delay_ms) * 1000)

    def _is_worth_it(self, error: BaseException) -> bool:
        wanted = self._settings.errors
        if not wanted:
            return True
        kinds = {kind.__name__ for kind in type(error).__mro__}
        if isinstance(error, RemoteMediaError):
            kinds.add(error.code)
        return not kinds.isdisjoint(wanted)
