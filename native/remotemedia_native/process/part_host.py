"""The inside of the process of a part: makes its nodes, opens them, and runs them until told."""

from __future__ import annotations

import asyncio
import operator
import sys
from time import perf_counter
from typing import Any, TypeGuard

import msgspec

from remotemedia.caps import Caps, parse_caps
from remotemedia.clock import SystemClock
from remotemedia.data import Packet
from remotemedia.errors import (
    NodeError,
    ProcessDiedError,
    RemoteMediaError,
    UnavailableError,
)
from remotemedia.executors import Inline
from remotemedia.manifest import Policy
from remotemedia.node import Node, make_params
from remotemedia.registry import default_registry, missing_packages
from remotemedia.session.budget import make_budget
from remotemedia.session.cast import Cast
from remotemedia.session.chain import Step
from remotemedia.session.failure import node_error
from remotemedia.session.life import context
from remotemedia.session.tap import origin_packets
from remotemedia.session.unit import Hooks, IslandUnit, Unit
from remotemedia_native.process import main_module
from remotemedia_native.process import messages as m
from remotemedia_native.process.arrival import ArrivalBoundary
from remotemedia_native.process.bells import Bells
from remotemedia_native.process.control import Control
from remotemedia_native.process.crossing import Outbox
from remotemedia_native.process.description import rebuild
from remotemedia_native.process.faults import to_fault
from remotemedia_native.process.ledger import Ledger
from remotemedia_native.process.part_router import Exits, PartRouter
from remotemedia_native.process.post import Destination, Inflow, Post, Shortcut, set_cuts
from remotemedia_native.process.routes import readers_of
from remotemedia_native.shm import kinds
from remotemedia_native.shm.bell import Bell

BEAT_S = 0.1  # between two signs of life
COUNTS_S = 0.1  # between two reports of what was counted


async def host(control: Control) -> None:
    """Run the part that the first message describes, until told to close."""
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    part: list[Part] = []

    def on_message(message: bytes, fds: list[int]) -> None:
        told = m.decode_told(message)
        if isinstance(told, m.Host):
            part.append(Part(control, told, fds, ended))
            part[0].begin()
        elif part:
            part[0].hear(told)

    control.on_message = on_message
    try:
        await ended
    finally:
        for each in part:
            await each.end()


class Part:
    """A part at work.

    Parameters
    ----------
    control : Control
        To the session.
    told : Host
        What it is.
    fds : list of int
        The ledger, and the bells.
    ended : Future
        Set when all is closed.
    """

    def __init__(
        self, control: Control, told: m.Host, fds: list[int], ended: asyncio.Future[None]
    ) -> None:
        self._control = control
        self._told = told
        self._ended = ended
        self._clock = SystemClock()
        self._ledger = Ledger(fds[0], told.lanes, told.parts)
        width = (len(fds) - 1) // len(told.bells)
        self._bells = {
            part: Bell.from_fds(fds[1 + width * i : 1 + width * (i + 1)])
            for i, part in enumerate(told.bells)
        }
        self._others = Bells(self._bells)
        self._post = Post(
            self._bells[told.part],
            self._others,
            control.poll,
            self._written_off,
            self._finished,
            _not_shown,
        )
        self._post.told, self._post.heard = self._ledger.words, 1  # this message
        self._post.told_word = self._ledger.told(told.number)
        self._router: PartRouter | None = None
        self._cast: Cast | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._to_open: asyncio.Queue[m.Open | None] = asyncio.Queue()
        self._is_closing = False
        self._said: bytes = b""

    def begin(self) -> None:
        """Make the nodes, and begin to open them."""
        self._beat()
        try:
            self._make()
        except RemoteMediaError as error:
            self._say(m.Ready(to_fault(error)))
            return
        except Exception as error:
            ours = NodeError(
                f"part {self._told.part!r} cannot be made: {type(error).__name__}: {error}"
            )
            ours.__cause__ = error
            self._say(m.Ready(to_fault(ours)))
            return
        self._say(m.Ready())
        self._run(self._open_all())

    def hear(self, told: m.Told) -> None:
        """Do what the session says."""
        self._post.heard += 1
        if isinstance(told, m.Interrupt):
            self._interrupt(told)
        elif isinstance(told, m.Open):
            self._to_open.put_nowait(told)
        elif isinstance(told, m.Start):
            self._start()
        elif isinstance(told, m.SetState):
            self._set_state(told)
        elif isinstance(told, m.Update):
            self._update(told)
        elif isinstance(told, m.Close) and not self._is_closing:
            self._is_closing = True
            self._run(self._close())

    async def end(self) -> None:
        """Let go of everything; when the process ends."""
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=0.2)
        self._post.stop()

    # -- getting ready -----------------------------------------------------------------------

    def _make(self) -> None:
        told = self._told
        plan, arriving = rebuild(told, find_class)
        for node in plan.graph.nodes.values():
            missing = missing_packages(node.cls, node.spec.python_deps)
            if missing:
                packages = " ".join(f"'{package}'" for package in missing)
                raise UnavailableError(
                    f"node {node.id!r} ({node.node_type}) needs {', '.join(missing)} in the Python "
                    f"of its process: {sys.executable} -m pip install {packages}",
                    node=node.id,
                )
        inline = Inline()
        nodes = {node_id: inline.create(node) for node_id, node in plan.graph.nodes.items()}
        budget = make_budget(told.max_latency_ms, "drop", self._clock, self._tell)
        hooks = Hooks(
            self._failed,
            self._handled,
            self._broken,
            self._tell,
            perf_counter,
            self._clock,
            budget,
        )
        readers = {
            inlet.part: kinds.find(inlet.topic.kind).open_reader(
                inlet.topic, inlet.reader, self._bells[inlet.part].ring
            )
            for inlet in told.inlets
        }
        outbox = Outbox(readers_of(told.routes, told.part), self._others)
        outbox.open(kinds.find(told.outlet.kind).open_writer(told.outlet))
        self._post.outboxes.append(outbox)
        routes = {(r.node, r.port): r for r in told.routes if r.part == told.part}
        self._router = router = PartRouter(
            plan,
            nodes,
            hooks,
            self._clock,
            msgspec.convert(told.policy, Policy),
            arriving=arriving,
            exits=Exits(routes, outbox, self._unsent, self._ending),
            ledger=self._ledger,
            inner=told.inner,
            live=frozenset(told.live),
        )
        router.generation = told.generation
        for unit in router.units:
            unit.generation = told.generation
        places = [(route.node, route.port) for route in told.routes]
        for inlet in told.inlets:
            inflow = Inflow(places, inlet.again)
            inflow.open(readers[inlet.part])
            self._post.inflows.append(inflow)
            inflow.count_in(self._ledger, inlet.lane)
            for route in told.routes:
                for end in route.ends:
                    if route.part == inlet.part and end.part == told.part:
                        queue = router.ending(route, end.node, end.port)
                        lane = router.arrive(queue, end.lane, inlet.part)
                        lane.inherit()
                        destination = inflow.destination(route.number)
                        lane.cut = max(told.cuts.get(queue.node, 0), told.cuts.get(end.node, 0))
                        destination.add(queue, lane, end.is_lossless)
                        destination.shortcut = None
                        unit = router.unit_of(end.node)
                        if self._may_shorten(unit, destination):
                            step = router.steps[end.node] if route.is_entry else None
                            destination.shortcut = Shortcut(unit, queue, lane, route.number, step)
        self._cast = Cast(nodes, self._clock, told.close_timeout_us // 2, self._on_node_failed)

    def _may_shorten(self, unit: Unit, destination: Destination) -> TypeGuard[IslandUnit]:
        """Whether what comes there may go straight into the island."""
        return (
            type(unit) is IslandUnit
            and not unit.inbox.batches
            and len(destination.queues) == 1
            and type(destination.queues[0]) is ArrivalBoundary
            and self._told.max_latency_ms is None
        )

    async def _open_all(self) -> None:
        router, cast, told = self._router, self._cast, self._told
        assert router is not None and cast is not None  # noqa: S101, PT018
        for node_id in router.plan.graph.order:
            entry = router.plan
            if not told.is_eager:
                asked = await self._to_open.get()
                if asked is None:
                    return
                entry = _with_formats(entry, asked)
            step = router.steps[node_id]
            timers = step.timers.set if step.timers is not None else None
            step.context = context(entry, node_id, self._clock, timers, self._tell)
            try:
                node = await cast.open(node_id, step.context)
                self._say(m.Opened(node_id, _actual(node_id, node)))
            except RemoteMediaError as error:
                self._say(m.Opened(node_id, None, to_fault(error)))
                return
        if told.is_restart:
            self._start()

    def _start(self) -> None:
        if self._router is None or self._is_closing:
            return
        for inflow in self._post.inflows:
            for destination in inflow.destinations.values():
                if any(lane.number in self._told.ended for lane in destination.lanes):
                    destination.end()
        if self._told.is_finished:
            self._router.finish()
        self._post.start()
        self._router.start()
        for inlet in self._told.inlets:  # who waits, or has to give something again, looks now
            self._others.ring(inlet.part)
        self._run(self._report())

    # -- at work -----------------------------------------------------------------------------

    def _written_off(self, lost: list[tuple[str, int]]) -> None:
        """Items of a predecessor are not there any more."""
        for node_id, sequence in lost:
            if self._router is not None:
                self._failed(
                    self._router.steps[node_id],
                    ProcessDiedError(
                        "an item is lost that waited in a process which has died: its memory was "
                        "needed for others",
                        node=node_id,
                    ),
                    sequence,
                )

    def _finished(self) -> None:
        if self._router is not None:
            self._router.finish()

    def _interrupt(self, told: m.Interrupt) -> None:
        router, nodes = self._router, frozenset(told.nodes)
        if router is None:
            self._say(m.Settled(told.generation))
            return
        set_cuts(self._post.inflows, told.generation, nodes)
        router.drop(nodes, told.generation)
        self._run(self._settle(told.generation))

    async def _settle(self, generation: int) -> None:
        if self._router is not None:
            await self._router.settle()
        self._say(m.Settled(generation))
        self._count()

    def _set_state(self, told: m.SetState) -> None:
        router = self._router
        if router is None or told.node not in router.steps:
            return
        step = router.steps[told.node]
        was, step.state = step.state, told.state
        for port, taps, is_output in [
            *((port, step.input_taps, False) for port in router.plan.graph.nodes[told.node].inputs),
            *((port, step.output_taps, True) for port in step.routes),
        ]:
            wanted = port in (told.output_taps if is_output else told.input_taps)
            if wanted and port not in taps:
                taps[port] = (self._shower(told.node, port),)
            elif not wanted:
                taps.pop(port, None)
        router.recompose(told.node)
        if step.outer is not None and was != "enabled" and step.state == "enabled":
            step.outer.resume()

    def _shower(self, node_id: str, port: str) -> Any:
        """Shows the session what passes a port, if it can keep up."""
        router = self._router
        assert router is not None  # noqa: S101
        packet_of = origin_packets(router, node_id, port)
        outbox = self._post.outboxes[0]
        return lambda data: outbox.show(packet_of(data))

    def _update(self, told: m.Update) -> None:
        if self._router is None or self._cast is None:
            return
        node = self._router.plan.graph.nodes[told.node]
        self._cast.update(told.node, make_params(node.cls, told.params, told.node))

    async def _close(self) -> None:
        router, cast = self._router, self._cast
        self._to_open.put_nowait(None)
        if router is not None and cast is not None:
            router.stop()
            await router.stopped(self._clock, self._told.close_timeout_us // 2)
            await cast.close_all()
            self._count()
        self._say(m.Closed())
        if not self._ended.done():
            self._ended.set_result(None)

    # -- what is told ------------------------------------------------------------------------

    def _say(self, said: m.Said) -> None:
        if not self._control.closed:
            self._control.send(m.encode(said))

    def _failed(self, step: Step, error: BaseException, sequence: int) -> None:
        self._fail_node(step.id, step.node, error, sequence, is_handled=False)

    def _handled(self, step: Step, error: BaseException, sequence: int) -> None:
        self._fail_node(step.id, step.node, error, sequence, is_handled=True)

    def _unsent(self, node_id: str, error: BaseException, sequence: int) -> None:
        if self._router is not None:
            step = self._router.steps[node_id]
            step.errors += 1
            self._failed(step, error, sequence)

    def _on_node_failed(self, node_id: str, node: Node, error: Exception) -> None:
        self._fail_node(node_id, node, error, 0, is_handled=True)

    def _fail_node(
        self, node_id: str, node: Node, error: BaseException, sequence: int, *, is_handled: bool
    ) -> None:
        ours = node_error(node_id, type(node).__name__, error)
        port, fault = ours.port or "", to_fault(ours)
        self._say(m.Happened("error", node_id, port, sequence, str(ours), fault, is_handled))

    def _broken(self, error: BaseException) -> None:
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            return  # the process ends with it
        ours = error if isinstance(error, RemoteMediaError) else NodeError(repr(error))
        if ours is not error:
            ours.__cause__ = error
        self._say(m.Broken(to_fault(ours)))

    def _tell(
        self,
        kind: str,
        message: str,
        node: str,
        port: str = "",
        fraction: float | None = None,
    ) -> None:
        self._say(m.Happened(kind, node, port, 0, message, fraction=fraction))

    def _count(self) -> None:
        """Say what was counted."""
        router = self._router
        if router is None:
            return
        metrics = router.metrics()
        ended = [step for unit in router.units if unit.ended for step in unit.wiring.steps]
        counted = m.Counted(
            list(metrics.nodes),
            router.inner_edges(metrics),
            router.lane_counts(),
            router.route_counts(),
            ended,
        )
        self._say(counted)

    def _ending(self) -> None:
        """One of the routes that lead out ends; with the last one all is counted."""
        if self._router is not None and all(c.ended for c in self._router.crossings.values()):
            self._count()

    async def _report(self) -> None:
        """Say from time to time what was counted, as long as there is something new."""
        last, quiet = b"", 0
        while not self._is_closing:
            await asyncio.sleep(COUNTS_S)
            now = self._ledger.counters()
            if now != last or quiet < 2:
                quiet = 0 if now != last else quiet + 1
                last = now
                self._count()

    def _beat(self) -> None:
        self._ledger.words[self._ledger.beat(self._told.number)] += 1
        asyncio.get_running_loop().call_later(BEAT_S, self._beat)

    def _run(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broken(error)


def find_class(module: str, name: str, node_type: str) -> type[Node]:
    """The class of a node: by its name in its module, or as what that has registered."""
    home = main_module.find(module)
    try:
        found: Any = operator.attrgetter(name)(home)
    except AttributeError:
        found = None
    if isinstance(found, type) and issubclass(found, Node):
        return found
    return default_registry().find(node_type)  # a function that was made a node


def _with_formats(plan: Any, asked: m.Open) -> Any:
    inputs = {**plan.formats.inputs}
    outputs = {**plan.formats.outputs}
    inputs.update({(asked.node, port): parse_caps(text) for port, text in asked.inputs.items()})
    outputs.update({(asked.node, port): parse_caps(text) for port, text in asked.outputs.items()})
    formats = msgspec.structs.replace(plan.formats, inputs=inputs, outputs=outputs)
    return msgspec.structs.replace(plan, formats=formats)


def _actual(node_id: str, node: Node) -> dict[str, str] | None:
    """What a node says of its outputs once it is open."""
    if node.capabilities != "runtime_discovered":
        return None
    try:
        actual = node.actual_formats() or {}
        return {p: str(c) if isinstance(c, Caps) else str(parse_caps(c)) for p, c in actual.items()}
    except Exception as error:
        raise NodeError(
            f"node {node_id!r}: its actual_formats() cannot be used: "
            f"{type(error).__name__}: {error}",
            node=node_id,
        ) from error


def _not_shown(route: int, packet: Packet) -> None:
    """Nobody looks at anything here."""
