"""WavDecoder: from the bytes of a WAV file, as they arrive, to blocks of samples."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from remotemedia.errors import MediaFileError
from remotemedia.wav.encoding import EXTENSIBLE, Encoding, decode, find_encoding

MAX_FORMAT = 65_536  # bytes of a fmt or ds64 chunk; the longest in use have 40 and some 100
MAX_EARLY_DATA = 16 << 20  # bytes of samples held back while the fmt chunk has not come
MAX_BLOCK = 16 << 20  # bytes of one block, whatever rate and channels say
_UNKNOWN = 0xFFFFFFFF
PLACEHOLDERS = (_UNKNOWN, 0x7FFFFFFF, 0x7FFFF000, 0x80000000)
"""Lengths that programs write into a stream, whose length they do not know."""
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")  # of a subformat, after the tag

OTHER_FILES = {
    b"ID3": "an MP3",
    b"\xff\xfb": "an MP3",
    b"\xff\xf3": "an MP3",
    b"OggS": "an Ogg",
    b"fLaC": "a FLAC",
    b"FORM": "an AIFF",
    b"caff": "a CAF",
    b"riff": "a Wave64",
    b"\x1aE\xdf\xa3": "a Matroska or WebM",
}
"""How files of other formats begin."""


def other_format(start: bytes) -> str:
    """What the first bytes of a file that is no WAV file tell; empty if nothing."""
    if start[4:8] == b"ftyp":
        return "an MP4"
    return next((name for mark, name in OTHER_FILES.items() if start.startswith(mark)), "")


class WavInfo(msgspec.Struct, frozen=True):
    """What the header of a WAV file says.

    Attributes
    ----------
    encoding : Encoding
        How samples are stored.
    sample_rate, channels : int
        Hz, and how many.
    frames : int or None
        Length, samples per channel; None where the header does not know, as in streams.
    """

    encoding: Encoding
    sample_rate: int
    channels: int
    frames: int | None


class WavDecoder:
    """Takes the bytes of a WAV file in pieces of any size and gives blocks of samples.

    Reads RIFF, RIFX (big-endian), RF64 and BW64; PCM of 8, 16, 24 and 32 bits, float of 32 and 64,
    A-law and µ-law, plain or as WAVE_FORMAT_EXTENSIBLE; chunks in any order. A length of 0 or
    0xFFFFFFFF, as in files that are streamed or were never finished, means all there is. A file
    that is cut short gives what is there, and a warning. Memory does not grow with the file.

    Parameters
    ----------
    block_ms : float
        Length of a block, ms; the last one may be shorter.
    file_size : int, optional
        Bytes of the whole file if they are known, to tell the real length of one that is cut short.

    Attributes
    ----------
    info : WavInfo or None
        Once the header has been read.
    warnings : list of str
        What is wrong with the file but can be read past.
    """

    def __init__(self, block_ms: float = 20, file_size: int | None = None) -> None:
        self.info: WavInfo | None = None
        self.warnings: list[str] = []
        self._block_ms = block_ms
        self._file_size = file_size
        self._buffer = bytearray()
        self._offset = 0  # of the buffer in the file
        self._order = "<"
        self._riff_end: int | None = None
        self._long_size: int | None = None  # of the data chunk, from ds64
        self._state = "riff"
        self._skip = 0
        self._size = 0  # of the data chunk
        self._left: int | None = None  # of it; None: until the file ends
        self._early: bytes | None = None
        self._block = 0
        self._format: tuple[Encoding, int, int] | None = None

    def feed(self, piece: bytes) -> Iterator[NDArray[np.float32]]:
        """Take the next bytes; gives the blocks that they complete.

        Yields
        ------
        np.ndarray [shape=(channels, frames), dtype=float32]
            Full scale is ±1.

        Raises
        ------
        MediaFileError
            The bytes are no WAV file, or one of an encoding that is not read here.
        """
        self._buffer += piece
        while self._state in ("riff", "chunks", "early data") and self._step():
            pass
        if self._state == "data":
            yield from self._blocks()
        if self._state == "done":
            self._consume(len(self._buffer))

    def finish(self) -> Iterator[NDArray[np.float32]]:
        """End of the file; gives the last, shorter block."""
        if self._state in ("riff", "chunks", "early data"):
            if self._early is not None:
                raise self._error("it has samples but no fmt chunk that says what they are")
            if not self._offset and not self._buffer:
                raise self._error("it is empty")
            raise self._error("it ends before the samples begin")
        if self._state == "data":
            if self._left:
                there = self._size - self._left + len(self._buffer)
                self.warnings.append(
                    f"it is cut short: {there:,} of {self._size:,} bytes of samples"
                )
            self._state = "done"
            yield from self._take(len(self._buffer))

    # -- header ------------------------------------------------------------------------------

    def _step(self) -> bool:
        """Read one part of the header; False if more bytes are needed."""
        if self._skip:
            gone = min(self._skip, len(self._buffer))
            self._consume(gone)
            self._skip -= gone
            return not self._skip
        if self._state == "riff":
            return self._riff()
        if self._state == "early data":
            return self._hold()
        return self._chunk()

    def _riff(self) -> bool:
        buffer = self._buffer
        if len(buffer) >= 4 and bytes(buffer[:4]) not in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
            raise self._no_wav()
        if len(buffer) < 12:
            return False
        self._order = ">" if buffer[:4] == b"RIFX" else "<"
        (size,) = struct.unpack_from(f"{self._order}I", buffer, 4)
        if buffer[8:12] != b"WAVE":
            raise self._error(f"it is RIFF, but of type {bytes(buffer[8:12])!r}, not WAVE")
        self._riff_end = size + 8 if size not in (0, _UNKNOWN) else None
        self._consume(12)
        self._state = "chunks"
        return True

    def _chunk(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 8:
            return False
        name = bytes(buffer[:4])
        (size,) = struct.unpack_from(f"{self._order}I", buffer, 4)
        if not all(32 <= byte < 127 for byte in name):
            raise self._error(f"it is damaged: a chunk is called {name!r}")
        if name == b"data":
            self._consume(8)
            self._data(size)
            return True
        if name in (b"fmt ", b"ds64"):
            if size > MAX_FORMAT:
                raise self._error(
                    f"it is damaged: its {name.decode().strip()} chunk has {size:,} bytes"
                )
            if len(buffer) < 8 + size:
                return False
            content = bytes(buffer[8 : 8 + size])
            (self._read_format if name == b"fmt " else self._read_sizes)(content)
            if self._early is not None and self._format is not None:
                buffer[:] = self._early
                self._begin_data(self._offset)
                return False
        self._consume(8)
        self._skip = size + size % 2  # chunks begin at even places
        return True

    def _read_sizes(self, content: bytes) -> None:
        if len(content) < 16:
            raise self._error(f"its ds64 chunk has {len(content)} bytes: too short")
        riff_size, data_size = struct.unpack_from(f"{self._order}QQ", content)
        self._riff_end = riff_size + 8 if riff_size else None
        self._long_size = data_size

    def _read_format(self, content: bytes) -> None:
        if len(content) < 16:
            raise self._error(f"its fmt chunk has {len(content)} bytes: too short")
        tag, channels, rate, _, align, bits = struct.unpack_from(f"{self._order}HHIIHH", content)
        if tag == EXTENSIBLE and len(content) >= 40 and content[26:40] == _GUID_TAIL:
            (tag,) = struct.unpack_from(f"{self._order}H", content, 24)
        if not channels or not rate:
            raise self._error(f"its fmt chunk says {channels} channels at {rate} Hz")
        # The container counts, not the valid bits in it: they are its upper ones.
        size = align // channels if align and align % channels == 0 else -(-bits // 8)
        self._format = find_encoding(tag, size), rate, channels

    def _data(self, size: int) -> None:
        if size == _UNKNOWN and self._long_size is not None:
            size = self._long_size
        # A length of 0 in a file that has nothing more inside its RIFF was never filled in.
        unfinished = size == 0 and (self._riff_end is None or self._riff_end <= self._offset)
        self._left = None if unfinished or size in PLACEHOLDERS else size
        self._size = size
        if self._format is not None:
            self._begin_data(self._offset)
        elif self._left is None or size > MAX_EARLY_DATA:
            raise self._error(
                "its samples come before its fmt chunk, and are too many to hold back: "
                "rewrite it, e.g. sox IN.wav OUT.wav"
            )
        else:
            self._state = "early data"

    def _hold(self) -> bool:
        """Samples came before their format: keep them until it is known."""
        whole = self._size + self._size % 2
        if len(self._buffer) < whole:
            return False
        self._early = bytes(self._buffer[: self._size])
        self._consume(whole)
        self._state = "chunks"
        return True

    def _begin_data(self, at: int) -> None:
        encoding, rate, channels = self._known()
        frame = encoding.size * channels
        size = self._left
        if self._file_size is not None and self._early is None:
            there = max(0, self._file_size - at)
            size = there if size is None else min(size, there)
        self.info = WavInfo(encoding, rate, channels, None if size is None else size // frame)
        frames = max(1, round(rate * self._block_ms / 1000))
        self._block = frame * max(1, min(frames, MAX_BLOCK // frame))
        self._state = "data"

    # -- samples -----------------------------------------------------------------------------

    def _blocks(self) -> Iterator[NDArray[np.float32]]:
        while self._left != 0:
            size = self._block if self._left is None else min(self._block, self._left)
            if len(self._buffer) < size:
                return
            yield from self._take(size)
        self._state = "done"

    def _take(self, size: int) -> Iterator[NDArray[np.float32]]:
        """The next bytes as samples: a block, or all that is left."""
        encoding, _, channels = self._known()
        odd = size % (encoding.size * channels)
        if odd:
            self.warnings.append(f"its last {odd} bytes are no whole sample")
        if size > odd:
            flat = decode(bytes(self._buffer[: size - odd]), encoding, self._order)
            yield np.ascontiguousarray(flat.reshape(-1, channels).T)
        self._consume(size)
        if self._left is not None:
            self._left -= size

    def _consume(self, size: int) -> None:
        del self._buffer[:size]
        self._offset += size

    def _known(self) -> tuple[Encoding, int, int]:
        if self._format is None:
            raise self._error("it has no fmt chunk")
        return self._format

    def _no_wav(self) -> MediaFileError:
        other = other_format(bytes(self._buffer[:12]))
        what = f"it is {other} file" if other else f"it starts with {bytes(self._buffer[:4])!r}"
        return self._error(f"it is no WAV file: {what}; convert it, e.g. ffmpeg -i IN OUT.wav")

    def _error(self, message: str) -> MediaFileError:
        place = f" (at byte {self._offset:,})" if self._offset else ""
        return MediaFileError(message + place)
