"""Router: the part of a session that moves packets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from remotemedia.clock import Clock, deadline
from remotemedia.graph import Edge
from remotemedia.metrics import EdgeMetrics, Metrics
from remotemedia.node import Node
from remotemedia.plan import Plan
from remotemedia.session.async_unit import AsyncUnit, SourceUnit
from remotemedia.session.boundary import CAPACITY, CLIENT_CAPACITY, Boundary, Inbox
from remotemedia.session.chain import Link, Step
from remotemedia.session.report import CLIENT, edge_ends, inner_edge, node_metrics
from remotemedia.session.unit import Hooks, IslandUnit, Unit
from remotemedia.session.wiring import Wiring


class Router:
    """Units, and the boundaries between them.

    Parameters
    ----------
    plan : Plan
        The plan.
    nodes : mapping of node id to Node
        What is called.
    hooks : Hooks
        What the units tell the session.

    Attributes
    ----------
    client : Inbox
        What the client reads.
    ingress : dict of node id to Boundary
        What the client writes, for every node that takes input; nodes of one island share one.
    """

    def __init__(self, plan: Plan, nodes: Mapping[str, Node], hooks: Hooks) -> None:
        self.plan = plan
        self.client = Inbox()
        self.ingress: dict[str, Boundary] = {}
        self.steps: dict[str, Step] = {}
        self._entrances: list[Boundary] = []
        self.generation = 0
        self._interrupting = asyncio.Lock()
        self._links: dict[Edge, Link] = {}
        self._boundaries: dict[Edge, Boundary] = {}
        self._units: list[Unit] = []
        inboxes = {
            node: inbox for members in plan.islands for inbox in [Inbox()] for node in members
        }

        def to_client(node: str, port: str) -> Boundary:
            return Boundary(node, port, self.client, (CLIENT, port), CLIENT_CAPACITY)

        def to_node(edge: Edge) -> Boundary:
            queue = edge.queue
            boundary = self._boundaries[edge] = Boundary(
                edge.source,
                edge.source_port,
                inboxes[edge.target],
                (edge.target, edge.target_port),
                queue.capacity if queue else CAPACITY,
                queue.overflow if queue else "block",
            )
            return boundary

        for members in plan.islands:
            first = members[0]
            placement = plan.placements[first]
            kind = (
                SourceUnit
                if placement.is_source
                else AsyncUnit
                if placement.is_async
                else IslandUnit
            )
            wiring = Wiring(plan, members, nodes, to_client, to_node)
            if kind is not SourceUnit:
                ingress = Boundary("", "", inboxes[first], ("", ""))
                self._entrances.append(ingress)
                self.ingress.update(dict.fromkeys(members, ingress))
            unit = kind(wiring, inboxes[first], hooks)
            links = [*wiring.links.values(), *wiring.client_links.values()]
            unit.outputs = [link.outlet for link in links if link.outlet is not None]
            self.steps.update(wiring.steps)
            self._links.update(wiring.links)
            self._units.append(unit)

    def start(self) -> None:
        """Let all units work."""
        for unit in self._units:
            unit.start()

    def finish(self) -> None:
        """No more input will come."""
        for boundary in self._entrances:
            boundary.end()

    async def interrupt(self) -> None:
        """Drop everything in flight; when this returns, nothing older can appear."""
        async with self._interrupting:  # a second one starts when the first has settled
            self.generation += 1
            # First all at once, without giving any task a turn; then wait for what was cut off.
            for unit in self._units:
                unit.drop(self.generation)
            self._clear("interrupt")
            for unit in self._units:
                await unit.settle()

    def release(self) -> None:
        """Let go those who wait to put something in: nothing takes it any more."""
        for boundary in self._entrances:
            boundary.clear("failed")

    async def stop(self, clock: Clock, timeout_us: int) -> list[str]:
        """End all units and wait for them, within a deadline; the names of those that hang."""
        for unit in self._units:
            unit.stop()
        tasks = [unit.task for unit in self._units if unit.task is not None]
        pending = {task for task in tasks if not task.done()}
        if pending:
            try:
                async with deadline(clock, timeout_us):
                    await asyncio.wait(pending)
            except TimeoutError:
                pass
        self._clear("close")
        for boundary in self._outlets():
            boundary.end()
        return [task.get_name() for task in pending if not task.done()]

    def metrics(self) -> Metrics:
        """Counts and latencies so far."""
        for unit in self._units:
            unit.fold()
        edges: list[EdgeMetrics] = []
        for edge in self.plan.graph.edges:
            boundary = self._boundaries.get(edge)
            if boundary is None:
                edges.append(inner_edge(edge, self._links, self.steps))
            else:
                edges.append(boundary.metrics(*edge_ends(edge)))
        for members in self.plan.islands:
            ingress = self.ingress.get(members[0])
            if ingress is not None and (ingress.entered or self._takes_input(members)):
                edges.append(ingress.metrics(CLIENT, ",".join(self._entry_names(members))))
        edges.extend(
            boundary.metrics(f"{boundary.node}:{boundary.port}", CLIENT)
            for boundary in self.client.boundaries
        )
        return Metrics(node_metrics(self.plan, self.steps), tuple(edges))

    def _takes_input(self, members: tuple[str, ...]) -> bool:
        return any(node in members for node, _port in self.plan.entries)

    def _entry_names(self, members: tuple[str, ...]) -> list[str]:
        names = [f"{node}:{port}" for node, port in self.plan.entries if node in members]
        return names or list(members)

    def _outlets(self) -> list[Boundary]:
        return [*self.client.boundaries, *self._boundaries.values(), *self._entrances]

    def _clear(self, reason: str) -> None:
        for boundary in self._outlets():
            boundary.clear(reason)
