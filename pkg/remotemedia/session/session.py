"""Session: one live run of a plan."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Sequence,
)
from contextlib import suppress
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec

from remotemedia.clock import Clock, SystemClock, deadline
from remotemedia.data import Control, Data, Packet
from remotemedia.data.messages import read_message
from remotemedia.errors import (
    SessionClosedError,
    SessionError,
    SessionFailedError,
    SessionFinishedError,
)
from remotemedia.manifest import Policy
from remotemedia.metrics import Metrics
from remotemedia.node import Node
from remotemedia.plan import Plan, checked
from remotemedia.session.address import Entry, find_entries, known_node, misfit, refusal
from remotemedia.session.boundary import CAPACITY
from remotemedia.session.budget import CatchUpKind, make_budget
from remotemedia.session.bus import Bus
from remotemedia.session.cast import Cast, to_its_end
from remotemedia.session.chain import Step
from remotemedia.session.change import change
from remotemedia.session.drift import StreamAlert, StreamHealth, StreamLimits
from remotemedia.session.event_log import EventLog
from remotemedia.session.failure import Event, error_event, notice
from remotemedia.session.feeding import stream
from remotemedia.session.life import context, create_nodes, discover
from remotemedia.session.monitor import StreamMonitor
from remotemedia.session.observer import Detach, Observer, Observers, Tap
from remotemedia.session.outputs import Outputs
from remotemedia.session.parts import Surroundings, find_parts
from remotemedia.session.report import conversions
from remotemedia.session.router import Router, reached
from remotemedia.session.tap import add_tap, check_here
from remotemedia.session.timers import OUT
from remotemedia.session.unit import Hooks, turn

if TYPE_CHECKING:
    from remotemedia.pipeline import Pipeline

CLOSE_TIMEOUT_MS = 2_000
MAX_FADE_MS = 10_000


class Session:
    """One live run of a plan. Use it as an async context manager.

    Nothing in it is unbounded: `send` waits while the session is full, and the session waits while
    the client does not read `outputs`. So a program that sends much before it reads anything waits
    for ever; `stream` sends and reads at the same time.

    Parameters
    ----------
    plan : Plan
        What runs.
    clock : Clock, optional
        The session clock: timers, deadlines, time stamps.
    profiling_clock : callable
        Durations of calls, s.
    close_timeout_ms : int
        Within which `aclose` returns, whatever the nodes do.
    policy : Policy, optional
        Of nodes that the manifest gives none; without `batch`, which changes the plan.
    max_latency_ms : float, optional
        The latency budget: live audio and video that is older, counted from when it was sent, is
        dropped, so that the session is never behind for longer. Counted as ``late``. What a node
        makes of something else, such as the speech of a text, is not live.
    catch_up : str
        ``drop``: that is all. ``compress``: what waits for the client is played faster before it
        comes to that; see `CatchUp`. Needs `max_latency_ms`.
    pipeline : Pipeline, optional
        What the plan was made of; without it, the graph cannot be changed.
    health : bool or StreamLimits
        Watch the audio and video that is sent: drift, jumps, skew, freezes, cadence. `metrics`
        then has `streams`, and an event ``alert`` tells what was raised or cleared.
    eager : bool
        `send` has what it sends worked on at once where the nodes are idle, instead of waking
        their task: less time for each packet, for a server with many sessions. So when `send`
        returns, results may be there. A recording of such a session may replay otherwise where it
        sends and interrupts in one instant.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        clock: Clock | None = None,
        profiling_clock: Callable[[], float] = perf_counter,
        close_timeout_ms: int = CLOSE_TIMEOUT_MS,
        policy: Policy | None = None,
        max_latency_ms: float | None = None,
        catch_up: CatchUpKind = "drop",
        pipeline: Pipeline | None = None,
        health: bool | StreamLimits = False,
        eager: bool = False,
    ) -> None:
        self.close_timeout_us = close_timeout_ms * 1000
        self.clock: Clock = clock or SystemClock()
        self._log = EventLog()
        self._policy = policy or Policy()
        if self._policy.batch is not None:
            raise SessionError(
                "the policy of a session has a batch: say so at the nodes that are to wait for "
                "several items (policy: {batch: …})"
            )
        self.plan = plan = self.planned(plan)
        self._pipeline = pipeline.resolved if pipeline is not None else None
        self._bus: Bus | None = None
        self._changing = asyncio.Lock()
        self._budget = make_budget(max_latency_ms, catch_up, self.clock, self.tell)
        self._observers = Observers(self.on_observer_failed)
        self._monitor: StreamMonitor | None = None
        if health:
            limits = health if isinstance(health, StreamLimits) else None
            self._monitor = StreamMonitor(self._on_alert, limits)
            self._observers.add(self._monitor)
        hooks = Hooks(
            self._on_failure,
            self._on_handled,
            self._on_broken,
            self.tell,
            profiling_clock,
            self.clock,
            self._budget,
        )
        self.around = Surroundings(
            plan, hooks, self.clock, self._policy, max_latency_ms, self.close_timeout_us
        )
        self.parts = find_parts(self.around)
        nodes = create_nodes(plan, plan.graph.order, self.parts)
        self.cast = Cast(nodes, self.clock, self.close_timeout_us, self._on_node_failed)
        self.router = Router(
            plan, nodes, hooks, self.clock, self._observers, self._policy, self.parts
        )
        self._eager = eager
        self._at_once = 0  # packets that were worked on at once, since others had their turn
        self._entries: dict[str | None, tuple[Entry, ...]] = {}
        self._sequence = 0
        self._state = "new"
        self._closing: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._fail_on_error = False

    # -- life --------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def open(self) -> None:
        """Open all nodes, in topological order, and start.

        Raises
        ------
        NodeError
            A node could not open; those that did are closed again.
        """
        if self._state != "new":
            raise SessionError(f"this session is {self._state}: make a new one")
        self._state = "open"
        try:
            for parts in self.parts.values():
                await parts.start()
            for node_id in self.plan.graph.order:
                await self._open_node(node_id)
        except BaseException:
            await self.aclose()
            raise
        self.router.start()

    @property
    def is_open(self) -> bool:
        """Whether it takes data."""
        return self._state == "open" and self._failure is None

    @property
    def generation(self) -> int:
        """How often it was interrupted: the `Packet.generation` of what is sent now."""
        return self.router.generation

    async def aclose(self) -> None:
        """Stop and close everything, within the deadline. What is in flight is dropped."""
        if self._closing is None:
            self._state = "closed"
            self.router.stop()
            for parts in self.parts.values():
                parts.stop()
            self._closing = asyncio.get_running_loop().create_task(self._close())
        await to_its_end(self._closing)

    async def _close(self) -> None:
        begin_us = self.clock.now_us()
        try:
            for name in await self.router.stopped(self.clock, self.close_timeout_us):
                error = SessionError(
                    f"{name.removeprefix('remotemedia:')} ignored its cancellation for "
                    f"{self.close_timeout_us // 1000} ms and was left behind"
                )
                self._log.note(Event("error", None, None, self._sequence, error, str(error)))
            left_us = begin_us + self.close_timeout_us - self.clock.now_us()
            with suppress(TimeoutError):
                async with deadline(self.clock, left_us), self._changing:
                    pass  # a change that was under way has ended
        finally:
            for step in self.router.steps.values():
                for adapter in step.adapters.values():
                    adapter.reset()
            await self.cast.close_all()
            for parts in self.parts.values():
                await parts.close()
            self._log.end()
            if self._bus is not None:
                self._bus.end()

    async def finish(self) -> None:
        """End of input: the tails come out, then `outputs` ends. Does not wait for that."""
        async with self._changing:
            self._check_open()
            self._state = "finished"
            self._observers.finished()
            self.router.finish()

    async def interrupt(self, from_node: str | None = None, *, fade_ms: float = 0) -> None:
        """Barge-in: everything in flight is dropped; nothing older can appear after it returns.

        Parameters
        ----------
        from_node : str, optional
            Only what is in this node and behind it; what is in front of it goes on.
        fade_ms : float
            Audio that the client has not read yet does not just end: its first so many ms come
            once more, faded out, with ``{"fade": "out"}`` in the metadata. What the client has
            read already, and plays, is its own to fade.

        Raises
        ------
        AddressError
            There is no such node.
        SessionFailedError
            A node ignored its cancellation for the close time-out.
        """
        if self._state not in ("open", "finished"):
            self._check_open()
        if from_node is not None:
            known_node(self.plan, from_node)
        if not 0 <= fade_ms <= MAX_FADE_MS:
            raise SessionError(f"fade_ms is 0 to {MAX_FADE_MS:,}, not {fade_ms!r}")

        def dropped() -> None:
            self._observers.interrupted(self.router.generation, from_node)

        try:
            async with deadline(self.clock, self.close_timeout_us):
                nodes = reached(self.plan, from_node)
                await self.router.interrupt(nodes, round(fade_ms * 1000), dropped)
        except TimeoutError as error:
            raise self.hung("interrupt", error) from error

    # -- data --------------------------------------------------------------------------------

    async def send(self, data: Data, to: str | None = None) -> int:
        """Put data in; waits while the session is full.

        Parameters
        ----------
        data : Data
            What.
        to : str, optional
            ``"node"`` or ``"node:port"``; by default every source that accepts the type.

        Returns
        -------
        int
            Its sequence number, which comes back in `Packet.sequence`.

        Raises
        ------
        AddressError
            There is no such node or port, or nothing accepts that type.
        FormatError
            The port accepts other formats of that type; names them and the converter.
        DataError
            A control message whose fields are not what its type asks for, or that is too old.
        SessionClosedError, SessionFinishedError, SessionFailedError
            The session takes no more.
        """
        accepting = self.accepting(data, to)
        sequence = self._sequence
        self._sequence += 1
        router, now_us = self.router, self.clock.wall_us()
        generation = router.generation
        if len(accepting) == 1:  # as a rule: the same as below, but quicker
            node, port, _, _ = accepting[0]
            packet = Packet(data, node, port, sequence, 0, now_us, generation)
            if self._observers.watching:
                self._observers.sent([packet])
            ingress = router.queues.entries.get((node, port)) or router.entry(node, port)
            if self._eager and router.work_now(ingress, packet):
                self._at_once += 1
                if self._at_once >= CAPACITY:
                    self._at_once = 0
                    await turn()
            elif not ingress.offer(packet):
                await ingress.put(packet)
                self.check_not_closed()
            return sequence
        packets = [
            Packet(data, entry.node, entry.port, sequence, 0, now_us, generation)
            for entry in accepting
        ]
        if self._observers.watching:
            self._observers.sent(packets)
        # To all entries at once: none may come too late because another one is full.
        waiting: list[Awaitable[None]] = []
        for packet in packets:
            ingress = router.entry(packet.node, packet.port)
            if not ingress.offer(packet):
                waiting.append(ingress.put(packet))
        if waiting:
            await asyncio.gather(*waiting)
            self.check_not_closed()
        return sequence

    def offer(self, data: Data, to: str | None = None) -> bool:
        """As `send`, without waiting: False if the session is full, and nothing was taken then."""
        router = self.router
        accepting = self.accepting(data, to)
        entries = [router.entry(entry.node, entry.port) for entry in accepting]
        if data.__class__ is not Control and any(ingress.full for ingress in entries):
            return False
        now_us, generation = self.clock.wall_us(), router.generation
        packets = [
            Packet(data, entry.node, entry.port, self._sequence, 0, now_us, generation)
            for entry in accepting
        ]
        if self._observers.watching:
            self._observers.sent(packets)
        for ingress, packet in zip(entries, packets, strict=True):
            ingress.offer(packet)
        self._sequence += 1
        return True

    def accepting(self, data: Data, to: str | None = None) -> Sequence[Entry]:
        """Where `send` would put data of this format now.

        Raises
        ------
        RemoteMediaError
            What `send` would raise.
        """
        if self._state != "open" or self._failure is not None:
            self._check_open()
        if data.__class__ is Control:
            read_message(data, self.clock.wall_us() // 1000)
        entries = self._entries.get(to)
        if entries is None:
            entries = self._entries[to] = find_entries(self.plan, to)
        if len(entries) == 1 and entries[0].accepts(data):
            return entries
        accepting = [entry for entry in entries if entry.accepts(data)]
        if not accepting:
            raise refusal(data, entries)
        return accepting

    def outputs(self) -> Outputs:
        """Packets of every unconnected output port and of `is_output_node` nodes.

        Ends after `finish`, once all tails are out, and when the session is closed. Each packet is
        given once, whoever asks.

        Raises
        ------
        SessionFailedError
            The session broke; raised by the iterator.
        """
        return Outputs(self.router.client, self._budget)

    def stream(
        self, source: Iterable[Data] | AsyncIterable[Data], to: str | None = None
    ) -> AsyncGenerator[Packet]:
        """Feed a source and read the outputs at the same time, then finish: the usual form.

        An error of the source ends the stream with that error.
        """
        return stream(self, source, to)

    def events(self) -> AsyncIterator[Event]:
        """What happens beside the packets, until the session is closed."""
        return self._log

    async def next_event(self) -> Event | None:
        """The next event; None once the session is closed and all were read."""
        return await anext(self._log, None)

    @property
    def dropped_events(self) -> int:
        """Events that nobody took in time."""
        return self._log.dropped

    def metrics(self) -> Metrics:
        """Counts and latencies so far; also after the end."""
        metrics = self.router.metrics()
        if self._monitor is None:
            return metrics
        return msgspec.structs.replace(metrics, streams=self._monitor.metrics())

    def conversions(self) -> dict[str, str]:
        """Which converters stand in front of ports now because of what live data are like.

        Those that the plan has are nodes of the graph. By ``"node:port"``; where several streams
        are converted in different ways, all of them.
        """
        return conversions(self.router.steps)

    def observe(self, observer: Observer) -> Detach:
        """Tell somebody of everything that enters and leaves; gives what ends it.

        The calls are made on the data path (see `Observer`). One that raises is asked no more,
        and an event tells.
        """
        return self._observers.add(observer)

    def tap(self, place: str, tap: Tap) -> Detach:
        """Show somebody every item at a port; gives what ends it.

        Parameters
        ----------
        place : str
            ``"node"`` or ``"node:port"``: an output port, or an input port of that name if there
            is no such output.
        tap : callable
            Called on the data path with a `Packet`, so it must be quick. If it raises, it is
            called no more, and an event tells.

        Raises
        ------
        AddressError
            There is no such node or port.
        """
        return add_tap(self.router, place, tap, self.on_observer_failed)

    @property
    def bus(self) -> Bus:
        """What may be done to the session while it runs."""
        if self._bus is None:
            self._bus = Bus(self)
        return self._bus

    def pipeline(self) -> Pipeline:
        """The pipeline that runs, converters included.

        Raises
        ------
        SessionError
            The session was made of a plan alone.
        """
        if self._pipeline is None:
            raise SessionError("this session was made of a plan: make it by pipeline.session()")
        return self._pipeline

    async def apply(self, pipeline: Pipeline) -> None:
        """Run another pipeline from now on: nodes and edges are compared with what runs.

        A node whose entry is the same stays as it is, with its state; one of which only
        `Node.live_params` differ is updated; others are made anew. Formats are negotiated first:
        what does not fit changes nothing. What stays, loses nothing and is not slowed down. Nodes
        that go away give out what they hold, and what waits for them is worked on, within the
        close time-out; then it is dropped, and counted.

        Raises
        ------
        ManifestError, CapsMismatchError, NodeError
            What keeps the other pipeline from running; the old one runs on.
        """
        await self.alter(lambda: pipeline)

    async def alter(self, how: Callable[[], Pipeline]) -> None:
        """Run the pipeline that `how` makes when nobody else is changing it."""
        async with self._changing:
            self._check_open()
            await change(self, how())

    def planned(self, plan: Plan) -> Plan:
        """The plan under the policy of the session.

        Raises
        ------
        CapsMismatchError
            It says passthrough, which a node cannot.
        """
        formats = checked(plan.graph, plan.formats, self._policy)
        if formats is plan.formats:
            return plan
        return msgspec.structs.replace(plan, formats=formats)

    def exchanged(
        self,
        pipeline: Pipeline,
        plan: Plan,
        nodes: dict[str, Node],
        opened: dict[str, Node],
        gone: dict[str, Node],
    ) -> None:
        """Another plan runs now."""
        self._pipeline, self.plan = pipeline.resolved, plan
        self._entries.clear()
        self.cast.exchanged(nodes, opened, gone)
        if self._bus is not None:
            self._bus.exchanged(plan)

    async def emit(self, node_id: str, port: str, data: Data) -> None:
        """Put data in behind an output port, as if the node had emitted it.

        Raises
        ------
        FormatError
            That is nothing that the port produces.
        SessionError
            The node runs elsewhere.
        """
        self._check_open()
        check_here(self.plan, node_id, "publish behind an output port of")
        wrong = misfit(self.plan, node_id, port, True, data)
        if wrong is not None:
            raise wrong
        sequence = self._sequence
        self._sequence += 1
        now_us, generation = self.clock.wall_us(), self.router.generation
        packet = Packet(data, node_id, OUT + port, sequence, 0, now_us, generation)
        await self.router.publish(port, packet)
        self.check_not_closed()

    def fail_on_error(self) -> None:
        """Let the first item that a node fails on, and loses, end the session with that error."""
        self._fail_on_error = True

    # -- inside ------------------------------------------------------------------------------

    async def _open_node(self, node_id: str) -> None:
        step = self.router.steps[node_id]
        timers = step.timers.set if step.timers is not None else None
        step.context = context(self.plan, node_id, self.clock, timers, self.tell)
        self.plan = discover(self.plan, node_id, await self.cast.open(node_id, step.context))

    def _check_open(self) -> None:
        self.check_not_closed()
        if self._state == "finished":
            raise SessionFinishedError("this session's input was finished: it takes no more data")
        if self._state == "new":
            raise SessionError("this session is not open: use 'async with pipeline.session() as s'")

    def check_not_closed(self) -> None:
        """Raise if it is closed or broken."""
        if self._failure is not None:
            raise SessionFailedError(f"the session broke: {self._failure}") from self._failure
        if self._state == "closed":
            raise SessionClosedError("this session is closed")

    def _on_node_failed(self, node_id: str, node: Node, error: Exception) -> None:
        self._log.note(error_event(node_id, type(node).__name__, error, self._sequence))

    def _on_handled(self, step: Step, error: BaseException, sequence: int) -> None:
        self._log.note(error_event(step.id, type(step.node).__name__, error, sequence))

    def _on_failure(self, step: Step, error: BaseException, sequence: int) -> None:
        event = error_event(step.id, type(step.node).__name__, error, sequence)
        self._log.note(event)
        if event.error is None:
            return
        if self._fail_on_error:
            self.router.client.fail(event.error)
            self.router.release()
        node = self.plan.graph.nodes.get(step.id)
        policy = node.spec.policy if node is not None else None
        if (policy or self._policy).on_error == "fail_session":
            self._on_broken(event.error)

    def _on_alert(self, stream: StreamHealth, changed: StreamAlert) -> None:
        for alert in changed:
            raised = "raised" if stream.alerts & alert else "cleared"
            self.tell("alert", f"{stream.name}: {alert.name} {raised}", "")

    def hung(self, what: str, error: BaseException) -> SessionFailedError:
        """Break, for a node cannot be stopped; gives what is to be raised."""
        self._on_broken(error)
        within_ms = self.close_timeout_us // 1000
        return SessionFailedError(f"{what}: a node ignored its cancellation for {within_ms} ms")

    def on_observer_failed(self, error: Exception) -> None:
        """Note what an observer, a tap or an intercept raised."""
        failed = SessionError(f"an observer raised {type(error).__name__}: {error}")
        failed.__cause__ = error
        self._log.note(error_event("", "observer", failed, self._sequence))

    def tell(
        self,
        kind: str,
        message: str,
        node: str,
        port: str = "",
        fraction: float | None = None,
    ) -> None:
        """Note an event that is no error."""
        self._log.note(notice(kind, message, node, port, fraction))

    def _on_broken(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
            failed = SessionFailedError(f"the session broke: {type(error).__name__}: {error}")
            failed.__cause__ = error
            self.router.client.fail(failed)
            self.router.release()
            if self._bus is not None:
                self._bus.end()
