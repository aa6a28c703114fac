"""Encodings: how WAV files store samples."""

from __future__ import annotations

import enum
import functools

import numpy as np
from numpy.typing import NDArray

from remotemedia.errors import MediaFileError

PCM, FLOAT, ALAW, MULAW, EXTENSIBLE = 0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE

OTHERS = {
    0x0002: "Microsoft ADPCM",
    0x0011: "IMA ADPCM",
    0x0031: "GSM 6.10",
    0x0050: "MPEG layer 1 or 2",
    0x0055: "MP3",
    0x00FF: "AAC",
    0x0161: "Windows Media Audio",
}
"""Format tag → name, of encodings that need a codec."""


class Encoding(enum.StrEnum):
    """How one sample is stored."""

    PCM8 = "pcm8"
    """Unsigned, 128 is zero."""
    PCM16 = "pcm16"
    PCM24 = "pcm24"
    PCM32 = "pcm32"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    ALAW = "alaw"
    MULAW = "mulaw"

    @property
    def size(self) -> int:
        """Bytes per sample."""
        return SIZES[self]


SIZES = {
    Encoding.PCM8: 1,
    Encoding.PCM16: 2,
    Encoding.PCM24: 3,
    Encoding.PCM32: 4,
    Encoding.FLOAT32: 4,
    Encoding.FLOAT64: 8,
    Encoding.ALAW: 1,
    Encoding.MULAW: 1,
}

_BY_TAG = {
    (PCM, 1): Encoding.PCM8,
    (PCM, 2): Encoding.PCM16,
    (PCM, 3): Encoding.PCM24,
    (PCM, 4): Encoding.PCM32,
    (FLOAT, 4): Encoding.FLOAT32,
    (FLOAT, 8): Encoding.FLOAT64,
    (ALAW, 1): Encoding.ALAW,
    (MULAW, 1): Encoding.MULAW,
}


def find_encoding(tag: int, size: int) -> Encoding:
    """The encoding of a format tag and a size of sample, bytes.

    Raises
    ------
    MediaFileError
        Names the encoding and how to convert it.
    """
    found = _BY_TAG.get((tag, size))
    if found is None:
        name = OTHERS.get(tag, f"format tag 0x{tag:04X}, {size} bytes per sample")
        raise MediaFileError(
            f"its encoding ({name}) is not read here: convert it, "
            "e.g. ffmpeg -i IN.wav -c:a pcm_s16le OUT.wav"
        )
    return found


def decode(raw: bytes, encoding: Encoding, order: str = "<") -> NDArray[np.float32]:
    """Stored samples as floats, full scale ±1.

    Parameters
    ----------
    raw : bytes
        A whole number of samples.
    encoding : Encoding
        How they are stored.
    order : str
        Byte order, ``<`` or ``>``.
    """
    if encoding is Encoding.PCM8:
        return (np.frombuffer(raw, np.uint8).astype(np.float32) - 128) * np.float32(2**-7)
    if encoding is Encoding.PCM16:
        return np.frombuffer(raw, f"{order}i2").astype(np.float32) * np.float32(2**-15)
    if encoding is Encoding.PCM24:
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, slice(1, 4) if order == "<" else slice(0, 3)] = np.frombuffer(
            raw, np.uint8
        ).reshape(-1, 3)
        return wide.view(f"{order}i4")[:, 0].astype(np.float32) * np.float32(2**-31)
    if encoding is Encoding.PCM32:
        return np.frombuffer(raw, f"{order}i4").astype(np.float32) * np.float32(2**-31)
    if encoding is Encoding.FLOAT32:
        return np.frombuffer(raw, f"{order}f4").astype(np.float32)
    if encoding is Encoding.FLOAT64:
        with np.errstate(over="ignore"):  # beyond float32 is infinite
            return np.frombuffer(raw, f"{order}f8").astype(np.float32)
    table = _alaw() if encoding is Encoding.ALAW else _mulaw()
    return table[np.frombuffer(raw, np.uint8)]


def encode(samples: NDArray[np.float32], encoding: Encoding) -> tuple[bytes, int]:
    """Floats as stored samples, little-endian, interleaved.

    Rounded to the nearest, saturated; NaN becomes 0 where there is no NaN.

    Parameters
    ----------
    samples : np.ndarray [shape=(channels, frames), dtype=float32]
        Full scale is ±1.
    encoding : Encoding
        ``pcm8``, ``pcm16``, ``pcm24``, ``pcm32`` or ``float32``.

    Returns
    -------
    bytes
        What to write.
    int
        How many samples were beyond full scale and had to be clipped.
    """
    frames = np.ascontiguousarray(samples.T)
    if encoding is Encoding.FLOAT32:
        return frames.astype("<f4", copy=False).tobytes(), 0
    bits = 8 * encoding.size
    scale = float(2 ** (bits - 1))
    values = np.nan_to_num(frames.astype(np.float64), nan=0.0, posinf=2.0, neginf=-2.0)
    clipped = int(np.count_nonzero(np.abs(values) > 1.0))
    whole = np.clip(np.rint(values * scale), -scale, scale - 1).astype(np.int64)
    if encoding is Encoding.PCM8:
        return (whole + 128).astype(np.uint8).tobytes(), clipped
    if encoding is Encoding.PCM24:
        return whole.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes(), clipped
    return whole.astype(f"<i{encoding.size}").tobytes(), clipped


@functools.cache
def _alaw() -> NDArray[np.float32]:
    """ITU-T G.711, A-law, to 16 bits."""
    code = np.arange(256) ^ 0x55
    segment = (code & 0x70) >> 4
    step = (code & 0x0F) << 4
    value = np.where(segment == 0, step + 8, (step + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, value, -value).astype(np.float32) * np.float32(2**-15)


@functools.cache
def _mulaw() -> NDArray[np.float32]:
    """ITU-T G.711, µ-law, to 16 bits."""
    code = ~np.arange(256) & 0xFF
    value = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -value, value).astype(np.float32) * np.float32(2**-15)
