"""LoudnessMeter: EBU R 128 loudness from K-weighted energies."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import sub

import numpy as np
from numpy.typing import NDArray

from remotemedia.nodes.analysis.gated_histogram import GatedHistogram
from remotemedia.nodes.analysis.k_weighting import KWeighting

STEP_MS = 10  # of the sliding windows; a tone of 400 ms on a grid of 20 ms is found to the full
MOMENTARY_STEPS = 400 // STEP_MS
SHORT_TERM_STEPS = 3000 // STEP_MS
GATING_STEPS = 100 // STEP_MS  # gating blocks of 400 ms overlap by 75 %
INTEGRATED_GATE = 0.1  # −10 LU
RANGE_GATE = 0.01  # −20 LU

SURROUND = 1.41  # BS.1770 table 4: 60° to 120° to either side
CHANNEL_WEIGHTS: dict[int, tuple[float, ...]] = {
    1: (1.0,),
    2: (1.0, 1.0),
    3: (1.0, 1.0, 1.0),
    4: (1.0, 1.0, SURROUND, SURROUND),
    5: (1.0, 1.0, 1.0, SURROUND, SURROUND),
    6: (1.0, 1.0, 1.0, 0.0, SURROUND, SURROUND),
    8: (1.0, 1.0, 1.0, 0.0, 1.0, 1.0, SURROUND, SURROUND),
}
"""Weights by number of channels, in the order of WAVE files: mono; L R; L R C; L R Ls Rs;
L R C Ls Rs (5.0); L R C LFE Ls Rs (5.1); L R C LFE Lb Rb Ls Rs (7.1, the back pair at ±135° and
beyond). The low-frequency channel does not count."""

_ONE = 1 << 120  # energies as integers: float64 loses nothing above −200 LUFS


def lufs(energy: float | None) -> float | None:
    """Loudness of a weighted mean square, LUFS; None if there is none, or for silence (−∞)."""
    return 10 * math.log10(energy) - 0.691 if energy else None


class Window:
    """Mean energy of the last so many steps; None before there are as many."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.mean: float | None = None
        self.greatest: float | None = None  # mean so far
        self.gated = GatedHistogram()  # of the mean every `GATING_STEPS`
        self._sum = 0  # an integer, which neither drifts nor depends on history

    def slide(
        self, before: int, entering: Iterable[int], leaving: Iterable[int], samples: int
    ) -> None:
        """Move on.

        Parameters
        ----------
        before : int
            Steps so far.
        entering, leaving : iterable of int
            Energies of the next steps, and of those as many before them as the window is long.
        samples : int
            In the window, after each of these steps.
        """
        sums = [*accumulate(map(sub, entering, leaving), initial=self._sum)]
        self._sum = sums[-1]
        first = max(1, self.steps - before)  # that is whole
        if first >= len(sums):
            return
        scale = samples * _ONE
        self.mean = sums[-1] / scale
        self.greatest = max(self.greatest or 0.0, max(sums[first:]) / scale)
        for number in range(first + -(before + first) % GATING_STEPS, len(sums), GATING_STEPS):
            self.gated.add(sums[number] / scale)


class LoudnessMeter:
    """Momentary, short-term and integrated loudness and loudness range of one stream.

    Windows move in steps of 10 ms, ten times as fine as Tech 3341 asks; gating blocks in steps of
    100 ms.

    Parameters
    ----------
    sample_rate : int
        Hz.
    weights : sequence of float
        One per channel.

    References
    ----------
    .. [1] ITU-R BS.1770-5 (2023), Annex 1.
    .. [2] EBU Tech 3341 (2023), "EBU Mode" metering.
    .. [3] EBU Tech 3342 (2023), loudness range.
    """

    def __init__(self, sample_rate: int, weights: Sequence[float]) -> None:
        self._rate = sample_rate
        self._weights = tuple(weights)
        self._filter = KWeighting(sample_rate, len(weights), -(-sample_rate * STEP_MS // 1000))
        # The last energies, as integers; each step has its place.
        self._past = [0] * SHORT_TERM_STEPS
        self._momentary = Window(MOMENTARY_STEPS)
        self._short_term = Window(SHORT_TERM_STEPS)
        self.steps = 0
        """Steps taken so far."""
        self.momentary: float | None = None
        """Mean energy of the last 400 ms; None before there are as many. As all that follow, to be
        turned into LUFS by `lufs`."""
        self.short_term: float | None = None
        """Mean energy of the last 3 s; None before."""
        self.max_momentary: float | None = None
        self.max_short_term: float | None = None

    def energies(self, blocks: NDArray[np.float64]) -> list[float]:
        """Filter the next steps; their energies are to be given to `add`.

        Parameters
        ----------
        blocks : np.ndarray [shape=(channels, n, size), dtype=float64]
            n steps; finite.
        """
        weighted = self._filter.process(blocks)
        weighted *= weighted
        channels = np.add.reduce(weighted, axis=2).tolist()
        if len(channels) == 1:
            (weight,) = self._weights
            return [weight * energy for energy in channels[0]]
        return [
            math.fsum(w * e for w, e in zip(self._weights, step, strict=True))
            for step in zip(*channels, strict=True)
        ]

    def add(self, *energies: float) -> None:
        """Take steps: the weighted sum of squares of the samples of each."""
        entering = [int(energy * _ONE) for energy in energies]
        # Unless 400 ms are whole samples, the windows after two steps may differ in length.
        size = 1 if self._rate % 5 else SHORT_TERM_STEPS - MOMENTARY_STEPS
        for start in range(0, len(entering), size):
            self._slide(entering[start : start + size])

    def _slide(self, entering: list[int]) -> None:
        before, count, past = self.steps, len(entering), self._past
        self.steps += count
        steps = range(before, before + count)
        leaving = [past[step % SHORT_TERM_STEPS] for step in steps]
        for step, energy in zip(steps, entering, strict=True):
            past[step % SHORT_TERM_STEPS] = energy
        samples = self._samples(SHORT_TERM_STEPS)
        self._short_term.slide(before, entering, leaving, samples)
        # Not written over yet, or among those that enter.
        leaving = [past[(step - MOMENTARY_STEPS) % SHORT_TERM_STEPS] for step in steps]
        samples = self._samples(MOMENTARY_STEPS)
        self._momentary.slide(before, entering, leaving, samples)
        self.momentary, self.short_term = self._momentary.mean, self._short_term.mean
        self.max_momentary = self._momentary.greatest
        self.max_short_term = self._short_term.greatest

    def integrated(self) -> float | None:
        """Gated mean energy since the start; None if nothing was above −70 LUFS."""
        return self._momentary.gated.gated_mean(INTEGRATED_GATE) or None

    def loudness_range(self) -> float | None:
        """Loudness range since the start, LU; None before 3 s above −70 LUFS."""
        energies = self._short_term.gated.gated_percentiles(RANGE_GATE, 0.10, 0.95)
        return 10 * math.log10(energies[1] / energies[0]) if energies else None

    def _samples(self, steps: int) -> int:
        end, rate = self.steps, self._rate * STEP_MS
        return end * rate // 1000 - (end - steps) * rate // 1000
