"""What dead sessions leave goes, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from remotemedia_native.process import janitor, names
from remotemedia_native.process.errors import ProcessError
from remotemedia_native.process.names import Owner, owner, prefix
from remotemedia_native.process.vitals import start_time

OWNER = """
import os, sys
from remotemedia_native.process.names import prefix
print(prefix(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def process_with_a_session() -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def fill(folder: Path, *starts: str) -> set[str]:
    """As sessions do: files, and a folder with something in it; their paths."""
    made = set()
    for start in starts:
        for name in (start, f"{start}_node_output", f"{start}_a_input_0.data"):
            (folder / name).write_bytes(b"x" * 10_000)
            made.add(str(folder / name))
        (folder / f"{start}_root" / "deep").mkdir(parents=True)
        (folder / f"{start}_root" / "deep" / "file").touch()
        made.add(str(folder / f"{start}_root"))
    return made


def test_names() -> None:
    first, second = prefix(), prefix()
    assert first != second
    for name in (first, f"{first}_node_input"):
        found = owner(name)
        assert found == Owner(os.getpid(), start_time(os.getpid()), names.place())
        assert not found.is_dead


@pytest.mark.parametrize(
    "name",
    [
        "",
        "rm",
        "rm_1_2",
        "rm_1_2_0123456789abcde",
        "rm_1_2_0123456789abcdef0",
        "rm_0_2_0123456789abcdef",
        "rm_x_2_0123456789abcdef",
        "rm_1_2_0123456789ABCDEF",
        "xrm_1_2_0123456789abcdef",
        "iox2_1_2_0123456789abcdef",
        "sem.mp-abc",
        "rmtest27299_71",
    ],
)
def test_names_of_others(name: str) -> None:
    assert owner(name) is None


def test_what_the_dead_left_is_removed(tmp_path: Path) -> None:
    process, dead = process_with_a_session()
    kept = fill(tmp_path, prefix())
    left = fill(tmp_path, dead)
    assert janitor.clean([tmp_path]) == []  # its owner lives
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert {str(each.path) for each in janitor.leftovers([tmp_path])} == left
    assert sum(each.size for each in janitor.leftovers([tmp_path])) >= 3 * 10_000
    assert set(janitor.clean([tmp_path])) == left  # though nobody has reaped it
    assert {str(path) for path in tmp_path.iterdir()} == kept
    assert janitor.clean([tmp_path]) == []
    end(process)


def test_an_id_that_is_used_again_is_another_owner(tmp_path: Path) -> None:
    pid, start = os.getpid(), start_time(os.getpid())
    assert start is not None
    past = prefix().replace(f"_{start}_", f"_{start - 1}_")
    assert owner(past) == Owner(pid, start - 1, names.place())
    left = fill(tmp_path, past)
    kept = fill(tmp_path, prefix())
    assert set(janitor.clean([tmp_path])) == left
    assert {str(path) for path in tmp_path.iterdir()} == kept


def test_what_is_none_of_ours_stays(tmp_path: Path) -> None:
    process, dead = process_with_a_session()
    end(process)
    pid, start = dead.split("_")[1:3]
    target = tmp_path / "precious"
    target.mkdir()
    (target / "file").touch()
    (tmp_path / f"{dead}_link").symlink_to(target)
    os.mkfifo(tmp_path / f"{dead}_fifo")
    elsewhere = f"rm_{pid}_{start}_0000000000000000"  # an id of another container
    for name in (elsewhere, f"rm_{pid}", "sem.x", f"x{dead}", f"{dead}0"):
        (tmp_path / name).touch()
    before = set(tmp_path.rglob("*"))
    assert janitor.clean([tmp_path, tmp_path / "absent"]) == []
    assert set(tmp_path.rglob("*")) == before


def test_files_of_another_user_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process, dead = process_with_a_session()
    end(process)
    fill(tmp_path, dead)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert janitor.clean([tmp_path]) == []


def test_several_janitors_at_once(tmp_path: Path) -> None:
    process, dead = process_with_a_session()
    end(process)
    left = fill(tmp_path, *(f"{dead}_{number}" for number in range(100)))
    removed: list[list[str]] = []
    janitors = [
        threading.Thread(target=lambda: removed.append(janitor.clean([tmp_path]))) for _ in range(4)
    ]
    for thread in janitors:
        thread.start()
    for thread in janitors:
        thread.join()
    assert len(removed) == 4  # none has failed
    assert {path for paths in removed for path in paths} == left
    assert list(tmp_path.iterdir()) == []


def test_real_shared_memory() -> None:
    process, dead = process_with_a_session()
    paths = [janitor.SHARED_MEMORY / dead, Path(tempfile.gettempdir()) / f"{dead}_a"]
    paths[0].write_bytes(b"x")
    paths[1].mkdir()
    janitor.clean()
    assert all(path.exists() for path in paths)
    os.kill(process.pid, signal.SIGKILL)
    end(process)
    assert {*map(str, paths)} <= {*janitor.clean()}
    assert not any(path.exists() for path in paths)


def test_root(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = names.root()
    assert path.parent == temporary
    assert path.stat().st_mode & 0o777 == 0o700
    assert names.root() == path
    left = fill(path, prefix())
    monkeypatch.setattr(janitor, "SHARED_MEMORY", temporary / "shm")
    assert janitor.clean() == []
    monkeypatch.setattr(names, "start_time", lambda pid: None)  # this process has died
    assert set(janitor.clean()) == left
    path.rmdir()
    path.symlink_to(temporary / "elsewhere")
    (temporary / "elsewhere").mkdir()
    with pytest.raises(ProcessError, match="belongs to another user"):
        names.root()


def test_owners_whose_start_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "start_time", lambda pid: None)
    own = owner(prefix())
    assert own is not None
    assert own.start == 0
    assert not own.is_dead
    process, _ = process_with_a_session()
    end(process)
    assert own._replace(pid=process.pid).is_dead
    assert not own._replace(pid=process.pid, place="00000000").is_dead
