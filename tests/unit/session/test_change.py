"""A graph that is changed while it runs."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import numpy as np
import pytest

import policy_nodes  # noqa: F401 - registers
import remotemedia as rm
from remotemedia.clock import sleep
from remotemedia.errors import CapsMismatchError, ManifestError, NodeError, SessionError
from remotemedia.manifest import Queue
from remotemedia.session.session import Session
from remotemedia.testing import VirtualClock
from session_nodes import Log, pipeline, texts


@pytest.fixture(autouse=True)
def _log() -> None:
    Log.lines = []


def adds_up(session: Any) -> dict[tuple[str, str], Any]:
    edges = {(edge.source, edge.target): edge for edge in session.metrics().edges}
    for edge in edges.values():
        assert edge.entered == edge.delivered + sum(edge.dropped.values()) + edge.in_flight, edge
    return edges


async def send_all(session: Any, *values: str) -> None:
    for text in texts(*values):
        await session.send(text)
    await sleep(session.clock, 100_000)


async def rest(session: Any) -> list[str]:
    await session.finish()
    return [packet.data.text async for packet in session.outputs()]


@pytest.mark.parametrize("kind", ["TestList", "TestSlow", "TestRepeat"])
async def test_a_node_is_put_in_between_and_taken_out(kind: str, clock: VirtualClock) -> None:
    p = pipeline("a:PassThrough z:PassThrough", "a z")
    made = {"TestList": ["ya", "yb"], "TestSlow": ["y"], "TestRepeat": ["y.0", "y.1"]}[kind]
    tail = ["slow tail"] if kind == "TestSlow" else []
    async with p.session(clock=clock) as s:
        await send_all(s, "x")
        async with s.bus.edit() as edited:
            edited.disconnect("a", "z")
            edited.add(kind, id="n")
            edited.connect("a", "n").connect("n", "z")
        await send_all(s, "y")
        async with s.bus.edit() as edited:
            edited.remove("n").connect("a", "z")
        await send_all(s, "w")
        assert await rest(s) == ["x", *made, *tail, "w"]
    edges = adds_up(s)
    assert edges["a:out", "z:in"].delivered == 1  # in its second life
    assert edges["z:out", "client"].delivered == 2 + len(made) + len(tail)
    messages = [event.message async for event in s.events()]
    assert messages == [
        "the graph was changed; added: n",
        "the graph was changed; removed: n",
    ]


async def test_what_stays_keeps_its_state(clock: VirtualClock) -> None:
    """An AudioChunker that holds half a block, with a branch that comes and goes behind it."""
    p = rm.Pipeline()
    p.add("AudioChunker", id="chunks", chunk_size=64)
    samples = np.arange(640, dtype=np.float32)
    got: list[float] = []
    async with p.session(clock=clock) as s:
        s.tap("chunks", lambda packet: got.extend(packet.data.samples[0].tolist()))
        for number in range(20):
            await s.send(rm.Audio(samples[number * 32 : number * 32 + 32], 8000))
            await sleep(clock, 1_000)
            async with s.bus.edit() as edited:
                if number % 2 == 0:
                    edited.add("Gain", id="g")
                    edited.connect("chunks", "g")
                else:
                    edited.remove("g")
        await s.finish()
        _ = [packet async for packet in s.outputs()]
    assert got == samples.tolist()


async def test_the_tail_of_what_goes_away_comes_out(clock: VirtualClock) -> None:
    p = pipeline("a:TestTraced n:TestTraced z:TestTraced", "a n", "n z", n={"name": "n"})
    async with p.session(clock=clock) as s:
        await send_all(s, "x")
        async with s.bus.edit() as edited:
            edited.remove("n").connect("a", "z")
        await send_all(s, "y")
        assert await rest(s) == ["x", "tail of n", "y", "tail of ", "tail of "]
    assert Log.lines.count("close n") == 1
    assert Log.lines.index("close n") < Log.lines.index("close ")


async def test_a_node_is_made_anew_if_its_entry_changes(clock: VirtualClock) -> None:
    p = pipeline("n:TestTraced", n={"name": "one"})
    async with p.session(clock=clock) as s:
        await send_all(s, "x")
        async with s.bus.edit() as edited:
            edited.set_params("n", name="two")
        await send_all(s, "y")
        async with s.bus.edit() as edited:
            edited.replace("n", "TestList")
        await send_all(s, "z")
        assert await rest(s) == ["x", "tail of one", "y", "tail of two", "za", "zb"]
    assert [line for line in Log.lines if line.split()[0] in ("open", "close")] == [
        "open n",
        "open n",
        "close one",
        "close two",
    ]


async def test_what_waits_for_a_node_that_goes_away_is_worked_on(clock: VirtualClock) -> None:
    p = pipeline("a:PassThrough n:TestSlow z:PassThrough", "a n", "n z", n={"delay_ms": 50})
    async with p.session(clock=clock) as s:
        for number in range(6):
            await s.send(rm.Text(str(number)))
        await sleep(clock, 60_000)
        async with s.bus.edit() as edited:
            edited.remove("n").connect("a", "z")
        assert clock.now_us() == 300_000
        await s.send(rm.Text("6"))
        assert await rest(s) == ["0", "1", "2", "3", "4", "5", "slow tail", "6"]


async def test_one_that_does_not_end_is_cut_off(clock: VirtualClock) -> None:
    p = pipeline("a:PassThrough n:TestSlow z:PassThrough", "a n", "n z", n={"delay_ms": 60_000})
    async with p.session(clock=clock, close_timeout_ms=500) as s:
        for number in range(3):
            await s.send(rm.Text(str(number)))
        await sleep(clock, 1_000)
        async with s.bus.edit() as edited:
            edited.remove("n").connect("a", "z")
        assert clock.now_us() == 501_000
        await s.send(rm.Text("3"))
        assert await rest(s) == ["slow tail", "3"]


async def test_what_does_not_fit_changes_nothing(clock: VirtualClock) -> None:
    class Bad(rm.Node):
        def open(self, ctx: rm.Context) -> None:
            raise ZeroDivisionError("cannot open")

    rm.node("TestBadOpen")(Bad)
    p = pipeline("a:PassThrough")
    async with p.session(clock=clock) as s:
        before = s.plan
        with pytest.raises(ManifestError, match="there is no node 'b'"):
            async with s.bus.edit() as edited:
                edited.remove("b")
        with pytest.raises(ManifestError, match="there is no connection from a to b"):
            async with s.bus.edit() as edited:
                edited.disconnect("a", "b")
        with pytest.raises(CapsMismatchError):
            async with s.bus.edit() as edited:
                edited.add("Gain", id="g")
                edited.add("TestList", id="t")
                edited.connect("g", "t")
        with pytest.raises(NodeError, match="cannot open"):
            async with s.bus.edit() as edited:
                edited.add("TestTraced", id="fine", name="fine")
                edited.add("TestBadOpen", id="bad")
        assert s.plan is before
        assert Log.lines == ["open fine", "close fine"]
        await send_all(s, "x")
        assert await rest(s) == ["x"]
        with pytest.raises(SessionError, match="finished"):
            await s.apply(p)


async def test_a_session_of_a_plan_alone(clock: VirtualClock) -> None:
    p = pipeline("a:PassThrough")
    async with Session(p.plan(), clock=clock) as s:
        with pytest.raises(SessionError, match="made of a plan"):
            async with s.bus.edit():
                pass
        await s.apply(pipeline("a:PassThrough b:TestList", "a b"))
        await send_all(s, "x")
        assert await rest(s) == ["xa", "xb"]


async def test_a_queue_with_other_limits(clock: VirtualClock) -> None:
    p = pipeline("a:PassThrough n:TestSlow", n={"delay_ms": 5})
    p.connect("a", "n", queue=Queue(capacity=4))
    async with p.session(clock=clock) as s:
        for number in range(5):
            await s.send(rm.Text(str(number)))
        await sleep(clock, 1_000)
        async with s.bus.edit() as edited:
            edited.disconnect("a", "n")
            edited.connect("a", "n", queue=Queue(capacity=2, overflow="drop_newest"))
        assert clock.now_us() == 25_000  # what waited was worked on
        for number in range(5, 9):
            assert s.offer(rm.Text(str(number)))
        await sleep(clock, 1_000)
        got = await rest(s)
    assert got == ["0", "1", "2", "3", "4", "5", "6", "slow tail"]
    edge = adds_up(s)["a:out", "n:in"]
    assert (edge.entered, edge.delivered, edge.dropped) == (9, 7, {"drop_newest": 2})


async def test_changes_wait_for_each_other_and_interrupts_do_not(clock: VirtualClock) -> None:
    p = pipeline("a:PassThrough n:TestSlow", "a n", n={"delay_ms": 100})
    async with p.session(clock=clock) as s:
        await s.send(rm.Text("old"))
        await sleep(clock, 10_000)

        async def swap(kind: str) -> None:
            async with s.bus.edit() as edited:
                edited.replace("n", kind)

        changes = [asyncio.ensure_future(swap(kind)) for kind in ("TestList", "TestRepeat")]
        await sleep(clock, 10_000)
        assert not changes[0].done()  # it waits for the call
        await s.interrupt()
        await asyncio.wait(changes)
        assert clock.now_us() == 20_000
        await s.send(rm.Text("new"))
        assert await rest(s) == ["slow tail", "new.0", "new.1"]


async def test_a_graph_with_joins_timers_and_taps_is_rebuilt(clock: VirtualClock) -> None:
    seen: list[str] = []
    p = pipeline("a:PassThrough b:PassThrough", "a b")
    async with p.session(clock=clock) as s:
        s.tap("b", lambda packet: seen.append(packet.data.text))
        s.bus.intercept("b:in", lambda packet: rm.Text(packet.data.text + "!"))
        s.bus.set_state("a", "bypass")
        for number in range(4):
            await send_all(s, str(number))
            async with s.bus.edit() as edited:
                edited.add("TestList", id=f"n{number}")
                edited.connect("b", f"n{number}")
        await send_all(s, "4")
    assert seen == ["0!", "1!", "2!", "3!", "4!"]


async def test_a_thousand_changes_of_a_running_session(clock: VirtualClock) -> None:
    """Ten nodes, a block every 20 ms. On the branches that no change touches nothing is lost, late
    or out of place; what runs through those that are changed is lost nowhere, too.
    """
    rng = random.Random(7)
    p = pipeline(
        "in:PassThrough a1:PassThrough a2:TestSlow a3:PassThrough b1:PassThrough b2:PassThrough "
        "b3:TestSlow c1:TestSlow c2:PassThrough c3:PassThrough",
        *("in a1", "a1 a2", "a2 a3"),
        *("in b1", "b1 b2", "b2 b3"),
        *("in c1", "c1 c2", "c2 c3"),
        a2={"delay_ms": 3},
        b3={"delay_ms": 3},
        c1={"delay_ms": 3},
    )
    came: dict[str, list[tuple[int, int]]] = {}

    async def read() -> None:
        async for packet in s.outputs():
            age = clock.wall_us() - packet.timestamp_us
            came.setdefault(packet.node, []).append((packet.sequence, age))

    async def feed() -> None:
        for number in range(4_000):
            await s.send(rm.Text(str(number)))
            await sleep(clock, 20_000)

    async with p.session(clock=clock) as s:
        reader = asyncio.ensure_future(read())
        feeder = asyncio.ensure_future(feed())
        for number in range(1_000):
            await sleep(clock, rng.randint(0, 120_000))
            async with s.bus.edit() as edited:
                there = {node.id for node in edited.manifest.nodes}
                what = rng.randint(0, 3)
                if what == 0:
                    edited.replace("b2", rng.choice(["PassThrough", "TestForwardSlow"]))
                elif what == 1 and "x" not in there:
                    edited.disconnect("b1", "b2")
                    edited.add(rng.choice(["PassThrough", "TestForwardSlow"]), id="x")
                    edited.connect("b1", "x").connect("x", "b2")
                elif what == 2 and "x" in there:
                    edited.remove("x").connect("b1", "b2")
                elif f"y{number % 3}" in there:
                    edited.remove(f"y{number % 3}")
                else:
                    edited.add("PassThrough", id=f"y{number % 3}")
                    edited.connect("b1", f"y{number % 3}")
        await feeder
        await s.finish()
        await reader
    edges = adds_up(s)
    everything = list(range(4_000))
    for branch in ("a3", "c3", "b3"):
        numbers = [sequence for sequence, _ in came[branch] if sequence < 4_000]
        assert [n for n, _ in came[branch]][: len(everything)] == everything, branch
        assert len(numbers) >= 4_000
    for branch in ("a3", "c3"):  # 3 ms in the slow node, and nothing more
        assert max(age for _, age in came[branch][:4_000]) == 3_000
    assert max(age for _, age in came["b3"][:4_000]) <= 20_000
    for ends in [("in:out", "a1:in"), ("in:out", "c1:in"), ("in:out", "b1:in")]:
        assert edges[ends].delivered == 4_000
    assert all(edge.dropped == {} for edge in edges.values())
