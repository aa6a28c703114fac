"""Shared by the tests of process nodes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

SHM = Path("/dev/shm")


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No process of ours, no file of ours in shared memory, no open file more than before."""
    fds = len(os.listdir("/proc/self/fd"))
    yield
    mine = f"rm_{os.getpid()}_"
    assert not [file.name for file in SHM.iterdir() if file.name.startswith(mine)]
    assert not children(), "processes are left"
    assert len(os.listdir("/proc/self/fd")) <= fds


def children() -> list[str]:
    """The processes that this one has started and that live."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            found.append(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "))
    return [line for line in found if "remotemedia_native" in line]
