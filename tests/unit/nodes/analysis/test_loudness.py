from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from remotemedia.nodes.analysis.loudness import CHANNEL_WEIGHTS, LoudnessMeter, lufs

RATE = 48_000
GOLDEN = json.loads((Path(__file__).parents[3] / "golden/nodes/analysis/loudness.json").read_text())


def signal(channels: int, seed: int, shifts: list[int]) -> NDArray[np.float64]:
    """As in make_loudness.py: noise with a gain of 2**-shift in each second."""
    noise = np.random.RandomState(seed).randint(
        -(2**15), 2**15, size=(channels, len(shifts) * RATE), dtype=np.int32
    )
    gains = np.repeat([2.0**-shift for shift in shifts], RATE)
    return noise / 2**15 * gains / (2.0 ** np.arange(channels))[:, None]


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{case['channels']} channels")
def test_loudness_is_that_of_the_formulae_and_of_ffmpeg(case: dict[str, Any]) -> None:
    x = signal(case["channels"], case["seed"], case["shifts"])
    meter = LoudnessMeter(RATE, CHANNEL_WEIGHTS[case["channels"]])
    momentary, short_term = [], []
    for blocks in np.split(x.reshape(case["channels"], -1, 480), x.shape[1] // 4800, axis=1):
        for energy in meter.energies(blocks):
            meter.add(energy)
        momentary.append(lufs(meter.momentary))
        short_term.append(lufs(meter.short_term))
    assert momentary[:3] == [None] * 3
    assert short_term[:29] == [None] * 29
    formula, ffmpeg = case["formula"], case["ffmpeg"]
    np.testing.assert_allclose(momentary[3:], formula["momentary_lufs"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(short_term[29:], formula["short_term_lufs"], rtol=0, atol=1e-9)
    assert lufs(meter.max_momentary) == pytest.approx(formula["max_momentary_lufs"], abs=1e-9)
    assert lufs(meter.max_short_term) == pytest.approx(formula["max_short_term_lufs"], abs=1e-9)
    assert lufs(meter.integrated()) == pytest.approx(formula["integrated_lufs"], abs=1e-9)
    # The percentiles are bins of 0.017 dB.
    assert meter.loudness_range() == pytest.approx(formula["loudness_range_lu"], abs=0.034)
    # ffmpeg prints three decimals, and integrates a histogram of 0.01 dB.
    np.testing.assert_allclose(momentary[3:], ffmpeg["momentary_lufs"], rtol=0, atol=6e-4)
    np.testing.assert_allclose(short_term[29:], ffmpeg["short_term_lufs"], rtol=0, atol=6e-4)
    assert lufs(meter.integrated()) == pytest.approx(ffmpeg["integrated_lufs"], abs=0.01)
    assert meter.loudness_range() == pytest.approx(ffmpeg["loudness_range_lu"], abs=1.0)


def test_windows_forget_without_a_trace() -> None:
    meter = LoudnessMeter(RATE, (1.0,))
    for energy in [1e30, *[1e-9] * 300]:
        meter.add(energy)
    assert meter.momentary == pytest.approx(1e-9 / 480, rel=1e-12)
    assert meter.short_term == pytest.approx(1e-9 / 480, rel=1e-12)


def test_windows_count_the_samples_of_uneven_steps() -> None:
    meter = LoudnessMeter(22_050, (1.0,))
    for step in range(300):
        size = (step + 1) * 22_050 // 100 - step * 22_050 // 100
        meter.add(float(size))
        if step >= 39:
            assert meter.momentary == 1.0
    assert meter.short_term == 1.0


def test_silence_has_no_loudness() -> None:
    assert lufs(0.0) is None
    assert lufs(None) is None
