"""Blocks of shared memory by name.

`multiprocessing.shared_memory.SharedMemory` would do, if it did not, before Python 3.13, tell a
tracker process of each block, which it starts for that, and which removes blocks that processes
attached to when one of them ends. So this is the part of it that is needed: the same calls below,
no tracker, and no descriptor kept.
"""

from __future__ import annotations

import mmap
import os
import sys

from remotemedia_native.shm.space import claim

try:
    from _posixshmem import shm_open, shm_unlink  # type: ignore[import-not-found]
except ImportError:  # Windows
    shm_open = None

if sys.version_info >= (3, 13):

    def _map(fd: int, length: int, access: int) -> mmap.mmap:
        return mmap.mmap(fd, length, access=access, trackfd=False)
else:

    def _map(fd: int, length: int, access: int) -> mmap.mmap:
        return mmap.mmap(fd, length, access=access)


def missing() -> str:
    """Why there are no blocks on this host; empty if there are."""
    return "" if shm_open else "this platform has no POSIX shared memory"


def make_block(name: str, size: int, claimed: int) -> int:
    """Make a block of zeros; its descriptor.

    Parameters
    ----------
    name : str
        Without a slash.
    size : int
        Bytes.
    claimed : int
        So many of them, from its start, surely exist; others must be claimed before use.

    Raises
    ------
    FileExistsError
        There is one of that name.
    SharedMemoryFullError
        There is not enough room.
    """
    fd: int = shm_open(f"/{name}", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        os.ftruncate(fd, size)
        claim(fd, 0, claimed, name)
    except BaseException:
        os.close(fd)
        remove_block(name)
        raise
    return fd


def open_block(name: str) -> int:
    """The descriptor of a block."""
    fd: int = shm_open(f"/{name}", os.O_RDWR, 0o600)
    return fd


def map_block(fd: int, length: int = 0, *, read_only: bool = False) -> mmap.mmap:
    """Map a block, from its start.

    It is unmapped when nothing refers to the mapping any more. Never close it: arrays made from it
    keep a reference, but would not keep `close` from taking the memory from under them.
    """
    return _map(fd, length, mmap.ACCESS_READ if read_only else mmap.ACCESS_WRITE)


def remove_block(name: str) -> bool:
    """Take away the name; who has the block mapped keeps it. Whether there was one."""
    try:
        shm_unlink(f"/{name}")
    except FileNotFoundError:
        return False
    return True
