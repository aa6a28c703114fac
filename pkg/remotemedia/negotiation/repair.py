"""Repair: the fix for what does not fit, as data and in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from remotemedia.caps import Caps, Exact, Shape
from remotemedia.caps.media import differing_fields
from remotemedia.errors import ParamsError, Problem
from remotemedia.graph import Edge, Graph
from remotemedia.negotiation.converters import Converters
from remotemedia.negotiation.fixate import nearest_value
from remotemedia.negotiation.insertion import Insertion, find_insertions
from remotemedia.negotiation.negotiate import Formats, Negotiation
from remotemedia.negotiation.suggestion import Change, Insert, Step, Suggestion
from remotemedia.negotiation.trouble import Trouble
from remotemedia.node import make_params

MAX_WORK = 20_000  # nodes that are negotiated once more to find changes of parameters


def negotiate(graph: Graph, converters: Converters | None = None) -> Formats:
    """Find what every port carries, and how to mend what does not fit; deterministic.

    The word of a node from outside this package is not taken for granted: what it emits is checked
    where it arrives.

    Parameters
    ----------
    graph : Graph
        What is wired.
    converters : Converters, optional
        What may be suggested; by default what the program's registry has.

    Raises
    ------
    NegotiationLimitError
        So many alternatives that no answer was found within the bound.
    """
    negotiation = Negotiation(graph)
    formats = negotiation.run()
    if not negotiation.troubles:
        return formats
    problems = _problems(graph, negotiation, converters or Converters())
    return msgspec.structs.replace(formats, problems=problems)


def converters_for(graph: Graph, converters: Converters | None = None) -> tuple[Insertion, ...]:
    """The converters that make everything fit that can be made to, at the least cost.

    Parameters and errors are those of `negotiate`.
    """
    negotiation = Negotiation(graph)
    negotiation.run()
    if not negotiation.troubles:
        return ()
    found = find_insertions(
        graph,
        negotiation.relations,
        [trouble.cell for trouble in negotiation.troubles],
        converters or Converters(),
    )
    return tuple({insertion.edge: insertion for group in found for insertion in group}.values())


def _problems(
    graph: Graph, negotiation: Negotiation, converters: Converters
) -> tuple[Problem, ...]:
    fixes: dict[int, tuple[Suggestion, ...]] = {}
    mended = graph
    left = negotiation
    attempts = max(1, MAX_WORK // len(graph.nodes))
    for index, trouble in enumerate(negotiation.troubles[:attempts]):
        change = _change(mended, left, trouble)
        if change is not None:
            fixes[index] = (change,)
            mended = _changed(mended, change)
            left = Negotiation(mended)
            left.run()
    waiting = [
        (index, trouble) for index, trouble in enumerate(negotiation.troubles) if index not in fixes
    ]
    if waiting:
        cells = [trouble.cell for _, trouble in waiting]
        found = find_insertions(mended, left.relations, cells, converters, strict=False)
        after = _with(mended, {one.edge: one for group in found for one in group})
        edges = {trouble.edge for trouble in after.troubles}
        messages = {trouble.message for trouble in after.troubles}
        for (index, trouble), insertions in zip(waiting, found, strict=True):
            here = [one for one in insertions if one.edge is trouble.edge]
            # Elsewhere, too, if that is known to help.
            helps = trouble.edge not in edges - {None} and trouble.message not in messages
            fixes[index] = _inserts(here or (insertions if helps else ()))
    return tuple(
        _problem(trouble, fixes.get(index, ()))
        for index, trouble in enumerate(negotiation.troubles)
    )


def _problem(trouble: Trouble, fixes: tuple[Suggestion, ...]) -> Problem:
    said = [_said(fix, trouble.edge) for fix in fixes]
    message = "; ".join([trouble.message, " and ".join(said)] if said else [trouble.message])
    return Problem(message, trouble.path, fixes=fixes)


def _said(fix: Suggestion, edge: Edge | None) -> str:
    if isinstance(fix, Insert) and edge is not None and fix.connection == edge.path[1]:
        return f"insert {fix.steps_text} between them"
    return str(fix)


def _with(graph: Graph, insertions: Mapping[Edge, Insertion]) -> Negotiation:
    """How it would go with these converters."""
    converted = {edge: Caps((one.chain[-1].made,)) for edge, one in insertions.items()}
    negotiation = Negotiation(graph, converted)
    negotiation.run()
    return negotiation


def _inserts(found: Iterable[Insertion]) -> tuple[Suggestion, ...]:
    return tuple(
        Insert(
            int(edge.path[1]),
            f"{edge.source}:{edge.source_port}",
            f"{edge.target}:{edge.target_port}",
            tuple(Step(one.node_type, dict(one.params)) for one in chain),
        )
        for edge, chain in found
    )


def _change(graph: Graph, before: Negotiation, trouble: Trouble) -> Change | None:
    """Another value for a parameter of the converter in front, if that alone mends it."""
    edge, produced, accepted = trouble.edge, trouble.produced, trouble.accepted
    if edge is None or produced is None or accepted is None:
        return None
    source = graph.nodes[edge.source]
    if not source.cls.converts:
        return None
    for item in produced.formats or ():
        for goal in accepted.formats or ():
            fields = [name for name, _, _ in differing_fields(item, goal)]
            if item.media != goal.media or len(fields) != 1:
                continue
            param = source.cls.converts.get(fields[0])
            wanted = goal.get(fields[0])
            if param is None or wanted is None or isinstance(wanted, Shape):
                continue
            given = item.get(fields[0])
            now = given.value if isinstance(given, Exact) else None
            change = Change(source.id, param, nearest_value(wanted, now, fields[0]))
            try:
                after = Negotiation(_changed(graph, change))
            except ParamsError:
                continue
            after.run()
            messages = {trouble.message for trouble in before.troubles}
            if len(after.troubles) < len(messages) and all(
                trouble.message in messages for trouble in after.troubles
            ):
                return change
    return None


def _changed(graph: Graph, change: Change) -> Graph:
    """The graph with another parameter."""
    node = graph.nodes[change.node]
    fields = msgspec.structs.asdict(node.params)
    params = make_params(node.cls, {**fields, change.param: change.value})
    replaced = msgspec.structs.replace(
        node,
        params=params,
        inputs=node.cls.input_ports(params),
        outputs=node.cls.output_ports(params),
    )
    return msgspec.structs.replace(graph, nodes={**graph.nodes, change.node: replaced})
