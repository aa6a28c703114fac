"""File: a reference to a file, or to a part of one."""

from __future__ import annotations

from typing import ClassVar, Self

from remotemedia.data.base import Data, Metadata, check_common, require_int
from remotemedia.errors import DataError


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
        """`mime_type`, `extension`."""
        name = self.filename or self.path
        dot = name.rfind(".")
        return {"mime_type": self.mime_type, "extension": name[dot:].lower() if dot > 0 else ""}

    def _checked(self) -> Self:
        check_common(self)
        if type(self.path) is not str or not self.path or "\0" in self.path:
            raise DataError(f"path must be a non-empty str without NUL, not {self.path!r}")
        for name in ("filename", "mime_type"):
            value = getattr(self, name)
            if value is not None and type(value) is not str:
                raise DataError(f"{name} must be a str or None, not {value!r}")
        for name in ("size", "offset", "length"):
            if getattr(self, name) is not None:
                require_int(name, getattr(self, name), 0)
        return self
