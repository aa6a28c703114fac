"""Sample and pixel formats: the one table that the wire, the caps and the data types share."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray

from remotemedia.errors import DataError

AUDIO_DTYPES: dict[str, np.dtype[np.generic]] = {
    "F32": np.dtype(np.float32),
    "I16": np.dtype(np.int16),
    "I32": np.dtype(np.int32),
    "U8": np.dtype(np.uint8),
}
"""Sample format name → dtype. 24-bit samples exist in files only."""

AUDIO_FORMATS: dict[np.dtype[np.generic], str] = {
    dtype: name for name, dtype in AUDIO_DTYPES.items()
}

PIXEL_FORMATS: dict[str, int | None] = {
    "YUV420P": 1,
    "I420": 2,
    "NV12": 3,
    "RGB24": 4,
    "RGBA32": 5,
    "BGR24": None,
    "BGRA32": None,
    "GRAY8": None,
}
"""Pixel format name → its number in the plain wire form (`None`: our form only)."""

PACKED_CHANNELS: dict[str, int] = {"RGB24": 3, "RGBA32": 4, "BGR24": 3, "BGRA32": 4, "GRAY8": 1}
"""Interleaved pixel formats → bytes per pixel."""

VIDEO_CODECS: dict[str, int] = {"VP8": 1, "H264": 2, "AV1": 3}
"""Codec of an encoded video frame → its number in the plain wire form."""

IMAGE_FORMATS: tuple[str, ...] = ("JPEG", "PNG", "WEBP", "RAW")

TENSOR_DTYPES: frozenset[np.dtype[np.generic]] = frozenset(
    np.dtype(name)
    for name in (
        "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64"
    ).split()
)


def pixel_bytes(pixel_format: str, width: int, height: int) -> int:
    """Size of one raw frame, in bytes."""
    if pixel_format in PACKED_CHANNELS:
        return width * height * PACKED_CHANNELS[pixel_format]
    return width * height + 2 * (((width + 1) // 2) * ((height + 1) // 2))


def check_raw_size(what: str, pixel_format: str, width: int, height: int, size: int) -> None:
    """Raise `DataError` unless raw pixels of `size` bytes make just one frame."""
    expected = pixel_bytes(pixel_format, width, height)
    if size != expected:
        raise DataError(
            f"a {width}x{height} {pixel_format} {what} has {expected} bytes, not {size}"
        )


def frozen(array: NDArray[np.generic], dtype: DTypeLike | None = None) -> NDArray[np.generic]:
    """`array` as a read-only, C-contiguous array: itself when it already is one, else a copy."""
    flags = array.flags
    if flags.c_contiguous and not flags.writeable and (dtype is None or array.dtype == dtype):
        return array
    copy = np.array(array, dtype=dtype, order="C", copy=True)
    copy.setflags(write=False)
    return copy
