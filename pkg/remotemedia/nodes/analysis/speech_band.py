"""Power of audio in the band that carries the voice."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

BLOCKS_PER_SECOND = 2000


def speech_band_power(frames: NDArray[np.float32], sample_rate: int) -> list[float]:
    """Mean power of each frame between about 250 and 900 Hz, averaged over the channels.

    Samples are averaged in blocks of 0.5 ms, and successive averages subtracted. The first is a
    low-pass with zeros at 2, 4, 6… kHz, which takes off hiss and breath; the second a high-pass
    with its zero at 0 Hz, which takes off rumble and hum (−11 dB at 100 Hz). A voice has most of
    its power in what remains, its first formant.

    Sums of fixed length and elementwise arithmetic only: bit for bit the same in every world and
    for any number of frames given at once.

    Parameters
    ----------
    frames : np.ndarray [shape=(channels, n, size), dtype=float32]
        n frames; samples that are not finite count as 0.
    sample_rate : int
        Hz, at least 4,000.

    Returns
    -------
    list of float
        n powers; a full-scale sine of 500 Hz has 0.4.
    """
    channels, count, size = frames.shape
    width = sample_rate // BLOCKS_PER_SECOND
    blocks = size // width
    samples = frames[:, :, : blocks * width].astype(np.float64)
    power = _power(samples.reshape(channels, count, blocks, width))
    if not math.isfinite(sum(map(sum, power))):
        samples[~np.isfinite(samples)] = 0.0
        power = _power(samples.reshape(channels, count, blocks, width))
    scale = 1 / (2 * (blocks - 1) * width * width * channels)
    if channels == 1:
        return [one * scale for one in power[0]]
    # fsum: the builtin sum() of floats differs between versions of Python.
    return [math.fsum(one) * scale for one in zip(*power, strict=True)]


def _power(blocks: NDArray[np.float64]) -> list[list[float]]:
    with np.errstate(invalid="ignore"):  # ∞ − ∞, which the caller finds
        sums = np.add.reduce(blocks, axis=3)
        steps = sums[:, :, 1:] - sums[:, :, :-1]
        steps *= steps
        return np.add.reduce(steps, axis=2).tolist()  # type: ignore[no-any-return]
