"""The contract of a topic: one producer, a few readers, messages written once and read in place.

A topic is *made* by the parent of a session, which neither writes nor reads it as its maker, and
outlives all of them; it is *opened* for writing by one process and for reading by others, each with
a number of its own. Whoever dies is replaced by another process that opens the same end again. What
a dead reader had not taken is there for its successor; what a dead writer had committed stays.

No call waits, spins or sleeps: who finds no room, or no message, waits for its bell (`bell.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

MAX_MESSAGE = 64 * 2**20  # bytes, unless a topic says otherwise
ALIGNMENT = 64  # bytes, of the start of every message

Bytes = NDArray[np.uint8]


class TopicSpec(msgspec.Struct, frozen=True):
    """All that another process needs to open a topic; crosses as msgpack.

    Attributes
    ----------
    kind : str
        The implementation: ``iceoryx2`` or ``ring``.
    name : str
        Unique on this host: ``{prefix}{session}_{node}_output``, for example.
    readers : int
        How many there may be, 1 to 63.
    messages : int
        That may be under way and borrowed at a time.
    borrowed : int
        That one reader may borrow; what it takes beyond that is copied.
    size : int
        Expected size of a message, bytes; larger ones make the topic grow.
    max_size : int
        Largest message, bytes.
    root : str
        Folder for what is not in shared memory, if the implementation needs one.
    """

    kind: str
    name: str
    readers: int = 1
    messages: int = 64
    borrowed: int = 32
    size: int = 4096
    max_size: int = MAX_MESSAGE
    root: str = ""


class Message(NamedTuple):
    """What a reader takes.

    Attributes
    ----------
    number : int
        Its place among all messages of the topic, from 0 on; a reader that is not addressed by some
        sees gaps.
    view : ndarray
        Its bytes [shape=(size,), dtype=uint8], read-only, starting at a multiple of 64. The memory
        is given back once this array and all that was made of it are gone; or it is a copy.
    """

    number: int
    view: Bytes


class Statistics(NamedTuple):
    """What an end has counted.

    Attributes
    ----------
    messages, bytes : int
        Committed, or taken.
    copied : int
        Messages that were copied because too many were borrowed.
    borrowed : int
        Messages that are borrowed now.
    refused : int
        Times that there was no room.
    """

    messages: int
    bytes: int
    copied: int
    borrowed: int
    refused: int


class Writer(Protocol):
    """The producer's end. One thread; not while another writer of the topic lives."""

    spec: TopicSpec

    def loan(self, size: int) -> Bytes | None:
        """Memory for one message, to write to; None if there is no room now.

        Only one at a time: `commit` or `discard` it first. None asks the readers to ring the bell
        of this end when there is room again. One of them may miss that (it makes room at that very
        moment), so look again every few milliseconds while you wait.

        Raises
        ------
        MessageTooLargeError
            It is larger than `max_size`; names both.
        SharedMemoryFullError
            There is no more of it on this host (never SIGBUS); says how much was wanted and is
            free, and what to do.
        """

    def commit(self, readers: int = 1) -> int:
        """Send what was loaned to the readers of a mask (bit *r* for reader *r*); its number.

        Never waits. The caller rings the bells of those readers.
        """

    def send(self, readers: int, head: bytes, body: memoryview) -> int:
        """Send a message that is there already, in two pieces; its number, -1 without room.

        The same as `loan`, writing both into it, and `commit`, and quicker.

        Parameters
        ----------
        readers : int
            A mask, as for `commit`.
        head : bytes
            The first bytes.
        body : memoryview of bytes
            The others: contiguous, format ``B``.

        Raises
        ------
        MessageTooLargeError, SharedMemoryFullError
            As `loan`.
        """

    def discard(self) -> None:
        """Give back what was loaned."""

    def refresh(self) -> None:
        """A reader was replaced: let its heir have what is there. `loan` does so too.

        Call it when a reader was replaced and there may be nothing to send for a while.
        """

    def statistics(self) -> Statistics:
        """So far."""

    def close(self) -> None:
        """Let go; what was committed stays. What is loaned must not be touched any more."""


class Reader(Protocol):
    """One reader's end. `take` is called by one thread; views may die in any."""

    spec: TopicSpec

    def take(self) -> Message | None:
        """The next message for this reader; None if there is none."""

    def take_all(self, most: int) -> list[Message]:
        """The next messages for this reader: all that are there, up to a number; the last first.

        So that whoever works on them can `pop` one after the other, and let go of it.
        """

    def statistics(self) -> Statistics:
        """So far."""

    def close(self) -> None:
        """Let go. Views that live stay readable until they die."""


class Topic(Protocol):
    """The maker's end: it makes, mends and removes."""

    spec: TopicSpec

    def taken(self, reader: int) -> int:
        """The number after that of the last message that a reader took: where its heir begins."""

    def forget_reader(self, reader: int, resume: int) -> None:
        """A reader has died: it borrows nothing any more, and its successor begins at a number.

        What it had taken from `resume` on is not given again unless the memory still has it
        (`ring`: what it had not given back, at most `messages` back; `iceoryx2`: all of the last
        `messages`). There may be room now: ring the bell of a writer that waits for it.
        """

    def forget_writer(self) -> None:
        """The writer has died: what it had loaned and not committed is given back."""

    def close(self) -> None:
        """Remove the topic. Views of it that live stay readable."""


Ring = Callable[[], None]
"""Rings a bell."""


class Kind(Protocol):
    """An implementation: a module with these functions."""

    def make(self, spec: TopicSpec) -> Topic:
        """Make a topic.

        Raises
        ------
        SharedMemoryFullError
            There is not enough room for it.
        """

    def open_writer(self, spec: TopicSpec) -> Writer:
        """Open a topic to write to it."""

    def open_reader(self, spec: TopicSpec, reader: int, ring_writer: Ring) -> Reader:
        """Open a topic to read from it; `ring_writer` is called when a writer waits for room."""

    def available(self) -> str:
        """Empty if it can be used on this host, else why not and what to install."""
