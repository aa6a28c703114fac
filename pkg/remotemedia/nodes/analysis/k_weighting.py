"""K-weighting: the frequency weighting of loudness, ITU-R BS.1770, for any sample rate."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MIN_SAMPLE_RATE = 4000  # Hz: the shelf's corner frequency needs room below half of it

# BS.1770 gives coefficients for 48 kHz only, and asks for the same frequency response at other
# rates. These are the analogue filters that the bilinear transform takes to those coefficients:
# a high shelf for the head, and a high-pass (revised low-frequency B-curve).
SHELF_HZ = 1681.974450955533
SHELF_Q = 0.7071752369554196
SHELF_GAIN = 10 ** (3.999843853973347 / 20)
SHELF_BAND_GAIN = SHELF_GAIN**0.4996667741545416
HIGH_PASS_HZ = 38.13547087602444
HIGH_PASS_Q = 0.5003270373238773
STANDARD_RATE = 48_000

SILENT = 1e-30  # filter state below this (−600 dBFS) is dropped, so that silence becomes exactly 0


class Biquad(NamedTuple):
    """``(b0 + b1 z⁻¹ + b2 z⁻²) / (1 + a1 z⁻¹ + a2 z⁻²)``; poles are `pole` and its conjugate."""

    b0: float
    b1: float
    b2: float
    a1: float
    a2: float
    pole: complex


def k_weighting_biquads(sample_rate: int) -> tuple[Biquad, Biquad]:
    """The two stages, shelf and high-pass, by bilinear transform at their corner frequencies.

    At 48 kHz these are the coefficients of BS.1770 table 1 and 2 to within 10⁻¹⁴. The standard's
    high-pass has the numerator 1, −2, 1, a gain of 0.043 dB; other rates get the gain of the same
    analogue filter, not the same numerator, which would read 0.09 dB too much at 16 kHz. A 1 kHz
    tone then reads the same within 0.05 dB at 16 kHz and above, 0.11 at 11.025 and 0.21 at 8 kHz,
    by the warping of the bilinear transform.
    """
    k = math.tan(math.pi * SHELF_HZ / sample_rate)
    a0 = 1 + k / SHELF_Q + k * k
    side = SHELF_BAND_GAIN * k / SHELF_Q
    shelf = Biquad(
        (SHELF_GAIN + side + k * k) / a0,
        2 * (k * k - SHELF_GAIN) / a0,
        (SHELF_GAIN - side + k * k) / a0,
        2 * (k * k - 1) / a0,
        (1 - k / SHELF_Q + k * k) / a0,
        _pole(k, SHELF_Q),
    )
    k = math.tan(math.pi * HIGH_PASS_HZ / sample_rate)
    a0 = 1 + k / HIGH_PASS_Q + k * k
    k48 = math.tan(math.pi * HIGH_PASS_HZ / STANDARD_RATE)
    gain = (1 + k48 / HIGH_PASS_Q + k48 * k48) / a0
    high_pass = Biquad(
        gain,
        -2 * gain,
        gain,
        2 * (k * k - 1) / a0,
        (1 - k / HIGH_PASS_Q + k * k) / a0,
        _pole(k, HIGH_PASS_Q),
    )
    return shelf, high_pass


def _pole(k: float, q: float) -> complex:
    # From the analogue pole, as the roots of the denominator lose half of their digits: the
    # high-pass has very nearly a double pole.
    s = k * complex(-1 / (2 * q), math.sqrt(1 - 1 / (4 * q * q)))
    return (1 + s) / (1 - s)


class _Tables(NamedTuple):
    """What the filter needs of a sample rate; see `KWeighting` for the formulae."""

    direct: float
    rise: NDArray[np.complex128]
    fall: NDArray[np.float64]
    powers: tuple[tuple[complex, ...], ...]


@lru_cache(maxsize=8)
def _tables(sample_rate: int, size: int) -> _Tables:
    shelf, high_pass = k_weighting_biquads(sample_rate)
    poles = [shelf.pole, shelf.pole.conjugate(), high_pass.pole, high_pass.pole.conjugate()]
    rise, fall, powers = [], [], []
    for pole in poles[::2]:
        inverse = 1 / pole
        residue = complex(1)
        for stage in (shelf, high_pass):
            residue *= stage.b0 + inverse * (stage.b1 + inverse * stage.b2)
        for other in poles:
            if other != pole:
                residue /= 1 - other * inverse
        up, down = [complex(1)], [complex(1)]
        for _ in range(size):
            up.append(up[-1] * inverse)
            down.append(down[-1] * pole)
        powers.append(tuple(down))
        rise.append(up[:size])
        weights = [2 * residue * w for w in down[:size]]
        fall.append([part for w in weights for part in (w.real, -w.imag)])
    direct = shelf.b2 * high_pass.b2 / (shelf.a2 * high_pass.a2)
    return _Tables(direct, np.array(rise), np.array(fall), tuple(powers))


class KWeighting:
    """The K-weighting filter on blocks of samples, with its state carried from block to block.

    A recursive filter in numpy: in partial fractions the output is ``d·x + Σ 2 Re(Rᵢ zᵢ)`` with one
    first-order recursion ``z[n] = p z[n−1] + x[n]`` for each of the two complex pole pairs, and
    that recursion is a running sum, ``z[n] = pⁿ (Σ p⁻ᵏ x[k] + p z[−1])``. In floating point the sum
    is as stable as the recursion, since its latest terms are the largest; only the weights must
    not overflow, and they are below 10⁴⁰ in a block of 10 ms at any rate.

    Only +, ×, running sums and real arithmetic are used, each element for itself: the result is
    the same bit for bit however many blocks are given at once.

    Parameters
    ----------
    sample_rate : int
        Hz, at least `MIN_SAMPLE_RATE`.
    channels : int
    max_size : int
        Longest block, samples; about 10 ms.

    References
    ----------
    .. [1] ITU-R BS.1770-5 (2023), Annex 1.
    .. [2] G. E. Blelloch, "Prefix sums and their applications", CMU-CS-90-190, 1990, §1.4:
           recurrences as scans.
    """

    def __init__(self, sample_rate: int, channels: int, max_size: int) -> None:
        self._direct, self._rise, self._fall, self._powers = _tables(sample_rate, max_size)
        self._carry = [[0j, 0j] for _ in range(channels)]

    def process(self, blocks: NDArray[np.float64]) -> NDArray[np.float64]:
        """Filter the next blocks.

        Parameters
        ----------
        blocks : np.ndarray [shape=(channels, n, size), dtype=float64]
            n blocks of one size, up to `max_size`; finite.

        Returns
        -------
        np.ndarray [shape=(channels, n, size), dtype=float64]
        """
        size = blocks.shape[2]
        # Of sums of complex numbers two run at the same time in the processor.
        sums = blocks.astype(complex)[:, :, np.newaxis, :] * self._rise[:, :size]
        np.add.accumulate(sums, axis=3, out=sums)
        sums += self._carries(sums[..., -1].tolist(), size)
        terms = sums.view(np.float64)
        terms *= self._fall[:, : 2 * size]
        weighted: NDArray[np.float64] = terms[:, :, 0, ::2] + terms[:, :, 0, 1::2]
        weighted += terms[:, :, 1, ::2]
        weighted += terms[:, :, 1, 1::2]
        weighted += blocks * self._direct
        return weighted

    def _carries(self, ends: list[list[list[complex]]], size: int) -> NDArray[np.complex128]:
        """``p z[−1]`` of each block, from the running sums at the end of the blocks before it."""
        shelf_power, high_pass_power = self._powers[0][size], self._powers[1][size]
        carries: list[complex] = []
        for carry, channel in zip(self._carry, ends, strict=True):
            shelf, high_pass = carry
            for shelf_end, high_pass_end in channel:
                carries += (shelf, high_pass)
                shelf = shelf_power * (shelf + shelf_end)
                high_pass = high_pass_power * (high_pass + high_pass_end)
                # Also keeps the state out of the range of denormal numbers, which are slow.
                if abs(shelf) < SILENT:
                    shelf = 0j
                if abs(high_pass) < SILENT:
                    high_pass = 0j
            carry[:] = shelf, high_pass
        return np.array(carries, complex).reshape(len(ends), -1, 2, 1)
