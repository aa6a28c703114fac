"""Converters: the cheapest chain of nodes that makes one format of another."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from typing import NamedTuple

from remotemedia.caps import Caps, Exact, Format, Shape
from remotemedia.caps.constraint import Value, show
from remotemedia.errors import ParamsError
from remotemedia.negotiation.fixate import nearest_value
from remotemedia.node import INPUT, OUTPUT, ConversionCost, Node, make_params
from remotemedia.registry import Registry, default_registry

MAX_CHAIN = 6  # converters in a row


class Conversion(NamedTuple):
    """One converter, as it would be inserted.

    Attributes
    ----------
    node_type : str
    params : dict
        What has to be set.
    made : Format
        What comes out.
    cost : ConversionCost
    """

    node_type: str
    params: dict[str, Value]
    made: Format
    cost: ConversionCost

    def __str__(self) -> str:
        inside = ", ".join(f"{name}: {show(value)}" for name, value in self.params.items())
        return f"{self.node_type} {{{inside}}}"


Chain = tuple[Conversion, ...]


class Toll(NamedTuple):
    """What is compared: computing time first, then what share of the samples is lost."""

    us_per_s: float
    lost: float

    def plus(self, other: Toll) -> Toll:
        return Toll(self.us_per_s + other.us_per_s, self.lost + other.lost)


FREE = Toll(0.0, 0.0)


class _Changer(NamedTuple):
    """A node type that sets one field."""

    field: str
    parameter: str
    name: str
    cls: type[Node]
    able: tuple[Format, ...]


class Converters:
    """The converters of a registry.

    Parameters
    ----------
    registry : Registry, optional
        By default that of this program.

    Attributes
    ----------
    needs : dict of field to values
        What some converter works on only.
    """

    def __init__(self, registry: Registry | None = None) -> None:
        self._by_field: list[_Changer] = []
        self.needs: dict[str, dict[Value, None]] = {}  # field → what some converter needs there
        self._found: dict[tuple[Format, Format], tuple[Toll, Chain] | None] = {}
        self._steps: dict[tuple[Format, str, str, Value], tuple[Toll, Conversion] | None] = {}
        for name, cls in (registry or default_registry()).converters().items():
            for field, parameter in cls.converts.items():
                self._by_field.append(_Changer(field, parameter, name, cls, _able(cls, field)))
            for item in cls.input_ports(cls.Params()).get(INPUT, Caps()).formats or ():
                for field, constraint in item.fields:
                    if isinstance(constraint, Exact):
                        self.needs.setdefault(field, {})[constraint.value] = None

    def cheapest(self, produced: Format, accepted: Caps) -> tuple[Toll, Chain] | None:
        """The cheapest way from a format to one that is accepted; an empty one if it is already."""
        if accepted.formats is None:
            return FREE, ()
        ways = [way for goal in accepted.formats if (way := self._way(produced, goal)) is not None]
        return min(ways, key=lambda way: (way[0], len(way[1])), default=None)

    def _way(self, produced: Format, goal: Format) -> tuple[Toll, Chain] | None:
        key = (produced, goal)
        if key not in self._found:
            self._found[key] = self._search(produced, goal)
        return self._found[key]

    def _search(self, produced: Format, goal: Format) -> tuple[Toll, Chain] | None:
        """Dijkstra's algorithm over formats."""
        if produced.media != goal.media:
            return None
        order = itertools.count()
        queue: list[tuple[Toll, int, int, Format, Chain]] = [(FREE, 0, next(order), produced, ())]
        done: set[Format] = set()
        while queue:
            toll, _, _, state, chain = heapq.heappop(queue)
            if state.intersect(goal) is not None:
                return toll, chain
            if state in done or len(chain) >= MAX_CHAIN:
                continue
            done.add(state)
            for step_toll, step in self._moves(state, goal):
                if step.made not in done:
                    total = toll.plus(step_toll)
                    entry = (total, len(chain) + 1, next(order), step.made, (*chain, step))
                    heapq.heappush(queue, entry)
        return None

    def _moves(self, state: Format, goal: Format) -> Iterator[tuple[Toll, Conversion]]:
        for changer in self._by_field:
            field = changer.field
            given = state.get(field)
            now = given.value if isinstance(given, Exact) else None
            values = dict(self.needs.get(field, {}))
            if goal.get(field) is not None:
                end = getattr(given, "high", None) if now is None else now
                for able in changer.able:
                    reachable = goal.intersect(able)
                    constraint = reachable.get(field) if reachable is not None else None
                    if constraint is not None and not isinstance(constraint, Shape):
                        values[nearest_value(constraint, end, field)] = None
            for value in values:
                if value != now:
                    step = self._step(state, changer, value)
                    if step is not None:
                        yield step

    def _step(
        self, state: Format, changer: _Changer, value: Value
    ) -> tuple[Toll, Conversion] | None:
        key = (state, changer.name, changer.field, value)
        if key not in self._steps:
            self._steps[key] = _convert(state, changer, value)
        return self._steps[key]


def _able(cls: type[Node], field: str) -> tuple[Format, ...]:
    """What a converter declares for its output: what it can set the field to."""
    declared = Node.output_ports.__func__(cls, cls.Params())[OUTPUT]  # type: ignore[attr-defined]
    return tuple(
        Format(item.media, tuple(pair for pair in item.fields if pair[0] == field))
        for item in declared.formats or ()
    )


def _convert(state: Format, changer: _Changer, value: Value) -> tuple[Toll, Conversion] | None:
    cls, name, field = changer.cls, changer.name, changer.field
    try:
        params = make_params(cls, {changer.parameter: value})
    except ParamsError:
        return None
    given = cls.input_ports(params)[INPUT].intersect(Caps((state,)))
    if given is None or given.formats is None:
        return None
    made = cls.output_formats(params, {INPUT: given})[OUTPUT]
    if made.formats is None or len(made.formats) != 1:
        return None
    format_ = made.formats[0]
    cost = cls.conversion_cost(params, given.formats[0], format_)
    toll = Toll(cost.us_per_s, _lost(state, format_, field))
    return toll, Conversion(name, {changer.parameter: value}, format_, cost)


def _lost(given: Format, made: Format, field: str) -> float:
    """The share of the samples that a change takes away."""
    before, after = given.number(field), made.number(field)
    if before and after is not None:
        return max(0.0, 1 - after / before)
    return 0.0
