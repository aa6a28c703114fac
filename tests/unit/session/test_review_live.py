"""What a review of live sessions found."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import pytest

import policy_nodes  # noqa: F401 - registers
import remotemedia as rm
from policy_nodes import Script
from remotemedia.clock import sleep
from remotemedia.manifest import CircuitBreaker, Join, Policy, Retry
from remotemedia.testing import VirtualClock
from session_nodes import Log


def waiting(session: Any) -> list[str]:
    return [packet.data.text for packet in iter(session.outputs().poll, None)]


def one(kind: str, policy: Policy, **params: Any) -> rm.Pipeline:
    p = rm.Pipeline()
    p.add(kind, id="n", policy=policy, **params)
    return p


def balanced(session: Any) -> None:
    for edge in session.metrics().edges:
        assert edge.entered == edge.delivered + sum(edge.dropped.values()) + edge.in_flight, edge


@pytest.mark.parametrize("kind", ["TestScripted", "TestScriptedAsync", "TestScriptedItems"])
async def test_a_breaker_with_several_probes_closes(kind: str, clock: VirtualClock) -> None:
    Script.set("fail")
    policy = Policy(circuit_breaker=CircuitBreaker(failures=1, reset_ms=10, probes=3))
    async with one(kind, policy).session(clock=clock) as s:
        await s.send(rm.Text("x"))
        await sleep(clock, 20_000)
        for number in range(6):
            await s.send(rm.Text(str(number)))
            await sleep(clock, 1_000)
        (node,) = s.metrics().nodes
    assert node.refused == 0
    assert node.breaker == "closed"


async def test_a_probe_that_is_cut_off_does_not_latch_the_breaker(clock: VirtualClock) -> None:
    """Its generator stands still in front of a client who does not read."""
    p = rm.Pipeline()
    policy = Policy(circuit_breaker=CircuitBreaker(failures=1, reset_ms=10))
    p.add("TestScriptedItems", id="n", policy=policy)
    p.add("TestRepeat", id="many", times=300)
    p.connect("n", "many")
    Script.set("fail")
    async with p.session(clock=clock) as s:
        await s.send(rm.Text("x"))
        await sleep(clock, 20_000)
        await s.send(rm.Text("probe"))
        await sleep(clock, 1_000)
        await s.interrupt()
        await s.send(rm.Text("y"))
        await sleep(clock, 1_000)
        assert waiting(s)[0] == "y.0.0"


class PairFails(rm.Node):
    """Joins texts, as the script says."""

    input_caps: ClassVar = {"left": "text", "right": "text"}
    output_caps = "text"

    def process_joined(self, items: Mapping[str, rm.Text]) -> rm.Text:
        if Script.next("", 0) == "fail":
            raise ConnectionError("no")
        return rm.Text("".join(each.text for each in items.values()))


class PairFailsAsync(PairFails):
    """The same, async."""

    async def process(self, data: rm.Text, port: str) -> None:
        raise AssertionError

    async def process_joined(self, items: Mapping[str, rm.Text]) -> rm.Text:
        return PairFails.process_joined(self, items)


rm.node("TestReviewPair")(PairFails)
rm.node("TestReviewPairAsync")(PairFailsAsync)


@pytest.mark.parametrize("kind", ["TestReviewPair", "TestReviewPairAsync"])
async def test_a_set_that_fails_is_passed_through(kind: str, clock: VirtualClock) -> None:
    Script.set("fail")
    policy = Policy(join=Join(mode="zip"), on_error="passthrough")
    async with one(kind, policy).session(clock=clock) as s:
        await s.send(rm.Text("l"), "n:left")
        await s.send(rm.Text("r"), "n:right")
        await sleep(clock, 1_000)
        assert waiting(s) == ["l", "r"]


@pytest.mark.parametrize("kind", ["TestReviewPair", "TestReviewPairAsync"])
async def test_the_rest_of_a_join_is_tried_again_at_the_end(kind: str, clock: VirtualClock) -> None:
    Script.set("fail")
    policy = Policy(join=Join(mode="zip"), retry=Retry(delay_ms=5))
    async with one(kind, policy).session(clock=clock) as s:
        await s.send(rm.Text("l"), "n:left")
        await s.finish()
        got = [packet.data.text async for packet in s.outputs()]
        assert got == ["l"]


async def test_a_join_that_was_disabled_times_out_again(clock: VirtualClock) -> None:
    Script.set()
    policy = Policy(join=Join(mode="zip", timeout_ms=100))
    async with one("TestReviewPair", policy).session(clock=clock) as s:
        await s.send(rm.Text("l"), "n:left")
        await sleep(clock, 1_000)
        s.bus.set_state("n", "disabled")
        await sleep(clock, 200_000)
        s.bus.set_state("n", "enabled")
        await s.send(rm.Text("2"), "n:left")
        await sleep(clock, 200_000)
        assert waiting(s) == ["l", "2"]


async def test_intercept_in_front_of_an_async_node_with_adapters(clock: VirtualClock) -> None:
    p = rm.Pipeline.load(
        {
            "version": "v1",
            "metadata": {"auto_negotiate": True},
            "nodes": [{"id": "n", "node_type": "TestReviewSlowAudio"}],
            "connections": [],
        }
    )
    async with p.session(clock=clock) as s:
        s.bus.intercept("n:in", lambda packet: packet.data)
        await s.send(rm.Audio(np.zeros(160, np.float32), 16000))
        await s.send(rm.Audio(np.zeros(480, np.float32), 48000))
        await sleep(clock, 100_000)
        assert not s._events
        await s.finish()
        got = [packet async for packet in s.outputs()]
    assert sum(p.data.samples.shape[1] for p in got) == 320


@rm.node(
    "TestReviewSlowAudio",
    input_caps="audio(sample_rate=16000)",
    output_caps="audio(sample_rate=16000)",
)
async def slow_audio(audio: rm.Audio) -> rm.Audio:
    """Hands audio on, and is async."""
    return audio


class Open(rm.Node):
    """A generator that logs its end."""

    input_caps = "text"
    output_caps = "text"

    def process(self, text: rm.Text) -> Iterator[rm.Text]:
        try:
            for n in range(1000):
                yield rm.Text(str(n))
        finally:
            Log.lines.append("ended")

    def reset(self) -> None:
        Log.lines.append("reset")

    def close(self) -> None:
        Log.lines.append("close")


class OpenAsync(Open):
    """An async generator."""

    async def process(self, text: rm.Text) -> AsyncIterator[rm.Text]:
        try:
            for n in range(1000):
                yield rm.Text(str(n))
        finally:
            Log.lines.append("ended")


class OpenJoin(OpenAsync):
    """An async generator of a set."""

    input_caps: ClassVar = {"left": "text", "right": "text"}

    async def process(self, data: rm.Text, port: str) -> AsyncIterator[rm.Text]:
        raise AssertionError("not called")
        yield data

    async def process_joined(self, items: Any) -> AsyncIterator[rm.Text]:
        try:
            for n in range(1000):
                yield rm.Text(str(n))
        finally:
            Log.lines.append("ended")


rm.node("TestReviewOpen")(Open)
rm.node("TestReviewOpenAsync")(OpenAsync)
rm.node("TestReviewOpenJoin")(OpenJoin)


@pytest.mark.parametrize("around", ["", "intercept", "output", "policy"])
@pytest.mark.parametrize("kind", ["TestReviewOpen", "TestReviewOpenAsync", "TestReviewOpenJoin"])
@pytest.mark.parametrize("how", ["interrupt", "close"])
async def test_no_generator_is_left_open(
    kind: str, how: str, around: str, clock: VirtualClock
) -> None:
    Log.lines.clear()
    joined = kind == "TestReviewOpenJoin"
    policy = Policy(
        join=Join(mode="latest") if joined else None,
        timeout_ms=1000 if around == "policy" else None,
    )
    async with one(kind, policy).session(clock=clock) as s:
        if around == "intercept":
            s.bus.intercept("n:left" if joined else "n:in", lambda packet: packet.data)
        if around == "output":
            s.bus.intercept("n:out", lambda packet: packet.data)
        if joined:
            await s.send(rm.Text("x"), "n:left")
            await s.send(rm.Text("x"), "n:right")
        else:
            await s.send(rm.Text("x"))
        await sleep(clock, 1_000)
        if how == "interrupt":
            await s.interrupt()
        Log.lines.append(how)
    await sleep(clock, 1000)
    if how == "interrupt":
        assert Log.lines == ["ended", "reset", "interrupt", "close"]
    else:
        assert Log.lines == ["close", "ended", "close"]
