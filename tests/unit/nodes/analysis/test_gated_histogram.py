from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from remotemedia.nodes.analysis.gated_histogram import ABSOLUTE_GATE, GatedHistogram


def filled(energies: Iterable[float]) -> GatedHistogram:
    histogram = GatedHistogram()
    for energy in energies:
        histogram.add(energy)
    return histogram


def test_mean_above_the_gates_is_that_of_all_blocks() -> None:
    energies = 10 ** (np.random.RandomState(1).uniform(-9, 1, 5000))
    above = energies[energies > ABSOLUTE_GATE]
    gated = above[above > 0.1 * above.mean()]
    # A bin is 0.4 % of energy wide; only the one that the gate lies in can be wrong.
    assert filled(energies).gated_mean(0.1) == pytest.approx(gated.mean(), rel=1e-3)


def test_blocks_in_the_bin_of_the_gate_are_judged_by_their_mean() -> None:
    # Width of a bin at 0.5 to 1: 0.002. The gate is 0.7 of the mean in the first two.
    assert filled([1.0, 0.5384]).gated_mean(0.7) == 1.0  # 0.5384 < gate 0.53844
    assert filled([1.0, 0.5386]).gated_mean(0.7) == pytest.approx(0.7693)  # > gate 0.53851
    energies = [1.0] * 9 + [0.0917] * 10  # no block near the gate
    assert filled(energies).gated_mean(0.1) == pytest.approx(np.mean(energies), rel=1e-15)


def test_nothing_at_or_below_the_absolute_gate_counts() -> None:
    histogram = filled([0.0, ABSOLUTE_GATE, 1e-300])
    assert histogram.gated_mean(0.1) == 0.0
    assert histogram.gated_percentiles(0.01, 0.1, 0.95) == []


def test_percentiles_are_the_nearest_sorted_value() -> None:
    energies = np.sort(10 ** (np.random.RandomState(2).uniform(-1.5, 0, 777)))
    found = filled(energies).gated_percentiles(0.001, 0.10, 0.95)
    assert found == pytest.approx([energies[78], energies[737]], rel=4e-3)


def test_energies_beyond_the_range_still_count_in_full() -> None:
    assert filled([1e60, 1e60]).gated_mean(0.1) == 1e60
