"""Signals to test with: exactly defined, and the same in every run.

All are float32 `Audio` that starts at ``pts_us=0`` and has ``round(seconds · sample_rate)`` frames.
n is the number of a frame, from 0, and t = n / sample_rate its time in s. Samples are computed in
float64 and then rounded. What is random is made by SplitMix64 of a seed, and arithmetic that is
exact: the same bits with every numpy and in every world. Sines may differ in their last bit.

`blocks` cuts a signal into blocks with exact times, `join` puts them together again, `stack` puts
channels above each other, `spaced` gives times to data of any type.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from remotemedia.data import Audio
from remotemedia.data.timeline import sample_time_us
from remotemedia.testing.blocks import blocks, join, spaced, stack
from remotemedia.testing.split_mix import integers, uniform

__all__ = [
    "blocks",
    "chirp",
    "click_track",
    "impulse",
    "join",
    "pink_noise",
    "random_segments",
    "silence",
    "spaced",
    "speech_bursts",
    "stack",
    "tone",
    "white_noise",
]

SAMPLE_RATE = 48_000  # Hz
PINK_ROWS = 16  # octaves
SYLLABLES = 4  # per second
SPAN_MS = tuple[float, float]
"""Start and end, ms."""


def silence(seconds: float, *, sample_rate: int = SAMPLE_RATE, channels: int = 1) -> Audio:
    """Zeros."""
    return _audio(np.zeros(_frames(seconds, sample_rate)), sample_rate, channels)


def tone(
    frequency_hz: float,
    seconds: float,
    *,
    amplitude: float = 0.5,
    phase: float = 0.0,
    sample_rate: int = SAMPLE_RATE,
    channels: int = 1,
) -> Audio:
    """A sine, the same in all channels: ``amplitude · sin(2π · frequency_hz · t + phase)``.

    Parameters
    ----------
    frequency_hz : float
        Hz.
    seconds : float
        Duration, s.
    amplitude : float
        Peak, 1 is full scale; the level of the sine is 20 · log10(amplitude) − 3.01 dBFS.
    phase : float
        At t = 0, rad.
    sample_rate : int
        Hz.
    channels : int
        How many.
    """
    n = np.arange(_frames(seconds, sample_rate))
    turns = frequency_hz * n / sample_rate % 1.0  # small, so that the sine is exact in late frames
    return _audio(amplitude * np.sin(2 * np.pi * turns + phase), sample_rate, channels)


def chirp(
    start_hz: float,
    end_hz: float,
    seconds: float,
    *,
    sweep: Literal["linear", "logarithmic"] = "linear",
    amplitude: float = 0.5,
    sample_rate: int = SAMPLE_RATE,
    channels: int = 1,
) -> Audio:
    """A sine whose frequency goes from `start_hz` at t = 0 to `end_hz` at t = T = `seconds`.

    ``amplitude · sin(2π · p(t))``, the same in all channels, where with f₀ = start_hz, f₁ = end_hz

    * linear: f(t) = f₀ + (f₁ − f₀) · t/T, so p(t) = f₀ · t + (f₁ − f₀) · t² / 2T
    * logarithmic: f(t) = f₀ · (f₁/f₀)^(t/T), so p(t) = f₀ · T / ln(f₁/f₀) · ((f₁/f₀)^(t/T) − 1)

    Raises
    ------
    ValueError
        A logarithmic sweep does not go from one positive frequency to another one.
    """
    n = np.arange(_frames(seconds, sample_rate))
    t = n / sample_rate
    if sweep == "linear":
        turns = start_hz * t + (end_hz - start_hz) * t * t / (2 * seconds)
    elif min(start_hz, end_hz) > 0 and start_hz != end_hz:
        octaves = math.log(end_hz / start_hz)
        turns = start_hz * seconds / octaves * np.expm1(octaves * t / seconds)
    else:
        raise ValueError(
            f"a logarithmic sweep needs two different frequencies above 0 Hz, "
            f"not {start_hz} and {end_hz}"
        )
    return _audio(amplitude * np.sin(2 * np.pi * (turns % 1.0)), sample_rate, channels)


def white_noise(
    seconds: float,
    *,
    seed: int = 0,
    amplitude: float = 0.5,
    sample_rate: int = SAMPLE_RATE,
    channels: int = 1,
) -> Audio:
    """Independent samples, each channel its own, uniform in [−amplitude, amplitude).

    ``amplitude · u``, u = (the upper 24 bits of a SplitMix64 output) · 2⁻²³ − 1, one channel after
    the other. The RMS is amplitude / √3.
    """
    frames = _frames(seconds, sample_rate)
    noise = uniform(seed, channels * frames).reshape(channels, frames)
    return _audio(amplitude * noise, sample_rate, channels)


def pink_noise(
    seconds: float,
    *,
    seed: int = 0,
    amplitude: float = 0.5,
    sample_rate: int = SAMPLE_RATE,
    channels: int = 1,
) -> Audio:
    """Noise that has about the same power in every octave, each channel its own.

    The mean of 16 white noises of which number k holds each value for 2ᵏ frames (Voss, after
    Gardner, "White and pink noise", Scientific American, April 1978):
    ``amplitude / 16 · Σₖ uₖ[n >> k]``; the uₖ are those of `white_noise`, one after another. From
    sample_rate / 2¹⁶ to sample_rate / 4 octaves differ by at most some 2 dB. No sample exceeds
    `amplitude`; the RMS is amplitude / √48.
    """
    frames = _frames(seconds, sample_rate)
    n = np.arange(frames)
    rows = [(frames >> k) + 1 for k in range(PINK_ROWS)]
    values = uniform(seed, channels * sum(rows)).reshape(channels, -1)
    total = np.zeros((channels, frames))
    start = 0
    for k, count in enumerate(rows):
        total += values[:, start : start + count][:, n >> k]
        start += count
    return _audio(amplitude / PINK_ROWS * total, sample_rate, channels)


def impulse(
    seconds: float,
    *,
    at_frame: int = 0,
    amplitude: float = 1.0,
    sample_rate: int = SAMPLE_RATE,
    channels: int = 1,
) -> Audio:
    """`amplitude` in frame `at_frame`, 0 in all others.

    Raises
    ------
    ValueError
        There is no such frame.
    """
    samples = np.zeros(_frames(seconds, sample_rate))
    if not 0 <= at_frame < len(samples):
        raise ValueError(f"at_frame {at_frame} is none of the {len(samples)} frames")
    samples[at_frame] = amplitude
    return _audio(samples, sample_rate, channels)


def click_track(
    seconds: float,
    *,
    interval_ms: float = 500.0,
    amplitude: float = 1.0,
    sample_rate: int = SAMPLE_RATE,
    channels: int = 1,
) -> Audio:
    """Clicks of one frame: `amplitude` in frame round(k · interval_ms · sample_rate / 1000).

    For k = 0, 1, 2…; 0 in all others.
    """
    samples = np.zeros(_frames(seconds, sample_rate))
    interval = interval_ms * sample_rate / 1000
    if interval < 1:
        raise ValueError(f"an interval of {interval_ms} ms is shorter than a frame")
    count = math.ceil(len(samples) / interval)
    at = [round(k * interval) for k in range(count)]
    samples[[frame for frame in at if frame < len(samples)]] = amplitude
    return _audio(samples, sample_rate, channels)


def speech_bursts(
    segments_ms: Iterable[SPAN_MS],
    seconds: float,
    *,
    seed: int = 0,
    amplitude: float = 0.5,
    floor: float = 0.0005,
    sample_rate: int = SAMPLE_RATE,
    channels: int = 1,
) -> Audio:
    """Something like speech, where it starts and ends known to the frame.

    ``e(t) · pink_noise(seed) + floor · white_noise(seed + 1)``, both of amplitude 1 before. Inside
    a segment e(t) = `amplitude` · (1 − ¾ · |1 − (2 · 4 · s mod 2)|), where s is the time since the
    segment began: a triangle that rises from ¼ to 1 and falls back, four times a second, as
    syllables do. Outside e(t) = 0. A segment has the frames from round(start · sample_rate / 1000)
    up to, not including, round(end · sample_rate / 1000).

    Parameters
    ----------
    segments_ms : iterable of (float, float)
        Start and end of each, ms; see `random_segments`.
    seconds : float
        Duration of the whole, s.
    floor : float
        Amplitude of the noise below everything; −66 dB of full scale by default.

    Raises
    ------
    ValueError
        A segment is empty, does not lie within the whole, or begins before the one before it ended.
    """
    frames = _frames(seconds, sample_rate)
    envelope = np.zeros(frames)
    before = 0
    for start_ms, end_ms in segments_ms:
        start, end = (round(ms * sample_rate / 1000) for ms in (start_ms, end_ms))
        if not before <= start < end <= frames:
            raise ValueError(
                f"segment {start_ms} to {end_ms} ms does not lie between "
                f"{sample_time_us(before, sample_rate) / 1000:g} and {seconds * 1000:g} ms"
            )
        s = np.arange(end - start) / sample_rate
        envelope[start:end] = amplitude * (1 - 0.75 * np.abs(1 - (2 * SYLLABLES * s) % 2))
        before = end
    same: dict[str, Any] = {"amplitude": 1.0, "sample_rate": sample_rate, "channels": channels}
    voice = pink_noise(seconds, seed=seed, **same).samples.astype(np.float64)
    hiss = white_noise(seconds, seed=seed + 1, **same).samples.astype(np.float64)
    return _audio(envelope * voice + floor * hiss, sample_rate, channels)


def random_segments(
    seconds: float,
    *,
    seed: int = 0,
    speech_ms: tuple[int, int] = (400, 2_000),
    pause_ms: tuple[int, int] = (600, 1_500),
) -> list[SPAN_MS]:
    """Segments for `speech_bursts`: a pause, speech, a pause… and a pause at the end.

    The length of each is drawn from whole ms within the bounds, both included.
    """
    found: list[SPAN_MS] = []
    bounds: Sequence[tuple[int, int]] = (pause_ms, speech_ms)
    if min(*pause_ms, *speech_ms) < 1 or any(low > high for low, high in bounds):
        raise ValueError(f"bounds are (least, most) ms, at least 1: {speech_ms}, {pause_ms}")
    most = 2 + round(seconds * 1000)
    now = 0
    start = 0
    for number, bits in enumerate(integers(seed, most).tolist()):
        low, high = bounds[number % 2]
        start, now = now, now + low + bits % (high - low + 1)
        if now + (pause_ms[0] if number % 2 else 0) > seconds * 1000:
            break
        if number % 2:
            found.append((float(start), float(now)))
    return found


def _frames(seconds: float, sample_rate: int) -> int:
    return round(seconds * sample_rate)


def _audio(samples: NDArray[np.float64], sample_rate: int, channels: int) -> Audio:
    shaped = samples if samples.ndim == 2 else np.tile(samples, (channels, 1))
    return Audio(shaped, sample_rate, pts_us=0)
