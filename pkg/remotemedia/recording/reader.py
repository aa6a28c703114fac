"""Reads recordings, from anybody: nothing is believed before it is checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from remotemedia.data import Packet
from remotemedia.errors import RecordingError, WireError
from remotemedia.recording import layout as f
from remotemedia.wire import decode
from remotemedia.wire.scan import scan_map

POINT_EVERY = 65_536  # bytes between two points of an index that is made anew
Points = NDArray[np.int64]
"""Time and offset of some records, in order; the header is the first."""
KINDS = ("header", "sent", "received", "tapped", "interrupted", "finished", "closed", "index")


class Record(msgspec.Struct, frozen=True, eq=False):
    """One thing that happened.

    Attributes
    ----------
    kind : str
        ``sent``, ``received``, ``tapped``, ``interrupted``, ``finished`` or ``closed``.
    time_us : int
        When, on the session clock, from the start of the recording, µs.
    size : int
        Bytes that it takes.
    packet : Packet or None
        Of the first three; its arrays are views of the recording.
    generation : int
        After an interrupt.
    from_node : str or None
        Where an interrupt began; None is everywhere.
    """

    kind: str
    time_us: int
    size: int
    packet: Packet | None = None
    generation: int = 0
    from_node: str | None = None


class Recording:
    """A recording; iterate over it for its records, as often as you like.

    Parameters
    ----------
    *contents : bytes-like
        Its files, in order; the first ones may be missing.
    index : bool
        Whether to trust the index. Without it everything is looked through at once, and what is
        behind a damaged record is left out, as `damage` says; with it, only one that was not
        completed is, and a damaged record is an error when its turn comes.
    names : sequence of str
        What errors call the files.

    Attributes
    ----------
    header : Header
        Of the first of the files.
    damage : str or None
        Why the last bytes were left out.

    Raises
    ------
    RecordingError
        It is none, of a later version, or its files do not belong together.
    """

    def __init__(
        self, *contents: bytes | memoryview, index: bool = True, names: Sequence[str] = ()
    ) -> None:
        if not contents:
            raise RecordingError("a recording has at least one file")
        names = names or [f"part {number}" for number in range(len(contents))]
        self._files = [
            _File(content, name, index) for content, name in zip(contents, names, strict=True)
        ]
        self.header = first = self._files[0].header
        for number, file in enumerate(self._files):
            other = file.header
            if (other.wall_us, other.session, other.part - number) != (
                first.wall_us,
                first.session,
                first.part,
            ):
                raise RecordingError(
                    f"{file.name} is not the file that follows {self._files[number - 1].name}"
                )
        damaged = [f"{file.name}: {file.damage}" for file in self._files if file.damage]
        self.damage = "; ".join(damaged) or None

    @property
    def duration_us(self) -> int:
        """Time of the last record, µs."""
        return max(file.last_us for file in self._files)

    def __iter__(self) -> Iterator[Record]:
        return self.records()

    def records(self, from_us: int | None = None, to_us: int | None = None) -> Iterator[Record]:
        """Those with a time in [from_us, to_us).

        Raises
        ------
        RecordingError
            At a record that is damaged, with its place.
        """
        for file in self._files:
            for record in file.records(from_us):
                if to_us is not None and record.time_us >= to_us:
                    return
                yield record

    def marks(self) -> list[Record]:
        """The interrupts, the end of the input, and the end of the recording."""
        return [mark for file in self._files for mark in file.marks()]


class _File:
    def __init__(self, content: bytes | memoryview, name: str, index: bool) -> None:
        self.name = name
        self.view = memoryview(content).cast("B").toreadonly()
        self.damage: str | None = None
        self.header = self._header()
        found = self._index() if index else None
        if found is None:
            found = self._scan()
        self.points, self.end, self.last_us = found

    def records(self, from_us: int | None) -> Iterator[Record]:
        at = self.first
        if from_us is not None:
            if self.last_us < from_us:
                return
            before = int(np.searchsorted(self.points[:, 0], from_us)) - 1
            at = int(self.points[before, 1]) if before > 0 else at
        while at < self.end:
            record, at = self._read(at)
            if record is not None and (from_us is None or record.time_us >= from_us):
                yield record

    def marks(self) -> Iterator[Record]:
        for at in map(int, self.points[:, 1]):
            if self._place(at)[2] in f.MARKS:
                record, _next = self._read(at)
                if record is not None:
                    yield record

    def _header(self) -> f.Header:
        view = self.view
        if len(view) < f.START.size or bytes(view[: len(f.MAGIC)]) != f.MAGIC:
            raise RecordingError(f"{self.name}: this is no recording (a .rmrec file)")
        version = f.START.unpack_from(view)[1]
        if version != f.VERSION:
            raise RecordingError(
                f"{self.name}: a recording of version {version}, this remotemedia reads "
                f"{f.VERSION}: install a newer one"
            )
        body, kind, _time, self.first = self._checked(f.START.size)
        if kind != f.HEADER or len(body) > f.MAX_HEADER:
            raise RecordingError(f"{self.name}: the first record is no header")
        try:
            packed = bytes(body)
            scan_map(packed, 0)
            return msgspec.msgpack.decode(packed, type=f.Header)
        except (WireError, msgspec.MsgspecError) as error:
            raise RecordingError(f"{self.name}: the header cannot be read: {error}") from error

    def _index(self) -> tuple[Points, int, int] | None:
        """Points, end and time of the last record; None if there is no index."""
        view = self.view
        start, magic = f.END.unpack_from(view, len(view) - f.END.size)
        if magic != f.END_MAGIC or start % f.ALIGNMENT or not self.first <= start < len(view):
            return None
        try:
            body, kind, last_us, end = self._checked(start)
        except RecordingError:
            return None
        if kind != f.INDEX or end != len(view) or len(body) % f.POINT.size or len(body) < 32:
            return None
        points = np.frombuffer(body[: -f.END.size], "<i8").reshape(-1, 2)
        in_order = (points[1:, 0] >= points[:-1, 0]) & (points[1:, 1] > points[:-1, 1])
        if not in_order.all() or points[0, 1] != f.START.size or points[-1, 1] >= start:
            return None
        return points, start, last_us

    def _scan(self) -> tuple[Points, int, int]:
        """The same, of all that is whole."""
        at = last = f.START.size
        points = [(0, at)]
        last_us = 0
        while at < len(self.view):
            try:
                _body, kind, time_us, after = self._checked(at)
            except RecordingError as error:
                self.damage = error.message.removeprefix(f"{self.name}: ")
                break
            if kind == f.INDEX:
                break
            if kind not in f.FRAMES or at >= last + POINT_EVERY:
                last = at
                points.append((time_us, at))
            last_us = time_us
            at = after
        return np.array(points, np.int64), at, last_us

    def _place(self, at: int) -> tuple[int, int, int]:
        """Length, time and kind of the record at `at`, unchecked but for being there."""
        if at % f.ALIGNMENT or not 0 <= at <= len(self.view) - f.RECORD:
            raise self._damaged(at, "cut short")
        length, time_us, kind = f.PLACE.unpack_from(self.view, at + f.CHECK.size)
        return length, time_us, kind

    def _checked(self, at: int) -> tuple[memoryview, int, int, int]:
        """Body, kind and time of the record at `at`, and where the next one is."""
        length, time_us, kind = self._place(at)
        end = at + f.RECORD + length
        if length > f.MAX_BODY or end > len(self.view):
            here = len(self.view) - at - f.RECORD
            raise self._damaged(at, f"cut short: {length:,} bytes announced, {here:,} are there")
        if f.CHECK.unpack_from(self.view, at)[0] != crc32(self.view[at + f.CHECK.size : end]):
            raise self._damaged(at, "its checksum is wrong")
        return self.view[at + f.RECORD : end], kind, time_us, end + f.padding(length)

    def _read(self, at: int) -> tuple[Record | None, int]:
        """The record at `at`, None if it is of a kind that is not known, and where the next is."""
        body, kind, time_us, after = self._checked(at)
        length, size = len(body), after - at
        if kind in f.FRAMES:
            try:
                packet = decode(body)[2]
            except WireError as error:
                raise self._damaged(at, f"its frame: {error}") from error
            if not isinstance(packet, Packet):
                raise self._damaged(at, "an end of input is no packet")
            return Record(KINDS[kind], time_us, size, packet), after
        if kind in (f.FINISHED, f.CLOSED):
            return Record(KINDS[kind], time_us, size), after
        if kind == f.INTERRUPTED:
            if length < f.MARK.size:
                raise self._damaged(at, "its mark is cut short")
            (generation,) = f.MARK.unpack_from(body)
            node = str(body[f.MARK.size :], "utf-8", "replace") or None
            return Record(KINDS[kind], time_us, size, None, generation, node), after
        return None, after

    def _damaged(self, at: int, why: str) -> RecordingError:
        return RecordingError(f"{self.name}: record at byte {at:,}: {why}")
