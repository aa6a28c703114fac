"""Queues with limits: what is lost is exactly what the policy says, and all is counted."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

import policy_nodes  # noqa: F401 - registers
import remotemedia as rm
from remotemedia.clock import sleep
from remotemedia.data import Control
from remotemedia.errors import DataError
from remotemedia.manifest import Queue
from remotemedia.session.boundary import MAX_AHEAD, Boundary
from remotemedia.session.inbox import Inbox
from remotemedia.session.limited import Limited
from remotemedia.testing import VirtualClock
from session_nodes import pipeline

RATE = 1000


def block(first: int, frames: int = 10, **fields: Any) -> rm.Audio:
    """A ramp whose samples are their own positions."""
    samples = np.arange(first, first + frames, dtype=np.float32)
    return rm.Audio(samples, RATE, pts_us=first * 1_000_000 // RATE, **fields)


def queue(**limits: Any) -> tuple[Limited, list[str]]:
    told: list[str] = []
    made = Limited(
        "a", "out", Inbox(), ("b", "in"), Queue(**limits), lambda _queue, mark: told.append(mark)
    )
    return made, told


def offer(boundary: Boundary, *data: rm.Data) -> list[bool]:
    return [boundary.offer(rm.Packet(item, "a", sequence=n)) for n, item in enumerate(data)]


def adds_up(boundary: Boundary) -> Any:
    edge = boundary.metrics("a", "b")
    assert edge.entered == edge.delivered + sum(edge.dropped.values()) + edge.in_flight
    return edge


def drain(boundary: Boundary) -> list[rm.Data]:
    return [boundary.take().data for _ in range(len(boundary.packets))]


def texts_of(items: list[Any]) -> list[str]:
    return [item.text for item in items]


LETTERS = [rm.Text(letter) for letter in "abcdef"]


@pytest.mark.parametrize(
    ("overflow", "kept", "lost"),
    [
        ("drop_oldest", "def", {"drop_oldest": 3}),
        ("drop_newest", "abc", {"drop_newest": 3}),
        ("latest", "def", {"latest": 3}),
        ("coalesce", ["a", "b", "cdef"], {}),
    ],
)
@pytest.mark.parametrize("high", [None, 3])
def test_by_packets(overflow: str, kept: Any, lost: dict[str, int], high: int | None) -> None:
    boundary, told = queue(capacity=3, overflow=overflow, high=high)
    assert offer(boundary, *LETTERS) == [True] * 6
    assert adds_up(boundary).in_flight == (6 if overflow == "coalesce" else 3)
    assert texts_of(drain(boundary)) == list(kept)
    edge = adds_up(boundary)
    assert (edge.entered, edge.in_flight, edge.dropped) == (6, 0, lost)
    assert (boundary.bytes, boundary.held_us) == (0, 0)
    assert bool(told) is (high is not None)


def test_block_by_bytes_and_time() -> None:
    # A packet is let in as long as the queue holds less than its capacity.
    boundary, _ = queue(capacity_bytes=81, overflow="block")
    assert offer(boundary, *(block(n * 10) for n in range(4))) == [True, True, True, False]
    boundary, _ = queue(capacity_ms=30, overflow="block")
    assert offer(boundary, *(block(n * 10) for n in range(4))) == [True, True, True, False]
    assert boundary.full
    boundary.take()
    assert not boundary.full


def test_by_time_of_what_has_no_duration() -> None:
    boundary, _ = queue(capacity_ms=30, overflow="drop_oldest")
    data = [rm.Json(n, pts_us=n * 10_000) for n in range(6)]
    offer(boundary, *data)
    assert [item.value for item in drain(boundary)] == [2, 3, 4, 5]
    assert adds_up(boundary).dropped == {"drop_oldest": 2}


def test_coalesced_audio_is_the_same_samples_in_one_block() -> None:
    boundary, _ = queue(capacity=1, overflow="coalesce")
    offer(boundary, *(block(n * 10) for n in range(5)))
    assert adds_up(boundary).in_flight == 5
    (audio,) = drain(boundary)
    assert isinstance(audio, rm.Audio)
    assert audio.samples[0].tolist() == list(range(50))
    assert audio.pts_us == 0
    edge = adds_up(boundary)
    assert (edge.delivered, edge.max_depth, edge.dropped) == (5, 1, {})


@pytest.mark.parametrize(
    "other",
    [
        block(30),  # a gap before it
        block(20, stream_id="x"),
        rm.Audio(np.zeros((2, 10), np.float32), RATE, pts_us=20_000),
        rm.Audio(np.zeros(10, np.float32), 2000, pts_us=20_000),
        rm.Audio(np.zeros(10, np.int16), RATE, pts_us=20_000),
        rm.Text("x"),
    ],
)
def test_what_does_not_go_on_is_not_merged(other: rm.Data) -> None:
    boundary, _ = queue(capacity=1, overflow="coalesce")
    offer(boundary, block(0), block(10), other)
    assert drain(boundary) == [other]
    assert adds_up(boundary).dropped == {"coalesce": 2}


def test_what_is_merged_is_bounded() -> None:
    boundary, _ = queue(capacity=2, capacity_bytes=400, overflow="coalesce")
    for number in range(1000):
        offer(boundary, block(number * 10))
        assert boundary.bytes <= 400
    edge = adds_up(boundary)
    assert edge.dropped["coalesce"] > 900
    found = drain(boundary)
    last = found[-1]
    assert isinstance(last, rm.Audio)
    assert last.samples[0, -1] == 9999
    assert adds_up(boundary).in_flight == 0


def test_high_and_low_water() -> None:
    boundary, told = queue(capacity=8, high=4, low=1)
    offer(boundary, *LETTERS[:4])
    offer(boundary, *LETTERS[:2])
    assert told == ["high"]
    for _ in range(4):
        boundary.take()
    assert told == ["high"]
    boundary.take()
    assert told == ["high", "low"]
    offer(boundary, *LETTERS[:3])
    assert told == ["high", "low", "high"]


def test_control_passes_ahead_and_is_never_full() -> None:
    inbox = Inbox()
    first = Boundary("a", "out", inbox, ("c", "in"), capacity=2)
    second = Boundary("b", "out", inbox, ("c", "control"), capacity=2)
    offer(first, *LETTERS[:2])
    assert offer(first, LETTERS[2]) == [False]
    one, two = Control("one"), Control("two")
    assert offer(second, one, two) == [True, True]
    assert offer(first, Control("three")) == [True]
    order = []
    while (boundary := inbox.oldest()) is not None:
        order.append(boundary.take().data)
    assert [getattr(item, "text", None) or item.message_type for item in order] == [
        "one",
        "two",
        "three",
        "a",
        "b",
    ]
    for boundary in (first, second):
        assert adds_up(boundary).in_flight == 0


def test_control_is_bounded() -> None:
    boundary = Boundary("a", "out", Inbox(), ("c", "in"), capacity=1)
    offer(boundary, *(Control(str(n)) for n in range(MAX_AHEAD + 5)))
    edge = adds_up(boundary)
    assert (edge.in_flight, edge.dropped) == (MAX_AHEAD, {"control": 5})
    assert boundary.take().data.message_type == "5"


def test_a_cancelled_speculation_takes_back_what_waits() -> None:
    inbox = Inbox()
    media = Boundary("a", "out", inbox, ("c", "in"))
    control = Boundary("a", "control", inbox, ("c", "control"))
    other = block(20, stream_id="other")
    offer(media, *(block(n * 10) for n in range(6)), other, rm.Text("no time"))
    offer(control, Control("CancelSpeculation", {"from_us": 10_000, "to_us": 45_000}))
    left = []
    while (boundary := inbox.oldest()) is not None:
        left.append(boundary.take().data)
    times = [item.pts_us for item in left]
    # The block from 40 to 50 ms has 5 ms that are not taken back.
    assert times == [None, 0, 40_000, 50_000, 20_000, None]
    assert adds_up(media).dropped == {"speculation": 3}


async def test_a_consumer_ten_times_too_slow(clock: VirtualClock) -> None:
    """A block per ms comes, one per 10 ms is taken: 1,000 blocks, each policy."""
    for overflow in ("drop_oldest", "drop_newest", "latest", "coalesce"):
        p = rm.Pipeline()
        p.add("PassThrough", id="a")
        p.add("TestSlow", id="b", delay_ms=10)
        p.connect("a", "b", queue=Queue(capacity=8, overflow=overflow))  # type: ignore[arg-type]
        async with p.session(clock=clock) as s:
            reader = asyncio.ensure_future(read(s))
            for number in range(1000):
                await s.send(rm.Text(f"{number} "))
                await sleep(clock, 1_000)
            await s.finish()
            got = await reader
            edge = next(e for e in s.metrics().edges if e.source == "a:out")
        assert edge.entered == 1000
        assert edge.in_flight == 0
        assert edge.max_depth <= 8
        assert edge.delivered + sum(edge.dropped.values()) == 1000
        numbers = [int(number) for text in got[:-1] for number in text.split()]
        assert len(numbers) == edge.delivered
        assert numbers == sorted(numbers)
        if overflow == "coalesce":
            assert numbers == list(range(1000))
        else:
            # One in ten is taken, and those that wait at the end.
            assert 100 <= edge.delivered <= 110, (overflow, edge)
            assert set(edge.dropped) == {overflow}
            if overflow != "drop_newest":
                assert numbers[-1] == 999


async def read(session: Any) -> list[str]:
    return [packet.data.text async for packet in session.outputs()]


async def test_a_burst_of_ten_thousand(clock: VirtualClock) -> None:
    p = rm.Pipeline()
    p.add("PassThrough", id="a")
    p.add("TestSlow", id="b", delay_ms=1)
    p.connect("a", "b", queue=Queue(capacity=100, overflow="drop_oldest"))
    async with p.session(clock=clock) as s:
        reader = asyncio.ensure_future(read(s))
        for number in range(10_000):
            await s.send(rm.Text(str(number)))
        await s.finish()
        got = await reader
        edges = {edge.source: edge for edge in s.metrics().edges}
    edge = edges["a:out"]
    assert (edge.entered, edge.in_flight, edge.max_depth) == (10_000, 0, 100)
    assert edge.delivered == len(got) - 1
    assert got[-2] == "9999"


async def test_water_is_told_as_an_event(clock: VirtualClock) -> None:
    p = rm.Pipeline()
    p.add("PassThrough", id="a")
    p.add("TestSlow", id="b", delay_ms=1)
    p.connect("a", "b", queue=Queue(capacity=8, high=4))
    async with p.session(clock=clock) as s:
        _ = [packet async for packet in s.stream(LETTERS)]
    events = [event async for event in s.events()]
    assert [(event.kind, event.node, event.port, event.message) for event in events] == [
        ("queue", "b", "in", "a:out → b:in: high water, 4 packets"),
        ("queue", "b", "in", "a:out → b:in: low water, 2 packets"),
    ]


async def test_control_overtakes_what_waits_for_a_node(clock: VirtualClock) -> None:
    p = rm.Pipeline()
    p.add("TestSlowAny", id="a")
    async with p.session(clock=clock) as s:
        for text in LETTERS[:4]:
            await s.send(text)
        await sleep(clock, 1_000)
        await s.send(Control("now"))
        await s.finish()
        got = [packet.data async for packet in s.outputs()]
    assert [getattr(item, "text", "control") for item in got] == ["a", "control", "b", "c", "d"]


def test_a_pipeline_that_coalesces_is_planned() -> None:
    p = pipeline("a:PassThrough b:PassThrough")
    p.connect("a", "b", queue=Queue(overflow="coalesce"))
    assert len(p.plan().islands) == 2


def test_control_does_not_count_against_the_limits() -> None:
    made, _ = queue(capacity_bytes=50, capacity_ms=1000)
    hints = [Control("BatchHint", {"suggested_batch_size": 1})] * 4
    assert offer(made, *hints) == [True] * 4
    assert offer(made, rm.Text("x" * 50), rm.Text("y")) == [True, False]
    drain(made)
    assert made.bytes == 0


async def test_control_that_is_read_lets_no_sender_in(clock: VirtualClock) -> None:
    made = Boundary("a", "out", Inbox(), ("b", "in"), 2)
    senders = [asyncio.ensure_future(made.put(rm.Packet(item, "a"))) for item in LETTERS]
    await clock.idle()
    for _ in range(3):
        offer(made, Control("BatchHint", {}))
        assert isinstance(made.take().data, Control)
        assert len(made.packets) == 2
    got = [made.take().data for _ in LETTERS]
    assert texts_of(got) == list("abcdef")
    await asyncio.gather(*senders)


async def test_one_that_makes_room_for_several_lets_them_in(clock: VirtualClock) -> None:
    made, _ = queue(capacity=100, capacity_bytes=10)  # a text's channel, "tts", counts 3
    senders = [
        asyncio.ensure_future(made.put(rm.Packet(rm.Text(text), "a")))
        for text in ("x" * 10, "1", "2", "3", "y" * 10, "4")
    ]
    await clock.idle()
    assert len(made.packets) == 1
    made.take()
    assert texts_of([packet.data for packet in made.packets]) == ["1", "2", "3"]
    assert texts_of([made.take().data for _ in range(5)]) == ["1", "2", "3", "y" * 10, "4"]
    await asyncio.gather(*senders)


async def test_a_control_message_is_checked_when_it_is_sent(clock: VirtualClock) -> None:
    p = pipeline("a:PassThrough")
    now_ms = clock.wall_us() // 1000
    async with p.session(clock=clock) as s:
        with pytest.raises(DataError, match=r"from_us must be before to_us, not 9 to 5"):
            await s.send(Control("CancelSpeculation", {"from_us": 9, "to_us": 5}))
        with pytest.raises(DataError, match=r"timestamp_ms .* is 1001 ms ago, and at most 1000"):
            late = rm.CancelSpeculation(1, 5).to_control(timestamp_ms=now_ms - 1001)
            await s.send(late)
        await s.send(rm.CancelSpeculation(1, 5).to_control(timestamp_ms=now_ms - 1000))
        await s.send(Control("something else", {"from_us": "?"}))
        await s.finish()
        assert len([packet async for packet in s.outputs()]) == 2
