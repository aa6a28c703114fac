"""Sessions that share a model: as alone, within the time that they allow, and no longer alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

import numpy as np
import pytest
import soxr

import remotemedia as rm
from remotemedia.data import Audio
from remotemedia.testing import VirtualClock
from remotemedia_native.onnx.model import OnnxModel

RATE = 16_000
BLOCK = 320
FRAME = 512
SESSIONS = 10

Samples: TypeAlias = np.ndarray[Any, Any]


@pytest.fixture(scope="session")
def at_16k(speech: Samples) -> Samples:
    """44 s of somebody reading, 16 kHz [shape=(n,)]."""
    return soxr.resample(speech, 48_000, RATE)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many frames each run of a model takes."""
    sizes: list[int] = []
    run = OnnxModel.run

    def counted(self: OnnxModel, feeds: Any) -> Any:
        sizes.append(len(feeds["input"]))
        return run(self, feeds)

    monkeypatch.setattr(OnnxModel, "run", counted)
    return sizes


def blocks(samples: Samples, start: int) -> Iterator[Audio]:
    """One second in blocks of 20 ms, from a place in the recording."""
    for at in range(start, start + RATE, BLOCK):
        yield Audio(samples[at : at + BLOCK], RATE)


def pipeline(batch_ms: int | None) -> rm.Pipeline:
    made = rm.Pipeline()
    made.add("SileroVAD", id="vad", batch_ms=batch_ms, min_silence_ms=60, min_speech_ms=60)
    return made


def as_values(data: rm.Data) -> object:
    if isinstance(data, rm.Json):
        return data.value
    assert isinstance(data, Audio)
    return data.samples.tobytes(), data.pts_us


async def crowd(
    clock: VirtualClock, samples: Samples, batch_ms: int | None, groups: int
) -> list[list[object]]:
    """What comes out of sessions that are fed in so many groups, 1 ms apart."""
    opened = asyncio.Barrier(SESSIONS)

    async def live(number: int) -> list[object]:
        async with pipeline(batch_ms).session(clock=clock) as session:
            await opened.wait()
            await asyncio.sleep(0.001 * (number % groups))
            for block in blocks(samples, number * RATE):
                await session.send(block)
                await asyncio.sleep(0.02)
            await session.finish()
            found = [as_values(packet.data) async for packet in session.outputs()]
            await opened.wait()  # all are users of the model as long as there is work
            return found

    return list(await asyncio.gather(*(live(number) for number in range(SESSIONS))))


@pytest.mark.parametrize(("batch_ms", "groups", "most"), [(10, 2, 10), (0, 2, 5), (0, 1, 10)])
async def test_what_comes_out_is_the_same(
    clock: VirtualClock, at_16k: Samples, runs: list[int], batch_ms: int, groups: int, most: int
) -> None:
    alone = await crowd(clock, at_16k, None, groups)
    assert set(runs) == {1}
    runs.clear()
    together = await crowd(clock, at_16k, batch_ms, groups)
    assert max(runs) == most
    assert sum(map(len, alone)) > 3 * SESSIONS
    assert together == alone


async def test_who_comes_at_other_times_is_not_waited_for(
    clock: VirtualClock, at_16k: Samples, runs: list[int]
) -> None:
    await crowd(clock, at_16k, 10, SESSIONS)
    assert set(runs) == {1}


async def keep_busy(clock: VirtualClock, sessions: list[rm.Session], samples: Samples) -> None:
    """Let many frames come at the same time, so that it pays to wait for one another."""
    for number in range(60):
        frame = samples[number * FRAME : (number + 1) * FRAME]
        for session in sessions:
            await session.send(Audio(frame, RATE))
        await asyncio.sleep(0.032)


async def test_nobody_waits_longer_than_it_allows(
    clock: VirtualClock, at_16k: Samples, runs: list[int]
) -> None:
    async with AsyncExitStack() as stack:
        sessions = [
            await stack.enter_async_context(pipeline(7).session(clock=clock)) for _ in range(6)
        ]
        await keep_busy(clock, sessions, at_16k)
        runs.clear()
        for session in sessions[:5]:  # the sixth has nothing to say
            await session.send(Audio(at_16k[:FRAME], RATE))
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.0019)  # the first asked 6.9 ms ago
        assert runs == []
        await asyncio.sleep(0.0002)
        assert runs == [5]


async def test_few_do_not_wait(clock: VirtualClock, at_16k: Samples, runs: list[int]) -> None:
    async with AsyncExitStack() as stack:
        sessions = [
            await stack.enter_async_context(pipeline(7).session(clock=clock)) for _ in range(3)
        ]
        runs.clear()
        for session in sessions:
            await session.send(Audio(at_16k[:FRAME], RATE))
            await asyncio.sleep(0)
        assert runs == [1, 1, 1]


async def test_an_interrupted_session_is_not_waited_for(
    clock: VirtualClock, at_16k: Samples, runs: list[int]
) -> None:
    async with AsyncExitStack() as stack:
        sessions = [
            await stack.enter_async_context(pipeline(7).session(clock=clock)) for _ in range(5)
        ]
        async with pipeline(7).session(clock=clock) as leaves:
            await keep_busy(clock, [leaves, *sessions], at_16k)
            runs.clear()
            for session in (leaves, *sessions[:4]):
                await session.send(Audio(at_16k[:FRAME], RATE))
            await asyncio.sleep(0.001)
            await sessions[0].interrupt()
        await asyncio.sleep(0.01)
        assert runs == [3]
        await sessions[0].send(Audio(at_16k[:FRAME], RATE))  # it goes on, from the start
        await asyncio.sleep(0.01)
        assert runs == [3, 1]


def test_a_run_without_a_session_does_not_wait(at_16k: Samples, runs: list[int]) -> None:
    made = list(pipeline(10).run(blocks(at_16k, RATE)))
    assert made
    assert set(runs) == {1}
