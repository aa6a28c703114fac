"""The life of nodes: opening and closing them in order."""

from __future__ import annotations

from collections.abc import Iterable

from remotemedia.clock import Clock
from remotemedia.errors import UnavailableError
from remotemedia.executors import find_executor
from remotemedia.node import Context, Node
from remotemedia.plan import Plan


def context(plan: Plan, node_id: str, clock: Clock) -> Context:
    """What a node is told when it opens."""
    node, inputs, outputs = plan.graph.nodes[node_id], plan.formats.inputs, plan.formats.outputs
    return Context(
        node=node_id,
        clock=clock,
        inputs={port: inputs[node_id, port] for port in node.inputs},
        outputs={port: outputs[node_id, port] for port in node.outputs},
    )


def create_nodes(plan: Plan, order: Iterable[str]) -> dict[str, Node]:
    """The object that is called for each node.

    Raises
    ------
    UnavailableError
        Nodes whose executor is not on this host; names all of them.
    """
    nodes: dict[str, Node] = {}
    missing: list[str] = []
    for node_id in order:
        node = plan.graph.nodes[node_id]
        try:
            nodes[node_id] = find_executor(plan.placements[node_id].executor).create(node)
        except UnavailableError as error:
            missing.append(f"node {node_id!r}: {error}")
    if missing:
        raise UnavailableError("\n".join(missing))
    return nodes
