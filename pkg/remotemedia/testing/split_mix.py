"""SplitMix64: random numbers that are the same bits on every machine and with every numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def integers(seed: int, count: int) -> NDArray[np.uint64]:
    """The first `count` outputs of SplitMix64 from the state `seed` (taken modulo 2⁶⁴).

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    steps = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    bits = steps + np.uint64(seed % 2**64)
    bits ^= bits >> np.uint64(30)
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return bits


def uniform(seed: int, count: int) -> NDArray[np.float64]:
    """The upper 24 bits of each as a number k · 2⁻²³ − 1: from −1 (in) to 1 (out), steps of 2⁻²³.

    Exact in float32, too.
    """
    return (integers(seed, count) >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1.0
