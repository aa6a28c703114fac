"""Policies in live sessions and runs: time-outs, retries, breakers, what to do on an error."""

from __future__ import annotations

from typing import Any

import pytest

import remotemedia as rm
from policy_nodes import Script
from remotemedia.clock import sleep
from remotemedia.errors import NodeError, NodeTimeoutError, SessionFailedError
from remotemedia.manifest import CircuitBreaker, Policy, Retry
from remotemedia.session.failure import Event
from remotemedia.session.run import Run
from remotemedia.session.session import Session
from remotemedia.testing import VirtualClock

PLAIN = ["TestScripted", "TestScriptedAsync"]
STREAMING = ["TestScriptedItems", "TestScriptedStream"]
ALL = [*PLAIN, *STREAMING]


def graph(node_type: str, **policy: Any) -> rm.Pipeline:
    """The node between two others of an island, so that what stands around it matters."""
    p = rm.Pipeline()
    p.add("PassThrough", id="before")
    p.add(node_type, id="n", policy=Policy(**policy))
    p.add("PassThrough", id="after")
    return p.connect("before", "n").connect("n", "after")


class Outcome:
    """What came of a session."""

    def __init__(self, texts: list[str], times: list[int], events: list[Event], m: Any) -> None:
        self.texts = texts
        self.times = times
        self.events = events
        self.node = {node.node: node for node in m.nodes}["n"]
        self.metrics = m

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


async def live(p: rm.Pipeline, clock: VirtualClock, *texts: str, **options: Any) -> Outcome:
    found, times = [], []
    async with Session(p.plan(), clock=clock, profiling_clock=Script.measure, **options) as s:
        async for packet in s.stream([rm.Text(text) for text in texts]):
            found.append(packet.data.text)
            times.append(clock.now_us())
        metrics = s.metrics()
    return Outcome(found, times, [event async for event in s.events()], metrics)


@pytest.mark.parametrize("kind", ALL)
async def test_a_call_that_fails_is_made_again(kind: str, clock: VirtualClock) -> None:
    Script.set("fail", "fail", "ok")
    got = await live(graph(kind, retry=Retry(attempts=3, delay_ms=100)), clock, "a", "b")
    expected = ["a!", "b!"] if kind in PLAIN else ["a.0", "a.1", "b.0", "b.1"]
    assert got.texts == expected
    assert Script.calls[:3] == [("a", 0), ("a", 100_000), ("a", 300_000)]
    assert Script.calls[3][1] == 300_000  # and nothing waited for longer than that
    assert (got.node.retries, got.node.errors, got.events) == (2, 0, [])


@pytest.mark.parametrize("kind", ALL)
async def test_the_last_failure_drops_the_item_and_tells(kind: str, clock: VirtualClock) -> None:
    Script.set("fail", "fail")
    got = await live(graph(kind, retry=Retry(attempts=2, delay_ms=100)), clock, "a", "b")
    assert [text[0] for text in got.texts] == ["b"] * len(got.texts)
    assert (got.node.retries, got.node.errors, got.kinds) == (1, 1, ["error"])
    (event,) = got.events
    assert isinstance(event.error, NodeError)
    assert "ConnectionError: no such luck" in event.message
    assert event.node == "n"


@pytest.mark.parametrize("kind", ALL)
async def test_only_kinds_that_are_worth_it(kind: str, clock: VirtualClock) -> None:
    Script.set("fail")
    retry = Retry(errors=("ValueError",))
    got = await live(graph(kind, retry=retry), clock, "a")
    assert (got.texts, got.node.retries, got.node.errors) == ([], 0, 1)


@pytest.mark.parametrize("kind", STREAMING)
async def test_what_is_out_is_not_repeated(kind: str, clock: VirtualClock) -> None:
    Script.set("ok", "fail")
    got = await live(graph(kind, retry=Retry(attempts=5)), clock, "a", "b")
    assert got.texts == ["a.0", "b.0", "b.1"]
    assert (got.node.retries, got.node.errors) == (0, 1)


@pytest.mark.parametrize("kind", ALL)
async def test_a_slow_call_is_cut_off_or_found_out(kind: str, clock: VirtualClock) -> None:
    Script.set("51", "49")
    got = await live(graph(kind, timeout_ms=50), clock, "a", "b")
    assert got.texts == (["b!"] if kind in PLAIN else ["b.0", "b.1"])
    assert (got.node.timeouts, got.node.errors) == (1, 1)
    (event,) = got.events
    assert isinstance(event.error, NodeTimeoutError)
    if kind in ("TestScriptedAsync", "TestScriptedStream"):
        assert Script.calls[1] == ("b", 50_000)  # cut off then, not a ms later
        assert "cut off after 50 ms" in event.message
    else:
        assert "took 51 ms; its timeout_ms is 50" in event.message


@pytest.mark.parametrize("kind", ["TestScriptedAsync", "TestScriptedStream"])
async def test_a_call_that_was_cut_off_is_made_again(kind: str, clock: VirtualClock) -> None:
    Script.set("60", "ok")
    policy = {"timeout_ms": 50, "retry": Retry(attempts=2, delay_ms=10)}
    got = await live(graph(kind, **policy), clock, "a")
    assert Script.calls[:2] == [("a", 0), ("a", 60_000)]
    assert got.texts
    assert (got.node.timeouts, got.node.retries, got.node.errors) == (1, 1, 0)


@pytest.mark.parametrize("kind", ALL)
async def test_passthrough_gives_the_input_instead(kind: str, clock: VirtualClock) -> None:
    Script.set("fail")
    got = await live(graph(kind, on_error="passthrough"), clock, "a", "b")
    assert got.texts == (["a", "b!"] if kind in PLAIN else ["a", "b.0", "b.1"])
    assert (got.node.errors, got.kinds) == (1, ["error"])


@pytest.mark.parametrize("kind", ALL)
async def test_fail_session_ends_it(kind: str, clock: VirtualClock) -> None:
    Script.set("ok", "ok", "fail")
    with pytest.raises(SessionFailedError, match="no such luck"):
        await live(graph(kind, on_error="fail_session"), clock, "a", "b", "c", "d")


@pytest.mark.parametrize("kind", ALL)
async def test_a_breaker_keeps_calls_from_being_made(kind: str, clock: VirtualClock) -> None:
    Script.set(*["fail"] * 3)
    p = graph(kind, circuit_breaker=CircuitBreaker(failures=3, reset_ms=1000))
    async with Session(p.plan(), clock=clock, profiling_clock=Script.measure) as s:
        for text in "abcde":
            await s.send(rm.Text(text))
        await sleep(clock, 1_000)
        assert [text for text, _ in Script.calls] == ["a", "b", "c"]
        (node,) = [node for node in s.metrics().nodes if node.node == "n"]
        assert (node.errors, node.refused, node.breaker) == (3, 2, "open")
        await sleep(clock, 1_000_000)
        await s.send(rm.Text("f"))
        packet = await anext(s.outputs())
        assert packet.data.text in ("f!", "f.0")
        (node,) = [node for node in s.metrics().nodes if node.node == "n"]
        await s.finish()
        assert [p.data.text async for p in s.outputs()] == ([] if kind in PLAIN else ["f.1"])
        (node,) = [node for node in s.metrics().nodes if node.node == "n"]
        assert node.breaker == "closed"
    kinds = [event.kind async for event in s.events()]
    assert sorted(kinds) == ["breaker", "breaker", "error", "error", "error"]


@pytest.mark.parametrize("kind", ALL)
async def test_an_open_breaker_hands_on_what_passes_through(kind: str, clock: VirtualClock) -> None:
    Script.set("fail")
    policy = {"circuit_breaker": CircuitBreaker(failures=1), "on_error": "passthrough"}
    got = await live(graph(kind, **policy), clock, "a", "b")
    assert got.texts == ["a", "b"]
    assert (got.node.errors, got.node.refused) == (1, 1)


async def test_the_session_gives_a_policy_to_nodes_without_one(clock: VirtualClock) -> None:
    Script.set("fail")
    p = rm.Pipeline()
    p.add("TestScripted", id="n")
    got = await live(p, clock, "a", policy=Policy(retry=Retry(attempts=2)))
    assert got.texts == ["a!"]


@pytest.mark.parametrize("kind", ALL)
async def test_an_interrupt_ends_a_wait_at_once(kind: str, clock: VirtualClock) -> None:
    Script.set("fail")
    p = graph(kind, retry=Retry(attempts=2, delay_ms=30_000))
    async with Session(p.plan(), clock=clock, profiling_clock=Script.measure) as s:
        await s.send(rm.Text("a"))
        await sleep(clock, 1_000)
        await s.interrupt()
        assert clock.now_us() == 1_000
        await s.send(rm.Text("b"))
        packet = await anext(s.outputs())
        assert packet.data.text[0] == "b"
        assert clock.now_us() == 1_000
    assert [text for text, _ in Script.calls][:2] == ["a", "b"]


def test_a_run_waits_and_tries_again() -> None:
    Script.set("fail", "fail", "ok")
    p = graph("TestScripted", retry=Retry(attempts=3, delay_ms=100))
    slept: list[float] = []
    run = Run(p.plan(), [rm.Text("a"), rm.Text("b")], sleep=slept.append)
    assert [packet.data.text for packet in run] == ["a!", "b!"]
    assert slept == [0.1, 0.2]


def test_a_run_applies_the_others_too() -> None:
    Script.set("fail", "60")
    p = graph("TestScripted", on_error="passthrough", timeout_ms=50)
    run = Run(p.plan(), [rm.Text(text) for text in "abc"], clock=Script.measure)
    assert [packet.data.text for packet in run] == ["a", "b", "c!"]
    assert [event.kind for event in run.events] == ["error", "error"]
    (node,) = [node for node in run.metrics().nodes if node.node == "n"]
    assert (node.count, node.errors, node.timeouts) == (3, 2, 1)
