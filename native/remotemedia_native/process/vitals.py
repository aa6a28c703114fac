"""What the system knows of a running process."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_STATE, _START, _RSS = 0, 19, 21  # after the name in /proc/PID/stat; see man 5 proc


class Vitals(NamedTuple):
    """Of one process, now.

    Attributes
    ----------
    resident : int
        Memory that it occupies, bytes, shared memory included.
    stopped : bool
        Whether SIGSTOP or a terminal stopped it; a debugger does not count.
    """

    resident: int
    stopped: bool


def vitals(pid: int) -> Vitals | None:
    """Of that process; None if it is gone, or nothing can be known here."""
    if sys.platform == "linux":
        fields = _fields(pid)
        return Vitals(int(fields[_RSS]) * _PAGE, fields[_STATE] == b"T") if fields else None
    try:
        import psutil
    except ImportError:
        return None
    try:
        process = psutil.Process(pid)
        return Vitals(process.memory_info().rss, process.status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return None


def start_time(pid: int) -> int | None:
    """When it started; a number that no other process of that id has, None if there is none.

    Also None where nothing can be known, which is nowhere if psutil is installed.
    """
    if sys.platform == "linux":
        fields = _fields(pid)
        return int(fields[_START]) if fields and fields[_STATE] not in b"ZX" else None
    try:
        import psutil
    except ImportError:
        return None
    try:
        return round(psutil.Process(pid).create_time() * 1000)
    except psutil.Error:
        return None


def _fields(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            return file.read(1024).rpartition(b") ")[2].split()
    except OSError:
        return []
