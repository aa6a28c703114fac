"""Control: a message to nodes, beside the media."""

from __future__ import annotations

from typing import ClassVar, Self

from remotemedia.data.base import Data, Metadata, check_common, require_int
from remotemedia.data.json import check_json
from remotemedia.errors import DataError


class Control(Data, frozen=True, eq=False, gc=False):
    """A message to nodes, beside the media.

    Parameters
    ----------
    message_type : str
        What is asked, e.g. ``CancelSpeculation``.
    value : object
        Its JSON-like arguments.
    segment_id : str, optional
        The segment of speech that it is about.
    timestamp_ms : int
        When it was said, ms of UTC; 0 where unknown.
    """

    message_type: str
    value: object = None
    segment_id: str | None = None
    timestamp_ms: int = 0
    pts_us: int | None = None
    stream_id: str | None = None
    metadata: Metadata | None = None

    media: ClassVar[str] = "control"
    wire_type: ClassVar[int] = 5

    def _checked(self) -> Self:
        check_common(self)
        if type(self.message_type) is not str or not self.message_type:
            raise DataError(f"message_type must be a non-empty str, not {self.message_type!r}")
        if self.segment_id is not None and type(self.segment_id) is not str:
            raise DataError(f"segment_id must be a str or None, not {self.segment_id!r}")
        require_int("timestamp_ms", self.timestamp_ms, 0)
        check_json(self.value)
        return self
