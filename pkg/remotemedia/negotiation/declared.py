"""Checks what nodes declare, edge by edge, from the sources down.

This is the place of the full solver, which chooses formats jointly and in both directions. What
it already settles: which edges can never work, what each port will carry as far as that is
declared, and which inputs have to be checked while running because it is not.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from remotemedia.caps import ANY, Caps, Format
from remotemedia.errors import Problem
from remotemedia.graph import Edge, Graph, GraphNode
from remotemedia.negotiation.suggestion import differences, suggest

Port = tuple[str, str]
"""Node id and port."""


class Formats(msgspec.Struct, frozen=True, eq=False):
    """What every port carries.

    Attributes
    ----------
    inputs, outputs : mapping of (node, port) to Caps
        As far as it is known before data flows.
    unproven : frozenset of (node, port)
        Inputs that may be given what they do not accept, so that each item has to be checked.
    problems : tuple of Problem
        Edges that can never work.
    """

    inputs: Mapping[Port, Caps]
    outputs: Mapping[Port, Caps]
    unproven: frozenset[Port]
    problems: tuple[Problem, ...]


def check_declared(graph: Graph) -> Formats:
    """Follow the declared formats through the graph.

    The word of a node from outside this package is not taken for granted: what it emits is checked
    where it arrives.
    """
    inputs: dict[Port, Caps] = {}
    outputs: dict[Port, Caps] = {}
    unproven: set[Port] = set()
    problems: list[Problem] = []
    for node_id in graph.order:
        node = graph.nodes[node_id]
        arriving: dict[str, Caps] = {}
        for port, accepted in node.inputs.items():
            carried: list[Caps] = []
            for edge in graph.incoming(node_id):
                if edge.target_port != port:
                    continue
                produced = outputs[edge.source, edge.source_port]
                both = produced.intersect(accepted)
                if both is None:
                    problems.append(_mismatch(graph, edge, produced, accepted))
                    continue
                carried.append(both)
                if not (_is_ours(graph.nodes[edge.source]) and produced.is_subset(accepted)):
                    unproven.add((node_id, port))
            arriving[port] = inputs[node_id, port] = _union(carried, accepted)
        formats = node.cls.output_formats(node.params, arriving)
        for port, declared in node.outputs.items():
            outputs[node_id, port] = formats.get(port, declared)
    return Formats(inputs, outputs, frozenset(unproven), tuple(problems))


def _is_ours(node: GraphNode) -> bool:
    return node.cls.__module__.startswith("remotemedia.")


def _union(carried: list[Caps], accepted: Caps) -> Caps:
    if not carried:
        return accepted
    formats: list[Format] = []
    for caps in carried:
        if caps.formats is None:
            return ANY
        formats.extend(caps.formats)
    return Caps(tuple(dict.fromkeys(formats)))


def _mismatch(graph: Graph, edge: Edge, produced: Caps, accepted: Caps) -> Problem:
    source, target = graph.nodes[edge.source], graph.nodes[edge.target]
    fix = suggest(produced, accepted)
    return Problem(
        f"{edge.source}:{edge.source_port} ({source.node_type}) produces {produced}, "
        f"but {edge.target}:{edge.target_port} ({target.node_type}) accepts {accepted}: "
        f"{differences(produced, accepted)}" + (f"; {fix}" if fix else ""),
        edge.path,
    )
