"""The router of a part: that of any session, with queues that lead out of the process and in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from remotemedia.clock import Clock
from remotemedia.graph import Edge
from remotemedia.manifest import Policy
from remotemedia.metrics import EdgeMetrics, Metrics
from remotemedia.node import Node
from remotemedia.plan import Plan
from remotemedia.session.boundary import Boundary
from remotemedia.session.inbox import Inbox
from remotemedia.session.limited import Limited
from remotemedia.session.observer import Observers
from remotemedia.session.report import CLIENT
from remotemedia.session.router import ClientBoundary, Router, ends_of
from remotemedia.session.unit import Hooks
from remotemedia_native.process.arrival import (
    ArrivalBoundary,
    ArrivalLimited,
    Arrivals,
    Lane,
    PartBatchInbox,
    PartInbox,
)
from remotemedia_native.process.crossing import Crossing, Failed, Outbox
from remotemedia_native.process.ledger import Ledger
from remotemedia_native.process.messages import LaneCounts, RouteCounts
from remotemedia_native.process.routes import Route, edge_name


class Exits(NamedTuple):
    """What leads out of a part.

    Attributes
    ----------
    routes : dict of (str, str) to Route
        By node and output port.
    outbox : Outbox
        What they go by.
    failed : callable
        Told of what cannot be sent.
    ending : callable
        Called when one of them ends.
    """

    routes: dict[tuple[str, str], Route]
    outbox: Outbox
    failed: Failed
    ending: Callable[[], None]


class PartRouter(Router):
    """Units of a part, and their queues.

    Parameters
    ----------
    plan : Plan
        That of the part.
    nodes : mapping of node id to Node
    hooks : Hooks
    clock : Clock
    policy : Policy
    arriving : tuple of Edge
        Edges that come from other processes.
    exits : Exits
    ledger : Ledger
    inner : mapping of str to int
        Lanes of queues between the islands of the part.
    live : set of str
        Nodes whose media are live.

    Attributes
    ----------
    crossings : dict of (str, str) to Crossing
    """

    def __init__(
        self,
        plan: Plan,
        nodes: Mapping[str, Node],
        hooks: Hooks,
        clock: Clock,
        policy: Policy,
        *,
        arriving: tuple[Edge, ...],
        exits: Exits,
        ledger: Ledger,
        inner: Mapping[str, int],
        live: frozenset[str],
    ) -> None:
        self.crossings: dict[tuple[str, str], Crossing] = {}
        self._exits = exits
        self._ledger = ledger
        self._inner = inner
        self._live = live
        self._lanes: dict[int, Boundary] = {}
        super().__init__(plan, nodes, hooks, clock, Observers(lambda error: None), policy)
        for edge in arriving:
            inbox = self.unit_of(edge.target).inbox
            self.queues.edges[ends_of(edge)] = self.make_queue(
                edge, inbox, ArrivalBoundary, ArrivalLimited
            )
        self.mark_live()

    def ending(self, route: Route, node: str, port: str) -> Boundary:
        """The queue here in which a route ends."""
        if route.is_entry:
            return self.entry(node, port)
        return self.queues.edges[route.node, route.port, node, port]

    def arrive(self, queue: Boundary, number: int, sender: str) -> Lane:
        """Count in a lane what comes to a queue."""
        lane = Lane(self._ledger, number, sender, self._exits.outbox.bells)
        self._lanes[number] = queue
        return lane

    def make_inbox(self, plan: Plan, members: tuple[str, ...]) -> Inbox:
        """An inbox that knows what its reader works on."""
        policy = self._policy_of(plan, members[0])
        placement = plan.placements[members[0]]
        if policy.batch is not None and placement.is_batched:
            return PartBatchInbox(policy.batch, self._clock)
        several = policy.max_concurrency > 1 or not policy.ordered
        return PartInbox(placement.is_async and several)

    def make_outlet(
        self, node: str, port: str, kind: type[ClientBoundary] | None = None
    ) -> Boundary:
        """What leads out of the process."""
        exits = self._exits
        crossing = Crossing(
            exits.routes[node, port], exits.outbox, self._ledger, exits.failed, exits.ending
        )
        self.crossings[node, port] = crossing
        return crossing

    def make_queue(
        self,
        edge: Edge,
        inbox: Inbox,
        kind: type[Boundary] = ArrivalBoundary,
        limited: type[Limited] = ArrivalLimited,
    ) -> Boundary:
        """A queue for an edge."""
        queue = super().make_queue(edge, inbox, kind, limited)
        number = self._inner.get(edge_name(edge))
        if number is not None:
            assert isinstance(queue, Arrivals)  # noqa: S101 - for the type checker
            queue.lane = Lane(self._ledger, number)
        return queue

    def make_entry(
        self, node_id: str, port: str, inbox: Inbox, kind: type[Boundary] = Boundary
    ) -> Boundary:
        """A queue for what the client sends."""
        if not port.startswith("\0"):
            kind = ArrivalBoundary
        return super().make_entry(node_id, port, inbox, kind)

    def mark_live(self) -> None:
        """Tell the queues whether what they hold is live."""
        if self._hooks.budget is None:
            return
        for boundary in self.queues.edges.values():
            boundary.live = boundary.node in self._live

    def lane_counts(self) -> list[LaneCounts]:
        """What was counted of the queues in which routes end."""
        return [
            LaneCounts(number, queue.metrics(f"{queue.node}:{queue.port}", ":".join(queue.target)))
            for number, queue in self._lanes.items()
        ]

    def route_counts(self) -> list[RouteCounts]:
        """What was lost of what was to leave."""
        return [
            RouteCounts(each.route.number, each.waiting, each.lost())
            for each in self.crossings.values()
        ]

    @staticmethod
    def inner_edges(metrics: Metrics) -> list[EdgeMetrics]:
        """The edges within the part."""
        return [edge for edge in metrics.edges if CLIENT not in (edge.source, edge.target)]
