"""examples/broken: each says what is wrong, is mended by --fix, and then runs on a recording."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BROKEN = sorted((REPOSITORY / "examples" / "broken").iterdir())
COMMAND = [sys.executable, "-m", "remotemedia"]


@pytest.fixture(scope="session")
def recording() -> str:
    script = REPOSITORY / "scripts" / "fetch_recordings.py"
    folder = subprocess.run(
        [sys.executable, script], check=True, capture_output=True, text=True
    ).stdout.strip()
    return str(Path(folder) / "two_cities.wav")


def test_there_are_ten() -> None:
    assert len(BROKEN) == 10


@pytest.mark.parametrize("example", BROKEN, ids=lambda path: path.stem)
def test_it_is_mended_and_runs(example: Path, tmp_path: Path, recording: str) -> None:
    manifest = tmp_path / example.name
    shutil.copy(example, manifest)
    checked = subprocess.run([*COMMAND, "validate", manifest], capture_output=True, text=True)
    assert checked.returncode == 2
    for line in checked.stdout.splitlines():
        assert line.startswith(f"{manifest}:")
        assert "; set " in line or "; insert " in line, line
    mended = subprocess.run(
        [*COMMAND, "validate", "--fix", manifest], capture_output=True, text=True
    )
    assert mended.returncode == 0, mended.stdout
    before = example.read_text().splitlines()
    after = manifest.read_text().splitlines()
    comments = [line for line in before if line.startswith("#")]
    assert [line for line in after if line.startswith("#")] == comments
    assert len([line for line in before if line not in after]) <= 3
    ran = subprocess.run(
        [*COMMAND, "run", manifest, "-i", recording, "--json"], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    summary = json.loads(ran.stdout.splitlines()[-1])
    assert summary["media_s"] == pytest.approx(44.374125)
    assert all(node["count"] > 0 and not node["errors"] for node in summary["metrics"]["nodes"])


@pytest.mark.parametrize("example", BROKEN, ids=lambda path: path.stem)
def test_with_auto_it_runs_as_it_is(example: Path, recording: str) -> None:
    ran = subprocess.run(
        [*COMMAND, "run", "--auto", example, "-i", recording, "--json"],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert example.read_text()  # which nobody has changed
