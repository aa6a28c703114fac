"""A session with a latency budget is never behind for longer."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.clock import sleep
from remotemedia.session.budget import live_nodes
from remotemedia.testing import VirtualClock


@rm.node("TestStall")
class Stall(rm.Node):
    """Async: takes 1 ms, but once 10 s."""

    class Params(rm.Params, frozen=True):
        at: int = 100

    output_caps = "any"

    def open(self, ctx: rm.Context) -> None:
        self.clock = ctx.clock
        self.count = 0

    async def process(self, data: Any) -> Any:
        self.count += 1
        await sleep(self.clock, 10_000_000 if self.count == self.params.at else 1_000)
        return data


def block(number: int) -> rm.Audio:
    return rm.Audio(np.full(20, number, np.float32), 1000, pts_us=number * 20_000)


async def run(
    clock: VirtualClock, make: Any, count: int = 1500, **options: Any
) -> tuple[list[tuple[int, int]], rm.Session]:
    """A block every 20 ms; what came out, with the number of the block and its age in µs."""
    p = rm.Pipeline()
    p.add("PassThrough", id="a")
    p.add("TestStall", id="n")
    p.add("PassThrough", id="z")
    p.connect("a", "n").connect("n", "z")

    async def read() -> list[tuple[int, int]]:
        return [
            (packet.sequence, clock.wall_us() - packet.timestamp_us) async for packet in s.outputs()
        ]

    async with p.session(clock=clock, **options) as s:
        reader = asyncio.ensure_future(read())
        waiting = set()
        for number in range(count):
            # A microphone does not wait: every block is sent when it is there.
            waiting.add(asyncio.ensure_future(s.send(make(number))))
            await sleep(clock, 20_000)
        await asyncio.wait(waiting)
        await s.finish()
        return await reader, s


async def test_it_is_live_again_after_a_stall(clock: VirtualClock) -> None:
    found, s = await run(clock, block, max_latency_ms=500)
    ages = [age for number, age in found if number > 100]
    assert max(ages) <= 510_000  # the budget, and the time that the node takes
    numbers = [number for number, _ in found]
    # Block 99 takes from 1.98 to 11.98 s, and is too old for the client then. Block 574 is 500 ms
    # old when it is taken, and 501 ms when it is through; 575 is the first within the budget.
    assert numbers[:99] == list(range(99))
    assert numbers[99:] == list(range(575, 1500))
    late = sum(edge.dropped.get("late", 0) for edge in s.metrics().edges)
    assert late + len(found) == 1500
    for edge in s.metrics().edges:
        assert edge.entered == edge.delivered + sum(edge.dropped.values())


async def test_without_a_budget_it_stays_behind_until_it_has_caught_up(
    clock: VirtualClock,
) -> None:
    found, _ = await run(clock, block)
    assert [number for number, _ in found] == list(range(1500))
    assert max(age for _, age in found) > 9_000_000


async def test_text_and_events_are_never_dropped(clock: VirtualClock) -> None:
    found, _ = await run(clock, lambda number: rm.Json(number), max_latency_ms=500)
    assert [number for number, _ in found] == list(range(1500))


async def test_a_client_that_stalls_gets_what_is_live(clock: VirtualClock) -> None:
    p = rm.Pipeline()
    p.add("PassThrough", id="a")
    async with p.session(clock=clock, max_latency_ms=100) as s:
        for number in range(50):
            await s.send(block(number))
            await sleep(clock, 20_000)
        outputs = s.outputs()
        first = await anext(outputs)
        assert first.sequence == 45  # 100 ms old
        edge = s.metrics().edges[-1]
        assert edge.dropped == {"late": 45}


async def test_a_tail_is_never_late(clock: VirtualClock) -> None:
    p = rm.Pipeline()
    p.add("AudioChunker", id="a", chunk_size=64)
    async with p.session(clock=clock, max_latency_ms=100) as s:
        await s.send(block(0))
        await sleep(clock, 10_000_000)
        await s.finish()
        got = [packet async for packet in s.outputs()]
    assert [packet.data.frames for packet in got] == [20]


@rm.node("TestSpeech", input_caps="text", output_caps="audio(format=F32)")
class Speech(rm.Node):
    """Async: thinks for 2 s, then speaks for 1 s in real time, 20 ms blocks."""

    def open(self, ctx: rm.Context) -> None:
        self.clock = ctx.clock

    async def process(self, text: rm.Text) -> Any:
        await sleep(self.clock, 2_000_000)
        for number in range(50):
            yield block(number)
            await sleep(self.clock, 20_000)


@pytest.mark.parametrize("catch_up", ["drop", "compress"])
async def test_speech_that_is_made_of_text_is_not_live(catch_up: Any, clock: VirtualClock) -> None:
    p = rm.Pipeline()
    p.add("TestSpeech", id="voice")
    p.add("PassThrough", id="mic")
    p.add("Gain", id="mix")
    p.connect("voice", "mix")
    async with p.session(clock=clock, max_latency_ms=100, catch_up=catch_up) as s:
        await s.send(rm.Text("hello"), "voice")
        await sleep(clock, 5_000_000)
        await s.send(block(7), "mic")
        await sleep(clock, 200_000)
        await s.finish()
        got = [packet async for packet in s.outputs()]
        edges = s.metrics().edges
    assert [packet.node for packet in got] == ["mix"] * 50
    assert {edge.source: edge.dropped for edge in edges if edge.dropped} == {"mic:out": {"late": 1}}


def test_which_nodes_are_live() -> None:
    p = rm.Pipeline()
    p.add("AudioChunker", id="mic")
    p.add("EnergyVAD", id="vad")
    p.add("TextCollector", id="words")
    p.add("TestSpeech", id="voice")
    p.add("Gain", id="quieter")
    p.add("PassThrough", id="any")
    p.add("PassThrough", id="behind")
    p.connect("mic", "vad").connect("words", "voice").connect("voice", "quieter")
    p.connect("any", "behind")
    assert live_nodes(p.plan()) == {"mic", "vad", "any", "behind"}
