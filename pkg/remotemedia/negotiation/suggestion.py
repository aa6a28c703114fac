"""Suggestions: which converter would make two formats fit."""

from __future__ import annotations

from remotemedia.caps import Caps, Constraint, Exact, Format, OneOf, Range, differing_fields
from remotemedia.caps.constraint import intersect, is_subset, show

_CONVERTERS = {
    "sample_rate": ("AudioResample", "target_rate", Range(8_000, 192_000)),
    "channels": ("ChannelMix", "channels", Range(1, 64)),
}
"""Field of audio → the node that changes it, its parameter, and what it takes and gives."""
_FLOAT = Exact("F32")
"""The sample format that these converters work in."""


def suggest(produced: Caps, accepted: Caps) -> str:
    """What to insert so that `produced` becomes acceptable, as a sentence; empty if nothing can."""
    ways = [
        steps
        for ours in produced.formats or ()
        for theirs in accepted.formats or ()
        if (steps := _steps(ours, theirs))
    ]
    if not ways:
        return ""
    shortest = min(ways, key=lambda steps: len(steps))
    return f"insert {', then '.join(shortest)} between them"


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
    """The converters that lead from one format to another; empty where they cannot."""
    if not (produced.media == accepted.media == "audio"):
        return []
    ours, theirs = dict(produced.fields), dict(accepted.fields)
    steps: list[str] = []
    for name, (node_type, param, able) in _CONVERTERS.items():
        given, goal = ours.get(name), theirs.get(name)
        if given is None or goal is None or intersect(given, goal) is not None:
            continue
        reachable = intersect(goal, able)
        if reachable is None or intersect(given, able) is None:
            return []
        steps.append(f"{node_type} {{{param}: {show(_nearest(reachable, given))}}}")
    given, goal = ours.get("format"), theirs.get("format")
    if steps and given is not None and not is_subset(given, _FLOAT):
        steps.insert(0, f"AudioFormatConvert {{format: {_FLOAT}}}")
        given = _FLOAT
    if given is not None and goal is not None and intersect(given, goal) is None:
        steps.append(f"AudioFormatConvert {{format: {show(_nearest(goal, given))}}}")
    return steps


def _nearest(goal: Constraint, given: Constraint) -> int | float | str:
    """The value to convert to: the preferred one, or the end of a range that is less far."""
    if isinstance(goal, Exact):
        return goal.value
    if isinstance(goal, OneOf):
        return goal.values[0]
    above = intersect(given, Range(goal.high, float("inf")))
    return goal.low if above is None else goal.high
