"""A log-linear histogram of durations with windows, cheap enough to be always on."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from remotemedia.metrics.latency import NO_LATENCY, Latency, Timing

_SUB_BITS = 5  # 2**5 buckets per octave: a bucket is at most 3.2 % wide
_SHIFT = 52 - _SUB_BITS  # a float64 has 52 bits of mantissa
_COUNT = (1 << _SHIFT) - 1  # what is left for a count beside the key of its bucket
_WIDEST = 4096  # buckets of a table: 128 octaves
_BATCH = 512  # single durations held back before they are sorted into buckets
_SLOT_S = 10  # what the shortest window moves by; the others do by a minute
_MINUTE = 6  # slots
_NO_SLOT = -1 << 62
_WINDOWS = {"1m": _MINUTE, "5m": 5 * _MINUTE, "15m": 15 * _MINUTE}  # shortest first
_LONGEST = 15 * _MINUTE
_MOST = 32  # slots; more are made fewer, which leaves up to 22
_RANKS = np.array([-50, -95, -99], dtype=np.int64)


class _Slot(NamedTuple):
    """What was recorded in one slot of time: 0.3 kB where the durations are alike.

    `buckets` is sorted; each has its key in the leading bits and its count in the others.
    """

    buckets: NDArray[np.int64]
    total: float
    maximum: float


_NOTHING = _Slot(np.zeros(0, np.int64), 0.0, 0.0)


class Histogram:
    """Counts durations in buckets that are the leading bits of their floating-point form.

    The leading bits of an IEEE 754 double (exponent and first bits of the mantissa) *are* a
    log-linear scale, so that sorting a batch of durations into buckets is a shift.

    Durations are kept by the slot of time in which they ended, whenever they are recorded. Slots
    of more than a minute ago become one per minute, those of more than 15 minutes ago one.

    Attributes
    ----------
    readings : list of float
        Of the profiling clock, two for each duration that waits to be sorted into its bucket. Who
        is in a hurry adds to it and calls `fold` now and then, instead of `record`.
    """

    __slots__ = (
        "_before",
        "_buckets",
        "_counted",
        "_maximum",
        "_slot",
        "_slots",
        "_total",
        "readings",
    )

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}  # sparse: a node's latencies touch a few dozen
        self._total = 0.0
        self._maximum = 0.0
        self._slot = 0  # that these three belong to
        self._slots: dict[int, _Slot] = {}  # the others
        self._before = _NOTHING
        self._counted = 0
        self.readings: list[float] = []

    @property
    def count(self) -> int:
        """How many durations were recorded."""
        return self._counted + len(self.readings) // 2

    def record(self, began: float, ended: float) -> None:
        """Count one duration, from its two readings of the profiling clock, s."""
        self.readings += (began, ended)
        if len(self.readings) >= 2 * _BATCH:
            self.fold()

    def latency(self) -> Latency:
        """Percentiles so far: the middle of the bucket that holds the rank, never above max."""
        self.fold()
        return _latencies([[self._before, *self._slots.values(), self._present()]])[0]

    def timing(self, now: float) -> Timing:
        """`latency`, and that of the windows that end at `now`, a reading of the clock, s."""
        self.fold()
        newest = int(now // _SLOT_S)
        groups: list[list[_Slot]] = [[] for _ in _WINDOWS]  # what each window has beyond the last
        ever = [self._before]
        for number, slot in {self._slot: self._present(), **self._slots}.items():
            for group, length in zip(groups, _WINDOWS.values(), strict=True):
                if number > newest - length:
                    group.append(slot)
                    break
            else:
                ever.append(slot)
        *windows, overall = _latencies([*groups, ever])
        return Timing(
            overall.p50_us,
            overall.p95_us,
            overall.p99_us,
            overall.max_us,
            overall.mean_us,
            overall.count,
            dict(zip(_WINDOWS, windows, strict=True)),
        )

    def merge(
        self,
        slot: int,
        lowest: int,
        counts: NDArray[np.int64],
        number: int,
        total: float,
        maximum: float,
    ) -> None:
        """Add durations of a slot, already counted in the buckets from `lowest` on.

        There are `number` of them, `total` s in sum, the longest is `maximum`.
        """
        if slot != self._slot:
            if slot not in self._slots:  # the first of it, and often all
                found = np.flatnonzero(counts)  # 32 bits wide in Pyodide
                packed = found.astype(np.int64) + lowest << _SHIFT | counts[found]
                self._slots[slot] = _Slot(packed, total, maximum)
                self._counted += number
                if len(self._slots) > _MOST:
                    self._thin()
                return
            self._turn_to(slot)
        self._counted += number
        self._total += total
        self._maximum = max(self._maximum, maximum)
        buckets = self._buckets
        found = np.flatnonzero(counts)
        for key, count in zip((found + lowest).tolist(), counts[found].tolist(), strict=True):
            buckets[key] = buckets.get(key, 0) + count

    def _present(self) -> _Slot:
        packed = sorted(key << _SHIFT | count for key, count in self._buckets.items())
        return _Slot(np.array(packed, dtype=np.int64), self._total, self._maximum)

    def _turn_to(self, slot: int) -> None:
        """Go on with another slot."""
        slots = self._slots
        packed, total, maximum = slots.pop(slot)
        self._close()
        self._total, self._maximum = total, maximum
        keys, counts = packed >> _SHIFT, packed & _COUNT
        self._buckets = dict(zip(keys.tolist(), counts.tolist(), strict=True))
        self._slot = slot

    def _close(self) -> None:
        """Let no slot be the present one."""
        if self._buckets:
            self._slots[self._slot] = self._present()
        self._buckets = {}
        self._total = self._maximum = 0.0
        self._slot = _NO_SLOT

    def _thin(self) -> None:
        """Join slots of one minute, and those that are in no window."""
        self._close()
        newest = max(self._slots)
        minutes: dict[int, list[_Slot]] = {}
        for slot, kept in self._slots.items():
            minutes.setdefault(int(_coarse(slot, newest)), []).append(kept)
        ends = [slot for slot in minutes if slot <= newest - _LONGEST]
        self._before = _joined([self._before, *chain.from_iterable(map(minutes.pop, ends))])
        self._slots = {slot: _joined(kept) for slot, kept in minutes.items()}

    def fold(self) -> None:
        """Sort `readings` into buckets."""
        if self.readings:
            readings = table_of(self.readings, 2)
            durations = np.subtract(readings[:, 1:].T, readings[:, :1].T, order="C")
            add_rows([self], durations, readings[:, 1])


def table_of(readings: list[float], width: int) -> NDArray[np.float64]:
    """Clock readings as a table of so many columns; the list is empty then."""
    # Packing a list of floats is 2 to 4 times quicker than np.fromiter or np.array.
    packed = struct.pack(f"{len(readings)}d", *readings)
    readings.clear()
    return np.frombuffer(packed).reshape(-1, width)


def add_rows(
    histograms: Sequence[Histogram], durations: NDArray[np.float64], ended: NDArray[np.float64]
) -> None:
    """Count many durations, a row per histogram, in one go.

    Parameters
    ----------
    histograms : sequence of Histogram
        One per row.
    durations : np.ndarray [shape=(len(histograms), n), dtype=float64, C-contiguous]
        In s. Written to.
    ended : np.ndarray [shape=(n,), dtype=float64]
        When those of a column ended, s of the profiling clock.
    """
    if not ended.size:
        return
    first, last = int(ended[0] // _SLOT_S), int(ended[-1] // _SLOT_S)
    if first == last:  # as a rule
        _add_slot(histograms, durations, last)
        return
    slots = _coarse(ended // _SLOT_S, last)
    cuts = [0, *(np.flatnonzero(np.diff(slots)) + 1).tolist(), len(slots)]
    for begin, end in pairwise(cuts):
        part = np.ascontiguousarray(durations[:, begin:end])
        _add_slot(histograms, part, int(slots[begin]))


def _add_slot(histograms: Sequence[Histogram], durations: NDArray[np.float64], slot: int) -> None:
    rows, number = durations.shape
    maxima = durations.max(axis=1).tolist()
    np.maximum(durations, 0.0, out=durations)  # whatever clock: no sign bit among the keys
    totals = durations.sum(axis=1).tolist()
    keys = durations.view(np.int64)
    keys >>= _SHIFT
    lowest, highest = int(keys.min()), int(keys.max())
    span = highest - lowest + 1
    if span > _WIDEST:  # zeros beside durations: too far apart for a table
        for histogram, row, total, maximum in zip(histograms, keys, totals, maxima, strict=True):
            found, times = np.unique(row, return_counts=True)
            for key, count in zip(found.tolist(), times.tolist(), strict=True):
                histogram.merge(slot, key, np.array([count]), count, 0.0, 0.0)
            histogram.merge(slot, 0, _NOTHING.buckets, 0, total, maximum)
        return
    keys += (np.arange(rows) * span - lowest)[:, np.newaxis]
    table = np.bincount(keys.reshape(-1), minlength=span * rows).reshape(rows, span)
    for histogram, counts, total, maximum in zip(histograms, table, totals, maxima, strict=True):
        histogram.merge(slot, lowest, counts, number, total, maximum)


def _coarse(slots: Any, newest: int) -> Any:
    """The slots that stand for these: that of a minute, or of all that is in no window."""
    minutes = np.maximum(slots - slots % _MINUTE, newest - _LONGEST)
    return np.where(slots > newest - _MINUTE, slots, minutes)


def _joined(slots: Sequence[_Slot]) -> _Slot:
    """All as one, each bucket once."""
    if len(slots) == 1:
        return slots[0]
    packed = np.sort(np.concatenate([slot.buckets for slot in slots]))
    keys = packed >> _SHIFT
    begins = np.flatnonzero(np.diff(keys, prepend=-1))
    counts = np.add.reduceat(packed & _COUNT, begins)
    return _Slot(
        keys[begins] << _SHIFT | counts,
        sum(slot.total for slot in slots),
        max(slot.maximum for slot in slots),
    )


def _latencies(groups: Sequence[Sequence[_Slot]]) -> list[Latency]:
    """Of the first group, of the first two, and so on."""
    slots = [slot for group in groups for slot in group]
    packed = np.concatenate([slot.buckets for slot in slots])
    if not packed.size:
        return [NO_LATENCY] * len(groups)
    of_group = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    of_group = np.repeat(of_group, [len(slot.buckets) for slot in slots])
    # By bucket; that one is there several times does no harm to the ranks.
    order = np.argsort(packed)
    packed = packed[order]
    inside = of_group[order] <= np.arange(len(groups))[:, np.newaxis]
    below = np.cumsum((packed & _COUNT) * inside, axis=1)
    ranks = -(_RANKS * below[:, -1:] // 100)
    at = (below[:, np.newaxis] >= ranks[:, :, np.newaxis]).argmax(axis=2)
    low = packed[at] >> _SHIFT << _SHIFT
    edges, next_edges = low.view(np.float64), (low + (1 << _SHIFT)).view(np.float64)
    middles = np.where(edges > 0, edges / 2 + next_edges / 2, 0.0).tolist()
    found: list[Latency] = []
    total = longest = 0.0
    for group, number, row in zip(groups, below[:, -1].tolist(), middles, strict=True):
        total += sum(slot.total for slot in group)
        longest = max([longest, *(slot.maximum for slot in group)])
        p50, p95, p99 = (min(middle, longest) * 1e6 for middle in row)
        mean = total / number if number else 0.0
        latency = Latency(p50, p95, p99, longest * 1e6, mean * 1e6, number)
        found.append(latency if number else NO_LATENCY)
    return found
