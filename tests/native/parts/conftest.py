"""Shared by the tests of process nodes."""

from __future__ import annotations

import gc
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

SHM = Path("/dev/shm")


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No process of ours, no file of ours in shared memory, no open file more than before."""
    gc.collect()  # a file that an earlier test let go of may be in a cycle
    fds = Counter(open_files())
    yield
    gc.collect()
    mine = f"rm_{os.getpid()}_"
    assert not [file.name for file in SHM.iterdir() if file.name.startswith(mine)]
    assert not children(), "processes are left"
    assert not Counter(open_files()) - fds


def open_files() -> list[str]:
    """What each descriptor stands for, but for numbers that change."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found.append(re.sub(r"\d+", "", os.readlink(f"/proc/self/fd/{fd}")))
    return sorted(found)


def children() -> list[str]:
    """The processes that this one has started and that live."""
    pids = " ".join(
        (task / "children").read_text() for task in Path("/proc/self/task").iterdir()
    ).split()
    lines = [Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in pids]
    return [line for line in lines if "remotemedia_native" in line]
