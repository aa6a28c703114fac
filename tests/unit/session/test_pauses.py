"""Nodes that emit a `Pause` until something is done: what comes behind waits, nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

import remotemedia as rm
from remotemedia.clock import sleep
from remotemedia.data import Text
from remotemedia.errors import SessionFailedError
from remotemedia.node import Pause
from remotemedia.testing import VirtualClock
from session_nodes import pipeline, texts


class Waits:
    """What a pause is until; `settle` calls at once, as a batch of runs does."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[Any], object]] = []

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        self.callbacks.append(callback)

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

    def process(self, data: Text) -> Iterator[Any]:
        try:
            for number in range(int(data.text[-1])):
                wait = Waits()
                self.waits.append(wait)
                yield Pause(None, wait)
                if data.text.startswith("cancel"):
                    raise asyncio.CancelledError
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


async def test_a_cancellation_that_a_node_raises_breaks_the_session(clock: VirtualClock) -> None:
    async with pipeline("p:TestPausing").session(clock=clock) as s:
        await s.send(Text("cancel1"))
        await clock.idle()
        settle()
        with pytest.raises(SessionFailedError, match="p raised CancelledError"):
            await anext(s.outputs())
