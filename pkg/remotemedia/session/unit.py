"""Units: the tasks of a live session, one per island, async node or source."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from time import perf_counter
from typing import Any

import msgspec

from remotemedia.data import DATA_TYPES, Binary, Data, Packet
from remotemedia.errors import NodeOutputError
from remotemedia.node import Emit
from remotemedia.session.boundary import Boundary, Inbox
from remotemedia.session.chain import Link, Step
from remotemedia.session.island import Island, describe_output, no_such_port
from remotemedia.session.wiring import Wiring

Failed = Callable[[Step, Exception, int], None]
"""Told of every item that a node failed on: the node, what it raised, the sequence number."""

NOTHING = Binary(b"")
"""Stands for the data of a packet that never was: the origin of tails without any input."""

_TURN = 64  # deliveries after which other tasks get a turn, if nothing made the unit wait


class Unit:
    """One task of a live session.

    Parameters
    ----------
    wiring : Wiring
        Its nodes.
    inbox : Inbox
        What it is fed by.
    on_failure : callable
        See `Failed`.
    on_broken : callable
        Told of an error that is none of a node's; the session cannot go on.
    clock : callable
        The profiling clock, s.

    Attributes
    ----------
    outputs : list of Boundary
        What it feeds; ended when the unit ends.
    packet : Packet or None
        The packet that is being worked on.
    generation : int
        Counts interrupts.
    """

    def __init__(
        self,
        wiring: Wiring,
        inbox: Inbox,
        on_failure: Failed,
        on_broken: Callable[[BaseException], None],
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self.wiring = wiring
        self.inbox = inbox
        self.outputs: list[Boundary] = []
        self.packet: Packet | None = None
        self.generation = 0
        self.name = "remotemedia:" + ",".join(wiring.steps)[:60]
        self.task: asyncio.Task[None] | None = None
        self._on_failure = on_failure
        self._on_broken = on_broken
        self._clock = clock
        self._deliveries = 0

    def start(self) -> asyncio.Task[None]:
        """Start working."""
        self.task = asyncio.get_running_loop().create_task(self.run(), name=self.name)
        self.task.add_done_callback(self._on_done)
        return self.task

    async def run(self) -> None:
        """Work until the input has ended and the tails are out."""
        raise NotImplementedError

    def drop(self, generation: int) -> None:
        """Forget what is in flight; nothing older than `generation` is emitted from now on."""
        self.generation = generation

    async def settle(self) -> None:
        """Wait until what `drop` cut off has ended, forget the stream, and go on."""
        for step in self.wiring.steps.values():
            step.node.reset()

    def fold(self) -> None:
        """Sort the clock readings into histograms."""

    def _on_done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._on_broken(error)
        for boundary in self.outputs:
            boundary.end()

    async def _send(self, link: Link, data: Data, origin: Packet) -> None:
        """Put one item into the boundary behind a link; waits for room. Drops stale items."""
        generation = origin.generation
        if generation != self.generation:
            return
        boundary: Boundary = link.outlet
        sequence = origin.sequence
        packet = Packet(
            data,
            boundary.node,
            boundary.port,
            sequence,
            boundary.number(sequence),
            origin.timestamp_us,
            generation,
        )
        if not boundary.offer(packet):
            self._deliveries = 0
            await boundary.put(packet)
            return
        self._deliveries += 1
        if self._deliveries >= _TURN:
            self._deliveries = 0
            await turn()

    def _tail_origin(self) -> Packet:
        """What a tail stems from: the last packet, but it is of the present generation."""
        last = self.packet
        if last is None:
            return Packet(NOTHING, "", generation=self.generation)
        return msgspec.structs.replace(last, generation=self.generation)

    def _fail(self, step: Step, error: Exception) -> None:
        self._on_failure(step, error, self.packet.sequence if self.packet else 0)


class IslandUnit(Unit):
    """Runs an island: one wake-up per packet, then plain calls."""

    def __init__(
        self,
        wiring: Wiring,
        inbox: Inbox,
        on_failure: Failed,
        on_broken: Callable[[BaseException], None],
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        super().__init__(wiring, inbox, on_failure, on_broken, clock)
        self._island = Island(self._fail, clock)
        self._island.chains = list(wiring.arrivals.values())

    async def run(self) -> None:
        """Work until the input has ended and the tails are out."""
        island, arrivals, steps = self._island, self.wiring.arrivals, self.wiring.steps
        count = 0
        while (boundary := self.inbox.oldest() or await self.inbox.next()) is not None:
            self.packet = packet = boundary.take()
            target = boundary.target
            if boundary.node == "":
                target = (packet.node, packet.port)
                steps[packet.node].direct += 1
            delivery = island.push(arrivals[target], packet.data)
            while True:
                if delivery is not None:
                    await self._send(*delivery, packet)
                if not island.stack:
                    break
                delivery = island.advance()
            count += 1
            if not count & 511:
                island.fold()
        for step in reversed(self.wiring.steps.values()):
            try:
                tail = step.node.finish()
            except Exception as error:
                step.errors += 1
                self._fail(step, error)
                continue
            island.emit(step, tail)
            origin = self._tail_origin()
            while (delivery := island.advance()) is not None:
                await self._send(*delivery, origin)

    def drop(self, generation: int) -> None:
        """Forget what is in flight."""
        super().drop(generation)
        self._island.drop()

    def fold(self) -> None:
        """Sort the clock readings into histograms."""
        self._island.fold(1)


class AsyncUnit(Unit):
    """Runs one async node, one call at a time."""

    def __init__(
        self,
        wiring: Wiring,
        inbox: Inbox,
        on_failure: Failed,
        on_broken: Callable[[BaseException], None],
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        super().__init__(wiring, inbox, on_failure, on_broken, clock)
        (self.step,) = wiring.steps.values()
        self._in_call = False
        self._cut: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Work until the input has ended and the tail is out."""
        arrivals = self.wiring.arrivals
        while (boundary := self.inbox.oldest() or await self.inbox.next()) is not None:
            self.packet = packet = boundary.take()
            target = boundary.target
            if boundary.node == "":
                target = (packet.node, packet.port)
                self.step.direct += 1
            (call,) = arrivals[target].calls
            self._in_call = True
            await self._process(call, packet)
            if self._cut is not None:
                raise asyncio.CancelledError  # the node took its cancellation for an answer
            self._in_call = False
        self._in_call = True
        await self._tail()

    def drop(self, generation: int) -> None:
        """Cancel the call in flight."""
        super().drop(generation)
        if self._in_call and self.task is not None and not self.task.done():
            self._cut = self.task
            self.task.cancel()

    async def settle(self) -> None:
        """Wait until the call has ended, forget the stream, and go on with the next packet."""
        cut, self._cut = self._cut, None
        if cut is not None and not cut.done():
            await asyncio.wait([cut])
        await super().settle()
        if cut is not None and cut.cancelled():
            self._in_call = False
            self.start()

    async def _process(self, call: Callable[[Data], Any], packet: Packet) -> None:
        step, clock = self.step, self._clock
        elapsed = 0.0
        then = clock()
        try:
            result = call(packet.data)
            if inspect.isasyncgen(result):
                try:
                    async for item in result:
                        elapsed += clock() - then
                        await self._emit(item, packet)
                        then = clock()
                finally:
                    await result.aclose()
                elapsed += clock() - then
            else:
                result = await result
                elapsed = clock() - then
                await self._emit_all(result, packet)
        except Exception as error:
            step.errors += 1
            step.unrecorded += not elapsed
            self._fail(step, error)
            if not elapsed:
                return
        step.latency.record(elapsed)

    async def _tail(self) -> None:
        try:
            result = self.step.node.finish()
            if hasattr(result, "__aiter__"):
                async for item in result:
                    await self._emit(item, self._tail_origin())
                return
            if inspect.isawaitable(result):
                result = await result
            await self._emit_all(result, self._tail_origin())
        except Exception as error:
            self.step.errors += 1
            self._fail(self.step, error)

    async def _emit_all(self, result: Any, origin: Packet) -> None:
        if result is None:
            return
        if result.__class__ in DATA_TYPES or result.__class__ is Emit:
            await self._emit(result, origin)
        elif isinstance(result, (list, tuple, Iterator)):
            for item in result:
                await self._emit(item, origin)
        else:
            raise NodeOutputError(describe_output(self.step, result), node=self.step.id)

    async def _emit(self, item: Any, origin: Packet) -> None:
        step = self.step
        port: str = step.default
        if item.__class__ is Emit:
            port, item = item.port, item.data
        links = step.routes.get(port)
        if links is None:
            raise NodeOutputError(no_such_port(step, port), node=step.id, port=str(port))
        if item.__class__ not in DATA_TYPES:
            raise NodeOutputError(describe_output(step, item), node=step.id, port=port)
        for link in links:
            link.count += 1
            await self._send(link, item, origin)


class SourceUnit(AsyncUnit):
    """Runs a source; `Packet.sequence` counts its items."""

    async def run(self) -> None:
        """Emit until the source ends, then its tail."""
        await self._produce()
        await self._tail()

    def drop(self, generation: int) -> None:
        """What the source emits from now on is of the new generation; it is not stopped."""
        self.generation = generation

    async def settle(self) -> None:
        """Forget the stream."""
        self.step.node.reset()

    async def _produce(self) -> None:
        produce = self.step.node.produce  # type: ignore[attr-defined]
        clock, step = self._clock, self.step
        items = _as_async(produce())
        sequence = 0
        try:
            then = clock()
            async for item in items:
                step.latency.record(clock() - then)
                self.packet = Packet(
                    item, step.id, step.default, sequence, generation=self.generation
                )
                await self._emit(item, self.packet)
                sequence += 1
                then = clock()
        except Exception as error:
            step.errors += 1
            self._fail(step, error)
        finally:
            await items.aclose()  # type: ignore[attr-defined]


async def _as_async(items: Any) -> AsyncIterator[Any]:
    """Items of a synchronous or asynchronous source; a synchronous one gives others a turn."""
    if hasattr(items, "__aiter__"):
        async for item in items:
            yield item
        return
    for item in items:
        yield item
        await turn()


class turn:  # noqa: N801 - reads as the coroutine function that it stands for
    """``await turn()``: let other tasks run. Not a sleep: it takes no time of any clock."""

    def __await__(self) -> Generator[None]:
        yield
