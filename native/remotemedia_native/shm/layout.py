"""Where things are in the memory of a ring.

All are 64-bit words, in the order of the machine, each written by one process only, so that none is
ever seen half written and no atomic operation is needed (the exception, `WAITING`, says why). Words
that different processes write are on cache lines of their own.

::

    block {name}      header | segment 0
    block {name}.{k}  segment k, made by the writer when a message does not fit the slots before it

    header   magic, readers, entries, max_size | written | waiting | segments
             table of segments: slot_size, slots, claimed (slots), short (of memory, 0 or 1)
             a line per reader: taken, inherited
             entries of 2 words: mask, place
    segment  stamps[slots]             number + 1 of the message in it, 0 if none; by the writer
             masks[slots]              its readers; by the writer
             released[readers][slots]  stamp of what that reader has given back; by that reader
             data[slots][slot_size]    from a page of its own on
"""

from __future__ import annotations

import mmap
import platform
import threading

from remotemedia_native.shm.base import TopicSpec

MAGIC = int.from_bytes(b"RM-RING1", "little")
WORD = 8
LINE = 64 // WORD  # words
PAGE = mmap.PAGESIZE

READERS, ENTRIES, MAX_SIZE = 1, 2, 3
WRITTEN = LINE  # messages that are committed: what publishes them
# The writer sets it when it finds no room, a reader clears it when it makes some. Nothing depends
# on its value but who is woken.
WAITING = 2 * LINE
SEGMENTS = 3 * LINE  # that exist
TABLE = 4 * LINE
SLOT_SIZE, SLOTS, CLAIMED, SHORT, TABLE_STEP = 0, 1, 2, 3, 4
MOST_SEGMENTS = 32
LINES = TABLE + MOST_SEGMENTS * TABLE_STEP
TAKEN, INHERITED = 0, 1

ENTRY_STEP = 2
# A place: segment, slot, size.
SIZE_BITS, SLOT_BITS = 40, 16
SIZE_MASK, SLOT_MASK = (1 << SIZE_BITS) - 1, (1 << SLOT_BITS) - 1
SEGMENT_SHIFT = SIZE_BITS + SLOT_BITS

SMALL = 1 << 20  # bytes: a segment up to this size is claimed as a whole, others slot by slot
LARGE = 256 << 20  # bytes that the slots of a segment should not exceed
FEWEST = 4  # slots, unless there are fewer messages


class Header:
    """Offsets of the header of a ring, in words, but for `size`, which is in bytes.

    Parameters
    ----------
    readers, entries : int
        How many.
    """

    __slots__ = ("entries", "entry", "size")

    def __init__(self, readers: int, entries: int) -> None:
        self.entries = entries
        self.entry = LINES + readers * LINE
        self.size = (self.entry + entries * ENTRY_STEP) * WORD


class Segment:
    """Offsets of a segment: of tables in words, of data in bytes, from the start of its block.

    Parameters
    ----------
    start : int
        Of the segment in its block, bytes, a multiple of 64.
    slot_size, slots, readers : int
        Its shape.
    """

    __slots__ = ("data", "masks", "released", "size", "slot_size", "slots", "stamps", "tables")

    def __init__(self, start: int, slot_size: int, slots: int, readers: int) -> None:
        row = round_up(slots, LINE)
        self.slot_size = slot_size
        self.slots = slots
        self.stamps = start // WORD
        self.masks = self.stamps + row
        self.released = [self.masks + row * (1 + reader) for reader in range(readers)]
        self.tables = round_up((self.masks + row * (1 + readers)) * WORD, PAGE)
        self.data = self.tables
        self.size = self.data + slots * slot_size

    def claimed(self, slots: int) -> int:
        """Where the data of the first slots end, bytes."""
        return self.data + slots * self.slot_size


def first_header(spec: TopicSpec) -> Header:
    """Of a topic to be made: twice the entries, so that one slow reader of few is no obstacle."""
    return Header(spec.readers, power_of_two(max(2 * spec.messages, LINE)))


def slots_for(spec: TopicSpec, slot_size: int) -> int:
    """As many as messages, unless they are large."""
    return min(spec.messages, max(FEWEST, spec.readers + 2, LARGE // slot_size), SLOT_MASK)


def claimed_first(segment: Segment) -> int:
    """How many slots of a new segment are claimed at once."""
    return segment.slots if segment.slots * segment.slot_size <= SMALL else 1


def slot_size_for(spec: TopicSpec, size: int) -> int:
    """Of a further segment, for a message."""
    return min(power_of_two(max(size, PAGE)), round_up(spec.max_size, PAGE))


def row(segment: int) -> int:
    """The row of a segment in their table."""
    return TABLE + segment * TABLE_STEP


def segment_name(name: str, index: int) -> str:
    """Of the block of a segment."""
    return f"{name}.{index}" if index else name


def round_up(value: int, step: int) -> int:
    """To a multiple."""
    return -(-value // step) * step


def power_of_two(value: int) -> int:
    """The least that is not smaller."""
    return 1 << (value - 1).bit_length()


# x86 shows the stores of a core in their order, and loads in theirs. Others need to be told.
WEAK = platform.machine().lower() not in ("x86_64", "amd64", "i386", "i686")


def fence() -> None:
    """Let no load or store be moved from one side of it to the other.

    The operations of a lock are what Python has for that: "release", then "acquire".
    """
    lock = threading.Lock()
    lock.acquire()
    lock.release()
    lock.acquire()
