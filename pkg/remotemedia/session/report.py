"""Report: from the counters of a session to one snapshot."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from remotemedia.graph import Edge
from remotemedia.metrics import EdgeMetrics, Metrics, NodeMetrics
from remotemedia.plan import Plan
from remotemedia.session.chain import Link, Step

CLIENT = "client"


def node_metrics(plan: Plan, steps: Mapping[str, Step], now: float) -> tuple[NodeMetrics, ...]:
    """Every node, in topological order; `now` is the profiling clock's, s."""
    return tuple(
        _node(plan.graph.nodes[node_id].node_type, steps[node_id], now)
        for node_id in plan.graph.order
    )


def _node(node_type: str, step: Step, now: float) -> NodeMetrics:
    policy = step.policy
    counts = (policy.retries, policy.timeouts, policy.refused, policy.state) if policy else ()
    return msgspec.structs.replace(
        NodeMetrics(step.id, node_type, step.calls, step.errors, step.latency.timing(now), *counts),
        dropped=dict(step.dropped),
        state=step.state,
    )


def inner_edge(edge: Edge, link: Link | None, steps: Mapping[str, Step]) -> EdgeMetrics:
    """An edge inside an island: what enters it is delivered at once.

    In the middle of a chain it has no counter of its own, but all that its target was given came
    by it, or from the client.
    """
    target = steps[edge.target]
    count = link.count if link is not None else target.calls - target.direct - target.elsewhere
    source, target_port = edge_ends(edge)
    return direct_edge(source, target_port, count)


def direct_edge(source: str, target: str, count: int) -> EdgeMetrics:
    """An edge that holds nothing back."""
    return EdgeMetrics(source, target, count, count, {}, 0, 0)


def edge_ends(edge: Edge) -> tuple[str, str]:
    """The two ends of an edge, each as ``node:port``."""
    return f"{edge.source}:{edge.source_port}", f"{edge.target}:{edge.target_port}"


def snapshot(
    plan: Plan,
    steps: Mapping[str, Step],
    links: Mapping[Edge, Link],
    ends: list[EdgeMetrics],
    now: float,
) -> Metrics:
    """A session without boundaries; `ends` are the edges from and to the client."""
    inner = [inner_edge(edge, links.get(edge), steps) for edge in plan.graph.edges]
    return Metrics(node_metrics(plan, steps, now), (*inner, *ends))


def conversions(steps: Mapping[str, Step]) -> dict[str, str]:
    """What the adapters in front of ports do, by ``"node:port"``, in words."""
    found: dict[str, str] = {}
    for step in steps.values():
        for port, adapter in step.adapters.items():
            said = dict.fromkeys(", then ".join(map(str, c)) for c in adapter.chains.values())
            if said:
                found[f"{step.id}:{port}"] = " | ".join(said)
    return found
