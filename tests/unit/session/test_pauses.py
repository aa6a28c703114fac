"""Nodes that emit a `Pause` until something is done: what comes behind waits, nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, ClassVar

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.clock import sleep
from remotemedia.data import Text
from remotemedia.errors import SessionFailedError
from remotemedia.manifest import Batch, Policy, Retry
from remotemedia.node import Pause
from remotemedia.testing import VirtualClock
from session_nodes import pipeline, texts

WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


class Worse(BaseException):
    """No failure of an item."""


class Waits:
    """What a pause is until; `settle` calls at once, as a batch of runs does."""

    is_done = False
    """Whether it calls as soon as it is asked."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[Any], object]] = []

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        self.callbacks.append(callback)
        if self.is_done:
            callback(self)

    def settle(self) -> None:
        for callback in self.callbacks:
            callback(self)


@rm.node("TestPausing")
class Pausing(rm.Node):
    """Emits each text once what it waits for is done; so often as its last character says."""

    input_caps = "text"
    output_caps = "text"
    waits: ClassVar[list[Waits]] = []
    closed: ClassVar[list[str]] = []

    def open(self, ctx: rm.Context) -> None:
        WHO.set("opened")

    def process(self, data: Text) -> Iterator[Any]:
        try:
            for number in range(int(data.text[-1])):
                wait = Waits()
                self.waits.append(wait)
                wait.is_done = data.text.startswith("done")
                with np.errstate(over="raise"):  # as a context variable
                    yield Pause(None, wait)
                if data.text.startswith("cancel"):
                    raise asyncio.CancelledError
                if data.text.startswith("worse"):
                    raise Worse
                if data.text.startswith("fail") and len(self.waits) < 3:
                    raise ValueError(WHO.get())
                for _ in range(100 if data.text.startswith("many") else 1):
                    yield Text(f"{data.text}.{number}")
        finally:
            self.closed.append(data.text)

    def finish(self) -> Text:
        return Text("tail")


@pytest.fixture(autouse=True)
def _none_waits() -> None:
    Pausing.waits.clear()
    Pausing.closed.clear()


def settle() -> None:
    """The one that waits."""
    Pausing.waits.pop().settle()


async def got(session: Any) -> list[str]:
    """What is out, once nothing moves."""
    await session.clock.idle()
    outputs, found = session.outputs(), []
    while (packet := outputs.poll()) is not None:
        found.append(packet.data.text)
    return found


def adds_up(session: Any) -> None:
    for edge in session.metrics().edges:
        assert edge.entered == edge.delivered + sum(edge.dropped.values()), edge
        assert not edge.in_flight


async def test_what_comes_behind_waits(clock: VirtualClock) -> None:
    async with pipeline("p:TestPausing").session(clock=clock) as s:
        for text in texts("a2", "b0", "c1"):
            await s.send(text)
        assert await got(s) == []
        settle()
        assert await got(s) == ["a2.0"]
        settle()
        assert await got(s) == ["a2.1"]
        settle()
        assert await got(s) == ["c1.0"]
        await s.send(Text("d1"))
        await clock.idle()
        await s.finish()
        assert await got(s) == []
        settle()
        assert [packet.data.text async for packet in s.outputs()] == ["d1.0", "tail"]
        adds_up(s)


async def test_other_branches_of_the_packet_wait_as_well(clock: VirtualClock) -> None:
    p = pipeline("a:PassThrough p:TestPausing z:PassThrough", "a p", "a z")
    async with p.session(clock=clock) as s:
        await s.send(Text("x1"))
        await s.send(Text("y1"))
        assert await got(s) == []
        settle()
        assert await got(s) == ["x1.0", "x1"]
        settle()
        assert await got(s) == ["y1.0", "y1"]


async def test_an_interrupt_drops_what_waits(clock: VirtualClock) -> None:
    async with pipeline("p:TestPausing").session(clock=clock) as s:
        for text in texts("a1", "b1"):
            await s.send(text)
        await clock.idle()
        await s.interrupt()
        assert Pausing.closed == ["a1"]
        (stale,) = Pausing.waits
        Pausing.waits.clear()
        await s.send(Text("c1"))
        await clock.idle()
        stale.settle()
        assert await got(s) == []
        settle()
        assert await got(s) == ["c1.0"]
        adds_up(s)


@pytest.mark.parametrize(("node", "expected"), [("p", ["x1"]), ("z", ["x1.0", "x1"])])
async def test_an_interrupt_of_one_branch(
    clock: VirtualClock, node: str, expected: list[str]
) -> None:
    """The item has not come to z yet."""
    p = pipeline("a:PassThrough p:TestPausing z:PassThrough", "a p", "a z")
    async with p.session(clock=clock) as s:
        await s.send(Text("x1"))
        await clock.idle()
        await s.interrupt(node)
        settle()
        assert await got(s) == expected
        await s.send(Text("y0"))
        assert await got(s) == ["y0"]


async def test_closing_closes_what_waits(clock: VirtualClock) -> None:
    async with pipeline("p:TestPausing").session(clock=clock) as s:
        await s.send(Text("a1"))
        await clock.idle()
    assert Pausing.closed == ["a1"]
    assert s.dropped_events == 0
    assert [event async for event in s.events()] == []
    settle()
    assert await got(s) == []


async def test_an_edit_waits_for_it(clock: VirtualClock) -> None:
    p = pipeline("a:PassThrough p:TestPausing", "a p")
    async with p.session(clock=clock) as s:
        await s.send(Text("x1"))
        await s.send(Text("y0"))
        await clock.idle()

        async def edit() -> None:
            async with s.bus.edit() as edited:
                edited.add("PassThrough", id="z")
                edited.connect("p", "z")

        editing = asyncio.create_task(edit())
        await sleep(clock, 1_000)
        assert not editing.done()
        settle()
        await editing
        await s.send(Text("w1"))
        assert await got(s) == ["x1.0"]
        settle()
        assert await got(s) == ["w1.0"]


async def test_a_client_that_does_not_read_loses_nothing(clock: VirtualClock) -> None:
    async with pipeline("p:TestPausing").session(clock=clock) as s:
        expected = []
        for number in range(300):  # more than wait for a client
            await s.send(Text(f"{number:03}1"))
            expected.append(f"{number:03}1.0")
            await clock.idle()
            if number < 257:
                settle()
            elif number == 270:
                break
        found = []
        while len(found) < 271:
            found += await got(s)
            if Pausing.waits:
                settle()
        assert found == expected


@pytest.mark.parametrize("eager", [False, True])
async def test_what_is_done_already_is_not_waited_for(clock: VirtualClock, eager: bool) -> None:
    async with pipeline("p:TestPausing").session(clock=clock, eager=eager) as s:
        await clock.idle()
        expected = []
        for text in texts("done a2", "many1", "done b9", "c0", "done many2"):
            await s.send(text)
        for _ in range(20):
            await clock.idle()
            if Pausing.waits:
                settle()
        for text, number, times in (
            ("done a2", 2, 1),
            ("many1", 1, 100),
            ("done b9", 9, 1),
            ("done many2", 2, 1),
        ):
            expected += [f"{text}.{n}" for n in range(number) for _ in range(times)]
        assert await got(s) == expected
        adds_up(s)


@pytest.mark.parametrize("eager", [False, True])
async def test_an_interrupt_of_a_node_drops_what_the_task_was_to_go_on_with(
    clock: VirtualClock, eager: bool
) -> None:
    async with pipeline("p:TestPausing").session(clock=clock, eager=eager) as s:
        await clock.idle()
        await s.send(Text("many1"))
        await clock.idle()
        settle()  # 64 items, then others get their turn
        await s.interrupt("p")
        assert await got(s) == []
        await s.send(Text("b1"))
        await clock.idle()
        settle()
        assert await got(s) == ["b1.0"]
        adds_up(s)


async def test_a_batch_that_is_not_full_is_waited_for_behind_a_pause(clock: VirtualClock) -> None:
    batch = Batch(min_items=2, max_items=2, max_wait_ms=100, merge="separate")
    p = rm.Pipeline()
    p.add("TestPausing", id="p", policy=Policy(batch=batch))
    async with p.session(clock=clock) as s:
        for text in texts("a1", "b0"):
            await s.send(text)
        await clock.idle()
        await s.send(Text("c1"))
        settle()
        assert await got(s) == ["a1.0"]
        await sleep(clock, 100_000)
        settle()
        assert await got(s) == ["c1.0"]
        adds_up(s)


@pytest.mark.parametrize("eager", [False, True])
async def test_all_of_a_node_runs_in_one_context(clock: VirtualClock, eager: bool) -> None:
    """What is set in it is taken back in it, and what was set when it opened is there."""
    async with pipeline("p:TestPausing").session(clock=clock, eager=eager) as s:
        await clock.idle()
        await s.send(Text("fail1"))
        await clock.idle()
        settle()
        event = await s.next_event()
        assert event is not None
        assert "ValueError: opened" in event.traceback


async def test_a_failure_after_a_pause_is_tried_again(clock: VirtualClock) -> None:
    p = rm.Pipeline()
    p.add("TestPausing", id="p", policy=Policy(retry=Retry(attempts=3, delay_ms=5)))
    async with p.session(clock=clock) as s:
        await s.send(Text("fail1"))
        for wait in range(3):
            await sleep(clock, 1_000_000)
            assert len(Pausing.waits) == wait + 1
            Pausing.waits[-1].settle()
        assert await got(s) == ["fail1.0"]


@pytest.mark.parametrize(
    ("text", "words"), [("cancel1", "p raised CancelledError"), ("worse1", "Worse")]
)
async def test_what_is_no_failure_of_an_item_breaks_the_session(
    clock: VirtualClock, text: str, words: str
) -> None:
    async with pipeline("p:TestPausing").session(clock=clock) as s:
        await s.send(Text(text))
        await clock.idle()
        settle()
        with pytest.raises(SessionFailedError, match=words):
            await anext(s.outputs())
