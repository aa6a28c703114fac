"""A log-linear histogram of durations, cheap enough to be always on."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

_SUB_BITS = 5  # 2**5 buckets per octave: a bucket is at most 3.2 % wide
_SHIFT = 52 - _SUB_BITS  # a float64 has 52 bits of mantissa
_BATCH = 512  # single durations held back before they are sorted into buckets


class Latency(msgspec.Struct, frozen=True):
    """Percentiles of a histogram, µs; all zero when nothing was recorded."""

    p50_us: float = 0.0
    p95_us: float = 0.0
    p99_us: float = 0.0
    max_us: float = 0.0


class Histogram:
    """Counts durations in buckets that are the leading bits of their floating-point form.

    The leading bits of an IEEE 754 double (exponent and first bits of the mantissa) *are* a
    log-linear scale, so that sorting a batch of durations into buckets is a shift.
    """

    __slots__ = ("_buckets", "_counted", "_maximum", "_pending")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}  # sparse: a node's latencies touch a few dozen
        self._counted = 0
        self._maximum = 0.0
        self._pending: list[float] = []

    @property
    def count(self) -> int:
        """How many durations were recorded."""
        return self._counted + len(self._pending)

    def record(self, duration: float) -> None:
        """Count one duration, s."""
        self._pending.append(duration)
        if len(self._pending) >= _BATCH:
            self._sort_pending()

    def add(self, durations: NDArray[np.float64]) -> None:
        """Count many durations, s `[shape=(n,), contiguous]`."""
        if not len(durations):
            return
        self._counted += len(durations)
        self._maximum = max(self._maximum, float(durations.max()))
        # A clock may step by zero; adding 0.0 turns -0.0 into 0.0, whose bits are 0.
        keys = (np.maximum(durations, 0.0) + 0.0).view(np.int64) >> _SHIFT
        lowest = int(keys.min())
        counts = np.bincount(keys - lowest) if int(keys.max()) - lowest < 4096 else None
        if counts is None:  # zeros beside durations: too far apart for a table
            found, times = np.unique(keys, return_counts=True)
        else:
            found = np.flatnonzero(counts)
            times = counts[found]
            found = found + lowest
        buckets = self._buckets
        for key, count in zip(found.tolist(), times.tolist(), strict=True):
            buckets[key] = buckets.get(key, 0) + count

    def latency(self) -> Latency:
        """Percentiles so far: the middle of the bucket that holds the rank, never above max."""
        self._sort_pending()
        if not self._counted:
            return Latency()
        keys = np.array(sorted(self._buckets), dtype=np.int64)
        counts = np.array([self._buckets[key] for key in keys.tolist()])
        low = (keys << _SHIFT).view(np.float64)
        high = ((keys + 1) << _SHIFT).view(np.float64)
        middle = np.where(low > 0, np.minimum(low / 2 + high / 2, self._maximum), 0.0)
        ranks = -(np.array([-50, -95, -99]) * self._counted // 100)
        p50, p95, p99 = (middle[np.searchsorted(np.cumsum(counts), ranks)] * 1e6).tolist()
        return Latency(p50, p95, p99, self._maximum * 1e6)

    def _sort_pending(self) -> None:
        if self._pending:
            durations = np.array(self._pending)
            self._pending.clear()
            self.add(durations)
