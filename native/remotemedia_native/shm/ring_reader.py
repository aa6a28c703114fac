"""The reading end of a ring."""

from __future__ import annotations

from typing import Final

import numpy as np

from remotemedia_native.shm import layout as at
from remotemedia_native.shm.base import Bytes, Message, Ring, Statistics, TopicSpec
from remotemedia_native.shm.store import Mapped, Store, Words

_U8: Final = np.dtype(np.uint8)
_new: Final = tuple.__new__  # 0.2 µs less than to call a NamedTuple


class RingReader:
    """See `remotemedia_native.shm.base.Reader`.

    It takes up where its predecessor died, or where `Topic.forget_reader` says.
    """

    def __init__(self, spec: TopicSpec, reader: int, ring_writer: Ring) -> None:
        if not 0 <= reader < spec.readers:
            raise ValueError(
                f"topic {spec.name!r} has readers 0 to {spec.readers - 1}, not {reader}"
            )
        self.spec = spec
        self._reader = reader
        self._ring = ring_writer
        self._store = store = Store(spec, writes=False)
        self._words = store.words
        self._bit = 1 << reader
        self._entry = store.header.entry
        self._last = store.header.entries - 1
        self._taken = at.LINES + reader * at.LINE + at.TAKEN
        self._next = self._words[self._taken]
        self._seen = self._next  # messages that are known to be written
        self._inherited = self._words[self._taken - at.TAKEN + at.INHERITED]
        self._segments = [self._shelf(segment) for segment in store.segments]
        self._messages = 0
        self._bytes = 0
        self._copied = 0

    def take(self) -> Message | None:
        """See `Reader`."""
        found = self.take_all(1)
        return found[0] if found else None

    def take_all(self, most: int) -> list[Message]:
        """See `Reader`.

        Real-time path.
        """
        found: list[Message] = []
        number, seen, words, bit = self._next, self._seen, self._words, self._bit
        first, last, inherited = self._entry, self._last, self._inherited
        segments, taken, weak = self._segments, self._taken, at.WEAK
        while len(found) < most:
            if number == seen:
                seen = words[at.WRITTEN]
                if inherited and number >= inherited:
                    self._give_back_lost()
                    inherited = 0
                if number == seen:
                    break
                if weak:
                    at.fence()
                # Entries older than that are written over: none was for this reader.
                number = max(number, seen - last - 1)
            entry = first + (number & last) * at.ENTRY_STEP
            stamp = number + 1
            if words[entry] & bit:
                if weak:
                    at.fence()
                place = words[entry + 1]
                shelf = segments[0]
                if place >> at.SEGMENT_SHIFT:
                    shelf = self._shelf_at(place >> at.SEGMENT_SHIFT)
                slot = place >> at.SIZE_BITS & at.SLOT_MASK
                # Else another message has taken the place of this one meanwhile; or it was the
                # predecessor's, who has given it back.
                if shelf.words[shelf.stamps + slot] == stamp and (
                    number >= inherited or shelf.released[slot] != stamp
                ):
                    size = place & at.SIZE_MASK
                    lent = shelf.lent
                    if len(lent) < shelf.limit and not (shelf.short and self._is_short(shelf)):
                        held = _Held(
                            (size,), _U8, shelf.memory, shelf.data + slot * shelf.slot_size
                        )
                        lent.add(slot)
                        held.loan = (lent, shelf.released, slot, stamp, words, self._ring)
                        # a third of what `np.ndarray(…, held)` costs
                        view: Bytes = held.view(np.ndarray)
                        del held
                    elif found:
                        break  # what is copied is given back at once: so it comes alone
                    else:
                        view = self._copy(shelf, slot, size, stamp)
                    self._bytes += size
                    found.append(_new(Message, (number, view)))
                    del view
            number = stamp
        self._seen = seen
        if found or number != self._next:
            words[taken] = self._next = number
            if words[at.WAITING]:
                words[at.WAITING] = 0
                self._ring()
        self._messages += len(found)
        found.reverse()
        return found

    def statistics(self) -> Statistics:
        """See `Reader`."""
        lent = sum(len(shelf.lent) for shelf in self._segments)
        return Statistics(self._messages, self._bytes, self._copied, lent, 0)

    def close(self) -> None:
        """See `Reader`."""
        self._store.close()

    def _give_back_lost(self) -> None:
        """Give back what the predecessor had borrowed and whose entry is gone: nobody takes it."""
        self._shelf_at(self._words[at.SEGMENTS] - 1)
        for shelf in self._segments:
            for slot in range(len(shelf.released)):
                stamp = shelf.words[shelf.stamps + slot]
                if stamp <= self._inherited and slot not in shelf.lent:
                    shelf.released[slot] = stamp
        self._inherited = 0

    def _copy(self, shelf: _Shelf, slot: int, size: int, stamp: int) -> Bytes:
        """Take a copy of a message, and give it back."""
        # Its start is aligned as in shared memory.
        room = np.empty(size + 64, np.uint8)
        start = -room.ctypes.data % 64
        view: Bytes = room[start : start + size]
        view[:] = np.ndarray((size,), _U8, shelf.memory, shelf.data + slot * shelf.slot_size)
        view.flags.writeable = False
        self._words[self._taken] = self._next = stamp
        self._copied += 1
        if at.WEAK:
            at.fence()
        shelf.released[slot] = stamp
        return view

    def _shelf_at(self, index: int) -> _Shelf:
        while index >= len(self._segments):
            self._segments.append(self._shelf(self._store.map_next()))
        return self._segments[index]

    def _shelf(self, segment: Mapped) -> _Shelf:
        return _Shelf(segment, self._reader, self.spec)

    def _is_short(self, shelf: _Shelf) -> bool:
        """Whether there is no memory for all slots, and too few are left to borrow one."""
        words = self._words
        if not words[shelf.short]:
            return False
        claimed = words[shelf.short - at.SHORT + at.CLAIMED]
        return len(shelf.lent) >= (claimed - 1) // self.spec.readers


class _Shelf:
    """A segment, and what a reader has borrowed of it.

    Attributes
    ----------
    lent : set of int
        Slots that are borrowed.
    limit : int
        How many may be: when all readers borrow as many, one is left for the writer.
    short : int
        Where the header says whether there is no memory for all slots; 0 if there surely is.
    """

    __slots__ = (
        "data", "lent", "limit", "memory", "released", "short", "slot_size", "stamps", "words",
    )  # fmt: skip

    def __init__(self, segment: Mapped, reader: int, spec: TopicSpec) -> None:
        shape = segment.shape
        start = shape.released[reader]
        self.words = segment.words
        self.memory = segment.memory
        self.stamps = shape.stamps
        self.data = shape.data
        self.slot_size = shape.slot_size
        self.released: Words = segment.words[start : start + shape.slots]
        self.lent: set[int] = set()
        self.limit = min(spec.borrowed, (shape.slots - 1) // spec.readers)
        all_claimed = at.claimed_first(shape) == shape.slots
        self.short = 0 if all_claimed else at.row(segment.index) + at.SHORT


_Loan = tuple[set[int], Words, int, int, Words, Ring]


class _Held(np.ndarray[tuple[int], np.dtype[np.uint8]]):
    """The memory of a message; its end gives it back.

    It stands below the array that is handed out. NumPy lets an array that is made from another one
    refer to the first of them all, but stops before one of another class: so whatever is made of
    the view refers to this, directly or not. A weak reference to a `memoryview` would not do, for
    NumPy looks through that.
    """

    __slots__ = ("loan",)
    loan: _Loan

    def __del__(self) -> None:  # in any thread
        try:
            lent, released, slot, stamp, words, ring = self.loan
        except AttributeError:
            return  # made of one, by who reached for the base of a view
        lent.discard(slot)
        if at.WEAK:
            at.fence()
        released[slot] = stamp
        if words[at.WAITING]:
            words[at.WAITING] = 0
            ring()
