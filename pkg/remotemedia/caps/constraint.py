"""Constraints on one field of a media format: exact, inclusive range, set; no constraint is any.

The shape of a tensor has a constraint of its own, with dynamic and named axes. A MIME type may end
in a wildcard, ``audio/*``.
"""

from __future__ import annotations

import re
from fractions import Fraction

import msgspec

Value = int | float | Fraction | str
"""What a field of a format can be; a fraction is a frame rate."""

NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
"""A number in the text form."""

_BARE = re.compile(rf"(?!{NUMBER}\Z)[A-Za-z0-9_][A-Za-z0-9_/+*-]*")


class Exact(msgspec.Struct, frozen=True):
    """Just this value."""

    value: Value

    def accepts(self, value: object) -> bool:
        """Whether `value` satisfies the constraint."""
        return value == self.value or is_within(value, self.value)

    def __str__(self) -> str:
        return show(self.value)


class Range(msgspec.Struct, frozen=True):
    """Any number from `low` to `high`, both included."""

    low: int | float | Fraction
    high: int | float | Fraction

    def accepts(self, value: object) -> bool:
        """Whether `value` satisfies the constraint."""
        return isinstance(value, (int, float, Fraction)) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low}..{self.high}"


class OneOf(msgspec.Struct, frozen=True):
    """Any of these values; the first is preferred."""

    values: tuple[Value, ...]

    def accepts(self, value: object) -> bool:
        """Whether `value` satisfies the constraint."""
        return value in self.values or any(is_within(value, one) for one in self.values)

    def __str__(self) -> str:
        return f"[{', '.join(map(show, self.values))}]"


class Shape(msgspec.Struct, frozen=True):
    """The axes of a tensor.

    Attributes
    ----------
    axes : tuple of int, str or None
        The size of each; a name where any size will do, the same wherever the name occurs again;
        None where any size will do.
    """

    axes: tuple[int | str | None, ...]

    def accepts(self, value: object) -> bool:
        """Whether `value`, a tuple of sizes, satisfies the constraint."""
        if not isinstance(value, tuple):
            return False
        return unify(self.axes, value) is not None

    def __str__(self) -> str:
        return f"({', '.join('?' if axis is None else str(axis) for axis in self.axes)})"


Constraint = Exact | Range | OneOf | Shape
"""A constraint on one field. A field without one may have any value."""

Axes = tuple[int | str | None, ...]


def unify(a: Axes, b: Axes) -> Axes | None:
    """The shape that both allow, with the names of `a` first; None if there is none."""
    if len(a) != len(b):
        return None
    parent: dict[object, object] = {}

    def root(one: object) -> object:
        while (above := parent.get(one, one)) != one:
            one = above
        return one

    def term(side: str, position: int, axis: int | str | None) -> object:
        if isinstance(axis, int):
            return axis
        return (side, position) if axis is None else (side, axis)

    for position, (ours, theirs) in enumerate(zip(a, b, strict=True)):
        one, other = root(term("a", position, ours)), root(term("b", position, theirs))
        if isinstance(one, int) and isinstance(other, int):
            if one != other:
                return None
        elif isinstance(one, int):
            parent[other] = one
        elif one != other:
            parent[one] = other
    names: dict[object, str] = {}
    for side, axes in (("a", a), ("b", b)):
        for axis in axes:
            if isinstance(axis, str) and root((side, axis)) not in names:
                free = axis
                while free in names.values():  # that of another axis, on the other side
                    free += "_"
                names[root((side, axis))] = free
    found: list[int | str | None] = []
    for position, ours in enumerate(a):
        one = root(term("a", position, ours))
        found.append(one if isinstance(one, int) else names.get(one))
    return tuple(found)


def is_within(value: object, pattern: Value) -> bool:
    """Whether a MIME type falls under a wildcard: ``audio/wav`` under ``audio/*`` and ``*/*``."""
    if not (isinstance(pattern, str) and pattern.endswith("/*") and isinstance(value, str)):
        return False
    return value.startswith(pattern[:-1]) or (pattern == "*/*" and "/" in value)


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
    if isinstance(a, Shape) or isinstance(b, Shape):
        if not (isinstance(a, Shape) and isinstance(b, Shape)):
            return None
        axes = unify(a.axes, b.axes)
        return None if axes is None else Shape(axes)
    if (
        isinstance(a, (Exact, OneOf))
        and isinstance(b, (Exact, OneOf))
        and (_has_wildcard(a) or _has_wildcard(b))
    ):
        return _common(a, b)
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


def _has_wildcard(constraint: Exact | OneOf) -> bool:
    values = (constraint.value,) if isinstance(constraint, Exact) else constraint.values
    return any(isinstance(value, str) and value.endswith("/*") for value in values)


def _common(a: Exact | OneOf, b: Exact | OneOf) -> Constraint | None:
    """The intersection where there are wildcards: of two that overlap the narrower."""
    ours = (a.value,) if isinstance(a, Exact) else a.values
    theirs = (b.value,) if isinstance(b, Exact) else b.values
    found: list[Value] = []
    for one in ours:
        for other in theirs:
            if one == other or is_within(one, other):
                found.append(one)
            elif is_within(other, one):
                found.append(other)
    return one_of(tuple(found))


def is_subset(a: Constraint, b: Constraint) -> bool:
    """Whether `b` accepts everything that `a` accepts."""
    if isinstance(a, Shape):
        if not isinstance(b, Shape):
            return False
        return len(a.axes) == len(b.axes) and _is_within_shape(a.axes, b.axes)
    if isinstance(a, Exact):
        return b.accepts(a.value)
    if isinstance(a, OneOf):
        return all(b.accepts(value) for value in a.values)
    return isinstance(b, Range) and b.low <= a.low and a.high <= b.high


def _is_within_shape(a: Axes, b: Axes) -> bool:
    named: dict[str, int | str | None] = {}
    for position, (ours, theirs) in enumerate(zip(a, b, strict=True)):
        if isinstance(theirs, int):
            if ours != theirs:
                return False
        elif theirs is not None:
            known = named.setdefault(theirs, ours)
            again = position != b.index(theirs)
            if again and (ours is None or ours != known):
                return False
    return True
