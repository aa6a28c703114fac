"""Units: the tasks of a live session. Here their base, and the one that runs an island."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator, Set
from contextvars import copy_context
from typing import Any, NamedTuple

import msgspec

from remotemedia.clock import Clock
from remotemedia.data import Binary, Data, Packet
from remotemedia.errors import SessionError
from remotemedia.node import Pause
from remotemedia.session.boundary import Boundary
from remotemedia.session.budget import Budget
from remotemedia.session.chain import Chain, Link, Step
from remotemedia.session.failure import FAILURES
from remotemedia.session.inbox import Inbox
from remotemedia.session.island import PAUSED, Delivery, Island
from remotemedia.session.wiring import Arrival, Wiring


class Hooks(NamedTuple):
    """What a unit tells its session, and the clock that it measures with.

    Attributes
    ----------
    failed : callable
        Told of every item that a node failed on: the node, what it raised, the sequence number.
    handled : callable
        The same, of those that go on by its policy.
    broken : callable
        Told of an error that is none of a node's; the session cannot go on.
    told : callable
        Told of what is no error, as by `Session.tell`: kind, words, node, port, and how far it is.
    clock : callable
        The profiling clock, s.
    timer : Clock
        The session clock.
    budget : Budget or None
        How old media may become.
    """

    failed: Callable[[Step, BaseException, int], object]
    handled: Callable[[Step, BaseException, int], object]
    broken: Callable[[BaseException], None]
    told: Callable[..., None]
    clock: Callable[[], float]
    timer: Clock
    budget: Budget | None

    def water(self, boundary: Boundary, mark: str) -> None:
        """A queue rose to its high mark, or fell to its low one."""
        node, port = boundary.target
        count = len(boundary.packets)
        message = f"{boundary.node}:{boundary.port} → {node}:{port}: {mark} water, {count} packets"
        self.told("queue", message, node, port)


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
    hooks : Hooks
        What it tells its session.

    Attributes
    ----------
    outputs : list of Boundary
        What it feeds; ended when the unit ends.
    packet : Packet or None
        The packet that is being worked on.
    generation : int
        Counts interrupts of the session.
    cut : int
        What stems from an older generation than this is stale.
    task : asyncio.Task or None
        The task; another one after an interrupt that had to cut it off.
    ended : bool
        Whether it is through with all that it had to do.
    over : callable or None
        Called when it is, and what it fed has been told.
    """

    def __init__(self, wiring: Wiring, inbox: Inbox, hooks: Hooks) -> None:
        self.wiring = wiring
        self.inbox = inbox
        self.outputs: list[Boundary] = []
        self.packet: Packet | None = None
        self.generation = 0
        self.cut = 0
        self.name = "remotemedia:" + ",".join(wiring.steps)[:60]
        self.task: asyncio.Task[None] | None = None
        self.stopped = False
        self.ended = False
        self.over: Callable[[], None] | None = None
        self._let_out: Set[str] = frozenset()  # whose streams are forgotten when the task is done
        self._hooks = hooks
        self._deliveries = 0
        self._context = copy_context()

    def start(self) -> None:
        """Start working, unless the session was closed meanwhile."""
        if not self.stopped:
            self._begin(self.run())

    def go_on(self) -> None:
        """Start again, if it was only paused."""
        if self.task is None or (self.task.done() and not self.ended):
            self.start()

    def stop(self) -> None:
        """End now; what `task` still does after that is its own affair."""
        if self.stopped:
            return
        self.stopped = True
        self.cut = self.generation + 1  # all is stale: who answers its cancellation, says nothing
        if self.task is not None:
            self.task.cancel()

    async def run(self) -> None:
        """Work until the input has ended and the tails are out."""
        raise NotImplementedError

    @property
    def origin(self) -> Packet | None:
        """The packet that the call works on which asks."""
        return self.packet

    def drop(self, nodes: Set[str]) -> None:
        """Forget what is in flight in these nodes; nothing that stems from it is emitted.

        Their streams are forgotten before they are given anything else, now unless a call has to
        end first.
        """
        if nodes >= self.wiring.steps.keys():
            self.cut = self.generation

    async def settle(self) -> None:
        """Wait until what `drop` cut off has ended."""

    def _forget(self, nodes: Set[str]) -> None:
        """Forget the streams of these nodes."""
        if self.stopped:  # then the nodes may be closed
            return
        for step in self.wiring.steps.values():
            if step.id not in nodes:
                continue
            try:
                step.reset()
            except FAILURES as error:
                step.errors += 1
                self._fail(step, error)

    def tasks(self) -> list[asyncio.Task[None]]:
        """Everything of it that runs."""
        return [self.task] if self.task is not None else []

    async def pause(self, draining: list[Boundary]) -> None:
        """Stop between two packets, once nothing waits in some queues; the rest stays there."""
        self.inbox.pause(draining)
        while pending := [task for task in self.tasks() if not task.done()]:
            await asyncio.wait(pending)

    @property
    def is_quiet(self) -> bool:
        """Whether `pause` has nothing to wait for."""
        return all(task.done() for task in self.tasks())

    async def let_out(self, nodes: Set[str]) -> None:
        """Let the tails of some nodes out; while paused. An interrupt cuts them off."""
        if nodes and not (self.stopped or self.ended):
            await asyncio.wait([self._begin(self.end_nodes(nodes))])

    def begin_anew(self, nodes: Set[str]) -> None:
        """Nodes whose tails were let out go on, after all."""
        if self.task is None or self.task.done():
            self._forget(nodes)
        else:
            self._let_out = nodes

    async def end_nodes(self, nodes: Set[str]) -> None:
        """Let the tails of some nodes out."""
        raise NotImplementedError

    def retire(self) -> None:
        """Another unit has taken its place."""
        self.stopped = True
        self.fold()
        self.wiring.hand_over()

    def close_items(self) -> None:
        """Close the generators that stand still; after its end."""

    def fold(self) -> None:
        """Sort the clock readings into histograms."""

    def watch(self, chain: Chain) -> None:
        """There is one more chain."""

    def _begin(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        self._context = copy_context()  # what is done outside of the task is done in it, too
        loop = asyncio.get_running_loop()
        self.task = loop.create_task(work, name=self.name, context=self._context)
        self.task.add_done_callback(self._on_done)
        return self.task

    def _on_done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            if not task.cancelling():  # by nobody but the node that it called
                self._hooks.broken(self._cancelled())
            return
        error = task.exception()
        if error is not None:
            self._hooks.broken(error)
        if error is not None or self.ended:
            for boundary in self.outputs:
                boundary.end()
            if self.ended and self.over is not None:
                self.over()
        elif task is self.task and not self.inbox.paused:  # it was, when the task ended
            self._forget(self._let_out)
            self.start()

    def _cancelled(self) -> SessionError:
        return SessionError(f"{self.name.removeprefix('remotemedia:')} raised CancelledError")

    async def _send(self, link: Link, data: Data, origin: Packet) -> None:
        """Put one item into the boundary behind a link; waits for room. Drops stale items."""
        if link is PAUSED:
            await self._nap(data)
            return
        if origin.generation < self.cut:
            return
        boundary: Boundary = link.outlet
        packet = make_packet(boundary, data, origin, self.generation)
        if not boundary.offer(packet):
            self._deliveries = 0
            await boundary.put(packet)
            return
        self._deliveries += 1
        if self._deliveries >= _TURN:
            self._deliveries = 0
            await turn()

    async def _nap(self, pause: Any) -> None:
        """Wait as a `Pause` says."""
        await nap(self._hooks.timer, pause, asyncio.get_running_loop().create_future())

    def _tail_origin(self) -> Packet:
        """What a tail stems from: the last packet, but it is of the present generation."""
        last = self.packet
        if last is None:
            last = Packet(NOTHING, "")
        now_us = self._hooks.timer.wall_us()
        return msgspec.structs.replace(last, timestamp_us=now_us, generation=self.generation)

    def _take(self, boundary: Boundary) -> tuple[Packet, Arrival]:
        """The oldest packet of a boundary, now worked on, and where it is for."""
        inbox = self.inbox
        self.packet = packet = inbox.take(boundary) if inbox.batches else boundary.take()
        if boundary.node:
            return packet, boundary.target
        self.wiring.steps[packet.node].direct += 1  # from the client
        return packet, (packet.node, packet.port)

    def _fail(self, step: Step, error: BaseException) -> None:
        self._hooks.failed(step, error, self.packet.sequence if self.packet else 0)


class IslandUnit(Unit):
    """Runs an island: one wake-up per packet, then plain calls."""

    def __init__(self, wiring: Wiring, inbox: Inbox, hooks: Hooks) -> None:
        super().__init__(wiring, inbox, hooks)
        self._island = Island(self._fail, hooks.clock, self._deliver)
        self._island.watch(wiring.arrivals.values())
        self._napping: asyncio.Future[None] | None = None
        self._awaited: object = None
        self._asking: object = None
        self._is_idle = False
        self._left: tuple[Delivery | None, Packet] | None = None
        self._count = 0

    async def run(self) -> None:
        """Work until the input has ended and the tails are out."""
        island, arrivals, stack = self._island, self.wiring.arrivals, self._island.stack
        inbox, budget = self.inbox, self._hooks.budget
        while True:
            boundary = None if inbox.held else inbox.oldest()
            if boundary is None:
                self._is_idle = True
                try:
                    boundary = await inbox.next()
                finally:
                    self._is_idle = False
                if self._left is not None:
                    delivery, packet = self._left
                    self._left, inbox.is_nudged = None, False
                    await self._finish_with(delivery, packet)
                    continue
                if boundary is None:
                    break
            if budget is not None and budget.drops(boundary):
                continue
            packet, target = self._take(boundary)
            delivery = island.push(arrivals[target], packet.data)
            if delivery is not None or stack:
                if delivery is None:
                    delivery = island.advance()
                if not self._hold(delivery) and (delivery is not None or stack):
                    await self._finish_with(delivery, packet)
            self._count += 1
            if not self._count & (island.rows - 1):
                island.fold()
        if not inbox.paused:
            await self.end_nodes(self.wiring.steps.keys())
            self.ended = True

    @property
    def is_free(self) -> bool:
        """Whether it waits for a packet, so that `work_now` may be called."""
        inbox = self.inbox
        return self._is_idle and not (
            inbox.arrivals or inbox.paused or inbox.is_nudged or inbox.held or self.stopped
        )

    def work_now(self, target: Arrival, packet: Packet) -> bool:
        """Work on a packet at once, past the queue; False if its task has to go on with it.

        Real-time path: from the loop's thread, outside of the unit's task, while `is_free`.
        """
        return self._context.run(self._work_now, target, packet)

    def _work_now(self, target: Arrival, packet: Packet) -> bool:
        island = self._island
        self.packet = packet
        self._deliveries = 0
        try:
            delivery = island.push(self.wiring.arrivals[target], packet.data)
            if delivery is None and island.stack:
                delivery = island.advance()
        except BaseException as error:
            self._broken(error)
            return True
        self._count += 1
        if not self._count & (island.rows - 1):
            island.fold()
        if delivery is None and not island.stack:
            return True
        if self._hold(delivery):
            return False
        self._left = delivery, packet
        self.inbox.is_nudged = True
        self.inbox.wake()
        return False

    def _hold(self, delivery: Delivery | None) -> bool:
        """Go on with the packet when what a `Pause` waits for is done; False if there is none.

        It goes on in the call that tells of that, without a turn of the task: many units wait for
        the same.
        """
        if delivery is None or delivery[0] is not PAUSED:
            return False
        pause: Any = delivery[1]
        if pause.delay_us is not None or pause.until is None:
            return False
        self._awaited = self._asking = pause.until
        self.inbox.held = True
        pause.until.add_done_callback(self._go_on)
        if self._asking is None:  # it was done, and has called: there is nothing to wait for
            self._awaited, self.inbox.held = None, False
            return False
        self._asking = None
        return True

    def _go_on(self, awaited: object) -> None:
        if self._asking is not None and awaited is self._asking:
            self._asking = None
        elif awaited is self._awaited and not self.stopped:
            self._context.run(self._advance)

    def _advance(self) -> None:
        """Go on with the packet; the task does what has to be waited for."""
        self._deliveries = 0
        try:
            delivery = self._island.advance()
        except BaseException as error:
            self._broken(error)
            return
        if not self._hold(delivery):
            self._release(delivery)

    def _release(self, delivery: Delivery | None) -> None:
        """Let the task go on: with what is left of the packet, or with the next one."""
        inbox, packet = self.inbox, self.packet
        self._awaited, inbox.held = None, False
        if packet is not None and (delivery is not None or self._island.stack):
            self._left = delivery, packet
            inbox.is_nudged = True
        inbox.oldest()  # to ask for the next packet says that this one is done
        if inbox.is_nudged or inbox.arrivals or inbox.paused or not inbox.open:
            inbox.wake()

    def _broken(self, error: BaseException) -> None:
        """A call outside of the task raised what is no failure of an item."""
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise error
        cancelled = isinstance(error, asyncio.CancelledError)
        self._hooks.broken(self._cancelled() if cancelled else error)

    async def _finish_with(self, delivery: Delivery | None, packet: Packet) -> None:
        """Deliver what comes of a packet, until nothing is left to do of it."""
        island, stack = self._island, self._island.stack
        while delivery is not None or stack:
            if delivery is not None:
                if delivery[0] is PAUSED:
                    await self._nap(delivery[1])
                else:
                    await self._send(*delivery, packet)
            delivery = island.advance()

    async def end_nodes(self, nodes: Set[str]) -> None:
        """Let the tails of some nodes out, in topological order."""
        island = self._island
        for step in reversed(self.wiring.steps.values()):
            if step.id not in nodes:
                continue
            try:
                tail = self.wiring.tail(step)
            except FAILURES as error:
                step.errors += 1
                self._fail(step, error)
                continue
            self.packet = origin = self._tail_origin()
            island.emit(step, tail)
            while (delivery := island.advance()) is not None:
                await self._send(*delivery, origin)

    async def _nap(self, pause: Any) -> None:
        """Wait as a `Pause` says, or until what wanted it is dropped."""
        self._napping = asyncio.get_running_loop().create_future()
        try:
            await nap(self._hooks.timer, pause, self._napping)
        finally:
            self._napping = None

    def _deliver(self, link: Link, data: Data) -> bool:
        """`_send` where nothing has to wait."""
        origin: Any = self.packet  # there is one
        boundary: Boundary = link.outlet
        if boundary.leads_away:
            if self._deliveries >= _TURN:
                return False
            if origin.generation >= self.cut:
                self._deliveries += 1
                return boundary.deliver(data, origin, self.generation)
            return True
        if boundary.full or self._deliveries >= _TURN:
            return False
        if origin.generation >= self.cut:
            self._deliveries += 1
            sequence = origin.sequence
            number = boundary.number(sequence)
            sent_us, generation = origin.timestamp_us, self.generation
            boundary.offer(
                Packet(data, boundary.node, boundary.port, sequence, number, sent_us, generation)
            )
        return True

    def drop(self, nodes: Set[str]) -> None:
        """Forget what is in flight."""
        super().drop(nodes)
        stack = self._island.stack
        first = stack[-1] if stack else None
        self._context.run(self._island.drop, nodes)
        if self._left is not None:
            delivery, packet = self._left
            if delivery is None or delivery[0] is PAUSED:
                gone = not stack or stack[-1] is not first
            else:
                gone = delivery[0].source in nodes
            if gone or self.cut == self.generation:
                self._left = None, packet
        napping = self._napping
        if not stack or stack[-1] is not first:
            if napping is not None and not napping.done():
                napping.set_result(None)
            if self._awaited is not None:
                self._release(None)
        self._forget(nodes)

    def close_items(self) -> None:
        """Close the generators that stand still."""
        self._context.run(self._island.drop)

    def fold(self) -> None:
        """Sort the clock readings into histograms."""
        self._island.fold(1)

    def watch(self, chain: Chain) -> None:
        """There is one more chain."""
        self._island.watch(self.wiring.arrivals.values())


async def nap(clock: Clock, pause: Pause, woken: asyncio.Future[None]) -> None:
    """Wait as a `Pause` says, or until `woken` is set."""

    def wake(_: object = None) -> None:
        if not woken.done():
            woken.set_result(None)

    if pause.until is not None:
        pause.until.add_done_callback(wake)
    if pause.delay_us is None:
        await woken
        return
    timer = clock.call_later(pause.delay_us, wake)
    try:
        await woken
    finally:
        timer.cancel()


def make_packet(boundary: Boundary, data: Data, origin: Packet, generation: int) -> Packet:
    """The packet of an item that leaves by a boundary, numbered."""
    sequence = origin.sequence
    return Packet(
        data,
        boundary.node,
        boundary.port,
        sequence,
        boundary.number(sequence),
        origin.timestamp_us,
        generation,
    )


class turn:  # noqa: N801 - reads as the coroutine function that it stands for
    """``await turn()``: let other tasks run. Not a sleep: it takes no time of any clock."""

    def __await__(self) -> Generator[None]:
        yield
