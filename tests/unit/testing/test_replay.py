"""Replays: the recorded input at the recorded times gives the recorded bytes."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import remotemedia as rm
from remotemedia import wire
from remotemedia.clock import sleep
from remotemedia.errors import AddressError, ManifestError, RecordingError
from remotemedia.recording import Recorder, Recording
from remotemedia.session.replay import RecordedClock, Replay
from remotemedia.testing import VirtualClock, assert_replays, replay
from remotemedia.testing.replaying import differences, recorded_pipeline
from session_nodes import pipeline

LATER_US = 1_750_000_000_123_456  # a wall clock that is not where virtual clocks start


class Bytes(list[bytes]):
    """A sink."""

    def write(self, content: bytes) -> None:
        self.append(content)

    @property
    def recording(self) -> Recording:
        return Recording(b"".join(self))


@rm.node("TestClockFace", input_caps="text", output_caps="text")
class ClockFace(rm.Node):
    """Says what its clocks show, and what it was given before."""

    def open(self, ctx: rm.Context) -> None:
        self.clock = ctx.clock
        self.start_us = ctx.clock.now_us()
        self.before = ""

    def process(self, text: rm.Text) -> rm.Text:
        passed = self.clock.now_us() - self.start_us
        said = f"{self.before}>{text.text} {passed} {self.clock.wall_us()}"
        self.before = text.text
        return rm.Text(said)

    def reset(self) -> None:
        self.before = "reset"


@rm.node("TestReluctant", input_caps="text", output_caps="text")
class Reluctant(rm.Node):
    """Takes its time, and some more when it is cancelled."""

    def open(self, ctx: rm.Context) -> None:
        self.clock = ctx.clock

    async def process(self, text: rm.Text) -> rm.Text:
        try:
            await sleep(self.clock, 2_000)
        except asyncio.CancelledError:
            await sleep(self.clock, 5_000)
            raise
        return text


Live = Callable[[rm.Session], Awaitable[None]]


def record(p: rm.Pipeline, live: Live, clock: VirtualClock | None = None) -> Recording:
    """What `live` does to a session of the pipeline, recorded."""
    clock = clock or VirtualClock(LATER_US)
    sink = Bytes()

    async def run() -> None:
        session = p.session(clock=clock)
        recorder = Recorder(sink, p.to_dict(), clock)
        async with session:
            recorder.attach(session)
            reading = asyncio.ensure_future(read(session))
            await live(session)
            if session.is_open:
                await clock.idle()
                reading.cancel()
            else:
                await reading
        recorder.close()
        assert recorder.error is None

    clock.run(run())
    return sink.recording


async def read(session: rm.Session) -> None:
    async for _packet in session.outputs():
        pass


def received(recording: Recording) -> list[bytes]:
    return [wire.encode(r.packet) for r in recording if r.kind == "received" and r.packet]


async def some_words(session: rm.Session) -> None:
    for number in range(5):
        await session.send(rm.Text(f"word {number}"))
        await sleep(session.clock, 7_123 * number)
    await session.finish()


@pytest.mark.parametrize(
    "graph",
    [
        ("a:PassThrough",),
        ("a:TestClockFace z:TestList", "a z"),
        ("s:TestSlow z:TestClockFace", "s z"),
        ("a:PassThrough s:TestSlow t:TestStream z:TestClockFace", "a s", "a t", "s z", "t z"),
    ],
)
def test_the_same_bytes_again(graph: tuple[str, ...]) -> None:
    recording = record(pipeline(*graph), some_words)
    assert len(received(recording)) >= 5
    assert list(map(wire.encode, replay(recording))) == received(recording)
    assert_replays(recording)


def test_audio_and_the_tail() -> None:
    p = rm.Pipeline()
    p.add("AudioResample", "r", target_rate=16_000)
    p.add("AudioLevel", "level", interval_ms=10)
    p.connect("r", "level")

    async def live(session: rm.Session) -> None:
        random = np.random.default_rng(1)
        for number in range(20):
            samples = random.uniform(-1, 1, (2, 441)).astype(np.float32)
            await session.send(rm.Audio(samples, 44_100, number * 10_000))
            await sleep(session.clock, 10_000)
        await session.finish()

    recording = record(p, live)
    assert len(received(recording)) > 15
    assert_replays(recording)


def test_several_entries_and_addresses() -> None:
    p = pipeline("a:PassThrough b:TestList two:TestTwo", "a two:left", "b two:right")

    async def live(session: rm.Session) -> None:
        await session.send(rm.Text("both"))
        await session.send(rm.Text("b"), "b")
        await session.send(rm.Text("inside"), "two:right")
        await session.finish()

    recording = record(p, live)
    sent = [(r.packet.node, r.packet.port, r.packet.sequence) for r in recording
            if r.kind == "sent" and r.packet]  # fmt: skip
    assert sent == [("a", "in", 0), ("b", "in", 0), ("b", "in", 1), ("two", "right", 2)]
    assert_replays(recording)


@pytest.mark.parametrize("pause_us", [0, 1, 3_000, 50_000])
def test_interrupts(pause_us: int) -> None:
    p = pipeline("a:TestClockFace s:TestSlow z:PassThrough", "a s", "a z")

    async def live(session: rm.Session) -> None:
        for number in range(6):
            await session.send(rm.Text(f"{number}"))
            if pause_us:
                await sleep(session.clock, pause_us)
            if number % 2:
                await session.interrupt()
        await session.finish()

    recording = record(p, live)
    kinds = [mark.kind for mark in recording.marks()]
    assert kinds == ["interrupted"] * 3 + ["finished", "closed"]
    assert_replays(recording)
    words = [p.data.text for p in replay(recording) if p.node == "z"]  # type: ignore[attr-defined]
    if pause_us:
        assert [word.split()[0] for word in words[:4]] == [">0", "0>1", "reset>2", "2>3"]


def test_what_was_sent_while_an_interrupt_was_going_on() -> None:
    p = pipeline("s:TestReluctant")

    async def live(session: rm.Session) -> None:
        await session.send(rm.Text("heard"))
        await sleep(session.clock, 2_500)
        await session.send(rm.Text("cut off"))
        await sleep(session.clock, 1_000)
        interrupting = asyncio.ensure_future(session.interrupt())
        await sleep(session.clock, 1_000)
        await session.send(rm.Text("new"))
        await interrupting
        await session.finish()

    recording = record(p, live)
    kinds = [record.kind for record in recording]
    assert kinds[2:5] == ["sent", "interrupted", "sent"]  # told before anything newer
    packets = replay(recording)
    assert [packet.data.text for packet in packets] == ["heard", "new"]  # type: ignore[attr-defined]
    assert_replays(recording)


@pytest.mark.parametrize("from_node", ["a", "s", "z"])
def test_interrupts_of_a_part(from_node: str) -> None:
    p = pipeline("a:TestClockFace s:TestSlow z:TestList", "a s", "s z")

    async def live(session: rm.Session) -> None:
        for number in range(8):
            await session.send(rm.Text(f"{number}"))
            await sleep(session.clock, 7_000)
            if number % 3 == 2:
                await session.interrupt(from_node)
        await session.finish()

    recording = record(p, live)
    assert {mark.from_node for mark in recording.marks()} == {from_node, None}
    assert_replays(recording)


def test_what_came_out_before_an_interrupt_of_the_same_instant_comes_out_again() -> None:
    p = pipeline("a:PassThrough")

    async def live(session: rm.Session) -> None:
        await session.send(rm.Text("heard"))
        await session.clock.idle()  # type: ignore[attr-defined]
        await session.interrupt()
        await session.send(rm.Text("never heard"))
        await session.interrupt()
        await session.finish()

    recording = record(p, live)
    packets = replay(recording)
    assert [packet.data.text for packet in packets] == ["heard"]  # type: ignore[attr-defined]
    assert_replays(recording)


def test_a_session_that_was_closed_without_an_end_of_input() -> None:
    async def live(session: rm.Session) -> None:
        await session.send(rm.Text("x"))
        await sleep(session.clock, 20_000)
        await session.send(rm.Text("in flight"))

    recording = record(pipeline("s:TestSlow"), live)
    packets = replay(recording)
    assert [packet.data.text for packet in packets] == ["x"]  # type: ignore[attr-defined]
    assert_replays(recording)


def test_a_session_that_was_closed_before_all_had_come_out() -> None:
    p, clock, sink = pipeline("s:TestSlow z:TestList", "s z"), VirtualClock(LATER_US), Bytes()

    async def run() -> None:
        async with p.session(clock=clock) as session:
            recorder = Recorder(sink, p.to_dict(), clock)
            recorder.attach(session)
            await session.send(rm.Text("heard"))
            await session.send(rm.Text("too late"))
            await session.finish()
            await sleep(clock, 15_000)
        recorder.close()

    clock.run(run())
    assert len(received(sink.recording)) == 2
    assert_replays(sink.recording)


def test_a_recording_that_begins_in_the_middle() -> None:
    p, clock, sink = pipeline("a:PassThrough"), VirtualClock(LATER_US), Bytes()

    async def run() -> None:
        async with p.session(clock=clock) as session:
            reading = asyncio.ensure_future(read(session))
            for number in range(6):
                if number == 3:
                    await clock.idle()
                    recorder = Recorder(sink, p.to_dict(), clock)
                    recorder.attach(session)
                await session.send(rm.Text(f"{number}"))
                await sleep(clock, 1000)
                if number == 1:
                    await session.interrupt()
            await session.finish()
            await reading
        recorder.close()

    clock.run(run())
    recording = sink.recording
    packets = replay(recording)
    assert [(one.sequence, one.generation) for one in packets] == [(3, 1), (4, 1), (5, 1)]
    assert_replays(recording)


class Drifting(VirtualClock):
    """Its wall is stepped now and then, as NTP does."""

    def wall_us(self) -> int:
        now_us = self.now_us()
        return super().wall_us() + now_us // 50 - (5_000 if now_us > 20_000 else 0)


def test_ingress_times_are_the_recorded_ones_whatever_the_wall_did() -> None:
    recording = record(pipeline("a:PassThrough"), some_words, Drifting(LATER_US))
    times = [r.packet.timestamp_us for r in recording if r.kind == "sent" and r.packet]
    steps = np.diff([LATER_US, *times])
    assert times != sorted(times) or (steps != [0, 0, 7_123, 14_246, 21_369]).any()
    assert [packet.timestamp_us for packet in replay(recording)] == times
    assert_replays(recording)


def test_another_pipeline() -> None:
    recording = record(pipeline("a:PassThrough"), some_words)
    packets = replay(recording, pipeline("a:TestRepeat"))
    assert [packet.data.text for packet in packets][:4] == [  # type: ignore[attr-defined]
        "word 0.0", "word 0.1", "word 1.0", "word 1.1",
    ]  # fmt: skip
    with pytest.raises(AssertionError) as caught:
        assert_replays(recording, pipeline("a:TestRepeat"))
    assert str(caught.value).splitlines()[0] == (
        "a:out: packet 0 (sequence 0): text from 6 on is 'word 0.0', expected 'word 0'"
    )
    assert "a:out: 5 packets were recorded, the replay gave 10" in str(caught.value)
    with pytest.raises(AddressError, match="no node 'a'"):
        replay(recording, pipeline("b:PassThrough"))


def test_a_session_that_never_ended_is_finished_with_another_pipeline() -> None:
    async def live(session: rm.Session) -> None:
        await session.send(rm.Text("x"))

    recording = record(pipeline("s:PassThrough"), live)
    packets = replay(recording, pipeline("s:TestSlow"))
    assert [packet.data.text for packet in packets] == ["x", "slow tail"]  # type: ignore[attr-defined]


def test_sources_end_when_as_much_has_come_out() -> None:
    p = pipeline("t:TestTicks z:PassThrough", "t z")

    async def live(session: rm.Session) -> None:
        await sleep(session.clock, 3_600_000)

    recording = record(p, live)
    assert_replays(recording)


def test_without_a_manifest_a_pipeline_is_needed() -> None:
    sink = Bytes()
    Recorder(sink, None, VirtualClock()).close()
    with pytest.raises(RecordingError, match="the recording has no manifest: say what to replay"):
        replay(sink.recording)
    assert replay(sink.recording, pipeline("a:PassThrough")) == []


def test_a_path_will_do(tmp_path: Path) -> None:
    recording = record(pipeline("a:PassThrough"), some_words)
    path = tmp_path / "talk.rmrec"
    path.write_bytes(bytes(recording._files[0].view))
    assert len(replay(path)) == len(replay(str(path))) == 5
    assert_replays(path)


@pytest.mark.parametrize("seed", range(40))
def test_random_sessions(seed: int) -> None:
    chance = random.Random(seed)
    kinds = ["PassThrough", "TestList", "TestClockFace", "TestSlow", "TestStream", "TestRepeat"]
    names = "abcde"[: chance.randint(1, 5)]
    edges = [f"{a} {b}" for a, b in itertools.combinations(names, 2) if chance.random() < 0.6]
    nodes = " ".join(f"{name}:{chance.choice(kinds)}" for name in names)
    delays = {
        name: {"delay_ms": chance.randint(1, 9)} for name in names if f"{name}:TestSl" in nodes
    }
    p = pipeline(nodes, *edges, **delays)

    async def live(session: rm.Session) -> None:
        await session.clock.idle()  # type: ignore[attr-defined] # as the feeder of a replay finds it
        for number in range(15):
            match chance.randrange(6):
                case 0:
                    await session.interrupt(chance.choice([None, *names]))
                case 1 | 2:
                    await sleep(session.clock, chance.randint(1, 20_000))
                case 3:
                    await session.send(rm.Text(f"{number}"), chance.choice(names))
                case _:
                    await session.send(rm.Text(f"{number}"))
        if chance.random() < 0.7:
            await session.finish()

    assert_replays(record(p, live))


# -- speeds ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("speed", "took_us"), [(1, 71_230), (2, 35_615), (0.5, 142_460)])
def test_real_time_and_multiples_of_it(speed: float, took_us: int) -> None:
    recording = record(pipeline("s:TestSlow z:TestList", "s z"), some_words)
    clock = VirtualClock()
    running = Replay(recorded_pipeline(recording).plan(), recording, clock=clock, speed=speed)

    async def collect() -> list[rm.Packet]:
        return [packet async for packet in running.packets()]

    packets = clock.run(collect())
    assert clock.now_us() >= took_us
    assert clock.now_us() - took_us < 20_000 / speed
    assert list(map(wire.encode, packets)) == received(recording)


def test_without_any_wait() -> None:
    recording = record(pipeline("a:TestList"), some_words)
    clock = VirtualClock()
    running = Replay(recorded_pipeline(recording).plan(), recording, clock=clock, speed=None)

    async def collect() -> list[rm.Packet]:
        return [packet async for packet in running.packets()]

    packets = clock.run(collect())
    assert clock.now_us() == 0
    assert list(map(wire.encode, packets)) == received(recording)


def test_stepping() -> None:
    recording = record(pipeline("a:PassThrough"), some_words)
    clock = VirtualClock()
    asked: list[tuple[int, str]] = []

    async def before(one: Any) -> bool:
        asked.append((one.time_us, one.kind))
        return len(asked) < 4

    running = Replay(recorded_pipeline(recording).plan(), recording, clock=clock, before=before)

    async def collect() -> list[rm.Packet]:
        return [packet async for packet in running.packets()]

    assert [one.sequence for one in clock.run(collect())] == [0, 1, 2]
    assert asked == [(0, "sent"), (0, "sent"), (7_123, "sent"), (21_369, "sent")]


def test_the_clock_of_a_replay() -> None:
    inner = VirtualClock()
    inner.advance(500)
    clock = RecordedClock(inner, LATER_US, speed=4)
    assert (clock.now_us(), clock.wall_us()) == (0, LATER_US)
    inner.advance(25)
    assert (clock.now_us(), clock.wall_us()) == (100, LATER_US + 100)
    clock.set_wall(7)
    inner.advance(1)
    assert [clock.wall_us(), clock.wall_us()] == [7, 11]
    due: list[int] = []
    clock.call_later(10, lambda: due.append(clock.now_us()))  # 2.5 µs of the other
    inner.advance(10)
    assert due == [116]


# -- what differs ----------------------------------------------------------------------------


def packet(data: rm.Data, **place: Any) -> rm.Packet:
    return rm.Packet(data, **{"node": "a", **place})


def audio(*samples: float) -> rm.Packet:
    return packet(rm.Audio(np.array(samples, np.float32), 8000))


def test_the_tolerance_of_a_node() -> None:
    sink = Bytes()
    recorder = Recorder(sink, None, VirtualClock())
    for node in "ab":
        recorder.received(rm.Packet(rm.Json(1.0), node))
    recorder.finished()
    recorder.close()
    given = [rm.Packet(rm.Json(1.5), "b"), rm.Packet(rm.Json(1.5), "a")]
    told = (
        "a:out: packet 0 (sequence 0): value is 1.5, expected 1.0; "
        "largest difference of value: 0.5 at value; 1 of 1 values differ in 1 item"
    )
    assert list(differences(sink.recording, given, {"b": 0.5})) == [told]
    assert list(differences(sink.recording, given, 0.5)) == []
    assert len(list(differences(sink.recording, given))) == 2


class Real(VirtualClock):
    """Not called virtual."""


@pytest.mark.parametrize(("clock", "told"), [(VirtualClock(), 1), (Real(), 0)])
def test_a_reading_of_a_real_clock_is_not_compared(clock: VirtualClock, told: int) -> None:
    sink = Bytes()
    recorder = Recorder(sink, None, clock)
    recorder.sent([rm.Packet(rm.Text("x"), "a", "in", timestamp_us=5)])
    got = rm.Packet(rm.Text("x"), "a", timestamp_us=5)
    tail = rm.Packet(rm.Text("tail"), "a", sub_sequence=1, timestamp_us=70)
    recorder.received(got)
    recorder.received(tail)
    recorder.finished()
    recorder.close()
    later = msgspec.structs.replace(tail, timestamp_us=71)
    assert len(list(differences(sink.recording, [got, later]))) == told
    late = msgspec.structs.replace(got, timestamp_us=6)
    assert len(list(differences(sink.recording, [late, tail]))) == 1
    other = msgspec.structs.replace(tail, data=rm.Text("tails"))
    assert len(list(differences(sink.recording, [got, other]))) == 1


def test_what_an_interrupt_cut_off_may_go_on_and_nothing_else() -> None:
    sink = Bytes()
    recorder = Recorder(sink, None, VirtualClock())
    recorder.received(rm.Packet(rm.Text("0"), "a"))
    recorder.interrupted(1, None)
    recorder.received(rm.Packet(rm.Text("1"), "a", generation=1))
    recorder.finished()
    recorder.close()

    def told(*generations: int) -> list[str]:
        given = [rm.Packet(rm.Text(str(one)), "a", generation=one) for one in generations]
        return list(differences(sink.recording, given))

    assert told(0, 1) == told(0, 0, 0, 1) == []
    assert told(0, 1, 1) == ["a:out: 1 packets were recorded, the replay gave 2"]
    assert told(1) == ["a:out: 1 packets were recorded, the replay gave 0"]


def test_only_so_many_differences_are_told() -> None:
    async def live(session: rm.Session) -> None:
        for number in range(30):
            await session.send(rm.Text(f"{number}"))
        await session.finish()

    recording = record(pipeline("a:PassThrough"), live)
    with pytest.raises(AssertionError) as caught:
        assert_replays(recording, pipeline("a:TestRepeat", a={"times": 1}))
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "… and 10 more"


def test_a_recorded_manifest_is_never_taken_for_a_path(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("{version: v1, nodes: [{id: a, node_type: PassThrough}]}")
    sink = Bytes()
    Recorder(sink, {}, VirtualClock()).close()
    recording = sink.recording
    recording.header = msgspec.structs.replace(recording.header, manifest=str(path))
    with pytest.raises(ManifestError):
        recorded_pipeline(recording)
