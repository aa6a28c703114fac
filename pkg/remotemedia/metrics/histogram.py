"""A log-linear histogram of durations, cheap enough to be always on."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

SUB_BITS = 5  # 2**5 buckets per octave: a bucket is at most 3.2 % wide
_SHIFT = 52 - SUB_BITS  # a float64 has 52 bits of mantissa
_BATCH = 1024  # durations held back before they are sorted into buckets


class Latency(msgspec.Struct, frozen=True):
    """Percentiles of a histogram, µs; all zero when nothing was recorded."""

    p50_us: float = 0.0
    p95_us: float = 0.0
    p99_us: float = 0.0
    max_us: float = 0.0


class Histogram:
    """Counts durations in buckets that are the leading bits of their floating-point form.

    The leading bits of an IEEE 754 double (exponent and first mantissa bits) *are* a log-linear
    scale, so that sorting a batch into buckets is a shift. `record` is the `append` of a list (15
    ns); buckets are counted in batches, when `fold` is called and when the figures are read.

    Attributes
    ----------
    record : callable
        Takes one duration in seconds.
    maximum : float
        The largest duration so far, s.
    """

    __slots__ = ("_buckets", "_counted", "_maximum", "_pending", "record")

    def __init__(self) -> None:
        self._pending: list[float] = []
        self._buckets: dict[int, int] = {}  # sparse: a node's latencies touch a few dozen
        self._counted = 0
        self._maximum = 0.0
        self.record: Callable[[float], None] = self._pending.append

    @property
    def count(self) -> int:
        """How many durations were recorded."""
        return self._counted + len(self._pending)

    def fold(self, batch: int = _BATCH) -> None:
        """Sort what was recorded into buckets once there are `batch` durations waiting."""
        pending = self._pending
        if len(pending) < batch:
            return
        durations = np.array(pending)
        pending.clear()
        self._counted += len(durations)
        self._maximum = max(self._maximum, float(durations.max()))
        # A clock of coarse steps gives zeros; +0.0 turns -0.0 into 0.0, whose bits are 0.
        bits = (np.maximum(durations, 0.0) + 0.0).view(np.int64) >> _SHIFT
        keys, counts = np.unique(bits, return_counts=True)
        buckets = self._buckets
        for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
            buckets[key] = buckets.get(key, 0) + count

    def latency(self) -> Latency:
        """Percentiles so far: the middle of the bucket that holds the rank, never above max."""
        self.fold(1)
        if not self._counted:
            return Latency()
        keys = np.array(sorted(self._buckets), dtype=np.int64)
        counts = np.array([self._buckets[key] for key in keys.tolist()])
        ends = np.cumsum(counts)
        low = (keys << _SHIFT).view(np.float64)
        high = ((keys + 1) << _SHIFT).view(np.float64)
        middle = np.minimum((low + high) / 2, self._maximum)
        ranks = np.ceil(np.array([0.50, 0.95, 0.99]) * self._counted)
        p50, p95, p99 = (middle[np.searchsorted(ends, ranks)] * 1e6).tolist()
        return Latency(p50, p95, p99, self._maximum * 1e6)
