"""Boundary: a bounded queue between islands, and between a session and its client."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter

from remotemedia.data import Control, Packet
from remotemedia.metrics import EdgeMetrics, Histogram
from remotemedia.session.inbox import Inbox
from remotemedia.session.outlet import Outlet

FOLD = 1023  # a mask: waits that are sorted into their histogram at a time
CAPACITY = 16  # packets between islands: 320 ms of 20 ms blocks
CLIENT_CAPACITY = 256  # packets that wait for the client per output port
MAX_AHEAD = 256  # control messages that wait ahead of the queue


class Boundary(Outlet):
    """An edge with a queue. Lossless unless an overflow policy says otherwise.

    Control messages wait ahead of everything else, in no matter which queue of the consumer, and
    never make a sender wait.

    Parameters
    ----------
    node, port : str
        Where its packets come from.
    inbox : Inbox
        Where they go: the queues of one consumer.
    target : tuple of (str, str)
        Node id and input port that they are for.
    capacity : int
        Packets it holds.
    overflow : str
        ``block``: the sender waits. ``drop_oldest``, ``drop_newest``: one packet is lost.
        ``latest``: all that wait are lost.
    clock : callable
        The profiling clock, s.

    Attributes
    ----------
    live : bool
        Whether its media are worth nothing when they are old; see `budget`.
    wait : Histogram
        How long the packets that were taken stood in the queue.
    compressed_us : int
        Media time that was taken out behind it by playing faster, µs; see `CatchUp`.
    """

    __slots__ = (
        "_clock",
        "_senders",
        "ahead",
        "capacity",
        "compressed_us",
        "delivered",
        "dropped",
        "ended",
        "entered",
        "inbox",
        "live",
        "max_depth",
        "overflow",
        "packets",
        "since",
        "target",
        "wait",
    )

    def __init__(
        self,
        node: str,
        port: str,
        inbox: Inbox,
        target: tuple[str, str],
        capacity: int = CAPACITY,
        overflow: str = "block",
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        super().__init__(node, port)
        self.inbox = inbox
        self.target = target
        self.capacity = capacity
        self.overflow = overflow
        self.packets: deque[Packet] = deque()
        self.ahead = 0
        self.wait = Histogram()
        self.since: deque[float] = deque()  # when each of them came
        self._clock = clock
        self.entered = 0
        self.delivered = 0
        self.dropped: dict[str, int] = {}
        self.max_depth = 0
        self.compressed_us = 0
        self.ended = False
        self.live = True
        self._senders: deque[tuple[asyncio.Future[None], Packet]] = deque()
        inbox.boundaries.append(self)

    @property
    def full(self) -> bool:
        """Whether a packet would have to wait."""
        return self.overflow == "block" and self.is_filled

    @property
    def is_filled(self) -> bool:
        """Whether a packet would have to wait, or one be lost."""
        return bool(self._senders) or self._filled()

    def offer(self, packet: Packet) -> bool:
        """Take the packet, or lose one as the overflow policy says; False if it has to wait."""
        if packet.data.__class__ is Control:
            self._put_ahead(packet)
        elif self._senders or self._filled():
            if self.overflow == "block":
                return False
            self.entered += 1
            self._overflow(packet)
        else:
            self.entered += 1
            self._append(packet)
        return True

    def force(self, packet: Packet) -> None:
        """Take the packet, even if the queue is full."""
        self.entered += 1
        self._append(packet)

    async def put(self, packet: Packet) -> None:
        """Wait for room. An interrupt drops the packet that waits."""
        if self.offer(packet):
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._senders.append((turn, packet))
        self.entered += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():  # else the packet was let in before the cancellation came
                if (turn, packet) in self._senders:  # it holds on to the packet
                    self._senders.remove((turn, packet))
                self._count_dropped("cancelled", 1)
            raise

    def take(self) -> Packet:
        """The first packet; makes room for a sender that waits."""
        self.wait.readings += (self.since[0], self._clock())
        packet = self._pop()
        self.delivered += self._removed(packet)
        if not self.delivered & FOLD:
            self.wait.fold()
        if self._senders:
            self._let_in()
        return packet

    def end(self) -> None:
        """No more packets will come."""
        self.ended = True
        self.inbox.wake()

    def clear(self, reason: str) -> None:
        """Drop all that waits, in the queue and in front of it."""
        self._lose(reason, len(self.packets))
        while self._senders:
            turn, _packet = self._senders.popleft()
            if not turn.done():
                turn.set_result(None)
                self._count_dropped(reason, 1)
        self.inbox.cleared()

    def shut(self) -> None:
        """Nobody reads it any more: what waits is lost, and what comes is."""
        self.capacity, self.overflow = 0, "removed"
        self.clear("removed")

    def remove(self, packet: Packet, reason: str) -> None:
        """Drop one that waits in the queue."""
        index = next(i for i, other in enumerate(self.packets) if other is packet)
        if index < self.ahead:
            self.ahead -= 1
            self.inbox.ahead -= 1
        del self.packets[index]
        del self.since[index]
        self.inbox.forget(self, index)
        self._count_dropped(reason, self._removed(packet))
        if self._senders:
            self._let_in()

    def metrics(self, source: str, target: str) -> EdgeMetrics:
        """Its counters, and how long packets waited."""
        in_flight = self.entered - self.delivered - sum(self.dropped.values())
        return EdgeMetrics(
            source,
            target,
            self.entered,
            self.delivered,
            dict(self.dropped),
            in_flight,
            self.max_depth,
            self.wait.timing(self._clock()),
            self.compressed_us,
        )

    def go_on(self, before: EdgeMetrics) -> None:
        """Count on from another queue of the same edge, which is empty."""
        self.entered += before.entered
        self.delivered += before.delivered
        self.max_depth = max(self.max_depth, before.max_depth)
        self.compressed_us += before.compressed_us
        for reason, count in before.dropped.items():
            self._count_dropped(reason, count)
        self._count_dropped("removed", before.in_flight)

    # -- what a queue with other limits does otherwise ---------------------------------------

    def _filled(self) -> bool:
        return len(self.packets) - self.ahead >= self.capacity

    def _overflow(self, packet: Packet) -> None:
        """Lose what the policy says; the queue is full."""
        policy = self.overflow
        if policy in ("drop_newest", "removed"):
            self._count_dropped(policy, 1)
            return
        while len(self.packets) > self.ahead and (policy == "latest" or self._filled()):
            self.remove(self.packets[self.ahead], policy)
        self._append(packet)

    def _append(self, packet: Packet) -> None:
        packets, inbox = self.packets, self.inbox
        packets.append(packet)
        self.since.append(self._clock())
        inbox.arrivals.append(self)
        if len(packets) > self.max_depth:
            self.max_depth = len(packets)
        if inbox.waiters:
            inbox.wake()

    def _removed(self, packet: Packet) -> int:
        """A packet is no longer in the queue; gives how many items it stands for."""
        return 1

    # -- inside ------------------------------------------------------------------------------

    def _pop(self) -> Packet:
        packet = self.packets.popleft()
        self.since.popleft()
        inbox = self.inbox
        inbox.arrivals.remove(self)  # the first, as a rule
        if self.ahead:
            self.ahead -= 1
            inbox.ahead -= 1
        return packet

    def _put_ahead(self, packet: Packet) -> None:
        self.entered += 1
        if self.ahead >= MAX_AHEAD:
            self.remove(self.packets[0], "control")
        self.inbox.retract(packet)
        self.packets.insert(self.ahead, packet)
        self.since.insert(self.ahead, self._clock())
        self.inbox.arrivals.insert(self.inbox.ahead, self)
        self.ahead += 1
        self.inbox.ahead += 1
        self.max_depth = max(self.max_depth, len(self.packets))
        self.inbox.wake()

    def _let_in(self) -> None:
        """Move packets of senders into the queue, as far as there is room; who waits longest first.

        The sender does not do it itself when it wakes: another could come before it.
        """
        while self._senders and not self._filled():
            turn, packet = self._senders.popleft()
            if not turn.done():
                self._append(packet)
                turn.set_result(None)

    def _lose(self, reason: str, count: int) -> None:
        """Drop the first ones."""
        self._count_dropped(reason, sum(self._removed(self._pop()) for _ in range(count)))

    def _count_dropped(self, reason: str, count: int) -> None:
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count
