"""Suggestions: which converter would make two formats fit."""

from __future__ import annotations

from remotemedia.caps import Caps, Constraint, Exact, Format, OneOf, Range, differing_fields
from remotemedia.caps.constraint import show

_CONVERTERS = {
    ("audio", "sample_rate"): ("AudioResample", "target_rate"),
    ("audio", "channels"): ("ChannelMix", "channels"),
    ("audio", "format"): ("AudioFormatConvert", "format"),
}
"""(media type, field) → the node that changes it and its parameter."""


def suggest(produced: Caps, accepted: Caps) -> str:
    """What to insert so that `produced` becomes acceptable, as a sentence; empty if nothing can."""
    for format_ in produced.formats or ():
        for goal in accepted.formats or ():
            steps = _steps(format_, goal)
            if steps:
                return "insert " + ", then ".join(steps) + " between them"
    return ""


def differences(produced: Caps, accepted: Caps) -> str:
    """Which fields keep the two apart, as ``sample_rate is 48000 but must be 16000``."""
    for format_ in produced.formats or ():
        for goal in accepted.formats or ():
            if format_.media == goal.media:
                return ", ".join(
                    f"{name} is {ours} but must be {theirs}"
                    for name, ours, theirs in differing_fields(format_, goal)
                )
    return "another media type"


def _steps(produced: Format, accepted: Format) -> list[str]:
    steps = []
    for name, _ours, _theirs in differing_fields(produced, accepted):
        converter = _CONVERTERS.get((produced.media, name))
        goal = accepted.get(name)
        if converter is None or goal is None:
            return []
        node_type, param = converter
        steps.append(f"{node_type} {{{param}: {show(_preferred(goal))}}}")
    return steps if produced.media == accepted.media else []


def _preferred(constraint: Constraint) -> int | float | str:
    if isinstance(constraint, Exact):
        return constraint.value
    if isinstance(constraint, OneOf):
        return constraint.values[0]
    assert isinstance(constraint, Range)  # noqa: S101 - the only one left
    return constraint.low
