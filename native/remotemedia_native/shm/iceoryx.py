"""Topics over iceoryx2 (0.10), with what it lacks in a small block of shared memory of our own.

iceoryx2 moves the messages; each is preceded by a line of 64 bytes with its number, its size and
its readers. The block `{name}` counts what is written, taken and borrowed, which is what
back-pressure goes by: nothing is sent that a reader might have no room for, for iceoryx2 would wait
for it with the GIL held, or drop it. Wake-up is by `Bell`, which costs half of its events.

Each topic has a prefix and a root of its own, so its maker can remove all that the dead leave. All
ends have nodes of their own: 16 descriptors for a topic with both ends in one process.

What differs from the ring:

- **All readers get all messages** and skip what is not for them. One that never calls `take`
  holds the writer up after `messages` of them, addressed or not: ring all when `loan` gives None.
- **The last `messages` stay in memory**, taken or not, for the heirs of readers. An heir gets
  them when the writer calls `loan`, or `refresh` if it has nothing to send.
- **What a writer sent dies with it** (also if it is closed) for readers that are opened later, so
  for heirs, and for those that have taken nothing of it yet: `take` is what connects them to it.
  Readers that are connected have it still. What is lost so is skipped, and counted by nobody.
- A writer that is killed *in* `commit` may have sent the message to some readers and not to
  others, and its number is not used again.
- The memory of large messages cannot be claimed one by one (iceoryx2 writes into it as it loans),
  so there must be free, each time, what the message needs and a margin. If another program takes
  the margin at that very moment, it is a SIGBUS after all.

Of the API: `Slice[c_uint8]` aligned to 64 makes segments 64 times too large (each *element* is
aligned), hence lines. `fork` makes dead peers look alive: start processes with spawn.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
import threading
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from remotemedia_native.shm import layout as at
from remotemedia_native.shm.base import ALIGNMENT, Bytes, Message, Ring, Statistics, TopicSpec
from remotemedia_native.shm.block import make_block, map_block, missing, open_block, remove_block
from remotemedia_native.shm.errors import MessageTooLargeError, SharedMemoryFullError
from remotemedia_native.shm.space import FOLDER, claim, free_bytes
from remotemedia_native.shm.store import Words, check

try:
    import iceoryx2 as iox
except ImportError as error:
    iox = None
    _reason = f"iceoryx2 cannot be imported ({error}): pip install 'remotemedia[native]'"
else:
    _reason = ""
    iox.set_log_level_from_env_or(iox.LogLevel.Fatal)  # its errors are raised as well

MAGIC = int.from_bytes(b"RM-IOX21", "little")
LENT = at.INHERITED  # the place of a word in the line of a reader
OPENED = 2  # how often it was
STARTED = at.SEGMENTS  # the number at which the present writer began
SPARE_ENDS = 3  # dead ends count until somebody cleans up
SMALL = 16 << 20  # bytes: segments up to this size are claimed as a whole
MARGIN = 256 << 10  # bytes that must be free beyond what is wanted
_new: Final = tuple.__new__


class _Line(ctypes.Structure):
    """The unit of memory, and what precedes a message: number, size, readers."""

    _fields_ = (("words", ctypes.c_uint64 * 8),)


_Head = ctypes.c_uint64 * 8


def _block_size(spec: TopicSpec) -> int:
    return (at.LINES + spec.readers * at.LINE) * at.WORD


def _open_words(spec: TopicSpec) -> Words:
    fd = open_block(spec.name)
    try:
        words = memoryview(map_block(fd, _block_size(spec))).cast("Q")
    finally:
        os.close(fd)
    if words[0] != MAGIC or words[at.READERS] != spec.readers:
        raise ValueError(f"topic {spec.name!r} was made by another version, or with another spec")
    return words


def _root(spec: TopicSpec) -> Path:
    return Path(spec.root or tempfile.gettempdir()) / spec.name


def _limit(spec: TopicSpec) -> int:
    """How many messages a reader may borrow: one is left for the writer."""
    return min(spec.borrowed, spec.messages - 1)


class _Service:
    """A node, and the service of the topic in it."""

    def __init__(self, spec: TopicSpec) -> None:
        _need(spec, MARGIN)
        config = iox.config.default()
        config.global_cfg.prefix = iox.FileName.new(f"{spec.name}_")
        config.global_cfg.root_path = iox.Path.new(str(_root(spec)))
        builder = iox.NodeBuilder.new().config(config)
        builder = builder.signal_handling_mode(iox.SignalHandlingMode.Disabled)
        self.node = builder.create(iox.ServiceType.Ipc)
        self.factory = (
            self.node.service_builder(iox.ServiceName.new("topic"))
            .publish_subscribe(iox.Slice[_Line])
            .payload_alignment(iox.Alignment.new(ALIGNMENT))
            .history_size(spec.messages)
            # An heir gets the history, and what is sent until it has looked through that.
            .subscriber_max_buffer_size(2 * spec.messages)
            # Also what is held back to be put in order.
            .subscriber_max_borrowed_samples(_limit(spec) + 2 * spec.messages + 1)
            .enable_safe_overflow(False)
            .max_publishers(1 + SPARE_ENDS)
            .max_subscribers(spec.readers + SPARE_ENDS)
            .max_nodes(spec.readers + 2 + 2 * SPARE_ENDS)
            .open_or_create()
        )


def _need(spec: TopicSpec, wanted: int) -> None:
    free = free_bytes()
    if free < wanted:
        raise SharedMemoryFullError(spec.name, wanted, free)


class IceoryxWriter:
    """See `remotemedia_native.shm.base.Writer`."""

    def __init__(self, spec: TopicSpec) -> None:
        self.spec = spec
        self._words = words = _open_words(spec)
        self._service: _Service | None = _Service(spec)
        self._lines = [at.LINES + reader * at.LINE for reader in range(spec.readers)]
        self._files: set[str] = set(_data_files(spec))
        lines = _lines(min(spec.size, spec.max_size))
        count = 2 * spec.messages + spec.readers * (_limit(spec) + spec.messages) + 4
        # What is created here is small whatever the size: its data are claimed afterwards.
        self._port = (
            self._service.factory.publisher_builder()
            .initial_max_slice_len(lines)
            .allocation_strategy(iox.AllocationStrategy.PowerOfTwo)
            .max_loaned_samples(2)
            .override_sample_preallocation(count)
            .backpressure_strategy(iox.BackpressureStrategy.DiscardData)
            .create()
        )
        self._most_lines = lines
        self._claimed_lines = 0  # messages up to so many lines lie in claimed memory
        self._claim_new(lines)
        self._opened = [0] * spec.readers
        self._written = words[STARTED] = words[at.WRITTEN]
        self._sample: Any = None
        self._head: Any = None
        self._size = self._messages = self._bytes = self._refused = 0

    def loan(self, size: int) -> Bytes | None:
        """See `Writer`."""
        if self._sample is not None:
            raise RuntimeError("one message is loaned already: commit or discard it first")
        spec = self.spec
        if size > spec.max_size:
            raise MessageTooLargeError(spec.name, size, spec.max_size)
        self.refresh()
        if not self._has_room():
            self._words[at.WAITING] = 1
            at.fence()
            if not self._has_room():
                self._refused += 1
                return None
        lines = _lines(size)
        grows = lines > self._most_lines
        if lines > self._claimed_lines:
            _need(spec, lines * ALIGNMENT + MARGIN)
        try:
            sample = self._port.loan_slice_uninit(lines)
        except iox.LoanError:
            # All its memory is borrowed, or kept for the heirs of readers.
            self._words[at.WAITING] = 1
            self._refused += 1
            return None
        if grows:
            self._claim_new(lines)
        self._sample = sample
        self._size = size
        pointer = sample.payload_ptr
        self._head = _Head.from_address(pointer)
        held = _Held()
        held.sample = sample
        held.__array_interface__ = {
            "version": 3,
            "shape": (size,),
            "typestr": "|u1",
            "data": (pointer + ALIGNMENT, False),
        }
        return np.asarray(held)

    def commit(self, readers: int = 1) -> int:
        """See `Writer`."""
        sample = self._sample
        if sample is None:
            raise RuntimeError("nothing is loaned")
        if readers >> self.spec.readers:
            raise ValueError(
                f"topic {self.spec.name!r} has {self.spec.readers} readers, "
                f"but a message is for those of mask {readers:#b}"
            )
        number = self._written
        head = self._head
        head[0] = number
        head[1] = self._size
        head[2] = readers
        # First: who is killed in between must not leave a number that is used twice.
        self._words[at.WRITTEN] = self._written = number + 1
        self._sample = self._head = None
        sample.assume_init().send()
        self._messages += 1
        self._bytes += self._size
        return number

    def send(self, readers: int, head: bytes, body: memoryview) -> int:
        """See `Writer`."""
        middle = len(head)
        loan = self.loan(middle + len(body))
        if loan is None:
            return -1
        memory = loan.data
        memory[:middle] = head
        memory[middle:] = body
        return self.commit(readers)

    def discard(self) -> None:
        """See `Writer`."""
        if self._sample is not None:
            self._sample.delete()
            self._sample = self._head = None

    def refresh(self) -> None:
        """See `Writer`."""
        words = self._words
        for reader, line in enumerate(self._lines):
            opened = words[line + OPENED]
            if opened != self._opened[reader]:
                self._opened[reader] = opened
                self._port.update_connections()

    def statistics(self) -> Statistics:
        """See `Writer`."""
        lent = int(self._sample is not None)
        return Statistics(self._messages, self._bytes, 0, lent, self._refused)

    def close(self) -> None:
        """See `Writer`."""
        if self._service is not None:
            self.discard()
            self._port.delete()
            self._service = None

    def _has_room(self) -> bool:
        words = self._words
        most = self.spec.messages
        written = self._written
        for line in self._lines:  # a loop: `all` costs 0.3 µs more
            if written - words[line] + words[line + LENT] >= most:
                break
        else:
            return True
        return False

    def _claim_new(self, lines: int) -> None:
        """Claim the segment that was just made, unless it is large."""
        self._most_lines = max(self._most_lines, lines)
        for name in _data_files(self.spec):
            if name in self._files:
                continue
            self._files.add(name)
            fd = os.open(f"{FOLDER}/{name}", os.O_RDWR)
            try:
                size = os.fstat(fd).st_size
                if size <= SMALL:
                    claim(fd, 0, size, self.spec.name)
                    self._claimed_lines = lines
            finally:
                os.close(fd)


def _lines(size: int) -> int:
    """Of a message and what precedes it."""
    return at.round_up(size, ALIGNMENT) // ALIGNMENT + 1


def _data_files(spec: TopicSpec) -> list[str]:
    """Segments of the writers of a topic."""
    prefix = f"{spec.name}_"
    return [
        name for name in os.listdir(FOLDER) if name.startswith(prefix) and name.endswith(".data")
    ]


class _Held:
    """The memory of a message, as NumPy asks for it; its end gives it back."""

    __slots__ = ("__array_interface__", "reader", "sample")

    if TYPE_CHECKING:
        __array_interface__: dict[str, object]
    sample: Any
    reader: IceoryxReader

    def __del__(self) -> None:  # in any thread
        try:
            reader = self.reader
        except AttributeError:
            return  # a loan
        reader.give_back(self.sample)


class IceoryxReader:
    """See `remotemedia_native.shm.base.Reader`."""

    def __init__(self, spec: TopicSpec, reader: int, ring_writer: Ring) -> None:
        if not 0 <= reader < spec.readers:
            raise ValueError(
                f"topic {spec.name!r} has readers 0 to {spec.readers - 1}, not {reader}"
            )
        self.spec = spec
        self._ring = ring_writer
        self._words = words = _open_words(spec)
        self._line = line = at.LINES + reader * at.LINE
        self._bit = 1 << reader
        self._next = words[line]
        self._limit = _limit(spec)
        self._lent = 0
        self._lock = threading.Lock()  # views die in any thread
        self._held_back: list[tuple[int, Any]] = []
        self._service: _Service | None = _Service(spec)
        self._port = (
            self._service.factory.subscriber_builder().buffer_size(2 * spec.messages).create()
        )
        words[line + LENT] = 0
        words[line + OPENED] += 1
        self._messages = self._bytes = self._copied = 0

    def take_all(self, most: int) -> list[Message]:
        """See `Reader`."""
        return [*islice(iter(self.take, None), most)][::-1]

    def take(self) -> Message | None:
        """See `Reader`."""
        words = self._words
        while True:
            started = words[STARTED]
            sample, number = self._following()
            if sample is None:
                if self._next < started:  # lost with the writer that sent it
                    words[self._line] = self._next = started
                    self._tell()
                return None
            pointer = sample.payload_ptr
            head = _Head.from_address(pointer)
            size = head[1]
            addressed = head[2] & self._bit
            if addressed:
                break
            sample.delete()
            words[self._line] = self._next = number + 1
            self._tell()
        if self._lent < self._limit:
            held = _Held()
            held.sample = sample
            held.reader = self
            held.__array_interface__ = {
                "version": 3,
                "shape": (size,),
                "typestr": "|u1",
                "data": (pointer + ALIGNMENT, True),
            }
            view: Bytes = np.asarray(held)
            with self._lock:
                self._lent += 1
                words[self._line + LENT] = self._lent
        else:
            view = _copy(pointer + ALIGNMENT, size)
            sample.delete()
            self._copied += 1
        words[self._line] = self._next = number + 1
        self._tell()
        self._messages += 1
        self._bytes += size
        return _new(Message, (number, view))

    def give_back(self, sample: Any) -> None:
        """A view has died."""
        sample.delete()
        with self._lock:
            self._lent -= 1
            self._words[self._line + LENT] = self._lent
        self._tell()

    def statistics(self) -> Statistics:
        """See `Reader`."""
        return Statistics(self._messages, self._bytes, self._copied, self._lent, 0)

    def close(self) -> None:
        """See `Reader`."""
        if self._service is not None:
            self._held_back.clear()
            self._port.delete()
            self._service = None

    def _tell(self) -> None:
        if self._words[at.WAITING]:
            self._words[at.WAITING] = 0
            self._ring()

    def _following(self) -> tuple[Any, int]:
        """The sample with the next number that there is.

        What a dead writer sent and what its successor sends come in any order.
        """
        back = self._held_back
        while True:
            sample = self._port.receive()
            if sample is None:
                if back:
                    back.sort(key=lambda one: -one[0])
                    number, sample = back.pop()
                    return sample, number
                return None, 0
            number = _Head.from_address(sample.payload_ptr)[0]
            if number == self._next and not back:
                return sample, number
            if number < self._next:
                sample.delete()  # the predecessor has taken it
            else:
                back.append((number, sample))


def _copy(address: int, size: int) -> Bytes:
    room = np.empty(size + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    view: Bytes = room[start : start + size]
    ctypes.memmove(room.ctypes.data + start, address, size)
    view.flags.writeable = False
    return view


class IceoryxTopic:
    """See `remotemedia_native.shm.base.Topic`."""

    def __init__(self, spec: TopicSpec) -> None:
        self.spec = spec
        size = _block_size(spec)
        fd = make_block(spec.name, size, size)
        try:
            self._words = memoryview(map_block(fd, size)).cast("Q")
            self._words[at.READERS] = spec.readers
            self._words[0] = MAGIC
            _root(spec).mkdir(parents=True, exist_ok=True)
            self._service: _Service | None = _Service(spec)
        except BaseException:
            self._remove()
            raise
        finally:
            os.close(fd)

    def taken(self, reader: int) -> int:
        """See `Topic`."""
        return self._words[self._line(reader)]

    def forget_reader(self, reader: int, resume: int) -> None:
        """See `Topic`."""
        line = self._line(reader)
        if not 0 <= resume <= self._words[at.WRITTEN]:
            raise ValueError(
                f"reader {reader} cannot resume at {resume}: 0 to {self._words[at.WRITTEN]} can be"
            )
        self._clean()
        self._words[line + LENT] = 0
        self._words[line] = resume

    def forget_writer(self) -> None:
        """See `Topic`."""
        self._clean()

    def close(self) -> None:
        """See `Topic`."""
        if self._service is not None:
            self._clean()
            self._service = None
            self._remove()

    def _clean(self) -> None:
        if self._service is not None:
            self._service.node.blocking_cleanup_dead_nodes(iox.Duration.from_secs(1))

    def _remove(self) -> None:
        prefix = f"{self.spec.name}_"
        for name in os.listdir(FOLDER):
            if name.startswith(prefix):
                remove_block(name)
        remove_block(self.spec.name)
        shutil.rmtree(_root(self.spec), ignore_errors=True)

    def _line(self, reader: int) -> int:
        if not 0 <= reader < self.spec.readers:
            raise ValueError(
                f"topic {self.spec.name!r} has readers 0 to {self.spec.readers - 1}, not {reader}"
            )
        return at.LINES + reader * at.LINE


def make(spec: TopicSpec) -> IceoryxTopic:
    """See `Kind`."""
    check(spec)
    return IceoryxTopic(spec)


def open_writer(spec: TopicSpec) -> IceoryxWriter:
    """See `Kind`."""
    return IceoryxWriter(spec)


def open_reader(spec: TopicSpec, reader: int, ring_writer: Ring) -> IceoryxReader:
    """See `Kind`."""
    return IceoryxReader(spec, reader, ring_writer)


def available() -> str:
    """See `Kind`."""
    if not os.path.isdir(FOLDER):
        return f"there is no {FOLDER} on this platform"
    return _reason or missing()
