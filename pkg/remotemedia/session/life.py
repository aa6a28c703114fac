"""The life of nodes: opening and closing them in order."""

from __future__ import annotations

from collections.abc import Iterable

from remotemedia.clock import Clock
from remotemedia.node import Context, Node
from remotemedia.plan import Plan


def context(plan: Plan, node_id: str, clock: Clock) -> Context:
    """What a node is told when it opens."""
    inputs = plan.formats.inputs.items()
    outputs = plan.formats.outputs.items()
    return Context(
        node=node_id,
        clock=clock,
        inputs={port: caps for (node, port), caps in inputs if node == node_id},
        outputs={port: caps for (node, port), caps in outputs if node == node_id},
    )


def create_nodes(plan: Plan, order: Iterable[str]) -> dict[str, Node]:
    """The object that is called for each node."""
    return {
        node_id: plan.placements[node_id].executor.create(plan.graph.nodes[node_id])
        for node_id in order
    }
