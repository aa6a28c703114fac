"""Control: a message to nodes, beside the media."""

from __future__ import annotations

from typing import ClassVar, Self

from remotemedia.data.base import (
    Data,
    Metadata,
    check_common,
    require_int,
    require_text,
    with_values,
)
from remotemedia.data.json_value import check_json
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
        require_text("message_type", self.message_type)
        if not self.message_type:
            raise DataError("message_type must not be empty")
        require_text("segment_id", self.segment_id, optional=True)
        timestamp_ms = require_int("timestamp_ms", self.timestamp_ms, 0)
        check_json(self.value)
        return with_values(self, timestamp_ms=timestamp_ms)
