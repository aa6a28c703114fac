"""The memory of a ring as one of its ends sees it: the header, and segments, mapped when needed."""

from __future__ import annotations

import mmap
import os

from remotemedia_native.shm import layout as at
from remotemedia_native.shm.base import TopicSpec
from remotemedia_native.shm.block import make_block, map_block, open_block, remove_block

Words = memoryview  # of 64-bit words


class Mapped:
    """A segment.

    Attributes
    ----------
    index : int
        Which.
    shape : layout.Segment
        Its offsets.
    words : memoryview
        Its block up to the data, in words.
    memory : mmap
        Its whole block; read-only where the store is.
    fd : int
        Of its block, while slots of it may have to be claimed; else -1.
    """

    __slots__ = ("fd", "index", "memory", "shape", "words")

    def __init__(
        self, index: int, shape: at.Segment, words: Words, memory: mmap.mmap, fd: int
    ) -> None:
        self.index = index
        self.shape = shape
        self.words = words
        self.memory = memory
        self.fd = fd


class Store:
    """Open the memory of a ring.

    Parameters
    ----------
    spec : TopicSpec
        Which.
    writes : bool
        Whether data are written, else they are mapped read-only.

    Attributes
    ----------
    words : memoryview
        The header and the tables of segment 0.
    header : layout.Header
        Offsets.
    segments : list of Mapped
        Those that are mapped.

    Raises
    ------
    FileNotFoundError
        There is no such topic (any more).
    """

    def __init__(self, spec: TopicSpec, *, writes: bool) -> None:
        self.spec = spec
        self.header = at.first_header(spec)
        self.segments: list[Mapped] = []
        self._writes = writes
        self._map(open_block(spec.name))
        self.words = self.segments[0].words
        found = [self.words[word] for word in range(at.MAX_SIZE + 1)]
        wanted = [at.MAGIC, spec.readers, self.header.entries, spec.max_size]
        if found != wanted:
            raise ValueError(
                f"topic {spec.name!r} was made by another version, or with another spec: "
                f"its header is {found}, expected {wanted}"
            )

    def map_next(self) -> Mapped:
        """Map one segment more, which exists."""
        return self._map(open_block(at.segment_name(self.spec.name, len(self.segments))))

    def make_next(self, slot_size: int) -> Mapped:
        """Make one segment more, and tell readers.

        Raises
        ------
        SharedMemoryFullError
            There is not enough room; nothing has changed.
        """
        index = len(self.segments)
        shape = at.Segment(0, slot_size, at.slots_for(self.spec, slot_size), self.spec.readers)
        claimed = at.claimed_first(shape)
        name = at.segment_name(self.spec.name, index)
        remove_block(name)  # a writer may have died right here
        fd = make_block(name, shape.size, shape.claimed(claimed))
        describe(self.words, index, shape, claimed)
        mapped = self._map(fd)
        if at.WEAK:
            at.fence()
        self.words[at.SEGMENTS] = index + 1
        return mapped

    def close(self) -> None:
        """Let go; what was made from the memory keeps it."""
        for segment in self.segments:
            close_file(segment)

    def _map(self, fd: int) -> Mapped:
        """Map the segment of a block; takes the descriptor."""
        index = len(self.segments)
        try:
            if index:
                words, start = self.words, 0
            else:
                words = memoryview(map_block(fd, self.header.size)).cast("Q")
                start = at.round_up(self.header.size, 64)
            row = at.row(index)
            slot_size, slots, claimed = words[row : row + 3]
            shape = at.Segment(start, slot_size, slots, self.spec.readers)
            if self._writes:
                memory = map_block(fd, shape.size)
                words = memoryview(memory)[: shape.tables].cast("Q")
            else:
                memory = map_block(fd, shape.size, read_only=True)
                words = memoryview(map_block(fd, shape.tables)).cast("Q")
            keep = self._writes and claimed < slots
        except BaseException:
            os.close(fd)
            raise
        if not keep:
            os.close(fd)
        mapped = Mapped(index, shape, words, memory, fd if keep else -1)
        self.segments.append(mapped)
        return mapped


def make_store(spec: TopicSpec) -> Store:
    """Make the memory of a ring: the header and segment 0.

    Raises
    ------
    SharedMemoryFullError
        There is not enough room.
    FileExistsError
        There is a topic of that name.
    """
    header = at.first_header(spec)
    slot_size = at.round_up(max(min(spec.size, spec.max_size), 1), 64)
    if slot_size > at.PAGE:
        slot_size = at.power_of_two(slot_size)
    shape = at.Segment(
        at.round_up(header.size, 64), slot_size, at.slots_for(spec, slot_size), spec.readers
    )
    claimed = at.claimed_first(shape)
    fd = make_block(spec.name, shape.size, shape.claimed(claimed))
    try:
        words = memoryview(map_block(fd, shape.tables)).cast("Q")
    finally:
        os.close(fd)
    words[at.READERS] = spec.readers
    words[at.ENTRIES] = header.entries
    words[at.MAX_SIZE] = spec.max_size
    describe(words, 0, shape, claimed)
    words[at.SEGMENTS] = 1
    words[0] = at.MAGIC
    return Store(spec, writes=False)


def close_file(segment: Mapped) -> None:
    """Nothing of it has to be claimed any more."""
    if segment.fd >= 0:
        os.close(segment.fd)
        segment.fd = -1


def remove_store(words: Words, name: str) -> None:
    """Take away the names of all blocks of a ring."""
    # One more than there are: a writer may have died while it made it.
    for index in range(words[at.SEGMENTS] + 1):
        remove_block(at.segment_name(name, index))


def describe(words: Words, index: int, shape: at.Segment, claimed: int) -> None:
    """Write a row of the table of segments."""
    row = at.row(index)
    words[row + at.SLOT_SIZE] = shape.slot_size
    words[row + at.SLOTS] = shape.slots
    words[row + at.CLAIMED] = claimed
    words[row + at.SHORT] = 0


def check(spec: TopicSpec) -> None:
    """Refuse a spec that no ring can have.

    Raises
    ------
    ValueError
        A number is out of range.
    """
    for name, low, high in (
        ("readers", 1, 63),
        ("messages", 1, at.SLOT_MASK),
        ("borrowed", 0, at.SLOT_MASK),
        ("size", 0, at.SIZE_MASK),
        ("max_size", 1, at.SIZE_MASK),
    ):
        value = getattr(spec, name)
        if not low <= value <= high:
            raise ValueError(f"topic {spec.name!r}: {name}={value}, allowed are {low} to {high}")
