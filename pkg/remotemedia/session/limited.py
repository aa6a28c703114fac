"""Limited: a queue with more than a number of packets to watch."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from msgspec.structs import replace

from remotemedia.data import Audio, Control, Data, Packet
from remotemedia.data.merging import goes_on, merged, size_of
from remotemedia.manifest import Queue
from remotemedia.session.boundary import Boundary
from remotemedia.session.inbox import Inbox

COALESCED_BYTES = 4 << 20  # that a queue holds which merges what it cannot hold one by one

Told = Callable[[Boundary, str], None]
"""Told that a queue rose to its ``high`` mark, or fell to its ``low`` one."""


class Limited(Boundary):
    """Counts bytes and media time, tells of high and low water, and can merge what waits.

    A packet is let in as long as the queue holds less than its capacity; so it may be exceeded by
    a part of one packet. With ``coalesce`` what comes to a full queue is merged with its last
    packet if it goes on where that ends, up to `COALESCED_BYTES` in all; beyond that, and where it
    does not go on, the oldest is lost. An item that was merged counts as entered and delivered,
    each by itself.

    Parameters
    ----------
    queue : Queue
        Its limits.
    told : callable
        Told of high and low water.
    """

    __slots__ = ("_high", "_is_high", "_low", "_parts", "_told", "bytes", "held_us", "limits")

    def __init__(
        self,
        node: str,
        port: str,
        inbox: Inbox,
        target: tuple[str, str],
        queue: Queue,
        told: Told,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        super().__init__(node, port, inbox, target, queue.capacity, queue.overflow, clock)
        self.limits = queue
        self.bytes = 0
        self.held_us = 0
        self._told = told
        self._high = queue.high
        self._low = queue.low if queue.low is not None else (queue.high or 0) // 2
        self._is_high = False
        self._parts: dict[int, list[Data]] = {}  # by identity of the packet that they are behind

    @property
    def full(self) -> bool:
        """Whether a packet would have to wait."""
        return self.overflow == "block" and self.is_filled

    def offer(self, packet: Packet) -> bool:
        """As any queue."""
        if packet.data.__class__ is Control:
            self._put_ahead(packet)
        elif self._senders or self._filled():
            return self._refuse(packet)
        else:
            self.force(packet)
        return True

    def _filled(self) -> bool:
        limits = self.limits
        return (
            super()._filled()
            or (limits.capacity_bytes is not None and self.bytes >= limits.capacity_bytes)
            or (limits.capacity_ms is not None and self._held_us() >= limits.capacity_ms * 1000)
        )

    def _held_us(self) -> int:
        """Media time that waits: of audio its length, of others from the first to the last."""
        if self.held_us or len(self.packets) <= self.ahead:
            return self.held_us
        first, last = self.packets[self.ahead].data.pts_us, self.packets[-1].data.pts_us
        return last - first if first is not None and last is not None else 0

    def _overflow(self, packet: Packet) -> None:
        if self.overflow != "coalesce":
            super()._overflow(packet)
            return
        size = size_of(packet.data)
        limit = self.limits.capacity_bytes or COALESCED_BYTES
        while self.bytes + size > limit and len(self.packets) > self.ahead:
            self.remove(self.packets[self.ahead], "coalesce")
        last = self.packets[-1] if len(self.packets) > self.ahead else None
        parts = self._parts.setdefault(id(last), [last.data]) if last is not None else []
        if parts and goes_on(parts[-1], packet.data):
            parts.append(packet.data)
            self._count(packet.data, 1)
            return
        if len(parts) == 1:
            self._parts.pop(id(last))
        while self._filled() and len(self.packets) > self.ahead:
            self.remove(self.packets[self.ahead], "coalesce")
        self._append(packet)

    def _append(self, packet: Packet) -> None:
        self._count(packet.data, 1)
        super()._append(packet)
        if self._high is not None and not self._is_high and len(self.packets) >= self._high:
            self._is_high = True
            self._told(self, "high")

    def take(self) -> Packet:
        """The first packet, with what was merged into it."""
        first = self.packets[0]
        parts = self._parts.get(id(first))
        more = self._uncount(first) - 1
        packet = super().take()
        self.delivered += more
        self._sink()
        return replace(packet, data=merged(parts)) if parts else packet

    def _removed(self, packet: Packet) -> int:
        count = self._uncount(packet)
        self._sink()
        return count

    def _uncount(self, packet: Packet) -> int:
        parts = self._parts.pop(id(packet), None) or [packet.data]
        for part in parts:
            self._count(part, -1)
        return len(parts)

    def _sink(self) -> None:
        if self._is_high and len(self.packets) <= self._low:
            self._is_high = False
            self._told(self, "low")

    def _count(self, data: Data, sign: int) -> None:
        if isinstance(data, Control):  # it waits ahead, and takes no room
            return
        self.bytes += sign * size_of(data)
        if isinstance(data, Audio):
            self.held_us += sign * data.duration_us
