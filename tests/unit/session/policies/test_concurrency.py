"""Several calls of an async node at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import policy_nodes  # noqa: F401 - registers
import remotemedia as rm
from policy_nodes import Script
from remotemedia.clock import sleep
from remotemedia.manifest import Policy, Retry
from remotemedia.testing import VirtualClock
from session_nodes import pipeline, texts


class Busy(rm.Node):
    """Async: answers after as many ms as the text says; keeps count of what it does at once."""

    input_caps = "text"
    output_caps = "text"
    now = 0
    most = 0

    def open(self, ctx: rm.Context) -> None:
        self.clock = ctx.clock
        Busy.now = Busy.most = 0

    async def process(self, text: rm.Text) -> rm.Text:
        Busy.now += 1
        Busy.most = max(Busy.most, Busy.now)
        try:
            await sleep(self.clock, int(text.text) * 1000)
        finally:
            Busy.now -= 1
        return text


@rm.node("TestBusyStream")
class BusyStream(Busy):
    """The same, with two items."""

    async def process(self, text: rm.Text) -> Any:  # type: ignore[override]
        for number in range(2):
            await sleep(self.clock, int(text.text) * 1000)
            yield rm.Text(f"{text.text}.{number}")


rm.node("TestBusy")(Busy)


def graph(node_type: str, **policy: Any) -> rm.Pipeline:
    p = rm.Pipeline()
    p.add(node_type, id="n", policy=Policy(**policy))
    return p


async def live(
    p: rm.Pipeline, clock: VirtualClock, *given: str
) -> tuple[list[tuple[str, int]], Any]:
    async with p.session(clock=clock) as s:
        got = [
            (packet.data.text, clock.now_us() // 1000) async for packet in s.stream(texts(*given))
        ]
        return got, s.metrics()


async def test_as_many_as_the_limit_in_order(clock: VirtualClock) -> None:
    got, metrics = await live(graph("TestBusy", max_concurrency=3), clock, "30", "10", "20", "5")
    # 10 and 20 are done before 30, and wait for it; 5 starts when the first slot is free, at 10.
    assert got == [("30", 30), ("10", 30), ("20", 30), ("5", 30)]
    assert Busy.most == 3
    assert metrics.nodes[0].count == 4


async def test_unordered(clock: VirtualClock) -> None:
    p = graph("TestBusy", max_concurrency=3, ordered=False)
    got, _ = await live(p, clock, "30", "10", "20", "5")
    assert got == [("10", 10), ("5", 15), ("20", 20), ("30", 30)]
    assert Busy.most == 3


async def test_streams_in_order(clock: VirtualClock) -> None:
    got, _ = await live(graph("TestBusyStream", max_concurrency=2), clock, "30", "10")
    assert got == [("30.0", 30), ("30.1", 60), ("10.0", 60), ("10.1", 70)]


async def test_a_call_that_backs_off_holds_no_permit(clock: VirtualClock) -> None:
    Script.set("fail", "20", "20", "20")
    p = graph(
        "TestScriptedAsync",
        max_concurrency=1,
        ordered=False,
        retry=Retry(attempts=2, delay_ms=1000),
    )
    got, _ = await live(p, clock, "a", "b", "c")
    assert got == [("b!", 20), ("c!", 40), ("a!", 1020)]


async def test_in_order_a_back_off_does_not_stop_the_others_working(clock: VirtualClock) -> None:
    Script.set("fail", "fail", "20", "20", "20", "20")
    p = graph("TestScriptedAsync", max_concurrency=2, retry=Retry(attempts=2, delay_ms=1000))
    got, _ = await live(p, clock, "a", "b", "c", "d")
    assert got == [("a!", 1020), ("b!", 1020), ("c!", 1020), ("d!", 1020)]
    assert [(text, at // 1000) for text, at in Script.calls] == [
        ("a", 0),
        ("b", 0),
        ("c", 0),
        ("d", 0),
        ("a", 1000),
        ("b", 1000),
    ]


async def test_one_at_a_time_in_order_waits_with_its_item(clock: VirtualClock) -> None:
    """What follows must not reach a node with a memory before the item that is tried again."""
    Script.set("fail", "20", "20")
    p = graph("TestScriptedAsync", retry=Retry(attempts=2, delay_ms=1000))
    got, _ = await live(p, clock, "a", "b")
    assert got == [("a!", 1020), ("b!", 1040)]
    assert [text for text, _ in Script.calls] == ["a", "a", "b"]


async def test_what_is_begun_is_bounded(clock: VirtualClock) -> None:
    Script.set(*["fail"] * 1000)
    p = graph("TestScriptedAsync", max_concurrency=2, retry=Retry(attempts=2, delay_ms=1000))
    async with p.session(clock=clock) as s:
        for _ in range(24):
            s.offer(rm.Text("x"))
        await sleep(clock, 1_000)
        assert len(Script.calls) == 8  # four times the limit
        await s.interrupt()


async def test_an_interrupt_cancels_all(clock: VirtualClock) -> None:
    p = graph("TestBusy", max_concurrency=4)
    async with p.session(clock=clock) as s:
        for text in ("30", "10", "20", "7", "8", "9"):
            await s.send(rm.Text(text))
        await sleep(clock, 15_000)
        assert Busy.now == 4
        await s.interrupt()
        assert Busy.now == 0
        await s.send(rm.Text("1"))
        await s.finish()
        got = [packet.data.text async for packet in s.outputs()]
    assert got == ["1"]
    for edge in s.metrics().edges:
        assert edge.entered == edge.delivered + sum(edge.dropped.values())


async def test_an_item_that_fails_takes_no_other_along(clock: VirtualClock) -> None:
    got, metrics = await live(graph("TestBusy", max_concurrency=3), clock, "30", "x", "20")
    assert got == [("30", 30), ("20", 30)]
    assert metrics.nodes[0].errors == 1


async def test_a_close_leaves_no_task(clock: VirtualClock) -> None:
    p = graph("TestBusy", max_concurrency=4)
    async with p.session(clock=clock) as s:
        for _ in range(6):
            await s.send(rm.Text("1000"))
        await sleep(clock, 1_000)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert clock.now_us() == 1_000


@pytest.mark.parametrize("kind", ["TestSlow", "TestStream"])
async def test_the_results_are_those_of_one_at_a_time(kind: str, clock: VirtualClock) -> None:
    one, _ = await live(pipeline(f"n:{kind}"), clock, "a", "b", "c")
    two, _ = await live(graph(kind, max_concurrency=2), clock, "a", "b", "c")
    assert [text for text, _ in one] == [text for text, _ in two]
