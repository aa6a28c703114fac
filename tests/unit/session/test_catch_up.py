"""A session that has to catch up plays audio faster, and loses nothing but time.

Blocks count upwards, so that a sample shows its place in the input, exactly where it is as it was,
and up to a fade where two places meet.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.clock import sleep
from remotemedia.errors import SessionError
from remotemedia.testing import VirtualClock

RATE = 16_000
FRAMES = 320
BLOCK_US = 20_000
Make = Callable[[int], rm.Data]


def block(number: int, stream_id: str | None = None) -> rm.Audio:
    """The so-many-th 20 ms of a count."""
    samples = np.arange(number * FRAMES, (number + 1) * FRAMES, dtype=np.float32)
    return rm.Audio(samples, RATE, number * BLOCK_US, stream_id, {"number": number})


def tone(number: int) -> rm.Audio:
    n = np.arange(number * FRAMES, (number + 1) * FRAMES)
    return rm.Audio((0.5 * np.sin(2 * np.pi * 200 / RATE * n)).astype(np.float32), RATE)


@rm.node("TestCatchUpSlow")
class Slow(rm.Node):
    """Async: takes 400 ms."""

    output_caps = "any"

    def open(self, ctx: rm.Context) -> None:
        self.clock = ctx.clock

    async def process(self, data: Any) -> Any:
        await sleep(self.clock, 400_000)
        return data


class Client:
    """Plays in real time: takes the next packet when the one before is over."""

    def __init__(self, clock: VirtualClock, session: rm.Session) -> None:
        self.clock = clock
        self.outputs = session.outputs()
        self.packets: list[rm.Packet] = []
        self.ages: list[int] = []
        self._ends_us = 0.0

    async def play(self, until_us: int) -> None:
        """Until then, or to the end."""
        self._ends_us = max(self._ends_us, self.clock.now_us())
        while self._ends_us < until_us:
            packet = await anext(self.outputs, None)
            if packet is None:
                return
            self.packets.append(packet)
            self.ages.append(self.clock.wall_us() - packet.timestamp_us)
            self._ends_us = max(self._ends_us, self.clock.now_us())
            self._ends_us += packet.data.frames * 1e6 / packet.data.sample_rate
            await sleep(self.clock, max(0, round(self._ends_us) - self.clock.now_us()))

    @property
    def samples(self) -> Any:
        return np.concatenate([packet.data.samples[0] for packet in self.packets])


@asynccontextmanager
async def session_of(clock: VirtualClock, **options: Any) -> AsyncIterator[rm.Session]:
    p = rm.Pipeline()
    p.add("PassThrough", id="a")
    async with p.session(clock=clock, **options) as s:
        yield s


async def microphone(
    clock: VirtualClock, session: rm.Session, count: int, make: Make = block
) -> None:
    for number in range(count):
        await sleep(clock, max(0, number * BLOCK_US - clock.now_us()))
        await session.send(make(number))
    await session.finish()


def edge_of(session: rm.Session) -> Any:
    return session.metrics().edges[-1]


def events(session: rm.Session) -> Iterator[str]:
    waiting = session._log._waiting
    while waiting:
        event = waiting.popleft()
        if event.kind == "catch_up":
            yield event.message


async def test_a_client_catches_up_smoothly_behind_a_stall(clock: VirtualClock) -> None:
    async with session_of(clock, max_latency_ms=800, catch_up="compress") as s:
        mic = asyncio.ensure_future(microphone(clock, s, 600))
        client = Client(clock, s)
        await client.play(1_000_000)
        before = len(client.packets)
        assert client.ages == [0] * 50
        await sleep(clock, 2_010_000)
        await client.play(100_000_000)
        await mic
        edge = edge_of(s)
        told = list(events(s))
    assert before == 50
    # At 3.01 s: block 110 was sent at 2.20 s and is 810 ms old, 111 is 790 ms old.
    assert edge.dropped == {"late": 61}
    ages, packets = client.ages[before:], client.packets[before:]
    assert packets[0].sequence == 111
    assert ages[0] == 790_000
    # None is dropped later, none is twice, and they go on at once.
    assert [packet.sequence for packet in packets] == list(range(111, 600))
    caught_up = next(i for i, p in enumerate(packets) if p.data.equals(block(p.sequence)))
    assert all(age == ages[-1] for age in ages[caught_up:])
    assert 150_000 < ages[-1] <= 200_000
    # The client plays in real time. So what it got younger is what was taken out, exactly.
    assert edge.compressed_us == 790_000 - ages[-1]
    frames = sum(packet.data.frames for packet in packets)
    assert 2 * edge.compressed_us - (489 * FRAMES - frames) * 125 in (0, 1)  # halves up
    # At 1.25 from 790 to 300 ms; then 1.05 + 0.2 (age - 200) / 100, which is an exponential; and
    # while it ramps up, in 250 ms of input, half of that speed is missed.
    expected_s = (0.790 - 0.300) / 0.25 + 0.100 / 0.2 * math.log(0.25 / 0.05) + 0.250 / 2 / 1.125
    took_s = sum(packet.data.frames for packet in packets[:caught_up]) / RATE
    assert took_s == pytest.approx(expected_s, abs=0.100)
    # It gets no older on the way, but for blocks that wait for half a window.
    assert max(b - a for a, b in pairwise(ages)) <= 10_000
    assert max(ages) == 790_000
    assert told == [
        "a:out: 790 ms behind: audio is played faster",
        f"a:out: caught up: {edge.compressed_us // 1000} ms were taken out",
    ]


async def test_packets_keep_the_time_of_the_input(clock: VirtualClock) -> None:
    async with session_of(clock, max_latency_ms=800, catch_up="compress") as s:
        mic = asyncio.ensure_future(microphone(clock, s, 400))
        await sleep(clock, 790_000)
        client = Client(clock, s)
        await client.play(100_000_000)
        await mic
        edge = edge_of(s)
    assert edge.dropped == {}
    for packet in client.packets:
        first = round(float(packet.data.samples[0, 0]))
        assert packet.data.pts_us in (first * 125 // 2, -(-first * 125 // 2))
        assert packet.data.metadata == {"number": packet.sequence}
        assert packet.sub_sequence == 0
    # Nothing is out of order; each step is 1, or a splice: up to 20 ms, and what the tempo takes
    # in 10 ms, in a fade of 10 ms.
    steps = np.diff(client.samples.astype(np.float64))
    assert (steps > 0).all()
    assert steps.max() <= 1 + 1.5 * (320 + 40) / 160
    assert client.samples[0] == 0
    assert client.samples[-1] == 400 * FRAMES - 1
    # Behind the catching up, blocks are those that were sent.
    assert all(packet.data.equals(block(packet.sequence)) for packet in client.packets[-100:])


async def test_there_is_no_click(clock: VirtualClock) -> None:
    async with session_of(clock, max_latency_ms=800, catch_up="compress") as s:
        mic = asyncio.ensure_future(microphone(clock, s, 400, tone))
        await sleep(clock, 790_000)
        client = Client(clock, s)
        await client.play(100_000_000)
        await mic
        taken_us = edge_of(s).compressed_us
    assert taken_us > 500_000
    # 80 samples are a period, so splices are perfect: steps are those of the tone.
    assert np.abs(np.diff(client.samples)).max() <= 2 * np.pi * 200 / RATE * 0.5 * 1.01
    rising = np.count_nonzero((client.samples[:-1] < 0) & (client.samples[1:] >= 0))
    assert rising / (len(client.samples) / RATE) == pytest.approx(200, rel=0.005)


@pytest.mark.parametrize("size", [1, 40, 80, 1_000, 16_000])
async def test_blocks_of_any_size(clock: VirtualClock, size: int) -> None:
    samples = np.arange(32_000, dtype=np.float32)
    async with session_of(clock, max_latency_ms=20_000, catch_up="compress") as s:
        client = Client(clock, s)
        reading = asyncio.ensure_future(client.play(1_000_000_000))
        sent = 0
        # All at once after 11 s, up to one: each as old as if it had come in real time.
        for start in range(0, len(samples), size):
            await sleep(clock, 100_000 if size == 16_000 else 1_000 * size // 16)
            await s.send(rm.Audio(samples[start : start + size], RATE))
            sent += 1
        await s.finish()
        await reading
        edge = edge_of(s)
    assert edge.entered == edge.delivered == sent
    got = client.samples
    assert got[-1] == 31_999
    assert len(got) == 32_000 - round(edge.compressed_us * RATE / 1e6)


async def test_two_streams_each_by_itself(clock: VirtualClock) -> None:
    async with session_of(clock, max_latency_ms=1_000, catch_up="compress") as s:
        for number in range(48):
            await s.send(block(number, "ab"[number % 2]))
            await s.send(rm.Json(number))
            await sleep(clock, BLOCK_US)
        await s.finish()
        got = [packet async for packet in s.outputs()]
        edge = edge_of(s)
        told = list(events(s))
    assert [p.data.value for p in got if isinstance(p.data, rm.Json)] == list(range(48))
    audio = [p.data for p in got if isinstance(p.data, rm.Audio)]
    for stream, last in (("a", 46), ("b", 47)):
        samples = np.concatenate([a.samples[0] for a in audio if a.stream_id == stream])
        assert samples[-1] == (last + 1) * FRAMES - 1
        assert (np.diff(samples) > 0).all()
    taken = 48 * FRAMES - sum(a.frames for a in audio)
    assert taken > 0
    assert edge.compressed_us == pytest.approx(taken * 125 / 2, abs=1)
    assert len(told) == 4


@pytest.mark.parametrize("change", ["format", "rate", "channels"])
async def test_a_format_that_changes_ends_it_without_loss(clock: VirtualClock, change: str) -> None:
    def changed(audio: rm.Audio) -> rm.Audio:
        if change == "format":
            return rm.Audio(audio.samples.astype(np.int16), RATE)
        if change == "rate":
            return rm.Audio(audio.samples, RATE // 2)
        return rm.Audio(np.tile(audio.samples, (2, 1)), RATE)

    async with session_of(clock, max_latency_ms=1_000, catch_up="compress") as s:
        for number in range(48):
            audio = block(number)
            if number >= 12:
                audio = changed(audio)
            await s.send(audio)
            await sleep(clock, BLOCK_US)
        await s.finish()
        got = [packet.data async for packet in s.outputs()]
        edge = edge_of(s)

    def kind(audio: rm.Audio) -> tuple[object, ...]:
        return audio.sample_rate, audio.channels, audio.format

    first, second = (
        np.concatenate([a.samples[0] for a in got if (kind(a) == (RATE, 1, "F32")) is same])
        for same in (True, False)
    )
    assert first[-1] == 12 * FRAMES - 1
    assert second[0] == 12 * FRAMES
    assert second[-1] == 48 * FRAMES - 1
    taken_us = (12 * FRAMES - len(first)) * 125 / 2
    taken_us += (36 * FRAMES - len(second)) * (125 if change == "rate" else 125 / 2)
    assert taken_us > 0
    assert edge.compressed_us == pytest.approx(taken_us, abs=1)


async def test_a_stream_that_ends_is_heard_to_its_end(clock: VirtualClock) -> None:
    async with session_of(clock, max_latency_ms=1_000, catch_up="compress") as s:
        for number in range(48):
            await s.send(block(number, "ab"[number >= 24]))
            await sleep(clock, BLOCK_US)
        outputs = s.outputs()
        got = [packet.data async for packet in _taken(outputs, 48)]
    ends = [a.samples[0, -1] for a in got if a.stream_id == "a"]
    assert ends[-1] == 24 * FRAMES - 1
    assert sum(a.frames for a in got) < 48 * FRAMES


async def _taken(outputs: Any, most: int) -> AsyncIterator[rm.Packet]:
    """What is there, at most so many."""
    while most and (packet := outputs.poll()) is not None:
        most -= 1
        yield packet


async def test_an_interrupt_drops_what_is_held_back(clock: VirtualClock) -> None:
    async with session_of(clock, max_latency_ms=800, catch_up="compress") as s:
        for number in range(39):
            await s.send(block(number))
            await sleep(clock, BLOCK_US)
        outputs = s.outputs()
        old = [await anext(outputs) for _ in range(10)]
        assert sum(packet.data.frames for packet in old) < 10 * FRAMES
        await s.interrupt()
        assert outputs.poll() is None
        for number in range(100, 139):
            await s.send(block(number))
            await sleep(clock, BLOCK_US)
        await s.finish()
        got = [packet async for packet in outputs]
        edge = edge_of(s)
    assert all(packet.generation == 1 for packet in got)
    assert min(packet.data.samples.min() for packet in got) == 100 * FRAMES
    heard = sum(packet.data.frames for packet in [*old, *got])
    assert edge.compressed_us == pytest.approx((edge.delivered * FRAMES - heard) * 125 / 2, abs=2)


async def test_stalling_again_is_dropped_within_the_budget(clock: VirtualClock) -> None:
    async with session_of(clock, max_latency_ms=500, catch_up="compress") as s:
        mic = asyncio.ensure_future(microphone(clock, s, 500))
        client = Client(clock, s)
        for stall_ms in (480, 300, 3_000, 420):
            await sleep(clock, stall_ms * 1000)
            await client.play(clock.now_us() + 500_000)
        await client.play(100_000_000)
        await mic
        edge = edge_of(s)
    assert max(client.ages) <= 500_000
    assert client.ages[-1] <= 125_000
    assert edge.entered == 500 == edge.delivered + edge.dropped["late"]
    heard = sum(packet.data.frames for packet in client.packets)
    assert edge.compressed_us == pytest.approx((edge.delivered * FRAMES - heard) * 125 / 2, abs=2)
    assert (np.diff(client.samples) > 0).all()


async def test_what_is_old_but_does_not_wait_is_left_alone(clock: VirtualClock) -> None:
    # A pipeline that takes 400 ms of 500, and a client that plays in real time: to play faster
    # would only let it starve.
    p = rm.Pipeline.load(
        {
            "version": "v1",
            "nodes": [
                {"id": "n", "node_type": "TestCatchUpSlow", "policy": {"max_concurrency": 32}},
            ],
        }
    )
    async with p.session(clock=clock, max_latency_ms=500, catch_up="compress") as s:
        mic = asyncio.ensure_future(microphone(clock, s, 100))
        client = Client(clock, s)
        await client.play(100_000_000)
        await mic
        edge = edge_of(s)
        assert list(events(s)) == []
    assert [packet.sequence for packet in client.packets] == list(range(100))
    assert all(packet.data.equals(block(packet.sequence)) for packet in client.packets)
    assert set(client.ages) == {400_000}
    assert edge.compressed_us == 0


async def test_without_it_blocks_are_dropped_only(clock: VirtualClock) -> None:
    for options in ({}, {"catch_up": "drop"}):
        async with session_of(clock, max_latency_ms=800, **options) as s:
            for number in range(39):
                await s.send(block(number))
                await sleep(clock, BLOCK_US)
            await s.finish()
            got = [packet.data async for packet in s.outputs()]
            assert edge_of(s).compressed_us == 0
        assert all(audio.equals(block(number)) for number, audio in enumerate(got))


@pytest.mark.parametrize(
    "options", [{"catch_up": "compress"}, {"catch_up": "skip", "max_latency_ms": 500}]
)
def test_options_that_make_no_sense(options: dict[str, Any]) -> None:
    p = rm.Pipeline()
    p.add("PassThrough", id="a")
    with pytest.raises(SessionError) as raised:
        p.session(**options)
    assert "catch_up is one of drop, compress, and 'compress' needs a max_latency_ms" in str(
        raised.value
    )


@pytest.mark.parametrize("seed", range(40))
async def test_whatever_happens_the_counts_add_up(clock: VirtualClock, seed: int) -> None:
    """Stalls, interrupts, two streams, blocks of all sizes: in order, in budget, nothing stale."""
    rng = random.Random(seed)
    budget_us = rng.choice([100_000, 500_000, 2_000_000])
    position = {"a": 0, "b": 0}
    floor = {"a": 0, "b": 0}
    heard: dict[str, list[Any]] = {"a": [], "b": []}
    taken: list[int] = []
    sent_us: dict[int, int] = {}
    async with session_of(clock, max_latency_ms=budget_us / 1000, catch_up="compress") as s:
        outputs = s.outputs()

        async def talk() -> None:
            for _ in range(150):
                name, frames = rng.choice("aab"), rng.choice([1, 100, 320, 320, 2_000])
                start = position[name]
                samples = np.arange(start, start + frames, dtype=np.float32)
                position[name] += frames
                number = await s.send(rm.Audio(samples, RATE, start * 125 // 2, name))
                sent_us[number] = frames * 125 // 2
                await sleep(clock, frames * 125 // 2)
                if rng.random() < 0.02:
                    await s.interrupt()
                    floor.update(position)
            await s.finish()

        talking = asyncio.ensure_future(talk())
        while (packet := await anext(outputs, None)) is not None:
            assert clock.wall_us() - packet.timestamp_us <= budget_us
            audio = packet.data
            assert audio.samples.min() >= floor[audio.stream_id]
            heard[audio.stream_id].append(audio.samples[0])
            taken.append(packet.sequence)
            await sleep(clock, audio.frames * 125 // 2)
            if rng.random() < 0.03:
                await sleep(clock, rng.randrange(2 * budget_us))
        await talking
        edge = edge_of(s)
    assert edge.entered == edge.delivered + sum(edge.dropped.values()) == 150
    assert taken == sorted(set(taken))
    for samples in map(np.concatenate, filter(None, heard.values())):
        assert (np.diff(samples) > 0).all()
    heard_us = sum(len(samples) for parts in heard.values() for samples in parts) * 125 / 2
    assert heard_us <= heard_us + edge.compressed_us <= sum(sent_us.values()) + 150
