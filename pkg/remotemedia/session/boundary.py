"""Boundary: a bounded queue between islands, and between a session and its client."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from math import inf
from time import perf_counter
from typing import ClassVar

from remotemedia.data import Control, Data, Packet
from remotemedia.metrics import EdgeMetrics, Histogram, add_rows, table_of
from remotemedia.session.inbox import Inbox
from remotemedia.session.outlet import Outlet

FOLD = 1024  # waits that are sorted into their histogram at a time
CAPACITY = 16  # packets between islands: 320 ms of 20 ms blocks
CLIENT_CAPACITY = 256  # packets that wait for the client per output port
_NEVER = -inf  # when a packet was taken that was dropped
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

    is_watched: ClassVar[bool] = False
    """Whether somebody is told of each packet that comes."""
    leads_away: ClassVar[bool] = False
    """Whether what is put in goes straight to another process: by `deliver`."""

    __slots__ = (
        "_came",
        "_clock",
        "_left",
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
        self._came: list[float] = []  # when each came of those that were taken, and of those here
        self._left: list[float] = []  # when each was taken; both until they are folded
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
        return self.overflow == "block" and (
            bool(self._senders) or len(self.packets) - self.ahead >= self.capacity
        )

    @property
    def is_filled(self) -> bool:
        """Whether a packet would have to wait, or one be lost."""
        return bool(self._senders) or self._filled()

    def offer(self, packet: Packet) -> bool:
        """Take the packet, or lose one as the overflow policy says; False if it has to wait."""
        packets = self.packets
        if packet.data.__class__ is Control:
            self._put_ahead(packet)
        elif self._senders or len(packets) - self.ahead >= self.capacity:
            return self._refuse(packet)
        else:  # the usual case; `force` written out
            self.entered += 1
            now = self._clock()
            packets.append(packet)
            self._came.append(now)
            inbox = self.inbox
            inbox.arrivals.append(self)
            if len(packets) > self.max_depth:
                self.max_depth = len(packets)
            if self.is_watched:
                self._watch(packet, now)
            if inbox.waiters:
                inbox.wake()
        return True

    def pass_by(self) -> None:
        """Count a packet that need not wait here."""
        self.entered += 1
        self.delivered += 1
        now = self._clock()
        self._came.append(now)
        self._left.append(now)
        if len(self._left) >= FOLD:
            self._fold()

    def deliver(self, data: Data, origin: Packet, generation: int) -> bool:
        """Offer what stems from a packet; False, and nothing is done, if it would have to wait."""
        if self.full:
            return False
        sequence = origin.sequence
        number, sent_us = self.number(sequence), origin.timestamp_us
        self.offer(Packet(data, self.node, self.port, sequence, number, sent_us, generation))
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
        packet = self.packets.popleft()
        inbox, left = self.inbox, self._left
        left.append(self._clock())
        inbox.arrivals.remove(self)  # the first, as a rule
        if self.ahead:
            self.ahead -= 1
            inbox.ahead -= 1
        self.delivered += 1
        if len(left) >= FOLD:
            self._fold()
        if self._senders:
            self._let_in()
        return packet

    def end(self) -> None:
        """No more packets will come."""
        self.ended = True
        self.inbox.wake()

    def clear(self, reason: str) -> None:
        """Drop all that waits, in the queue and in front of it."""
        if self.packets:
            dropped = list(self.packets)
            self.packets.clear()
            del self._came[len(self._left) :]
            self.inbox.forget_all(self)
            self.ahead = 0
            self._count_dropped(reason, sum(map(self._removed, dropped)))
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
        self._drop_at(next(i for i, other in enumerate(self.packets) if other is packet), reason)
        if self._senders:
            self._let_in()

    def metrics(self, source: str, target: str) -> EdgeMetrics:
        """Its counters, and how long packets waited."""
        self._fold()
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

    def _refuse(self, packet: Packet) -> bool:
        """It is full, or others wait already: do what the policy says."""
        if self.overflow == "block":
            return False
        self.entered += 1
        self._overflow(packet)
        return True

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
        now = self._clock()
        packets.append(packet)
        self._came.append(now)
        inbox.arrivals.append(self)
        self.max_depth = max(self.max_depth, len(packets))
        if self.is_watched:
            self._watch(packet, now)
        inbox.wake()

    def _removed(self, packet: Packet) -> int:
        """A packet was dropped from the queue; gives how many items it stands for."""
        return 1

    def _watch(self, packet: Packet, now: float) -> None:
        """A packet has come; where `is_watched`."""

    # -- inside ------------------------------------------------------------------------------

    def _drop_at(self, index: int, reason: str) -> None:
        """Drop the so-many-th that waits in the queue."""
        packet, inbox = self.packets[index], self.inbox
        if index < self.ahead:
            self.ahead -= 1
            inbox.ahead -= 1
        del self.packets[index]
        if index:
            del self._came[len(self._left) + index]
        else:  # as a rule; in a long queue to delete it would take long
            self._left.append(_NEVER)
            if len(self._left) >= FOLD:
                self._fold()
        inbox.forget(self, index)
        self._count_dropped(reason, self._removed(packet))
        if inbox.draining:
            inbox.wake()

    def _put_ahead(self, packet: Packet) -> None:
        self.entered += 1
        if self.ahead >= MAX_AHEAD:
            self.remove(self.packets[0], "control")
        self.inbox.retract(packet)
        self.packets.insert(self.ahead, packet)
        now = self._clock()
        self._came.insert(len(self._left) + self.ahead, now)
        if self.is_watched:
            self._watch(packet, now)
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

    def _fold(self) -> None:
        """Sort the waits of the packets that were taken into their histogram."""
        count = len(self._left)
        came, self._came[:count] = self._came[:count], []
        left, began = table_of(self._left, 1), table_of(came, 1)
        taken = left[:, 0] > _NEVER
        left, began = left[taken], began[taken]
        add_rows([self.wait], (left - began).T.copy(), left[:, 0])

    def _count_dropped(self, reason: str, count: int) -> None:
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count
