"""Parts: what runs pieces of a plan elsewhere, as a router and its session see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from remotemedia.clock import Clock
from remotemedia.errors import SessionError
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


class Surroundings(NamedTuple):
    """What whoever runs parts is told of the session.

    Attributes
    ----------
    plan : Plan
    hooks : Hooks
    clock : Clock
    policy : Policy
        Of nodes that have none of their own.
    max_latency_ms : float or None
    close_timeout_us : int
    """

    plan: Plan
    hooks: Hooks
    clock: Clock
    policy: Policy
    max_latency_ms: float | None
    close_timeout_us: int


class Parts(Protocol):
    """All parts of a session that one executor runs.

    To the router each island of them is a unit, the edges that lead there are queues, and those
    that come from there end in queues of its own.
    """

    def node(self, node: GraphNode) -> Node:
        """What stands for a node in the session: it is opened, updated and closed there."""

    async def start(self) -> None:
        """Begin to get all parts ready; their nodes tell when they are."""

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

    def finish(self) -> None:
        """The client sends no more."""

    def drop(self, nodes: Set[str], generation: int) -> None:
        """What is in flight in these nodes, and of an older generation, is stale from now on."""

    def merged(self, metrics: Metrics) -> Metrics:
        """The metrics of the session, with those of the parts in their places."""

    def stop(self) -> None:
        """Begin to end all parts."""

    async def close(self) -> None:
        """Wait until all have ended, and leave nothing behind. Within the close time-out."""


@runtime_checkable
class PartsExecutor(Protocol):
    """An executor that runs parts of a plan, each as a whole."""

    in_parts: bool

    def parts(self, around: Surroundings) -> Parts:
        """Those of a session."""


def find_parts(around: Surroundings) -> dict[str, Parts]:
    """Who runs the parts of a plan, by the name of the executor.

    Raises
    ------
    UnavailableError
        An executor that is not on this host.
    """
    found: dict[str, Parts] = {}
    for placement in around.plan.placements.values():
        if placement.part and placement.executor not in found:
            executor = find_executor(placement.executor)
            if not isinstance(executor, PartsExecutor):
                raise SessionError(f"executor {placement.executor!r} runs no parts of a plan")
            found[placement.executor] = executor.parts(around)
    return found


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
