"""The recordings of speech that benchmarks are run on; fetched on first use."""

from __future__ import annotations

import sys
import wave
from typing import Any

import numpy as np
from numpy.typing import NDArray

import remotemedia as rm
from harness.report import REPOSITORY
from remotemedia.testing import run_node

sys.path.insert(0, str(REPOSITORY / "scripts"))
import fetch_recordings

Samples = NDArray[np.float32]


def names() -> list[str]:
    """The names of all."""
    return sorted(file.stem for file in fetch_recordings.fetch().glob("*.wav"))


def recording(name: str, seconds: float | None = None) -> tuple[Samples, int]:
    """The samples of one, `[shape=(n,), range ±1]`, all or so many seconds, and its rate, Hz."""
    with wave.open(str(fetch_recordings.fetch() / f"{name}.wav")) as file:
        assert file.getnchannels() == 1
        rate = file.getframerate()
        frames = file.getnframes() if seconds is None else int(seconds * rate)
        data = np.frombuffer(file.readframes(frames), np.int16)
    return data.astype(np.float32) / 32768, rate


def at_16k(samples: Samples, rate: int) -> Samples:
    """The same, at 16 kHz."""
    block = rm.Audio(samples, rate)
    outputs: list[Any] = run_node("AudioResample", [block], target_rate=16_000).data
    return np.concatenate([each.samples[0] for each in outputs])
