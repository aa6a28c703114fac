"""Eager sessions: what is sent is worked on at once, where nothing is in front of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest

import policy_nodes  # noqa: F401 - registers
import remotemedia as rm
from remotemedia.data import Control, Text
from remotemedia.errors import SessionFailedError
from remotemedia.manifest import Batch, Policy
from remotemedia.session.boundary import CAPACITY, CLIENT_CAPACITY
from remotemedia.testing import VirtualClock
from session_nodes import Log, pipeline, texts

WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


@rm.node("TestWho", input_caps="text", output_caps="text")
def who(text: rm.Text) -> rm.Text:
    """In whose context it is called."""
    return Text(WHO.get())


@rm.node("TestCancels", input_caps="text", output_caps="text")
def cancels(text: rm.Text) -> rm.Text:
    """What no synchronous node should."""
    raise asyncio.CancelledError


@rm.node("TestManyItems", input_caps="text", output_caps="text")
def many(text: rm.Text) -> Iterator[rm.Text]:
    """More than the client's queue holds."""
    for number in range(CLIENT_CAPACITY + 50):
        yield Text(f"{number}")


def out(session: Any) -> list[str]:
    """What is out now."""
    outputs, found = session.outputs(), []
    while (packet := outputs.poll()) is not None:
        found.append(packet.data.text)
    return found


def adds_up(session: Any) -> None:
    for edge in session.metrics().edges:
        assert edge.entered == edge.delivered + sum(edge.dropped.values()) + edge.in_flight, edge


async def opened(session: Any) -> None:
    """Its tasks wait for what is sent."""
    await session.clock.idle()


async def test_results_are_there_when_send_returns(clock: VirtualClock) -> None:
    p = pipeline("a:TestList b:TestRepeat z:PassThrough", "a b", "a z")
    async with p.session(clock=clock, eager=True) as s:
        await opened(s)
        await s.send(Text("x"))
        assert out(s) == ["xa.0", "xa.1", "xa", "xb.0", "xb.1", "xb"]
        adds_up(s)
        (entry,) = [edge for edge in s.metrics().edges if edge.source == "client"]
        assert (entry.entered, entry.delivered, entry.in_flight) == (1, 1, 0)
        assert entry.wait.count == 1
        assert {node.node: node.latency.count for node in s.metrics().nodes} == {
            "a": 1,
            "b": 2,
            "z": 2,
        }


@pytest.mark.parametrize("eager", [False, True])
async def test_what_comes_out_is_the_same(clock: VirtualClock, eager: bool) -> None:
    p = pipeline(
        "a:TestList s:TestSlow b:TestRepeat f:TestFail z:PassThrough", "a s", "a b", "s z", "b f"
    )
    async with p.session(clock=clock, eager=eager) as s:
        found: dict[str, list[str]] = {}
        async for packet in s.stream(texts("x", "bad", "y")):
            found.setdefault(packet.node, []).append(packet.data.text)
        assert found["z"] == ["xa", "xb", "bada", "badb", "ya", "yb", "slow tail"]
        assert len(found["f"]) == 12
        adds_up(s)


async def test_others_get_their_turn(clock: VirtualClock) -> None:
    async with pipeline("a:PassThrough").session(clock=clock, eager=True) as s:
        await opened(s)
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        for number in range(4 * CAPACITY):
            await s.send(Text(f"{number}"))
        task.cancel()
        assert turns == 4
        assert len(out(s)) == 4 * CAPACITY


async def test_a_client_that_does_not_read_makes_the_sender_wait(clock: VirtualClock) -> None:
    async with pipeline("a:TestManyItems").session(clock=clock, eager=True) as s:
        await opened(s)
        await s.send(Text("x"))
        for _ in range(CAPACITY):
            await s.send(Text("y"))
        waits = asyncio.create_task(s.send(Text("z")))
        await clock.idle()
        assert not waits.done()
        found = []
        while len(found) < (CAPACITY + 2) * (CLIENT_CAPACITY + 50):
            found += out(s)
            await clock.idle()
        assert waits.done()
        assert found[: CLIENT_CAPACITY + 50] == [f"{n}" for n in range(CLIENT_CAPACITY + 50)]
        adds_up(s)


async def test_an_interrupt_drops_what_is_not_read(clock: VirtualClock) -> None:
    async with pipeline("a:PassThrough").session(clock=clock, eager=True) as s:
        await opened(s)
        await s.send(Text("x"))
        await s.interrupt()
        assert out(s) == []
        await s.send(Text("y"))
        assert out(s) == ["y"]
        adds_up(s)


async def test_what_waits_comes_first(clock: VirtualClock) -> None:
    """Before its task has begun, and behind what it is not through with."""
    async with pipeline("a:PassThrough").session(clock=clock, eager=True) as s:
        await s.send(Text("x"))
        await s.send(Text("y"))
        assert out(s) == []
        await clock.idle()
        await s.send(Text("z"))
        assert out(s) == ["x", "y", "z"]


async def test_a_batch_is_waited_for(clock: VirtualClock) -> None:
    policy = Policy(batch=Batch(min_items=2, max_items=2, max_wait_ms=100))
    p = rm.Pipeline()
    p.add("PassThrough", id="n", policy=policy)
    async with p.session(clock=clock, eager=True) as s:
        await opened(s)
        await s.send(Text("b"))
        assert out(s) == []
        await s.send(Text("c"))
        await clock.idle()
        assert out(s) == ["bc"]


async def test_control_messages_go_ahead(clock: VirtualClock) -> None:
    async with pipeline("a:PassThrough").session(clock=clock, eager=True) as s:
        await opened(s)
        await s.send(Control("ping", {}))
        await clock.idle()
        packet = s.outputs().poll()
        assert packet is not None
        assert isinstance(packet.data, Control)


async def test_nodes_run_in_the_context_of_the_session(clock: VirtualClock) -> None:
    WHO.set("session")
    async with pipeline("a:TestWho").session(clock=clock, eager=True) as s:
        await opened(s)

        async def sender() -> None:
            WHO.set("sender")
            await s.send(Text("x"))

        await asyncio.create_task(sender())
        assert out(s) == ["session"]


async def test_a_cancellation_that_a_node_raises_breaks_the_session(clock: VirtualClock) -> None:
    async with pipeline("a:TestCancels").session(clock=clock, eager=True) as s:
        await opened(s)
        await s.send(Text("x"))
        with pytest.raises(SessionFailedError, match="a raised CancelledError"):
            await anext(s.outputs())


@pytest.fixture(autouse=True)
def _log() -> None:
    Log.lines = []
