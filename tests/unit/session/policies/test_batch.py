"""Nodes that are handed several items at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.clock import sleep
from remotemedia.data import Control
from remotemedia.manifest import Batch, Policy
from remotemedia.testing import VirtualClock


class Seen(rm.Node):
    """Notes what it is given and when, and hands it on."""

    lines: list[tuple[Any, int]] = []  # noqa: RUF012 - of one test

    def open(self, ctx: rm.Context) -> None:
        self.clock = ctx.clock
        Seen.lines = []

    def process(self, data: Any) -> Any:
        Seen.lines.append((data, self.clock.now_us() // 1000))
        return data


@rm.node("TestSeenAsync")
class SeenAsync(Seen):
    """The same, async, and slow."""

    async def process(self, data: Any) -> Any:
        Seen.lines.append((data, self.clock.now_us() // 1000))
        await sleep(self.clock, 50_000)
        return data


rm.node("TestSeen")(Seen)
KINDS = ["TestSeen", "TestSeenAsync"]


def graph(kind: str, **batch: Any) -> rm.Pipeline:
    p = rm.Pipeline()
    p.add("PassThrough", id="a")
    p.add(kind, id="n", policy=Policy(batch=Batch(**batch)))
    return p.connect("a", "n")


def shown() -> list[tuple[str, int]]:
    return [(getattr(data, "text", "?"), at) for data, at in Seen.lines]


async def feed(p: rm.Pipeline, clock: VirtualClock, gap_ms: int, *items: rm.Data) -> rm.Session:
    async with p.session(clock=clock) as s:
        for item in items:
            await s.send(item)
            await sleep(clock, gap_ms * 1000)
        await sleep(clock, 1_000_000)
        await s.finish()
        s.packets = [packet async for packet in s.outputs()]  # type: ignore[attr-defined]
    for edge in s.metrics().edges:
        assert edge.entered == edge.delivered + sum(edge.dropped.values()), edge
    return s


LETTERS = [rm.Text(letter) for letter in "abcdefg"]


@pytest.mark.parametrize("kind", KINDS)
async def test_so_many_are_waited_for(kind: str, clock: VirtualClock) -> None:
    await feed(graph(kind, min_items=3, max_items=3, max_wait_ms=500), clock, 10, *LETTERS)
    assert shown() == [
        ("abc", 20),
        ("def", 50 if kind == "TestSeen" else 70),
        ("g", 560 if kind == "TestSeen" else 620),
    ]


@pytest.mark.parametrize("kind", KINDS)
async def test_not_for_long(kind: str, clock: VirtualClock) -> None:
    await feed(graph(kind, min_items=3, max_wait_ms=15), clock, 10, *LETTERS[:2])
    assert shown() == [("ab", 15)]


async def test_what_came_meanwhile_is_taken_at_once(clock: VirtualClock) -> None:
    session = await feed(graph("TestSeenAsync", max_items=4), clock, 10, *LETTERS)
    assert shown() == [("a", 0), ("bcde", 50), ("fg", 100)]
    packets = session.packets  # type: ignore[attr-defined]
    assert [packet.sequence for packet in packets] == [0, 4, 6]  # of the last of each
    begin = packets[0].timestamp_us
    assert [packet.timestamp_us - begin for packet in packets] == [0, 10_000, 50_000]  # first


async def test_separate_ones_come_one_after_the_other(clock: VirtualClock) -> None:
    p = graph("TestSeen", min_items=3, max_items=3, max_wait_ms=500, merge="separate")
    await feed(p, clock, 10, *LETTERS[:4])
    assert shown() == [("a", 20), ("b", 20), ("c", 20), ("d", 530)]


async def test_audio_is_concatenated(clock: VirtualClock) -> None:
    blocks = [
        rm.Audio(np.arange(n * 10, n * 10 + 10, dtype=np.float32), 1000, pts_us=n * 10_000)
        for n in (0, 1, 2, 5)  # a gap
    ]
    await feed(graph("TestSeen", min_items=4, max_wait_ms=100), clock, 10, *blocks)
    (first, _), (second, _) = Seen.lines
    assert first.samples[0].tolist() == list(range(30))
    assert first.pts_us == 0
    assert second.equals(blocks[3])


async def test_control_is_handed_on_at_once(clock: VirtualClock) -> None:
    p = graph("TestSeen", min_items=3, max_wait_ms=500)
    await feed(p, clock, 10, LETTERS[0], Control("now"), LETTERS[1])
    assert shown() == [("?", 10), ("ab", 500)]


async def test_a_full_queue_is_enough(clock: VirtualClock) -> None:
    p = rm.Pipeline()
    p.add("PassThrough", id="a")
    p.add("TestSeen", id="n", policy=Policy(batch=Batch(min_items=100, max_wait_ms=10_000)))
    p.connect("a", "n")
    await feed(p, clock, 1, *[rm.Text("x")] * 64)
    assert {text for text, _ in shown()} == {"x" * 8}  # max_items
    assert len(shown()) == 8


async def test_the_end_is_enough(clock: VirtualClock) -> None:
    p = graph("TestSeen", min_items=3, max_wait_ms=10_000)
    async with p.session(clock=clock) as s:
        _ = [packet async for packet in s.stream(LETTERS[:2])]
    assert shown() == [("ab", 0)]


async def test_an_interrupt_forgets_them(clock: VirtualClock) -> None:
    p = graph("TestSeen", min_items=3, max_wait_ms=500)
    async with p.session(clock=clock) as s:
        await s.send(LETTERS[0])
        await sleep(clock, 10_000)
        await s.interrupt()
        await s.send(LETTERS[1])
        await sleep(clock, 1_000_000)
    assert [text for text, _ in shown()] == ["b"]
