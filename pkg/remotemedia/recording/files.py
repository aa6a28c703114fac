"""Recordings as files: written in parts, read through memory maps."""

from __future__ import annotations

import os
from typing import BinaryIO

from remotemedia.errors import RecordingError
from remotemedia.recording.reader import Recording


class FileParts:
    """The sink of a recording in files: ``talk.rmrec``, ``talk.1.rmrec``, …

    Written without a buffer: a process that is killed loses nothing that was recorded.

    Parameters
    ----------
    path : str
        The first file; it is overwritten.
    max_files : int, optional
        How many are kept: the oldest are deleted.

    Raises
    ------
    OSError
        It cannot be written.
    """

    def __init__(self, path: str, max_files: int | None = None) -> None:
        if max_files is not None and max_files < 1:
            raise RecordingError(f"max_files is at least 1, not {max_files}")
        self.paths = [path]
        self._path = path
        self._max_files = max_files
        self._file: BinaryIO = open(path, "wb", buffering=0)  # noqa: SIM115 - closed by `close`

    def write(self, content: bytes) -> None:
        """Append all of it."""
        view = memoryview(content)
        while view:
            view = view[self._file.write(view) :]  # a disk that fills up takes a part first

    def next(self, part: int) -> FileParts:
        """Go on in the next file: the `next_sink` of a recorder."""
        self._file.close()
        base, extension = os.path.splitext(self._path)
        path = f"{base}.{part}{extension}"
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115
        self.paths.append(path)
        while self._max_files is not None and len(self.paths) > self._max_files:
            os.unlink(self.paths.pop(0))
        return self

    def close(self) -> None:
        """Close the file that is written."""
        self._file.close()


def open_recording(*paths: str, index: bool = True) -> Recording:
    """Read a recording without copying it into memory.

    Parameters
    ----------
    *paths : str
        Its files, in order.
    index : bool
        Whether to trust the index; see `Recording`.

    Raises
    ------
    OSError, RecordingError
        It cannot be read.
    """
    return Recording(*map(_contents, paths), index=index, names=paths)


def _contents(path: str) -> bytes | memoryview:
    import mmap

    with open(path, "rb") as file:
        try:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError):  # empty, a pipe, or a file system that has no maps
            return file.read()
