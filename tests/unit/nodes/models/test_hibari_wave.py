"""Pulses and spectra, against sums of cosines."""

from __future__ import annotations

import numpy as np
import pytest

from remotemedia.nodes.models.hibari_wave import BINS, HOP, SAMPLE_RATE, pulses, samples_of


@pytest.mark.parametrize("hertz", [90.0, 201.0, 233.3])
def test_pulses_are_the_sum_of_all_harmonics(hertz: float) -> None:
    train = pulses(np.full(8, hertz, np.float32))
    angle = 2 * np.pi * hertz * np.arange(1, 8 * HOP + 1) / SAMPLE_RATE
    expected = sum(np.cos(n * angle) for n in range(1, int(11_000 / hertz) + 1))
    assert train.shape == (8 * HOP,)
    np.testing.assert_allclose(train, expected, atol=0.1)  # flat on the peak, of up to 122


def test_unvoiced_frames_are_silent_and_pitch_glides_between_middles() -> None:
    train = pulses(np.array([0, 0, 0, 200, 200, 200], np.float32))
    # 40 Hz is reached at a fifth of the way from the middle of frame 2 to that of frame 3.
    begins = round(2.5 * HOP + HOP / 5)
    assert not train[: begins - 1].any()
    assert np.abs(train[begins + 1 : begins + 200]).max() > 1


def spectra(frames: int, **given: float) -> dict[str, np.ndarray]:
    silent = {"lh": -90.0, "theta": 0.0, "ln": -90.0, "lr": -90.0, "phi": 0.0}
    found = {
        name: np.full((1, BINS, frames), given.get(name, value), np.float32)
        for name, value in silent.items()
    }
    return {**found, "f0": np.full((1, frames), given.get("f0", 0.0), np.float32)}


def test_a_flat_filter_gives_the_pulses_back() -> None:
    """Amplitudes of 1: analysis and synthesis undo each other, but for the scale of a cosine."""
    frames = 12
    given = spectra(frames, lh=0.0, f0=150.0)
    samples = samples_of(given, np.random.default_rng(0))
    assert samples.shape == (frames * HOP,)
    assert samples.dtype == np.float32
    inside = slice(2 * HOP, -2 * HOP)  # the ends see a reflection
    expected = pulses(given["f0"][0]) / 300
    np.testing.assert_allclose(samples[inside], expected[inside], atol=2e-5)


def test_noise_is_as_loud_as_its_spectrum_and_repeats_by_seed() -> None:
    given = spectra(400, ln=0.0)
    first, again, other = (samples_of(given, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01
    # Bins of variance 2 (a complex normal): frames of variance 2·2·BINS/SIZE², windowed, added,
    # and divided by the sum of the squares of the windows, which is 1.5.
    expected = np.sqrt(4 * BINS / 1200**2 / 1.5)
    assert np.sqrt(np.mean(first[3000:-3000] ** 2)) == pytest.approx(expected, rel=0.03)


def test_what_is_louder_than_loud_is_limited() -> None:
    samples = samples_of(spectra(8, lr=100.0), np.random.default_rng(0))
    assert np.isfinite(samples).all()
