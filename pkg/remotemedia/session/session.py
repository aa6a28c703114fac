"""Session: one live run of a plan."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Sequence,
)
from time import perf_counter
from types import TracebackType
from typing import Any, Self

from remotemedia.clock import Clock, SystemClock, deadline
from remotemedia.data import Control, Data, Packet
from remotemedia.errors import (
    SessionClosedError,
    SessionError,
    SessionFailedError,
    SessionFinishedError,
)
from remotemedia.manifest import Policy
from remotemedia.metrics import Metrics
from remotemedia.node import Node
from remotemedia.plan import Plan
from remotemedia.session.address import Entry, find_entries, known_node, refusal
from remotemedia.session.budget import Budget
from remotemedia.session.chain import Step
from remotemedia.session.failure import Event, error_event, node_error, notice
from remotemedia.session.inbox import Inbox, wait_in, wake_all
from remotemedia.session.life import context, create_nodes, discover
from remotemedia.session.observer import Detach, Observer, Observers, Tap
from remotemedia.session.router import Router
from remotemedia.session.tap import add_tap
from remotemedia.session.unit import Hooks

_log = logging.getLogger(__name__)

CLOSE_TIMEOUT_MS = 2_000
MAX_EVENTS = 1_024  # events that wait for the client; the oldest are dropped and counted


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
        Of nodes that the manifest gives none.
    max_latency_ms : float, optional
        The latency budget: audio and video that is older, counted from when it was sent, is
        dropped, so that the session is never behind for longer. Counted as ``late``.
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
    ) -> None:
        self.plan = plan
        self.clock: Clock = clock or SystemClock()
        self.dropped_events = 0
        self._policy = policy or Policy()
        self._budget: Budget | None = None
        if max_latency_ms is not None:
            self._budget = Budget(round(max_latency_ms * 1000), self.clock)
        self._close_timeout_us = close_timeout_ms * 1000
        self._nodes = create_nodes(plan, plan.graph.order)
        self._opened: dict[str, Node] = {}
        self._observers = Observers(self._on_observer_failed)
        hooks = Hooks(
            self._on_failure,
            self._on_broken,
            self._tell,
            profiling_clock,
            self.clock,
            self._budget,
        )
        self._router = Router(plan, self._nodes, hooks, self.clock, self._observers, self._policy)
        self._entries: dict[str | None, tuple[Entry, ...]] = {}
        self._events: deque[Event] = deque()
        self._told: set[str | None] = set()
        self._event_waiters: list[asyncio.Future[None]] = []
        self._sequence = 0
        self._state = "new"
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
            for node_id in self.plan.graph.order:
                await self._open_node(node_id)
        except BaseException:
            await self.aclose()
            raise
        self._router.start()

    @property
    def is_open(self) -> bool:
        """Whether it takes data."""
        return self._state == "open" and self._failure is None

    @property
    def generation(self) -> int:
        """How often it was interrupted: the `Packet.generation` of what is sent now."""
        return self._router.generation

    async def aclose(self) -> None:
        """Stop and close everything, within the deadline. What is in flight is dropped."""
        if self._state == "closed":
            return
        self._state = "closed"
        try:
            for name in await self._router.stop(self.clock, self._close_timeout_us):
                error = SessionError(
                    f"{name.removeprefix('remotemedia:')} ignored its cancellation for "
                    f"{self._close_timeout_us // 1000} ms and was left behind"
                )
                self._note(Event("error", None, None, self._sequence, error, str(error)))
        finally:
            await self._close_nodes()
            wake_all(self._event_waiters)

    async def finish(self) -> None:
        """End of input: the tails come out, then `outputs` ends. Does not wait for that."""
        self._check_open()
        self._state = "finished"
        self._observers.finished()
        self._router.finish()

    async def interrupt(self, from_node: str | None = None) -> None:
        """Barge-in: everything in flight is dropped; nothing older can appear after it returns.

        Parameters
        ----------
        from_node : str, optional
            Only what is in this node and behind it; what is in front of it goes on.

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
        try:
            async with deadline(self.clock, self._close_timeout_us):
                await self._router.interrupt(from_node)
            self._observers.interrupted(self._router.generation, from_node)
        except TimeoutError as error:
            self._on_broken(error)
            raise SessionFailedError(
                "interrupt: a node ignored its cancellation for "
                f"{self._close_timeout_us // 1000} ms"
            ) from error

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
        SessionClosedError, SessionFinishedError, SessionFailedError
            The session takes no more.
        """
        accepting = self.accepting(data, to)
        sequence = self._sequence
        self._sequence += 1
        now_us = self.clock.wall_us()
        generation = self._router.generation
        packets = [
            Packet(data, entry.node, entry.port, sequence, 0, now_us, generation)
            for entry in accepting
        ]
        if self._observers.watching:
            self._observers.sent(packets)
        # To all entries at once: none may come too late because another one is full.
        waiting: list[Awaitable[None]] = []
        for packet in packets:
            ingress = self._router.entry(packet.node, packet.port)
            if not ingress.offer(packet):
                waiting.append(ingress.put(packet))
        if waiting:
            await (waiting[0] if len(waiting) == 1 else asyncio.gather(*waiting))
            self._check_not_closed()
        return sequence

    def offer(self, data: Data, to: str | None = None) -> bool:
        """As `send`, without waiting: False if the session is full, and nothing was taken then."""
        router = self._router
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
        return Outputs(self._router.client, self._budget)

    async def stream(
        self, source: Iterable[Data] | AsyncIterable[Data], to: str | None = None
    ) -> AsyncGenerator[Packet]:
        """Feed a source and read the outputs at the same time, then finish: the usual form.

        An error of the source ends the stream with that error.
        """
        feeder = asyncio.get_running_loop().create_task(self._feed(source, to))
        try:
            async for packet in self.outputs():
                yield packet
            await feeder
        finally:
            feeder.cancel()
            await asyncio.wait([feeder])

    def events(self) -> AsyncIterator[Event]:
        """What happens beside the packets, until the session is closed."""
        return _Events(self)

    async def next_event(self) -> Event | None:
        """The next event; None once the session is closed and all were read."""
        while not self._events:
            if self._state == "closed":
                return None
            await wait_in(self._event_waiters)
        return self._events.popleft()

    def metrics(self) -> Metrics:
        """Counts and latencies so far; also after the end."""
        return self._router.metrics()

    def conversions(self) -> dict[str, str]:
        """Which converters stand in front of ports now because of what live data are like.

        Those that the plan has are nodes of the graph. By ``"node:port"``; where several streams
        are converted in different ways, all of them.
        """
        found: dict[str, str] = {}
        for step in self._router.steps.values():
            for port, adapter in step.adapters.items():
                said = dict.fromkeys(", then ".join(map(str, c)) for c in adapter.chains.values())
                if said:
                    found[f"{step.id}:{port}"] = " | ".join(said)
        return found

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
        return add_tap(self._router, place, tap, self._on_observer_failed)

    def fail_on_error(self) -> None:
        """Let the first item that a node fails on end the session with that error."""
        self._fail_on_error = True

    # -- inside ------------------------------------------------------------------------------

    async def _feed(self, source: Any, to: str | None) -> None:
        try:
            if hasattr(source, "__aiter__"):
                async for data in source:
                    await self.send(data, to)
            else:
                for data in source:
                    await self.send(data, to)
            await self.finish()
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            failed = SessionError("the source of the stream was cancelled")
            failed.__cause__ = error
            self._router.client.fail(failed)
        except BaseException as error:
            self._router.client.fail(error)

    async def _open_node(self, node_id: str) -> None:
        node = self._nodes[node_id]
        try:
            step = self._router.steps[node_id]
            timers = step.timers.set if step.timers is not None else None
            told = step.context = context(self.plan, node_id, self.clock, timers)
            waiting = node.open(told)
            if inspect.isawaitable(waiting):
                await waiting
        except Exception as error:
            wrapped = node_error(node_id, type(node).__name__, error)
            if wrapped is error:
                raise
            raise wrapped from error
        self._opened[node_id] = node
        self.plan = discover(self.plan, node_id, node)

    async def _close_nodes(self) -> None:
        """Close all that are open, in topological order, even if that is cancelled meanwhile."""
        for step in self._router.steps.values():
            for adapter in step.adapters.values():
                adapter.reset()
        while self._opened:
            node_id = next(iter(self._opened))
            try:
                await self._close_node(node_id, self._opened.pop(node_id))
            except BaseException:
                await self._close_nodes()
                raise

    async def _close_node(self, node_id: str, node: Node) -> None:
        try:
            waiting = node.close()
            if inspect.isawaitable(waiting):
                async with deadline(self.clock, self._close_timeout_us):
                    await waiting
        except Exception as error:
            self._note(error_event(node_id, type(node).__name__, error, self._sequence))

    def _check_open(self) -> None:
        self._check_not_closed()
        if self._state == "finished":
            raise SessionFinishedError("this session's input was finished: it takes no more data")
        if self._state == "new":
            raise SessionError("this session is not open: use 'async with pipeline.session() as s'")

    def _check_not_closed(self) -> None:
        if self._failure is not None:
            raise SessionFailedError(f"the session broke: {self._failure}") from self._failure
        if self._state == "closed":
            raise SessionClosedError("this session is closed")

    def _on_failure(self, step: Step, error: BaseException, sequence: int) -> None:
        event = error_event(step.id, type(step.node).__name__, error, sequence)
        self._note(event)
        if event.error is None:
            return
        if self._fail_on_error:
            self._router.client.fail(event.error)
        node = self.plan.graph.nodes.get(step.id)
        policy = node.spec.policy if node is not None else None
        if (policy or self._policy).on_error == "fail_session":
            self._on_broken(event.error)

    def _on_observer_failed(self, error: Exception) -> None:
        failed = SessionError(f"an observer raised {type(error).__name__}: {error}")
        failed.__cause__ = error
        self._note(error_event("", "observer", failed, self._sequence))

    def _tell(self, kind: str, message: str, node: str, port: str) -> None:
        self._note(notice(kind, message, node, port))

    def _on_broken(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
            failed = SessionFailedError(f"the session broke: {type(error).__name__}: {error}")
            failed.__cause__ = error
            self._router.client.fail(failed)
            self._router.release()

    def _note(self, event: Event) -> None:
        if (
            event.error is not None and event.node not in self._told
        ):  # once per node: `events` and the counters have the rest
            self._told.add(event.node)
            _log.warning("%s (the first such event of this session)", event.error)
        if len(self._events) >= MAX_EVENTS:
            self._events.popleft()
            self.dropped_events += 1
        self._events.append(event)
        wake_all(self._event_waiters)


class Outputs(AsyncIterator[Packet]):
    """Reads what waits for the client. No generator: one that is left behind needs no closing."""

    __slots__ = ("_budget", "_inbox")

    def __init__(self, inbox: Inbox, budget: Budget | None) -> None:
        self._inbox = inbox
        self._budget = budget

    def __aiter__(self) -> Outputs:
        return self

    def poll(self) -> Packet | None:
        """The next packet, if one waits."""
        while (boundary := self._inbox.oldest()) is not None:
            if self._budget is None or not self._budget.drops(boundary):
                return boundary.take()
        return None

    async def __anext__(self) -> Packet:
        while (boundary := self._inbox.oldest() or await self._inbox.next()) is not None:
            if self._budget is None or not self._budget.drops(boundary):
                return boundary.take()
        raise StopAsyncIteration


class _Events:
    """Reads events."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def __aiter__(self) -> _Events:
        return self

    async def __anext__(self) -> Event:
        event = await self._session.next_event()
        if event is None:
            raise StopAsyncIteration
        return event
