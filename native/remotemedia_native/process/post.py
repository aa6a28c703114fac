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
from remotemedia_native.process.bells import Bells
from remotemedia_native.process.crossing import Outbox
from remotemedia_native.process.envelope import END, FINISH, TAPPED, read
from remotemedia_native.process.ledger import ENDED, TAKEN_IN, Ledger
from remotemedia_native.process.messages import Again
from remotemedia_native.shm.base import Reader
from remotemedia_native.shm.bell import Bell
from remotemedia_native.shm.loop import add_bell, remove_bell

# To wake another process may take 25 µs of this one, so bells are held back while there is more
# to take in, but not for longer than this.
HOLD_S = 200e-6
AT_ONCE = 64  # messages of one topic after which others get a turn


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
    step : Step, optional
        Of the node that counts what comes from the client.
    """

    __slots__ = ("_lane", "_queue", "_step", "_target", "_unit")

    def __init__(
        self, unit: IslandUnit, queue: Boundary, lane: Lane, step: Step | None = None
    ) -> None:
        self._unit = unit
        self._queue = queue
        self._lane = lane
        self._step = step
        self._target = queue.target

    def takes(self, packet: Packet, message: int, memory: object) -> bool:
        """Work on a packet, if that can be done now."""
        unit, lane = self._unit, self._lane
        if not unit.is_free or packet.generation < lane.cut or packet.data.__class__ is Control:
            return False
        queue = self._queue
        queue.entered += 1
        queue.delivered += 1
        if self._step is not None:
            self._step.direct += 1
        lane.begin(packet, message, memory)
        if unit.work_now(self._target, packet):
            lane.done(lane.now)
        else:
            unit.inbox.began(packet, lane, lane.now)  # type: ignore[attr-defined]
        return True


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

    def open(self, reader: Reader) -> None:
        """Read this end from now on."""
        self.reader = reader

    def close(self) -> None:
        """Read no more."""
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
        if inflow.reader is None:
            return False
        take, places, destinations = inflow.reader.take, inflow.places, inflow.destinations
        listen, told, told_word = self._listen, self.told, self.told_word
        words, word, newest = inflow.words, inflow.word, inflow.newest
        began = perf_counter()
        for _ in range(AT_ONCE):
            message = take()
            if message is None:
                if inflow.is_owed and inflow.has_seen_all:
                    self._written_off(inflow.write_off())
                return False
            if told is not None and told[told_word] != self.heard:
                listen()
            number, view = message
            is_again = number < newest
            if is_again and not inflow.is_owed:
                continue
            if inflow.is_owed and not is_again:
                self._written_off(inflow.write_off())
            form, route, packet = read(view, places)
            del message
            if packet is None:
                if not is_again:
                    self._take_mark(form, route, inflow)
            else:
                if form == TAPPED:
                    self._tapped(route, packet)
                else:
                    destination = destinations[route]
                    shortcut = destination.shortcut
                    if shortcut is None or is_again or not shortcut.takes(packet, number, view):
                        destination.take_in(packet, number, view, is_again)
                del packet
            del view
            if words is not None and not is_again:
                words[word] = number + 1
            if perf_counter() - began > HOLD_S:
                self.bells.ring_held()
                self.bells.hold()
                began = perf_counter()
        return True

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
