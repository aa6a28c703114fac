"""Video: one frame, raw or encoded."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from remotemedia.data.base import Data, Metadata, check_common, require_int, unchecked
from remotemedia.data.formats import PACKED_CHANNELS, PIXEL_FORMATS, VIDEO_CODECS, frozen
from remotemedia.data.formats import pixel_bytes as raw_size
from remotemedia.errors import DataError, nearest


class Video(Data, frozen=True, eq=False, gc=False):
    """One video frame.

    Parameters
    ----------
    pixels : np.ndarray [dtype=uint8]
        Raw: all bytes of the frame in the order of `pixel_format`, any shape (kept flat).
        Encoded: the bit stream of one access unit.
    width, height : int
        In pixels.
    pixel_format : str, optional
        A name of `PIXEL_FORMATS` for a raw frame; None for an encoded one.
    codec : str, optional
        ``VP8``, ``H264`` or ``AV1`` for an encoded frame; None for a raw one.
    frame_number : int
        Position in the stream.
    is_keyframe : bool
        Decodable alone. Raw frames always are.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    pixel_format: str | None = "RGB24"
    codec: str | None = None
    frame_number: int = 0
    is_keyframe: bool = True
    pts_us: int | None = None
    stream_id: str | None = None
    metadata: Metadata | None = None

    media: ClassVar[str] = "video"
    wire_type: ClassVar[int] = 2

    @property
    def image(self) -> NDArray[np.uint8]:
        """A view of a packed raw frame `[shape=(height, width, bytes per pixel)]`."""
        depth = PACKED_CHANNELS.get(self.pixel_format or "")
        if depth is None:
            raise DataError(f"a {self.pixel_format or self.codec} frame has no packed pixels")
        return self.pixels.reshape(self.height, self.width, depth)

    def caps_fields(self) -> dict[str, object]:
        """`width`, `height`, `pixel_format`, `codec`."""
        return {
            "width": self.width,
            "height": self.height,
            "pixel_format": self.pixel_format,
            "codec": self.codec,
        }

    def _checked(self) -> Self:
        check_common(self)
        width = require_int("width", self.width, 1)
        height = require_int("height", self.height, 1)
        require_int("frame_number", self.frame_number, 0)
        pixels: Any = self.pixels
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
            raise DataError("pixels must be a numpy array of dtype uint8")
        if (self.pixel_format is None) == (self.codec is None):
            raise DataError("give pixel_format for a raw frame or codec for an encoded one")
        if self.codec is not None and self.codec not in VIDEO_CODECS:
            raise DataError(f"unknown codec {self.codec!r}{nearest(self.codec, VIDEO_CODECS)}")
        if self.pixel_format is not None:
            if self.pixel_format not in PIXEL_FORMATS:
                hint = nearest(self.pixel_format, PIXEL_FORMATS)
                raise DataError(f"unknown pixel_format {self.pixel_format!r}{hint}")
            expected = raw_size(self.pixel_format, width, height)
            if pixels.size != expected:
                raise DataError(
                    f"a {width}x{height} {self.pixel_format} frame has {expected} bytes, "
                    f"not {pixels.size}"
                )
        if pixels.ndim == 1 and pixels.flags.c_contiguous and not pixels.flags.writeable:
            return self
        values = [getattr(self, name) for name in self.__struct_fields__]
        values[0] = frozen(pixels).reshape(-1)
        copy: Self = unchecked(type(self), *values)
        return copy
