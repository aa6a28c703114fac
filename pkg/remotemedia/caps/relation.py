"""Relations: how the formats of a node's ports depend on each other, and their text form.

::

    out = in                                the same format
    out = in except sample_rate, channels   the same but for these fields
    out.sample_rate = in.sample_rate * 2    one field, in proportion; also * 160/441, / 3
    right.sample_rate = left.sample_rate    inputs can be tied as well
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

import msgspec

from remotemedia.caps.constraint import Constraint, Exact, Range, Shape, Value, intersect, one_of
from remotemedia.caps.media import FIELDS, NUMBERS, Caps, Format
from remotemedia.errors import CapsSyntaxError, nearest

_NAME = r"[A-Za-z_][A-Za-z0-9_-]*"
_WHOLE = re.compile(rf"\s*({_NAME})\s*=\s*({_NAME})\s*(?:except\s+(.*?))?\s*")
_FIELD = re.compile(
    rf"\s*({_NAME})\.({_NAME})\s*=\s*({_NAME})\.({_NAME})\s*(?:([*/])\s*(\d+)(?:/(\d+))?)?\s*"
)
_ALL_FIELDS = sorted({field for fields in FIELDS.values() for field in fields})


class Relation(msgspec.Struct, frozen=True):
    """The format of one port, tied to that of another.

    Attributes
    ----------
    port, other : str
        The two ports; what is tied is ``port = other``.
    field, other_field : str
        The field of each that is tied; empty: all, and the media type.
    ratio : Fraction
        ``port.field = other.other_field × ratio``.
    but : frozenset of str
        Fields that are not tied, where all others are.
    """

    port: str
    other: str
    field: str = ""
    other_field: str = ""
    ratio: Fraction = Fraction(1)
    but: frozenset[str] = frozenset()

    @property
    def is_identity(self) -> bool:
        """Whether the two ports carry the same format."""
        return not self.field and not self.but

    def apply(self, target: Caps, given: Caps, back: bool = False) -> Caps | None:
        """What the relation leaves of one port.

        Parameters
        ----------
        target, given : Caps
            Of `port`, and of `other`; with `back` the other way round.
        back : bool
            Follow it from `port` to `other`.

        Returns
        -------
        Caps or None
            None if nothing is left.
        """
        if given.formats is None:
            return target
        if not self.field:
            if self.but:
                lifted = dict.fromkeys(self.but)
                given = Caps(tuple(dict.fromkeys(f.with_fields(lifted) for f in given.formats)))
            return target.intersect(given)
        if back:
            return _in_proportion(target, given, self.other_field, self.field, 1 / self.ratio)
        return _in_proportion(target, given, self.field, self.other_field, self.ratio)

    def __str__(self) -> str:
        if not self.field:
            but = f" except {', '.join(sorted(self.but))}" if self.but else ""
            return f"{self.port} = {self.other}{but}"
        ratio = "" if self.ratio == 1 else f" * {self.ratio}"
        return f"{self.port}.{self.field} = {self.other}.{self.other_field}{ratio}"


def parse_relation(text: str) -> Relation:
    """Read the text form.

    Raises
    ------
    CapsSyntaxError
        With the column of what is wrong and, for a misspelt field, the nearest right one.
    """
    whole = _WHOLE.fullmatch(text)
    if whole:
        names = [name.strip() for name in (whole[3] or "").split(",")] if whole[3] else []
        for name in names:
            _check_field(name, text, whole.start(3))
        return Relation(whole[1], whole[2], but=frozenset(names))
    match = _FIELD.fullmatch(text)
    if match is None:
        raise CapsSyntaxError(
            "expected 'out = in', 'out = in except FIELD' or 'out.FIELD = in.FIELD * NUMBER'",
            text[:200],
            1,
        )
    for group in (2, 4):
        _check_field(match[group], text, match.start(group))
    ratio = Fraction(1)
    if match[5]:
        top, bottom = int(match[6]), int(match[7] or 1)
        if not top or not bottom:
            raise CapsSyntaxError("a ratio is not 0", text[:200], match.start(6) + 1)
        ratio = Fraction(top, bottom) if match[5] == "*" else Fraction(bottom, top)
    return Relation(match[1], match[3], match[2], match[4], ratio)


def scale(constraint: Constraint, ratio: Fraction, whole: bool) -> Constraint | None:
    """A constraint on numbers times a ratio; None if no value is left.

    Parameters
    ----------
    constraint : Constraint
        On numbers, unless the ratio is 1.
    ratio : Fraction
        Not 0.
    whole : bool
        Whether only integers count.
    """
    if ratio == 1:
        return constraint
    if isinstance(constraint, Range):
        low, high = constraint.low * ratio, constraint.high * ratio
        if not whole:
            return Range(as_number(low), as_number(high))
        first, last = math.ceil(low), math.floor(high)
        if first > last:
            return None
        return Exact(first) if first == last else Range(first, last)
    if isinstance(constraint, Shape):
        return None
    values = (constraint.value,) if isinstance(constraint, Exact) else constraint.values
    kept: list[Value] = []
    for value in values:
        if isinstance(value, str):
            return None
        scaled = value * ratio
        if not whole or scaled == int(scaled):
            kept.append(as_number(scaled))
    return one_of(tuple(kept))


def as_number(value: float | Fraction) -> int | float | Fraction:
    """As an integer if it is one."""
    return int(value) if value == int(value) else value


def _in_proportion(
    target: Caps, given: Caps, field: str, given_field: str, ratio: Fraction
) -> Caps | None:
    wanted: dict[Constraint, None] = {}
    for item in given.formats or ():
        constraint = item.get(given_field)
        if constraint is None:  # open, or another media type
            return target
        scaled = scale(constraint, ratio, field in NUMBERS and field != "framerate")
        if scaled is not None:
            wanted[scaled] = None
    if target.formats is None:
        return target
    kept: dict[Format, None] = {}
    for item in target.formats:
        if field not in FIELDS[item.media]:
            kept[item] = None
            continue
        ours = item.get(field)
        for constraint in wanted:
            both = constraint if ours is None else intersect(ours, constraint)
            if both is not None:
                kept[item.with_fields({field: both})] = None
    return Caps(tuple(kept)) if kept else None


def _check_field(name: str, text: str, start: int) -> None:
    if name not in _ALL_FIELDS:
        hint = nearest(name, _ALL_FIELDS)
        raise CapsSyntaxError(f"there is no field {name!r}{hint}", text[:200], start + 1)
