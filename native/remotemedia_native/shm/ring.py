"""Topics in plain POSIX shared memory: words, each with one writer, and slots for messages.

What a message needs is in its slot before the count of messages says that it is there, and a slot
is used again only when all readers to whom it went have written its number beside it. So either
side may be killed between any two instructions: an end that is opened again reads from the memory
where its predecessor was. See `layout.py` for the memory, `base.py` for the contract. Beyond that:

- A message that does not fit the slots makes the writer add a segment of larger ones, up to
  `TopicSpec.max_size`: as many slots as `messages`, but not more than 256 MiB of them (and at least
  4). Its memory is claimed slot by slot, as traffic needs it. If the host has no more, a topic goes
  on with what it has (readers then copy rather than borrow, and a warning says so); only when it
  has none at all for a message of that size, `loan` raises.
- Readers together never borrow the last slot of a segment: if all hold as many as they may,
  they copy what comes, so that the writer goes on.
- **Lost rings.** `loan` that gives None asks for the bell, then looks again. A reader that makes
  room at that very moment may, on its own core, not have seen the question yet: so who waits for
  the bell should look again every few milliseconds.
- A reader that is not addressed need not call `take`; it holds nobody up.
- `Topic.forget_reader` with a `resume` before `taken` gives the heir again what the dead reader
  had taken from there on and *not given back*, at most `messages` back. Who wants a message
  redelivered keeps its view until it is done with; one that was copied, because too many were
  borrowed, is not given again.
"""

from __future__ import annotations

from remotemedia_native.shm import layout as at
from remotemedia_native.shm.base import Ring, TopicSpec
from remotemedia_native.shm.block import missing
from remotemedia_native.shm.ring_reader import RingReader
from remotemedia_native.shm.ring_writer import RingWriter, drop_uncommitted
from remotemedia_native.shm.store import Mapped, Store, check, make_store, remove_store


class RingTopic:
    """See `remotemedia_native.shm.base.Topic`."""

    def __init__(self, spec: TopicSpec) -> None:
        self.spec = spec
        self._store: Store | None = make_store(spec)
        self._words = self._store.words

    def taken(self, reader: int) -> int:
        """See `Topic`."""
        return self._words[self._line(reader) + at.TAKEN]

    def forget_reader(self, reader: int, resume: int) -> None:
        """See `Topic`."""
        line = self._line(reader)
        words = self._words
        taken = words[line + at.TAKEN]
        written = words[at.WRITTEN]
        if not 0 <= resume <= written:
            raise ValueError(f"reader {reader} cannot resume at {resume}: 0 to {written} can be")
        for segment in self._all_segments():
            shape = segment.shape
            for slot in range(shape.slots):
                stamp = segment.words[shape.stamps + slot]
                # One that is for others only is not asked about; one that is written now is later.
                if 0 < stamp <= resume:
                    segment.words[shape.released[reader] + slot] = stamp
        # A second death, before all was taken again, must not shorten it.
        words[line + at.INHERITED] = max(taken, words[line + at.INHERITED])
        words[line + at.TAKEN] = resume

    def forget_writer(self) -> None:
        """See `Topic`."""
        self._all_segments()
        if self._store is not None:
            drop_uncommitted(self._store)

    def close(self) -> None:
        """See `Topic`."""
        if self._store is not None:
            self._store.close()
            self._store = None
            remove_store(self._words, self.spec.name)

    def _line(self, reader: int) -> int:
        if not 0 <= reader < self.spec.readers:
            raise ValueError(
                f"topic {self.spec.name!r} has readers 0 to {self.spec.readers - 1}, not {reader}"
            )
        return at.LINES + reader * at.LINE

    def _all_segments(self) -> list[Mapped]:
        store = self._store
        if store is None:
            return []
        while len(store.segments) < self._words[at.SEGMENTS]:
            store.map_next()
        return store.segments


def make(spec: TopicSpec) -> RingTopic:
    """See `Kind`."""
    check(spec)
    return RingTopic(spec)


def open_writer(spec: TopicSpec) -> RingWriter:
    """See `Kind`."""
    return RingWriter(spec)


def open_reader(spec: TopicSpec, reader: int, ring_writer: Ring) -> RingReader:
    """See `Kind`."""
    return RingReader(spec, reader, ring_writer)


def available() -> str:
    """See `Kind`."""
    return missing()
