"""Router: the part of a session that moves packets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Set
from typing import NamedTuple

from remotemedia.clock import Clock, deadline
from remotemedia.data import Control, Packet, Text
from remotemedia.graph import Edge
from remotemedia.manifest import Policy
from remotemedia.metrics import EdgeMetrics, Metrics
from remotemedia.node import Node
from remotemedia.plan import Plan
from remotemedia.session.async_unit import AsyncUnit, SourceUnit
from remotemedia.session.boundary import CAPACITY, CLIENT_CAPACITY, Boundary
from remotemedia.session.budget import live_nodes
from remotemedia.session.call import can_wake
from remotemedia.session.chain import Link, Step
from remotemedia.session.concurrent_unit import ConcurrentUnit
from remotemedia.session.delay import FULL, Delay
from remotemedia.session.fade import fade_out
from remotemedia.session.inbox import Inbox
from remotemedia.session.limited import Limited
from remotemedia.session.observer import Observers
from remotemedia.session.parts import Elsewhere, parts_of
from remotemedia.session.policies import set_policy
from remotemedia.session.policies.batch import BatchInbox
from remotemedia.session.report import CLIENT, edge_ends, inner_edge, node_metrics
from remotemedia.session.timers import JOIN, OUT, WAKE, Timers
from remotemedia.session.unit import Hooks, IslandUnit, Unit, make_packet, turn
from remotemedia.session.wiring import Wiring

Place = tuple[str, str]
"""Node id and port."""
Ends = tuple[str, str, str, str]
"""Of an edge: node, port, node, port."""


class Queues(NamedTuple):
    """Every queue that a node reads from, or the client.

    Attributes
    ----------
    edges : dict of Ends to Boundary
    entries : dict of Place to Boundary
        What the client writes, by input port.
    wakes : dict of str to Boundary
        What timers put in, by node.
    outlets : dict of Place to Boundary
        What the client reads, by output port.
    """

    edges: dict[Ends, Boundary]
    entries: dict[Place, Boundary]
    wakes: dict[str, Boundary]
    outlets: dict[Place, Boundary]

    def all(self) -> list[Boundary]:
        """All of them, those next to the client first."""
        return [boundary for kind in reversed(self) for boundary in kind.values()]


class Router:
    """Units, and the queues between them.

    Parameters
    ----------
    plan : Plan
        The plan.
    nodes : mapping of node id to Node
        What is called.
    hooks : Hooks
        What the units tell the session.
    clock : Clock
        The session clock.
    observers : Observers
        Who is told of what is put in front of the client.
    policy : Policy
        Of nodes that have none of their own.
    parts : mapping of executor to Parts, optional
        Who runs the nodes that are not called here.

    Attributes
    ----------
    client : Inbox
        What the client reads.
    steps : dict of node id to Step
    links : dict of Ends to Link
        Of the edges that have one of their own.
    units : list of Unit
        In topological order.
    queues : Queues
    generation : int
        Counts interrupts.
    """

    def __init__(
        self,
        plan: Plan,
        nodes: Mapping[str, Node],
        hooks: Hooks,
        clock: Clock,
        observers: Observers,
        policy: Policy,
        parts: Mapping[str, Elsewhere] | None = None,
    ) -> None:
        self.plan = plan
        self.parts: Mapping[str, Elsewhere] = {} if parts is None else parts
        self.client = Inbox()
        self.steps: dict[str, Step] = {}
        self.units: list[Unit] = []
        self.queues = Queues({}, {}, {}, {})
        self.generation = 0
        self._hooks = hooks
        self._clock = clock
        self._observers = observers
        self._delay = Delay(hooks.clock, clock.wall_us, len(plan.outlets) > 1)
        self._policy = policy
        self._interrupting = asyncio.Lock()
        self._stopped = False
        self.links: dict[Ends, Link] = {}
        self.timers: dict[str, Timers] = {}  # of nodes that are not there yet
        self.former: dict[str, Step] = {}  # of nodes that are being made anew
        self._unit_of: dict[str, Unit] = {}
        inboxes: dict[str, Inbox] = {}
        for members in plan.islands:
            inboxes.update(dict.fromkeys(members, self.make_inbox(plan, members)))
        for members in plan.islands:
            self.build(plan, members, nodes, inboxes)
        self.mark_live()

    def mark_live(self) -> None:
        """Tell the queues whether what they hold is live, now that the plan is this one."""
        if self._hooks.budget is None:
            return
        live = live_nodes(self.plan)
        for boundary in (*self.queues.edges.values(), *self.queues.outlets.values()):
            boundary.live = boundary.node in live

    def make_inbox(self, plan: Plan, members: tuple[str, ...]) -> Inbox:
        """The inbox of an island."""
        batch = self._policy_of(plan, members[0]).batch
        if batch is not None and plan.placements[members[0]].is_batched:
            return BatchInbox(batch, self._clock)
        return Inbox()

    def _policy_of(self, plan: Plan, node_id: str) -> Policy:
        return plan.graph.nodes[node_id].spec.policy or self._policy

    def build(
        self,
        plan: Plan,
        members: tuple[str, ...],
        nodes: Mapping[str, Node],
        inboxes: Mapping[str, Inbox],
    ) -> Unit:
        """Make the unit of an island, with the steps and queues that there are already."""
        placement, policy = plan.placements[members[0]], self._policy_of(plan, members[0])
        if placement.part:
            unit = parts_of(self.parts, placement.executor).unit(self, members, nodes, inboxes)
            return self._add(unit, members)
        wiring = self.wire(plan, members, nodes, inboxes)
        inbox, hooks = inboxes[members[0]], self._hooks
        if placement.is_source:
            unit = SourceUnit(wiring, inbox, hooks)
        elif not placement.is_async:
            unit = IslandUnit(wiring, inbox, hooks)
        elif policy.max_concurrency > 1 or not policy.ordered:
            unit = ConcurrentUnit(wiring, inbox, hooks, policy.max_concurrency, policy.ordered)
        else:
            unit = AsyncUnit(wiring, inbox, hooks)
        unit.inbox.open = not placement.is_source
        unit.outputs = outputs_of(wiring)
        self._add(unit, members)
        for step in wiring.steps.values():
            if step.timers is not None:
                step.timers.release()
        return unit

    def _add(self, unit: Unit, members: tuple[str, ...]) -> Unit:
        unit.generation = self.generation
        unit.over = self.look_at_end
        self.units.append(unit)
        self._unit_of.update(dict.fromkeys(members, unit))
        return unit

    def wire(
        self,
        plan: Plan,
        members: tuple[str, ...],
        nodes: Mapping[str, Node],
        inboxes: Mapping[str, Inbox],
    ) -> Wiring:
        """The wiring of an island."""
        wiring = Wiring(
            plan,
            members,
            nodes,
            self.outlet,
            lambda edge: self.edge(edge, inboxes),
            steps=self.steps,
            prepare=lambda step: self._prepare(step, plan),
        )
        for node_id, step in wiring.steps.items():
            self.steps[node_id] = step
            for port in plan.graph.nodes[node_id].inputs:
                if (node_id, port) in plan.entries:
                    self._entry(node_id, port, inboxes[node_id])
            if can_wake(step) and step.timers is None:
                self._set_timers(step, inboxes[node_id])
        self.links.update({ends_of(edge): link for edge, link in wiring.links.items()})
        return wiring

    def outlet(self, node: str, port: str) -> Boundary:
        """What the client reads of an output port."""
        known = self.queues.outlets.get((node, port))
        if known is None:
            known = self.queues.outlets[node, port] = self.make_outlet(node, port)
        known.ended = False  # it may have been, before the graph was changed
        return known

    def make_outlet(
        self, node: str, port: str, kind: type[ClientBoundary] | None = None
    ) -> Boundary:
        """A queue to the client."""
        kind = kind or ClientBoundary
        return kind(node, port, self.client, self._hooks.clock, self._observers, self._delay)

    def edge(self, edge: Edge, inboxes: Mapping[str, Inbox]) -> Boundary:
        """The queue of an edge."""
        ends = ends_of(edge)
        known = self.queues.edges.get(ends)
        if known is None:
            placement = self.plan.placements[edge.target]
            if placement.part:
                known = parts_of(self.parts, placement.executor).edge(edge)
            else:
                known = self.make_queue(edge, inboxes[edge.target])
            self.queues.edges[ends] = known
        return known

    def _prepare(self, step: Step, plan: Plan) -> None:
        hooks = self._hooks
        former = self.former.pop(step.id, None)
        if former is not None:
            step.take_over(former)

        def failed(error: BaseException) -> None:
            step.errors += 1
            last = self.unit_of(step.id).origin
            hooks.handled(step, error, last.sequence if last is not None else 0)

        set_policy(
            step,
            self._policy_of(plan, step.id),
            list(plan.graph.nodes[step.id].inputs),
            self._clock,
            failed,
            lambda kind, words: hooks.told(kind, words, step.id, ""),
            hooks.clock,
        )

    def make_queue(
        self,
        edge: Edge,
        inbox: Inbox,
        kind: type[Boundary] = Boundary,
        limited: type[Limited] = Limited,
    ) -> Boundary:
        """A queue for an edge."""
        ends = edge.source, edge.source_port, inbox, (edge.target, edge.target_port)
        queue, clock = edge.queue, self._hooks.clock
        if queue is None:
            return kind(*ends, max(CAPACITY, 2 * inbox.wanted), clock=clock)
        if queue.needs_counting:
            return limited(*ends, queue, self._hooks.water, clock)
        return kind(*ends, queue.capacity, queue.overflow, clock)

    def entry(self, node_id: str, port: str) -> Boundary:
        """What the client writes for an input port."""
        found = self.queues.entries.get((node_id, port))
        return found or self._entry(node_id, port, self.unit_of(node_id).inbox)

    def _entry(self, node_id: str, port: str, inbox: Inbox) -> Boundary:
        found = self.queues.entries.get((node_id, port))
        if found is None:
            found = self.make_entry(node_id, port, inbox)
            self.queues.entries[node_id, port] = found
            found.ended = True  # by itself: that more may come is said by `Inbox.open`
        return found

    def make_entry(
        self, node_id: str, port: str, inbox: Inbox, kind: type[Boundary] = Boundary
    ) -> Boundary:
        """A queue for what the client sends."""
        capacity = max(CAPACITY, 2 * inbox.wanted)
        return kind("", "", inbox, (node_id, port), capacity, clock=self._hooks.clock)

    def work_now(self, entry: Boundary, packet: Packet) -> bool:
        """Work at once on what the client sends; False, and nothing is done, if it has to wait."""
        unit = self._unit_of[packet.node]
        if not isinstance(unit, IslandUnit) or not unit.is_free or unit.inbox.batches:
            return False
        if packet.data.__class__ is Control:
            return False
        entry.pass_by()
        unit.wiring.steps[packet.node].direct += 1
        unit.work_now(entry.target, packet)
        return True

    def make_timers(self, node_id: str, held: bool = False) -> Timers:
        """The timers of a node; of one that is not there yet, they are held until it is."""

        def ring(token: str) -> None:
            if self._stopped:
                return
            last = self.unit_of(node_id).packet
            sequence = last.sequence if last is not None else 0
            now_us = self._clock.wall_us()
            packet = Packet(Text(token), node_id, WAKE, sequence, 0, now_us, self.generation)
            self.queues.wakes[node_id].force(packet)  # timers are bounded

        return Timers(node_id, self._clock, ring, held)

    def _set_timers(self, step: Step, inbox: Inbox) -> None:
        wakes = self.queues.wakes[step.id] = Boundary(
            "", "", inbox, (step.id, WAKE), clock=self._hooks.clock
        )
        wakes.ended = True
        step.timers = timers = self.timers.pop(step.id, None) or self.make_timers(step.id)
        if step.outer is not None:
            step.outer.wake_at = lambda delay_us: timers.set(delay_us, JOIN)

    def output(self, node_id: str, port: str) -> Boundary:
        """Where something goes that is put in behind an output port."""
        name = OUT + port
        unit = self.unit_of(node_id)
        if (node_id, name) not in unit.wiring.arrivals:
            unit.watch(unit.wiring.publish(self.steps[node_id], port))
        return self._entry(node_id, name, unit.inbox)

    async def publish(self, port: str, packet: Packet) -> None:
        """Put a packet in behind an output port of its node; waits for room."""
        unit = self.unit_of(packet.node)
        if isinstance(unit, SourceUnit):  # it reads no queue
            await unit.emit(port, packet)
        else:
            await self.output(packet.node, port).put(packet)

    def recompose(self, node_id: str) -> None:
        """Call a node as things are now, if it is still there."""
        step = self.steps.get(node_id)
        if step is not None:
            self.unit_of(node_id).wiring.recompose(step)

    def unit_of(self, node_id: str) -> Unit:
        """The unit that a node is in."""
        return self._unit_of[node_id]

    def forget(self, nodes: Set[str]) -> None:
        """Only these nodes are there from now on."""
        self._unit_of = {node: unit for node, unit in self._unit_of.items() if node in nodes}

    def start(self) -> None:
        """Let all units work."""
        for unit in self.units:
            unit.start()
        self.look_at_end()

    def look_at_end(self) -> None:
        """The client has read all when all are through that what it sends may reach.

        Those behind a source are through when that is, which may be never.
        """
        placements = self.plan.placements
        sources = [node for node, placement in placements.items() if placement.is_source]
        beyond = {node for source in sources for node in reached(self.plan, source)}
        self.client.open = not self._stopped and not all(
            unit.ended or not beyond.isdisjoint(unit.wiring.steps) for unit in self.units
        )
        self.client.wake()

    def finish(self) -> None:
        """No more input will come."""
        for unit in self.units:
            unit.inbox.open = False
            unit.inbox.wake()
        for parts in self.parts.values():
            parts.finish()

    async def interrupt(
        self, nodes: Set[str], fade_us: int = 0, dropped: Callable[[], None] | None = None
    ) -> None:
        """Drop what is in flight in some nodes; when this returns, it can no longer appear.

        Parameters
        ----------
        nodes : set of str
            Which.
        fade_us : int
            See `Session.interrupt`.
        dropped : callable, optional
            Called when it is gone, before anything newer can come.
        """
        async with self._interrupting:  # a second one starts when the first has settled
            if self._stopped:
                return
            outlets = [each for each in self.queues.outlets.values() if each.node in nodes]
            faded = [fade_out(each.packets, fade_us) for each in outlets] if fade_us else []
            first = [each.packets[0] if each.packets else None for each in outlets]
            # First all at once, without giving any task a turn; then wait for what was cut off.
            self.drop(nodes, self.generation + 1)
            if dropped is not None:
                dropped()
            for outlet, audio, origin in zip(outlets, faded, first, strict=False):
                if audio is not None and origin is not None:
                    outlet.force(make_packet(outlet, audio, origin, self.generation))
            await self.settle()

    def drop(self, nodes: Set[str], generation: int) -> None:
        """Drop what is in flight in some nodes; what comes from now on is of a new generation."""
        self.generation = generation
        for parts in self.parts.values():
            parts.drop(nodes, generation)
        for unit in self.units:
            unit.generation = generation
            unit.drop(nodes)
        self._clear("interrupt", nodes)

    async def settle(self) -> None:
        """Wait for what `drop` has cut off."""
        for unit in list(self.units):
            await unit.settle()

    def release(self) -> None:
        """Stop working, and let go those who wait to put something in."""
        for unit in self.units:
            unit.stop()
        for boundary in self.queues.entries.values():
            boundary.clear("failed")

    def stop(self) -> None:
        """End all units."""
        self._stopped = True
        for unit in self.units:
            unit.stop()

    async def stopped(self, clock: Clock, timeout_us: int) -> list[str]:
        """Wait until all have ended, within a deadline; the names of those that hang."""
        tasks = [task for unit in self.units for task in unit.tasks()]
        pending = {task for task in tasks if not task.done()}
        try:
            if pending:
                async with deadline(clock, timeout_us):
                    await asyncio.wait(pending)
        except TimeoutError:
            pass
        finally:
            for unit in self.units:
                unit.close_items()
            for step in self.steps.values():
                if step.timers is not None:
                    step.timers.clear()
            for boundary in self.queues.all():
                boundary.clear("close")
                boundary.end()
            self.look_at_end()
        await turn()  # for what they have cancelled
        return [task.get_name() for task in pending if not task.done()]

    def metrics(self) -> Metrics:
        """Counts and latencies so far."""
        for unit in self.units:
            unit.fold()
        queues = self.queues
        edges: list[EdgeMetrics] = []
        for edge in self.plan.graph.edges:
            boundary = queues.edges.get(ends_of(edge))
            if boundary is None:
                edges.append(inner_edge(edge, self.links.get(ends_of(edge)), self.steps))
            else:
                edges.append(boundary.metrics(*edge_ends(edge)))
        edges += [
            boundary.metrics(CLIENT, f"{node}:{port}")
            for (node, port), boundary in queues.entries.items()
        ]
        edges += [
            boundary.metrics(f"{node}:{port}", CLIENT)
            for (node, port), boundary in queues.outlets.items()
        ]
        now = self._hooks.clock()
        nodes = node_metrics(self.plan, self.steps, now)
        metrics = Metrics(nodes, tuple(edges), self._delay.metrics())
        for parts in self.parts.values():
            metrics = parts.merged(metrics)
        return metrics

    def _clear(self, reason: str, nodes: Set[str]) -> None:
        everything = nodes >= self.steps.keys()  # of nodes, too, that are not there any more
        for boundary in self.queues.all():
            if everything or boundary.node in nodes or boundary.target[0] in nodes:
                boundary.clear(reason)


class ClientBoundary(Boundary):
    """What waits for the client of one output port; observers see it enter."""

    is_watched = True

    __slots__ = ("_delay", "_observers")

    def __init__(
        self,
        node: str,
        port: str,
        inbox: Inbox,
        clock: Callable[[], float],
        observers: Observers,
        delay: Delay,
    ) -> None:
        super().__init__(node, port, inbox, (CLIENT, port), CLIENT_CAPACITY, clock=clock)
        self._observers = observers
        self._delay = delay

    def _watch(self, packet: Packet, now: float) -> None:
        delay = self._delay
        number = packet.sub_sequence
        if delay.several and not number:
            number = delay.number(packet.sequence)
        rows = delay.rows
        rows += (now, delay.wall(), packet.timestamp_us, number)
        if len(rows) >= FULL:
            delay.fold()
        if self._observers.watching:
            self._observers.received(packet)


def ends_of(edge: Edge) -> Ends:
    """What names an edge in any graph."""
    return edge.source, edge.source_port, edge.target, edge.target_port


def outputs_of(wiring: Wiring) -> list[Boundary]:
    """The queues that an island feeds."""
    links = [*wiring.links.values(), *wiring.client_links.values()]
    return [link.outlet for link in links if link.outlet is not None]


def reached(plan: Plan, from_node: str | None) -> Set[str]:
    """The nodes that something from a node on may reach, itself included; None: all nodes."""
    if from_node is None:
        return plan.graph.nodes.keys()
    found = {from_node}
    for node in plan.graph.order:
        if any(edge.source in found for edge in plan.graph.incoming(node)):
            found.add(node)
    return found
