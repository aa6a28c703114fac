"""Replay: feeds what was recorded into a session of its own."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import suppress

import msgspec

from remotemedia.clock import Clock, SystemClock, Timer, deadline, sleep
from remotemedia.data import Packet
from remotemedia.errors import RemoteMediaError
from remotemedia.manifest import Policy
from remotemedia.plan import Plan
from remotemedia.recording.reader import Record, Recording
from remotemedia.session.inbox import wait_in, wake_all
from remotemedia.session.session import Session

SETTLE_US = 1_000_000  # within which what had come out before an interrupt comes out again

Before = Callable[[Record], Awaitable[bool]]


class RecordedClock:
    """A clock whose wall shows the time of the recording, and that may run faster.

    Parameters
    ----------
    clock : Clock
        Whose time passes.
    wall_us : int
        What `wall_us` shows at the start, µs of UTC.
    speed : float
        µs of this clock per µs of the other.
    """

    def __init__(self, clock: Clock, wall_us: int, speed: float = 1) -> None:
        self._clock = clock
        self._speed = speed
        self._start_us = clock.now_us()
        self._shift_us = wall_us
        self._exact_us: int | None = None

    def now_us(self) -> int:
        """Time since the start, µs."""
        return int((self._clock.now_us() - self._start_us) * self._speed)

    def wall_us(self) -> int:
        """UTC, µs."""
        exact_us, self._exact_us = self._exact_us, None
        return self._shift_us + self.now_us() if exact_us is None else exact_us

    def set_wall(self, wall_us: int) -> None:
        """Let it be this time of day, exactly so for whoever asks first."""
        self._shift_us = wall_us - self.now_us()
        self._exact_us = wall_us

    def call_later(self, delay_us: int, callback: Callable[[], None]) -> Timer:
        """Call `callback` once `delay_us` of this clock have passed, never before."""
        return self._clock.call_later(math.ceil(delay_us / self._speed), callback)


class Replay:
    """Runs a plan on what a recording says was sent to it; iterate once over `packets`.

    Order, addresses, numbers and ingress times are the recorded ones. With the recorded manifest
    on a `VirtualClock`, the outputs are the same bytes as well.

    Parameters
    ----------
    plan : Plan
        What runs.
    recording : Recording
        What goes in.
    clock : Clock, optional
        On a virtual one a replay takes no longer than its computations.
    speed : float or None
        1 is real time on the system clock; timers and deadlines of nodes run as fast. None sends
        without any wait.
    same : bool
        Whether the plan is that of the recorded manifest, so that as much comes out as had: an
        interrupt, and the end of a recording without an end of input, wait for that.
    before : callable, optional
        Is awaited with each record before it is fed; False ends the replay there.
    policy, max_latency_ms
        As of `Session`; a recording does not have them.
    """

    def __init__(
        self,
        plan: Plan,
        recording: Recording,
        *,
        clock: Clock | None = None,
        speed: float | None = 1,
        same: bool = True,
        before: Before | None = None,
        policy: Policy | None = None,
        max_latency_ms: float | None = None,
    ) -> None:
        self.clock = RecordedClock(
            clock or SystemClock(), recording.header.wall_us, 1 if speed is None else speed
        )
        self.session = Session(plan, clock=self.clock, policy=policy, max_latency_ms=max_latency_ms)
        self._recording = recording
        self._waits = speed is not None
        self._same = same
        self._before = before
        self._has_sources = any(one.is_source for one in plan.placements.values())
        self._generation = 0
        self._count = 0
        self._recorded: dict[int, int] = {}  # packets received, by generation
        self._ended = False
        self._interrupts: list[Record] = []
        self._waiters: list[asyncio.Future[None]] = []

    async def packets(self) -> AsyncGenerator[Packet]:
        """What comes out.

        Raises
        ------
        RemoteMediaError
            What `Session.send` raises for something recorded, or the recording is damaged.
        """
        most = math.inf
        if self._same and self._has_sources:  # which may go on for ever
            most = sum(record.kind == "received" for record in self._recording)
        async with self.session as session:
            feeder = asyncio.get_running_loop().create_task(self._feed())
            try:
                async for packet in session.outputs():
                    if self._count >= most:
                        break
                    self._count += 1
                    wake_all(self._waiters)
                    if self._generation:
                        number = packet.generation + self._generation
                        packet = msgspec.structs.replace(packet, generation=number)
                    yield packet
                self._ended = True
                wake_all(self._waiters)
                await feeder
            finally:
                feeder.cancel()
                await asyncio.wait([feeder])

    async def _feed(self) -> None:
        try:
            finished = await self._feed_records()
            if not self._same:
                if not finished:
                    await self.session.finish()
                return
            if finished and not (self._waits or self._has_sources):
                return  # the outputs end by themselves
            await self._settle()
            if not self._has_sources:
                # Virtual time passes when nothing is left to do in this instant.
                await self._until(lambda: False, 1)
            await self.session.aclose()
        except Exception:
            await self.session.aclose()  # ends the outputs, so that somebody sees the error
            raise

    async def _feed_records(self) -> bool:
        """Feed all of them; gives whether the input was finished."""
        finished = False
        session, clock = self.session, self.clock
        self._interrupts = [one for one in self._recording.marks() if one.kind == "interrupted"]
        for records in self._events():
            first = records[0]
            if first.kind == "closed" and (self._has_sources or not self._same):
                break
            while self._waits and (wait_us := first.time_us - clock.now_us()) > 0:
                await sleep(clock, wait_us)
            if first.kind == "closed":
                break
            if self._before is not None and not await self._before(first):
                break
            if first.kind == "sent":
                if first.packet is not None:
                    await self._interrupt(first.packet.generation)
                await self._send([one.packet for one in records if one.packet is not None])
            elif first.kind == "interrupted":
                await self._interrupt(first.generation)
            else:
                await session.finish()
                finished = True
        return finished

    async def _interrupt(self, generation: int) -> None:
        """Interrupt as often as had been done by then: what is sent is of the last generation."""
        while self._interrupts and self._interrupts[0].generation <= generation:
            mark = self._interrupts.pop(0)
            await self._settle(mark.generation)
            await self.session.interrupt(mark.from_node)
            self._generation = mark.generation - self.session.generation

    def _events(self) -> Iterator[list[Record]]:
        """What was done to the session: a mark, or the entries of one `send`."""
        entries: list[Record] = []
        for record in self._recording:
            if record.kind == "received" and record.packet is not None:
                number = record.packet.generation
                self._recorded[number] = self._recorded.get(number, 0) + 1
                continue
            if record.kind == "tapped":
                continue
            if entries and not _is_same_send(entries[0], record):
                yield entries
                entries = []
            if record.kind == "sent":
                entries.append(record)
            else:
                yield [record]
        if entries:
            yield entries

    async def _send(self, packets: list[Packet]) -> None:
        session, first = self.session, packets[0]
        self.clock.set_wall(first.timestamp_us)
        self._generation = first.generation - session.generation
        # The recording may begin in the middle of a session, and not every send succeeds.
        session._sequence = first.sequence
        if len(packets) > 1:
            usual: set[tuple[str, str]] = set()
            with suppress(RemoteMediaError):  # another manifest may know no such entry
                usual = {(one.node, one.port) for one in session.accepting(first.data)}
            if usual == {(one.node, one.port) for one in packets}:
                await session.send(first.data)
                return
        for packet in packets:
            await session.send(packet.data, f"{packet.node}:{packet.port}")

    async def _settle(self, generation: float = math.inf) -> None:
        """Wait until as many packets have come out as had by now, of older generations."""
        if self._same:
            wanted = sum(count for of, count in self._recorded.items() if of < generation)
            late_us = self._recording.duration_us - self.clock.now_us() if self._has_sources else 0
            await self._until(lambda: self._count >= wanted, max(late_us, 0) + SETTLE_US)

    async def _until(self, reached: Callable[[], bool], delay_us: int) -> None:
        with suppress(TimeoutError):
            async with deadline(self.clock, delay_us):
                while not (reached() or self._ended):
                    await wait_in(self._waiters)


def _is_same_send(first: Record, record: Record) -> bool:
    before, packet = first.packet, record.packet
    return (
        record.kind == "sent"
        and before is not None
        and packet is not None
        and (before.sequence, before.timestamp_us) == (packet.sequence, packet.timestamp_us)
    )
