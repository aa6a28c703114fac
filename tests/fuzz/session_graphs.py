"""Random graphs for the fuzz of sessions: nodes, policies, queues, and changes of all that."""

from __future__ import annotations

import random
from collections import Counter

import remotemedia as rm
from fuzz.session_nodes import ASYNC, FOREVER_MS, FORKS, KINDS, SOURCES, SYNC, TWO
from remotemedia.errors import ManifestError
from remotemedia.manifest import Batch, CircuitBreaker, Join, Policy, Queue, Retry

MOST_NODES = 8
OVERFLOWS = ("block", "drop_oldest", "drop_newest", "latest", "coalesce")


class Drawing:
    """Draws graphs, and counts what was drawn.

    Parameters
    ----------
    rng : random.Random
        Says what.
    drawn : Counter
        Counts it.
    """

    def __init__(self, rng: random.Random, drawn: Counter[str]) -> None:
        self.rng = rng
        self.drawn = drawn
        self.endless = False
        """Whether there may be calls that never end by themselves."""
        self.may_fail = False
        """Whether a failing node may end the session."""
        self._number = 0

    def chance(self, probability: float) -> bool:
        """Whether it happens."""
        return self.rng.random() < probability

    def pipeline(self) -> rm.Pipeline:
        """A graph."""
        p = rm.Pipeline()
        for _ in range(self.rng.randint(1, MOST_NODES - 1)):
            self.add_node(p)
        if self.chance(0.2):
            metadata = rm.manifest.Metadata(auto_negotiate=True)
            p._change(metadata=metadata)
            self.drawn["auto_negotiate"] += 1
        return p

    def add_node(self, p: rm.Pipeline, refuses: float = 0.0) -> str:
        """One more node, behind some of those that there are."""
        kind = self.kind()
        before = [node.id for node in p.manifest.nodes]
        name = f"n{self._number}"
        self._number += 1
        policy = self.policy(kind) if self.chance(0.5) else None
        p.add(
            kind,
            id=name,
            is_output_node=self.chance(0.2),
            policy=policy,
            **self.params(kind, policy, self.chance(refuses)),
        )
        self.drawn[kind] += 1
        if before and kind not in SOURCES:
            for source in self.rng.sample(before, min(len(before), self.rng.choice((0, 1, 1, 2)))):
                self.connect(p, source, name)
        return name

    def connect(self, p: rm.Pipeline, source: str, target: str) -> None:
        """An edge, if it fits."""
        kinds = {node.id: node.node_type for node in p.manifest.nodes}
        if kinds[target] in SOURCES:
            return
        out = self.rng.choice(("out", "other")) if kinds[source] in FORKS else "out"
        into = self.rng.choice(("in", "side")) if kinds[target] in TWO else "in"
        p.connect(f"{source}:{out}", f"{target}:{into}", queue=self.queue())

    def kind(self) -> str:
        """Of a node."""
        group = self.rng.choices((SYNC, ASYNC, TWO, FORKS, SOURCES), (6, 5, 2, 1, 1))[0]
        return self.rng.choice(group)

    def params(self, kind: str, policy: Policy | None, refuses: bool = False) -> dict[str, object]:
        """Of a node of that kind."""
        if kind == "PassThrough":
            return {}
        delay_ms = self.rng.choice((0, 0, 1, 5, 20)) if kind not in SYNC else 0
        if kind == "FuzzForgiving" and self.chance(0.3):
            delay_ms = FOREVER_MS
            self.endless = True
        limit = policy.max_concurrency if policy is not None else 1
        if kind == "FuzzStream" and limit > 1:
            limit *= 4  # one that waits for its turn between two items does not count
        return {
            "seed": self.rng.randrange(1 << 30),
            "limit": limit,
            "delay_ms": delay_ms,
            "fails": self.rng.choice((0.0, 0.0, 0.05, 0.3)),
            "several": self.rng.choice((0.0, 0.0, 0.2, 0.5)),
            "refuses": refuses,
        }

    def queue(self) -> Queue | None:
        """Of an edge."""
        if not self.chance(0.4):
            return None
        rng = self.rng
        high = rng.randint(1, 4) if self.chance(0.2) else None
        queue = Queue(
            capacity=rng.randint(1, 5),
            capacity_bytes=rng.choice((1, 20, 2_000)) if self.chance(0.2) else None,
            capacity_ms=rng.choice((1, 40, 100)) if self.chance(0.2) else None,
            high=high,
            low=rng.randint(0, high) if high is not None and self.chance(0.5) else None,
            overflow=rng.choice(OVERFLOWS),  # type: ignore[arg-type]
        )
        self.drawn[f"queue {queue.overflow}"] += 1
        for limit in ("capacity_bytes", "capacity_ms", "high"):
            self.drawn[f"queue {limit}"] += getattr(queue, limit) is not None
        return queue

    def policy(self, kind: str = "", of_all: bool = False) -> Policy:
        """Of a node, or of all that have none."""
        rng = self.rng
        policy = Policy(
            timeout_ms=rng.choice((1, 10, 30)) if self.chance(0.3) else None,
            retry=Retry(
                attempts=rng.randint(2, 3),
                backoff=rng.choice(("fixed", "exponential")),  # type: ignore[arg-type]
                delay_ms=rng.choice((0.001, 1, 10)),
                jitter=rng.choice((0, 0.5)),
            )
            if self.chance(0.3)
            else None,
            circuit_breaker=CircuitBreaker(
                failures=rng.randint(1, 3), reset_ms=rng.choice((1, 20)), probes=rng.randint(1, 2)
            )
            if self.chance(0.3)
            else None,
            batch=Batch(
                max_items=(most := rng.randint(1, 4)),
                min_items=rng.randint(1, most),
                max_wait_ms=rng.choice((0, 5, 20)),
                merge=rng.choice(("concatenate", "separate")),  # type: ignore[arg-type]
            )
            if self.chance(0.2) and not of_all
            else None,
            join=Join(
                mode=rng.choice(("any", "zip", "latest", "align")),  # type: ignore[arg-type]
                timeout_ms=rng.choice((None, 5, 30)),
                capacity=rng.choice((1, 3, 64)),
            )
            if kind in TWO and self.chance(0.8)
            else None,
            max_concurrency=rng.randint(2, 4) if kind in (*ASYNC, *TWO) and self.chance(0.3) else 1,
            ordered=self.chance(0.7),
            on_error=rng.choices(("drop", "passthrough", "fail_session"), (8, 4, 1))[0],  # type: ignore[arg-type]
        )
        if policy.join is not None and policy.join.mode != "any":
            self.drawn[f"join {policy.join.mode}"] += 1
        for name in ("timeout_ms", "retry", "circuit_breaker", "batch"):
            self.drawn[f"policy {name}"] += getattr(policy, name) is not None
        self.drawn["policy max_concurrency"] += policy.max_concurrency > 1
        self.drawn[f"policy on_error {policy.on_error}"] += 1
        self.may_fail |= policy.on_error == "fail_session"
        return policy

    def edit(self, p: rm.Pipeline) -> None:
        """Change something, or several things."""
        for _ in range(self.rng.choice((1, 1, 2, 3))):
            self._edit_one(p)

    def _edit_one(self, p: rm.Pipeline) -> None:
        rng, nodes, edges = self.rng, p.manifest.nodes, p.manifest.connections
        what = rng.choice(("add", "remove", "replace", "connect", "disconnect", "queue", "between"))
        if what == "add" and len(nodes) < MOST_NODES:
            self.add_node(p, refuses=0.1)
        elif what == "remove" and len(nodes) > 1:
            p.remove(rng.choice(nodes).id)
        elif what == "replace":
            node = rng.choice(nodes)
            alike = next(
                (group for group in (SYNC + ASYNC, TWO, FORKS, SOURCES) if node.node_type in group),
                KINDS,
            )
            kind = rng.choice(alike)
            p.replace(node.id, kind, **self.params(kind, node.policy, self.chance(0.1)))
        elif what == "connect" and len(nodes) > 1:
            first, second = rng.sample(range(len(nodes)), 2)
            self.connect(p, nodes[min(first, second)].id, nodes[max(first, second)].id)
        elif what in ("disconnect", "queue", "between") and edges:
            edge = rng.choice(edges)
            p.disconnect(edge.source, edge.target)
            if what == "queue":
                p.connect(edge.source, edge.target, queue=self.queue())
            elif what == "between" and len(nodes) < MOST_NODES:
                kind = rng.choice(SYNC + ASYNC)
                name = f"n{self._number}"
                self._number += 1
                p.add(kind, id=name, **self.params(kind, None))
                p.connect(edge.source, name, queue=self.queue())
                p.connect(name, edge.target, queue=self.queue())
        self.drawn[f"edit {what}"] += 1


def is_valid(p: rm.Pipeline) -> bool:
    """Whether the graph can run."""
    try:
        p.plan()
    except (ManifestError, rm.RemoteMediaError):
        return False
    return True
