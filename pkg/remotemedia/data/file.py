"""File: a reference to a file, or to a part of one."""

from __future__ import annotations

import re
from typing import ClassVar, Self

from remotemedia.data.base import (
    Data,
    Metadata,
    check_common,
    require_int,
    require_text,
    with_values,
)
from remotemedia.errors import DataError

_DIRECTORY = re.compile(r".*[/\\]", re.DOTALL)  # of any system: the sender's may be another


class File(Data, frozen=True, eq=False, gc=False):
    """A reference to a file, or to a part of one. Only the reference travels, never the content.

    Parameters
    ----------
    path : str
        Where it is, as the sender sees it.
    filename, mime_type : str, optional
        Its name for people and what it holds.
    size, offset, length : int, optional
        Size of the whole file, and the part that is meant, in bytes.
    """

    path: str
    filename: str | None = None
    mime_type: str | None = None
    size: int | None = None
    offset: int | None = None
    length: int | None = None
    pts_us: int | None = None
    stream_id: str | None = None
    metadata: Metadata | None = None

    media: ClassVar[str] = "file"
    wire_type: ClassVar[int] = 7

    def caps_fields(self) -> dict[str, object]:
        """`mime_type`; `extension`, in lower case and without its dot."""
        name = _DIRECTORY.sub("", self.filename or self.path)
        stem, _, extension = name.rpartition(".")
        return {"mime_type": self.mime_type, "extension": extension.lower() if stem else ""}

    def _checked(self) -> Self:
        check_common(self)
        require_text("path", self.path)
        if not self.path or "\0" in self.path:
            raise DataError(f"path must not be empty or contain NUL: {self.path!r:.100}")
        require_text("filename", self.filename, optional=True)
        require_text("mime_type", self.mime_type, optional=True)
        numbers = {
            name: require_int(name, value, 0)
            for name in ("size", "offset", "length")
            if (value := getattr(self, name)) is not None
        }
        return with_values(self, **numbers)
