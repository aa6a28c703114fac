"""Binary: bytes that the pipeline does not look into."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from remotemedia.data.base import (
    Data,
    Metadata,
    check_common,
    require_bytes,
    require_text,
    unchecked,
)


class Binary(Data, frozen=True, eq=False, gc=False):
    """Bytes that the pipeline does not look into.

    Parameters
    ----------
    content : bytes
        bytearray and memoryview are copied.
    mime_type : str, optional
        What they are, e.g. ``application/octet-stream``.
    """

    content: bytes
    mime_type: str | None = None
    pts_us: int | None = None
    stream_id: str | None = None
    metadata: Metadata | None = None

    media: ClassVar[str] = "binary"
    wire_type: ClassVar[int] = 11

    def caps_fields(self) -> dict[str, object]:
        """`mime_type`."""
        return {"mime_type": self.mime_type}

    def _checked(self) -> Self:
        check_common(self)
        content: Any = self.content
        require_text("mime_type", self.mime_type, optional=True)
        if type(content) is bytes:
            return self
        copy: Self = unchecked(
            type(self),
            require_bytes("content", content),
            self.mime_type,
            self.pts_us,
            self.stream_id,
            self.metadata,
        )
        return copy
