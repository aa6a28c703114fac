"""GatedHistogram: mean and percentiles of loudness over any length of programme."""

from __future__ import annotations

import math

import numpy as np

OCTAVES = 56  # of energy above the absolute gate: up to +98 LUFS
BINS_PER_OCTAVE = 256  # of 0.008 to 0.017 dB
ABSOLUTE_GATE = 10 ** ((-70 + 0.691) / 10)  # −70 LUFS as energy: BS.1770, Annex 1
FLOOR_EXPONENT = math.frexp(ABSOLUTE_GATE)[1]


class GatedHistogram:
    """Energies of overlapping blocks, counted in bins, so that memory does not grow with time.

    Bins are linear within an octave of energy, which takes no logarithm to find; each keeps the
    sum of its energies, so that a mean is exact but for blocks that share their bin with the
    relative gate: those are in or out together, by their own mean. 230 kB, of which little is
    looked at: what lies above or below a bin is known by whole octaves.
    """

    __slots__ = ("_count", "_counts", "_octave_counts", "_octave_sums", "_sum", "_sums")

    def __init__(self) -> None:
        self._counts = np.zeros((OCTAVES, BINS_PER_OCTAVE), np.int64)
        self._sums = np.zeros((OCTAVES, BINS_PER_OCTAVE))
        self._octave_counts = [0] * OCTAVES
        self._octave_sums = [0.0] * OCTAVES
        self._count = 0
        self._sum = 0.0

    def add(self, energy: float) -> None:
        """Count a block, unless it is at or below the absolute gate of −70 LUFS."""
        if energy <= ABSOLUTE_GATE:
            return
        octave, index = _bin(energy)
        self._counts[octave, index] += 1
        self._sums[octave, index] += energy
        self._octave_counts[octave] += 1
        self._octave_sums[octave] += energy
        self._count += 1
        self._sum += energy

    def gated_mean(self, relative_gate: float) -> float:
        """Mean energy of the blocks above `relative_gate` times the ungated mean; 0 if none."""
        if not self._count:
            return 0.0
        octave, first = self._first(relative_gate)
        count = int(np.add.reduce(self._counts[octave, first:]))
        count += sum(self._octave_counts[octave + 1 :])
        if not count:
            return 0.0
        partly = float(np.add.reduce(self._sums[octave, first:]))
        return math.fsum([partly, *self._octave_sums[octave + 1 :]]) / count

    def gated_percentiles(self, relative_gate: float, *fractions: float) -> list[float]:
        """Energies that the given fractions of the blocks above the gate do not exceed.

        A percentile is the mean energy of the bin that it falls in. Empty if there is no block.
        """
        if not self._count:
            return []
        octave, first = self._first(relative_gate)
        counts = self._octave_counts[octave:]
        counts[0] = int(np.add.reduce(self._counts[octave, first:]))
        # Tech 3342 takes the nearest of the sorted values, number round((n − 1) · fraction).
        last = sum(counts) - 1
        ranks = [math.floor(last * fraction + 0.5) for fraction in fractions]
        return [self._ranked(octave, first, counts, rank) for rank in ranks]

    def _ranked(self, octave: int, first: int, counts: list[int], rank: int) -> float:
        """Energy of the so-many-th block above the gate; counts of its octave and those above."""
        for number, count in enumerate(counts):
            if rank < count:
                start = 0 if number else first
                row = octave + number
                below = np.add.accumulate(self._counts[row, start:])
                index = start + int(below.searchsorted(rank, "right"))
                return float(self._sums[row, index]) / int(self._counts[row, index])
            rank -= count
        raise AssertionError("there are not so many blocks")

    def _first(self, relative_gate: float) -> tuple[int, int]:
        """Octave and number of the first bin above the gate, which may be the end of the octave."""
        gate = self._sum / self._count * relative_gate
        if gate <= ABSOLUTE_GATE:
            return 0, 0
        octave, index = _bin(gate)
        count = int(self._counts[octave, index])
        is_above = count and self._sums[octave, index] / count > gate
        return octave, index if is_above else index + 1


def _bin(energy: float) -> tuple[int, int]:
    mantissa, exponent = math.frexp(energy)
    octave = exponent - FLOOR_EXPONENT
    if octave >= OCTAVES:
        return OCTAVES - 1, BINS_PER_OCTAVE - 1
    return octave, int((2 * mantissa - 1) * BINS_PER_OCTAVE)
