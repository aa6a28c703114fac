"""The writing end of a ring."""

from __future__ import annotations

import logging
from collections import deque
from typing import Final

import numpy as np

from remotemedia_native.shm import layout as at
from remotemedia_native.shm.base import Bytes, Statistics, TopicSpec
from remotemedia_native.shm.errors import MessageTooLargeError, SharedMemoryFullError
from remotemedia_native.shm.space import claim
from remotemedia_native.shm.store import Mapped, Store, Words, close_file

_U8: Final = np.dtype(np.uint8)
_log = logging.getLogger("remotemedia.shm")


class RingWriter:
    """See `remotemedia_native.shm.base.Writer`.

    It takes up where its predecessor died: what that had not committed is free again.
    """

    def __init__(self, spec: TopicSpec) -> None:
        self.spec = spec
        self._store = store = Store(spec, writes=True)
        while len(store.segments) < store.words[at.SEGMENTS]:
            store.map_next()
        drop_uncommitted(store)
        self._words = store.words
        self._taken = [at.LINES + reader * at.LINE + at.TAKEN for reader in range(spec.readers)]
        self._entry = store.header.entry
        self._entries = store.header.entries
        self._last = store.header.entries - 1
        self._written = self._words[at.WRITTEN]
        self._limit = 0  # numbers below it have an entry that no reader needs any more
        # The last number that is for each reader: of a predecessor's messages all may be.
        self._last_for = [self._written - 1] * spec.readers
        self._addressed: dict[int, tuple[int, ...]] = {}  # mask to readers
        self._pools = [_Pool(store, segment) for segment in store.segments]
        self._first = self._pools[0]
        self._fits = min(self._first.slot_size, spec.max_size)
        self._loaned: _Pool | None = None
        self._size = 0
        self._began = self._written
        self._bytes = 0
        self._refused = 0

    def loan(self, size: int) -> Bytes | None:
        """See `Writer`."""
        if self._loaned is not None:
            raise RuntimeError("one message is loaned already: commit or discard it first")
        pool = self._first
        if size > self._fits:
            pool = self._pool_for(size)
        if self._written >= self._limit and not self._has_entry() and not self._waited(None):
            return None
        if not pool.take() and not self._waited(pool):
            return None
        self._loaned = pool
        self._size = size
        return np.ndarray((size,), _U8, pool.memory, pool.data + pool.slot * pool.slot_size)

    def send(self, readers: int, head: bytes, body: Words) -> int:
        """See `Writer`: `loan` and `commit` in one piece, for what is sent most."""
        if self._loaned is not None:
            raise RuntimeError("one message is loaned already: commit or discard it first")
        middle = len(head)
        size = middle + len(body)
        pool = self._first
        if size > self._fits:
            pool = self._pool_for(size)
        if self._written >= self._limit and not self._has_entry() and not self._waited(None):
            return -1
        busy = pool.busy
        slot = -1
        if busy:  # as in `take` of the pool
            oldest, stamp, rows = busy[0]
            for row in rows:
                if row[oldest] != stamp:
                    break
            else:
                busy.popleft()
                slot = oldest
        if slot < 0:
            if not pool.take() and not self._waited(pool):
                return -1
            slot = pool.slot
        start = pool.data + slot * pool.slot_size
        memory = pool.view
        memory[start : start + middle] = head
        memory[start + middle : start + size] = body
        return self._publish(pool, slot, size, readers)

    def commit(self, readers: int = 1) -> int:
        """See `Writer`."""
        pool = self._loaned
        if pool is None:
            raise RuntimeError("nothing is loaned")
        number = self._publish(pool, pool.slot, self._size, readers)
        self._loaned = None
        return number

    def _publish(self, pool: _Pool, slot: int, size: int, readers: int) -> int:
        """Let readers see what is in a slot."""
        rows = pool.rows.get(readers)
        if rows is None:
            rows = pool.rows_of(readers)
        words = self._words
        number = self._written
        # Until `WRITTEN` says so nobody has seen it: a successor takes such a stamp for none, which
        # is why it comes before all else.
        pool.words[pool.stamps + slot] = number + 1
        pool.words[pool.masks + slot] = readers
        entry = self._entry + (number & self._last) * at.ENTRY_STEP
        words[entry + 1] = pool.place | slot << at.SIZE_BITS | size
        if at.WEAK:
            at.fence()
        words[entry] = readers
        if at.WEAK:
            at.fence()
        words[at.WRITTEN] = self._written = number + 1
        pool.busy.append((slot, number + 1, rows))
        last_for = self._last_for
        for reader in self._addressed.get(readers) or self._readers_of(readers):
            last_for[reader] = number
        self._bytes += size
        return number

    def discard(self) -> None:
        """See `Writer`."""
        if self._loaned is not None:
            self._loaned.free.append(self._loaned.slot)
            self._loaned = None

    def refresh(self) -> None:
        """See `Writer`; nothing is to be done here."""

    def statistics(self) -> Statistics:
        """See `Writer`."""
        lent = int(self._loaned is not None)
        return Statistics(self._written - self._began, self._bytes, 0, lent, self._refused)

    def close(self) -> None:
        """See `Writer`."""
        self._loaned = None
        self._store.close()

    def _pool_for(self, size: int) -> _Pool:
        """The first of slots that are large enough; made if there is none."""
        if size > self.spec.max_size:
            raise MessageTooLargeError(self.spec.name, size, self.spec.max_size)
        for pool in self._pools:
            if size <= pool.slot_size:
                return pool
        pool = _Pool(self._store, self._store.make_next(at.slot_size_for(self.spec, size)))
        self._pools.append(pool)
        return pool

    def _has_entry(self) -> bool:
        """Whether the entry of the next message is free: all have taken what it says."""
        words = self._words
        old = self._written - self._entries
        least = self._written  # of what is still needed
        for reader, word in enumerate(self._taken):
            taken = words[word]
            if taken <= self._last_for[reader] and taken < least:
                least = taken
        if least <= old:  # somebody is slow: but this very entry may be for others
            mask = words[self._entry + (old & self._last) * at.ENTRY_STEP]
            for reader, word in enumerate(self._taken):
                if mask >> reader & 1 and words[word] <= old:
                    return False
        self._limit = max(least + self._entries, self._written + 1)
        return True

    def _readers_of(self, mask: int) -> tuple[int, ...]:
        """The readers of a mask."""
        found = tuple(reader for reader in range(self.spec.readers) if mask >> reader & 1)
        if len(self._addressed) < 1024:
            self._addressed[mask] = found
        return found

    def _waited(self, pool: _Pool | None) -> bool:
        """Ask for the bell, and look again; whether there is room after all."""
        self._words[at.WAITING] = 1
        at.fence()
        if pool.take() if pool is not None else self._has_entry():
            return True
        self._refused += 1
        return False


class _Pool:
    """Slots of a segment, of which the writer knows who has them.

    Attributes
    ----------
    slot : int
        What `take` took.
    free : list of int
        Slots that nobody has.
    busy : deque of tuple
        Slots with a message, the oldest first: its stamp, and who must give it back.
    rows : dict of int to tuple of memoryview
        Mask → where its readers say what they have given back.
    """

    __slots__ = (
        "_claimed_at",
        "_segment",
        "_short_at",
        "_store",
        "busy",
        "data",
        "free",
        "masks",
        "memory",
        "place",
        "rows",
        "slot",
        "slot_size",
        "stamps",
        "view",
        "words",
    )

    def __init__(self, store: Store, segment: Mapped) -> None:
        shape = segment.shape
        self._store = store
        self._segment = segment
        self._claimed_at = at.row(segment.index) + at.CLAIMED
        self._short_at = at.row(segment.index) + at.SHORT
        self.rows: dict[int, tuple[Words, ...]] = {}
        self.words = segment.words
        self.memory = segment.memory
        self.view = memoryview(segment.memory)
        self.stamps = shape.stamps
        self.masks = shape.masks
        self.data = shape.data
        self.slot_size = shape.slot_size
        self.place = segment.index << at.SEGMENT_SHIFT
        self.slot = -1
        self.free: list[int] = []
        self.busy: deque[tuple[int, int, tuple[Words, ...]]] = deque()
        found = []
        for slot in range(store.words[self._claimed_at]):
            stamp = self.words[self.stamps + slot]
            if stamp:
                found.append((slot, stamp, self.rows_of(self.words[self.masks + slot])))
            else:
                self.free.append(slot)
        self.busy.extend(sorted(found, key=lambda one: one[1]))

    def take(self) -> bool:
        """Take a slot; false if all have a message that somebody needs.

        Raises
        ------
        SharedMemoryFullError
            There is no memory for a single slot of this size.
        """
        busy = self.busy
        # The oldest is likely to be free, and the processor still has it in its cache.
        if busy:
            slot, stamp, rows = busy[0]
            for row in rows:
                if row[slot] != stamp:
                    break
            else:
                busy.popleft()
                self.slot = slot
                return True
        if not self.free and not self._collect() and not self._claim():
            return False
        self.slot = self.free.pop()
        return True

    def rows_of(self, mask: int) -> tuple[Words, ...]:
        """Where the readers of a mask say what they have given back."""
        shape = self._segment.shape
        if mask >> len(shape.released):
            raise ValueError(
                f"topic {self._store.spec.name!r} has {len(shape.released)} readers, "
                f"but a message is for those of mask {mask:#b}"
            )
        rows = tuple(
            self.words[start : start + shape.slots]
            for reader, start in enumerate(shape.released)
            if mask >> reader & 1
        )
        if len(self.rows) < 1024:
            self.rows[mask] = rows
        return rows

    def _collect(self) -> bool:
        """Find what was given back out of order; whether there is any."""
        kept = []
        for one in self.busy:
            slot, stamp, rows = one
            if all(row[slot] == stamp for row in rows):
                self.free.append(slot)
            else:
                kept.append(one)
        if self.free:
            self.busy = deque(kept)
        return bool(self.free)

    def _claim(self) -> bool:
        """Claim memory for one slot more; false if there is none, but messages to wait for."""
        segment = self._segment
        if segment.fd < 0:
            return False  # all are
        shape = segment.shape
        slots = self._store.words[self._claimed_at]
        try:
            claim(segment.fd, shape.claimed(slots), shape.slot_size, self._store.spec.name)
        except SharedMemoryFullError as error:
            if not self.busy:
                raise
            if not self._store.words[self._short_at]:
                self._store.words[self._short_at] = 1
                _log.warning("%s; going on with %d messages at a time", error, slots)
            return False
        self._store.words[self._claimed_at] = slots + 1
        self.free.append(slots)
        if slots + 1 == shape.slots:
            close_file(segment)
        return True


def drop_uncommitted(store: Store) -> None:
    """Free what a dead writer had loaned, or was about to commit."""
    written = store.words[at.WRITTEN]
    for segment in store.segments:
        for slot in range(segment.shape.slots):
            if segment.words[segment.shape.stamps + slot] > written:
                segment.words[segment.shape.stamps + slot] = 0
