"""Signals: each against its definition, computed in another way."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from remotemedia.testing import run_node, signals
from remotemedia.testing.split_mix import integers, uniform

MASK = 2**64 - 1


def split_mix(seed: int) -> list[int]:
    """The published C code, in Python's integers."""
    state, found = seed, []
    for _ in range(5):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        found.append(z ^ (z >> 31))
    return found


def test_split_mix_is_the_published_one() -> None:
    # The vector of the reference implementation for this seed.
    assert integers(1234567, 5).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    for seed in (0, 1, 2**63, -1):
        assert integers(seed, 5).tolist() == split_mix(seed & MASK)


def test_uniform_numbers_are_exact_in_float32() -> None:
    numbers = uniform(3, 1000)
    assert (numbers.astype(np.float32) == numbers).all()
    assert numbers.tolist() == [(bits >> 40) / 2**23 - 1 for bits in integers(3, 1000).tolist()]
    assert -1 <= numbers.min() < -0.99
    assert 0.99 < numbers.max() < 1


@pytest.mark.parametrize("channels", [1, 2])
def test_tone(channels: int) -> None:
    audio = signals.tone(440, 0.01, amplitude=0.25, phase=1, sample_rate=8_000, channels=channels)
    expected = [0.25 * math.sin(2 * math.pi * 440 * n / 8_000 + 1) for n in range(80)]
    assert (audio.sample_rate, audio.pts_us, audio.format) == (8_000, 0, "F32")
    assert audio.samples.shape == (channels, 80)
    for row in audio.samples:
        np.testing.assert_allclose(row, expected, rtol=0, atol=2**-26)


def test_a_tone_is_as_exact_after_an_hour() -> None:
    audio = signals.tone(401, 3_600, sample_rate=1_000)
    n = audio.frames - 3
    exact = Fraction(401 * n, 1_000) % 1
    assert audio.samples[0, n] == pytest.approx(0.5 * math.sin(2 * math.pi * exact), abs=1e-6)


def frequency(samples: np.ndarray, start: int, end: int, rate: int) -> float:
    """From the upward zero crossings between two frames, interpolated."""
    part = samples[start:end].astype(np.float64)
    at = np.nonzero((part[:-1] < 0) & (part[1:] >= 0))[0]
    crossings = at - part[at] / (part[at + 1] - part[at])
    return (len(crossings) - 1) / (crossings[-1] - crossings[0]) * rate


@pytest.mark.parametrize("sweep", ["linear", "logarithmic"])
def test_chirp_has_its_frequency_at_every_time(sweep: str) -> None:
    rate, seconds = 16_000, 4
    audio = signals.chirp(100, 1_600, seconds, sweep=sweep, sample_rate=rate)  # type: ignore[arg-type]
    assert audio.samples[0, 0] == 0
    assert audio.samples.max() == pytest.approx(0.5, abs=1e-3)
    for t in (0.5, 1, 2, 3, 3.75):
        share = t / seconds
        expected = 100 + 1_500 * share if sweep == "linear" else 100 * 16**share
        middle = round(t * rate)
        found = frequency(audio.samples[0], middle - 800, middle + 800, rate)
        assert found == pytest.approx(expected, rel=0.01)


def test_chirp_ends_in_the_phase_of_its_integral() -> None:
    # Turns until T: the mean frequency times T; logarithmic: (f1 − f0) / ln(f1 / f0) times T.
    linear = signals.chirp(10, 90, 2, sample_rate=1_000).samples[0, -1]
    turns = (10 + 90) / 2 * 2 - 90 * 0.001  # one frame before the end
    assert linear == pytest.approx(0.5 * math.sin(2 * math.pi * turns), abs=1e-3)
    logarithmic = signals.chirp(10, 80, 2, sweep="logarithmic", sample_rate=1_000).samples[0, -1]
    turns = (80 - 10) / math.log(8) * 2 - 80 * 0.001
    assert logarithmic == pytest.approx(0.5 * math.sin(2 * math.pi * turns), abs=1e-2)


def test_a_logarithmic_chirp_from_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="two different frequencies above 0 Hz, not 0 and 100"):
        signals.chirp(0, 100, 1, sweep="logarithmic")


def test_white_noise() -> None:
    audio = signals.white_noise(1, seed=4, amplitude=0.5, channels=2)
    expected = [0.5 * ((bits >> 40) / 2**23 - 1) for bits in split_mix(4)]
    assert audio.samples[0, :5].tolist() == expected
    left, right = audio.samples.astype(np.float64)
    for channel in (left, right):
        assert np.sqrt((channel**2).mean()) == pytest.approx(0.5 / 3**0.5, rel=0.01)
        assert channel.mean() == pytest.approx(0, abs=0.01)
    assert abs(np.corrcoef(left, right)[0, 1]) < 0.02
    assert audio.equals(signals.white_noise(1, seed=4, amplitude=0.5, channels=2))
    assert not audio.equals(signals.white_noise(1, seed=5, amplitude=0.5, channels=2))


def test_pink_noise_has_the_same_power_in_every_octave() -> None:
    rate = 32_768
    audio = signals.pink_noise(32, seed=2, amplitude=1, sample_rate=rate)
    samples = audio.samples[0].astype(np.float64)
    assert np.abs(samples).max() <= 1
    assert np.sqrt((samples**2).mean()) == pytest.approx(1 / 48**0.5, rel=0.05)
    power = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / rate)
    octaves = [
        10 * np.log10(power[(hz >= low) & (hz < 2 * low)].sum())
        for low in (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
    ]
    assert np.ptp(octaves) < 4
    assert np.abs(octaves - np.mean(octaves)).max() < 2


def test_pink_noise_is_its_definition() -> None:
    audio = signals.pink_noise(0.02, seed=9, amplitude=0.5, sample_rate=1_000, channels=2)
    bits = iter(integers(9, 10_000).tolist())
    for channel in range(2):
        rows = [[next(bits) for _ in range((20 >> k) + 1)] for k in range(16)]
        for n in range(20):
            total = sum((rows[k][n >> k] >> 40) / 2**23 - 1 for k in range(16))
            assert audio.samples[channel, n] == np.float32(0.5 / 16 * total)


def test_silence_impulse_and_clicks() -> None:
    assert signals.silence(0.5, sample_rate=10, channels=3).samples.tolist() == [[0.0] * 5] * 3
    impulse = signals.impulse(0.5, at_frame=3, amplitude=0.75, sample_rate=10)
    assert impulse.samples.tolist() == [[0, 0, 0, 0.75, 0]]
    clicks = signals.click_track(1, interval_ms=150, sample_rate=20, channels=2)
    assert [np.nonzero(row)[0].tolist() for row in clicks.samples] == [[0, 3, 6, 9, 12, 15, 18]] * 2
    # 11,025 Hz: 99.5 ms are 1,096.9875 frames; no click drifts.
    drifting = signals.click_track(60, interval_ms=99.5, sample_rate=11_025).samples[0]
    expected = [round(k * Fraction(199, 2) * 11_025 / 1000) for k in range(604)]
    assert np.nonzero(drifting)[0].tolist() == [frame for frame in expected if frame < 60 * 11_025]
    with pytest.raises(ValueError, match="at_frame 5 is none of the 5 frames"):
        signals.impulse(0.5, at_frame=5, sample_rate=10)
    with pytest.raises(ValueError, match="shorter than a frame"):
        signals.click_track(1, interval_ms=1, sample_rate=20)


def test_speech_bursts_begin_and_end_where_they_say() -> None:
    audio = signals.speech_bursts([(100, 300), (500, 750)], 1, floor=0, sample_rate=8_000)
    loud = np.nonzero(audio.samples[0])[0]
    assert (loud[0], loud[-1]) == (800, 5_999)
    assert not audio.samples[0, 2_400:4_000].any()
    # The envelope is ¼ of the amplitude where a segment begins, all of it ⅛ s later.
    pink = signals.pink_noise(1, amplitude=1, sample_rate=8_000).samples[0].astype(np.float64)
    assert audio.samples[0, 800] == pytest.approx(pink[800] * 0.5 / 4, rel=1e-6)
    assert audio.samples[0, 1_800] == pytest.approx(pink[1_800] * 0.5, rel=1e-6)
    assert audio.samples[0, 1_300] == pytest.approx(pink[1_300] * 0.5 * 0.625, rel=1e-6)


@pytest.mark.parametrize("wrong", [(300, 300), (-1, 20), (50, 1001), (40, 80)])
def test_speech_bursts_refuse_segments_that_are_none(wrong: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"segment {wrong[0]} to {wrong[1]} ms does not lie"):
        signals.speech_bursts([(0, 50), wrong], 1)


def test_a_detector_finds_speech_bursts() -> None:
    segments = signals.random_segments(10, seed=5)
    audio = signals.speech_bursts(segments, 10, sample_rate=16_000)
    found = run_node("EnergyVAD", signals.blocks(audio, ms=20), pre_roll_ms=0, hangover_ms=0)
    events = [value for value in (getattr(each, "value", {}) for each in found.data) if value]
    starts = [event["start_us"] / 1000 for event in events if "end_us" in event]
    assert len(segments) >= 3
    assert len(starts) == len(segments)
    for (start, _), heard in zip(segments, starts, strict=True):
        assert heard == pytest.approx(start, abs=60)


def test_random_segments_keep_their_bounds() -> None:
    for seed in range(20):
        found = signals.random_segments(30, seed=seed, speech_ms=(300, 301), pause_ms=(100, 2_000))
        assert found
        edges = [0.0, *(edge for segment in found for edge in segment)]
        lengths = np.diff(edges)
        assert set(lengths[1::2]) <= {300, 301}
        assert lengths[0::2].min() >= 100
        assert lengths[0::2].max() <= 2_000
        assert edges[-1] <= 29_900
    with pytest.raises(ValueError, match="bounds are"):
        signals.random_segments(1, speech_ms=(5, 4))
