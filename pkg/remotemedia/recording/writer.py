"""Writes one recording: a header, records as they come, and an index when it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from zlib import crc32

import msgspec
import numpy as np

from remotemedia.errors import RecordingError
from remotemedia.recording import layout as f

POINT_EVERY = 65_536  # bytes between two points of the index
_PADS = tuple(bytes(size) for size in range(f.ALIGNMENT))


class Sink(Protocol):
    """Where a recording is written to."""

    def write(self, content: bytes, /) -> object:
        """Append all of it."""


class Writer:
    """Appends records to a sink; what is written is never changed again.

    Parameters
    ----------
    sink : Sink
        Where the first file goes.
    header : Header
        Its part is counted on.
    max_bytes : int, optional
        Largest size of a file, its index included.
    next_sink : callable, optional
        Gives the sink of the part whose number it is called with, once a file is full.

    Raises
    ------
    RecordingError
        Already the header exceeds `max_bytes`.
    """

    def __init__(
        self,
        sink: Sink,
        header: f.Header,
        *,
        max_bytes: int | None = None,
        next_sink: Callable[[int], Sink] | None = None,
    ) -> None:
        self._sink = sink
        self._header = header
        self._max_bytes = max_bytes
        self._next_sink = next_sink
        self._sound = True
        self._size = self._last_us = self._last_point = 0
        self._points: list[tuple[int, int]] = []
        self._begin()

    def write(self, kind: int, time_us: int, head: bytes, body: Any = b"") -> None:
        """Append a record of two parts, the second bytes or a C-contiguous array.

        Raises
        ------
        RecordingError
            It is too large, or the file is full and there is no next one.
        """
        length = len(head) + (len(body) if isinstance(body, bytes) else body.nbytes)
        if length > f.MAX_BODY:
            raise RecordingError(f"a record has at most {f.MAX_BODY:,} bytes, not {length:,}")
        if self._full_with(length, 0 if kind == f.CLOSED else 1):
            self._rotate(length)
        self._append(kind, time_us, length, head, body)

    def close(self) -> None:
        """Write the index. Without effect after a write that failed: what is there stays valid."""
        if self._sound:
            offset = self._size
            points = b"".join(f.POINT.pack(*point) for point in self._points)
            end = f.END.pack(offset, f.END_MAGIC)
            self._append(f.INDEX, self._last_us, len(points) + len(end), points, end)
            self._sound = False

    def _begin(self) -> None:
        self._size = self._last_us = self._last_point = 0
        self._points = []
        packed = msgspec.msgpack.encode(self._header)
        if len(packed) > f.MAX_HEADER or self._full_with(f.START.size + len(packed)):
            raise RecordingError(
                f"the header of a recording, which holds the manifest, has {len(packed):,} bytes: "
                f"a file takes {self._max_bytes or f.MAX_HEADER:,}"
            )
        self._put(f.START.pack(f.MAGIC, f.VERSION, 0))
        self._append(f.HEADER, 0, len(packed), packed, b"")

    def _append(self, kind: int, time_us: int, length: int, head: bytes, body: Any) -> None:
        place = f.PLACE.pack(length, time_us, kind)
        check = f.CHECK.pack(crc32(body, crc32(head, crc32(place))))
        if kind not in f.FRAMES or self._size >= self._last_point + POINT_EVERY:
            self._last_point = self._size
            self._points.append((time_us, self._size))
        self._last_us = time_us
        if isinstance(body, np.ndarray):
            body = body.data
        self._put(b"".join((check, place, head, body, _PADS[f.padding(length)])))

    def _put(self, content: bytes) -> None:
        self._sound = False  # until all of it is written: behind half a record nothing is found
        self._sink.write(content)
        self._sound = True
        self._size += len(content)

    def _full_with(self, length: int, marks: int = 1) -> bool:
        """Whether a record of that length, some marks and the index are too much."""
        if self._max_bytes is None:
            return False
        size = self._size + f.RECORD + length + f.padding(length) + marks * f.RECORD
        return size + self._index_size(len(self._points) + 1 + marks) > self._max_bytes

    def _index_size(self, points: int) -> int:
        size = points * f.POINT.size + f.END.size
        return f.RECORD + size + f.padding(size)

    def _rotate(self, length: int) -> None:
        self.close()
        if self._next_sink is None:
            raise RecordingError(f"the recording has reached its {self._max_bytes:,} bytes")
        self._header = msgspec.structs.replace(self._header, part=self._header.part + 1)
        self._sink = self._next_sink(self._header.part)
        self._begin()
        if self._full_with(length):
            self.close()
            raise RecordingError(
                f"a record of {length:,} bytes does not fit into a file of {self._max_bytes:,}"
            )
