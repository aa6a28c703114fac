"""Image: one still picture."""

from __future__ import annotations

from typing import ClassVar, Self

from remotemedia.data.base import (
    Data,
    Metadata,
    check_common,
    require_bytes,
    require_int,
    require_name,
    with_values,
)
from remotemedia.data.formats import IMAGE_FORMATS, PIXEL_FORMATS, check_raw_size
from remotemedia.errors import DataError


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
        content = self.content
        if type(content) is not bytes:
            content = require_bytes("content", content)
        require_name("format", self.format, IMAGE_FORMATS)
        is_raw = self.format == "RAW"
        width = require_int("width", self.width, 1 if is_raw else 0)
        height = require_int("height", self.height, 1 if is_raw else 0)
        if is_raw != (self.pixel_format is not None):
            raise DataError(
                f"pixel_format belongs to format RAW, and only there; format is {self.format} and "
                f"pixel_format {self.pixel_format}"
            )
        if self.pixel_format is not None:
            require_name("pixel_format", self.pixel_format, PIXEL_FORMATS)
            check_raw_size("picture", self.pixel_format, width, height, len(content))
        return with_values(self, content=content, width=width, height=height)
