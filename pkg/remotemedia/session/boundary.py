"""Boundary: a bounded queue between islands, and between a session and its client."""

from __future__ import annotations

import asyncio
from collections import deque

from remotemedia.data import Packet
from remotemedia.metrics import EdgeMetrics
from remotemedia.session.outlet import Outlet

CAPACITY = 16  # packets between islands: 320 ms of 20 ms blocks
CLIENT_CAPACITY = 256  # packets that wait for the client per output port


class Boundary(Outlet):
    """An edge with a queue. Lossless unless an overflow policy says otherwise.

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
    """

    __slots__ = (
        "_senders",
        "capacity",
        "delivered",
        "dropped",
        "ended",
        "entered",
        "inbox",
        "max_depth",
        "overflow",
        "packets",
        "target",
    )

    def __init__(
        self,
        node: str,
        port: str,
        inbox: Inbox,
        target: tuple[str, str],
        capacity: int = CAPACITY,
        overflow: str = "block",
    ) -> None:
        super().__init__(node, port)
        self.inbox = inbox
        self.target = target
        self.capacity = capacity
        self.overflow = overflow
        self.packets: deque[Packet] = deque()
        self.entered = 0
        self.delivered = 0
        self.dropped: dict[str, int] = {}
        self.max_depth = 0
        self.ended = False
        self._senders: deque[tuple[asyncio.Future[None], Packet]] = deque()
        inbox.boundaries.append(self)

    @property
    def full(self) -> bool:
        """Whether a packet would have to wait."""
        return self.overflow == "block" and (
            len(self.packets) >= self.capacity or bool(self._senders)
        )

    def offer(self, packet: Packet) -> bool:
        """Take the packet, or lose one as the overflow policy says; False if it has to wait."""
        if self._senders or len(self.packets) >= self.capacity:
            if self.overflow == "block":
                return False
            self.entered += 1
            self._make_room(self.overflow)
            if self.overflow == "drop_newest":
                return True
        else:
            self.entered += 1
        self._append(packet)
        return True

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
        """The oldest packet; makes room for a sender that waits."""
        packet = self.packets.popleft()
        self.inbox.arrivals.remove(self)  # the first, as a rule
        self.delivered += 1
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

    def metrics(self, source: str, target: str) -> EdgeMetrics:
        """Its counters."""
        in_flight = self.entered - self.delivered - sum(self.dropped.values())
        return EdgeMetrics(
            source,
            target,
            self.entered,
            self.delivered,
            dict(self.dropped),
            in_flight,
            self.max_depth,
        )

    def _append(self, packet: Packet) -> None:
        packets, inbox = self.packets, self.inbox
        packets.append(packet)
        inbox.arrivals.append(self)
        if len(packets) > self.max_depth:
            self.max_depth = len(packets)
        if inbox.waiters:
            wake_all(inbox.waiters)

    def _let_in(self) -> None:
        """Move the packet of the sender that waits longest into the queue.

        The sender does not do it itself when it wakes: another could come before it.
        """
        while self._senders:
            turn, packet = self._senders.popleft()
            if not turn.done():
                self._append(packet)
                turn.set_result(None)
                return

    def _make_room(self, policy: str) -> None:
        if policy == "drop_newest":
            self._count_dropped(policy, 1)
        else:
            self._lose(policy, len(self.packets) if policy == "latest" else 1)

    def _lose(self, reason: str, count: int) -> None:
        """Drop the oldest ones."""
        for _ in range(count):
            self.packets.popleft()
            self.inbox.arrivals.remove(self)
        self._count_dropped(reason, count)

    def _count_dropped(self, reason: str, count: int) -> None:
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count


class Inbox:
    """The boundaries of one consumer, read in the order of arrival.

    Attributes
    ----------
    boundaries : list of Boundary
    arrivals : deque of Boundary
        For each packet that waits in one of them, that one.
    waiters : list of Future
        See `wait_in`.
    """

    __slots__ = ("_error", "arrivals", "boundaries", "waiters")

    def __init__(self) -> None:
        self.boundaries: list[Boundary] = []
        self.arrivals: deque[Boundary] = deque()
        self.waiters: list[asyncio.Future[None]] = []
        self._error: BaseException | None = None

    def wake(self) -> None:
        """Let the consumer look again."""
        if self.waiters:
            wake_all(self.waiters)

    def fail(self, error: BaseException) -> None:
        """Make the consumer raise this once what waits has been read."""
        if self._error is None:
            self._error = error
        self.wake()

    @property
    def ended(self) -> bool:
        """Whether nothing waits and nothing will come."""
        return all(boundary.ended and not boundary.packets for boundary in self.boundaries)

    def oldest(self) -> Boundary | None:
        """The boundary whose first packet came first; None when nothing waits."""
        return self.arrivals[0] if self.arrivals else None

    async def next(self) -> Boundary | None:
        """Wait for a packet; None once all boundaries have ended and are empty."""
        while True:
            boundary = self.oldest()
            if boundary is not None:
                return boundary
            if self._error is not None:
                raise self._error
            if self.ended:
                return None
            await wait_in(self.waiters)


def wake_all(waiters: list[asyncio.Future[None]]) -> None:
    """Let all tasks go on that wait in the list."""
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
    waiters.clear()


async def wait_in(waiters: list[asyncio.Future[None]]) -> None:
    """Wait until `wake_all` is called with the same list."""
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiters.append(waiter)
    try:
        await waiter
    except asyncio.CancelledError:
        if waiter in waiters:
            waiters.remove(waiter)
        raise
