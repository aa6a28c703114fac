from __future__ import annotations

import numpy as np
import pytest

from remotemedia.nodes.analysis.speech_band import speech_band_power


def gain_db(hertz: float, rate: int) -> float:
    size = rate  # one frame of a second
    sine = np.sin(2 * np.pi * hertz * np.arange(size) / rate)
    (power,) = speech_band_power(sine.astype(np.float32).reshape(1, 1, size), rate)
    return float(10 * np.log10(power / 0.5))


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("hertz", [50, 100, 300, 500, 700, 1500, 2700])
def test_response_is_that_of_the_two_filters(rate: int, hertz: float) -> None:
    width = rate // 2000
    ratio = np.pi * hertz / rate
    mean = np.sin(width * ratio) / (width * np.sin(ratio))
    difference = np.sqrt(2) * np.sin(width * ratio)  # of power 2 at its maximum, halved
    expected = 20 * np.log10(abs(mean * difference))
    assert gain_db(hertz, rate) == pytest.approx(expected, abs=0.05)


def test_hum_and_hiss_are_weak_and_a_constant_is_nothing() -> None:
    assert gain_db(500, 16_000) > -1.5
    assert gain_db(50, 16_000) < -19
    assert gain_db(4000, 16_000) < -60
    assert speech_band_power(np.ones((1, 1, 320), np.float32), 16_000) == [0.0]


def test_channels_are_averaged_in_power() -> None:
    one = np.random.RandomState(1).uniform(-1, 1, (1, 3, 320)).astype(np.float32)
    alone = speech_band_power(one, 16_000)
    opposed = speech_band_power(np.concatenate([one, -one]), 16_000)
    left = speech_band_power(np.concatenate([one, np.zeros_like(one)]), 16_000)
    assert opposed == pytest.approx(alone, rel=1e-15)
    assert left == pytest.approx([power / 2 for power in alone], rel=1e-15)


def test_any_number_of_frames_at_once_gives_the_same_bits() -> None:
    frames = np.random.RandomState(2).uniform(-1, 1, (2, 11, 221)).astype(np.float32)
    whole = speech_band_power(frames, 11_025)
    assert [speech_band_power(frames[:, k : k + 1], 11_025)[0] for k in range(11)] == whole


def test_samples_that_are_not_finite_count_as_zero() -> None:
    frames = np.random.RandomState(3).uniform(-1, 1, (1, 2, 320)).astype(np.float32)
    broken = frames.copy()
    frames[0, 1, [5, 6, 7]] = 0
    broken[0, 1, [5, 6, 7]] = [np.nan, np.inf, -np.inf]
    assert speech_band_power(broken, 16_000) == speech_band_power(frames, 16_000)
