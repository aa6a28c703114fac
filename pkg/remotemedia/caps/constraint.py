"""Constraints on one field of a media format: exact, inclusive range, set; no constraint is any."""

from __future__ import annotations

import re

import msgspec

Value = int | float | str
"""What a field of a format can be."""

NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
"""A number in the text form."""

_BARE = re.compile(rf"(?!{NUMBER}\Z)[A-Za-z0-9_][A-Za-z0-9_/+*-]*")


class Exact(msgspec.Struct, frozen=True):
    """Just this value."""

    value: Value

    def accepts(self, value: object) -> bool:
        """Whether `value` satisfies the constraint."""
        return value == self.value

    def __str__(self) -> str:
        return show(self.value)


class Range(msgspec.Struct, frozen=True):
    """Any number from `low` to `high`, both included."""

    low: int | float
    high: int | float

    def accepts(self, value: object) -> bool:
        """Whether `value` satisfies the constraint."""
        return isinstance(value, (int, float)) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low}..{self.high}"


class OneOf(msgspec.Struct, frozen=True):
    """Any of these values; the first is preferred."""

    values: tuple[Value, ...]

    def accepts(self, value: object) -> bool:
        """Whether `value` satisfies the constraint."""
        return value in self.values

    def __str__(self) -> str:
        return f"[{', '.join(map(show, self.values))}]"


Constraint = Exact | Range | OneOf
"""A constraint on one field. A field without one may have any value."""


def show(value: Value) -> str:
    """A value in the text form, quoted where it would read as something else."""
    if isinstance(value, str) and not _BARE.fullmatch(value):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return str(value)


def one_of(values: tuple[Value, ...]) -> Constraint | None:
    """The simplest constraint that accepts just these values; None when there are none."""
    distinct = tuple(dict.fromkeys(values))
    if len(distinct) == 1:
        return Exact(distinct[0])
    return OneOf(distinct) if distinct else None


def intersect(a: Constraint, b: Constraint) -> Constraint | None:
    """What both accept, in the order of preference of `a`; None when that is nothing."""
    if isinstance(a, Exact):
        return a if b.accepts(a.value) else None
    if isinstance(a, OneOf):
        return one_of(tuple(value for value in a.values if b.accepts(value)))
    if isinstance(b, Range):
        low, high = max(a.low, b.low), min(a.high, b.high)
        if low > high:
            return None
        return Exact(low) if low == high else Range(low, high)
    return intersect(b, a)


def is_subset(a: Constraint, b: Constraint) -> bool:
    """Whether `b` accepts everything that `a` accepts."""
    if isinstance(a, Exact):
        return b.accepts(a.value)
    if isinstance(a, OneOf):
        return all(b.accepts(value) for value in a.values)
    return isinstance(b, Range) and b.low <= a.low and a.high <= b.high
