"""The control bus: looking in, putting in, deciding, switching."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import policy_nodes  # noqa: F401 - registers
import remotemedia as rm
from remotemedia.clock import sleep
from remotemedia.errors import AddressError, FormatError, ParamsError, SessionError
from remotemedia.testing import VirtualClock
from session_nodes import pipeline, texts

KINDS = ["PassThrough", "TestSlow", "TestList", "TestRepeat", "TestStream"]


def waiting(session: Any) -> list[str]:
    outputs = session.outputs()
    return [packet.data.text for packet in iter(outputs.poll, None)]


# -- subscribe -----------------------------------------------------------------------------------


async def test_a_subscriber_sees_all_and_ends_with_the_session(clock: VirtualClock) -> None:
    p = pipeline("a:TestRepeat b:PassThrough", "a b")
    async with p.session(clock=clock) as s:
        subscription = s.bus.subscribe("a")
        _ = [packet async for packet in s.stream(texts("x", "y"))]
    seen = [(packet.data.text, packet.node, packet.port) async for packet in subscription]
    assert seen == [(text, "a", "out") for text in ("x.0", "x.1", "y.0", "y.1")]


async def test_a_slow_one_misses_the_oldest_and_is_told(clock: VirtualClock) -> None:
    p = pipeline("a:PassThrough")
    async with p.session(clock=clock) as s:
        subscription = s.bus.subscribe("a", capacity=4)
        for burst in range(2):
            for number in range(10):
                await s.send(rm.Text(f"{burst}{number}"))
            await sleep(clock, 1_000)
            assert subscription.skipped == 6 * (burst + 1)
            seen = [(await anext(subscription)).data.text for _ in range(4)]
            assert seen == [f"{burst}{number}" for number in range(6, 10)]
            waiter = asyncio.ensure_future(anext(subscription))
            await sleep(clock, 1_000)
            waiter.cancel()
        assert len(waiting(s)) == 20  # and nobody else misses anything
        subscription.close()
        await s.send(rm.Text("more"))
        await sleep(clock, 1_000)
        assert [packet async for packet in subscription] == []
    events = [event async for event in s.events()]
    assert [(event.kind, event.node) for event in events] == [("lagged", "a"), ("lagged", "a")]
    assert "a subscriber of a is too slow" in events[0].message


# -- publish -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PassThrough", "TestSlow"])
async def test_put_in_at_an_input_or_behind_an_output(kind: str, clock: VirtualClock) -> None:
    p = pipeline(f"a:TestList b:{kind} c:TestTraced", "a b", "b c")
    async with p.session(clock=clock) as s:
        await s.bus.publish("b:in", rm.Text("to b"))
        await s.bus.publish("a:out", rm.Text("from a"))
        await s.bus.publish("c", rm.Text("from c"))
        await s.bus.publish("b:out", rm.Text("from b"))
        await s.bus.publish("b:out", rm.Text("from b again"))
        await sleep(clock, 100_000)
        got = waiting(s)
        metrics = s.metrics()
    assert sorted(got) == ["from a", "from b", "from b again", "from c", "to b"]
    for edge in metrics.edges:
        assert edge.entered == edge.delivered + sum(edge.dropped.values()) + edge.in_flight
    edges = {(edge.source, edge.target): edge.entered for edge in metrics.edges}
    assert edges["a:out", "b:in"] == 1
    assert edges["b:out", "c:in"] == 4


async def test_what_a_port_does_not_take(clock: VirtualClock) -> None:
    p = rm.Pipeline()
    p.add("AudioChunker", id="a")
    audio = rm.Audio(np.zeros(10, np.float32), 8000)
    async with p.session(clock=clock) as s:
        with pytest.raises(AddressError, match="there is no node 'b'"):
            await s.bus.publish("b", audio)
        with pytest.raises(FormatError, match=r"a:out accepts audio.*given text"):
            await s.bus.publish("a:out", rm.Text("x"))


# -- intercept -----------------------------------------------------------------------------------


def judge(packet: rm.Packet) -> rm.Data | None:
    """Drops what ends in 1, shouts what ends in 2, lets the rest pass."""
    text = packet.data.text
    if text.endswith("1"):
        return None
    return rm.Text(text.upper()) if text.endswith("2") else packet.data


def late(clock: VirtualClock, ms: int) -> Callable[[rm.Packet], Any]:
    async def handler(packet: rm.Packet) -> rm.Data | None:
        await sleep(clock, ms * 1000)
        return judge(packet)

    return handler


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("delay_ms", [None, 0, 10])
@pytest.mark.parametrize("place", ["n:in", "n:out"])
async def test_pass_replace_drop(
    kind: str, delay_ms: int | None, place: str, clock: VirtualClock
) -> None:
    p = pipeline(f"before:PassThrough n:{kind} after:PassThrough", "before n", "n after")
    given = [f"a{number}" for number in range(4)]
    async with p.session(clock=clock) as s:
        plain = [packet.data.text async for packet in s.stream(texts(*given))]
    async with p.session(clock=clock) as s:
        s.bus.intercept(place, judge if delay_ms is None else late(clock, delay_ms))
        got = [packet.data.text async for packet in s.stream(texts(*given))]
        metrics = s.metrics()
    tail = [text for text in plain if "tail" in text]
    if place == "n:in":
        kept = [text for text in plain if text[:2] in ("a0", "a3")]
        shouted = [text.replace("a2", "A2") for text in plain if text.startswith("a2")]
        half = len(kept) // 2
        assert got == [*kept[:half], *shouted, *kept[half:], *tail]
    else:
        expected = [text.upper() if text[-1] == "2" else text for text in plain if text[-1] != "1"]
        assert got == expected
    for edge in metrics.edges:
        assert edge.entered == edge.delivered + sum(edge.dropped.values())
    assert [event async for event in s.events()] == []


@pytest.mark.parametrize("kind", ["PassThrough", "TestSlow"])
async def test_who_does_not_answer_in_time_lets_it_pass(kind: str, clock: VirtualClock) -> None:
    p = pipeline(f"n:{kind}", n={"delay_ms": 1} if kind == "TestSlow" else {})
    async with p.session(clock=clock) as s:
        detach = s.bus.intercept("n:in", late(clock, 1000), deadline_ms=20)
        await s.send(rm.Text("a1"))
        packet = await anext(s.outputs())
        assert packet.data.text == "a1"
        assert clock.now_us() in (20_000, 21_000)
        detach()
        await s.send(rm.Text("b1"))
        await anext(s.outputs())
        assert clock.now_us() in (20_000, 22_000)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("kind", ["PassThrough", "TestSlow"])
async def test_a_handler_that_fails_lets_it_pass_and_is_told(
    kind: str, clock: VirtualClock
) -> None:
    async def broken(packet: rm.Packet) -> rm.Data:
        raise ZeroDivisionError("bad handler")

    def silly(packet: rm.Packet) -> Any:
        return "text"

    p = pipeline(f"n:{kind}")
    async with p.session(clock=clock) as s:
        for handler, words in ((broken, "bad handler"), (silly, "it gave a str: give data")):
            detach = s.bus.intercept("n", handler)
            await s.send(rm.Text("x"))
            assert (await anext(s.outputs())).data.text == "x"
            event = await anext(s.events())
            assert "the handler of an intercept failed" in event.message
            assert words in event.message
            detach()


async def test_an_interrupt_drops_what_waits_for_an_answer(clock: VirtualClock) -> None:
    p = pipeline("n:PassThrough")
    async with p.session(clock=clock) as s:
        s.bus.intercept("n:in", late(clock, 1000), deadline_ms=5000)
        await s.send(rm.Text("old"))
        await sleep(clock, 10_000)
        await s.interrupt()
        assert clock.now_us() == 10_000
        await s.send(rm.Text("new"))
        assert (await anext(s.outputs())).data.text == "new"
        assert clock.now_us() == 1_010_000


# -- switch --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_bypass_and_disable(kind: str, clock: VirtualClock) -> None:
    p = pipeline(f"before:PassThrough n:{kind} after:PassThrough", "before n", "n after")
    async with p.session(clock=clock) as s:

        async def through(text: str) -> list[str]:
            await s.send(rm.Text(text))
            await sleep(clock, 100_000)
            return waiting(s)

        plain = await through("x")
        s.bus.set_state("n", "bypass")
        assert await through("x") == ["x"]
        s.bus.set_state("n", "disabled")
        assert await through("x") == []
        s.bus.set_state("n", "disabled")
        s.bus.set_state("n", "enabled")
        assert await through("x") == plain
        (node,) = [node for node in s.metrics().nodes if node.node == "n"]
        assert (node.dropped, node.state) == ({"disabled": 1}, "enabled")
    events = [event.message async for event in s.events()]
    assert events == ["n is bypass", "n is disabled", "n is enabled"]


async def test_a_source_can_be_disabled(clock: VirtualClock) -> None:
    p = pipeline("n:TestTicks", n={"count": 6})
    async with p.session(clock=clock) as s:
        await sleep(clock, 41_000)
        s.bus.set_state("n", "disabled")
        await sleep(clock, 40_000)
        s.bus.set_state("n", "enabled")
        await s.finish()
        got = [packet.data.text async for packet in s.outputs()]
    assert got == ["0", "1", "4", "5"]


async def test_what_cannot_be_bypassed(clock: VirtualClock) -> None:
    p = rm.Pipeline()
    p.add("EnergyVAD", id="vad")
    async with p.session(clock=clock) as s:
        with pytest.raises(SessionError, match=r"'vad' \(EnergyVAD\) cannot be bypassed: its"):
            s.bus.set_state("vad", "bypass")
        with pytest.raises(SessionError, match="state is 'enabled', 'bypass' or 'disabled'"):
            s.bus.set_state("vad", "off")  # type: ignore[arg-type]


async def test_parameters_that_may_change(clock: VirtualClock) -> None:
    p = rm.Pipeline()
    p.add("Gain", id="g", gain_db=0)
    p.add("AudioResample", id="r", target_rate=16000)
    block = rm.Audio(np.ones(4, np.float32), 16000)
    async with p.session(clock=clock) as s:
        await s.send(block, "g")
        await sleep(clock, 1_000)
        await s.bus.set_params("g", gain_db=-20)
        await s.send(block, "g")
        await sleep(clock, 1_000)
        await s.bus.set_params("g", gainDb=-40)
        await s.send(block, "g")
        await s.finish()
        levels = [float(p.data.samples[0, 0]) async for p in s.outputs() if p.node == "g"]
        assert levels == pytest.approx([1, 0.1, 0.01])
    assert s.plan.graph.nodes["g"].params.gain_db == -40
    assert [event.message async for event in s.events()] == [
        "the graph was changed; new parameters: g",
        "the graph was changed; new parameters: g",
    ]


async def test_parameters_that_may_not(clock: VirtualClock) -> None:
    p = rm.Pipeline()
    p.add("Gain", id="g")
    p.add("AudioResample", id="r", target_rate=16000)
    async with p.session(clock=clock) as s:
        with pytest.raises(
            ParamsError, match=r"'r' \(AudioResample\) cannot change target_rate while it runs"
        ):
            await s.bus.set_params("r", target_rate=8000)
        with pytest.raises(ParamsError, match=r"parameter gain_db: .*given 'loud'"):
            await s.bus.set_params("g", gain_db="loud")
        with pytest.raises(ParamsError, match="Gain has no parameter 'gain'"):
            await s.bus.set_params("g", gain=1)
