"""The recorder and the reader: what was seen comes back, bounded and whatever happens."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

import msgspec
import numpy as np
import pytest

import remotemedia as rm
from remotemedia import wire
from remotemedia.clock import sleep
from remotemedia.errors import RecordingError
from remotemedia.recording import Recorder, Recording
from remotemedia.testing import VirtualClock

MANIFEST = {"version": "v1", "nodes": [{"id": "pass", "node_type": "PassThrough"}]}
WALL_US = 1_704_067_200_000_000  # where a VirtualClock starts


class Bytes:
    """What a page has for a file: pieces that become a Blob."""

    def __init__(self, room: int | None = None) -> None:
        self.pieces: list[bytes] = []
        self.room = room

    def write(self, content: bytes) -> None:
        if self.room is not None and self.size + len(content) > self.room:
            self.pieces.append(content[: self.room - self.size])
            raise OSError(28, "No space left on device")
        self.pieces.append(content)

    @property
    def size(self) -> int:
        return sum(map(len, self.pieces))

    @property
    def content(self) -> bytes:
        return b"".join(self.pieces)


def audio(number: int, frames: int = 160, **place: Any) -> rm.Packet:
    samples = np.arange(frames, dtype=np.float32) + number
    place = {"node": "pass", "port": "in", "sequence": number, **place}
    return rm.Packet(rm.Audio(samples, 16_000, number * 10_000), **place)


def text(words: str, **place: Any) -> rm.Packet:
    return rm.Packet(rm.Text(words), **{"node": "pass", "port": "out", **place})


def frames(recording: Recording) -> list[tuple[str, int, bytes | None]]:
    return [(r.kind, r.time_us, r.packet and wire.encode(r.packet)) for r in recording]


def small(count: int = 3, **options: Any) -> tuple[Bytes, list[tuple[str, int, bytes | None]]]:
    """A recording with all kinds of records, and what is in it."""
    clock, sink = VirtualClock(), Bytes()
    recorder = Recorder(sink, MANIFEST, clock, **options)
    seen: list[tuple[str, int, bytes | None]] = []
    for number in range(count):
        given, got = audio(number, frames=8), text(f"{number}", sequence=number)
        recorder.sent([given])
        recorder.tapped(got)
        seen += [("sent", number * 1000, wire.encode(given))]
        seen += [("tapped", number * 1000, wire.encode(got))]
        clock.advance(500)
        recorder.received(got)
        seen += [("received", number * 1000 + 500, wire.encode(got))]
        clock.advance(500)
    recorder.interrupted(1, "pass")
    recorder.finished()
    recorder.close()
    assert recorder.error is None
    seen += [(kind, count * 1000, None) for kind in ("interrupted", "finished", "closed")]
    return sink, seen


def test_what_was_seen_comes_back_in_order_with_its_times() -> None:
    sink, seen = small()
    recording = Recording(sink.content)
    assert frames(recording) == seen
    assert frames(recording) == seen  # as often as you like
    assert recording.damage is None
    assert recording.duration_us == 3000
    mark = recording.marks()[0]
    assert (mark.kind, mark.time_us, mark.generation, mark.from_node) == (
        "interrupted",
        3000,
        1,
        "pass",
    )
    assert [mark.kind for mark in recording.marks()] == ["interrupted", "finished", "closed"]


def test_the_header_says_what_ran_and_when() -> None:
    header = Recording(small(session="talk")[0].content).header
    assert json.loads(header.manifest) == MANIFEST
    assert (header.session, header.wall_us, header.part) == ("talk", WALL_US, 0)
    assert header.remotemedia == rm.__version__
    assert header.python.split()[0] == "cpython"


def test_samples_are_read_in_place() -> None:
    clock, sink = VirtualClock(), Bytes()
    recorder = Recorder(sink, None, clock)
    for length in range(1, 20):  # whatever comes before, frames start at multiples of 8
        recorder.received(text("x" * length))
        recorder.received(audio(length, frames=3))
    recorder.close()
    content = np.frombuffer(sink.content, np.uint8)
    for record in Recording(content.data):
        if record.packet is not None and isinstance(record.packet.data, rm.Audio):
            assert np.shares_memory(record.packet.data.samples, content)
            assert not record.packet.data.samples.flags.writeable


def test_without_a_manifest() -> None:
    sink = Bytes()
    Recorder(sink, None, VirtualClock()).close()
    recording = Recording(sink.content)
    assert recording.header.manifest == ""
    assert [record.kind for record in recording] == ["closed"]
    assert recording.duration_us == 0


def test_one_write_per_packet() -> None:
    clock, sink = VirtualClock(), Bytes()
    recorder = Recorder(sink, None, clock)
    before = len(sink.pieces)
    for number in range(5):
        recorder.received(audio(number))
    assert len(sink.pieces) == before + 5


def test_the_same_is_recorded_with_the_index_and_without() -> None:
    sink, seen = small()
    assert frames(Recording(sink.content, index=False)) == seen
    assert Recording(sink.content, index=False).damage is None
    index = struct.unpack("<Q", sink.content[-16:-8])[0]
    cut = Recording(sink.content[:index])
    assert frames(cut) == seen
    assert cut.damage is None
    assert cut.duration_us == 3000
    assert [mark.kind for mark in cut.marks()] == ["interrupted", "finished", "closed"]


@pytest.mark.parametrize("with_index", [True, False])
def test_seeking_by_time(with_index: bool) -> None:
    clock, sink = VirtualClock(), Bytes()
    recorder = Recorder(sink, None, clock)
    for number in range(400):  # 400 · (1,600 + 200) bytes: some points of the index
        recorder.received(audio(number, frames=400))
        clock.advance(1000)
    recorder.close()
    recording = Recording(sink.content, index=with_index)

    def numbers(start: int | None, end: int | None = None) -> list[int]:
        found = [record.packet for record in recording.records(start, end)]
        return [packet.sequence for packet in found if packet is not None]

    assert numbers(None) == numbers(0) == list(range(400))
    for start in (1, 1000, 35_500, 36_000, 37_001, 200_000, 399_000):
        assert numbers(start) == list(range(-(-start // 1000), 400))
    assert numbers(399_001) == []
    assert numbers(100_000, 103_000) == [100, 101, 102]
    assert numbers(None, 2000) == [0, 1]


def test_seeking_reads_what_is_near_only() -> None:
    clock, sink = VirtualClock(), Bytes()
    recorder = Recorder(sink, None, clock)
    for number in range(400):
        recorder.received(audio(number, frames=400))
        clock.advance(1000)
    recorder.close()
    content = bytearray(sink.content)
    content[len(content) // 4] ^= 1  # what is not read is not found out
    recording = Recording(bytes(content))
    assert sum(1 for _ in recording.records(300_000)) == 100 + 1  # and the end
    with pytest.raises(RecordingError, match="its checksum is wrong"):
        list(recording)


# -- bounds ----------------------------------------------------------------------------------


def test_at_the_bound_the_recording_ends_and_says_so_once() -> None:
    clock, sink, told = VirtualClock(), Bytes(), []
    recorder = Recorder(sink, MANIFEST, clock, max_bytes=10_000, on_stop=told.append)
    for number in range(100):
        recorder.received(audio(number))
        clock.advance(10_000)
    assert told == [recorder.error]
    assert str(recorder.error) == "the recording has reached its 10,000 bytes"
    recorder.close()
    assert len(told) == 1
    assert 9_000 < sink.size <= 10_000
    recording = Recording(sink.content)
    found = [record.packet.sequence for record in recording if record.packet]
    assert found == list(range(len(found)))
    assert len(found) > 10
    assert recording.damage is None


def test_a_full_file_is_completed_and_followed_by_the_next() -> None:
    clock, parts = VirtualClock(), [Bytes()]

    def next_sink(part: int) -> Bytes:
        assert part == len(parts)
        parts.append(Bytes())
        return parts[-1]

    recorder = Recorder(parts[0], MANIFEST, clock, max_bytes=5000, next_sink=next_sink)
    for number in range(50):
        recorder.received(audio(number))
        clock.advance(10_000)
    recorder.finished()
    recorder.close()
    assert recorder.error is None
    assert len(parts) > 5
    assert all(part.size <= 5000 for part in parts)
    start = 0
    for number, part in enumerate(parts):  # each one stands alone
        alone = Recording(part.content)
        assert alone.damage is None
        assert json.loads(alone.header.manifest) == MANIFEST
        assert (alone.header.part, alone.header.wall_us) == (number, WALL_US)
        packets = [record for record in alone if record.packet]
        assert [record.time_us for record in packets] == [
            10_000 * (start + k) for k in range(len(packets))
        ]
        start += len(packets)
    whole = Recording(*(part.content for part in parts))
    assert [r.packet.sequence for r in whole if r.packet] == list(range(50))
    assert whole.duration_us == 500_000
    assert [r.packet.sequence for r in whole.records(300_000, 320_000) if r.packet] == [30, 31]
    assert [mark.time_us for mark in whole.marks()] == [500_000, 500_000]
    late = Recording(*(part.content for part in parts[2:]))  # the oldest were deleted
    assert late.header.part == 2
    with pytest.raises(RecordingError, match="part 1 is not the file that follows part 0"):
        Recording(parts[0].content, parts[2].content)


def test_what_no_file_takes_ends_the_recording() -> None:
    parts = [Bytes()]

    def next_sink(part: int) -> Bytes:
        parts.append(Bytes())
        return parts[-1]

    recorder = Recorder(parts[0], None, VirtualClock(), max_bytes=2000, next_sink=next_sink)
    recorder.received(audio(0))
    recorder.received(audio(1, frames=1000))
    assert "does not fit into a file of 2,000" in str(recorder.error)
    recorder.received(audio(2))
    assert [len(list(Recording(part.content))) for part in parts] == [1, 0]


def test_a_bound_below_the_header_is_refused() -> None:
    with pytest.raises(RecordingError, match="the header of a recording, which holds the manifest"):
        Recorder(Bytes(), MANIFEST, VirtualClock(), max_bytes=200)


# -- failures --------------------------------------------------------------------------------


def test_a_full_disk_ends_the_recording_and_nothing_else() -> None:
    _, seen = small()
    whole = small()[0].size
    for room in range(400, whole - 120, 7):
        clock, sink, told = VirtualClock(), Bytes(room), []
        recorder = Recorder(sink, MANIFEST, clock, on_stop=told.append)
        for number in range(3):
            recorder.sent([audio(number, frames=8)])
            recorder.tapped(text(f"{number}", sequence=number))
            clock.advance(500)
            recorder.received(text(f"{number}", sequence=number))
            clock.advance(500)
        recorder.interrupted(1, "pass")
        recorder.finished()
        recorder.close()
        assert len(told) == 1
        assert str(recorder.error) == (
            "recording stopped: OSError: [Errno 28] No space left on device"
        )
        assert sink.size == room  # nothing was written behind the half record
        found = frames(Recording(sink.content))
        assert found == seen[: len(found)]


def test_a_sink_that_takes_nothing_is_an_error_at_once() -> None:
    with pytest.raises(RecordingError, match="No space left on device"):
        Recorder(Bytes(0), None, VirtualClock())


def test_what_cannot_be_encoded_ends_the_recording_whole() -> None:
    sink = Bytes()
    recorder = Recorder(sink, None, VirtualClock())
    recorder.received(audio(0))
    recorder.received(rm.Packet(rm.Text("x"), "pass", sequence=-1))
    recorder.received(audio(1))
    assert "sequence" in str(recorder.error)
    assert [r.packet.sequence for r in Recording(sink.content) if r.packet] == [0]
    assert sink.content.endswith(b"RMRECEND")


class Watched:
    """What a session has for observers."""

    def __init__(self) -> None:
        self.observers: list[Any] = []
        self.taps: dict[str, Any] = {}

    def observe(self, observer: Any) -> Any:
        self.observers.append(observer)
        return lambda: self.observers.remove(observer)

    def tap(self, port: str, callback: Any) -> Any:
        self.taps[port] = callback
        return lambda: self.taps.pop(port)


def test_closing_detaches() -> None:
    session = Watched()
    recorder = Recorder(Bytes(), None, VirtualClock())
    recorder.attach(session, taps=["a:out", "b:in"])
    assert session.observers == [recorder]
    assert list(session.taps) == ["a:out", "b:in"]
    recorder.close()
    assert session.observers == []
    assert session.taps == {}
    recorder.close()


def test_some_edges_alone() -> None:
    session = Watched()
    Recorder(Bytes(), None, VirtualClock()).attach(session, taps=["a:out"], client=False)
    assert session.observers == []


# -- the file, byte by byte ------------------------------------------------------------------


def golden_record(kind: int, time_us: int, body: bytes) -> bytes:
    rest = struct.pack("<IqB", len(body), time_us, kind) + bytes(7) + body
    return struct.pack("<I", zlib.crc32(rest)) + rest + bytes(-len(rest + bytes(4)) % 8)


def golden_text(node: str, port: str, words: str, timestamp_us: int) -> bytes:
    """A frame of our form, as docs/design/wire.md has it."""
    fields = {
        "node": node, "port": port, "sequence": 7, "sub_sequence": 0, "generation": 2,
        "pts_us": None, "stream_id": None, "metadata": None, "text": words, "channel": "tts",
    }  # fmt: skip
    packed = msgspec.msgpack.encode(fields)
    head = struct.pack("<BHQI", 0x83, 0, timestamp_us, 4 + len(packed))
    return head + struct.pack("<I", len(packed)) + packed


def golden(later: bool = True) -> bytes:
    header = {
        "manifest": '{"version":"v1"}', "session": "s", "wall_us": 1_700_000_000_000_000,
        "part": 0, "remotemedia": "0.1.0", "python": "cpython 3.14.2 emscripten",
        "clock": "VirtualClock",
    }  # fmt: skip
    records = [
        (0, 0, msgspec.msgpack.encode(header)),
        (1, 1000, golden_text("a", "in", "hello", 1_700_000_000_001_000)),
        (2, 1500, golden_text("b", "out", "HELLO", 1_700_000_000_001_000)),
        (9, 1600, b"of a later version"),
        (3, 1700, golden_text("a", "out", "hello", 1_700_000_000_001_000)),
        (4, 2000, struct.pack("<Q", 3) + b"b"),
        (4, 2001, struct.pack("<Q", 4)),
        (5, 3000, b""),
        (6, 3000, b""),
    ]
    content = b"\x89RMREC\r\n" + struct.pack("<II", 1, 0)
    points = b""
    for kind, time_us, body in records:
        if kind == 9 and not later:
            continue
        if kind in (0, 4, 5, 6):
            points += struct.pack("<qQ", time_us, len(content))
        content += golden_record(kind, time_us, body)
    end = struct.pack("<Q8s", len(content), b"RMRECEND")
    return content + golden_record(7, 3000, points + end)


def test_a_recording_made_by_hand_is_read() -> None:
    recording = Recording(golden())
    assert recording.header.session == "s"
    assert recording.header.wall_us == 1_700_000_000_000_000
    assert recording.header.python == "cpython 3.14.2 emscripten"
    assert recording.duration_us == 3000
    shown = [
        (r.kind, r.time_us, r.packet.node, r.packet.data.text)  # type: ignore[attr-defined]
        if r.packet
        else (r.kind, r.time_us, r.generation, r.from_node)
        for r in recording
    ]
    assert shown == [
        ("sent", 1000, "a", "hello"),
        ("received", 1500, "b", "HELLO"),
        ("tapped", 1700, "a", "hello"),
        ("interrupted", 2000, 3, "b"),
        ("interrupted", 2001, 4, None),
        ("finished", 3000, 0, None),
        ("closed", 3000, 0, None),
    ]
    packet = next(iter(recording)).packet
    assert packet is not None
    assert (packet.sequence, packet.generation, packet.timestamp_us) == (
        7,
        2,
        1_700_000_000_001_000,
    )


def test_a_recording_made_by_hand_is_what_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, sink = VirtualClock(1_700_000_000_000_000), Bytes()
    monkeypatch.setattr("remotemedia.__version__", "0.1.0")
    monkeypatch.setattr("sys.platform", "emscripten")
    monkeypatch.setattr("sys.version", "3.14.2 (main, Dec  5 2025)")
    place = {"sequence": 7, "generation": 2, "timestamp_us": 1_700_000_000_001_000}
    recorder = Recorder(sink, {"version": "v1"}, clock, session="s")
    clock._now_us = 1000
    recorder.sent([rm.Packet(rm.Text("hello"), "a", "in", **place)])
    clock._now_us = 1500
    recorder.received(rm.Packet(rm.Text("HELLO"), "b", "out", **place))
    clock._now_us = 1700
    recorder.tapped(rm.Packet(rm.Text("hello"), "a", "out", **place))
    clock._now_us = 2000
    recorder.interrupted(3, "b")
    clock._now_us = 2001
    recorder.interrupted(4, None)
    clock._now_us = 3000
    recorder.finished()
    recorder.close()
    assert sink.content == golden(later=False)


# -- strangers -------------------------------------------------------------------------------


def prefix_of(content: bytes, seen: list[Any], index: bool) -> str:
    """How much is read of what was recorded; it is said if that is not all."""
    found = []
    try:
        recording = Recording(content, index=index)
        found.extend((r.kind, r.time_us, r.packet and wire.encode(r.packet)) for r in recording)
    except RecordingError:
        assert found == seen[: len(found)]
        return "refused"
    assert found == seen[: len(found)]
    assert len(found) == len(seen) or recording.damage is not None
    return "whole" if len(found) == len(seen) else "less"


@pytest.mark.parametrize("index", [True, False])
def test_cut_at_every_byte(index: bool) -> None:
    sink, seen = small()
    content = sink.content
    first = content.index(b"\x81", 40)  # somewhere in the header record
    refused = 0
    before = 0
    for end in range(len(content)):
        try:
            recording = Recording(content[:end], index=index)
        except RecordingError:
            refused += 1
            assert before == 0  # once the header is there, all goes on working
            continue
        found = frames(recording)
        assert found == seen[: len(found)]
        assert len(found) >= before  # never less than what a shorter cut has
        before = len(found)
    assert before == len(seen)
    assert 0 < refused < first + 400


@pytest.mark.parametrize("index", [True, False])
def test_every_byte_flipped(index: bool) -> None:
    sink, seen = small(2)
    content = bytearray(sink.content)
    results = []
    random = np.random.default_rng(5)
    for at in range(len(content)):
        bits = int(random.integers(1, 256))
        content[at] ^= bits
        results.append(prefix_of(bytes(content), seen, index))
        content[at] ^= bits
    # The header alone is needed; with a good index nothing else is looked at before its turn.
    shares = {kind: results.count(kind) / len(content) for kind in ("refused", "less", "whole")}
    assert shares["refused"] > (0.5 if index else 0.1)
    assert shares["less"] > 0.5 or index
    assert shares["whole"] < 0.25  # padding, and the index


def test_random_bytes_behind_a_good_start() -> None:
    sink, seen = small(2)
    good = sink.content[: struct.unpack("<Q", sink.content[-16:-8])[0]]
    random = np.random.default_rng(6)
    for _ in range(300):
        tail = random.bytes(int(random.integers(1, 200)))
        recording = Recording(good + tail)
        assert frames(recording) == seen
        assert recording.damage is not None


def test_a_torn_tail_is_said() -> None:
    sink, seen = small()
    index = struct.unpack("<Q", sink.content[-16:-8])[0]
    recording = Recording(sink.content[: index + 30], names=["talk.rmrec"])
    assert frames(recording) == seen
    assert recording.damage is not None
    assert recording.damage.startswith(f"talk.rmrec: record at byte {index:,}: cut short: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "part 0: this is no recording"),
        (b"RIFF" + bytes(40), "part 0: this is no recording"),
        (b"\x89RMREC\n" + bytes(40), "part 0: this is no recording"),
        (b"\x89RMREC\r\n" + struct.pack("<II", 2, 0) + bytes(40), "version 2, this remotemedia"),
        (b"\x89RMREC\r\n" + struct.pack("<II", 1, 0), "record at byte 16: cut short"),
        (
            b"\x89RMREC\r\n" + struct.pack("<II", 1, 0) + golden_record(5, 0, b""),
            "the first record is no header",
        ),
        (
            b"\x89RMREC\r\n" + struct.pack("<II", 1, 0) + golden_record(0, 0, b"\x91" * 500),
            "the header cannot be read: ",
        ),
        (
            b"\x89RMREC\r\n"
            + struct.pack("<II", 1, 0)
            + golden_record(0, 0, b"\x81\xa1x" + b"\x91" * 100_000 + b"\xc0"),
            "the header cannot be read: ",  # such nesting ends an interpreter in Pyodide
        ),
    ],
)
def test_what_is_no_recording_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(RecordingError) as caught:
        Recording(content)
    assert message in str(caught.value)


def test_a_length_is_not_believed() -> None:
    content = bytearray(golden())
    start = struct.unpack("<Q", content[-16:-8])[0]
    huge = struct.pack("<IIqB7x", 0, 0xFFFF_FFFF, 0, 2)
    with pytest.raises(RecordingError, match=r"4,294,967,295 bytes announced"):
        list(Recording(bytes(content[:16]) + huge))
    recording = Recording(bytes(content[:start]) + huge)
    assert len(list(recording)) == 7
    assert recording.damage is not None


def test_a_good_record_with_a_bad_frame_is_named() -> None:
    body = golden_text("a", "in", "hello", 5)[:-1]
    start = struct.unpack("<Q", golden()[-16:-8])[0]
    recording = Recording(golden()[:start] + golden_record(2, 4000, body))
    with pytest.raises(RecordingError, match=rf"record at byte {start:,}: its frame: payload_len"):
        list(recording)
    ends = Recording(golden()[:start] + golden_record(4, 4000, b"1234567"))
    with pytest.raises(RecordingError, match="its mark is cut short"):
        list(ends)


@pytest.mark.parametrize("fault", ["order", "first", "outside", "size"])
def test_an_index_that_lies_is_not_used(fault: str) -> None:
    content = golden()
    start = struct.unpack("<Q", content[-16:-8])[0]
    points = [list(struct.unpack_from("<qQ", content, start + 24 + 16 * n)) for n in range(5)]
    if fault == "order":
        points[1], points[2] = points[2], points[1]
    elif fault == "first":
        points[0][1] = 24
    elif fault == "outside":
        points[4][1] = start + 8
    body = b"".join(struct.pack("<qQ", *point) for point in points)
    body += bytes(8) if fault == "size" else b""
    end = struct.pack("<Q8s", start, b"RMRECEND")
    lying = content[:start] + golden_record(7, 3000, body + end)
    recording = Recording(lying)
    assert frames(recording) == frames(Recording(content))
    assert [mark.time_us for mark in recording.marks()] == [2000, 2001, 3000, 3000]


async def test_times_are_those_of_the_session_clock(clock: VirtualClock) -> None:
    await sleep(clock, 5_000_000)
    sink = Bytes()
    recorder = Recorder(sink, None, clock)
    await sleep(clock, 20)
    recorder.received(text("x"))
    recorder.close()
    recording = Recording(sink.content)
    assert recording.header.wall_us == WALL_US + 5_000_000
    assert next(iter(recording)).time_us == 20
