"""A log-linear histogram of durations, cheap enough to be always on."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

_SUB_BITS = 5  # 2**5 buckets per octave: a bucket is at most 3.2 % wide
_SHIFT = 52 - _SUB_BITS  # a float64 has 52 bits of mantissa
_WIDEST = 4096  # buckets of a table: 128 octaves
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

    def merge(self, lowest: int, counts: NDArray[np.int64], total: int, maximum: float) -> None:
        """Add `total` durations, already counted in the buckets from `lowest` on."""
        self._counted += total
        self._maximum = max(self._maximum, maximum)
        buckets = self._buckets
        found = np.flatnonzero(counts)
        for key, count in zip((found + lowest).tolist(), counts[found].tolist(), strict=True):
            buckets[key] = buckets.get(key, 0) + count

    def _sort_pending(self) -> None:
        if self._pending:
            durations = np.array([self._pending])
            self._pending.clear()
            add_rows([self], durations)


def add_rows(histograms: Sequence[Histogram], durations: NDArray[np.float64]) -> None:
    """Count many durations, a row per histogram, in one go.

    Parameters
    ----------
    histograms : sequence of Histogram
        One per row.
    durations : np.ndarray [shape=(len(histograms), n), dtype=float64, C-contiguous]
        In s. Written to.
    """
    rows, total = durations.shape
    if not total:
        return
    maxima = durations.max(axis=1).tolist()
    np.maximum(durations, 0.0, out=durations)  # whatever clock: no sign bit among the keys
    keys = durations.view(np.int64)
    keys >>= _SHIFT
    lowest, highest = int(keys.min()), int(keys.max())
    span = highest - lowest + 1
    if span > _WIDEST:  # zeros beside durations: too far apart for a table
        for histogram, row, maximum in zip(histograms, keys, maxima, strict=True):
            found, times = np.unique(row, return_counts=True)
            for key, count in zip(found.tolist(), times.tolist(), strict=True):
                histogram.merge(key, np.array([count]), count, maximum)
        return
    keys += (np.arange(rows) * span - lowest)[:, np.newaxis]
    table = np.bincount(keys.reshape(-1), minlength=span * rows).reshape(rows, span)
    for histogram, counts, maximum in zip(histograms, table, maxima, strict=True):
        histogram.merge(lowest, counts, total, maximum)
