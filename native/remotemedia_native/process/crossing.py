"""Crossing: the sender's end of a route, which to whoever sends is a queue like any other.

What it takes goes into shared memory at once; where it waits is the queue at the other end. It is
full when that one is, or when the topic has no room.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from remotemedia.data import Audio, Control, Data, Packet
from remotemedia.errors import RemoteMediaError
from remotemedia.session.boundary import MAX_AHEAD, Boundary
from remotemedia.session.inbox import Inbox
from remotemedia_native.process.bells import Bells
from remotemedia_native.process.envelope import (
    END,
    FINISH,
    send,
    send_audio,
    send_mark,
    send_tapped,
)
from remotemedia_native.process.ledger import GONE, SENT, WAITING, Ledger
from remotemedia_native.process.routes import HERE, Route
from remotemedia_native.shm.base import Writer

if TYPE_CHECKING:
    from asyncio import TimerHandle

LOOK_AGAIN_S = 0.005  # bells and flags are not ordered; so who waits also looks by himself
Failed = Callable[[str, BaseException, int], None]
"""Told that a packet could not be sent: node, why, sequence."""


class Outbox:
    """One topic, written by this process, and who waits until there is room in it.

    Parameters
    ----------
    readers : sequence of str
        The parts that read it; the place of each is its number.
    bells : Bells
        Wake them.
    """

    def __init__(self, readers: Sequence[str], bells: Bells) -> None:
        self._writer: Writer | None = None
        self._readers = {part: number for number, part in enumerate(readers)}
        self.bells = bells
        self._waiting: list[Crossing] = []
        self._marks: deque[tuple[int, int, int, tuple[str, ...]]] = deque()
        self._timer: TimerHandle | None = None
        self._is_finishing = False

    def open(self, writer: Writer) -> None:
        """Write to this end from now on."""
        self._writer = writer

    @property
    def writer(self) -> Writer:
        """The end of the topic that is written to."""
        assert self._writer is not None  # noqa: S101 - nothing is sent before a session is open
        return self._writer

    def address(self, route: Route) -> tuple[int, tuple[str, ...]]:
        """The mask of the readers of a route, and the parts that these are."""
        parts = list(dict.fromkeys(end.part for end in route.ends))
        mask = sum(1 << self._readers[part] for part in parts)
        return mask, tuple(parts)

    def mark(self, form: int, route: int, mask: int, parts: tuple[str, ...]) -> None:
        """Say that a route, or everything, has ended; later, if there is no room now."""
        if self._writer is not None:  # else it is closed
            self._marks.append((form, route, mask, parts))
            self._send_marks()

    def end(self, route: Route) -> None:
        """Say that a route has ended."""
        self.mark(END, route.number, *self.address(route))

    def finish(self) -> None:
        """The client sends no more, to nobody, once what waits on this side is on its way."""
        self._is_finishing = True
        self._finish()

    def _finish(self) -> None:
        if not self._is_finishing or any(each.route.is_entry for each in self._waiting):
            return
        self._is_finishing = False
        mask = sum(1 << reader for reader in self._readers.values())
        self.mark(FINISH, 0, mask, tuple(self._readers))

    def show(self, packet: Packet) -> bool:
        """Send the session a packet that somebody there wants to look at; False without room."""
        if not send_tapped(self.writer, 1 << self._readers[HERE], 0, packet):
            return False
        self.bells.ring(HERE)
        return True

    def wait(self, crossing: Crossing) -> None:
        """Ask a crossing again when there is room."""
        if crossing not in self._waiting:
            self._waiting.append(crossing)
        self._set_timer()

    def look(self) -> None:
        """There may be room, or somebody new who reads: let those go on who wait."""
        if self._writer is not None:
            self._writer.refresh()
        if not (self._marks or self._waiting):
            return
        self._send_marks()
        for crossing in list(self._waiting):
            if crossing.go_on_sending():
                self._waiting.remove(crossing)
        self._finish()

    def close(self) -> None:
        """Let go."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting.clear()
        self._marks.clear()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _send_marks(self) -> None:
        while self._marks:
            form, route, mask, parts = self._marks[0]
            if not send_mark(self.writer, mask, form, route):
                self._set_timer()
                return
            self._marks.popleft()
            for part in parts:
                self.bells.ring(part)

    def _set_timer(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_AGAIN_S, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self.look()
        if self._waiting or self._marks:
            self._set_timer()


class Crossing(Boundary):
    """The sender's end of a route.

    Parameters
    ----------
    route : Route
        The route.
    outbox : Outbox
        The topic that it goes by.
    ledger : Ledger
        Where its lanes are.
    failed : callable, optional
        Told of a packet that cannot be sent, which is dropped. Without it that is raised.
    ending : callable, optional
        Called before the other end is told that no more will come.
    """

    leads_away = True

    __slots__ = (
        "_ending",
        "_failed",
        "_is_end_sent",
        "_lossless",
        "_mask",
        "_number",
        "_pending",
        "_readers",
        "_ring",
        "_sent",
        "_words",
        "outbox",
        "route",
    )

    def __init__(
        self,
        route: Route,
        outbox: Outbox,
        ledger: Ledger,
        failed: Failed | None = None,
        ending: Callable[[], None] | None = None,
    ) -> None:
        ends = [end for end in route.ends if end.is_lossless]
        source = ("", "") if route.is_entry else (route.node, route.port)
        super().__init__(
            *source,
            Inbox(),
            (route.ends[0].node, route.ends[0].port),
            overflow="block" if ends else "drop_newest",
        )
        self.route = route
        self._number = route.number
        self.outbox = outbox
        self._failed = failed
        self._ending = ending
        self._mask, self._readers = outbox.address(route)
        self._ring = outbox.bells.ring_in_turn
        self._words = ledger.words
        lanes = [(ledger.lane(end.lane), end.capacity) for end in ends]
        self._lossless = [(base + SENT, base + GONE, capacity) for base, capacity in lanes]
        self._sent = [ledger.lane(end.lane) + SENT for end in route.ends]
        self._is_end_sent = False
        self._pending: deque[Packet] = deque()  # let in when the queue had room, but the topic not

    @property
    def full(self) -> bool:
        """Whether a packet would have to wait."""
        return self.overflow == "block" and self.is_filled

    @property
    def is_filled(self) -> bool:
        """Whether a packet would have to wait, or be lost."""
        return bool(self._senders or self._pending) or not self._has_room(0)

    def offer(self, packet: Packet) -> bool:
        """Send the packet, or lose it as the overflow policy says; False if it has to wait."""
        is_ahead = packet.data.__class__ is Control
        if not self._has_room(MAX_AHEAD) if is_ahead else self.is_filled:
            return self._refuse(packet)
        self.entered += 1
        if not self._transmit(packet):
            if self.overflow == "block":
                self._pending.append(packet)
                self.outbox.wait(self)
            else:
                self._count_dropped(self.overflow, 1)
        return True

    def deliver(self, data: Data, origin: Packet, generation: int) -> bool:
        """Send what stems from a packet; False, and nothing is done, if it would have to wait.

        Real-time path: what most packets need, in one piece.
        """
        words = self._words
        for sent, gone, capacity in self._lossless:
            if words[sent] - words[gone] >= capacity:
                return False
        if (
            data.__class__ is not Audio
            or data.metadata is not None
            or data.stream_id is not None
            or self._senders
            or self._pending
        ):
            return super().deliver(data, origin, generation)
        sequence = origin.sequence
        try:
            is_sent = send_audio(
                self.outbox.writer,
                self._mask,
                self._number,
                data,
                sequence,
                self.number(sequence),
                generation,
                origin.timestamp_us,
            )
        except RemoteMediaError as error:
            self.entered += 1
            self._give_up(error, sequence)
            return True
        if not is_sent:
            self._take_back_number()
            return super().deliver(data, origin, generation)
        self.entered += 1
        for word in self._sent:
            words[word] += 1
        ring = self._ring
        for part in self._readers:
            ring(part)
        return True

    def _take_back_number(self) -> None:
        """The last packet was numbered, but not sent."""
        self.sub_sequence -= 1

    def force(self, packet: Packet) -> None:
        """Send the packet, even if the queue is full."""
        self.entered += 1
        if self._pending or not self._transmit(packet):
            self._pending.append(packet)
            self.outbox.wait(self)

    async def put(self, packet: Packet) -> None:
        """Wait for room. An interrupt drops the packet that waits."""
        if self.offer(packet):
            return
        self._ask_to_be_told()
        self.outbox.wait(self)
        await super().put(packet)

    def end(self) -> None:
        """No more packets will come."""
        if not self.ended:
            self.ended = True
            self.go_on_sending()

    def clear(self, reason: str) -> None:
        """Drop what waits on this side."""
        self._count_dropped(reason, len(self._pending))
        self._pending.clear()
        super().clear(reason)

    def go_on_sending(self) -> bool:
        """Send what waits, as far as there is room; whether nothing waits any more."""
        if self._senders or self._pending:
            self._ask_to_be_told()
        while self._pending and self._transmit(self._pending[0]):
            self._pending.popleft()
        self._let_in()
        if self._senders or self._pending:
            return False
        if self.ended and not self.route.is_entry and not self._is_end_sent:
            self._is_end_sent = True
            if self._ending is not None:
                self._ending()
            self.outbox.mark(END, self.route.number, self._mask, self._readers)
        return True

    def lost(self) -> dict[str, int]:
        """What was dropped on this side, by reason."""
        return dict(self.dropped)

    @property
    def waiting(self) -> int:
        """Packets that are still on this side."""
        return len(self._pending) + sum(not turn.done() for turn, _ in self._senders)

    @property
    def under_way(self) -> int:
        """Packets that were sent and wait at the other end: the most of any."""
        words = self._words
        return max((words[sent] - words[gone] for sent, gone, _ in self._lossless), default=0)

    def _let_in(self) -> None:
        while self._senders and not self._pending:
            turn, packet = self._senders[0]
            if not turn.done():
                is_ahead = packet.data.__class__ is Control
                if not self._has_room(MAX_AHEAD if is_ahead else 0):
                    return
                if not self._transmit(packet):
                    return
                turn.set_result(None)
            self._senders.popleft()

    def _has_room(self, more: int) -> bool:
        words = self._words
        for sent, gone, capacity in self._lossless:
            if words[sent] - words[gone] >= capacity + more:
                return False
        return True

    def _ask_to_be_told(self) -> None:
        for sent, _, _ in self._lossless:
            self._words[sent - SENT + WAITING] = 1

    def _transmit(self, packet: Packet) -> bool:
        """Send; False if the topic has no room. What can never be sent is dropped."""
        try:
            if not send(self.outbox.writer, self._mask, self._number, packet):
                return False
        except RemoteMediaError as error:
            self._give_up(error, packet.sequence)
            return True
        words = self._words
        for word in self._sent:
            words[word] += 1
        ring = self._ring
        for part in self._readers:
            ring(part)
        return True

    def _give_up(self, error: RemoteMediaError, sequence: int) -> None:
        """A packet can never be sent."""
        route = self.route
        error.node = error.node or route.node
        error.port = error.port or route.port
        self._count_dropped("failed", 1)
        if self._failed is None:
            raise error
        self._failed(route.node, error, sequence)

    def _overflow(self, packet: Packet) -> None:
        self._count_dropped(self.overflow, 1)
