"""Video: one frame, raw or encoded."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from remotemedia.data.base import (
    Data,
    Metadata,
    check_common,
    require_int,
    require_name,
    with_values,
)
from remotemedia.data.formats import (
    PACKED_CHANNELS,
    PIXEL_FORMATS,
    VIDEO_CODECS,
    check_raw_size,
    frozen,
)
from remotemedia.errors import DataError


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
        frame_number = require_int("frame_number", self.frame_number, 0)
        if type(self.is_keyframe) is not bool:
            raise DataError(f"is_keyframe must be a bool, not {self.is_keyframe!r:.100}")
        pixels: Any = self.pixels
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
            kind = getattr(pixels, "dtype", type(pixels).__name__)
            raise DataError(f"pixels must be a numpy array of dtype uint8, not {kind}")
        if (self.pixel_format is None) == (self.codec is None):
            raise DataError(
                "give pixel_format for a raw frame, or codec and pixel_format=None for an encoded "
                f"one; pixel_format is {self.pixel_format} and codec {self.codec}"
            )
        if self.codec is not None:
            require_name("codec", self.codec, VIDEO_CODECS)
        if self.pixel_format is not None:
            require_name("pixel_format", self.pixel_format, PIXEL_FORMATS)
            check_raw_size("frame", self.pixel_format, width, height, pixels.size)
        pixels = frozen(np.asarray(pixels))
        if pixels.ndim != 1:
            pixels = pixels.reshape(-1)
        return with_values(
            self, pixels=pixels, width=width, height=height, frame_number=frame_number
        )
