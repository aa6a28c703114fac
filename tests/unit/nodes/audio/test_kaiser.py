"""The filter design: against numpy's own functions, and bit by bit against plain Python floats."""

from __future__ import annotations

import math

import numpy as np
import pytest

from remotemedia.nodes.audio.kaiser import SHAPES, LowPass, Quality, polyphase_taps


@pytest.mark.parametrize("quality", Quality)
@pytest.mark.parametrize("bandwidth", [1.0, 0.9, 1 / 3, 1 / 24])
def test_is_a_kaiser_windowed_sinc(quality: Quality, bandwidth: float) -> None:
    low_pass = LowPass(quality, bandwidth)
    attenuation, passband = SHAPES[quality]
    beta = 0.1102 * (attenuation - 8.7)  # Kaiser's formula for more than 50 dB
    cutoff = (1 + passband) / 2 * bandwidth
    time = np.linspace(-low_pass.half_width, low_pass.half_width, 4001)[1:-1]
    window = np.i0(beta * np.sqrt(1 - (time / low_pass.half_width) ** 2))
    expected = np.sinc(time * cutoff) * window
    np.testing.assert_allclose(
        low_pass(time) / low_pass(np.zeros(1)), expected / np.i0(beta), atol=1e-14
    )
    assert not low_pass(np.array([-1.001, 1.001]) * low_pass.half_width).any()


def test_length_follows_kaisers_formula() -> None:
    # (A − 7.95) / (2.285 · Δω) with A = 123 dB, Δω = 0.1 · π / 3 radians per sample at 48 → 16 kHz.
    taps = (123 - 7.95) / (2.285 * 0.1 * math.pi / 3)
    assert LowPass(Quality.HIGH, 1 / 3).half_width == pytest.approx(taps / 2)


@pytest.mark.parametrize(("up", "down", "step"), [(1, 3, 1), (160, 147, 13), (80, 441, 9)])
def test_bits_are_those_of_ieee_arithmetic(up: int, down: int, step: int) -> None:
    # Python's floats are IEEE doubles in CPython and in Pyodide. Taps that agree with them to the
    # bit in either world are the same in both: no sine or Bessel function of the host is in them.
    low_pass = LowPass(Quality.HIGH, min(1.0, up / down))
    phases = np.arange(0, up, step, dtype=np.int64)
    taps = polyphase_taps(low_pass, phases, up)
    reach = taps.shape[1] // 2
    for phase, row in zip(phases, taps, strict=True):
        times = [(int(phase) - j * up) / up for j in range(1 - reach, reach + 1)]
        values = [_response(low_pass, time) for time in times]
        total = float(np.sum(np.array(values)))
        assert row.tolist() == [float(np.float32(value / total)) for value in values]


def _response(low_pass: LowPass, time: float) -> float:
    ratio = time / low_pass.half_width
    inside = 1 - ratio * ratio
    if inside < 0:
        return 0.0
    window = _horner(
        [1 / math.factorial(n) ** 2 for n in range(45)], inside * low_pass._quarter_beta2
    )
    phase = time * low_pass._cutoff
    if phase == 0:
        return window
    nearest = round(phase)
    angle = (phase - nearest) * math.pi
    sine = _horner([(-1) ** n / math.factorial(2 * n + 1) for n in range(13)], angle * angle)
    sine = sine * angle * (1 - 2 * (abs(nearest) % 2))
    return window * (sine / (math.pi * phase))


def _horner(coefficients: list[float], x: float) -> float:
    result = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        result = result * x + coefficient
    return result
