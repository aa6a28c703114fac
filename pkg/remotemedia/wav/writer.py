"""WavWriter: writes a WAV file, valid whenever it stops."""

from __future__ import annotations

import struct
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from remotemedia.errors import DataError
from remotemedia.wav.encoding import EXTENSIBLE, FLOAT, PCM, Encoding, encode

_UNKNOWN = 0xFFFFFFFF
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_DS64 = 28  # bytes of that chunk

CHANNEL_MASKS = {1: 0x4, 2: 0x3, 3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3F, 7: 0x70F, 8: 0x63F}
"""Number of channels → their loudspeakers, for WAVE_FORMAT_EXTENSIBLE."""

WRITABLE = (
    Encoding.PCM8,
    Encoding.PCM16,
    Encoding.PCM24,
    Encoding.PCM32,
    Encoding.FLOAT32,
)

_OF_DTYPE = {
    np.dtype(np.uint8): Encoding.PCM8,
    np.dtype(np.int16): Encoding.PCM16,
    np.dtype(np.int32): Encoding.PCM32,
}


class WavWriter:
    """Writes blocks of samples to a file.

    Where the file can seek, `finish` fills in its length, and beyond 4 GiB it becomes an RF64 file
    (EBU Tech 3306). Where it cannot, as in a pipe, the length is 0xFFFFFFFF: "until it ends".

    Parameters
    ----------
    file : binary file
        Written from where it stands; not closed.
    sample_rate, channels : int
        Hz, and how many.
    encoding : Encoding
        How samples are stored; one of `WRITABLE`.
    seekable : bool
        Whether to go back and fill in the length.

    Attributes
    ----------
    frames : int
        Written so far, samples per channel.
    clipped : int
        Samples that were beyond full scale.
    """

    def __init__(
        self,
        file: BinaryIO,
        sample_rate: int,
        channels: int,
        encoding: Encoding = Encoding.PCM16,
        *,
        seekable: bool = True,
    ) -> None:
        if encoding not in WRITABLE:
            raise DataError(f"WAV files are written as {', '.join(WRITABLE)}, not as {encoding}")
        self.sample_rate = sample_rate
        self.channels = channels
        self.encoding = encoding
        self.frames = 0
        self.clipped = 0
        self._file = file
        self._seekable = seekable
        self._start = file.tell() if seekable else 0
        file.write(self._header())

    def write(self, samples: NDArray[np.generic]) -> None:
        """Append a block.

        Parameters
        ----------
        samples : np.ndarray [shape=(channels, frames), dtype=float32, int16, int32, uint8]
            Floats are rounded to the encoding and saturated; integers are those of ``pcm16``,
            ``pcm32`` and ``pcm8``, and scaled to another encoding.
        """
        own = _OF_DTYPE.get(samples.dtype)
        if own is self.encoding:
            raw = np.ascontiguousarray(samples.T).astype(samples.dtype.newbyteorder("<")).tobytes()
        else:
            raw, clipped = encode(_as_float(samples), self.encoding)
            self.clipped += clipped
        self._file.write(raw)
        self.frames += samples.shape[1]

    def finish(self) -> None:
        """Fill in the length; the file stands at its end."""
        size = self.frames * self.channels * self.encoding.size
        if self._seekable:
            self._file.write(b"\0" * (size % 2))  # chunks begin at even places
            self._file.seek(self._start)
            self._file.write(self._header(size))
            self._file.seek(0, 2)

    def _header(self, size: int | None = None) -> bytes:
        """The bytes before the samples: as many before the length is known as after."""
        form = self._format()
        between = b""
        if self.encoding is Encoding.FLOAT32:
            between = struct.pack("<4sII", b"fact", 4, min(self.frames, _UNKNOWN))
        inside = 4 + (8 + _DS64 if self._seekable else 0) + 8 + len(form) + len(between) + 8
        riff, data, name = _UNKNOWN, _UNKNOWN, b"RIFF"
        spare = struct.pack("<4sI28x", b"JUNK", _DS64)
        if size is not None:
            whole = inside + size + size % 2
            if whole < _UNKNOWN:
                riff, data = whole, size
            else:
                name = b"RF64"
                spare = struct.pack("<4sIQQQI", b"ds64", _DS64, whole, size, self.frames, 0)
        if not self._seekable:
            spare = b""
        return (
            struct.pack("<4sI4s", name, riff, b"WAVE")
            + spare
            + struct.pack("<4sI", b"fmt ", len(form))
            + form
            + between
            + struct.pack("<4sI", b"data", data)
        )

    def _format(self) -> bytes:
        tag = FLOAT if self.encoding is Encoding.FLOAT32 else PCM
        size, channels, rate = self.encoding.size, self.channels, self.sample_rate
        common = (channels, rate, rate * channels * size, channels * size, 8 * size)
        if channels <= 2:  # for all readers; some know no WAVE_FORMAT_EXTENSIBLE
            plain = struct.pack("<HHIIHH", tag, *common)
            return plain if tag == PCM else plain + b"\0\0"
        mask = CHANNEL_MASKS.get(channels, 0)
        return struct.pack("<HHIIHHHHIH", EXTENSIBLE, *common, 22, 8 * size, mask, tag) + _GUID_TAIL


def _as_float(samples: NDArray[np.generic]) -> NDArray[np.float32]:
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) * np.float32(2**-7)
    if samples.dtype == np.int16:
        return samples.astype(np.float32) * np.float32(2**-15)
    if samples.dtype == np.int32:
        return samples.astype(np.float32) * np.float32(2**-31)
    return samples.astype(np.float32, copy=False)
