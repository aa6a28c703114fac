"""Test signals that are the same bits in every world.

Made of integers, and of float + − × ÷ whose results are exact: no sine, no logarithm, no random
number generator that another numpy might change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remotemedia.data import Audio

Samples = NDArray[np.float32]
"""Of shape (channels, frames)."""

Signal = Callable[[int, int, int], Samples]
"""Makes one of seed, channels, frames."""

SPEECH_RATE = 8_000  # Hz
SPEECH_FILE = Path(__file__).parents[1] / "golden/nodes/analysis/speech.npy"

UNEVEN = (1, 7, 480, 1023, 2, 160, 4001, 33)
"""Block sizes, samples, taken in turns."""


def integers(seed: int, count: int) -> NDArray[np.uint64]:
    """SplitMix64: `count` numbers of 64 random bits."""
    bits = np.arange(1, count + 1, dtype=np.uint64) + np.uint64(seed << 40)
    bits *= np.uint64(0x9E3779B97F4A7C15)
    bits ^= bits >> np.uint64(30)
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return bits


def noise(seed: int, channels: int, frames: int) -> Samples:
    """White noise at full scale."""
    bits = integers(seed, channels * frames) >> np.uint64(40)
    values = bits.astype(np.float32) * np.float32(2**-23) - np.float32(1)
    return values.reshape(channels, frames)


def steps(seed: int, channels: int, frames: int) -> Samples:
    """Noise whose level jumps between 0 and −115 dB every 12,000 frames."""
    count = -(-frames // 12_000)
    halvings = (integers(seed + 1, count) % np.uint64(20)).astype(np.int64)
    levels = (1.0 / (np.int64(1) << halvings)).astype(np.float32)
    return noise(seed, channels, frames) * np.repeat(levels, 12_000)[:frames]


def sweep(seed: int, channels: int, frames: int) -> Samples:
    """A triangle wave that rises from 0 to a quarter of the sample rate."""
    k = np.arange(frames, dtype=np.int64) + seed
    phase = k * k * (2**29 // max(frames, 1)) >> 14 & 0xFFFF
    wave = (np.abs(phase - 0x8000) - 0x4000).astype(np.float32) * np.float32(2**-14)
    return np.tile(wave, (channels, 1))


def speech(seed: int, channels: int, frames: int) -> Samples:
    """Speech of 8 kHz, each channel from another place on."""
    recording = np.load(SPEECH_FILE).astype(np.float32) * np.float32(2**-15)
    starts = [(seed * 7_919 + channel * 20_011) % len(recording) for channel in range(channels)]
    return np.stack([np.resize(np.roll(recording, -start), frames) for start in starts])


def speech_in_noise(seed: int, channels: int, frames: int) -> Samples:
    """The same with noise at −50 dB or, in every other 12,000 frames, −80 dB."""
    level = np.where(np.arange(frames) // 12_000 % 2, 2**-13, 2**-8).astype(np.float32)
    return speech(seed, channels, frames) + noise(seed, channels, frames) * level


def broken(seed: int, channels: int, frames: int) -> Samples:
    """Speech with samples that are not finite, and a stretch of silence."""
    samples = speech(seed, channels, frames)
    for start, value in enumerate([np.nan, np.inf, -np.inf]):
        samples[start % channels, 500 + seed + start :: 5_003] = value
    samples[:, frames // 4 : frames // 3] = 0
    return samples


def held(signal: Signal, times: int) -> Signal:
    """The signal at so many times its rate: each sample is held."""
    return lambda seed, channels, frames: np.repeat(
        signal(seed, channels, -(-frames // times)), times, axis=1
    )[:, :frames]


def blocks(
    samples: NDArray[Any],
    rate: int,
    sizes: Iterable[int] = UNEVEN,
    *,
    stream_id: str | None = None,
    gap_every: int = 0,
) -> Iterator[Audio]:
    """Cut into time-stamped blocks; with `gap_every` so many blocks are followed by 50 ms less."""
    start, gaps_us = 0, 0
    for number, size in enumerate(cycle(sizes)):
        part = samples[:, start : start + size]
        if not part.shape[1]:
            return
        if gap_every and number and number % gap_every == 0:
            gaps_us += 50_000
        pts_us = (2_000_000 * start + rate) // (2 * rate) + gaps_us
        yield Audio(part, rate, pts_us, stream_id, {"block": number})
        start += size
