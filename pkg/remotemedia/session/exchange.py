"""Exchange: another plan takes the place of the one that runs, between two packets.

Units whose nodes, edges and ports stay as they are run on and notice nothing. Those that change are
stopped between two packets, in topological order, so that what is behind them still works while
they give out what they hold; then, without giving any task a turn, new units with the same nodes
take over their queues, with all that waits there; and they start.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from remotemedia.graph import Edge
from remotemedia.metrics import EdgeMetrics
from remotemedia.node import Node
from remotemedia.plan import Plan
from remotemedia.session.async_unit import AsyncUnit
from remotemedia.session.boundary import Boundary
from remotemedia.session.inbox import Inbox
from remotemedia.session.report import inner_edge
from remotemedia.session.router import Ends, Router, ends_of, outputs_of
from remotemedia.session.unit import Unit


class Exchange:
    """The change of a router from its plan to another one.

    Parameters
    ----------
    router : Router
        What runs.
    plan : Plan
        What is to run.
    renewed : set of str
        Nodes of both plans that are other objects from now on.
    updated : set of str
        Nodes that are to be between two items, for their parameters to change.
    """

    def __init__(self, router: Router, plan: Plan, renewed: Set[str], updated: Set[str]) -> None:
        self.router = router
        self.plan = plan
        self.before = before = router.plan
        self._updated = updated
        self._gone = (before.graph.nodes.keys() - plan.graph.nodes.keys()) | renewed
        kept_edges = {ends_of(edge): edge.queue for edge in plan.graph.edges}
        self._gone_queues = [
            ends
            for edge in before.graph.edges
            if (ends := ends_of(edge)) in router.queues.edges
            and (
                ends not in kept_edges
                or kept_edges[ends] != edge.queue
                or not _is_boundary(plan, edge)
            )
        ]
        islands = {members: unit for unit in router.units if (members := self._members(unit))}
        self._kept: dict[tuple[str, ...], Unit] = {}
        self._rerouted: dict[tuple[str, ...], Unit] = {}
        self._new: list[tuple[str, ...]] = []
        for members in plan.islands:
            unit = islands.get(members)
            if unit is None or not self._gone.isdisjoint(members):
                self._new.append(members)
            elif shape(before, members) == shape(plan, members):
                self._kept[members] = unit
            elif isinstance(unit, AsyncUnit):  # it looks where things go for each item anew
                self._rerouted[members] = unit
            else:
                self._new.append(members)
        going_on = {id(unit) for unit in [*self._kept.values(), *self._rerouted.values()]}
        self._old = [unit for unit in router.units if id(unit) not in going_on]
        self._paused: list[Unit] = []
        self._let_out: list[tuple[Unit, Set[str]]] = []
        self._is_done = False

    @property
    def nodes(self) -> Set[str]:
        """The nodes of all that has to stop for it and does not stand still."""
        over = [unit for unit, _ in self._let_out if unit.is_quiet]
        return {node for unit in self._stopping() if unit not in over for node in unit.wiring.steps}

    def _stopping(self) -> list[Unit]:
        """What changes, what reads from a queue that goes away, and what writes to one."""
        ends = {node for source, _, target, _ in self._gone_queues for node in (source, target)}
        concerned = ends | self._updated
        return [
            unit
            for unit in self.router.units
            if unit in self._old or not concerned.isdisjoint(unit.wiring.steps)
        ]

    @staticmethod
    def _members(unit: Unit) -> tuple[str, ...]:
        return tuple(reversed(unit.wiring.steps))

    async def quiesce(self, tails: bool = True) -> None:
        """Stop what changes, between two packets, and let out what the nodes that go away hold."""
        await self._stop_all(tails)
        while not all(unit.is_quiet for unit in self._stopping()):
            await self._stop_all(tails)  # an interrupt has let go on what it had cut off

    async def _stop_all(self, tails: bool) -> None:
        queues = self.router.queues.edges
        for unit in self._stopping():
            nodes = unit.wiring.steps.keys()
            draining = [queues[ends] for ends in self._gone_queues if ends[2] in nodes]
            # What waits for a node that goes away is still its own.
            draining += [each for each in unit.inbox.boundaries if each.target[0] in self._gone]
            if unit not in self._paused:
                self._paused.append(unit)
            await unit.pause(draining)
            if tails and not any(unit is other for other, _ in self._let_out):
                self._let_out.append((unit, gone := self._gone & nodes))
                await unit.let_out(gone)

    def carry_out(self, nodes: Mapping[str, Node]) -> None:
        """Put the new units in place, without giving any task a turn.

        Parameters
        ----------
        nodes : mapping of node id to Node
            What is called from now on.
        """
        router, plan = self.router, self.plan
        counts = self._counts()
        inboxes = self._inboxes()
        for unit in self._old:
            unit.retire()
        self._forget()
        self._move_queues(inboxes)
        units = {**self._kept, **self._rerouted}
        router.plan = plan
        router.units = []
        for members, unit in self._rerouted.items():
            unit.wiring.hand_over()
            unit.wiring = router.wire(plan, members, nodes, inboxes)
            unit.outputs = outputs_of(unit.wiring)
        for members in self._new:
            units[members] = router.build(plan, members, nodes, inboxes)
        router.units = [units[members] for members in plan.islands]
        router.forget(plan.graph.nodes.keys())
        self._set_counts(counts)
        router.mark_live()
        self._is_done = True

    def start(self) -> None:
        """Let all go on, whether the change was carried out or not."""
        if not self._is_done:  # then those whose tails are out begin anew
            for unit, nodes in self._let_out:
                unit.begin_anew(nodes)
        for unit in self.router.units:
            unit.inbox.resume()
            if unit.ended:  # a source; it is not run again
                for boundary in unit.outputs:
                    boundary.end()
            elif unit.task is None or unit in self._paused:
                unit.go_on()
        self.router.look_at_end()

    def _inboxes(self) -> dict[str, Inbox]:
        found: dict[str, Inbox] = {}
        for members, unit in [*self._kept.items(), *self._rerouted.items()]:
            found.update(dict.fromkeys(members, unit.inbox))
        for members in self._new:
            found.update(dict.fromkeys(members, self.router.make_inbox(self.plan, members)))
        return found

    def _forget(self) -> None:
        """Take out what is not there any more."""
        router, queues = self.router, self.router.queues
        for ends in self._gone_queues:
            self._shut(queues.edges.pop(ends))
        for node in self._gone:
            for key in [key for key in queues.entries if key[0] == node]:
                self._shut(queues.entries.pop(key))
            wakes = queues.wakes.pop(node, None)
            if wakes is not None:
                self._shut(wakes)
            step = router.steps.pop(node)
            if node in self.plan.graph.nodes:
                router.former[node] = step
            if step.timers is not None:
                step.timers.clear()
        known = {ends_of(edge) for edge in self.plan.graph.edges}
        for ends in [ends for ends in router.links if ends not in known]:
            del router.links[ends]
        for place, outlet in list(queues.outlets.items()):
            if place not in self.plan.outlets:
                outlet.end()  # what waits there can still be read
                if not outlet.packets and place[0] not in self.plan.graph.nodes:
                    del queues.outlets[place]
                    router.client.boundaries.remove(outlet)

    @staticmethod
    def _shut(boundary: Boundary) -> None:
        boundary.shut()
        boundary.inbox.boundaries.remove(boundary)

    def _move_queues(self, inboxes: Mapping[str, Inbox]) -> None:
        """Give the queues of the old units to the new ones, in the order of arrival."""
        old = [unit.inbox for unit in self._old]
        queues = self.router.queues
        moved: dict[int, Inbox] = {}
        for boundary in [*queues.edges.values(), *queues.entries.values(), *queues.wakes.values()]:
            if any(boundary.inbox is inbox for inbox in old):
                boundary.inbox = moved[id(boundary)] = inboxes[boundary.target[0]]
                boundary.inbox.boundaries.append(boundary)
        for inbox in old:
            arrivals = list(inbox.arrivals)
            ahead, rest = arrivals[: inbox.ahead], arrivals[inbox.ahead :]
            for boundary in ahead:
                if id(boundary) in moved:
                    moved[id(boundary)].arrivals.insert(moved[id(boundary)].ahead, boundary)
                    moved[id(boundary)].ahead += 1
            for boundary in rest:
                if id(boundary) in moved:
                    moved[id(boundary)].arrivals.append(boundary)
            inbox.arrivals.clear()
            inbox.cleared()

    def _counts(self) -> dict[Ends, EdgeMetrics]:
        """What went through each edge of both plans that changes its kind, or its unit."""
        router = self.router
        for unit in self._old:
            unit.fold()
        found: dict[Ends, EdgeMetrics] = {}
        for edge in self.before.graph.edges:
            ends = ends_of(edge)
            if ends in self._gone_queues:
                found[ends] = router.queues.edges[ends].metrics("", "")
            elif ends not in router.queues.edges:
                found[ends] = inner_edge(edge, router.links.get(ends), router.steps)
        return found

    def _set_counts(self, counts: Mapping[Ends, EdgeMetrics]) -> None:
        """Go on counting where the old units stopped."""
        router = self.router
        for edge in self.plan.graph.edges:
            ends = ends_of(edge)
            before, queue = counts.get(ends), router.queues.edges.get(ends)
            rebuilt = any(edge.target in members for members in self._new)
            if queue is not None and before is not None:
                queue.go_on(before)
            elif queue is None and rebuilt:
                count = before.delivered if before is not None else 0
                link = self._unit(edge.target).wiring.links.get(edge)
                if link is not None:
                    link.count = count
                else:
                    router.links.pop(ends, None)
                    step = router.steps[edge.target]
                    step.elsewhere = step.calls - step.direct - count

    def _unit(self, node: str) -> Unit:
        return self.router.unit_of(node)


def _is_boundary(plan: Plan, edge: Edge) -> bool:
    """Whether an edge between two nodes of a plan has a queue."""
    for members in plan.islands:
        if edge.source in members and edge.target in members:
            return edge.queue is not None
    return True


def shape(plan: Plan, members: tuple[str, ...]) -> Any:
    """All that the unit of an island is made of, apart from its nodes."""
    graph = plan.graph
    return [
        (
            node,
            plan.placements[node],
            [port for port in graph.nodes[node].outputs if (node, port) in plan.outlets],
            [(*ends_of(edge), edge.queue) for edge in graph.outgoing(node)],
            [
                ((node, port) in plan.formats.unproven, (node, port) in plan.entries)
                for port in graph.nodes[node].inputs
            ],
            len(graph.incoming(node)) if plan.placements[node].in_island else 0,
            plan.auto,
        )
        for node in members
    ]
