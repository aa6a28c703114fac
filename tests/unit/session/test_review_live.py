"""What a review of live sessions found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import pytest

import policy_nodes  # noqa: F401 - registers
import remotemedia as rm
from policy_nodes import Script
from remotemedia.clock import sleep
from remotemedia.errors import (
    FormatError,
    ManifestError,
    NodeError,
    SessionClosedError,
    SessionError,
    SessionFailedError,
)
from remotemedia.manifest import Batch, CircuitBreaker, Join, Policy, Queue, Retry
from remotemedia.session.policies.join import Joiner
from remotemedia.session.policies.retry import Backoff
from remotemedia.testing import VirtualClock
from session_nodes import Log, pipeline


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
        await s.finish()
        got = [packet async for packet in s.outputs()]
    assert [event async for event in s.events()] == []
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


class Gate(rm.Node):
    """Async: ends its call 50 ms after it was cancelled."""

    input_caps = "text"
    output_caps = "text"

    def open(self, ctx: rm.Context) -> None:
        self.clock = ctx.clock

    async def process(self, text: rm.Text) -> rm.Text:
        if text.text == "slow":
            try:
                await sleep(self.clock, 10_000_000)
            finally:
                await sleep(self.clock, 50_000)
        return text


class Keeps(rm.Node):
    """Holds two texts back."""

    input_caps = "text"
    output_caps = "text"

    def __init__(self, params: Any = None, **fields: Any) -> None:
        super().__init__(params, **fields)
        self.held: list[str] = []

    def process(self, text: rm.Text) -> rm.Text | None:
        self.held.append(text.text)
        if len(self.held) < 2:
            return None
        joined, self.held = "+".join(self.held), []
        return rm.Text(joined)

    def finish(self) -> rm.Text | None:
        return rm.Text("+".join(self.held)) if self.held else None

    def reset(self) -> None:
        self.held = []


class KeepsAsync(Keeps):
    """The same, async."""

    async def process(self, text: rm.Text) -> rm.Text | None:
        return Keeps.process(self, text)


rm.node("TestReviewGate")(Gate)
rm.node("TestReviewKeeps")(Keeps)
rm.node("TestReviewKeepsAsync")(KeepsAsync)


@pytest.mark.parametrize("concurrent", [False, True])
@pytest.mark.parametrize("kind", ["TestReviewKeeps", "TestReviewKeepsAsync"])
async def test_what_is_sent_during_an_interrupt_is_not_forgotten(
    kind: str, concurrent: bool, clock: VirtualClock
) -> None:
    p = rm.Pipeline()
    p.add("TestReviewGate", id="gate")
    p.add(kind, id="keeps", policy=Policy(max_concurrency=2 if concurrent else 1))
    async with p.session(clock=clock) as s:
        await s.send(rm.Text("slow"), "gate")
        await s.send(rm.Text("old"), "keeps")
        await sleep(clock, 1_000)
        interrupting = asyncio.ensure_future(s.interrupt())
        await sleep(clock, 1_000)
        await s.send(rm.Text("new"), "keeps")
        await interrupting
        await s.finish()
        assert [packet.data.text async for packet in s.outputs()] == ["new"]


class GateKeeps(Gate):
    """Tells all that it was given since it was reset."""

    async def process(self, text: rm.Text) -> rm.Text | None:
        await Gate.process(self, text)
        self.seen = [*getattr(self, "seen", []), text.text]
        return rm.Text("+".join(self.seen))

    def reset(self) -> None:
        self.seen = []


rm.node("TestReviewGateKeeps")(GateKeeps)


async def test_concurrent_calls_start_after_the_reset(clock: VirtualClock) -> None:
    policy = Policy(max_concurrency=2)
    async with one("TestReviewGateKeeps", policy).session(clock=clock) as s:
        await s.send(rm.Text("slow"))
        await sleep(clock, 1_000)
        interrupting = asyncio.ensure_future(s.interrupt())
        await sleep(clock, 1_000)
        await s.send(rm.Text("new"))
        await interrupting
        await s.send(rm.Text("newer"))
        await s.finish()
        assert [packet.data.text async for packet in s.outputs()] == ["new", "new+newer"]


@pytest.mark.parametrize("limit", [1, 2])
async def test_an_interrupt_that_is_cancelled_leaves_the_session_alive(
    limit: int, clock: VirtualClock
) -> None:
    async with one("TestReviewGate", Policy(max_concurrency=limit)).session(clock=clock) as s:
        await s.send(rm.Text("slow"))
        await sleep(clock, 1_000)
        interrupting = asyncio.ensure_future(s.interrupt())
        await sleep(clock, 1_000)
        interrupting.cancel()
        await sleep(clock, 100_000)
        await s.send(rm.Text("new"))
        await s.finish()
        assert [packet.data.text async for packet in s.outputs()] == ["new"]


class Busy(rm.Node):
    """Counts how many calls go on at once; the first of each fails."""

    input_caps = "text"
    output_caps = "text"
    now: ClassVar[int] = 0
    most: ClassVar[int] = 0

    def open(self, ctx: rm.Context) -> None:
        self.clock = ctx.clock
        self.failed: set[str] = set()
        Busy.now = Busy.most = 0

    async def process(self, text: rm.Text) -> rm.Text:
        Busy.now += 1
        Busy.most = max(Busy.most, Busy.now)
        try:
            await sleep(self.clock, 20_000)
            if text.text not in self.failed:
                self.failed.add(text.text)
                raise ConnectionError("no")
        finally:
            Busy.now -= 1
        return text


rm.node("TestReviewBusy")(Busy)


async def test_no_more_calls_at_once_than_allowed(clock: VirtualClock) -> None:
    policy = Policy(max_concurrency=2, ordered=False, retry=Retry(delay_ms=10, backoff="fixed"))
    async with one("TestReviewBusy", policy).session(clock=clock) as s:
        for number in range(2):
            await s.send(rm.Text(str(number)))
        await sleep(clock, 35_000)  # both are at their second call
        for number in range(2):
            await s.send(rm.Text(f"x{number}"))
        await s.finish()
        got = [packet.data.text async for packet in s.outputs()]
    assert len(got) == 4
    assert Busy.most == 2


async def test_closing_while_the_graph_is_changed(clock: VirtualClock) -> None:
    Log.lines.clear()
    p = pipeline("a:TestReviewGate b:PassThrough", "a b")
    s = p.session(clock=clock)
    await s.open()
    await s.send(rm.Text("slow"))
    await sleep(clock, 1_000)

    async def edit() -> None:
        async with s.bus.edit() as edited:
            edited.add("TestTraced", id="t", name="t")
            edited.replace("a", "TestTraced", name="a")
            edited.connect("b", "t")

    editing = asyncio.ensure_future(edit())
    await sleep(clock, 1_000)
    await s.aclose()
    with pytest.raises(SessionClosedError):
        await editing
    tasks = [t for t in asyncio.all_tasks() if t.get_name().startswith("remotemedia")]
    assert tasks == []
    assert sorted(Log.lines) == ["close a", "close t", "open a", "open t"]


async def test_finishing_while_the_graph_is_changed(clock: VirtualClock) -> None:
    p = pipeline("a:TestSlow b:PassThrough", "a b", a={"delay_ms": 100})
    async with p.session(clock=clock) as s:
        await s.send(rm.Text("x"))
        await sleep(clock, 1_000)

        async def edit() -> None:
            async with s.bus.edit() as edited:
                edited.set_params("a", delay_ms=1)
                edited.add("PassThrough", id="c")
                edited.connect("b", "c")

        editing = asyncio.ensure_future(edit())
        await sleep(clock, 1_000)
        await s.finish()
        await editing
        got = [(packet.node, packet.data.text) async for packet in s.outputs()]
    assert got == [("b", "x"), ("b", "slow tail"), ("c", "slow tail")]


async def test_a_source_that_has_ended_is_not_run_again(clock: VirtualClock) -> None:
    p = pipeline("src:TestCount b:TestSlow", "src b")
    async with p.session(clock=clock) as s:
        await sleep(clock, 100_000)
        async with s.bus.edit() as edited:
            edited.disconnect("src", "b")
            edited.connect("src", "b", queue=Queue(capacity=4))
        await sleep(clock, 100_000)
        async with s.bus.edit() as edited:
            edited.add("PassThrough", id="c")
            edited.connect("src", "c")
        await sleep(clock, 100_000)
        await s.finish()
        got = [packet.data.text async for packet in s.outputs()]
    assert got == ["0", "1", "2", "slow tail"]


async def test_a_queue_that_goes_away_with_late_media(clock: VirtualClock) -> None:
    p = rm.Pipeline()
    p.add("TestReviewSlowPass", id="a")
    p.add("PassThrough", id="z")
    async with p.session(clock=clock, max_latency_ms=100) as s:
        for _ in range(6):
            await s.send(rm.Audio(np.zeros(160, np.float32), 16000), "a")
        await sleep(clock, 1_000)
        before = clock.now_us()
        async with s.bus.edit() as edited:
            edited.remove("a")
        assert clock.now_us() - before < 500_000
        balanced(s)


@rm.node("TestReviewSlowPass")
class SlowPass(rm.Node):
    """60 ms each."""

    def open(self, ctx: rm.Context) -> None:
        self.clock = ctx.clock

    async def process(self, data: rm.Data) -> rm.Data:
        await sleep(self.clock, 60_000)
        return data


async def test_publish_behind_a_source(clock: VirtualClock) -> None:
    p = pipeline("src:TestTicks b:PassThrough", "src b", src={"count": 5})
    async with p.session(clock=clock) as s:
        for n in range(3):
            await s.bus.publish("src:out", rm.Text(f"p{n}"))
        await sleep(clock, 500_000)
        assert sorted(waiting(s)) == ["0", "1", "2", "3", "4", "p0", "p1", "p2"]


async def test_those_who_look_at_a_node_see_what_replaces_it(clock: VirtualClock) -> None:
    p = pipeline("a:PassThrough b:TestReviewKeeps", "a b")
    async with p.session(clock=clock) as s:
        seen: list[str] = []
        detach = s.tap("a", lambda packet: seen.append(packet.data.text))
        s.bus.intercept("a:in", lambda packet: rm.Text(packet.data.text.upper()))
        s.bus.set_state("b", "bypass")
        async with s.bus.edit() as edited:
            edited.replace("a", "TestRepeat", times=2)
            edited.replace("b", "PassThrough")
        await s.send(rm.Text("x"))
        await sleep(clock, 1_000)
        assert seen == ["X.0", "X.1"]
        detach()
        await s.send(rm.Text("y"))
        await sleep(clock, 1_000)
        assert seen == ["X.0", "X.1"]
        subscription = s.bus.subscribe("b:in")
        async with s.bus.edit() as edited:
            edited.remove("b")
        assert [packet async for packet in subscription] == []


async def test_a_failed_session_ends_though_others_go_on(clock: VirtualClock) -> None:
    p = rm.Pipeline()
    p.add("TestReviewEndless", id="src")
    p.add("TestFail", id="f", policy=Policy(on_error="fail_session"))
    async with p.session(clock=clock) as s:
        await s.send(rm.Text("bad"), "f")
        count = 0
        with pytest.raises(SessionFailedError, match="no such luck"):
            async for _ in s.outputs():
                await sleep(clock, 1_000)
                count += 1
                assert count < 2_000


async def test_the_first_error_ends_arun_though_others_go_on(clock: VirtualClock) -> None:
    p = rm.Pipeline()
    p.add("TestReviewEndless", id="src")
    p.add("TestFail", id="f")
    count = 0
    with pytest.raises(NodeError, match="no such luck"):
        async for _ in p.arun([rm.Text("bad")], clock=clock):
            await sleep(clock, 1_000)
            count += 1
            assert count < 2_000


@rm.node("TestReviewEndless")
class Endless(rm.Node):
    """A source without end."""

    input_caps: ClassVar = {}
    output_caps = "text"

    def produce(self) -> Iterator[rm.Text]:
        while True:
            yield rm.Text("on")


async def test_an_intercept_handler_is_not_left_running(clock: VirtualClock) -> None:
    ended: list[str] = []

    async def handler(packet: rm.Packet) -> rm.Data | None:
        try:
            await sleep(clock, 3_000_000)
        finally:
            ended.append("x")
        return packet.data

    async with pipeline("a:PassThrough").session(clock=clock) as s:
        s.bus.intercept("a:in", handler, deadline_ms=10_000)
        await s.send(rm.Text("x"))
        await sleep(clock, 1_000)
    assert ended == ["x"]


async def test_nothing_ticks_after_close(clock: VirtualClock) -> None:
    policy = Policy(batch=Batch(min_items=4, max_wait_ms=60_000))
    async with one("PassThrough", policy).session(clock=clock) as s:
        await s.send(rm.Text("x"))
        await sleep(clock, 1_000)
    assert clock.timers == ()


async def test_a_batch_after_an_interrupt_waits_anew(clock: VirtualClock) -> None:
    policy = Policy(batch=Batch(min_items=4, max_items=4, max_wait_ms=100))
    async with one("PassThrough", policy).session(clock=clock) as s:
        await s.send(rm.Text("a"))
        await sleep(clock, 90_000)
        await s.interrupt()
        await s.send(rm.Text("b"))
        await sleep(clock, 50_000)
        await s.send(rm.Text("c"))
        await sleep(clock, 60_000)
        assert waiting(s) == ["bc"]


@pytest.mark.parametrize("kind", ["PassThrough", "TestSlowAny"])
async def test_a_batch_that_is_interrupted_midway(kind: str, clock: VirtualClock) -> None:
    policy = Policy(batch=Batch(min_items=4, max_items=8, max_wait_ms=100, merge="separate"))
    async with one(kind, policy).session(clock=clock) as s:
        for _ in range(8):
            await s.send(rm.Text("a"))
        if kind == "TestSlowAny":
            await sleep(clock, 15_000)
        await s.interrupt()
        await s.send(rm.Text("b"))
        await sleep(clock, 50_000)
        assert waiting(s) == []
        await sleep(clock, 70_000)
        assert waiting(s) == ["b"]


async def test_a_default_policy_that_batches(clock: VirtualClock) -> None:
    with pytest.raises(SessionError, match="say so at the nodes"):
        pipeline("a:PassThrough").session(clock=clock, policy=Policy(batch=Batch()))


async def test_a_source_cannot_be_bypassed(clock: VirtualClock) -> None:
    async with pipeline("src:TestTicks").session(clock=clock) as s:
        with pytest.raises(SessionError, match="it is a source"):
            s.bus.set_state("src", "bypass")


def test_a_run_ends_where_a_policy_says_so() -> None:
    run = one("TestFail", Policy(on_error="fail_session")).run(
        [rm.Text("a"), rm.Text("bad"), rm.Text("b")], on_error="skip"
    )
    assert next(run).data.text == "a"
    with pytest.raises(NodeError, match="no such luck"):
        next(run)


async def test_concurrent_set_params_lose_nothing(clock: VirtualClock) -> None:
    p = rm.Pipeline()
    p.add("Gain", id="a")
    p.add("Gain", id="b")
    async with p.session(clock=clock) as s:
        await asyncio.gather(s.bus.set_params("a", gain_db=6.0), s.bus.set_params("b", gain_db=3.0))
        params = [node.params.gain_db for node in s.plan.graph.nodes.values()]
        assert params == [6.0, 3.0]

        async def edit() -> None:
            async with s.bus.edit() as edited:
                await sleep(clock, 5_000)
                edited.set_params("a", gain_db=1.0)

        editing = asyncio.ensure_future(edit())
        await sleep(clock, 1_000)
        await s.bus.set_params("b", gain_db=2.0)
        with pytest.raises(SessionError, match="changed meanwhile"):
            await editing
        params = [node.params.gain_db for node in s.plan.graph.nodes.values()]
        assert params == [6.0, 2.0]
        async with s.bus.edit():
            with pytest.raises(SessionError, match="within an edit"):
                async with s.bus.edit():
                    pass


async def test_a_failure_that_is_passed_through_tells_its_own_sequence(clock: VirtualClock) -> None:
    Script.set("30", "20")
    policy = Policy(max_concurrency=2, timeout_ms=25, on_error="passthrough")
    async with one("TestScriptedAsync", policy).session(clock=clock) as s:
        seen: list[int] = []
        s.tap("n", lambda packet: seen.append(packet.sequence))
        await s.send(rm.Text("a"))
        await s.send(rm.Text("b"))
        await s.send(rm.Text("c"))
        await sleep(clock, 100_000)
        got = [(p.sequence, p.data.text) for p in iter(s.outputs().poll, None)]
        assert got == [(0, "a"), (1, "b!"), (2, "c!")]
    events = [event.sequence async for event in s.events() if event.kind == "error"]
    assert events == [0]
    assert sorted(seen) == [0, 1, 2]


async def test_subscribing_to_a_closed_session(clock: VirtualClock) -> None:
    async with pipeline("a:PassThrough").session(clock=clock) as s:
        bus = s.bus
    with pytest.raises(SessionClosedError):
        bus.subscribe("a")


async def test_a_subscriber_of_a_broken_session_is_not_left_waiting(clock: VirtualClock) -> None:
    p = one("TestFail", Policy(on_error="fail_session"))
    async with p.session(clock=clock) as s:
        subscription = s.bus.subscribe("n")
        await s.send(rm.Text("bad"))
        with pytest.raises(SessionFailedError):
            _ = [packet async for packet in s.outputs()]
        assert [packet async for packet in subscription] == []


HOLDER: list[Any] = []


@rm.node("TestReviewStops", input_caps="text", output_caps="text")
async def stops(text: rm.Text) -> rm.Text:
    """Interrupts, or closes, its own session."""
    if text.text == "interrupt":
        await HOLDER[-1].interrupt()
    if text.text == "close":
        await HOLDER[-1].aclose()
    return text


async def test_a_node_that_interrupts_and_closes_its_own_session(clock: VirtualClock) -> None:
    p = pipeline("a:TestReviewStops b:PassThrough", "a b")
    async with p.session(clock=clock) as s:
        HOLDER.append(s)
        for text in ("interrupt", "x", "close", "y"):
            await s.send(rm.Text(text))
            await sleep(clock, 1_000)
            if text == "close":
                break
        assert clock.now_us() == 3_000
        balanced(s)
    tasks = [each for each in asyncio.all_tasks() if each.get_name().startswith("remotemedia")]
    assert tasks == []
    assert s.metrics().edges[-1].entered == 1


@pytest.mark.parametrize("mode", ["zip", "align"])
def test_a_join_is_quick_however_much_waits(mode: str) -> None:
    """65,536 items on one side: looking through all of them for each would take minutes."""
    dropped: dict[str, int] = {}
    joined = Joiner(Join(mode=mode, capacity=65_536, timeout_ms=60_000), ["l", "r"], dropped)
    for number in range(70_000):
        assert joined.put("l", rm.Text("x", pts_us=number * 1_000_000), number) == []
    assert joined.due_us() == 70_000 - 65_536 + 60_000_000
    assert len(joined.rest()) == 65_536
    assert dropped == {"join_full": 70_000 - 65_536}
    assert joined.due_us() is None


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Policy(timeout_ms=-5), r"nodes\[0\].policy.timeout_ms: expected a number > 0.0, got -5"),
        (Policy(retry=Retry(attempts=0)), r"policy.retry.attempts: expected a whole number >= 1"),
        (Policy(on_error="explode"), "policy.on_error: expected one of 'drop', 'passthrough'"),
        (Queue(capacity=0), r"connections\[0\].queue.capacity: expected a whole number >= 1"),
        (Queue(overflow="never"), "queue.overflow: expected one of 'block', 'drop_oldest'"),
    ],
)
def test_policies_and_queues_given_in_code_are_checked(part: Any, message: str) -> None:
    is_queue = isinstance(part, Queue)
    p = one("PassThrough", Policy() if is_queue else part)
    p.add("PassThrough", id="b")
    p.connect("n", "b", queue=part if is_queue else None)
    with pytest.raises(ManifestError, match=message):
        p.validate()


async def test_a_batch_of_one_port_is_not_kept_back_by_another(clock: VirtualClock) -> None:
    policy = Policy(batch=Batch(min_items=4, max_wait_ms=60_000, merge="separate"))
    async with one("TestTwo", policy).session(clock=clock) as s:
        await s.send(rm.Text("0"), "n:left")
        for number in range(4):
            await s.send(rm.Text(str(number)), "n:right")
        await sleep(clock, 1_000)
        assert waiting(s) == ["left 0", *(f"right {number}" for number in range(4))]


async def test_a_batch_does_not_wait_while_a_queue_loses(clock: VirtualClock) -> None:
    p = pipeline("a:PassThrough")
    p.add("PassThrough", id="b", policy=Policy(batch=Batch(min_items=8, max_wait_ms=60_000)))
    p.connect("a", "b", queue=Queue(capacity=4, overflow="drop_oldest"))
    async with p.session(clock=clock) as s:
        for number in range(12):
            await s.send(rm.Text(str(number)))
            await sleep(clock, 1_000)
        assert "".join(waiting(s)) == "01234567891011"


@pytest.mark.parametrize("place", ["a:out", "b:in"])
@pytest.mark.parametrize("kind", ["TestTraced", "TestSlow"])
async def test_an_intercept_gives_what_the_port_carries(
    place: str, kind: str, clock: VirtualClock
) -> None:
    p = pipeline(f"a:{kind} b:TestTraced", "a b")
    async with p.session(clock=clock) as s:
        s.bus.intercept(place, lambda packet: rm.Json({"not": "text"}))
        await s.send(rm.Text("x"))
        await sleep(clock, 100_000)
        assert waiting(s) == ["x"]
    (message,) = [event.message async for event in s.events()]
    assert f"{place} accepts text, but was given json" in message


async def test_what_is_published_fits_what_is_behind(clock: VirtualClock) -> None:
    """`Gain` would hand any rate on; that it is 16 kHz here was negotiated, and is not checked."""
    p = rm.Pipeline()
    p.add("AudioResample", id="a", target_rate=16000)
    p.add("Gain", id="b")
    p.add("TestReviewSlowAudio", id="c")
    p.connect("a", "b").connect("b", "c")
    audio = rm.Audio(np.zeros(160, np.float32), 48000)
    async with p.session(clock=clock) as s:
        with pytest.raises(FormatError, match="c:in accepts"):
            await s.bus.publish("b:out", audio)
        s.bus.intercept("b:out", lambda packet: audio)
        await s.send(audio)
        await s.finish()
        assert {packet.data.sample_rate async for packet in s.outputs()} == {16000}


def test_the_longest_wait_is_the_longest() -> None:
    backoff = Backoff(Retry(attempts=100, jitter=1, delay_ms=100, max_delay_ms=150), "n")
    waits = [backoff.delay_us(attempt, ValueError()) or 0 for attempt in range(1, 100)]
    assert max(waits) == 150_000


async def test_an_answer_after_the_time_out_is_none(clock: VirtualClock) -> None:
    """A synchronous node's is lost as well."""
    async with one("TestForgiving", Policy(timeout_ms=10)).session(clock=clock) as s:
        await s.send(rm.Text("x"))
        await sleep(clock, 20_000)
        assert waiting(s) == []
        (node,) = s.metrics().nodes
        assert (node.timeouts, node.errors) == (1, 1)


async def test_nothing_is_kept_of_nodes_that_are_gone(clock: VirtualClock) -> None:
    p = pipeline("a:PassThrough")
    async with p.session(clock=clock) as s:
        for number in range(20):
            name = f"n{number}"
            async with s.bus.edit() as edited:
                edited.add("TestSlow", id=name)
                edited.connect("a", name)
            s.bus.subscribe(name)
            await s.send(rm.Text(name))
            await sleep(clock, 20_000)
            assert waiting(s) == [name]
            async with s.bus.edit() as edited:
                edited.remove(name)
            assert waiting(s) == ["slow tail"]
        async with s.bus.edit() as edited:
            edited.add("PassThrough", id="b")
        router = s.router
        assert set(router._unit_of) == set(router.steps) == {"a", "b"}
        assert {node for node, _ in router.queues.outlets} == {"a", "b"}
        assert len(router.client.boundaries) == 2
        assert s.bus._subscriptions == []


async def test_a_source_that_never_waits_can_be_disabled(clock: VirtualClock) -> None:
    async with pipeline("src:TestReviewRestless").session(clock=clock) as s:
        s.bus.set_state("src", "disabled")
        for _ in range(10):
            await sleep(clock, 0)
        assert s.metrics().nodes[0].dropped["disabled"] < 20


@rm.node("TestReviewRestless")
class Restless(rm.Node):
    """An async source that never waits."""

    input_caps: ClassVar = {}
    output_caps = "text"

    async def produce(self) -> AsyncIterator[rm.Text]:
        for _ in range(1_000):
            yield rm.Text("on")


@pytest.mark.parametrize("kind", ["TestScripted", "TestScriptedAsync"])
async def test_what_is_passed_through_does_not_end_arun(kind: str, clock: VirtualClock) -> None:
    """As in `run`: the policy has dealt with it."""
    Script.set("ok", "fail")
    p = one(kind, Policy(on_error="passthrough"))
    inputs = [rm.Text(text) for text in "abc"]
    assert [packet.data.text async for packet in p.arun(inputs, clock=clock)] == ["a!", "b", "c!"]
    if kind == "TestScripted":
        Script.set("ok", "fail")
        assert [packet.data.text for packet in p.run(inputs)] == ["a!", "b", "c!"]


async def test_a_node_that_takes_sets_only_says_so(clock: VirtualClock) -> None:
    p = rm.Pipeline()
    p.add("TestReviewPair", id="n")
    with pytest.raises(NodeError, match=r"process_joined.*mode: zip"):
        list(p.run([rm.Text("x")], to="n:left"))
    Script.set()
    async with p.session(clock=clock, policy=Policy(join=Join(mode="zip"))) as s:
        await s.send(rm.Text("a"), "n:left")
        await s.send(rm.Text("b"), "n:right")
        await s.finish()
        assert [packet.data.text async for packet in s.outputs()] == ["ab"]


async def test_a_change_that_cannot_stop_a_node_breaks_the_session(clock: VirtualClock) -> None:
    p = pipeline("a:TestSlow", a={"stubborn": True, "delay_ms": 60_000})
    async with p.session(clock=clock) as s:
        await s.send(rm.Text("x"))
        await sleep(clock, 1_000)
        with pytest.raises(SessionFailedError, match="the change of the graph: a node ignored"):
            await s.bus.apply(pipeline("a:PassThrough"))
        with pytest.raises(SessionFailedError):
            await s.send(rm.Text("x"))


@rm.node("TestReviewEarly")
class Early(rm.Node):
    """Sets a timer when it is opened."""

    class Params(rm.Params, frozen=True):
        name: str = ""

    input_caps = "text"
    output_caps = "text"

    def open(self, ctx: rm.Context) -> None:
        ctx.set_timer(5_000, self.params.name)

    def process(self, text: rm.Text) -> rm.Text:
        return text

    def wake(self, token: str) -> rm.Text:
        return rm.Text(f"{self.params.name} woken by {token}")


async def test_a_timer_that_runs_out_before_its_node_is_there(clock: VirtualClock) -> None:
    p = pipeline("a:TestReviewEarly slow:TestSlow", a={"name": "old"}, slow={"delay_ms": 50})
    async with p.session(clock=clock) as s:
        await sleep(clock, 10_000)
        assert waiting(s) == ["old woken by old"]
        await s.send(rm.Text("x"), "slow")
        await sleep(clock, 1_000)
        async with s.bus.edit() as edited:  # which waits for `slow`
            edited.set_params("a", name="new")
            edited.add("TestReviewEarly", id="more", name="more")
            edited.set_params("slow", delay_ms=1)
        await sleep(clock, 1_000)
        got = waiting(s)
        assert {"new woken by new", "more woken by more"} <= set(got)
        with pytest.raises(NodeError, match="cannot open"):
            async with s.bus.edit() as edited:
                edited.set_params("a", name="never")
                edited.add("TestReviewBroken", id="broken")
        await sleep(clock, 10_000)
        assert waiting(s) == []


@rm.node("TestReviewBroken")
class Broken(rm.Node):
    """Does not open, or does not take a parameter."""

    class Params(rm.Params, frozen=True):
        opens: bool = False
        level: int = 0

    live_params = ("level",)

    def open(self, ctx: rm.Context) -> None:
        if not self.params.opens:
            raise ValueError("cannot open")

    def process(self, data: rm.Data) -> rm.Data:
        return data

    def update(self, params: Any) -> None:
        raise ValueError(f"not {params.level}")


async def test_an_update_that_fails_is_told(clock: VirtualClock) -> None:
    Log.lines.clear()
    p = pipeline("a:TestReviewBroken t:TestTraced", a={"opens": True})
    async with p.session(clock=clock) as s:
        async with s.bus.edit() as edited:
            edited.set_params("a", level=3)
            edited.remove("t")
        assert Log.lines[-1] == "close "
    errors = [event.message async for event in s.events() if event.kind == "error"]
    assert ["raised ValueError: not 3" in message for message in errors] == [True]


class Ticking(rm.Node):
    """Says something every 10 ms."""

    input_caps = "text"
    output_caps = "text"

    def open(self, ctx: rm.Context) -> None:
        self.ctx = ctx
        self.count = 0
        ctx.set_timer(10_000)

    def process(self, text: rm.Text) -> rm.Text:
        return text

    def wake(self, token: str) -> Iterator[rm.Text]:
        self.ctx.set_timer(10_000)
        self.count += 1
        yield rm.Text(str(self.count))


class TickingAsync(Ticking):
    """The same, async."""

    async def process(self, text: rm.Text) -> rm.Text:
        return text

    async def wake(self, token: str) -> AsyncIterator[rm.Text]:
        for text in Ticking.wake(self, token):
            yield text


rm.node("TestReviewTicking")(Ticking)
rm.node("TestReviewTickingAsync")(TickingAsync)


@pytest.mark.parametrize("state", ["bypass", "disabled"])
@pytest.mark.parametrize("kind", ["TestReviewTicking", "TestReviewTickingAsync"])
async def test_timers_survive_a_node_that_is_switched_off(
    kind: str, state: Any, clock: VirtualClock
) -> None:
    async with pipeline(f"n:{kind}").session(clock=clock) as s:
        await sleep(clock, 15_000)
        s.bus.set_state("n", state)
        await sleep(clock, 30_000)
        assert waiting(s) == ["1"]
        s.bus.set_state("n", "enabled")
        await sleep(clock, 20_000)
        assert waiting(s) == ["5", "6"]
        assert s.metrics().nodes[0].dropped == {}


def test_a_latency_budget_is_more_than_nothing() -> None:
    with pytest.raises(SessionError, match="max_latency_ms is more than 0"):
        pipeline("a:PassThrough").session(max_latency_ms=0)
