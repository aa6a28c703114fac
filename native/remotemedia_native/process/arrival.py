"""Arrivals: the queues in which routes end, and what is counted there in the ledger."""

from __future__ import annotations

from typing import Any

from remotemedia.data import Control, Packet
from remotemedia.session.boundary import Boundary
from remotemedia.session.inbox import Inbox
from remotemedia.session.limited import Limited
from remotemedia.session.policies.batch import BatchInbox
from remotemedia_native.process.bells import Bells
from remotemedia_native.process.ledger import (
    DROPPED,
    ENDED,
    GONE,
    NOW,
    NOW_MESSAGE,
    QUEUED,
    WAITING,
    WORKING,
    Ledger,
)


class Lane:
    """The receiver's side of a lane.

    Parameters
    ----------
    ledger : Ledger
        Its words.
    number : int
        Which.
    sender : str or None
        The part that sends, if that is another process.
    bells : Bells, optional
        Wake it.
    is_traced : bool
        Whether others must know what is in the queue, should this process die.

    Attributes
    ----------
    message : int
        Number of the message that is arriving.
    memory : object
        What keeps it in its topic: held until nobody has to be given it again.
    cut : int
        What is of an older generation is stale.
    reason : str
        Why that is dropped.
    words : memoryview
        Those of the ledger.
    now : int
        The place of what is worked on as it comes.
    """

    __slots__ = (
        "_base",
        "_bells",
        "_count",
        "_first",
        "_gone",
        "_inherited",
        "_mask",
        "_memory",
        "_places",
        "_sender",
        "cut",
        "is_traced",
        "memory",
        "message",
        "now",
        "number",
        "reason",
        "words",
    )

    def __init__(
        self,
        ledger: Ledger,
        number: int,
        sender: str | None = None,
        bells: Bells | None = None,
        *,
        is_traced: bool = True,
    ) -> None:
        self.number = number
        self.message = 0
        self.memory: object = None
        self.cut = 0
        self.reason = "interrupt"
        self.is_traced = is_traced
        self.words = ledger.words
        self._base = ledger.lane(number)
        self.now = self._base + NOW
        self._first, size = ledger.entries(number)
        self._mask = size - 1
        self._sender = sender
        self._bells = bells
        self._count = 0  # of what came into the queue
        self._gone = ledger.words[self._base + GONE]
        self._places: dict[int, int] = {}
        self._memory: dict[int, object] = {}  # by the place of the entry
        self._inherited: dict[int, int] = {}  # message to place

    def inherit(self) -> None:
        """Know what a predecessor has left to be taken in again."""
        words = self.words
        for place in range(self._first, self._first + 2 * self._mask + 2, 2):
            if words[place]:
                self._inherited[words[place + 1]] = place

    def is_owed(self, message: int) -> bool:
        """Whether a message that a predecessor had taken is to be taken in again."""
        return message in self._inherited

    def disown(self, message: int) -> None:
        """It is not to be taken in again, after all."""
        if self._inherited:
            self.done(self._inherited.pop(message, 0))

    def write_off(self) -> list[int]:
        """What was to be taken in again is not there; gives the sequences of what is lost."""
        words = self.words
        lost = []
        for place in self._inherited.values():
            lost.append(words[place] >> 2)
            words[place] = 0
            self._drop()
        self._inherited.clear()
        return lost

    def bury(self, reason: str) -> None:
        """All that arrives is dropped, from now on."""
        self.cut = 2**63
        self.reason = reason

    def refuse(self, reason: str, boundary: Boundary) -> None:
        """What arrives is dropped at once."""
        boundary.entered += 1
        boundary.dropped[reason] = boundary.dropped.get(reason, 0) + 1
        self._drop()

    def begin(self, sequence: int, message: int) -> None:
        """A packet is worked on as it comes, without having been in the queue.

        Whoever calls this keeps its memory, and sets the word to 0 when that is done.
        """
        words, now = self.words, self.now
        words[now + NOW_MESSAGE - NOW] = message
        words[now] = sequence << 2 | WORKING
        words[now + GONE - NOW] = self._gone = self._gone + 1
        if words[now + WAITING - NOW]:
            self._tell_sender()

    def hold_now(self, memory: object) -> None:
        """What is worked on as it comes takes longer: keep its memory, till `done`."""
        self._memory[self.now] = memory

    def end(self) -> None:
        """No more will come; an heir is to know."""
        self.words[self._base + ENDED] = 1

    def arrived(self, packet: Packet) -> None:
        """A packet is in the queue."""
        if self.is_traced:
            words = self.words
            inherited = self._inherited.pop(self.message, 0) if self._inherited else 0
            if inherited:
                place = inherited
            else:
                place = self._first + 2 * (self._count & self._mask)
                while words[place]:  # somebody is slow, or it is to be taken in again
                    self._count += 1
                    place = self._first + 2 * (self._count & self._mask)
                self._count += 1
                words[place + 1] = self.message
                words[place] = packet.sequence << 2 | QUEUED
            self._places[id(packet)] = place
            self._memory[place] = self.memory

    def taken(self, packet: Packet) -> int:
        """It is worked on now; gives its entry."""
        words, base = self.words, self._base
        place = self._places.pop(id(packet), 0)
        if place:
            words[place] += WORKING - QUEUED
        words[base + GONE] = self._gone = self._gone + 1
        if words[base + WAITING]:
            self._tell_sender()
        return place

    def dropped(self, packet: Packet) -> None:
        """It was dropped."""
        self.done(self._places.pop(id(packet), 0))
        self._drop()

    def done(self, place: int) -> None:
        """Whoever worked on it is through with it."""
        if place:
            self.words[place] = 0
            self._memory.pop(place, None)

    def _drop(self) -> None:
        words, base = self.words, self._base
        words[base + DROPPED] += 1
        words[base + GONE] = self._gone = self._gone + 1
        if words[base + WAITING]:
            self._tell_sender()

    def _tell_sender(self) -> None:
        if self._bells is not None and self._sender is not None:
            self.words[self._base + WAITING] = 0
            self._bells.ring(self._sender)


class Arrivals:
    """Mixed into a queue: counts in a lane what becomes of each packet."""

    __slots__ = ()

    lane: Lane
    inbox: Any
    packets: Any

    def offer(self, packet: Packet) -> bool:
        """As any queue."""
        if packet.data.__class__ is Control:
            self._put_ahead(packet)
        elif self._senders or self._filled():  # type: ignore[attr-defined]
            return bool(self._refuse(packet))  # type: ignore[attr-defined]
        else:
            self.force(packet)  # type: ignore[attr-defined]
        return True

    def take(self) -> Packet:
        """The first packet; whoever reads the inbox works on it."""
        first = self.packets[0]
        packet: Packet = super().take()  # type: ignore[misc]
        place = self.lane.taken(first)
        if place:
            self.inbox.began(packet, self.lane, place)
        return packet

    def _append(self, packet: Packet) -> None:
        self.lane.arrived(packet)
        super()._append(packet)  # type: ignore[misc]

    def _put_ahead(self, packet: Packet) -> None:
        self.lane.arrived(packet)
        super()._put_ahead(packet)  # type: ignore[misc]

    def _removed(self, packet: Packet) -> int:
        self.lane.dropped(packet)
        count: int = super()._removed(packet)  # type: ignore[misc]
        return count

    def _overflow(self, packet: Packet) -> None:
        policy = self.overflow  # type: ignore[attr-defined]
        if policy in ("drop_newest", "removed"):
            self.lane.refuse(policy, self)  # type: ignore[arg-type]
            self.entered -= 1  # type: ignore[attr-defined] # it was counted already
        else:
            super()._overflow(packet)  # type: ignore[misc]


class ArrivalBoundary(Arrivals, Boundary):
    """A queue in which a route ends."""

    __slots__ = ("lane",)


class ArrivalLimited(Arrivals, Limited):
    """The same, with more than a number of packets to watch."""

    __slots__ = ("lane",)


class _Worked:
    """Mixed into an inbox: knows what its reader works on.

    What was taken is done when the reader asks for more; if it runs several calls at a time, when
    it says so.
    """

    __slots__ = ()

    works: dict[int, tuple[Lane, int]]
    at_once: bool
    is_nudged: bool

    def began(self, packet: Packet, lane: Lane, place: int) -> None:
        """The reader works on a packet."""
        self.works[id(packet)] = lane, place

    def done(self, packet: Packet) -> None:
        """The reader is through with it."""
        lane, place = self.works.pop(id(packet), (None, 0))
        if lane is not None:
            lane.done(place)

    def oldest(self) -> Boundary | None:
        """As any inbox."""
        if self.works and not (self.at_once or self.is_nudged):
            for lane, place in self.works.values():
                lane.done(place)
            self.works.clear()
        found: Boundary | None = super().oldest()  # type: ignore[misc]
        return found


class PartInbox(_Worked, Inbox):
    """The inbox of an island in a part."""

    __slots__ = ("at_once", "works")

    def __init__(self, at_once: bool = False) -> None:
        super().__init__()
        self.works = {}
        self.at_once = at_once


class PartBatchInbox(_Worked, BatchInbox):
    """The same, of a node that takes several items at a time."""

    __slots__ = ("at_once", "works")

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.works = {}
        self.at_once = False
