"""Suggestions: what would make two formats fit, as data and in words."""

from __future__ import annotations

from typing import Any

import msgspec

from remotemedia.caps import Caps, differing_fields
from remotemedia.caps.constraint import show
from remotemedia.negotiation.converters import Chain, Converters


class Step(msgspec.Struct, frozen=True):
    """A converter to be inserted."""

    node_type: str
    params: dict[str, Any]


class Insert(msgspec.Struct, frozen=True, tag="insert", tag_field="kind"):
    """Insert converters into a connection.

    Attributes
    ----------
    connection : int
        Its number in the manifest, from 0.
    source, target : str
        Its ends, as ``node:port``.
    steps : tuple of Step
        From the source to the target.
    """

    connection: int
    source: str
    target: str
    steps: tuple[Step, ...]

    @property
    def steps_text(self) -> str:
        """``AudioResample {target_rate: 16000}, then …``"""
        return ", then ".join(f"{step.node_type} {shown(step.params)}" for step in self.steps)

    def __str__(self) -> str:
        return f"insert {self.steps_text} between {self.source} and {self.target}"


class Change(msgspec.Struct, frozen=True, tag="change", tag_field="kind"):
    """Give a parameter of a node another value."""

    node: str
    param: str
    value: Any

    def __str__(self) -> str:
        return f"set {self.param} of {self.node} to {show(self.value)}"


Suggestion = Insert | Change


def suggest(produced: Caps, accepted: Caps) -> str:
    """What to insert so that `produced` becomes acceptable, as a sentence; empty if nothing can."""
    if produced.formats is None or accepted.formats is None:
        return ""
    converters = Converters()
    ways = [
        way for item in produced.formats if (way := converters.cheapest(item, accepted)) is not None
    ]
    ways = [way for way in ways if way[1]]
    if not ways:
        return ""
    return f"insert {chained(min(ways, key=lambda way: (way[0], len(way[1])))[1])} between them"


def chained(chain: Chain) -> str:
    """The converters of a chain, in words."""
    return ", then ".join(map(str, chain))


def shown(params: dict[str, Any]) -> str:
    """``{target_rate: 16000}``"""
    return "{" + ", ".join(f"{name}: {show(value)}" for name, value in params.items()) + "}"


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
