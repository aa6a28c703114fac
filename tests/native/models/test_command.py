"""`remotemedia models`, as it is called."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from remotemedia.models.catalog import CATALOG

MODEL = CATALOG["silero-vad"]


def call(cache: Path, *args: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"REMOTEMEDIA_MODELS": str(cache), "REMOTEMEDIA_OFFLINE": "1"}
    command = [sys.executable, "-m", "remotemedia", "models", *args]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def cache(tmp_path: Path, silero: Path) -> Path:
    """One that has the model."""
    folder = tmp_path / MODEL.folder
    folder.mkdir()
    (folder / MODEL.files[0].name).write_bytes(silero.read_bytes())
    return tmp_path


def test_what_is_here(cache: Path) -> None:
    done = call(cache, "list", "--json", "silero-vad")
    assert (done.returncode, done.stderr) == (0, "")
    [state] = json.loads(done.stdout)
    assert state["where"] == "cache"
    assert state["size"] == 2845718
    assert state["licence"] == "MIT"
    assert state["files"] == [str(cache / MODEL.folder / MODEL.files[0].name)]
    shown = call(cache, "list").stdout
    assert re.search(r"^silero-vad +cache +2\.7 +MIT ", shown, re.MULTILINE)
    assert " 2.7  MIT" in shown  # 2845718 / 2**20


def test_verify_then_remove(cache: Path) -> None:
    done = call(cache, "verify", "silero-vad")
    assert done.returncode == 0
    assert "verified" in done.stdout
    path = cache / MODEL.folder / MODEL.files[0].name
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    done = call(cache, "verify")
    assert done.returncode == 1
    assert "remotemedia models remove silero-vad" in done.stderr
    assert call(cache, "remove", "silero-vad").returncode == 0
    assert not path.parent.exists()
    assert call(cache, "verify", "silero-vad").returncode == 1


def test_what_cannot_be_done(tmp_path: Path) -> None:
    done = call(tmp_path, "fetch", "silero-vad")
    assert done.returncode == 1
    assert "REMOTEMEDIA_OFFLINE forbids" in done.stderr
    for wrong, said in [(["fetch", "silero-vda"], "silero-vad"), (["remove"], "name a model")]:
        done = call(tmp_path, *wrong)
        assert done.returncode == 2
        assert said in done.stderr
