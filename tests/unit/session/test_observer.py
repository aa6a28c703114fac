"""Taps and observers: who sees what passes, and cannot disturb it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

import remotemedia as rm
from remotemedia.clock import sleep
from remotemedia.errors import AddressError, SessionFailedError
from remotemedia.testing import VirtualClock
from session_nodes import pipeline, texts


class Watch:
    """Writes down all that an observer is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def sent(self, packets: Sequence[rm.Packet]) -> None:
        self.lines.append(
            "sent " + ",".join(f"{p.node}:{p.port}={p.data.text}@{p.sequence}" for p in packets)
        )

    def received(self, packet: rm.Packet) -> None:
        self.lines.append(f"received {packet.node}:{packet.port}={packet.data.text}")

    def interrupted(self, generation: int, from_node: str | None) -> None:
        self.lines.append(f"interrupted {generation} {from_node}")

    def finished(self) -> None:
        self.lines.append("finished")


async def test_an_observer_sees_all_that_enters_and_leaves(clock: VirtualClock) -> None:
    p = pipeline("a:TestList b:PassThrough")
    watch = Watch()
    async with p.session(clock=clock) as s:
        detach = s.observe(watch)
        await s.send(rm.Text("x"))
        assert s.offer(rm.Text("y"), "b")
        await sleep(clock, 1_000)
        await s.interrupt("b")
        detach()
        await s.send(rm.Text("z"))
        s.observe(watch)
        await s.finish()
    assert watch.lines == [
        "sent a:in=x@0,b:in=x@0",
        "sent b:in=y@1",
        "received a:out=xa",
        "received a:out=xb",
        "received b:out=x",
        "received b:out=y",
        "interrupted 1 b",
        "finished",
    ]


async def test_one_that_raises_is_asked_no_more(clock: VirtualClock) -> None:
    class Bad(Watch):
        def sent(self, packets: Sequence[rm.Packet]) -> None:
            raise ZeroDivisionError("bad watch")

    bad, good = Bad(), Watch()
    p = pipeline("a:PassThrough")
    async with p.session(clock=clock) as s:
        s.observe(bad)
        s.observe(good)
        got = [packet.data.text async for packet in s.stream(texts("x", "y"))]
        event = await anext(s.events())
    assert got == ["x", "y"]
    assert bad.lines == []
    assert len(good.lines) == 5
    assert event.kind == "error"
    assert "an observer raised ZeroDivisionError: bad watch" in event.message


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("r", ["x.0", "x.1", "y.0", "y.1"]),  # a generator's items
        ("r:in", ["x", "y"]),
        ("l:out", ["x.0a", "x.0b", "x.1a", "x.1b", "y.0a", "y.0b", "y.1a", "y.1b"]),
        ("s", ["x", "y", "slow tail"]),  # an async node, and its tail
        ("s:in", ["x", "y"]),
        ("t:out", ["x", "y", "slow tail", "tail of t"]),
        ("odd:even", ["2", "4"]),  # one of two ports
    ],
)
async def test_a_tap_sees_each_item(place: str, expected: list[str], clock: VirtualClock) -> None:
    p = pipeline(
        "r:TestRepeat l:TestList s:TestSlow t:TestTraced odd:TestOdd",
        "r l",
        "s t",
        t={"name": "t"},
    )
    seen: list[rm.Packet] = []
    async with p.session(clock=clock) as s:
        s.tap(place, seen.append)
        to = {"l": "r", "t": "s"}.get(place[0], place.split(":")[0])
        for text in ("1", "2", "3", "4") if to == "odd" else ("x", "y"):
            await s.send(rm.Text(text), to)
        await s.finish()
        client = [packet async for packet in s.outputs()]
    assert [packet.data.text for packet in seen] == expected
    node, _, port = place.partition(":")
    assert {(packet.node, packet.port) for packet in seen} == {(node, port or "out")}
    at_client = [p for p in client if (p.node, p.port) == (seen[0].node, seen[0].port)]
    if at_client:
        assert [(p.sequence, p.sub_sequence) for p in seen] == [
            (p.sequence, p.sub_sequence) for p in at_client
        ]


async def test_a_tap_that_raises_is_taken_away(clock: VirtualClock) -> None:
    def bad(packet: rm.Packet) -> None:
        raise ZeroDivisionError("bad tap")

    p = pipeline("a:PassThrough")
    async with p.session(clock=clock) as s:
        s.tap("a", bad)
        got = [packet.data.text async for packet in s.stream(texts("x", "y"))]
        event = await anext(s.events())
    assert got == ["x", "y"]
    assert "an observer raised ZeroDivisionError: bad tap" in event.message
    assert s.metrics().nodes[0].errors == 0


async def test_a_tap_comes_and_goes_while_the_session_runs(clock: VirtualClock) -> None:
    p = pipeline("a:PassThrough b:PassThrough", "a b")
    seen: list[str] = []
    async with p.session(clock=clock) as s:
        for number in range(6):
            if number == 2:
                detach = s.tap("b:in", lambda packet: seen.append(packet.data.text))
            if number == 4:
                detach()
                detach()
            await s.send(rm.Text(str(number)))
            await sleep(clock, 1_000)
    assert seen == ["2", "3"]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("x", "there is no node 'x'"),
        ("a:oot", "'a' \\(PassThrough\\) has no port 'oot'; did you mean 'out'"),
    ],
)
async def test_wrong_places(place: str, message: str, clock: VirtualClock) -> None:
    async with pipeline("a:PassThrough").session(clock=clock) as s:
        with pytest.raises(AddressError, match=message):
            s.tap(place, print)


async def test_an_observer_sees_control_that_passes_ahead(clock: VirtualClock) -> None:
    class Received(Watch):
        def sent(self, packets: Sequence[rm.Packet]) -> None:
            pass

        def received(self, packet: rm.Packet) -> None:
            self.lines.append(type(packet.data).__name__)

    watch = Received()
    async with pipeline("a:PassThrough").session(clock=clock) as s:
        s.observe(watch)
        for data in (rm.Text("x"), rm.Control("Hint", {"a": 1})):
            await s.send(data)
            await sleep(clock, 1_000)
        assert isinstance((await anext(s.outputs())).data, rm.Control)
        timings = s.metrics().session
        assert timings is not None
        assert timings.end_to_end.count == 2
    assert watch.lines == ["Text", "Control"]


async def test_an_interrupt_is_told_before_anything_newer(clock: VirtualClock) -> None:
    """Not when it has waited for what it cut off: meanwhile there may be newer things."""
    watch = Watch()
    p = pipeline("a:PassThrough n:TestSlow", n={"stubborn": True})
    async with p.session(clock=clock, close_timeout_ms=50) as s:
        s.observe(watch)
        await s.send(rm.Text("old"), "n")
        await sleep(clock, 1_000)
        interrupting = asyncio.ensure_future(s.interrupt())
        await sleep(clock, 1_000)
        await s.send(rm.Text("new"), "a")
        await sleep(clock, 1_000)
        assert watch.lines == [
            "sent n:in=old@0",
            "interrupted 1 None",
            "sent a:in=new@1",
            "received a:out=new",
        ]
        with pytest.raises(SessionFailedError):
            await interrupting
