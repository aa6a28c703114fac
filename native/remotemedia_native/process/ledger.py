"""Ledger: what is counted of every lane of a session, where all its processes see it.

A *lane* is what leads from one process to a queue in another: an edge that crosses, or what the
client sends to a node elsewhere. Its sender counts what it has sent, its receiver what is gone from
the queue; each word has one writer. From that the sender knows how much room there is, the session
knows its metrics, and whoever outlives a dead process knows what was in it.

The memory is anonymous: it has no name that could be left behind.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from remotemedia_native.process.messages import Held

SENT, GONE, DROPPED, WAITING, ENDED, NOW, NOW_MESSAGE = range(7)
TAKEN_IN = GONE  # of what counts the messages of a topic
_WORDS = 8  # of a lane: one cache line
_OF_PART = 2  # words of a part, before all lanes: what it is told, and its signs of life
BYTES = 8

FREE, QUEUED, WORKING = 0, 1, 2
"""What an entry stands for: nothing, an item in the queue, one that is worked on."""


class Ledger:
    """The words, and the entries of what is in each queue.

    Parameters
    ----------
    fd : int
        The memory.
    sizes : sequence of int
        For each lane, how many items its queue and whoever works on them may hold.
    parts : int
        How many parts there are.

    Attributes
    ----------
    words : memoryview of uint64
    """

    def __init__(self, fd: int, sizes: Sequence[int], parts: int) -> None:
        self.fd = fd
        self._first = -(-_OF_PART * parts // _WORDS) * _WORDS
        self.sizes = [1 << max(1, size - 1).bit_length() for size in sizes]
        self._entries: list[int] = []
        offset = self._first + _WORDS * len(sizes)
        for size in self.sizes:
            self._entries.append(offset)
            offset += 2 * size
        if os.fstat(fd).st_size < offset * BYTES:
            os.ftruncate(fd, offset * BYTES)
        self._map = mmap.mmap(fd, offset * BYTES)
        self.words = memoryview(self._map).cast("Q")
        self._finalizer = weakref.finalize(
            self, _close, self._map, fd
        )  # of a session that was never opened

    @staticmethod
    def make(sizes: Sequence[int], parts: int) -> Ledger:
        """A new one, all zero."""
        if hasattr(os, "memfd_create"):
            fd = os.memfd_create("remotemedia-ledger", os.MFD_CLOEXEC)
        else:
            with tempfile.TemporaryFile() as file:
                fd = os.dup(file.fileno())
        return Ledger(fd, sizes, parts)

    def lane(self, lane: int) -> int:
        """Where the words of a lane begin."""
        return self._first + _WORDS * lane

    def entries(self, lane: int) -> tuple[int, int]:
        """Where the entries of a lane begin, and how many there are: a power of two.

        Each has two words: the sequence number, times four, plus what it stands for; and the number
        of the message in its topic.
        """
        return self._entries[lane], self.sizes[lane]

    def close(self) -> None:
        """Let go of the memory; what was counted can still be looked at."""
        if self.fd >= 0:
            words, self.words = self.words, memoryview(bytearray(self.words)).cast("Q")
            words.release()
            self._finalizer()
            self.fd = -1

    # -- for whoever looks on ----------------------------------------------------------------

    def held(self, lane: int) -> list[tuple[int, int, int]]:
        """What is in the queue of a lane or worked on: sequence, what it stands for, message."""
        words = self.words
        first, size = self.entries(lane)
        found = []
        base = self.lane(lane)
        if words[base + NOW]:
            found.append((words[base + NOW] >> 2, WORKING, words[base + NOW_MESSAGE]))
        for place in range(first, first + 2 * size, 2):
            word = words[place]
            if word & 3:
                found.append((word >> 2, word & 3, words[place + 1]))
        return sorted(found, key=lambda each: each[2])

    def has_ended(self, lane: int) -> bool:
        """Whether its receiver knows that nothing more will come by a lane."""
        return bool(self.words[self.lane(lane) + ENDED])

    def hold_only(self, lane: int, items: Sequence[Held]) -> None:
        """These wait in the queue of a lane, and nothing else is held."""
        words = self.words
        first, size = self.entries(lane)
        words[self.lane(lane) + NOW] = 0
        for place in range(first, first + 2 * size, 2):
            words[place] = 0
        for place, item in zip(range(first, first + 2 * size, 2), items, strict=False):
            words[place + 1] = item.message
            words[place] = item.sequence << 2 | QUEUED

    def told(self, part: int) -> int:
        """The word that counts the messages which a part was sent over its control socket.

        So it knows, before it takes in a packet, whether there is something to hear first.
        """
        return _OF_PART * part

    def beat(self, part: int) -> int:
        """The word that counts the signs of life of a part."""
        return _OF_PART * part + 1

    def counters(self) -> bytes:
        """The words of all lanes, to see whether anything has changed."""
        return bytes(self.words[self._first : self._first + _WORDS * len(self.sizes)])


def _close(memory: mmap.mmap, fd: int) -> None:
    with suppress(BufferError):  # somebody still looks
        memory.close()
    os.close(fd)
