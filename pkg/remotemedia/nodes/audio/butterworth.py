"""Butterworth filters as second-order sections, the same bits in every world.

The poles of the analogue prototype of order n lie evenly on the left half of the unit circle. They
are moved to the wanted edges and taken to the sample rate by the bilinear transform, with the edges
prewarped, so that the response is exact there: −3.01 dB. A. V. Oppenheim, R. W. Schafer,
"Discrete-Time Signal Processing", 3rd ed., §7.2 and appendix B.1; the band-pass is made by
``s → (s² + ω₁ω₂) / (s (ω₂ − ω₁))``, as in A. Antoniou, "Digital Filters", 2nd ed., §11.

The sine of one C library differs in its last bit from another's. So it is computed here as a power
series, by + − × ÷ and square roots in float64 alone, and comes out bit-equal on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Sections = NDArray[np.float64]
"""`[shape=(sections, 6)]`, each b0 b1 b2 1 a1 a2, as `scipy.signal.sosfilt` takes them.

The gain is spread over the sections and the most resonant ones come last, so that the state of each
is about as large as the signal. (scipy.signal.butter puts all gain into the first: 10⁻³⁹ for a
low-pass of order 8 at 1 Hz.)"""

# Enough terms that the next one is below the last bit, for |x| ≤ π/2.
_SINE = [(-1) ** n / math.factorial(2 * n + 1) for n in range(13)]


@lru_cache(maxsize=64)
def low_pass(cutoff_hz: float, order: int, sample_rate: int) -> Sections:
    """Passes what is below the cut-off; above, falls by 6 dB per octave and order."""
    k = _warped(cutoff_hz, sample_rate)
    first = [_first_order(k, 0, k)] if order % 2 else []
    return _sections(first + [_second_order((k * k, 0, 0), k * k, k * d) for d in _dampings(order)])


@lru_cache(maxsize=64)
def high_pass(cutoff_hz: float, order: int, sample_rate: int) -> Sections:
    """Passes what is above the cut-off; below, falls by 6 dB per octave and order."""
    k = _warped(cutoff_hz, sample_rate)
    first = [_first_order(0, 1, k)] if order % 2 else []
    return _sections(first + [_second_order((0, 0, 1), k * k, k * d) for d in _dampings(order)])


@lru_cache(maxsize=64)
def band_pass(low_hz: float, high_hz: float, order: int, sample_rate: int) -> Sections:
    """Passes what lies between the edges; outside, falls by 6 dB per octave and order."""
    low, high = _warped(low_hz, sample_rate), _warped(high_hz, sample_rate)
    width, centre2 = high - low, low * high
    numerator = (0.0, width, 0.0)
    sections = [_second_order(numerator, centre2, width)] if order % 2 else []
    for damping in _dampings(order):
        # A pole p of the prototype becomes both roots of s² − p·width·s + centre2. The smaller is
        # found by way of their product, as in the difference it would lose its digits.
        real = -damping * width / 4
        imag = math.sqrt(1 - damping * damping / 4) * width / 2
        root_real, root_imag = _sqrt(real * real - imag * imag - centre2, 2 * real * imag)
        sign = 1 if real * root_real + imag * root_imag >= 0 else -1
        real += sign * root_real
        imag += sign * root_imag
        size2 = real * real + imag * imag
        sections.append(_second_order(numerator, size2, -2 * real))
        ratio = centre2 / size2
        sections.append(_second_order(numerator, ratio * centre2, -2 * real * ratio))
    return _sections(sections)


def _warped(frequency_hz: float, sample_rate: int) -> float:
    """The analogue frequency that the bilinear transform takes to this one: tan(π f / rate)."""
    to_nyquist = math.pi * (sample_rate / 2 - frequency_hz) / sample_rate
    return _sine(math.pi * frequency_hz / sample_rate) / _sine(to_nyquist)


def _dampings(order: int) -> Iterator[float]:
    """1/Q of each pair of poles, the most damped first: the pair is at −d/2 ± j √(1 − d²/4)."""
    for k in reversed(range(order // 2)):
        yield 2 * _sine((2 * k + 1) * math.pi / (2 * order))


def _sine(x: float) -> float:
    result = 0.0
    for coefficient in reversed(_SINE):
        result = result * (x * x) + coefficient
    return result * x


def _sqrt(real: float, imag: float) -> tuple[float, float]:
    size = math.sqrt((math.sqrt(real * real + imag * imag) + abs(real)) / 2)
    if not size:
        return 0.0, 0.0
    other = imag / (2 * size)
    return (size, other) if real >= 0 else (other, size)


# By s = (1 − z⁻¹) / (1 + z⁻¹):


def _first_order(n0: float, n1: float, d0: float) -> list[float]:
    """``(n0 + n1 s) / (d0 + s)``"""
    a0 = 1 + d0
    return [(n0 + n1) / a0, (n0 - n1) / a0, 0, 1, (d0 - 1) / a0, 0]


def _second_order(numerator: tuple[float, float, float], d0: float, d1: float) -> list[float]:
    """``(n0 + n1 s + n2 s²) / (d0 + d1 s + s²)``"""
    n0, n1, n2 = numerator
    a0 = 1 + d1 + d0
    b = [(n2 + n1 + n0) / a0, 2 * (n0 - n2) / a0, (n2 - n1 + n0) / a0]
    return [*b, 1, 2 * (d0 - 1) / a0, (1 - d1 + d0) / a0]


def _sections(rows: list[list[float]]) -> Sections:
    sections = np.array(rows)
    sections.setflags(write=False)
    return sections
