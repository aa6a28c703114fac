"""LogMel: what Whisper's networks look at: how loud it is in each of 80 bands, every 10 ms."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

RATE = 16000  # Hz
WINDOW = 400  # samples: 25 ms
HOP = 160  # samples: 10 ms
BANDS = 80
DYNAMICS = 8.0  # of what is kept below the loudest, powers of ten
FLOOR = 1e-10
VARIANCE_FLOOR = 1e-7

_LINEAR_HZ = 200 / 3  # per mel, up to 1 kHz
_BREAK_HZ = 1000.0
_LOG_STEP = np.log(6.4) / 27  # per mel, above


class LogMel:
    """The logarithmic mel spectrum of 16 kHz audio, as `WhisperFeatureExtractor` gives it [1]_.

    Windows are Hann's, centred on every 160th sample, mirrored at both ends. Their power is summed
    in triangular bands, equally spaced on Slaney's mel scale [2]_ from 0 to 8 kHz, each of the same
    area. The logarithm is kept down to 8 powers of ten below its maximum, and scaled by
    ``(x + 4) / 4``.

    References
    ----------
    .. [1] A. Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022.
    .. [2] M. Slaney, "Auditory Toolbox", Interval Research Corporation, Technical Report 1998-010.
    """

    def __init__(self) -> None:
        self._window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
        self._bands = _bands()

    def of(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The spectrum of samples that are brought to a mean of 0 and a variance of 1 before.

        Parameters
        ----------
        samples : np.ndarray [shape=(n,)]
            At least 201.

        Returns
        -------
        np.ndarray [shape=(80, n // 160), dtype=float32]
        """
        even = (samples - samples.mean()) / np.sqrt(samples.var() + np.float32(VARIANCE_FLOOR))
        padded = np.pad(even.astype(np.float64), WINDOW // 2, mode="reflect")
        frames = sliding_window_view(padded, WINDOW)[: len(samples) // HOP * HOP : HOP]
        spectrum = np.fft.rfft(frames * self._window, axis=1).T
        power = spectrum.real**2 + spectrum.imag**2
        # A band at a time: most weights of the matrix are 0, and a page multiplies slowly.
        found = np.stack([weights @ power[first:last] for first, last, weights in self._bands])
        levels = np.log10(np.maximum(found, FLOOR))
        levels = np.maximum(levels, levels.max() - DYNAMICS)
        scaled: NDArray[np.float32] = ((levels + 4) / 4).astype(np.float32)
        return scaled


def _bands() -> list[tuple[int, int, NDArray[np.float64]]]:
    """Of each band the bins of the spectrum, from and to, and their weights."""
    top = _BREAK_HZ / _LINEAR_HZ + np.log(RATE / 2 / _BREAK_HZ) / _LOG_STEP
    mels = np.linspace(0, top, BANDS + 2)
    above = np.maximum(mels - _BREAK_HZ / _LINEAR_HZ, 0)
    edges = np.minimum(mels * _LINEAR_HZ, _BREAK_HZ) * np.exp(_LOG_STEP * above)
    bins = np.arange(WINDOW // 2 + 1) * (RATE / WINDOW)
    found = []
    for low, middle, high in zip(edges, edges[1:], edges[2:], strict=False):
        rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
        weights = np.maximum(np.minimum(rising, falling), 0) * (2 / (high - low))
        (used,) = weights.nonzero()
        first, last = int(used[0]), int(used[-1]) + 1
        found.append((first, last, weights[first:last]))
    return found
