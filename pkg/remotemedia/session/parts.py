"""Parts: what runs nodes or pieces of a plan elsewhere, as a router and its session see it."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Set
from copy import copy
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from remotemedia.clock import Clock
from remotemedia.errors import SessionError, UnavailableError
from remotemedia.executors import find_executor
from remotemedia.graph import Edge, GraphNode
from remotemedia.manifest import Policy
from remotemedia.metrics import Metrics
from remotemedia.node import Node
from remotemedia.plan import Plan

if TYPE_CHECKING:
    from remotemedia.session.boundary import Boundary
    from remotemedia.session.inbox import Inbox
    from remotemedia.session.router import Router
    from remotemedia.session.unit import Hooks, Unit


class Surroundings:
    """What whoever runs parts is told of the session.

    Parameters
    ----------
    plan : Plan
    hooks : Hooks
    clock : Clock
    policy : Policy
        Of nodes that have none of their own.
    max_latency_ms : float or None
    close_timeout_us : int
    """

    # No NamedTuple: its fields would name a class that is known to type checkers only.
    def __init__(
        self,
        plan: Plan,
        hooks: Hooks,
        clock: Clock,
        policy: Policy,
        max_latency_ms: float | None,
        close_timeout_us: int,
    ) -> None:
        self.plan = plan
        self.hooks = hooks
        self.clock = clock
        self.policy = policy
        self.max_latency_ms = max_latency_ms
        self.close_timeout_us = close_timeout_us

    def with_plan(self, plan: Plan) -> Surroundings:
        """The same, round another plan."""
        changed = copy(self)
        changed.plan = plan
        return changed


class Elsewhere(Protocol):
    """All that one executor runs of a session. If it runs no parts, its nodes are async nodes."""

    def node(self, node: GraphNode) -> Node:
        """What stands for a node in the session: it is opened, updated and closed there."""

    async def start(self) -> None:
        """Begin to get all ready; the nodes tell when they are."""

    def finish(self) -> None:
        """The client sends no more."""

    def drop(self, nodes: Set[str], generation: int) -> None:
        """What is in flight in these nodes, and of an older generation, is stale from now on."""

    def merged(self, metrics: Metrics) -> Metrics:
        """The metrics of the session, with those of the parts in their places."""

    def stop(self) -> None:
        """Begin to end all."""

    async def close(self) -> None:
        """Wait until all have ended, and leave nothing behind. Within the close time-out."""


@runtime_checkable
class Parts(Elsewhere, Protocol):
    """All parts of a session that one executor runs.

    To the router each island of them is a unit, the edges that lead there are queues, and those
    that come from there end in queues of its own.
    """

    def unit(
        self,
        router: Router,
        members: tuple[str, ...],
        nodes: Mapping[str, Node],
        inboxes: Mapping[str, Inbox],
    ) -> Unit:
        """The unit that stands for an island, with its steps and the queues round it."""

    def edge(self, edge: Edge) -> Boundary:
        """The queue of an edge that leads to a part."""


@runtime_checkable
class SessionExecutor(Protocol):
    """An executor whose nodes have something in common in a session, such as processes.

    With ``in_parts = True`` it runs parts of a plan, each as a whole: then it gives `Parts`.
    """

    def parts(self, around: Surroundings) -> Elsewhere:
        """What runs the nodes of a session."""


def find_parts(around: Surroundings, known: Container[str] = ()) -> dict[str, Elsewhere]:
    """What runs the nodes of a plan that run elsewhere, by the name of the executor.

    An executor that is not here is left for `create_nodes` to report.

    Parameters
    ----------
    around : Surroundings
    known : container of str
        Executors that are not asked for.
    """
    found: dict[str, Elsewhere] = {}
    for name in dict.fromkeys(each.executor for each in around.plan.placements.values()):
        if name == "inline" or name in known:
            continue
        try:
            executor = find_executor(name)
        except UnavailableError:
            continue
        if isinstance(executor, SessionExecutor):
            found[name] = executor.parts(around)
    return found


def parts_of(found: Mapping[str, Elsewhere], executor: str) -> Parts:
    """Who runs the parts of that executor.

    Raises
    ------
    SessionError
        It runs none.
    """
    parts = found.get(executor)
    if not isinstance(parts, Parts):
        raise SessionError(f"executor {executor!r} runs no parts of a plan")
    return parts


def check_unchanged(
    before: Plan, after: Plan, shape: Callable[[Plan, tuple[str, ...]], object]
) -> None:
    """Refuse a change of what runs elsewhere.

    Raises
    ------
    SessionError
        Names the nodes.
    """
    if not before.parts and not after.parts:
        return
    old, new = _seen(before, shape), _seen(after, shape)
    changed = sorted(
        {node for key in old.keys() ^ new.keys() for node in key}
        | {node for key in old.keys() & new.keys() if old[key] != new[key] for node in key}
    )
    if changed:
        raise SessionError(
            f"{', '.join(changed)}: nodes that run elsewhere, and their connections, cannot be "
            "changed while they run (their live parameters can): end the session and start another"
        )


def _seen(
    plan: Plan, shape: Callable[[Plan, tuple[str, ...]], object]
) -> dict[tuple[str, ...], object]:
    graph, placements = plan.graph, plan.placements
    return {
        members: (
            shape(plan, members),
            [
                (edge.source, edge.source_port, edge.target, edge.target_port, edge.queue)
                for node in members
                for edge in graph.incoming(node)
            ],
        )
        for members in plan.islands
        if placements[members[0]].part
    }
