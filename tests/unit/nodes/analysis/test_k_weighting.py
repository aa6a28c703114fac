from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from remotemedia.nodes.analysis.k_weighting import KWeighting, k_weighting_biquads

GOLDEN = json.loads(
    (Path(__file__).parents[3] / "golden/nodes/analysis/k_weighting.json").read_text()
)
RATES = [4000, 8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000]


def filtered(samples: NDArray[np.float64], rate: int, size: int) -> NDArray[np.float64]:
    return KWeighting(rate, 1, size).process(samples.reshape(1, -1, size)).ravel()


def test_coefficients_at_48_khz_are_those_of_the_standard() -> None:
    for stage, expected in zip(k_weighting_biquads(48_000), GOLDEN["coefficients"], strict=True):
        found = [stage.b0, stage.b1, stage.b2, 1, stage.a1, stage.a2]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)


def test_impulse_noise_and_constant_as_scipy_filters_them() -> None:
    impulse = np.zeros(4800)
    impulse[0] = 1
    np.testing.assert_allclose(
        filtered(impulse, 48_000, 480)[::40], GOLDEN["impulse"], rtol=0, atol=1e-12
    )
    noise = np.random.RandomState(9).randint(-(2**15), 2**15, size=(1, 48_000), dtype=np.int32)
    np.testing.assert_allclose(
        filtered(noise[0, :4800] / 2**16, 48_000, 480)[::40], GOLDEN["noise"], rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(
        filtered(np.ones(48_000), 48_000, 480)[::400], GOLDEN["constant"], rtol=0, atol=1e-11
    )


@pytest.mark.parametrize("rate", RATES)
def test_equals_the_difference_equation(rate: int) -> None:
    size = -(-rate // 100)
    x = np.random.RandomState(1).uniform(-1, 1, 5 * size)
    expected = x.tolist()
    for stage in k_weighting_biquads(rate):
        x1 = x2 = y1 = y2 = 0.0
        for n, value in enumerate(expected):
            y = stage.b0 * value + stage.b1 * x1 + stage.b2 * x2 - stage.a1 * y1 - stage.a2 * y2
            x1, x2, y1, y2 = value, x1, y, y1
            expected[n] = y
    np.testing.assert_allclose(filtered(x, rate, size), expected, rtol=0, atol=3e-11)


@pytest.mark.parametrize("rate", RATES[2:])
def test_response_is_that_of_48_khz_at_every_rate(rate: int) -> None:
    def gain_db(sample_rate: int, hertz: float) -> float:
        z = np.exp(-2j * np.pi * hertz / sample_rate)
        response = 1 + 0j
        for s in k_weighting_biquads(sample_rate):
            response *= (s.b0 + s.b1 * z + s.b2 * z**2) / (1 + s.a1 * z + s.a2 * z**2)
        return float(20 * np.log10(abs(response)))

    # What remains is the warping of the bilinear transform, away from the corner frequency.
    for hertz in (30, 100, 300, 997, 1682):
        assert gain_db(rate, hertz) == pytest.approx(gain_db(48_000, hertz), abs=0.12)


@given(st.lists(st.integers(1, 7), min_size=1, max_size=6), st.integers(1, 3))
def test_any_number_of_blocks_at_once_gives_the_same_bits(counts: list[int], channels: int) -> None:
    blocks = np.random.RandomState(3).uniform(-1, 1, (channels, sum(counts), 161))
    whole = KWeighting(16_100, channels, 161).process(blocks)
    pieces = KWeighting(16_100, channels, 161)
    found = [pieces.process(part) for part in np.split(blocks, np.cumsum(counts)[:-1], axis=1)]
    assert np.concatenate(found, axis=1).tobytes() == whole.tobytes()


def test_silence_becomes_exactly_zero() -> None:
    weighting = KWeighting(8000, 1, 80)
    weighting.process(np.ones((1, 100, 80)))
    weighting.process(np.zeros((1, 800, 80)))
    assert not weighting.process(np.zeros((1, 1, 80))).any()


def test_the_loudest_floats_do_not_overflow() -> None:
    x = np.full((1, 3, 3840), 3e38)
    assert np.isfinite(KWeighting(384_000, 1, 3840).process(x)).all()
