"""What `remotemedia doctor` says of processes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from remotemedia.cli.doctor import Check
from remotemedia_native.process import doctor, janitor, launch
from remotemedia_native.process.errors import ProcessError
from remotemedia_native.process.names import prefix


def by_name(clean: bool = False) -> dict[str, Check]:
    return {check.name: check for check in doctor.checks(clean)}


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(janitor, "SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_all_is_well() -> None:
    found = by_name()
    assert found["start"].status == "ok"
    assert found["start"].detail.startswith("started, heard and ended in ")
    assert found["topics by ring"].status == "ok"
    assert found["leftovers"] == Check("processes", "leftovers", "ok", "none of sessions that died")
    assert {check.section for check in found.values()} == {"processes"}


def test_leftovers_are_told_and_cleaned(empty: Path) -> None:
    code = "from remotemedia_native.process.names import prefix; print(prefix())"
    dead = subprocess.check_output([sys.executable, "-c", code], text=True).strip()
    (empty / dead).write_bytes(bytes(3 * 2**20))
    (empty / f"{dead}_b").touch()
    (empty / prefix()).touch()
    told = by_name()["leftovers"]
    assert (told.status, told.fix) == ("warning", "remotemedia doctor --clean")
    assert told.detail == "2 files, 3.0 MiB of sessions that died"
    cleaned = by_name(clean=True)["leftovers"]
    assert (cleaned.status, cleaned.detail) == ("ok", f"removed {told.detail}")
    assert len(list(empty.iterdir())) == 1


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(entry: str, *, name: str) -> None:
        raise ProcessError("no more processes")

    monkeypatch.setattr(launch, "launch", refuse)
    assert by_name()["start"].detail == "no more processes"


def test_the_process_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "__name__", "no_such_module")
    told = by_name()["start"]
    assert told.status == "warning"
    assert told.detail.startswith("a process exited with code 1 | ")
    assert "No module named 'no_such_module'" in told.detail


@pytest.mark.parametrize("platform", ["emscripten", "win32"])
def test_elsewhere(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    (check,) = doctor.checks(clean=True)
    assert check.status == "missing"
