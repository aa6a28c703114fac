"""Run: a finite input through an all-inline graph, without an event loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import Any, Literal, NoReturn

import msgspec

from remotemedia.clock import SystemClock
from remotemedia.data import DATA_TYPES, Data, Packet
from remotemedia.errors import AsyncGraphError, DataError, RemoteMediaError
from remotemedia.metrics import Metrics
from remotemedia.node import Node
from remotemedia.plan import Plan
from remotemedia.session.address import Entry, find_entries, refusal
from remotemedia.session.chain import Chain, Step
from remotemedia.session.failure import FAILURES, Event, error_event, node_error, notice
from remotemedia.session.island import PAUSED, Delivery, Island
from remotemedia.session.life import context, create_nodes, discover
from remotemedia.session.outlet import Outlet
from remotemedia.session.policies import set_policy
from remotemedia.session.report import CLIENT, direct_edge, snapshot
from remotemedia.session.wiring import Wiring

OnError = Literal["raise", "skip"]


class Run:
    """One run of a plan over a finite input; iterate over it once, for the packets.

    Each packet is given out as soon as it exists: before a generator node computes its next item.

    Parameters
    ----------
    plan : Plan
        All nodes synchronous and inline.
    inputs : iterable of Data
        Numbered from 0 in `Packet.sequence`. Sources of the graph run after them, in turns, which
        are numbered on.
    to : str, optional
        ``"node"`` or ``"node:port"``; by default every source that accepts the type.
    on_error : str
        ``raise`` stops at the first item that a node fails on; ``skip`` goes on without it, and
        `events` tells.
    clock : callable
        The profiling clock, s.
    sleep : callable
        Waits so many seconds, for a policy that tries again later.

    Attributes
    ----------
    events : list of Event
        What failed, with ``on_error="skip"``; the first 1,000.

    Raises
    ------
    AsyncGraphError
        The graph needs an event loop.
    """

    def __init__(
        self,
        plan: Plan,
        inputs: Iterable[Data] = (),
        *,
        to: str | None = None,
        on_error: OnError = "raise",
        clock: Callable[[], float] = perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        waiting = plan.async_nodes
        if waiting:
            raise AsyncGraphError(
                f"node {waiting[0]!r} is async, so this graph needs an event loop: "
                "use 'async for packet in pipeline.arun(inputs)'",
                node=waiting[0],
            )
        if on_error not in ("raise", "skip"):
            raise DataError(f"on_error is 'raise' or 'skip', not {on_error!r}")
        self.plan = plan
        self.events: list[Event] = []
        self._inputs = inputs
        self._entries = find_entries(plan, to)
        self._skip = on_error == "skip"
        self._sleep = sleep
        self._sequence = -1
        self._taken: int | None = None
        self._refused = dict.fromkeys(self._entries, 0)
        self._island = Island(self._on_failure, clock)
        self._nodes = create_nodes(plan, plan.graph.order)
        self._wiring = Wiring(
            plan,
            plan.graph.order,
            self._nodes,
            client=Outlet,
            boundary=_unreachable,
            inside=lambda edge: True,  # nothing runs beside anything: a queue would stay empty
            prepare=self._prepare,
        )
        self._island.watch(self._wiring.arrivals.values())
        self._packets = self._produce()

    def __iter__(self) -> Iterator[Packet]:
        return self._packets

    def __next__(self) -> Packet:
        return next(self._packets)

    def close(self) -> None:
        """Stop, and close the nodes; what was not asked for is not computed."""
        self._packets.close()  # type: ignore[attr-defined]

    def metrics(self) -> Metrics:
        """Counts and latencies so far."""
        self._island.fold(1)
        wiring = self._wiring
        taken = self._sequence + 1 if self._taken is None else self._taken
        ends = []
        direct: dict[str, int] = {}
        for entry in self._entries:
            count = taken - self._refused[entry]
            direct[entry.node] = direct.get(entry.node, 0) + count
            wiring.steps[entry.node].direct = direct[entry.node]
            ends.append(direct_edge(CLIENT, f"{entry.node}:{entry.port}", count))
        ends += [
            direct_edge(f"{node}:{port}", CLIENT, link.count)
            for (node, port), link in sorted(wiring.client_links.items())
        ]
        now = self._island.clock()
        return snapshot(self.plan, wiring.steps, wiring.links, ends, now)

    # -- the run -----------------------------------------------------------------------------

    def _produce(self) -> Iterator[Packet]:
        opened: dict[str, Node] = {}
        try:
            self._open(opened)
            yield from self._feed()
            self._taken = self._sequence + 1
            for rest in self._rest():
                self._island.emit(*rest)
                yield from self._deliver(None)
        finally:
            try:
                self._island.drop()
            finally:
                for step in self._wiring.steps.values():
                    for adapter in step.adapters.values():
                        adapter.reset()
                _close(opened)

    def _feed(self) -> Iterator[Packet]:
        """Run the inputs.

        Most graphs are one chain from the only entry to the client. For them this repeats what
        `Island.push` does, because a call per packet and a counter per packet are what the
        overhead of a plan consists of: counts follow from the sequence numbers and clock readings.
        """
        island = self._island
        entry = self._entries[0] if len(self._entries) == 1 else None
        accepts = entry.accepts if entry else _accepts_nothing
        chain = self._arrival(entry) if entry else Chain((), ())
        calls, stamp, link = chain.calls, chain.stamp, chain.link
        outlet = link.outlet if link is not None and link.chain is None else None
        node, port = (outlet.node, outlet.port) if outlet else ("", "")
        clock = island.clock
        fold_every = island.rows - 1  # a mask on sequence numbers
        straight = -1
        for sequence, data in enumerate(self._inputs):
            self._sequence = sequence
            if not sequence & fold_every:
                island.fold()
            if not accepts(data):
                for other in self._choose(data):
                    yield from self._deliver(island.push(other, data))
                continue
            kind: type = data.__class__
            plain = True
            stamp(clock())
            try:
                for call in calls:
                    data = call(data)
                    stamp(clock())
                    if data.__class__ is not kind:
                        kind = data.__class__
                        if kind not in DATA_TYPES:
                            plain = False
                            break
            except FAILURES as error:
                island.failed(chain, error)
                continue
            if not plain:
                yield from self._deliver(island.take(chain, data))
            elif outlet is not None:
                straight = sequence
                yield Packet(data, node, port, sequence)
            else:
                yield from self._deliver(island.follow(chain, data))
        if outlet is not None and straight > outlet.sequence:
            outlet.number(straight)

    def _deliver(self, delivery: Delivery | None) -> Iterator[Packet]:
        """Give out an item that left the island, and all that follow."""
        sequence = max(self._sequence, 0)
        while delivery is not None or (delivery := self._island.advance()) is not None:
            link, item = delivery
            if link is PAUSED:
                self._sleep(item.delay_us / 1e6)
                delivery = None
                continue
            outlet = link.outlet
            yield Packet(item, outlet.node, outlet.port, sequence, outlet.number(sequence))
            delivery = None

    def _rest(self) -> Iterator[tuple[Step, Any]]:
        """What comes after the inputs: the items of sources in turns, then the tails."""
        steps = self._wiring.steps
        sources = [
            (steps[node_id], _items_of(steps[node_id].node))
            for node_id in self.plan.graph.order
            if self.plan.placements[node_id].is_source
        ]
        clock = self._island.clock
        while sources:
            self._sequence += 1
            for source in list(sources):
                step, items = source
                then = clock()
                try:
                    item = next(items)
                except StopIteration:
                    sources.remove(source)
                    continue
                except FAILURES as error:
                    sources.remove(source)
                    step.errors += 1
                    step.unrecorded += 1
                    self._on_failure(step, error)
                    continue
                step.latency.record(then, clock())
                yield step, [item]
            self._island.fold()
        for node_id in self.plan.graph.order:
            try:
                result = self._wiring.tail(steps[node_id])
            except FAILURES as error:
                steps[node_id].errors += 1
                self._on_failure(steps[node_id], error)
                continue
            yield steps[node_id], result

    def _open(self, opened: dict[str, Node]) -> None:
        clock = SystemClock()
        for node_id, node in self._nodes.items():
            told = self._wiring.steps[node_id].context = context(self.plan, node_id, clock)
            try:
                node.open(told)
            except Exception as error:
                raise node_error(node_id, type(node).__name__, error)  # noqa: B904 - has its cause
            opened[node_id] = node
            self.plan = discover(self.plan, node_id, node)

    def _prepare(self, step: Step) -> None:
        node = self.plan.graph.nodes[step.id]
        policy = node.spec.policy
        if policy is None:
            return
        if policy.join is not None:  # nothing is live: no port is silent for long
            join = msgspec.structs.replace(policy.join, timeout_ms=None)
            policy = msgspec.structs.replace(policy, join=join)

        def failed(error: BaseException) -> None:
            step.errors += 1
            self._note(error_event(step.id, type(step.node).__name__, error, self._sequence))

        def told(kind: str, words: str) -> None:
            self._note(notice(kind, words, step.id))

        set_policy(step, policy, list(node.inputs), SystemClock(), failed, told, self._island.clock)

    def _arrival(self, entry: Entry) -> Chain:
        return self._wiring.arrivals[entry.node, entry.port]

    def _choose(self, data: Data) -> tuple[Chain, ...]:
        """Where an item goes, off the usual way: several entries, or none that accepts it."""
        accepting = [entry for entry in self._entries if entry.accepts(data)]
        for entry in self._entries:
            self._refused[entry] += entry not in accepting
        if accepting:
            return tuple(self._arrival(entry) for entry in accepting)
        error = refusal(data, self._entries)
        if not self._skip:
            raise error
        self._note(Event("error", error.node, error.port, self._sequence, error, str(error)))
        return ()

    def _on_failure(self, step: Step, error: BaseException) -> None:
        event = error_event(step.id, type(step.node).__name__, error, self._sequence)
        policy = self.plan.graph.nodes[step.id].spec.policy
        if self._skip and not (policy and policy.on_error == "fail_session"):
            self._note(event)
        elif event.error is None or event.error is error:
            raise error
        else:
            raise event.error from error

    def _note(self, event: Event) -> None:
        if len(self.events) < 1000:
            self.events.append(event)


def _close(nodes: dict[str, Node]) -> None:
    """Close all, then raise the first error, if any."""
    errors: list[RemoteMediaError] = []
    for node_id, node in nodes.items():
        try:
            node.close()
        except Exception as error:
            errors.append(node_error(node_id, type(node).__name__, error))
    if errors:
        raise errors[0]


def _items_of(node: Any) -> Iterator[Any]:
    yield from node.produce()


def _accepts_nothing(data: Data) -> bool:
    return False


def _unreachable(edge: object) -> NoReturn:
    raise AssertionError(f"a run has no boundaries, yet {edge} is one")
