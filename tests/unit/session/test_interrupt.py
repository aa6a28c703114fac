"""Interrupts of a part of a graph, and of everything at random moments."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import numpy as np
import pytest

import policy_nodes  # noqa: F401 - registers
import remotemedia as rm
from remotemedia.clock import sleep
from remotemedia.errors import AddressError, SessionError
from remotemedia.testing import VirtualClock
from session_nodes import Log, pipeline


@pytest.fixture(autouse=True)
def _log() -> None:
    Log.lines = []


async def read(session: Any) -> list[rm.Packet]:
    return [packet async for packet in session.outputs()]


async def test_what_is_in_front_goes_on(clock: VirtualClock) -> None:
    p = pipeline(
        "ears:TestSlow mind:TestSlow mouth:TestSlow log:PassThrough",
        "ears mind",
        "mind mouth",
        "ears log",
        ears={"delay_ms": 5},
        mind={"delay_ms": 20},
        mouth={"delay_ms": 30},
    )
    async with p.session(clock=clock) as s:
        reader = asyncio.ensure_future(read(s))
        for number in range(4):
            await s.send(rm.Text(str(number)))
        # At 26 ms: 0 is in the mouth, 1 in the mind, 2 and 3 wait for it.
        await sleep(clock, 26_000)
        await s.interrupt("mouth")
        await s.finish()
        got = await reader
    assert [p.data.text for p in got if p.node == "log"] == ["0", "1", "2", "3", "slow tail"]
    mouth = [packet for packet in got if packet.node == "mouth"]
    assert [packet.data.text for packet in mouth][:3] == ["1", "2", "3"]
    assert {packet.generation for packet in mouth} == {1}
    assert Log.lines.count("cancelled 0") == 1
    for edge in s.metrics().edges:
        assert edge.entered == edge.delivered + sum(edge.dropped.values()), edge


async def test_all_that_is_behind_is_dropped(clock: VirtualClock) -> None:
    p = pipeline("ears:TestSlow mind:TestSlow mouth:TestSlow", "ears mind", "mind mouth")
    async with p.session(clock=clock) as s:
        reader = asyncio.ensure_future(read(s))
        for number in range(4):
            await s.send(rm.Text(str(number)))
        await sleep(clock, 25_000)  # 0 in the mouth, 1 in the mind, 2 in the ears
        await s.interrupt("mind")
        await s.finish()
        got = await reader
    assert [packet.data.text for packet in got][:2] == ["2", "3"]


async def test_a_part_of_an_island(clock: VirtualClock) -> None:
    """The client does not read, so that the island stands still with items of both in flight."""
    p = pipeline("first:TestRepeat second:TestRepeat", "first second", first={"times": 400})
    async with p.session(clock=clock) as s:
        await s.send(rm.Text("x"))
        await sleep(clock, 1_000)
        await s.interrupt("second")
        await s.finish()
        got = [packet.data.text async for packet in s.outputs()]
    # 128 items of `first` make 256 packets, which is what the client's queue holds; the next one
    # waits in front of it. All these are gone, the others come.
    assert got[0] == "x.129.0"
    assert len(got) == 2 * (400 - 129)


async def test_an_unknown_node(clock: VirtualClock) -> None:
    async with pipeline("a:PassThrough").session(clock=clock) as s:
        with pytest.raises(AddressError, match="there is no node 'b'"):
            await s.interrupt("b")


@pytest.mark.parametrize("kind", ["PassThrough", "TestSlow", "TestStream", "TestRepeat"])
async def test_barge_in_at_random_moments(kind: str, clock: VirtualClock) -> None:
    """Nothing that was sent before the call can be seen after it; 300 times per kind."""
    rng = random.Random(5)
    p = pipeline(f"a:{kind} b:TestSlow c:{kind}", "a b", "b c", b={"delay_ms": 3})
    async with p.session(clock=clock) as s:
        outputs = s.outputs()
        sent = 0
        for _ in range(300):
            for _ in range(rng.randint(0, 6)):
                if s.offer(rm.Text(str(sent))):
                    sent += 1
            await sleep(clock, rng.randint(0, 12_000))
            if rng.random() < 0.3:
                while outputs.poll() is not None:
                    pass
            before = sent
            begin = clock.now_us()
            await s.interrupt()
            assert clock.now_us() == begin
            assert outputs.poll() is None
            assert s.offer(rm.Text(str(sent)))
            sent += 1
            packet = await anext(outputs)
            assert packet.sequence >= before
            assert packet.generation == s.generation


def ramped(samples: np.ndarray[Any, Any], frames: int) -> np.ndarray[Any, Any]:
    """A raised cosine from 1 to 0, by its definition."""
    n = np.arange(1, frames + 1)
    return samples[:frames] * np.cos(np.pi * n / (2 * frames)) ** 2


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
async def test_what_is_not_read_yet_fades_out(dtype: type, clock: VirtualClock) -> None:
    p = pipeline("a:PassThrough")
    samples = (np.sin(np.arange(320)) * 1000).astype(dtype)
    async with p.session(clock=clock) as s:
        for number in range(4):
            block = samples[number * 80 : number * 80 + 80]
            await s.send(rm.Audio(block, 8000, pts_us=number * 10_000))
        await sleep(clock, 1_000)
        first = await anext(s.outputs())
        await s.interrupt(fade_ms=15)
        await s.send(rm.Text("new"))
        await s.finish()
        got = [packet async for packet in s.outputs()]
    faded, new = got
    assert (faded.generation, faded.sequence, new.data.text) == (1, 1, "new")
    assert faded.data.pts_us == first.data.pts_us + 10_000
    assert faded.data.metadata == {"fade": "out"}
    assert faded.data.samples.dtype == dtype
    expected = ramped(samples[80:].astype(float), 120)
    off = np.abs(faded.data.samples[0] - expected).max()
    assert off <= (0.5 if dtype is np.int16 else 1e-4)  # rounded to the format
    assert faded.data.samples[0, -1] == 0
    for edge in s.metrics().edges:
        assert edge.entered == edge.delivered + sum(edge.dropped.values())


async def test_nothing_to_fade(clock: VirtualClock) -> None:
    async with pipeline("a:PassThrough").session(clock=clock) as s:
        await s.send(rm.Text("old"))
        await sleep(clock, 1_000)
        await s.interrupt(fade_ms=20)
        assert s.outputs().poll() is None
        with pytest.raises(SessionError, match="fade_ms is 0 to 10,000, not -1"):
            await s.interrupt(fade_ms=-1)
