"""Close, finish, interrupt and change, when one comes in the middle of another.

What tests/fuzz/fuzz_sessions.py found, each as small as it can be.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar

import numpy as np
import pytest

import policy_nodes  # noqa: F401 - registers
import remotemedia as rm
from remotemedia.clock import sleep
from remotemedia.errors import SessionClosedError
from remotemedia.manifest import Batch, Metadata, Policy, Queue, Retry
from remotemedia.testing import VirtualClock
from session_nodes import Log, pipeline


@pytest.fixture(autouse=True)
def _log() -> None:
    Log.lines = []


class Dawdler(rm.Node):
    """Async: takes its time, whether it is cut off or not; logs calls that overlap."""

    class Params(rm.Params, frozen=True):
        delay_ms: int = 10
        fails: bool = False
        slow_open_ms: int = 0

    input_caps = "text"
    output_caps = "text"

    async def open(self, ctx: rm.Context) -> None:
        self.clock, self.ctx, self.busy = ctx.clock, ctx, 0
        await sleep(ctx.clock, self.params.slow_open_ms * 1000)
        Log.lines.append(f"open {ctx.node}")

    def begin(self, what: str) -> None:
        Log.lines.append(f"{what} during a call" if self.busy else what)

    async def process(self, text: rm.Text) -> rm.Text:
        self.begin(f"process {text.text}")
        self.busy += 1
        try:
            await sleep(self.clock, self.params.delay_ms * 1000)
        except asyncio.CancelledError:
            await sleep(self.clock, 1_000)
            if self.params.fails:
                raise ZeroDivisionError("cut off") from None
        finally:
            self.busy -= 1
        return text

    async def finish(self) -> rm.Text:
        self.begin("finish")
        self.busy += 1
        try:
            await sleep(self.clock, self.params.delay_ms * 1000)
        finally:
            self.busy -= 1
        return rm.Text("tail")

    def reset(self) -> None:
        self.begin("reset")

    async def close(self) -> None:
        await sleep(self.clock, 1_000)
        self.begin(f"close {self.ctx.node}")


class Cleans(rm.Node):
    """A generator that logs its end; asynchronous, or a source, as its subclasses."""

    input_caps: Any = "text"
    output_caps = "text"

    def process(self, text: rm.Text) -> Any:
        try:
            for _ in range(1000):
                yield text
        finally:
            Log.lines.append("generator ends")

    def close(self) -> None:
        Log.lines.append("close")


class CleansAwaited(Cleans):
    async def process(self, text: rm.Text) -> AsyncIterator[rm.Text]:
        try:
            for _ in range(1000):
                yield text
        finally:
            Log.lines.append("generator ends")


class CleansSource(Cleans):
    input_caps: ClassVar = {}

    def produce(self) -> Iterator[rm.Text]:
        return self.process(rm.Text("x"))  # type: ignore[no-any-return]


class Waker(Dawdler):
    """Sets a timer when it opens, and when something comes."""

    async def open(self, ctx: rm.Context) -> None:
        ctx.set_timer(5_000, "opened")
        await super().open(ctx)

    async def process(self, text: rm.Text) -> None:
        self.ctx.set_timer(5_000, text.text)

    async def wake(self, token: str) -> rm.Text:
        return rm.Text(f"woken {token}")


for _name, _cls in {
    "TestDawdler": Dawdler,
    "TestCleans": Cleans,
    "TestCleansAwaited": CleansAwaited,
    "TestCleansSource": CleansSource,
    "TestWaker": Waker,
}.items():
    rm.node(_name)(_cls)


async def read(session: Any) -> list[str]:
    return [packet.data.text async for packet in session.outputs()]


def nothing_is_left(session: Any) -> None:
    assert asyncio.all_tasks() == {asyncio.current_task()}
    for edge in session.metrics().edges:
        assert edge.entered == edge.delivered + sum(edge.dropped.values()), edge
        assert edge.in_flight == 0, edge


# -- close -------------------------------------------------------------------------------------


async def test_a_closing_that_is_cancelled_ends_first(clock: VirtualClock) -> None:
    s = pipeline("a:TestDawdler b:TestDawdler", "a b").session(clock=clock)
    await s.open()
    await s.send(rm.Text("x"))
    closing = asyncio.ensure_future(s.aclose())
    await sleep(clock, 500)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert [line for line in Log.lines if line.startswith("close")] == ["close a", "close b"]
    nothing_is_left(s)
    assert await read(s) == []


async def test_a_second_closing_waits_for_the_first(clock: VirtualClock) -> None:
    s = pipeline("a:TestDawdler").session(clock=clock)
    await s.open()
    await asyncio.gather(s.aclose(), s.aclose())
    assert clock.now_us() == 1_000
    assert Log.lines[-1] == "close a"


async def test_closing_in_the_middle_of_a_change(clock: VirtualClock) -> None:
    """While a new node opens, and while one that goes away lets out its tail."""
    for wait_us in (5_000, 15_000):
        Log.lines = []
        s = pipeline("a:TestDawdler").session(clock=clock)
        await s.open()

        async def edit(session: Any = s) -> None:
            async with session.bus.edit() as edited:
                edited.replace("a", "TestDawdler", slow_open_ms=10)

        editing = asyncio.ensure_future(edit())
        await sleep(clock, wait_us)
        await s.aclose()
        with pytest.raises(SessionClosedError):
            await editing
        assert Log.lines.count("open a") == Log.lines.count("close a") == 2
        nothing_is_left(s)


@pytest.mark.parametrize("kind", ["TestCleans", "TestCleansAwaited", "TestCleansSource"])
async def test_a_generator_ends_before_its_node_is_closed(kind: str, clock: VirtualClock) -> None:
    s = pipeline(f"n:{kind}").session(clock=clock)
    await s.open()
    s.bus.intercept("n:out", lambda packet: packet.data)
    if kind != "TestCleansSource":
        await s.send(rm.Text("x"))
    await sleep(clock, 1_000)  # nobody reads: it stands still
    await s.aclose()
    assert Log.lines == ["generator ends", "close"]
    nothing_is_left(s)


async def test_who_answers_its_cancellation_does_not_keep_the_session_open(
    clock: VirtualClock,
) -> None:
    """The queue behind it is full, and nobody reads."""
    p = pipeline("a:TestDawdler b:TestDawdler", a={"delay_ms": 1}, b={"delay_ms": 60_000})
    p.connect("a", "b", queue=Queue(capacity=1))
    s = p.session(clock=clock)
    await s.open()
    for number in range(4):
        await s.send(rm.Text(str(number)))
    await sleep(clock, 10_000)
    await s.aclose()
    assert clock.now_us() == 10_000 + 1_000 + 2 * 1_000  # b's answer, two nodes closed
    nothing_is_left(s)


async def test_what_was_cut_off_is_not_tried_again(clock: VirtualClock) -> None:
    p = rm.Pipeline()
    retry = Policy(retry=Retry(attempts=5, delay_ms=1))
    p.add("TestDawdler", id="a", delay_ms=60_000, fails=True, policy=retry)
    async with p.session(clock=clock) as s:
        await s.send(rm.Text("x"))
        await sleep(clock, 10_000)
        await s.interrupt()
        assert clock.now_us() == 11_000
    assert Log.lines.count("process x") == 1


# -- interrupt ---------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [1, 2])
async def test_no_node_is_reset_during_a_call(at_once: int, clock: VirtualClock) -> None:
    """`slow` needs 1 ms to be cut off; `free` has nothing to do then, and gets new data."""
    p = rm.Pipeline()
    p.add("TestDawdler", id="slow", delay_ms=50)
    p.add("TestDawdler", id="free", policy=Policy(max_concurrency=at_once))
    async with p.session(clock=clock) as s:
        await s.send(rm.Text("old"), "slow")
        if at_once > 1:
            await s.send(rm.Text("old"), "free")
        await sleep(clock, 1_000)
        interrupting = asyncio.ensure_future(s.interrupt())
        await sleep(clock, 0)
        await s.send(rm.Text("new"), "free")
        await interrupting
        await s.finish()
        assert await read(s) == ["new", "tail", "tail"]
    assert not [line for line in Log.lines if line.endswith("during a call")]
    before = Log.lines.index("process new")
    assert Log.lines[:before].count("reset") == (1 if at_once == 1 else 2)


async def test_an_interrupt_drops_what_a_removed_node_has_left(clock: VirtualClock) -> None:
    async with pipeline("a:PassThrough b:PassThrough").session(clock=clock) as s:
        await s.send(rm.Text("x"))
        await sleep(clock, 1_000)
        async with s.bus.edit() as edited:
            edited.remove("b")
        await s.interrupt()
        await s.finish()
        assert await read(s) == []


async def test_an_interrupt_cuts_off_a_tail_that_a_change_waits_for(clock: VirtualClock) -> None:
    async with pipeline("a:TestDawdler b:PassThrough").session(clock=clock) as s:

        async def edit() -> None:
            async with s.bus.edit() as edited:
                edited.remove("a")

        editing = asyncio.ensure_future(edit())
        await sleep(clock, 5_000)
        await s.interrupt()
        await editing
        assert clock.now_us() == 6_000  # a's close
        assert "finish" in Log.lines
        await s.finish()
        assert await read(s) == []
    assert not [line for line in Log.lines if line.endswith("during a call")]


# -- change ------------------------------------------------------------------------------------


async def test_finishing_in_the_middle_of_a_change(clock: VirtualClock) -> None:
    """The input ends once the change has been carried out."""
    async with pipeline("a:TestDawdler b:PassThrough", "a b").session(clock=clock) as s:

        async def edit() -> None:
            async with s.bus.edit() as edited:
                edited.add("PassThrough", id="c")
                edited.connect("b", "c")

        await s.send(rm.Text("x"))
        await sleep(clock, 1_000)
        editing = asyncio.ensure_future(edit())
        await sleep(clock, 0)
        await s.finish()
        assert await read(s) == ["x", "tail"]
        await editing
    assert s.plan.graph.nodes.keys() == {"a", "b", "c"}


async def test_an_interrupt_while_a_change_waits_for_what_is_queued(clock: VirtualClock) -> None:
    """Nothing waits any more then, and the change goes on at once."""
    async with pipeline("a:TestDawdler", a={"delay_ms": 50}).session(clock=clock) as s:
        for number in range(3):
            await s.send(rm.Text(str(number)))

        async def edit() -> None:
            async with s.bus.edit() as edited:
                edited.replace("a", "PassThrough")

        editing = asyncio.ensure_future(edit())
        await sleep(clock, 10_000)
        await s.interrupt()
        assert clock.now_us() == 11_000
        await editing
        assert clock.now_us() == 11_000 + 50_000 + 1_000  # the tail, and the close


async def test_a_change_that_is_cancelled_changes_nothing(clock: VirtualClock) -> None:
    async with pipeline("a:TestDawdler").session(clock=clock) as s:

        async def edit() -> None:
            async with s.bus.edit() as edited:
                edited.replace("a", "TestDawdler", delay_ms=1)

        editing = asyncio.ensure_future(edit())
        await sleep(clock, 5_000)  # the tail is on its way
        editing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await editing
        await s.send(rm.Text("x"))
        await s.finish()
        assert await read(s) == ["tail", "x", "tail"]
    calls = [line for line in Log.lines if not line.startswith(("open", "close"))]
    assert calls == ["finish", "reset", "process x", "finish"]


async def test_a_change_that_is_cancelled_late_closes_what_goes_away(clock: VirtualClock) -> None:
    async with pipeline("a:TestDawdler b:PassThrough", a={"delay_ms": 1}).session(clock=clock) as s:

        async def edit() -> None:
            async with s.bus.edit() as edited:
                edited.remove("a")

        editing = asyncio.ensure_future(edit())
        await sleep(clock, 1_500)  # a is being closed
        assert "close a" not in Log.lines
        editing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await editing
        assert Log.lines[-1] == "close a"
        assert s.plan.graph.nodes.keys() == {"b"}


async def test_tails_come_once_however_long_a_change_takes(clock: VirtualClock) -> None:
    """`b` does not come to an end within the time-out, after `a` has let out its tail."""
    p = pipeline("a:TestDawdler b:TestDawdler", b={"delay_ms": 60_000})
    async with p.session(clock=clock, close_timeout_ms=100) as s:
        await s.send(rm.Text("x"), "b")
        await sleep(clock, 1_000)
        async with s.bus.edit() as edited:
            edited.remove("a").remove("b").add("PassThrough", id="c")
        assert Log.lines.count("finish") == 2
        await s.finish()
        assert await read(s) == ["tail"]


async def test_a_source_that_has_ended_is_not_started_again(clock: VirtualClock) -> None:
    p = pipeline("n:TestCount a:PassThrough", "n a")
    async with p.session(clock=clock) as s:
        await sleep(clock, 1_000)
        async with s.bus.edit() as edited:
            edited.disconnect("n", "a")
            edited.connect("n", "a", queue=Queue(capacity=2))
            edited.add("PassThrough", id="b")
            edited.connect("n", "b")
        await s.finish()
        assert await read(s) == ["0", "1", "2"]


async def test_a_node_with_batches_gets_another_edge(clock: VirtualClock) -> None:
    """It stands alone as an async node does, but is called as others are."""
    p = rm.Pipeline()
    p.add("PassThrough", id="a", policy=Policy(batch=Batch(max_items=2)))
    async with p.session(clock=clock) as s:
        await s.send(rm.Text("x"))
        await sleep(clock, 1_000)
        async with s.bus.edit() as edited:
            edited.add("TestList", id="b")
            edited.connect("a", "b")
        await s.send(rm.Text("y"))
        await sleep(clock, 1_000)
        await s.bus.publish("a:out", rm.Text("z"))
        await s.finish()
        assert await read(s) == ["x", "ya", "yb", "za", "zb"]


async def test_the_timers_of_a_node_that_comes(clock: VirtualClock) -> None:
    """They run out while it opens; they are gone if it does not."""
    async with pipeline("a:PassThrough").session(clock=clock) as s:
        async with s.bus.edit() as edited:
            edited.replace("a", "TestWaker", slow_open_ms=10)
        assert clock.now_us() == 10_000

        async def edit() -> None:
            async with s.bus.edit() as edited:
                edited.add("TestWaker", id="b", slow_open_ms=10)

        editing = asyncio.ensure_future(edit())
        await sleep(clock, 1_000)
        editing.cancel()
        await asyncio.wait([editing])
        await sleep(clock, 20_000)
        s.bus.intercept("a:out", lambda packet: rm.Text(packet.data.text + "!"))
        await s.send(rm.Text("later"))
        await sleep(clock, 10_000)
        await s.finish()
        assert await read(s) == ["woken opened", "woken later!", "tail!"]
    nothing_is_left(s)


async def test_an_update_that_fails_is_told(clock: VirtualClock) -> None:
    class Updated(Cleans):
        class Params(rm.Params, frozen=True):
            level: int = 0

        live_params = ("level",)

        def update(self, params: Any) -> None:
            raise ZeroDivisionError("no update")

    rm.node("TestBadUpdate")(Updated)
    async with pipeline("a:TestBadUpdate b:TestCleans").session(clock=clock) as s:
        async with s.bus.edit() as edited:
            edited.set_params("a", level=1).remove("b")
        assert Log.lines == ["close"]  # that of b
        assert s.plan.graph.nodes.keys() == {"a"}
    events = [event async for event in s.events()]
    assert [str(event.error) for event in events if event.error is not None] == [
        "node 'a' (Updated) raised ZeroDivisionError: no update"
    ]


# -- others ------------------------------------------------------------------------------------


async def test_an_intercept_in_front_of_a_converter_of_an_async_node(clock: VirtualClock) -> None:
    p = rm.Pipeline()._change(metadata=Metadata(auto_negotiate=True))
    p.add("TestSlowAny", id="a")
    p.add("TestTakes16k", id="b")
    p.connect("a", "b")
    async with p.session(clock=clock) as s:
        s.bus.intercept("b:in", lambda packet: packet.data)
        await s.send(rm.Audio(np.zeros(160, np.float32), 16_000), "b")
        await sleep(clock, 1_000)
        await s.finish()
        assert [packet.node async for packet in s.outputs()] == ["b"]


async def test_control_alone_in_a_queue_of_some_media_time(clock: VirtualClock) -> None:
    p = pipeline("a:PassThrough b:TestSlowAny")
    p.connect("a", "b", queue=Queue(capacity_ms=20, capacity_bytes=1_000))
    async with p.session(clock=clock) as s:
        for _ in range(3):
            await s.send(rm.Control("Hint", {"a": "b" * 400}))
        await s.send(rm.Text("x"))
        await s.finish()
        kinds = [type(packet.data).__name__ async for packet in s.outputs()]
    assert kinds == ["Control", "Control", "Control", "Text"]


@rm.node("TestTakes16k", input_caps="audio(sample_rate=16000)", output_caps="any")
async def takes_16k(data: rm.Audio) -> rm.Audio:
    """Async, and particular."""
    return data


async def test_no_more_calls_at_once_than_allowed(clock: VirtualClock) -> None:
    """One call backs off while the node waits for the next item: then both want to work."""
    p = rm.Pipeline()
    policy = Policy(retry=Retry(attempts=2, delay_ms=5), ordered=False)
    p.add("TestScriptedDawdler", id="a", policy=policy)
    async with p.session(clock=clock) as s:
        for number in range(4):
            await s.send(rm.Text(str(number)))
            await sleep(clock, 5_000)
        await s.finish()
        assert sorted(await read(s)) == ["0", "1", "2", "3"]
    assert not [line for line in Log.lines if line.endswith("during a call")]


class ScriptedDawdler(Dawdler):
    """The first call on an item fails at once."""

    async def process(self, text: rm.Text) -> rm.Text:
        seen = f"process {text.text}" in Log.lines
        if not seen:
            self.begin(f"process {text.text}")
            raise ZeroDivisionError("once")
        return await super().process(text)

    async def finish(self) -> None:
        return None


rm.node("TestScriptedDawdler")(ScriptedDawdler)
