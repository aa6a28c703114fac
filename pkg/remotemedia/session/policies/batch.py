"""Batch: a node is handed several items at once."""

from __future__ import annotations

from msgspec.structs import replace

from remotemedia.clock import Clock, Timer
from remotemedia.data import Packet
from remotemedia.data.merging import goes_on, merged
from remotemedia.manifest import Batch
from remotemedia.session.boundary import Boundary
from remotemedia.session.inbox import Inbox


class BatchInbox(Inbox):
    """The queues of a node that waits, while it is free, for several items.

    It is woken when `min_items` wait for one port, when the first has waited for `max_wait_ms`,
    when a queue is full, and when no more will come; control messages are handed on at once. Then
    it gets up to `max_items`: as one item where they go on from each other (audio without a gap,
    text of one channel), else one after the other.

    Parameters
    ----------
    settings : Batch
        The policy.
    clock : Clock
        The session clock.
    """

    batches = True

    __slots__ = ("_clock", "_due", "_granted", "_settings", "_timer")

    def __init__(self, settings: Batch, clock: Clock) -> None:
        super().__init__()
        self._settings = settings
        self._clock = clock
        self._timer: Timer | None = None
        self._due = False
        self._granted = 0

    @property
    def wanted(self) -> int:  # type: ignore[override]
        """How many packets of one boundary it may wait for."""
        return self._settings.max_items

    def oldest(self) -> Boundary | None:
        """The boundary whose packets come next, if they are enough."""
        boundary = super().oldest()
        if boundary is None:
            self._granted = 0
            self._stop_timer()
            return None
        if boundary.ahead or self._granted:
            return boundary
        waiting = len(boundary.packets)
        enough = self._due or bool(self.draining) or any(map(self._is_enough, self.boundaries))
        if not (enough or (not self.open and all(each.ended for each in self.boundaries))):
            return None
        self._granted = min(waiting, self._settings.max_items)
        self._stop_timer()
        return boundary

    def _is_enough(self, boundary: Boundary) -> bool:
        return len(boundary.packets) >= self._settings.min_items or boundary.is_filled

    def cleared(self) -> None:
        """What waited in a boundary was dropped."""
        if not self.arrivals:
            self._granted = 0
            self._stop_timer()
        self.wake()

    def _before_wait(self) -> None:
        if self.arrivals and self._timer is None:
            delay_us = round(self._settings.max_wait_ms * 1000)
            self._timer = self._clock.call_later(delay_us, self._on_time)

    def take(self, boundary: Boundary) -> Packet:
        """The next packet: of several, that of the last of them, with the data of all.

        It entered the session when the first of them did.
        """
        first = packet = super().take(boundary)
        self._granted = max(0, self._granted - 1)
        if boundary.ahead or self._settings.merge == "separate":
            return packet
        parts = [packet.data]
        while self._granted and boundary.packets and goes_on(parts[-1], boundary.packets[0].data):
            packet = super().take(boundary)
            parts.append(packet.data)
            self._granted -= 1
        if len(parts) == 1:
            return packet
        return replace(packet, data=merged(parts), timestamp_us=first.timestamp_us)

    def _on_time(self) -> None:
        self._timer = None
        self._due = True
        self.wake()

    def _stop_timer(self) -> None:
        self._due = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
