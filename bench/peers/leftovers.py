"""Files that a peer leaves in shared memory, so that a benchmark can take them away again.

Standard library only.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path


def mapped(pattern: str) -> set[Path]:
    """The files in /dev/shm that this process and its descendants map.

    Parameters
    ----------
    pattern : str
        Of their names.
    """
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            parents[folder.name] = (folder / "stat").read_text().rpartition(")")[2].split()[1]
    ours = {str(os.getpid())}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    found: set[Path] = set()
    for pid in ours:
        with suppress(OSError):
            maps = Path("/proc", pid, "maps").read_text()
            found.update(map(Path, re.findall(rf"(/dev/shm/{pattern})$", maps, re.MULTILINE)))
    return found


def remove(files: set[Path]) -> None:
    """Those that are still there."""
    for file in files:
        file.unlink(missing_ok=True)
