from __future__ import annotations

from itertools import repeat

import pytest

from remotemedia.nodes.analysis.noise_floor import NoiseFloor


def after(floor: NoiseFloor, powers: list[float]) -> float:
    for power in powers:
        floor.add(power)
    return floor.power


def test_nothing_is_known_at_first_nor_of_digital_silence() -> None:
    floor = NoiseFloor(3000, 20)
    assert floor.power == 0
    assert after(floor, [0.0] * 500) == 0
    assert after(floor, [1e-6]) == 1e-6
    assert after(floor, [0.0] * 500) == 1e-6


def test_a_fall_is_followed_at_once_but_for_the_smoothing() -> None:
    floor = NoiseFloor(3000, 20)
    after(floor, [1.0] * 100)
    assert after(floor, [0.0001] * 14) == pytest.approx(0.0001, rel=1)


def test_a_rise_is_followed_within_the_window_and_not_before_seven_eighths_of_it() -> None:
    floor = NoiseFloor(3200, 20)
    after(floor, [1.0] * 170)  # 8 parts of 20 frames, and a half
    assert after(floor, [4.0] * 145) == 1.0
    assert after(floor, [4.0] * 15) > 1.0
    assert after(floor, [4.0] * 20) > 3.9


def test_pauses_reach_the_noise() -> None:
    floor = NoiseFloor(3000, 20)
    syllables = [1.0] * 30 + [0.001] * 12
    assert after(floor, syllables * 20) == pytest.approx(0.001, rel=0.5)


def test_memory_does_not_grow() -> None:
    floor = NoiseFloor(3000, 20)
    after(floor, list(repeat(1.0, 10_000)))
    assert len(floor._minima) == 7
