"""Settings of policies, queues and processes without effect where they are, and their warnings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from remotemedia.errors import Problem
from remotemedia.manifest.effects import NO_PROCESS, times, with_defaults
from remotemedia.manifest.model import AUTO, Join, NodeSpec, Policy, Queue, Restart
from remotemedia.manifest.tree import Path
from remotemedia.node import is_async, is_source

if TYPE_CHECKING:
    from remotemedia.graph import Graph, GraphNode

Finding = tuple[Path, str]
"""Where in the policy or queue, and why it has no effect."""

_OF_INPUT = ("timeout_ms", "retry", "circuit_breaker", "batch", "join")

# A process that hangs is ended even if it is not restarted.
_OF_RESTARTS = [
    name for name in Restart.__struct_fields__ if name not in ("when", "hang_timeout_ms")
]
_RESTART = Restart()
_PROCESS = with_defaults(NodeSpec, NO_PROCESS)


def policy_warnings(graph: Graph) -> list[Problem]:
    """One warning per setting and reason, at its first use, with the number of uses."""
    found: dict[tuple[str, str], tuple[Path, int]] = {}
    for path, reason in _findings(graph):
        name = " ".join([str(path[2]), ".".join(map(str, path[3:]))]).strip()
        first, count = found.get((name, reason), (path, 0))
        found[name, reason] = first, count + 1
    return [
        Problem(f"{name} has no effect here: {reason}{times(count)}", path, at_key=True)
        for (name, reason), (path, count) in found.items()
    ]


def _findings(graph: Graph) -> Iterator[Finding]:
    for node in graph.nodes.values():
        if node.spec.executor == AUTO and node.executor == "inline":
            for name, reason, default in _PROCESS:
                if getattr(node.spec, name) != default:
                    yield ("nodes", node.index, name), reason
        if node.spec.policy is not None:
            for path, reason in _of_policy(node, node.spec.policy):
                yield ("nodes", node.index, "policy", *path), reason
    for edge in graph.edges:
        if edge.queue is not None:
            for path, reason in _of_queue(edge.queue):
                yield (*edge.path, "queue", *path), reason


def _of_policy(node: GraphNode, policy: Policy) -> Iterator[Finding]:
    given = Policy()
    if node.executor == "inline":
        if policy.restart is not None:
            yield ("restart",), "an inline node is part of the session, and is not restarted"
        if not is_async(node.cls):
            for name in ("max_concurrency", "ordered"):
                if getattr(policy, name) != getattr(given, name):
                    yield (name,), "a synchronous node is called on one item at a time"
    elif policy.restart is not None and policy.restart.when == "never":
        for name in _OF_RESTARTS:
            if getattr(policy.restart, name) != getattr(_RESTART, name):
                yield ("restart", name), "when: never starts nothing anew"
    if is_source(node.cls):
        for name in _OF_INPUT:
            if getattr(policy, name) is not None:
                yield (
                    (name,),
                    "a source is given nothing that it could do late, fail on or wait for",
                )
        if policy.on_error == "passthrough":
            yield ("on_error",), "a source is given nothing that could go on in its place"
        return
    if policy.join is not None:
        yield from _of_join(policy.join, len(node.inputs))
    batch = policy.batch
    if batch is not None and batch.max_items == 1:
        yield ("batch",), "max_items is 1: each item goes by itself"
    elif batch is not None and batch.min_items > batch.max_items:
        yield ("batch", "min_items"), "the node is handed max_items, as soon as they are there"


def _of_join(join: Join, inputs: int) -> Iterator[Finding]:
    given = Join()
    if inputs < 2:
        yield ("join",), "the node has one input"
    elif join.mode != "align" and join.tolerance_ms != given.tolerance_ms:
        yield ("join", "tolerance_ms"), "it is for mode: align"
    if join.mode in ("any", "latest") and join.timeout_ms is not None:
        yield ("join", "timeout_ms"), "it is for mode: zip and mode: align, where items wait"


def _of_queue(queue: Queue) -> Iterator[Finding]:
    if queue.high is None:
        if queue.low is not None:
            yield ("low",), "without a high mark nothing is told"
    elif queue.high > queue.capacity:
        yield ("high",), "the queue holds no more than its capacity"
    elif queue.low is not None and queue.low >= queue.high:
        yield ("low",), "the queue is below it as soon as it is at its high mark"
