"""Removes what dead sessions have left in shared memory and in temporary folders.

Nothing of a living process, of another user or of anybody else's making is touched. Several
janitors at once do no harm.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from remotemedia_native.process.names import Owner, owner, root_path

SHARED_MEMORY = Path("/dev/shm")


class Leftover:
    """A file or folder of a dead session.

    Attributes
    ----------
    path : Path
        Where it is.
    size : int
        What the file occupies, bytes; 0 for a folder.
    """

    __slots__ = ("is_folder", "path", "size")

    def __init__(self, path: Path, is_folder: bool, size: int) -> None:
        self.path = path
        self.is_folder = is_folder
        self.size = size

    def remove(self) -> bool:
        """Remove it; False if another was faster, or it cannot be."""
        if self.is_folder:
            shutil.rmtree(self.path, ignore_errors=True)  # another may be at it, too
            return not self.path.exists()
        try:
            self.path.unlink()
        except OSError:
            return False
        return True


def folders() -> tuple[Path, ...]:
    """Where sessions leave things."""
    # TMPDIR may be in shared memory.
    return tuple(dict.fromkeys((SHARED_MEMORY, root_path(), Path(tempfile.gettempdir()))))


def leftovers(places: Sequence[Path] | None = None) -> Iterator[Leftover]:
    """What the dead have left, in these folders or in all."""

    @cache
    def is_dead(owned_by: Owner) -> bool:
        return owned_by.is_dead

    user = os.geteuid()
    for folder in folders() if places is None else places:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            owned_by = owner(name)
            if owned_by is None or not is_dead(owned_by):
                continue
            path = folder / name
            try:
                about = path.lstat()
            except OSError:
                continue
            is_folder = stat.S_ISDIR(about.st_mode)
            if about.st_uid == user and (is_folder or stat.S_ISREG(about.st_mode)):
                yield Leftover(path, is_folder, 0 if is_folder else about.st_blocks * 512)


def clean(places: Sequence[Path] | None = None) -> list[str]:
    """Remove it; gives the paths of what this call has removed."""
    return [str(each.path) for each in leftovers(places) if each.remove()]
