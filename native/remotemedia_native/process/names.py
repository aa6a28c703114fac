"""Names of what a session leaves on the host, by which a stranger can tell whether it still lives.

A name is ``rm_{pid}_{start}_{place}{random}`` and what follows. `start` is when the process of that
id was started, for ids are used again. `place` is the namespace in which the id means anything:
containers may share /dev/shm, and not see each other's processes.
"""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

from remotemedia_native.process.errors import ProcessError
from remotemedia_native.process.vitals import start_time

_PATTERN = re.compile(r"rm_([1-9]\d{0,9})_(\d{1,20})_([0-9a-f]{8})[0-9a-f]{8}(?![0-9a-f])")


class Owner(NamedTuple):
    """Whose a name is.

    Attributes
    ----------
    pid : int
        Process id.
    start : int
        When that was started, see `start_time`; 0 if it could not be known.
    place : str
        Where the id means anything.
    """

    pid: int
    start: int
    place: str

    @property
    def is_dead(self) -> bool:
        """Whether it surely lives no more; a process that cannot be seen from here may live."""
        if self.place != place():
            return False
        if self.start:
            return start_time(self.pid) != self.start
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return False


def prefix() -> str:
    """A new one for a session of this process."""
    pid = os.getpid()
    return f"rm_{pid}_{start_time(pid) or 0}_{place()}{secrets.token_hex(4)}"


def owner(name: str) -> Owner | None:
    """Whose a name is; None if it is none of ours."""
    found = _PATTERN.match(name)
    return Owner(int(found[1]), int(found[2]), found[3]) if found else None


@cache
def place() -> str:
    """The namespace of process ids, 8 hexadecimal digits."""
    try:
        inode = os.stat("/proc/self/ns/pid").st_ino
    except OSError:  # not Linux: there is one
        inode = 0
    return f"{inode & 0xFFFF_FFFF:08x}"


def root() -> Path:
    """The folder for what is not in shared memory; this user's own, made if need be.

    Raises
    ------
    ProcessError
        Somebody else made it.
    """
    path = root_path()
    path.mkdir(mode=0o700, exist_ok=True)
    about = path.lstat()
    if path.is_symlink() or about.st_uid != os.geteuid():
        raise ProcessError(f"{path} belongs to another user: remove it, or set TMPDIR")
    return path


def root_path() -> Path:
    """Where `root` is, made or not."""
    return Path(tempfile.gettempdir()) / f"remotemedia-shm-{os.geteuid()}"
