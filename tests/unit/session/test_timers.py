"""Nodes that wake by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

import remotemedia as rm
from remotemedia.clock import Timer, sleep
from remotemedia.errors import AsyncGraphError
from remotemedia.session.timers import MAX_TIMERS
from remotemedia.testing import VirtualClock


class _Remind(rm.Node):
    """Repeats each text after its length in ms; ``stop`` cancels all; ``many`` sets too many."""

    input_caps = "text"
    output_caps = "text"

    def open(self, ctx: rm.Context) -> None:
        self.ctx = ctx
        self.timers: list[Timer] = []

    def take(self, text: rm.Text) -> None:
        if text.text == "stop":
            for timer in self.timers:
                timer.cancel()
        elif text.text == "many":
            for _ in range(MAX_TIMERS + 1):
                self.ctx.set_timer(1_000, "x")
        else:
            self.timers.append(self.ctx.set_timer(len(text.text) * 1000, text.text))


@rm.node("TestRemind")
class Remind(_Remind):
    """Synchronous."""

    def process(self, text: rm.Text) -> None:
        self.take(text)

    def wake(self, token: str) -> list[rm.Text]:
        return [rm.Text(token), rm.Text(token.upper())]


@rm.node("TestRemindAsync")
class RemindAsync(_Remind):
    """Async, with a plain `wake`."""

    async def process(self, text: rm.Text) -> None:
        self.take(text)

    def wake(self, token: str) -> list[rm.Text]:
        return [rm.Text(token), rm.Text(token.upper())]


@rm.node("TestRemindStream")
class RemindStream(_Remind):
    """Async, with a `wake` that streams."""

    async def process(self, text: rm.Text) -> None:
        self.take(text)

    async def wake(self, token: str) -> AsyncIterator[rm.Text]:
        yield rm.Text(token)
        yield rm.Text(token.upper())


KINDS = ["TestRemind", "TestRemindAsync", "TestRemindStream"]


def graph(kind: str) -> rm.Pipeline:
    p = rm.Pipeline()
    p.add(kind, id="n")
    p.add("PassThrough", id="after")
    return p.connect("n", "after")


async def collect(p: rm.Pipeline, clock: VirtualClock, *texts: str) -> list[tuple[str, int]]:
    found = []
    async with p.session(clock=clock) as s:
        for text in texts:
            await s.send(rm.Text(text))
        await sleep(clock, 100_000)
        found = [(packet.data.text, clock.now_us()) for packet in waiting(s)]
        await s.finish()
        assert [packet async for packet in s.outputs()] == []
        for edge in s.metrics().edges:
            assert edge.entered == edge.delivered + edge.in_flight + sum(edge.dropped.values())
    return found


def waiting(session: Any) -> list[rm.Packet]:
    outputs = session.outputs()
    return list(iter(outputs.poll, None))


@pytest.mark.parametrize("kind", KINDS)
async def test_what_wake_gives_flows_on(kind: str, clock: VirtualClock) -> None:
    times: list[int] = []
    p = graph(kind)
    async with p.session(clock=clock) as s:
        s.tap("after", lambda packet: times.append(clock.now_us()))
        await s.send(rm.Text("three"))
        await s.send(rm.Text("one"))
        await sleep(clock, 100_000)
        packets = waiting(s)
    assert [packet.data.text for packet in packets] == ["one", "ONE", "three", "THREE"]
    assert times == [3_000, 3_000, 5_000, 5_000]
    assert [packet.sequence for packet in packets] == [1, 1, 1, 1]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_timer_can_be_cancelled(kind: str, clock: VirtualClock) -> None:
    assert await collect(graph(kind), clock, "three", "one", "stop") == []


@pytest.mark.parametrize("kind", KINDS)
async def test_an_interrupt_cancels_them(kind: str, clock: VirtualClock) -> None:
    async with graph(kind).session(clock=clock) as s:
        await s.send(rm.Text("three"))
        await sleep(clock, 1_000)
        await s.interrupt()
        await s.send(rm.Text("two"))
        await sleep(clock, 100_000)
        assert [packet.data.text for packet in waiting(s)] == ["two", "TWO"]


@pytest.mark.parametrize("kind", KINDS)
async def test_they_end_with_the_input(kind: str, clock: VirtualClock) -> None:
    async with graph(kind).session(clock=clock) as s:
        got = [packet async for packet in s.stream([rm.Text("three")])]
    assert got == []
    assert clock.now_us() == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_there_is_a_limit(kind: str, clock: VirtualClock) -> None:
    async with graph(kind).session(clock=clock) as s:
        await s.send(rm.Text("many"))
        event = await anext(s.events())
    assert "has 1,024 timers that have not run out" in event.message


def test_a_run_has_no_timers() -> None:
    with pytest.raises(AsyncGraphError, match=r"a node sets a timer.*event loop.*arun"):
        list(graph("TestRemind").run([rm.Text("x")]))
