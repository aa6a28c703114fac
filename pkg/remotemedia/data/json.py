"""Json: a structured value."""

from __future__ import annotations

from typing import ClassVar, Self

import msgspec

from remotemedia.data.base import Data, Metadata, check_common
from remotemedia.data.json_value import MAX_DEPTH, check_json

__all__ = ["MAX_DEPTH", "Json", "check_json"]


class Json(Data, frozen=True, eq=False, gc=False):
    """A structured value: what JSON can say.

    Parameters
    ----------
    value : object
        None, bool, int of 64 bits, finite float, str, list (or tuple), or dict with str keys,
        nested at most 64 deep. It is not copied: neither giver nor receiver may change it.

    Raises
    ------
    DataError
        For anything else; names the place in the value.
    """

    value: object
    pts_us: int | None = None
    stream_id: str | None = None
    metadata: Metadata | None = None

    media: ClassVar[str] = "json"
    wire_type: ClassVar[int] = 9

    def encode(self) -> bytes:
        """The value as UTF-8 JSON text."""
        return msgspec.json.encode(self.value)

    def _checked(self) -> Self:
        check_common(self)
        check_json(self.value)
        return self
