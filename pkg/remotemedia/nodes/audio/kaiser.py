"""Kaiser-windowed low-pass filters for resampling, the same bits in every world.

The formulas are those of J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window
function", Proc. IEEE ISCAS 1974, as in Oppenheim & Schafer, "Discrete-Time Signal Processing", §7.6
(window shape from the attenuation, length from attenuation and transition width).

numpy's sin and i0 differ in their last bit from one C library to the next. So sine and Bessel
function are computed here as power series, by + − × ÷ in float64 alone, and come out bit-equal on
every machine.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Enough terms that the next one is below the last bit, for |x| ≤ π/2 and x²/4 ≤ 40 (130 dB).
_SINE = [(-1) ** n / math.factorial(2 * n + 1) for n in range(13)]
_BESSEL = [1 / math.factorial(n) ** 2 for n in range(45)]


class Quality(StrEnum):
    """How much a filter attenuates what would alias."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @classmethod
    def _missing_(cls, value: object) -> Quality | None:
        # The reference system writes them with a capital.
        return cls.__members__.get(value.upper()) if isinstance(value, str) else None


class Shape(NamedTuple):
    """What a filter is designed for.

    Attributes
    ----------
    attenuation_db : float
        Of the stop-band, which begins at the Nyquist frequency of the lower rate.
    passband : float
        Its upper edge, as a fraction of that Nyquist frequency.
    """

    attenuation_db: float
    passband: float


# 3 dB are kept in reserve: the ripple of a windowed design is not exactly even.
SHAPES = {
    Quality.LOW: Shape(63.0, 0.80),
    Quality.MEDIUM: Shape(93.0, 0.85),
    Quality.HIGH: Shape(123.0, 0.90),
}


class LowPass:
    """The impulse response of a resampling filter, as a function of continuous time.

    Parameters
    ----------
    quality : Quality
        Chooses attenuation and width of the transition.
    bandwidth : float
        Nyquist frequency of the lower rate over that of the input, 0 to 1.

    Attributes
    ----------
    half_width : float
        The response is zero beyond ± this, in input samples.
    """

    def __init__(self, quality: Quality, bandwidth: float) -> None:
        attenuation, passband = SHAPES[quality]
        transition = (1 - passband) * bandwidth * math.pi  # radians per input sample
        self.half_width = (attenuation - 7.95) / (2.285 * transition) / 2
        self._cutoff = (1 + passband) / 2 * bandwidth
        beta = 0.1102 * (attenuation - 8.7)
        self._quarter_beta2 = beta * beta / 4

    def __call__(self, time: Array) -> Array:
        """The response at these times, in input samples; not yet scaled to unit gain."""
        ratio = time / self.half_width
        inside = 1 - ratio * ratio
        window = _polynomial(_BESSEL, np.maximum(inside, 0) * self._quarter_beta2)
        phase = time * self._cutoff
        at_zero = phase == 0
        sinc = np.where(at_zero, 1.0, _sin_pi(phase) / np.where(at_zero, 1.0, math.pi * phase))
        return np.where(inside < 0, 0.0, window * sinc)


def polyphase_taps(low_pass: LowPass, phases: NDArray[np.int64], per: int) -> NDArray[np.float32]:
    """The taps that compute output samples lying between two input samples.

    Parameters
    ----------
    low_pass : LowPass
        The filter.
    phases : np.ndarray [shape=(rows,), dtype=int64]
        Distance of each output sample from the input sample before it, in units of ``1 / per``.
    per : int
        See `phases`.

    Returns
    -------
    np.ndarray [shape=(rows, 2·T), dtype=float32]
        Column j is the weight of input sample ``j − T + 1``, counted from the one before the
        output. Each row sums to 1, so that a constant stays that constant at every phase.
    """
    reach = math.ceil(low_pass.half_width)
    offsets = np.arange(1 - reach, reach + 1, dtype=np.int64) * per
    taps = np.empty((len(phases), 2 * reach), np.float32)
    step = max(1, 16_384 // (2 * reach))  # so that the 90 passes of the series stay in the cache
    for row in range(0, len(phases), step):
        rows = low_pass((phases[row : row + step, None] - offsets) / per)
        taps[row : row + step] = rows / rows.sum(axis=1, keepdims=True)
    return taps


def _polynomial(coefficients: list[float], x: Array) -> Array:
    result = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        result *= x
        result += coefficient
    return result


def _sin_pi(x: Array) -> Array:
    nearest = np.rint(x)
    angle = (x - nearest) * math.pi
    sign = 1 - 2 * (np.abs(nearest) % 2)
    sine: Array = _polynomial(_SINE, angle * angle) * angle * sign
    return sine
