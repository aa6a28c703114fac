"""From the spectra that hibari's network gives to samples.

A train of pulses of the pitch goes through the filter of the voice; noise with a spectrum of its
own and a part with free phases are added [1]_::

    S = exp(lh) · exp(iπ·tanh θ) · STFT(pulses(f0)) + exp(ln) · Z + exp(lr) · exp(iφ)

References
----------
.. [1] M. Williams, hibari-tts 0.2.1, https://github.com/MMWilliams/hibari, Apache-2.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 24_000  # Hz
SIZE = 1200  # of a window, samples
HOP = 300
OVERLAP = SIZE // HOP
BINS = SIZE // 2 + 1
LOUDEST = 7.0  # exponent
LOWEST_PITCH = 40.0  # Hz: below it is unvoiced
HIGHEST_HARMONIC = 11_000.0  # Hz

Floats = NDArray[np.float32]

_WINDOW = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(SIZE) / SIZE)).astype(np.float32)
_SCALED = _WINDOW / np.float32(SIZE / 4)  # so that a cosine of amplitude 1 has a peak of 1


def samples_of(spectra: Mapping[str, NDArray[Any]], noise: np.random.Generator) -> Floats:
    """The samples of one run of the network.

    Parameters
    ----------
    spectra : mapping of str to np.ndarray
        ``lh``, ``theta``, ``ln``, ``lr``, ``phi`` [shape=(1, BINS, frames)]: logarithms of
        amplitudes, and angles; ``f0`` [shape=(1, frames)], Hz.
    noise : np.random.Generator

    Returns
    -------
    np.ndarray [shape=(frames · HOP,), dtype=float32]
    """
    harmonic, angle, noisy, free, phase, pitch = (
        spectra[name][0] for name in ("lh", "theta", "ln", "lr", "phi", "f0")
    )
    frames = harmonic.shape[1]
    found = _analysed(pulses(pitch), frames)
    found *= _rotated(np.tanh(angle) * np.float32(np.pi), harmonic)
    drawn = noise.standard_normal((BINS, 2 * frames), dtype=np.float32).view(np.complex64)
    drawn *= _amplitude(noisy)
    found += drawn
    found += _rotated(phase, free)
    return _synthesised(found)


def pulses(pitch: Floats) -> Floats:
    """A train of pulses: every harmonic below 11 kHz, of amplitude 1.

    Their sum is a Dirichlet kernel, ``sin((h + ½)t) / (2·sin(t/2)) - ½``.

    Parameters
    ----------
    pitch : np.ndarray [shape=(frames,)]
        Hz; below `LOWEST_PITCH` there is silence.

    Returns
    -------
    np.ndarray [shape=(frames · HOP,), dtype=float32]
    """
    # Samples lie between the middles of frames; the first and last frame go on.
    after = (((np.arange(HOP) + 0.5) / HOP - 0.5) % 1.0).astype(np.float32)
    padded = np.pad(pitch.astype(np.float32, copy=False), 1, mode="edge")
    half = HOP // 2
    before = np.float32(1.0) - after
    rising = np.empty((len(pitch), HOP), np.float32)
    rising[:, :half] = padded[:-2, None] * before[:half] + padded[1:-1, None] * after[:half]
    rising[:, half:] = padded[1:-1, None] * before[half:] + padded[2:, None] * after[half:]
    hertz = rising.reshape(-1)
    voiced = hertz > LOWEST_PITCH
    np.maximum(hertz, np.float32(LOWEST_PITCH), out=hertz)
    turns = np.cumsum(hertz, dtype=np.float64)
    turns *= 1.0 / SAMPLE_RATE  # as theirs: a division rounds otherwise
    angle = (np.modf(turns)[0] * (2 * np.pi)).astype(np.float32)
    count = np.floor(np.float32(HIGHEST_HARMONIC) / hertz) + np.float32(0.5)
    below = 2 * np.sin(angle * np.float32(0.5))
    at_peak = np.abs(below) <= 2e-3
    below[at_peak] = 1
    train: Floats = np.sin(count * angle) / below
    train[at_peak] = count[at_peak]
    train -= np.float32(0.5)
    train[~voiced] = 0
    return train


def _amplitude(logarithm: Floats) -> Floats:
    return np.exp(np.minimum(logarithm, np.float32(LOUDEST)))


def _rotated(angle: Floats, logarithm: Floats) -> NDArray[np.complex64]:
    found = np.empty(angle.shape, np.complex64)
    np.cos(angle, out=found.real)
    np.sin(angle, out=found.imag)
    found *= _amplitude(logarithm)
    return found


def _analysed(samples: Floats, frames: int) -> NDArray[np.complex64]:
    """Spectra of the samples round the start of each frame [shape=(BINS, frames)]."""
    padded = np.pad(samples, SIZE // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, SIZE)[::HOP][:frames] * _SCALED
    return np.ascontiguousarray(np.fft.rfft(windows, axis=1).T.astype(np.complex64, copy=False))


def _synthesised(spectra: NDArray[np.complex64]) -> Floats:
    """The inverse: windows added where they overlap, divided by the sum of their squares."""
    count = spectra.shape[1]
    windows = np.fft.irfft(spectra.T, SIZE, axis=1).astype(np.float32, copy=False)
    windows *= _WINDOW
    parts = windows.reshape(count, OVERLAP, HOP)
    squares = (_WINDOW * _WINDOW).reshape(OVERLAP, HOP)
    added = np.zeros((count + OVERLAP - 1, HOP), np.float32)
    weight = np.zeros_like(added)
    for shift in range(OVERLAP):
        added[shift : shift + count] += parts[:, shift]
        weight[shift : shift + count] += squares[shift]
    added /= np.maximum(weight, np.float32(1e-11))
    return added.reshape(-1)[SIZE // 2 : SIZE // 2 + count * HOP]
