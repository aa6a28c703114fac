"""Fixation: one value out of a constraint, by preference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from remotemedia.caps import Constraint, Exact, Format, OneOf, Range, Shape
from remotemedia.caps.constraint import Value

USUAL: dict[str, int] = {"sample_rate": 48_000, "framerate": 30}
"""What is nearest to is chosen where nothing else says; of other numbers the least."""


def nearest_format(formats: Sequence[Format], to: Format | None) -> Iterator[Format]:
    """The alternatives, each with single values where it has constraints, the best first.

    Best is what `to` has already; then what loses fewer samples: the next larger number, else the
    next smaller one. Fields that are open take the value of `to`, if it has one.

    Parameters
    ----------
    formats : sequence of Format
        In the order of preference, where nothing else decides.
    to : Format or None
        What is there to begin with.
    """
    found = []
    for order, item in enumerate(formats):
        wanted = to if to is not None and to.media == item.media else None
        fields: dict[str, Constraint | None] = {}
        lost, changed = 0.0, 0
        names = dict.fromkeys([name for name, _ in item.fields])
        if wanted is not None:
            names |= dict.fromkeys(name for name, _ in wanted.fields)
        for name in names:
            given = wanted.get(name) if wanted is not None else None
            goal = given.value if isinstance(given, Exact) else None
            constraint = item.get(name)
            if constraint is None:
                fields[name] = None if goal is None else Exact(goal)
                continue
            if isinstance(constraint, Shape):
                continue
            value = nearest_value(constraint, goal, name)
            fields[name] = Exact(value)
            if goal is not None and value != goal:
                changed += 1
                if isinstance(value, (int, float)) and isinstance(goal, (int, float)):
                    lost += max(0.0, 1 - value / goal) if goal else 0
        found.append(((wanted is None, changed, lost, order), item.with_fields(fields)))
    found.sort(key=lambda pair: pair[0])
    yield from (choice for _, choice in found)
    yield from formats  # as open as they are


def nearest_value(constraint: Exact | Range | OneOf, goal: Value | None, field: str = "") -> Value:
    """The value that is nearest to a goal, larger before smaller; without one, the preferred.

    Parameters
    ----------
    constraint : Exact, Range or OneOf
        What is possible.
    goal : Value or None
        What is there to begin with.
    field : str
        Which field; some have a usual value.
    """
    if isinstance(constraint, Exact):
        return constraint.value
    if goal is not None and constraint.accepts(goal):
        return goal
    if isinstance(constraint, Range):
        wanted = goal if isinstance(goal, (int, float)) else USUAL.get(field, constraint.low)
        return min(max(wanted, constraint.low), constraint.high)
    return _nearest_of(constraint, goal)


def _nearest_of(constraint: OneOf, goal: Value | None) -> Value:
    if not isinstance(goal, (int, float)):
        return constraint.values[0]
    numbers = [value for value in constraint.values if isinstance(value, (int, float))]
    above = [value for value in numbers if value >= goal]
    return min(above) if above else max(numbers, default=constraint.values[0])
