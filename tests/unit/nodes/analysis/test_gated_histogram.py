import numpy as np
import pytest

from remotemedia.nodes.analysis.gated_histogram import ABSOLUTE_GATE, GatedHistogram


def filled(energies):
    histogram = GatedHistogram()
    for energy in energies:
        histogram.add(energy)
    return histogram


def test_mean_above_the_gates_is_that_of_all_blocks():
    energies = 10 ** (np.random.RandomState(1).uniform(-9, 1, 5000))
    above = energies[energies > ABSOLUTE_GATE]
    gated = above[above > 0.1 * above.mean()]
    # A bin is 0.4 % of energy wide; only the one that the gate lies in can be wrong.
    assert filled(energies).gated_mean(0.1) == pytest.approx(gated.mean(), rel=1e-3)


def test_blocks_in_the_bin_of_the_gate_are_judged_by_their_mean():
    energies = [1.0] * 9 + [0.0917] * 10  # mean 0.522, gate 0.0522
    assert filled(energies).gated_mean(0.1) == pytest.approx(np.mean(energies), rel=1e-15)
    gate = 0.5 * (1.0 + 0.4999)  # 0.4999 is just below half of the mean
    assert filled([1.0, 0.4999]).gated_mean(2 / 3) == 1.0
    assert filled([1.0, 1.0001, 0.9999]).gated_mean(0.9999) == pytest.approx(1.0, abs=1e-4)
    assert gate < 1


def test_nothing_at_or_below_the_absolute_gate_counts():
    histogram = filled([0.0, ABSOLUTE_GATE, 1e-300])
    assert histogram.gated_mean(0.1) == 0.0
    assert histogram.gated_percentiles(0.01, 0.1, 0.95) == []


def test_percentiles_are_the_nearest_sorted_value():
    energies = np.sort(10 ** (np.random.RandomState(2).uniform(-1.5, 0, 777)))
    found = filled(energies).gated_percentiles(0.001, 0.10, 0.95)
    assert found == pytest.approx([energies[78], energies[737]], rel=4e-3)


def test_energies_beyond_the_range_still_count_in_full():
    assert filled([1e60, 1e60]).gated_mean(0.1) == 1e60
