"""How much memory to share a host has, and claiming it before it is written to.

Files in /dev/shm are sparse: a page that does not exist yet is made by the first write to it, and
if there is none left that write is a SIGBUS, which no process survives. So pages are claimed first.
"""

from __future__ import annotations

import errno
import os
import sys

from remotemedia_native.shm.errors import SharedMemoryFullError

FOLDER = "/dev/shm"


def free_bytes() -> int:
    """What is free; a very large number where that cannot be asked."""
    try:
        found = os.statvfs(FOLDER)
    except (AttributeError, OSError):
        return sys.maxsize
    return found.f_bavail * found.f_frsize


def claim(fd: int, offset: int, length: int, topic: str) -> None:
    """Make the pages of a part of a file exist; it grows if it must.

    Raises
    ------
    SharedMemoryFullError
        There are not so many; some of them may exist now.
    """
    if not length:
        return
    if not hasattr(os, "posix_fallocate"):  # macOS, where pages are not of a file system
        if os.fstat(fd).st_size < offset + length:
            os.ftruncate(fd, offset + length)
        return
    try:
        os.posix_fallocate(fd, offset, length)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.ENOMEM, errno.EFBIG):
            raise
        raise SharedMemoryFullError(topic, length, free_bytes()) from error
