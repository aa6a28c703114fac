"""Handing on: whether a node's input can go on in the place of its output.

That is what a node does that is bypassed, or fails under ``on_error: passthrough``.
"""

from __future__ import annotations

from remotemedia.errors import Problem
from remotemedia.graph import Graph
from remotemedia.manifest import Policy
from remotemedia.negotiation.cells import Port
from remotemedia.negotiation.negotiate import Formats


def handing_on(graph: Graph, formats: Formats, node_id: str) -> tuple[str, frozenset[Port]]:
    """What keeps the input of a node from going on; empty if nothing does.

    Also the inputs behind it that must check each item then: they may be given what they do not
    accept.
    """
    node = graph.nodes[node_id]
    output = next(iter(node.outputs), None)
    if output is None:
        return "it has no output", frozenset()
    made = formats.outputs[node_id, output]
    behind = [edge for edge in graph.outgoing(node_id) if edge.source_port == output]
    unsure: set[Port] = set()
    for port in node.inputs:
        given = formats.inputs[node_id, port]
        if not behind and given.intersect(made) is None:
            return f"its input is {given}, and its output is {made}", frozenset()
        for edge in behind:
            place = edge.target, edge.target_port
            accepted = graph.nodes[edge.target].inputs[edge.target_port]
            if given.intersect(accepted) is None:
                accepts = f"{edge.target}:{edge.target_port} accepts {accepted}"
                return f"its input is {given}, and {accepts}", frozenset()
            if place not in formats.unproven and not given.is_subset(accepted):
                unsure.add(place)
    return "", frozenset(unsure)


def passing_through(
    graph: Graph, formats: Formats, default: Policy | None = None
) -> tuple[list[Problem], frozenset[Port]]:
    """Nodes with ``on_error: passthrough`` that cannot, and inputs that must check what comes.

    Parameters
    ----------
    graph : Graph
    formats : Formats
    default : Policy, optional
        Of nodes that have none of their own.
    """
    problems: list[Problem] = []
    unsure: set[Port] = set()
    for node_id, node in graph.nodes.items():
        policy = node.spec.policy or default
        if not node.inputs or policy is None or policy.on_error != "passthrough":
            continue
        why, places = handing_on(graph, formats, node_id)
        unsure |= places
        if why:
            message = (
                f"on_error: passthrough cannot work for {node_id!r} ({node.node_type}): {why}; "
                "give it a policy with on_error: drop"
            )
            problems.append(Problem(message, ("nodes", node.index, "policy", "on_error")))
    return problems, frozenset(unsure)
