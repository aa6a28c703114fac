"""Insertion: where converters have to stand so that all formats fit, at the least cost.

The ports of a node that keep a format are one *place*; an input port without a relation asks for
something by itself. Every connection may carry a chain of converters from the format of the place
before it to one that is accepted behind it. Places that connections and relations link, and where
something does not fit, are solved together: each has a list of candidates, made of the values that
occur in any declaration around it, and the cheapest assignment is found exactly by eliminating one
place after the other. That is quick for trees, which real pipelines are nearly always; where so
many places depend on each other that the tables would get too large, an error says so.

Cost: computing time of the converters, then the share of samples that they drop, then as late as
possible, so that what comes before keeps its format.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from remotemedia.caps import FIELDS, Caps, Constraint, Exact, Format, OneOf, Range, Relation
from remotemedia.caps.constraint import Value, intersect
from remotemedia.caps.media import NUMBERS
from remotemedia.caps.relation import scale
from remotemedia.errors import NegotiationLimitError
from remotemedia.graph import Edge, Graph
from remotemedia.negotiation.cells import Cell, cell_of
from remotemedia.negotiation.converters import Chain, Converters
from remotemedia.negotiation.elimination import Factor, Price, eliminate
from remotemedia.negotiation.union_find import merge, root

MAX_CANDIDATES = 192  # formats of one place
_IMPOSSIBLE = 1e12  # of a connection that nothing can convert: the rest is still solved


class Insertion(NamedTuple):
    """Converters in one connection."""

    edge: Edge
    chain: Chain


def find_insertions(
    graph: Graph,
    relations: Mapping[str, tuple[Relation, ...]],
    broken: Sequence[Cell],
    converters: Converters,
    *,
    strict: bool = True,
) -> tuple[tuple[Insertion, ...], ...]:
    """The cheapest converters that make the formats fit around some ports.

    Parameters
    ----------
    graph : Graph
        What is wired.
    relations : mapping of node id to relations
        Those that hold.
    broken : sequence of Cell
        Ports where something does not fit.
    converters : Converters
        What may be inserted.
    strict : bool
        Raise if a group is too large; else nothing is found for it.

    Returns
    -------
    tuple of tuple of Insertion
        For each of `broken` all that were found together, in the order of the manifest.

    Raises
    ------
    NegotiationLimitError
        Too many formats depend on each other.
    """
    places = _Places(graph, relations)
    order = {edge: index for index, edge in enumerate(graph.edges)}
    found: dict[int, tuple[Insertion, ...]] = {}
    for cell in broken:
        group = places.number(cell)
        if group not in found:
            try:
                solved = _Task(places, group, converters).solve()
            except NegotiationLimitError:
                if strict:
                    raise
                solved = []
            found[group] = tuple(sorted(solved, key=lambda insertion: order[insertion.edge]))
    return tuple(found[places.number(cell)] for cell in broken)


class _Places:
    """Ports that carry the same format, and which of them depend on each other."""

    def __init__(self, graph: Graph, relations: Mapping[str, tuple[Relation, ...]]) -> None:
        self.graph = graph
        self.relations = relations
        self._parent: dict[Cell, Cell] = {}
        self._groups: dict[Cell, Cell] = {}
        self.tied: set[Cell] = set()
        for node_id in graph.order:
            for relation in relations.get(node_id, ()):
                a, b = self.cell(node_id, relation.port), self.cell(node_id, relation.other)
                self.tied |= {a, b}
                if relation.is_identity:
                    merge(self._parent, b, a)
        for node_id in graph.order:
            for relation in relations.get(node_id, ()):
                a, b = self.cell(node_id, relation.port), self.cell(node_id, relation.other)
                merge(self._groups, self.place(a), self.place(b))
            for edge in graph.incoming(node_id):
                source: Cell = (edge.source, edge.source_port, True)
                target: Cell = (node_id, edge.target_port, False)
                if target in self.tied:
                    merge(self._groups, self.place(source), self.place(target))
        self._numbers: dict[Cell, int] = {}

    def cell(self, node_id: str, port: str) -> Cell:
        return cell_of(self.graph.nodes[node_id], port)

    def place(self, cell: Cell) -> Cell:
        return root(self._parent, cell)

    def number(self, cell: Cell) -> int:
        """The number of the group that a cell is in."""
        group = root(self._groups, self.place(cell))
        return self._numbers.setdefault(group, len(self._numbers))


class _Task:
    """One group of places that depend on each other."""

    def __init__(self, places: _Places, group: int, converters: Converters) -> None:
        self.places = places
        self.graph = places.graph
        self.converters = converters
        self.caps: dict[Cell, list[Caps]] = {}
        self.edges: list[tuple[int, Edge, Cell, Cell | None]] = []
        self.hard: list[tuple[Cell, Cell, Relation]] = []
        graph = self.graph
        late = len(graph.order)
        for position, node_id in enumerate(graph.order):
            node = graph.nodes[node_id]
            for port, caps in node.inputs.items():
                cell: Cell = (node_id, port, False)
                if cell in places.tied and places.number(cell) == group:
                    self.caps.setdefault(places.place(cell), []).append(caps)
            for port, caps in node.outputs.items():
                cell = (node_id, port, True)
                if places.number(cell) == group:
                    self.caps.setdefault(places.place(cell), []).append(caps)
            for relation in places.relations.get(node_id, ()):
                a, b = places.cell(node_id, relation.port), places.cell(node_id, relation.other)
                if not relation.is_identity and places.number(a) == group:
                    self.hard.append((places.place(a), places.place(b), relation))
            for edge in graph.incoming(node_id):
                source: Cell = (edge.source, edge.source_port, True)
                if places.number(source) == group:
                    target: Cell = (node_id, edge.target_port, False)
                    tied = places.place(target) if target in places.tied else None
                    self.edges.append((late - position, edge, places.place(source), tied))

    def solve(self) -> list[Insertion]:
        """The insertions of the cheapest assignment."""
        candidates = self._candidates()
        if any(not options for options in candidates.values()):
            return []  # what a node declares contradicts itself
        chosen = eliminate(candidates, self._factors())
        found = []
        for _, edge, source, target in self.edges:
            goal = self._goal(edge, None if target is None else chosen[target])
            way = self.converters.cheapest(chosen[source], goal)
            if way is not None and way[1]:
                found.append(Insertion(edge, way[1]))
        return found

    def _goal(self, edge: Edge, behind: Format | None) -> Caps:
        accepted = self.graph.nodes[edge.target].inputs[edge.target_port]
        return accepted if behind is None else Caps((behind,))

    def _factors(self) -> list[Factor]:
        factors = [
            Factor((a, b), self._relation_price(relation), 0, relation)
            if a != b
            else Factor((a,), self._own_price(relation), 0, (relation,))
            for a, b, relation in self.hard
        ]
        for late, edge, source, target in self.edges:
            if target is None:
                accepted = self._goal(edge, None)
                factors.append(Factor((source,), self._end_price(accepted), late, accepted))
            elif target != source:
                factors.append(Factor((source, target), self._edge_price, late, "edge"))
        return factors

    def _end_price(self, accepted: Caps) -> Callable[..., Price]:
        return lambda given: self._price(given, accepted)

    def _edge_price(self, given: Format, behind: Format) -> Price:
        return self._price(given, Caps((behind,)))

    def _price(self, given: Format, goal: Caps) -> Price:
        way = self.converters.cheapest(given, goal)
        if way is None:
            return _IMPOSSIBLE, 0.0, 0
        toll, chain = way
        return toll.us_per_s, toll.lost, len(chain)

    def _relation_price(self, relation: Relation) -> Callable[..., Price]:
        def price(a: Format, b: Format) -> Price:
            fits = relation.apply(Caps((a,)), Caps((b,))) is not None
            return (0.0, 0.0, 0) if fits else (_IMPOSSIBLE * 1e3, 0.0, 0)

        return price

    def _own_price(self, relation: Relation) -> Callable[..., Price]:
        price = self._relation_price(relation)
        return lambda a: price(a, a)

    # -- candidates --------------------------------------------------------------------------

    def _candidates(self) -> dict[Cell, list[Format]]:
        own = {place: _all_of(caps) for place, caps in self.caps.items()}
        ends = [
            self.graph.nodes[edge.target].inputs[edge.target_port]
            for _, edge, _, target in self.edges
            if target is None
        ]
        values = self._values([*itertools.chain.from_iterable(self.caps.values()), *ends])
        listed: dict[Caps | None, list[Format]] = {None: []}
        for caps in own.values():
            if caps is not None and caps not in listed:
                listed[caps] = _listed(caps, values)
        return {place: listed[caps] for place, caps in own.items()}

    def _values(self, declared: Iterable[Caps]) -> dict[tuple[str, str], list[Value]]:
        """For each field that is in dispute: the values that occur anywhere in the group."""
        met: dict[tuple[str, str], list[Constraint]] = {}
        for caps in declared:
            for item in caps.formats or ():
                for field, constraint in item.fields:
                    met.setdefault((item.media, field), []).append(constraint)
        values: dict[tuple[str, str], dict[Value, None]] = {}
        needed = self.converters.needs
        for key, constraints in met.items():
            common: Constraint | None = constraints[0]
            for constraint in constraints[1:]:
                common = None if common is None else intersect(common, constraint)
            if common is None or any(relation.field == key[1] for _, _, relation in self.hard):
                values[key] = _all_occurring(constraints)
        media = {medium for medium, _ in values}
        for key, constraints in met.items():
            # What is converted on the way may have to be what converters work on.
            if key not in values and key[0] in media and key[1] in needed:
                values[key] = {**_all_occurring(constraints), **needed[key[1]]}
        self._spread(values)
        return {key: list(found) for key, found in values.items()}

    def _spread(self, values: dict[tuple[str, str], dict[Value, None]]) -> None:
        """Values that follow from others by a proportion."""
        for _ in range(4):
            for _, _, relation in self.hard:
                if not relation.field:
                    continue
                for media in FIELDS:
                    there = values.get((media, relation.other_field), {})
                    here = values.get((media, relation.field), {})
                    _scaled(here, there, relation, back=False)
                    _scaled(there, here, relation, back=True)


def _scaled(
    to: dict[Value, None], given: Mapping[Value, None], relation: Relation, *, back: bool
) -> None:
    ratio = 1 / relation.ratio if back else relation.ratio
    field = relation.other_field if back else relation.field
    whole = field in NUMBERS and field != "framerate"
    for value in list(given):
        if isinstance(value, str) or len(to) > MAX_CANDIDATES:
            continue
        found = scale(Exact(value), ratio, whole)
        if isinstance(found, Exact):
            to[found.value] = None


def _occurring(constraint: Constraint) -> tuple[Value, ...]:
    if isinstance(constraint, Exact):
        return (constraint.value,)
    if isinstance(constraint, OneOf):
        return constraint.values
    return (constraint.low, constraint.high) if isinstance(constraint, Range) else ()


def _all_occurring(constraints: Iterable[Constraint]) -> dict[Value, None]:
    return dict.fromkeys(value for one in constraints for value in _occurring(one))


def _all_of(caps: Iterable[Caps]) -> Caps | None:
    both: Caps | None = Caps()
    for one in caps:
        both = None if both is None else both.intersect(one)
    return both


def _listed(caps: Caps, values: Mapping[tuple[str, str], list[Value]]) -> list[Format]:
    """Formats with one value for each field that is in dispute."""
    if caps.formats is None:
        media = dict.fromkeys(medium for medium, _ in values)
        formats: tuple[Format, ...] = tuple(Format(medium) for medium in media)
    else:
        formats = caps.formats
    found: dict[Format, None] = {}
    for item in formats:
        fields = [field for medium, field in values if medium == item.media]
        choices = []
        for field in fields:
            constraint = item.get(field)
            choices.append(
                [
                    value
                    for value in values[item.media, field]
                    if constraint is None or constraint.accepts(value)
                ]
            )
        for combination in itertools.product(*choices):
            exact = dict(zip(fields, map(Exact, combination), strict=True))
            found[item.with_fields(exact)] = None
            if len(found) > MAX_CANDIDATES:
                raise NegotiationLimitError(
                    f"more than {MAX_CANDIDATES} formats are possible where converters would have "
                    "to be inserted: give the formats of some nodes exactly"
                )
    return list(found)
