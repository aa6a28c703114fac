"""SpeechEvent: what a detector says of somebody's speech."""

from __future__ import annotations

from typing import NamedTuple

from remotemedia.data import Json
from remotemedia.errors import DataError

START = "start"
CONFIRM = "confirm"
END = "end"


class SpeechEvent(NamedTuple):
    """An event of a segment, as `EnergyVAD` and `SpeculativeVADGate` emit them.

    Attributes
    ----------
    kind : str
        ``start``, ``confirm`` or ``end``.
    start_us, end_us : int
        Where the segment begins and ends, µs of media time; an end that is not known is the start.
    known_us : int
        Up to when audio was needed to know it; that of the event itself where nobody says it.
    cancelled : bool
        Whether it turned out to be no speech.
    """

    kind: str
    start_us: int
    end_us: int
    known_us: int
    cancelled: bool


def read_event(data: Json) -> SpeechEvent | None:
    """The event in a JSON; None if it says something else.

    Raises
    ------
    DataError
        It is one, but its times are missing.
    """
    value = data.value
    kind = value.get("event") if isinstance(value, dict) else None
    if not isinstance(value, dict) or kind not in (START, CONFIRM, END):
        return None

    def time(name: str) -> int:
        found = value.get(name)
        if type(found) is not int:
            raise DataError(
                f"the event {kind!r} of a segment must have {name}, an integer of µs, not {found!r}"
            )
        return found

    start_us = time("start_us")
    end_us = time("end_us") if kind == END else start_us
    known_us = time("known_us") if "known_us" in value else end_us
    return SpeechEvent(str(kind), start_us, end_us, known_us, value.get("state") == "cancelled")
