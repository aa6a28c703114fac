"""The parts of a session that run in processes: their topics, their bells, and who runs them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Set

import msgspec

from remotemedia.clock import Clock, SystemClock
from remotemedia.data import Packet
from remotemedia.errors import SessionError
from remotemedia.executors.restart import also_restarted
from remotemedia.graph import Edge, GraphNode
from remotemedia.manifest import Policy, ProcessOptions
from remotemedia.metrics import EdgeMetrics, Metrics
from remotemedia.node import Node
from remotemedia.session.boundary import MAX_AHEAD, Boundary
from remotemedia.session.budget import live_nodes
from remotemedia.session.chain import Step
from remotemedia.session.inbox import Inbox
from remotemedia.session.parts import Surroundings
from remotemedia.session.report import CLIENT
from remotemedia.session.router import ClientBoundary, Router
from remotemedia.session.unit import Unit
from remotemedia_native.process import messages as m
from remotemedia_native.process.arrival import ArrivalBoundary, ArrivalLimited, Arrivals, Lane
from remotemedia_native.process.bells import Bells
from remotemedia_native.process.crossing import Crossing, Outbox
from remotemedia_native.process.description import describe_node, edges_of
from remotemedia_native.process.errors import ProcessDiedError
from remotemedia_native.process.faults import from_fault
from remotemedia_native.process.figures import DIED, Figures, arriving
from remotemedia_native.process.janitor import clean
from remotemedia_native.process.launch import ChildProcess
from remotemedia_native.process.ledger import Ledger
from remotemedia_native.process.names import prefix
from remotemedia_native.process.part import ENTRY, Part
from remotemedia_native.process.post import Inflow, Post, set_cuts
from remotemedia_native.process.remote import RemoteNode, RemoteUnit
from remotemedia_native.process.routes import HERE, WORKED_ON, Routes, find_routes
from remotemedia_native.process.spares import Key, Spares
from remotemedia_native.process.stock import Lost, take_stock
from remotemedia_native.process.watch import Watch
from remotemedia_native.shm import kinds
from remotemedia_native.shm.base import Topic, TopicSpec
from remotemedia_native.shm.bell import Bell
from remotemedia_native.shm.loop import add_bell, remove_bell

SLOTS = 64  # messages of a topic under way and borrowed, at least
MAX_SLOTS = 8192
MIB = 2**20
SPARES_AFTER_S = 1.0  # from the start: short sessions need none, and others have what to do first


class ClientArrival(Arrivals, ClientBoundary):
    """A queue to the client in which a route ends."""

    __slots__ = ("lane",)


class ProcessParts:
    """All parts of a session that run in processes.

    Parameters
    ----------
    around : Surroundings
        The session.
    """

    def __init__(self, around: Surroundings) -> None:
        self.plan = around.plan
        self.clock: Clock = around.clock
        self.close_timeout_s = around.close_timeout_us / 1e6
        self.generation = 0
        self._cuts: dict[str, int] = {}
        self._around = around
        self._hooks = around.hooks
        members = {
            name: nodes
            for name, nodes in self.plan.parts.items()
            if self.plan.placements[nodes[0]].executor == "process"
        }
        self.routes: Routes = find_routes(self.plan, around.policy)
        self._by_place = {
            (r.node, r.port, *((e.node, e.port) if r.part == HERE else ())): r
            for r in self.routes.routes
            for e in r.ends
        }
        self._inlet_lanes: dict[tuple[str, str], int] = {}
        lanes = list(self.routes.lanes)
        for name in members:
            for writer in self._writers(name):
                self._inlet_lanes[writer, name] = len(lanes)
                lanes.append(2)
        self._lanes = lanes
        self._ledger = Ledger.make(lanes, len(members))
        self._figures = Figures(self.plan, self.routes, self._ledger)
        self.parts = {
            name: Part(name, number, nodes, self)
            for number, (name, nodes) in enumerate(members.items())
        }
        self._bells: dict[str, Bell] = {}
        self._others = Bells(self._bells)
        self._outboxes = {name: Outbox([name], self._others) for name in self.parts}
        self._crossings: dict[int, Crossing] = {}
        self._topics: dict[tuple[str, str], Topic] = {}
        self._post: Post | None = None
        self._spares: Spares | None = None
        self._sparing: asyncio.TimerHandle | None = None
        self._watches: dict[str, Watch] = {}
        self._router: Router | None = None
        self._arriving: dict[tuple[str, str], tuple[int, Boundary]] = {}
        self._inflows: dict[str, Inflow] = {}
        self._buried: list[Inflow] = []
        self._is_stopping = False
        self._prefix = ""

    # -- what a router asks for --------------------------------------------------------------

    def node(self, node: GraphNode) -> Node:
        """What stands for a node."""
        return RemoteNode(node, self._part_of(node.id))

    def unit(
        self,
        router: Router,
        members: tuple[str, ...],
        nodes: Mapping[str, Node],
        inboxes: Mapping[str, Inbox],
    ) -> Unit:
        """The unit that stands for an island."""
        self._router = router
        plan = self.plan
        for node_id in members:
            node = plan.graph.nodes[node_id]
            router.steps[node_id] = Step(node_id, nodes[node_id], list(node.outputs))
            for port in node.inputs:
                route = self._by_place[node_id, port, node_id, port]
                crossing = Crossing(
                    route, self._outboxes[self._part_of(node_id).name], self._ledger
                )
                self._crossings[route.number] = crossing
                router.queues.entries[node_id, port] = crossing
            self._receive(router, node_id, inboxes)
        steps = {node_id: router.steps[node_id] for node_id in reversed(members)}
        return RemoteUnit(steps, self._part_of(members[0]), self._hooks)

    def _receive(self, router: Router, node_id: str, inboxes: Mapping[str, Inbox]) -> None:
        """Make the queues here in which what a node elsewhere sends ends."""
        plan, part = self.plan, self._part_of(node_id).name
        inflow = self._inflows.setdefault(part, Inflow(self.routes.places()))
        for port in plan.graph.nodes[node_id].outputs:
            route = self._by_place.get((node_id, port))
            if route is None:
                continue
            for end in route.ends:
                if end.part != HERE:
                    continue
                if end.node == CLIENT:
                    queue = router.make_outlet(node_id, port, ClientArrival)
                    router.queues.outlets[node_id, port] = queue
                    name = CLIENT
                else:
                    edge = self._edge(node_id, port, end.node, end.port)
                    inbox = inboxes[end.node]
                    queue = router.make_queue(edge, inbox, ArrivalBoundary, ArrivalLimited)
                    router.queues.edges[node_id, port, end.node, end.port] = queue
                    name = f"{end.node}:{end.port}"
                lane = Lane(self._ledger, end.lane, part, self._others, is_traced=False)
                inflow.destination(route.number).add(queue, lane, end.is_lossless)
                self._arriving[f"{node_id}:{port}", name] = end.lane, queue

    def _edge(self, *ends: str) -> Edge:
        return next(
            edge
            for edge in self.plan.graph.outgoing(ends[0])
            if (edge.source, edge.source_port, edge.target, edge.target_port) == ends
        )

    def edge(self, edge: Edge) -> Boundary:
        """The queue of an edge from the session to a part."""
        place = edge.source, edge.source_port, edge.target, edge.target_port
        route = self._by_place[place]
        outbox = self._outboxes[self._part_of(edge.target).name]
        crossing = Crossing(route, outbox, self._ledger, self._fail_item)
        self._crossings[route.number] = crossing
        return crossing

    def finish(self) -> None:
        """The client sends no more."""
        for outbox in self._outboxes.values():
            outbox.finish()

    def drop(self, nodes: Set[str], generation: int) -> None:
        """What is in flight in these nodes is stale from now on."""
        self.generation = generation
        self._cuts.update(dict.fromkeys(nodes, generation))
        set_cuts(self._inflows.values(), generation, nodes)
        for part in self.parts.values():
            part.interrupt(sorted(nodes), generation)

    def merged(self, metrics: Metrics) -> Metrics:
        """The metrics of the session, with those of the parts in their places."""
        for part in self.parts.values():
            part.poll()
        counted = {name: part.counted for name, part in self.parts.items()}
        merged = self._figures.merged(metrics, counted, self._crossings)
        return msgspec.structs.replace(merged, edges=tuple(map(self._arriving_edge, merged.edges)))

    def _arriving_edge(self, edge: EdgeMetrics) -> EdgeMetrics:
        known = self._arriving.get((edge.source, edge.target))
        if known is None:
            return edge
        lane, queue = known
        return arriving(edge, self._ledger, lane, queue.entered)

    # -- life --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Make topics and bells, and start all processes."""
        if self._is_stopping:
            return
        if not isinstance(self.clock, SystemClock):
            raise SessionError(
                "nodes with executor: process need real time, and this session has another clock "
                f"({type(self.clock).__name__}): run them inline there"
            )
        clean()  # what sessions that were killed have left
        self._prefix = prefix()
        self._bells.update({name: Bell() for name in (HERE, *self.parts)})
        self._post = post = Post(
            self._bells[HERE],
            self._others,
            lambda: None,
            lambda lost: None,
            lambda: None,
            self._shown,
        )
        self._spares = Spares()
        kind = kinds.best()
        for name in self.parts:
            self._make_topic(kind, HERE, name)
            self._make_topic(kind, name, HERE)
        for name in self.parts:
            inlet, outlet = self._topics[HERE, name].spec, self._topics[name, HERE].spec
            self._outboxes[name].open(kinds.find(kind).open_writer(inlet))
            post.outboxes.append(self._outboxes[name])
            inflow = self._inflows.setdefault(name, Inflow(self.routes.places()))
            # A view that lives on keeps what it rings: that must not be the session.
            inflow.open(kinds.find(kind).open_reader(outlet, 0, self._bells[name].ring))
            post.inflows.append(inflow)
        post.start()
        for part in self.parts.values():
            part.begin()

    def _make_topic(self, kind: str, writer: str, reader: str) -> None:
        readers = self.routes.readers(writer) if writer != HERE else [reader]
        capacity = dict.fromkeys(readers, 0)
        for route in self.routes.routes:
            for end in route.ends:
                if route.part == writer and end.part in capacity:
                    capacity[end.part] += end.capacity
        # An heir is given what its predecessor had borrowed: so all that waits may be borrowed.
        waiting = max((count for each, count in capacity.items() if each != HERE), default=0)
        borrowed = max(SLOTS // 2, waiting + WORKED_ON)
        messages = max(sum(capacity.values()), len(readers) * borrowed) + SLOTS + MAX_AHEAD
        name = writer or reader
        direction = "output" if writer else "input"
        spec = TopicSpec(
            kind,
            f"{self._prefix}_{_safe(name)}_{direction}",
            readers=len(readers),
            messages=min(MAX_SLOTS, messages),
            borrowed=borrowed,
            max_size=round(self._options(name).max_message_mb * MIB),
        )
        self._topics[writer, reader] = kinds.find(kind).make(spec)

    def launch(self, part: Part) -> ChildProcess:
        """A process for a part: a spare one if there is one."""
        assert self._spares is not None  # noqa: S101 - it is started
        self._ledger.words[self._ledger.told(part.number)] = 0
        return self._spares.take(self._key(part), ENTRY, part.name_for_logs)

    def keep_spares(self) -> None:
        """Keep a process ready for each kind that may have to be started again; a bit later."""
        if self._sparing is None:
            loop = asyncio.get_running_loop()
            self._sparing = loop.call_later(SPARES_AFTER_S, self._prepare_spares)

    def _prepare_spares(self) -> None:
        if self._spares is not None and not self._is_stopping:
            for part in self.parts.values():
                if part.restart.spare and part.restart.when != "never":
                    self._spares.prepare(self._key(part))

    def _key(self, part: Part) -> Key:
        options = self._options(part.name)
        modules = sorted(
            {ENTRY.partition(":")[0]}
            | {
                module
                for node_id in part.members
                for module in [self.plan.graph.nodes[node_id].cls.__module__]
                if not module.startswith("remotemedia.") and module != "__main__"
            }
        )
        environment = tuple(sorted(options.env.items()))
        return Key(environment, options.threads, tuple(modules))

    def describe(self, part: Part, *, is_restart: bool) -> tuple[m.Host, list[int]]:
        """What a process is told of its part, and the descriptors that go with it."""
        plan, around, name = self.plan, self._around, part.name
        here = frozenset(part.members)
        again = part.again if is_restart else {}
        known = {HERE, name, *self._writers(name), *self.routes.readers(name)}
        bells = [each for each in self._bells if each in known]
        host = m.Host(
            part=name,
            session=self._prefix,
            number=part.number,
            nodes=[self._entry(node_id) for node_id in part.members],
            islands=[list(each) for each in plan.islands if each[0] in here],
            edges=edges_of(plan, part.members),
            outlets=[(r.node, r.port) for r in self.routes.routes if r.part == name],
            entries=[place for place in plan.entries if place[0] in here],
            unproven=[place for place in sorted(plan.formats.unproven) if place[0] in here],
            auto=plan.auto,
            routes=list(self.routes.routes),
            lanes=self._lanes,
            inner={
                edge: lane
                for edge, lane in self.routes.inner.items()
                if self.routes.inner_parts[edge] == name
            },
            inlets=[
                m.Inlet(
                    writer,
                    self._topic(writer, name).spec,
                    self._reader(writer, name),
                    self._inlet_lanes[writer, name],
                    again.get(writer, m.Again()),
                )
                for writer in self._writers(name)
            ],
            outlet=self._topics[name, HERE].spec,
            bells=bells,
            generation=self.generation,
            policy=msgspec.to_builtins(around.policy),
            live=sorted(live_nodes(plan)),
            max_latency_ms=around.max_latency_ms,
            close_timeout_us=around.close_timeout_us,
            is_eager=not self._is_discovering(),
            parts=len(self.parts),
            is_restart=is_restart,
            ended=[
                end.lane
                for route in self.routes.routes
                for end in route.ends
                if end.part == name and self._ledger.has_ended(end.lane)
            ],
            cuts=self._cuts,
            is_finished=self._ledger.has_ended(self._inlet_lanes[HERE, name]),
        )
        fds = [self._ledger.fd, *(fd for each in bells for fd in self._bells[each].fds)]
        return host, fds

    def _entry(self, node_id: str) -> m.NodeEntry:
        entry = describe_node(self.plan, node_id)
        opened = self._router.steps[node_id].context if self._router is not None else None
        if opened is None:
            return entry
        return msgspec.structs.replace(
            entry,
            carried_in={port: str(caps) for port, caps in opened.inputs.items()},
            carried_out={port: str(caps) for port, caps in opened.outputs.items()},
        )

    def _is_discovering(self) -> bool:
        nodes = self.plan.graph.nodes.values()
        return any(node.cls.capabilities == "runtime_discovered" for node in nodes)

    def stop(self) -> None:
        """Begin to end all parts."""
        self._is_stopping = True
        if self._sparing is not None:
            self._sparing.cancel()
        for watch in self._watches.values():
            watch.close()
        for part in self.parts.values():
            part.stop()

    async def close(self) -> None:
        """Wait until all have ended, and leave nothing behind."""
        self.stop()
        await asyncio.gather(*(part.closed() for part in self.parts.values()))
        if self._spares is not None:
            await self._spares.aclose()
            self._spares = None
        if self._post is not None:
            self._post.stop()
            self._post = None
        for inflow in self._buried:
            inflow.close()
        for topic in self._topics.values():
            topic.close()
        self._topics.clear()
        for part in self.parts.values():
            if part.is_dead and part.name in self._bells:
                remove_bell(asyncio.get_running_loop(), self._bells[part.name])
        for bell in self._bells.values():
            bell.close()
        self._bells.clear()
        self._figures.close()
        self._ledger.close()

    # -- what parts tell ---------------------------------------------------------------------

    def happened(self, said: m.Happened) -> None:
        """An event in a process."""
        if said.fault is None:
            self._hooks.told(said.kind, said.message, said.node, said.port, said.fraction)
            return
        step = self._steps().get(said.node)
        if step is not None:
            told = self._hooks.handled if said.is_handled else self._hooks.failed
            told(step, from_fault(said.fault), said.sequence)

    def count_told(self, part: Part) -> None:
        """A message is on its way to a part: it is to hear it before it takes in what is newer."""
        self._ledger.words[self._ledger.told(part.number)] += 1

    def tell(self, kind: str, message: str, node: str) -> None:
        """An event that is no error."""
        self._hooks.told(kind, message, node, "")

    def fail(self, node_id: str, error: Exception) -> None:
        """Something is wrong with a node, but with no item of it."""
        step = self._steps().get(node_id)
        if step is not None:
            self._hooks.handled(step, error, 0)

    def broken(self, error: Exception) -> None:
        """The session cannot go on."""
        self._hooks.broken(error)

    def _fail_item(self, node_id: str, error: BaseException, sequence: int) -> None:
        """A node, or who sends for it, has failed on an item."""
        step = self._steps().get(node_id)
        if step is not None:
            step.errors += 1
            self._hooks.failed(step, error, sequence)

    def _shown(self, route: int, packet: Packet) -> None:
        """A packet that somebody wanted to look at."""
        router = self._router
        step = self._steps().get(packet.node)
        if router is None or step is None:
            return
        unit = router.unit_of(packet.node)
        unit.packet = packet
        taps = step.output_taps.get(packet.port) or step.input_taps.get(packet.port, ())
        for tap in taps:
            tap(packet.data)

    # -- death -------------------------------------------------------------------------------

    def look(self) -> None:
        """Take in all that has come."""
        if self._post is not None:
            self._post.look()

    def take_stock(self, part: Part) -> list[Lost]:
        """What the dead process of a part had; its topics are ready for an heir."""
        inlets = [
            m.Inlet(w, self._topic(w, part.name).spec, 0, self._inlet_lanes[w, part.name])
            for w in self._writers(part.name)
        ]
        lost, again = take_stock(
            self._ledger, self.routes, part.name, inlets, redeliver=part.restart.redeliver
        )
        part.again = again
        for writer, each in again.items():
            resume = min((item.message for item in each.held), default=each.taken)
            topic = self._topic(writer, part.name)
            topic.forget_reader(self._reader(writer, part.name), resume)
        self._topics[part.name, HERE].forget_writer()
        self._figures.keep(part.name, part.counted)
        part.counted = None
        return lost

    def died(self, part: Part, error: ProcessDiedError, lost: list[Lost]) -> None:
        """Tell of a death, and of each item that went with it."""
        self.fail(part.members[0], error)
        for item in lost:
            what = "was being worked on" if item.is_worked_on else "waited in it"
            lost_one = ProcessDiedError(
                f"an item is lost that {what}: {error.headline}", node=item.node
            )
            self._fail_item(item.node, lost_one, item.sequence)

    def also_restart(self, part: Part) -> None:
        """Start those anew that are behind a part, if its policy says so."""
        if part.restart.strategy != "rest_for_one":
            return
        behind = set(also_restarted(self.plan.graph, part.members, part.restart.strategy))
        for other in self.parts.values():
            if other is not part and behind & set(other.members):
                other.restart_with(part)

    def bury(self, part: Part) -> None:
        """A part is not started again: drop what is sent to it, and end what came from it."""
        for writer in self._writers(part.name):
            topic = self._topic(writer, part.name)
            inflow = Inflow(self.routes.places(), part.again.get(writer))
            inflow.open(
                kinds.find(topic.spec.kind).open_reader(
                    topic.spec, self._reader(writer, part.name), self._bells[writer].ring
                )
            )
            for route in self.routes.routes:
                for end in route.ends:
                    if route.part == writer and end.part == part.name:
                        lane = Lane(self._ledger, end.lane, writer, self._others, is_traced=False)
                        lane.inherit()
                        lane.bury(DIED)
                        queue = ArrivalBoundary("", "", Inbox(), (end.node, end.port))
                        inflow.destination(route.number).add(queue, lane, end.is_lossless)
            self._buried.append(inflow)
            if self._post is not None:
                self._post.inflows.append(inflow)
        add_bell(asyncio.get_running_loop(), self._bells[part.name], self.look)
        self.end_routes(part)
        self.look()

    def end_routes(self, part: Part) -> None:
        """Nothing more comes by the routes of a part that is dead."""
        for destination in self._inflows[part.name].destinations.values():
            destination.end()
        if self._post is None:
            return
        outbox = Outbox(self.routes.readers(part.name), self._others)
        spec = self._topics[part.name, HERE].spec
        outbox.open(kinds.find(spec.kind).open_writer(spec))
        self._post.outboxes.append(outbox)
        for route in self.routes.routes:
            if route.part == part.name:
                outbox.end(route)

    def watch(self, part: Part, child: ChildProcess) -> None:
        """Watch over a process."""
        options = self._options(part.name)
        limit = options.memory_limit_mb
        hang_ms, start_ms = part.restart.hang_timeout_ms, options.start_timeout_ms
        self._watches[part.name] = Watch(
            child,
            self.clock,
            lambda words, stacks: None,  # its exit says the same
            memory_limit=round(limit * MIB) if limit is not None else None,
            hang_timeout_us=round(hang_ms * 1000) if hang_ms is not None else None,
            progress=lambda: (self._ledger.words[self._ledger.beat(part.number)], part.is_ready),
        )
        part.limit_start(round(start_ms * 1000))

    def unwatch(self, part: Part) -> None:
        """Its process has ended."""
        watch = self._watches.pop(part.name, None)
        if watch is not None:
            watch.close()

    # -- inside ------------------------------------------------------------------------------

    def policy_of(self, node_id: str) -> Policy:
        """The policy of a node."""
        return self.plan.graph.nodes[node_id].spec.policy or self._around.policy

    def _options(self, part: str) -> ProcessOptions:
        for node_id in self.plan.parts[part]:
            options = self.plan.graph.nodes[node_id].spec.process
            if options is not None:
                return options
        return ProcessOptions()

    def _part_of(self, node_id: str) -> Part:
        return self.parts[self.plan.placements[node_id].part]

    def _writers(self, part: str) -> list[str]:
        """Who sends to a part: the session first."""
        found = {r.part for r in self.routes.routes for end in r.ends if end.part == part}
        return sorted(found | {HERE})

    def _reader(self, writer: str, part: str) -> int:
        return 0 if writer == HERE else self.routes.readers(writer).index(part)

    def _topic(self, writer: str, reader: str) -> Topic:
        return self._topics[writer, reader if writer == HERE else HERE]

    def _steps(self) -> dict[str, Step]:
        return self._router.steps if self._router is not None else {}


def _safe(name: str) -> str:
    """A name of a part as a piece of the name of a file."""
    return name.replace("@", "+")
