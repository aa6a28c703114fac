"""Messages: the control data that have a form of their own, checked when written and when read."""

from __future__ import annotations

import msgspec

from remotemedia.data.control import Control
from remotemedia.errors import DataError

STALE_MS = 1_000
MAX_BATCH = 100
_MAX_INT = 2**63 - 1
_OTHER_NAMES = {"from_timestamp": "from_us", "to_timestamp": "to_us"}  # the reference system's


class _Message(msgspec.Struct, frozen=True):
    def _require(self, field: str, low: int, high: int = _MAX_INT) -> None:
        value = getattr(self, field)
        if type(value) is not int or not low <= value <= high:
            allowed = f"of {low} to {high}" if high < _MAX_INT else f"of at least {low}"
            raise DataError(
                f"{type(self).__name__}: {field} must be an integer "
                f"{allowed if low > -_MAX_INT else 'of 64 bits'}, not {value!r:.100}"
            )

    def to_control(
        self, timestamp_ms: int = 0, segment_id: str | None = None, stream_id: str | None = None
    ) -> Control:
        """The message as data.

        Parameters
        ----------
        timestamp_ms : int
            When it is said, ms of UTC; 0 where unknown.
        segment_id, stream_id : str, optional
            The segment and the stream that it is about.
        """
        kind, fields = type(self).__name__, msgspec.structs.asdict(self)
        return Control(kind, fields, segment_id, timestamp_ms, self._pts_us(), stream_id)

    def _pts_us(self) -> int | None:
        return None


class CancelSpeculation(_Message, frozen=True):
    """What went ahead on trial in this stretch of media time is taken back.

    Parameters
    ----------
    from_us, to_us : int
        The stretch, µs of media time: from its first sample to the one after its last.
    reason : str
        Why, for people.
    """

    from_us: int
    to_us: int
    reason: str = ""

    def __post_init__(self) -> None:
        self._require("from_us", -_MAX_INT)
        self._require("to_us", -_MAX_INT)
        if self.from_us >= self.to_us:
            raise DataError(
                f"CancelSpeculation: from_us must be before to_us, not {self.from_us} to "
                f"{self.to_us}"
            )
        if type(self.reason) is not str:
            raise DataError(f"CancelSpeculation: reason must be a str, not {self.reason!r:.100}")

    def _pts_us(self) -> int:
        return self.from_us


class BatchHint(_Message, frozen=True):
    """So many items at a time suit whoever says it.

    Parameters
    ----------
    suggested_batch_size : int
        1 to 100.
    """

    suggested_batch_size: int

    def __post_init__(self) -> None:
        self._require("suggested_batch_size", 1, MAX_BATCH)


class DeadlineWarning(_Message, frozen=True):
    """So much time is left for what is being computed.

    Parameters
    ----------
    deadline_us : int
        µs, more than 0.
    """

    deadline_us: int

    def __post_init__(self) -> None:
        self._require("deadline_us", 1)


Message = CancelSpeculation | BatchHint | DeadlineWarning
_KINDS: dict[str, type[Message]] = {
    kind.__name__: kind for kind in (CancelSpeculation, BatchHint, DeadlineWarning)
}


def read_message(control: Control, now_ms: int | None = None) -> Message | None:
    """The message in a control, checked; None if it is of another type.

    Fields that a message has not are passed over.

    Parameters
    ----------
    control : Control
        Its value may have the reference system's names, `from_timestamp` and `to_timestamp`.
    now_ms : int, optional
        The time, ms of UTC: a message that says when it was said must not be older than 1,000 ms.

    Raises
    ------
    DataError
        A field is missing or out of its range, or the message is too old; says which, what it is,
        and what is allowed.
    """
    name = control.message_type
    kind = _KINDS.get(name)
    if kind is None:
        return None
    said_ms = control.timestamp_ms
    if now_ms is not None and said_ms and now_ms - said_ms > STALE_MS:
        raise DataError(
            f"{name}: timestamp_ms {said_ms} is {now_ms - said_ms} ms ago, and at most {STALE_MS} "
            "are allowed: what it is about is over"
        )
    value = control.value
    if not isinstance(value, dict):
        raise DataError(f"{name}: value must be an object with its fields, not {value!r:.100}")
    given = {_OTHER_NAMES.get(key, key): field for key, field in value.items()}
    fields = msgspec.structs.fields(kind)
    missing = [field.name for field in fields if field.required and field.name not in given]
    if missing:
        raise DataError(f"{name}: {' and '.join(missing)} is missing in {value!r:.100}")
    return kind(**{field.name: given[field.name] for field in fields if field.name in given})
