"""Live sessions, under a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.clock import sleep
from remotemedia.errors import (
    AddressError,
    FormatError,
    NodeError,
    SessionClosedError,
    SessionFailedError,
    SessionFinishedError,
)
from remotemedia.manifest import Queue
from remotemedia.session.unit import turn
from remotemedia.testing import VirtualClock
from session_nodes import Log, pipeline, seen, texts


@pytest.fixture(autouse=True)
def _log() -> None:
    Log.lines = []


async def idle() -> None:
    """Let everything that can run, run."""
    for _ in range(200):
        await turn()


async def collect(session: rm.Session, count: int) -> list[rm.Packet]:
    packets = []
    async for packet in session.outputs():
        packets.append(packet)
        if len(packets) == count:
            break
    return packets


def assert_adds_up(session: rm.Session) -> None:
    for edge in session.metrics().edges:
        total = edge.delivered + sum(edge.dropped.values()) + edge.in_flight
        assert edge.entered == total, edge
        assert edge.in_flight >= 0, edge


async def test_stream_gives_what_a_run_gives(clock: VirtualClock) -> None:
    p = pipeline("r:TestRepeat a:TestList b:PassThrough z:PassThrough", "r a", "r b", "b z", "a z")
    async with p.session(clock=clock) as session:
        live = [packet async for packet in session.stream(texts("x", "y"))]
    assert seen(live) == seen(p.run(texts("x", "y")))
    assert_adds_up(session)


async def test_arun_runs_any_graph_and_any_source(clock: VirtualClock) -> None:
    p = pipeline("s:TestSlow z:TestList", "s z")

    async def source() -> AsyncIterator[rm.Text]:
        for text in texts("x", "y"):
            await sleep(clock, 5_000)
            yield text

    expected = [
        ("z", "xa", 0, 0),
        ("z", "xb", 0, 1),
        ("z", "ya", 1, 0),
        ("z", "yb", 1, 1),
        ("z", "slow taila", 1, 2),
        ("z", "slow tailb", 1, 3),
    ]
    assert seen([packet async for packet in p.arun(texts("x", "y"), clock=clock)]) == expected
    assert seen([packet async for packet in p.arun(source(), clock=clock)]) == expected


async def test_async_nodes_run_beside_each_other_and_keep_order(clock: VirtualClock) -> None:
    p = pipeline(
        "a:PassThrough s:TestSlow t:TestSlow", "a s", "a t", s={"delay_ms": 100}, t={"delay_ms": 70}
    )
    begin = clock.now_us()
    async with p.session(clock=clock) as session:
        packets = [packet async for packet in session.stream(texts("x", "y", "z"))]
    assert clock.now_us() - begin == 300_000  # not 300 + 210
    for node in ("s", "t"):
        assert [packet.data.text for packet in packets if packet.node == node] == [
            "x",
            "y",
            "z",
            "slow tail",
        ]


async def test_an_async_generator_streams(clock: VirtualClock) -> None:
    p = pipeline("s:TestStream z:PassThrough", "s z")
    assert seen([packet async for packet in p.arun(texts("x"), clock=clock)]) == [
        ("z", "x.0", 0, 0),
        ("z", "x.1", 0, 1),
        ("z", "x.2", 0, 2),
    ]


async def test_sources_sync_and_async(clock: VirtualClock) -> None:
    p = pipeline("s:TestCount t:TestTicks z:PassThrough", "s z", "t z")
    async with p.session(clock=clock) as session:
        packets = [packet async for packet in session.stream([])]
    assert sorted(packet.data.text for packet in packets) == ["0", "0", "1", "1", "2", "2"]
    assert {node.node: node.count for node in session.metrics().nodes} == {"s": 3, "t": 3, "z": 6}


async def test_a_source_that_breaks_is_an_event_and_the_rest_goes_on(clock: VirtualClock) -> None:
    p = pipeline("s:TestCount z:PassThrough", "s z", s={"count": 2, "fail": True})
    async with p.session(clock=clock) as session:
        packets = [packet async for packet in session.stream([])]
        event = await anext(session.events())
    assert [packet.data.text for packet in packets] == ["0", "1"]
    assert (event.node, event.error.code) == ("s", "node")


async def test_send_waits_while_the_session_is_full(clock: VirtualClock) -> None:
    p = pipeline("s:TestSlow", s={"delay_ms": 10})
    async with p.session(clock=clock) as session:
        sender = asyncio.ensure_future(_send_all(session, 600))
        await idle()
        edges = {(edge.source, edge.target): edge for edge in session.metrics().edges}
        ingress = edges["client", "s:in"]
        assert ingress.max_depth == 16
        assert ingress.entered == 18  # one in the node, 16 in the queue, one that waits to enter
        assert not sender.done()
        packets = [packet async for packet in session.outputs()]
        assert [packet.sequence for packet in packets] == [*range(600), 599]
        await sender
    assert_adds_up(session)


async def _send_all(session: rm.Session, count: int) -> None:
    for text in texts(*map(str, range(count))):
        await session.send(text)
    await session.finish()


async def test_a_full_boundary_suspends_the_island_between_items(clock: VirtualClock) -> None:
    """A generator of 1000 items before a queue of 2: computed only as fast as it is consumed."""
    p = rm.Pipeline()
    p.add("TestRepeat", id="r", times=1000)
    p.add("TestSlow", id="s", delay_ms=10)
    p.connect("r", "s", queue=Queue(capacity=2))
    async with p.session(clock=clock) as session:
        await session.send(rm.Text("x"))
        await idle()
        # One in the async node, two in the queue, one at its door.
        assert Log.lines == [f"compute x.{number}" for number in range(4)]
        await session.finish()
        packets = [packet async for packet in session.outputs()]
    assert [packet.sub_sequence for packet in packets] == list(range(1001))
    assert_adds_up(session)


@pytest.mark.parametrize(
    ("overflow", "capacity", "kept"),
    [
        ("drop_oldest", 2, ["x.8", "x.9"]),
        ("drop_newest", 2, ["x.0", "x.1"]),
        ("latest", 1, ["x.9"]),
        ("latest", 3, ["x.9"]),  # 3, 6 and 9 find the queue full and empty it
        ("block", 2, [f"x.{number}" for number in range(10)]),
    ],
)
async def test_overflow_policies_count_what_they_lose(
    clock: VirtualClock, overflow: str, capacity: int, kept: list[str]
) -> None:
    p = rm.Pipeline()
    p.add("TestRepeat", id="r", times=10)
    p.add("TestSlow", id="s", delay_ms=1000)
    p.connect("r", "s", queue=Queue(capacity=capacity, overflow=overflow))  # type: ignore[arg-type]
    async with p.session(clock=clock) as session:
        await session.send(rm.Text("busy"), to="s")
        await idle()
        await session.send(rm.Text("x"), to="r")
        await session.finish()
        packets = [packet async for packet in session.outputs()]
        edge = next(edge for edge in session.metrics().edges if edge.source == "r:out")
    assert [packet.data.text for packet in packets] == ["busy", *kept, "slow tail"]
    lost = 10 - len(kept)
    assert edge.dropped == ({overflow: lost} if lost else {})
    assert (edge.entered, edge.delivered, edge.in_flight) == (10, len(kept), 0)


async def test_direct_addressing(clock: VirtualClock) -> None:
    p = pipeline("a:TestList t:TestTwo s:TestSlow", "a t:left", "t s")
    async with p.session(clock=clock) as session:
        await session.send(rm.Text("x"), to="t:right")
        await session.send(rm.Text("y"), to="s")
        await session.send(rm.Text("z"))
        await session.finish()
        packets = [packet async for packet in session.outputs()]
    assert sorted(seen(packets)) == [
        ("s", "left za", 2, 0),
        ("s", "left zb", 2, 1),
        ("s", "right x", 0, 0),
        ("s", "slow tail", 2, 2),
        ("s", "y", 1, 0),
    ]
    counts = {(edge.source, edge.target): edge.delivered for edge in session.metrics().edges}
    assert counts["a:out", "t:left"] == 2
    assert counts["t:out", "s:in"] == 3


async def test_an_async_node_that_feeds_back_beside_a_direct_edge(clock: VirtualClock) -> None:
    """a → s (async) → z and a → z: islands that must not wait for each other."""
    p = pipeline("a:TestRepeat s:TestSlow z:PassThrough", "a s", "a z", "s z", a={"times": 40})
    async with p.session(clock=clock) as session:
        packets = [packet async for packet in session.stream(texts(*"vwxyz"))]
    assert len(packets) == 2 * 5 * 40 + 1
    assert len({(packet.sequence, packet.sub_sequence) for packet in packets}) == len(packets)
    assert_adds_up(session)


async def test_errors_become_events_and_nothing_else_stops(clock: VirtualClock) -> None:
    p = pipeline("f:TestFail s:TestSlow b:TestFail", "f s", "s b", b={"on": "y"})
    async with p.session(clock=clock) as session:
        packets = [packet async for packet in session.stream(texts("x", "bad", "y", "z"))]
        events = session.events()
        first, second = await anext(events), await anext(events)
    assert [packet.data.text for packet in packets] == ["x", "z", "slow tail"]
    assert (first.node, first.sequence, first.kind) == ("f", 1, "error")
    assert (second.node, second.sequence) == ("b", 2)
    assert "ZeroDivisionError: no such luck" in second.traceback
    nodes = {node.node: (node.count, node.errors) for node in session.metrics().nodes}
    assert nodes == {"f": (4, 1), "s": (3, 0), "b": (4, 1)}


async def test_arun_raises_the_first_error_unless_told_to_skip(clock: VirtualClock) -> None:
    p = pipeline("f:TestFail s:TestSlow", "f s")
    with pytest.raises(NodeError, match="no such luck"):
        async for _ in p.arun(texts("x", "bad", "y"), clock=clock):
            pass
    kept = [packet async for packet in p.arun(texts("bad", "y"), clock=clock, on_error="skip")]
    assert [packet.data.text for packet in kept] == ["y", "slow tail"]


async def test_a_source_iterable_that_raises_ends_the_stream(clock: VirtualClock) -> None:
    def source() -> Iterator[rm.Text]:
        yield rm.Text("x")
        raise OSError("disk gone")

    async with pipeline("a:PassThrough").session(clock=clock) as session:
        with pytest.raises(OSError, match="disk gone"):
            async for _ in session.stream(source()):
                pass


async def test_wrong_input_raises_at_the_sender(clock: VirtualClock) -> None:
    async with pipeline("g:Gain").session(clock=clock) as session:
        with pytest.raises(AddressError, match="nothing here accepts text"):
            await session.send(rm.Text("x"))
        with pytest.raises(AddressError, match="no node 'h'"):
            await session.send(rm.Text("x"), to="h")
        with pytest.raises(FormatError, match="AudioFormatConvert"):
            await session.send(rm.Audio(np.zeros(3, np.int16), 8000))
        with pytest.raises(AddressError, match="a ndarray cannot be sent"):
            await session.send(np.zeros(3))  # type: ignore[arg-type]


async def test_the_state_of_a_session_is_said(clock: VirtualClock) -> None:
    session = pipeline("a:PassThrough").session(clock=clock)
    with pytest.raises(rm.SessionError, match="not open"):
        await session.send(rm.Text("x"))
    async with session:
        await session.finish()
        with pytest.raises(SessionFinishedError):
            await session.send(rm.Text("x"))
    with pytest.raises(SessionClosedError):
        await session.send(rm.Text("x"))
    await session.aclose()


async def test_outputs_and_events_end_when_the_session_is_closed(clock: VirtualClock) -> None:
    session = pipeline("a:PassThrough").session(clock=clock)
    await session.open()
    readers = [
        asyncio.ensure_future(_read(session.outputs())),
        asyncio.ensure_future(_read(session.events())),
    ]
    await idle()
    await session.aclose()
    assert await asyncio.gather(*readers) == [[], []]


async def _read(items: AsyncIterator[object]) -> list[object]:
    return [item async for item in items]


async def test_a_waiting_sender_learns_that_the_session_closed(clock: VirtualClock) -> None:
    session = pipeline("s:TestSlow").session(clock=clock)
    await session.open()
    sender = asyncio.ensure_future(_send_all(session, 600))
    await idle()
    await session.aclose()
    with pytest.raises(SessionClosedError):
        await sender
    assert_adds_up(session)


async def test_interrupt_drops_everything_in_flight(clock: VirtualClock) -> None:
    p = pipeline("r:TestRepeat s:TestSlow z:PassThrough", "r s", "s z", r={"times": 100})
    async with p.session(clock=clock) as session:
        await session.send(rm.Text("old"))
        await session.send(rm.Text("old"))
        await idle()
        await session.interrupt()
        assert "cancelled old.0" in Log.lines
        assert "reset slow" in Log.lines
        await session.send(rm.Text("new"))
        await session.finish()
        packets = [packet async for packet in session.outputs()]
    assert {packet.data.text.split(".")[0] for packet in packets} == {"new", "slow tail"}
    assert {packet.generation for packet in packets} == {1}
    assert_adds_up(session)
    dropped = {edge.target: edge.dropped for edge in session.metrics().edges if edge.dropped}
    assert dropped["s:in"]["interrupt"] == 17


async def test_interrupt_lets_a_waiting_sender_go_on(clock: VirtualClock) -> None:
    async with pipeline("s:TestSlow").session(clock=clock) as session:
        sender = asyncio.ensure_future(_send_all(session, 18))
        await idle()
        assert not sender.done()
        await session.interrupt()
        await sender
        packets = [packet async for packet in session.outputs()]
    assert seen(packets) == [("s", "slow tail", 0, 0)]


async def test_interrupt_of_outputs_that_nobody_reads(clock: VirtualClock) -> None:
    p = pipeline("r:TestRepeat", r={"times": 1000})
    async with p.session(clock=clock) as session:
        await session.send(rm.Text("old"))
        await idle()
        await session.interrupt()
        await session.send(rm.Text("new"))
        packet = await anext(session.outputs())
    assert (packet.data.text, packet.generation) == ("new.0", 1)


async def test_closing_is_bounded_when_a_node_ignores_its_cancellation(clock: VirtualClock) -> None:
    p = pipeline("s:TestSlow z:TestTraced", "s z", s={"stubborn": True}, z={"name": "z"})
    session = p.session(clock=clock, close_timeout_ms=500)
    await session.open()
    await session.send(rm.Text("x"))
    await idle()
    begin = clock.now_us()
    await session.aclose()
    assert clock.now_us() - begin == 500_000
    assert "close z" in Log.lines
    event = await anext(session.events())
    assert "ignored its cancellation for 500 ms" in str(event.error)
    _end_the_stubborn()


async def test_a_node_may_catch_its_cancellation_but_what_it_returns_is_dropped(
    clock: VirtualClock,
) -> None:
    p = pipeline("f:TestForgiving z:PassThrough", "f z")
    async with p.session(clock=clock) as session:
        begin = clock.now_us()
        for name in ("x", "y"):
            await session.send(rm.Text(name))
            await idle()
            await session.interrupt()
        assert clock.now_us() == begin
        assert Log.lines == ["cancelled x", "cancelled y"]
        await session.send(rm.Text("z"), to="z")
        assert seen(await collect(session, 1)) == [("z", "z", 2, 0)]
    assert_adds_up(session)


async def test_interrupts_at_the_same_time_wait_for_each_other(clock: VirtualClock) -> None:
    p = pipeline("s:TestSlow t:TestSlow", "s t")
    async with p.session(clock=clock) as session:
        await session.send(rm.Text("x"))
        await idle()
        await asyncio.gather(*(session.interrupt() for _ in range(3)))
        await session.send(rm.Text("y"))
        await session.finish()
        packets = [packet async for packet in session.outputs()]
    assert [packet.data.text for packet in packets] == ["y", "slow tail", "slow tail"]
    assert {packet.generation for packet in packets} == {3}
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_closing_in_the_middle_of_an_interrupt_leaves_no_task(clock: VirtualClock) -> None:
    p = pipeline("s:TestSlow t:TestStream", "s t")
    session = p.session(clock=clock)
    await session.open()
    await session.send(rm.Text("x"))
    await idle()
    interrupting = asyncio.ensure_future(session.interrupt())
    await turn()
    await session.aclose()
    await asyncio.wait([interrupting])
    await idle()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_interrupt_is_bounded_too(clock: VirtualClock) -> None:
    p = pipeline("s:TestSlow", s={"stubborn": True})
    async with p.session(clock=clock, close_timeout_ms=500) as session:
        await session.send(rm.Text("x"))
        await idle()
        begin = clock.now_us()
        with pytest.raises(SessionFailedError, match="ignored its cancellation for 500 ms"):
            await session.interrupt()
        assert clock.now_us() - begin == 500_000
        with pytest.raises(SessionFailedError):
            await session.send(rm.Text("y"))
    _end_the_stubborn()


def _end_the_stubborn() -> None:
    for task in asyncio.all_tasks():
        if task is not asyncio.current_task():
            task.cancel()


async def test_a_cancelled_reader_leaves_the_session_usable(clock: VirtualClock) -> None:
    async with pipeline("a:PassThrough").session(clock=clock) as session:
        reader = asyncio.ensure_future(_read(session.outputs()))
        await idle()
        reader.cancel()
        await asyncio.wait([reader])
        await session.send(rm.Text("x"))
        await session.finish()
        assert seen([packet async for packet in session.outputs()]) == [("a", "x", 0, 0)]


async def test_a_cancelled_sender_is_counted(clock: VirtualClock) -> None:
    async with pipeline("s:TestSlow").session(clock=clock) as session:
        sender = asyncio.ensure_future(_send_all(session, 600))
        await idle()
        sender.cancel()
        await asyncio.wait([sender])
        edge = next(edge for edge in session.metrics().edges if edge.source == "client")
        assert edge.dropped == {"cancelled": 1}
        assert_adds_up(session)


async def test_leaving_stream_early_stops_the_feeder(clock: VirtualClock) -> None:
    async with pipeline("a:PassThrough").session(clock=clock) as session:
        stream = session.stream(texts(*map(str, range(100_000))))
        assert (await anext(stream)).data.text == "0"
        await stream.aclose()  # type: ignore[attr-defined]
    assert len(asyncio.all_tasks()) == 1


async def test_an_open_that_fails_closes_what_was_opened(clock: VirtualClock) -> None:
    @rm.node("TestNoAsyncOpen")
    class NoOpen(rm.Node):
        async def open(self, ctx: rm.Context) -> None:
            raise OSError("no device")

        async def process(self, data: rm.Data) -> rm.Data:
            return data

    p = pipeline("a:TestTraced b:TestNoAsyncOpen", "a b", a={"name": "a"})
    session = p.session(clock=clock)
    with pytest.raises(NodeError, match=r"node 'b' .*no device"):
        await session.open()
    assert Log.lines == ["open a", "close a"]


async def test_ingress_time_travels_with_every_packet(clock: VirtualClock) -> None:
    async with pipeline("s:TestSlow z:TestList", "s z").session(clock=clock) as session:
        sent_us = clock.wall_us()
        await session.send(rm.Text("x"))
        packets = await collect(session, 2)
    assert [packet.timestamp_us for packet in packets] == [sent_us] * 2
    assert clock.wall_us() - sent_us >= 10_000


async def test_an_endless_source_before_a_lossy_queue_leaves_others_their_turn(
    clock: VirtualClock,
) -> None:
    @rm.node("TestEndless", input_caps="text", output_caps="text")
    def endless(text: rm.Text) -> Iterator[rm.Text]:
        while True:
            yield text

    p = rm.Pipeline()
    p.add("TestEndless", id="e")
    p.add("TestSlow", id="s")
    p.connect("e", "s", queue=Queue(capacity=1, overflow="latest"))
    async with p.session(clock=clock) as session:
        await session.send(rm.Text("x"))
        for _ in range(10):
            await turn()
        # Reaching this line at all is the point: closing works, too.
    assert_adds_up(session)


async def test_finishing_while_a_send_waits_loses_nothing(clock: VirtualClock) -> None:
    p = pipeline("slow:TestSlow quick:TestSlow", slow={"delay_ms": 100}, quick={"delay_ms": 0})
    async with p.session(clock=clock) as session:
        sender = asyncio.ensure_future(_send(session, 18))
        reader = asyncio.ensure_future(_read(session.outputs()))
        await sleep(clock, 50_000)
        assert not sender.done()
        await session.finish()
        await sender
        packets = await reader
    assert len(packets) == 2 * 18 + 2
    assert all(edge.in_flight == 0 for edge in session.metrics().edges)
    assert_adds_up(session)


async def _send(session: rm.Session, count: int) -> None:
    for text in texts(*map(str, range(count))):
        await session.send(text)


async def test_the_first_failure_of_a_node_is_logged(
    clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with pipeline("f:TestFail").session(clock=clock) as session:
        async for _ in session.stream(texts("bad", "bad", "good")):
            pass
    assert [record.getMessage() for record in caplog.records] == [
        "node 'f' (fail) raised ZeroDivisionError: no such luck "
        "(the first such event of this session)"
    ]


async def test_outputs_end_when_nodes_that_give_none_are_through(clock: VirtualClock) -> None:
    seen_there: list[str] = []

    class Sink(rm.Node):
        input_caps = "text"
        output_caps = {}  # noqa: RUF012

        async def process(self, text: rm.Text) -> None:
            await sleep(clock, 1_000)
            seen_there.append(text.text)

        def finish(self) -> None:
            seen_there.append("end")

    rm.node("TestSlowSink")(Sink)
    async with pipeline("s:TestSlowSink").session(clock=clock) as session:
        assert [packet async for packet in session.stream(texts("a", "b", "c"))] == []
    assert seen_there == ["a", "b", "c", "end"]


async def test_a_node_tells_how_far_it_is(clock: VirtualClock) -> None:
    class Loads(rm.Node):
        def open(self, ctx: rm.Context) -> None:
            ctx.progress("reading")
            ctx.progress("building", 0.25)

        def process(self, data: rm.Data) -> rm.Data:
            return data

    rm.node("TestLoadsHere")(Loads)
    async with pipeline("n:TestLoadsHere").session(clock=clock) as session:
        pass
    told = [(e.kind, e.node, e.message, e.fraction) async for e in session.events()]
    assert told == [
        ("progress", "n", "reading", None),
        ("progress", "n", "building (25%)", 0.25),
    ]
