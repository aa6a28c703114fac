"""Inbox: the queues of one consumer."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from remotemedia.data import Audio, Control, Packet
from remotemedia.data.messages import CancelSpeculation, read_message
from remotemedia.errors import DataError

if TYPE_CHECKING:
    from remotemedia.session.boundary import Boundary


class Inbox:
    """The boundaries of one consumer, read in the order of arrival; control messages first.

    Attributes
    ----------
    boundaries : list of Boundary
    arrivals : deque of Boundary
        For each packet that waits in one of them, that one.
    ahead : int
        How many of these, from the first on, stand for control messages.
    open : bool
        Whether the client may still send something.
    paused : bool
        Whether nothing may be taken for now.
    draining : list of Boundary
        When nothing waits in these any more, it is paused.
    waiters : list of Future
        See `wait_in`.
    is_nudged : bool
        Whether the consumer has something to do that is in no boundary.
    held : bool
        Whether the consumer is not through with the last packet: it is given nothing meanwhile.
    """

    __slots__ = (
        "_error",
        "ahead",
        "arrivals",
        "boundaries",
        "draining",
        "held",
        "is_nudged",
        "open",
        "paused",
        "waiters",
    )

    batches = False
    """Whether it takes several packets at a time: by `take`."""
    wanted = 1
    """How many packets of one boundary it may wait for."""

    def __init__(self) -> None:
        self.boundaries: list[Boundary] = []
        self.arrivals: deque[Boundary] = deque()
        self.ahead = 0
        self.open = False
        self.paused = False
        self.draining: list[Boundary] = []
        self.waiters: list[asyncio.Future[None]] = []
        self.is_nudged = False
        self.held = False
        self._error: BaseException | None = None

    def wake(self) -> None:
        """Let the consumer look again, unless it is not through with the last packet."""
        if self.waiters and not self.held:
            wake_all(self.waiters)

    def fail(self, error: BaseException) -> None:
        """Make the consumer raise this once what waits has been read."""
        if self._error is None:
            self._error = error
        self.wake()

    @property
    def ended(self) -> bool:
        """Whether nothing waits and nothing will come."""
        return not self.open and all(
            boundary.ended and not boundary.packets for boundary in self.boundaries
        )

    def oldest(self) -> Boundary | None:
        """The boundary whose first packet comes next; None when nothing waits."""
        if self.draining and not any(boundary.packets for boundary in self.draining):
            self.draining, self.paused = [], True
        return self.arrivals[0] if self.arrivals and not self.paused else None

    async def next(self) -> Boundary | None:
        """Wait for a packet; None once all boundaries have ended and are empty, or when paused.

        None, too, when it is nudged.
        """
        while True:
            if self.held:
                await wait_in(self.waiters)
                continue
            boundary = self.oldest()
            if boundary is not None or self.paused or self.is_nudged:
                return boundary
            if self._error is not None:
                raise self._error
            if self.ended:
                return None
            self._before_wait()
            await wait_in(self.waiters)

    def _before_wait(self) -> None:
        """Called before the consumer waits for something to change."""

    def take(self, boundary: Boundary) -> Packet:
        """The first packet of that boundary, or several as one."""
        return boundary.take()

    def done(self, packet: Packet) -> None:
        """One of several packets that are worked on at a time is through."""

    def pause(self, draining: list[Boundary]) -> None:
        """Give out nothing more once these are empty, and nobody waits to put something in."""
        self.draining = draining
        self.paused = not any(boundary.packets for boundary in draining)
        self.wake()

    def resume(self) -> None:
        """Give out what waits."""
        self.draining, self.paused = [], False

    def cleared(self) -> None:
        """What waited in a boundary was dropped."""
        self.wake()

    def forget(self, boundary: Boundary, index: int) -> None:
        """A boundary has lost the packet that was the so-many-th in it."""
        for place, other in enumerate(self.arrivals):
            if other is boundary:
                if index == 0:
                    del self.arrivals[place]
                    return
                index -= 1

    def forget_all(self, boundary: Boundary) -> None:
        """A boundary has lost all its packets."""
        self.arrivals = deque(other for other in self.arrivals if other is not boundary)
        self.ahead -= boundary.ahead

    def retract(self, control: Packet) -> None:
        """Drop what waits that a `CancelSpeculation` takes back: media within its time.

        Audio that goes beyond it is left to whom the message is for: there is more in it.
        """
        message = control.data
        if not isinstance(message, Control):
            return
        try:
            range_ = read_message(message)
        except DataError:
            return  # whoever it is for says so
        if not isinstance(range_, CancelSpeculation):
            return
        first, last = range_.from_us, range_.to_us
        for boundary in self.boundaries:
            for packet in list(boundary.packets):
                data = packet.data
                if data.pts_us is None or isinstance(data, Control):
                    continue
                lasts_us = data.duration_us if isinstance(data, Audio) else 1
                inside = first <= data.pts_us and data.pts_us + lasts_us <= last
                if inside and data.stream_id == message.stream_id:
                    boundary.remove(packet, "speculation")


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
