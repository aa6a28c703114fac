"""Transcript events: what a recogniser says of a segment of speech, as `Json`."""

from __future__ import annotations

from typing import Any

import msgspec

from remotemedia.data import Json
from remotemedia.errors import DataError


class Word(msgspec.Struct, frozen=True):
    """One word, without white space around; times in µs of media time, probability 0 to 1."""

    text: str
    start_us: int
    end_us: int
    probability: float | None = None


class Final(msgspec.Struct, frozen=True, tag_field="event", tag="final"):
    """All that was said from `start_us` to `end_us`; it does not change any more."""

    text: str
    start_us: int
    end_us: int
    words: tuple[Word, ...] = ()


def read_final(data: Json) -> Final | None:
    """The event, or None for JSON of another kind.

    Raises
    ------
    DataError
        It says that it is a ``final`` and lacks what belongs to one; names the field.
    """
    value: Any = data.value
    if not isinstance(value, dict) or value.get("event") != "final":
        return None
    try:
        return msgspec.convert(value, Final)
    except msgspec.ValidationError as error:
        raise DataError(
            f"a 'final' event has text, start_us, end_us, and words that have the same: {error}"
        ) from None
