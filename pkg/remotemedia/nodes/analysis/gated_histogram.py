"""GatedHistogram: mean and percentiles of loudness over any length of programme."""

from __future__ import annotations

import math

import numpy as np

OCTAVES = 56  # of energy above the absolute gate: up to +98 LUFS
BINS_PER_OCTAVE = 256  # of 0.008 to 0.017 dB
ABSOLUTE_GATE = 10 ** ((-70 + 0.691) / 10)  # −70 LUFS as energy: BS.1770, Annex 1
FLOOR_EXPONENT = math.frexp(ABSOLUTE_GATE)[1]
BINS = OCTAVES * BINS_PER_OCTAVE
PAIRWISE = 128  # values that numpy adds without halving them


class GatedHistogram:
    """Energies of overlapping blocks, counted in bins, so that memory does not grow with time.

    Bins are linear within an octave of energy, which takes no logarithm to find; each keeps the
    sum of its energies, so that a mean is exact but for blocks that share their bin with the
    relative gate: those are in or out together, by their own mean. 230 kB.
    """

    __slots__ = ("_count", "_counts", "_end", "_sum", "_sums")

    def __init__(self) -> None:
        self._counts = np.zeros(BINS, np.int64)
        self._sums = np.zeros(BINS)
        self._end = 0  # of the bins in use
        self._count = 0
        self._sum = 0.0

    def add(self, energy: float) -> None:
        """Count a block, unless it is at or below the absolute gate of −70 LUFS."""
        if energy <= ABSOLUTE_GATE:
            return
        index = _bin(energy)
        self._end = max(self._end, index + 1)
        self._counts[index] += 1
        self._sums[index] += energy
        self._count += 1
        self._sum += energy

    def gated_mean(self, relative_gate: float) -> float:
        """Mean energy of the blocks above `relative_gate` times the ungated mean; 0 if none."""
        first = self._first(relative_gate)
        count = int(np.add.reduce(self._counts[first : self._end]))
        if not count:
            return 0.0
        # numpy adds halves: where the upper one is empty, it can be left out and no bit changes.
        length = BINS - first
        while length > PAIRWISE and self._end - first <= (half := length // 2 // 8 * 8):
            length = half
        return float(np.add.reduce(self._sums[first : first + length])) / count

    def gated_percentiles(self, relative_gate: float, *fractions: float) -> list[float]:
        """Energies that the given fractions of the blocks above the gate do not exceed.

        A percentile is the mean energy of the bin that it falls in. Empty if there is no block.
        """
        if not self._count:
            return []
        first = self._first(relative_gate)
        below = np.add.accumulate(self._counts[first : self._end])
        # Tech 3342 takes the nearest of the sorted values, number round((n − 1) · fraction).
        ranks = [math.floor((int(below[-1]) - 1) * fraction + 0.5) for fraction in fractions]
        found = [first + int(below.searchsorted(rank, "right")) for rank in ranks]
        return [float(self._sums[index]) / int(self._counts[index]) for index in found]

    def _first(self, relative_gate: float) -> int:
        """First bin above the gate."""
        if not self._count:
            return BINS
        gate = self._sum / self._count * relative_gate
        if gate <= ABSOLUTE_GATE:
            return 0
        index = _bin(gate)
        count = int(self._counts[index])
        return index if count and self._sums[index] / count > gate else index + 1


def _bin(energy: float) -> int:
    mantissa, exponent = math.frexp(energy)
    index = (exponent - FLOOR_EXPONENT) * BINS_PER_OCTAVE + int(
        (2 * mantissa - 1) * BINS_PER_OCTAVE
    )
    return min(index, BINS - 1)
