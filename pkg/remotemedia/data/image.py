"""Image: one still picture."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from remotemedia.data.base import Data, Metadata, check_common, require_int, unchecked
from remotemedia.data.formats import IMAGE_FORMATS, PIXEL_FORMATS
from remotemedia.data.formats import pixel_bytes as raw_size
from remotemedia.errors import DataError, nearest


class Image(Data, frozen=True, eq=False, gc=False):
    """One still picture, as a file's bytes or as raw pixels.

    Parameters
    ----------
    content : bytes
        The file, or the pixels in the order of `pixel_format`.
    format : str
        ``JPEG``, ``PNG``, ``WEBP`` or ``RAW``.
    width, height : int
        In pixels; 0 where an encoded picture has not been looked into.
    pixel_format : str, optional
        For ``RAW`` only: a name of `PIXEL_FORMATS`.
    """

    content: bytes
    format: str
    width: int = 0
    height: int = 0
    pixel_format: str | None = None
    pts_us: int | None = None
    stream_id: str | None = None
    metadata: Metadata | None = None

    media: ClassVar[str] = "image"
    wire_type: ClassVar[int] = 10

    def caps_fields(self) -> dict[str, object]:
        """`width`, `height`, `format`, `pixel_format`."""
        return {
            "width": self.width,
            "height": self.height,
            "format": self.format,
            "pixel_format": self.pixel_format,
        }

    def _checked(self) -> Self:
        check_common(self)
        width = require_int("width", self.width, 0)
        height = require_int("height", self.height, 0)
        content: Any = self.content
        if not isinstance(content, (bytes, bytearray, memoryview)):
            raise DataError(f"content must be bytes, not {type(content).__name__}")
        if self.format not in IMAGE_FORMATS:
            hint = nearest(str(self.format), IMAGE_FORMATS)
            raise DataError(
                f"unknown image format {self.format!r}{hint} (one of {', '.join(IMAGE_FORMATS)})"
            )
        if (self.format == "RAW") != (self.pixel_format is not None):
            raise DataError("pixel_format belongs to format RAW, and only there")
        if self.pixel_format is not None:
            if self.pixel_format not in PIXEL_FORMATS:
                hint = nearest(self.pixel_format, PIXEL_FORMATS)
                raise DataError(f"unknown pixel_format {self.pixel_format!r}{hint}")
            expected = raw_size(self.pixel_format, width, height)
            if len(content) != expected:
                raise DataError(
                    f"a {width}x{height} {self.pixel_format} picture has {expected} bytes, "
                    f"not {len(content)}"
                )
        if type(content) is bytes:
            return self
        values = [getattr(self, name) for name in self.__struct_fields__]
        values[0] = bytes(content)
        copy: Self = unchecked(type(self), *values)
        return copy
