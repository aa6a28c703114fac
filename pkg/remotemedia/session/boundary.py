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
        self.packets: deque[tuple[int, Packet]] = deque()
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
        return (
            len(self.packets) >= self.capacity or bool(self._senders)
        ) and self.overflow == "block"

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
        packet = self.packets.popleft()[1]
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
        self._count_dropped(reason, len(self.packets))
        self.packets.clear()
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
        self.packets.append((self.inbox.ticket(), packet))
        if len(self.packets) > self.max_depth:
            self.max_depth = len(self.packets)
        self.inbox.wake()

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
        lost = len(self.packets) if policy == "latest" else 1
        if policy == "latest":
            self.packets.clear()
        elif policy == "drop_oldest":
            self.packets.popleft()
        self._count_dropped(policy, lost)

    def _count_dropped(self, reason: str, count: int) -> None:
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count


class Inbox:
    """The boundaries of one consumer, read in the order of arrival."""

    __slots__ = ("_error", "_tickets", "_waiters", "boundaries")

    def __init__(self) -> None:
        self.boundaries: list[Boundary] = []
        self._tickets = 0
        self._waiters: list[asyncio.Future[None]] = []
        self._error: BaseException | None = None

    def ticket(self) -> int:
        """The next number of arrival."""
        self._tickets += 1
        return self._tickets

    def wake(self) -> None:
        """Let the consumer look again."""
        if self._waiters:
            wake_all(self._waiters)

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
        boundaries = self.boundaries
        if len(boundaries) == 1:
            return boundaries[0] if boundaries[0].packets else None
        waiting = [boundary for boundary in boundaries if boundary.packets]
        return min(waiting, key=lambda boundary: boundary.packets[0][0], default=None)

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
            await wait_in(self._waiters)


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
