"""Frames out of a stream of bytes: a file of them, or whatever pieces a socket delivers."""

from __future__ import annotations

from collections.abc import Iterator

from remotemedia.errors import WireError
from remotemedia.wire.frame import (
    HEAD_SIZE,
    MAX_FRAME,
    REST,
    START,
    TYPE_BYTES,
    Buffer,
    read_head,
    read_only,
    unknown_type,
)


def split(buffer: Buffer, max_frame: int = MAX_FRAME) -> Iterator[memoryview]:
    """The frames of a buffer that holds whole frames and nothing else, as read-only views.

    Raises
    ------
    WireError
        At the first frame that is cut, larger than `max_frame` bytes, or of unknown type. The
        offset counts from the start of that frame.
    """
    view = memoryview(read_only(buffer))
    pos = 0
    while pos < len(view):
        size = _frame_size(view, pos, max_frame)
        if not size or pos + size > len(view):
            raise _cut(view[pos:])
        yield view[pos : pos + size]
        pos += size


class FrameReader:
    """Cuts a stream of bytes into frames, however the stream was cut before.

    Keeps at most one unfinished frame: `max_frame` bytes. After an error it stays broken, for the
    place where the next frame starts is lost.

    Parameters
    ----------
    max_frame : int
        Largest frame to take, in bytes.
    """

    def __init__(self, max_frame: int = MAX_FRAME) -> None:
        self.max_frame = max_frame
        self._rest = bytearray()
        self._needed = 0  # size of the unfinished frame; 0 while its head is not whole
        self._error: WireError | None = None

    @property
    def buffered(self) -> int:
        """Bytes of the unfinished frame that are here."""
        return len(self._rest)

    def feed(self, chunk: Buffer) -> list[bytes]:
        """Take the next bytes of the stream, and give the frames that they complete.

        Raises
        ------
        WireError
            When the next frame is larger than `max_frame` or of unknown type. The frames before it
            in this chunk are lost: the stream is of no use any more.
        """
        if self._error is not None:
            raise self._error
        view = memoryview(read_only(chunk))
        try:
            return self._take(view)
        except WireError as error:
            self._error = error
            self._rest.clear()
            raise

    def finish(self) -> None:
        """Say that the stream has ended.

        Raises
        ------
        WireError
            When it ended inside a frame.
        """
        if self._error is not None:
            raise self._error
        if self._rest:
            raise _cut(memoryview(bytes(self._rest)))

    def _take(self, view: memoryview) -> list[bytes]:
        frames: list[bytes] = []
        pos = 0
        rest = self._rest
        while rest and pos < len(view):
            if not self._needed:
                # Only as much as completes the head, so that what follows is not copied twice.
                wanted = HEAD_SIZE
                if len(rest) >= START.size:
                    wanted += START.unpack_from(rest)[1]
                pos = self._move(view, pos, max(wanted - len(rest), 1))
                self._needed = _frame_size(rest, 0, self.max_frame)
            else:
                pos = self._move(view, pos, self._needed - len(rest))
            if len(rest) == self._needed:
                frames.append(bytes(rest))
                rest.clear()
                self._needed = 0
        while pos < len(view):
            size = _frame_size(view, pos, self.max_frame)
            if not size or pos + size > len(view):
                self._needed = size
                rest += view[pos:]
                break
            frames.append(bytes(view[pos : pos + size]))
            pos += size
        return frames

    def _move(self, view: memoryview, pos: int, count: int) -> int:
        end = min(pos + count, len(view))
        self._rest += view[pos:end]
        return end


def _frame_size(view: memoryview | bytearray, pos: int, max_frame: int) -> int:
    """Size of the frame at `pos`, or 0 while too little of it is there to say."""
    code = view[pos]
    if code not in TYPE_BYTES:
        raise WireError(unknown_type(code), "type", 0)
    here = len(view) - pos
    if here < START.size:
        return 0
    start = HEAD_SIZE + START.unpack_from(view, pos)[1]
    if here < start:
        return 0
    size: int = start + REST.unpack_from(view, pos + start - REST.size)[1]
    if size > max_frame:
        raise WireError(
            f"a frame of {size} bytes, at most {max_frame} are taken", "payload_len", start - 4
        )
    return size


def _cut(view: memoryview) -> WireError:
    """The error for a stream that ends with `view`."""
    try:
        start, payload_len = read_head(view)[3:]
    except WireError as error:
        return error
    here = len(view) - start
    return WireError(
        f"cut short: {payload_len} announced, {here} are there", "payload_len", start - 4
    )
