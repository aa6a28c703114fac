"""What a histogram tells, as plain data."""

from __future__ import annotations

import msgspec


class Latency(msgspec.Struct, frozen=True):
    """Percentiles of durations, µs; all zero when nothing was recorded.

    Attributes
    ----------
    p50_us, p95_us, p99_us : float
        Within 1.6 %, never above `max_us`.
    max_us, mean_us : float
        Exact.
    count : int
        How many durations.
    """

    p50_us: float = 0.0
    p95_us: float = 0.0
    p99_us: float = 0.0
    max_us: float = 0.0
    mean_us: float = 0.0
    count: int = 0


class Timing(Latency, frozen=True):
    """Percentiles since the start, and of the last minutes.

    Attributes
    ----------
    windows : dict of str to Latency
        ``1m``, ``5m`` and ``15m``. Nothing older is in them, and all that is at least 10 s younger
        than that.
    """

    windows: dict[str, Latency] = {}


NO_LATENCY = Latency()
