"""Model files and recordings, for the tests of models."""

from __future__ import annotations

import os
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[3] / "scripts"


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of the model files: a folder for each package."""
    return Path(os.environ["REMOTEMEDIA_MODELS"])


@pytest.fixture(scope="session")
def recordings() -> Path:
    return _folder("fetch_recordings.py")


@pytest.fixture(scope="session")
def speech(recordings: Path) -> np.ndarray:
    """44 s of somebody reading, 48 kHz [shape=(n,), dtype=float32]."""
    with wave.open(str(recordings / "two_cities.wav")) as file:
        data = file.readframes(file.getnframes())
    return np.frombuffer(data, np.int16).astype(np.float32) / 32768


def _folder(script: str) -> Path:
    done = subprocess.run(
        [sys.executable, SCRIPTS / script], check=True, capture_output=True, text=True
    )
    return Path(done.stdout.strip())


@pytest.fixture(scope="session")
def silero(models: Path) -> Path:
    """The model that is looked for by the name ``silero-vad``."""
    return models / "silero-vad" / "silero_vad_op18_ifless.onnx"
