"""Post: what comes into a process by its topics, and whose queues it goes to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Set
from time import perf_counter

from remotemedia.data import Control, Packet
from remotemedia.session.boundary import Boundary
from remotemedia.session.chain import Step
from remotemedia.session.unit import IslandUnit
from remotemedia_native.process.arrival import Arrivals, Lane
from remotemedia_native.process.bells import HOLD_S, Bells
from remotemedia_native.process.crossing import Outbox
from remotemedia_native.process.envelope import (
    AUDIO,
    END,
    FINISH,
    TAPPED,
    audio_packet,
    read,
    unpack,
)
from remotemedia_native.process.ledger import ENDED, TAKEN_IN, Ledger
from remotemedia_native.process.messages import Again
from remotemedia_native.shm.base import Message, Reader
from remotemedia_native.shm.bell import Bell
from remotemedia_native.shm.loop import add_bell, remove_bell

AT_ONCE = 64  # messages of one topic after which others get a turn
BATCH = 16  # of which so many are taken at a time


class Destination:
    """The queues of this process in which a route ends.

    Attributes
    ----------
    queues : list of Boundary
        Each is one of `Arrivals`.
    """

    __slots__ = ("is_lossless", "lanes", "queues", "shortcut")

    def __init__(self) -> None:
        self.shortcut: Shortcut | None = None
        self.queues: list[Boundary] = []
        self.lanes: list[Lane] = []
        self.is_lossless: list[bool] = []

    def add(self, queue: Boundary, lane: Lane, is_lossless: bool) -> None:
        """One more."""
        assert isinstance(queue, Arrivals)  # noqa: S101 - for the type checker
        queue.lane = lane
        self.queues.append(queue)
        self.lanes.append(lane)
        self.is_lossless.append(is_lossless)

    def take_in(self, packet: Packet, message: int, memory: object, is_again: bool) -> None:
        """Put a packet into the queues.

        Parameters
        ----------
        packet : Packet
        message : int
            Its number in the topic.
        memory : object
            What keeps it there.
        is_again : bool
            Whether a predecessor had taken it: then it is for those only that had not begun it.
        """
        for queue, lane, is_lossless in zip(self.queues, self.lanes, self.is_lossless, strict=True):
            if is_again and not lane.is_owed(message):
                continue
            if packet.generation < lane.cut:
                lane.disown(message)
                lane.refuse(lane.reason, queue)
                continue
            lane.message, lane.memory = message, memory
            if is_lossless and packet.data.__class__ is not Control:
                queue.force(packet)  # its sender has seen to it that there is room
            else:
                lane.disown(message)  # it may be dropped, or merged with another
                queue.offer(packet)
            lane.memory = None

    def end(self) -> None:
        """No more will come."""
        for queue, lane in zip(self.queues, self.lanes, strict=True):
            lane.end()
            queue.end()


class Shortcut:
    """From a route straight into an island that waits for something, past its queue.

    Parameters
    ----------
    unit : IslandUnit
        Who works there.
    queue : Boundary
        Past which.
    lane : Lane
        In which it is counted.
    route : int
        Which.
    step : Step, optional
        Of the node that counts what comes from the client.
    """

    __slots__ = ("lane", "queue", "route", "step", "target", "unit")

    def __init__(
        self, unit: IslandUnit, queue: Boundary, lane: Lane, route: int, step: Step | None = None
    ) -> None:
        self.route = route
        self.unit = unit
        self.queue = queue
        self.lane = lane
        self.step = step
        self.target = queue.target

    def takes(self, packet: Packet, message: int, memory: object) -> bool:
        """Work on a packet, if that can be done now.

        Real-time path.
        """
        unit, lane = self.unit, self.lane
        if not unit.is_free or packet.generation < lane.cut or packet.data.__class__ is Control:
            return False
        self._count(1)
        lane.begin(packet.sequence, message)
        if unit.work_now(self.target, packet):
            lane.words[lane.now] = 0
        else:
            self._hold(packet, memory)
        return True

    def run(self, post: Post, inflow: Inflow, batch: list[Message], until: float) -> None:
        """`takes`, for what comes next in a batch, as long as it is plain audio for here.

        Real-time path.

        Parameters
        ----------
        post : Post
            What is told to it comes first.
        inflow : Inflow
            Whose batch it is.
        batch : list of Message
            The last is the next.
        until : float
            The reading of the clock after which it is to stop.
        """
        unit, lane, target, route = self.unit, self.lane, self.target, self.route
        told, told_word, heard = post.told, post.told_word, post.heard
        node, port = inflow.places[route]
        taken_in, taken_in_word = inflow.words, inflow.word
        words, now, work, count = lane.words, lane.now, unit.work_now, 0
        while batch and unit.is_free and perf_counter() < until:
            if told is not None and told[told_word] != heard:
                break
            number, view = batch[-1]
            head = unpack(view, 0)
            if head[0] != AUDIO or head[2] != route or head[8] < lane.cut:
                break
            del batch[-1]
            count += 1
            packet = audio_packet(head, view, node, port)
            lane.begin(packet.sequence, number)
            if work(target, packet):
                words[now] = 0
            else:
                self._hold(packet, view)
            if taken_in is not None:
                taken_in[taken_in_word] = number + 1
        self._count(count)

    def _count(self, packets: int) -> None:
        self.queue.entered += packets
        self.queue.delivered += packets
        if self.step is not None:
            self.step.direct += packets

    def _hold(self, packet: Packet, memory: object) -> None:
        """The work on a packet takes longer."""
        lane = self.lane
        lane.hold_now(memory)
        self.unit.inbox.began(packet, lane, lane.now)  # type: ignore[attr-defined]


class Inflow:
    """One topic that is read.

    Parameters
    ----------
    places : list of (str, str)
        Of each route the node and port that its packets come from.
    again : Again
        What a predecessor had taken.

    Attributes
    ----------
    newest : int
        Messages before this number came to a predecessor.
    batch : list of Message
        What was taken and is to be taken in, the last first.
    shortcut : Shortcut or None
        What the last packet was taken in by, if by one.
    words, word
        Where it is noted which messages were taken in, if an heir needs that.
    """

    def __init__(self, places: list[tuple[str, str]], again: Again | None = None) -> None:
        self.reader: Reader | None = None
        self.destinations: dict[int, Destination] = {}
        self.places = places
        self.newest = again.taken if again is not None else 0
        self.is_owed = again is not None and bool(again.held)
        self.words: memoryview | None = None
        self.word = 0
        self.batch: list[Message] = []
        self.shortcut: Shortcut | None = None

    def open(self, reader: Reader) -> None:
        """Read this end from now on."""
        self.reader = reader

    def close(self) -> None:
        """Read no more."""
        self.batch.clear()
        if self.reader is not None:
            self.reader.close()
            self.reader = None

    def count_in(self, ledger: Ledger, lane: int) -> None:
        """Note in a lane which messages were taken in, for an heir."""
        self.words, self.word = ledger.words, ledger.lane(lane) + TAKEN_IN

    def finished(self) -> None:
        """The client sends no more; an heir is to know."""
        if self.words is not None:
            self.words[self.word - TAKEN_IN + ENDED] = 1

    def destination(self, route: int) -> Destination:
        """Where a route ends here."""
        return self.destinations.setdefault(route, Destination())

    @property
    def has_seen_all(self) -> bool:
        """Whether what is not there now will not come: iceoryx2 gives it when the writer looks."""
        return self.reader is not None and self.reader.spec.kind == "ring"

    def write_off(self) -> list[tuple[str, int]]:
        """What was to be given again and is not there: node and sequence of each."""
        self.is_owed = False
        return [
            (queue.target[0], sequence)
            for destination in self.destinations.values()
            for queue, lane in zip(destination.queues, destination.lanes, strict=True)
            for sequence in lane.write_off()
        ]


class Post:
    """All that a process reads, and all that it writes: woken by its bell.

    Parameters
    ----------
    bell : Bell
        Its own.
    bells : Bells
        Those of others.
    listen : callable
        Called before a packet is taken in, when there is something to hear first.
    written_off : callable
        Told of what a predecessor had not begun, and that is not there to be taken in again.
    finished : callable
        Called when the client sends no more.
    tapped : callable
        Called with a packet that is only shown, and its route.

    Attributes
    ----------
    told, told_word
        The word that counts what this process was told, if somebody tells it anything.
    heard : int
        How much of that it has heard.
    """

    def __init__(
        self,
        bell: Bell,
        bells: Bells,
        listen: Callable[[], None],
        written_off: Callable[[list[tuple[str, int]]], None],
        finished: Callable[[], None],
        tapped: Callable[[int, Packet], None],
    ) -> None:
        self.bell = bell
        self.bells = bells
        self.inflows: list[Inflow] = []
        self.outboxes: list[Outbox] = []
        self.told: memoryview | None = None
        self.told_word = 0
        self.heard = 0
        self._listen = listen
        self._written_off = written_off
        self._finished = finished
        self._tapped = tapped
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Read when the bell rings, from now on."""
        self._loop = asyncio.get_running_loop()
        add_bell(self._loop, self.bell, self.look)
        self.look()

    def stop(self) -> None:
        """Read no more, and let go."""
        if self._loop is not None:
            remove_bell(self._loop, self.bell)
            self._loop = None
        for outbox in self.outboxes:
            outbox.close()
        for inflow in self.inflows:
            inflow.close()

    def look(self) -> None:
        """Take in all that is there, and let those go on who wait for room."""
        bells = self.bells
        bells.hold()
        try:
            for inflow in self.inflows:
                if self._read(inflow) and self._loop is not None:
                    self._loop.call_soon(self._look_on)
            for outbox in self.outboxes:
                outbox.look()
        finally:
            bells.ring_held()

    def _look_on(self) -> None:
        if self._loop is not None:
            self.look()

    def _read(self, inflow: Inflow) -> bool:
        """Take in what is there; whether there may be more."""
        reader, batch = inflow.reader, inflow.batch
        if reader is None:
            return False
        taken = 0
        began = perf_counter()
        while batch or taken < AT_ONCE:
            if not batch:
                batch = inflow.batch = reader.take_all(BATCH)
                if not batch:
                    if inflow.is_owed and inflow.has_seen_all:
                        self._written_off(inflow.write_off())
                    return False
                taken += len(batch)
            if inflow.shortcut is not None and not inflow.is_owed:
                inflow.shortcut.run(self, inflow, batch, began + HOLD_S)
            if batch:
                self._take_in(inflow, batch)
            if perf_counter() - began > HOLD_S:
                self.bells.ring_held()
                self.bells.hold()
                began = perf_counter()
        return True

    def _take_in(self, inflow: Inflow, batch: list[Message]) -> None:
        """Take in the next message of a batch, and others after it if they are quickly done."""
        if self.told is not None and self.told[self.told_word] != self.heard:
            self._listen()
        number, view = batch.pop()
        is_again = number < inflow.newest
        if is_again and not inflow.is_owed:
            return
        if inflow.is_owed and not is_again:
            self._written_off(inflow.write_off())
        form, route, packet = read(view, inflow.places)
        if packet is None:
            if not is_again:
                self._take_mark(form, route, inflow)
        elif form == TAPPED:
            self._tapped(route, packet)
        else:
            destination = inflow.destinations[route]
            shortcut = destination.shortcut
            if shortcut is not None and not is_again and shortcut.takes(packet, number, view):
                inflow.shortcut = shortcut
            else:
                destination.take_in(packet, number, view, is_again)
        if inflow.words is not None and not is_again:
            inflow.words[inflow.word] = number + 1

    def _take_mark(self, form: int, route: int, inflow: Inflow) -> None:
        if form == END:
            inflow.destinations[route].end()
        elif form == FINISH:
            inflow.finished()
            self._finished()


def set_cuts(inflows: Iterable[Inflow], cut: int, nodes: Set[str]) -> None:
    """What is on its way from or to some nodes, and of an older generation, is stale."""
    for inflow in inflows:
        for destination in inflow.destinations.values():
            for queue, lane in zip(destination.queues, destination.lanes, strict=True):
                if queue.node in nodes or queue.target[0] in nodes:
                    lane.cut = cut
