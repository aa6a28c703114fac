"""What a live session measures: queue waits, end-to-end and first-output latency, windows."""

from __future__ import annotations

import pytest

import remotemedia as rm
from remotemedia.clock import sleep
from remotemedia.metrics import Latency, SessionMetrics
from remotemedia.session.session import Session
from remotemedia.testing import VirtualClock
from session_nodes import pipeline, texts

BUCKET = 1 / 64
MS = 1_000


def session_of(p: rm.Pipeline, clock: VirtualClock) -> Session:
    """With the virtual clock as its profiling clock, too."""
    return Session(p.plan(), clock=clock, profiling_clock=lambda: clock.now_us() / 1e6)


def measured(session: Session) -> SessionMetrics:
    found = session.metrics().session
    assert found is not None
    return found


async def take(session: Session, count: int) -> list[rm.Packet]:
    outputs = session.outputs()
    return [await anext(outputs) for _ in range(count)]


async def test_end_to_end_is_from_the_send_to_the_client(clock: VirtualClock) -> None:
    p = pipeline("s:TestSlow", s={"delay_ms": 30})
    async with session_of(p, clock) as session:
        for text in texts("a", "b", "c"):  # the second waits for the first, 30 ms; and so on
            await session.send(text)
        await sleep(clock, 1_000 * MS)  # ready long before the client comes
        await take(session, 3)
        found = measured(session)
        assert found.end_to_end.count == 3
        assert found.end_to_end.max_us == pytest.approx(90 * MS)
        assert found.end_to_end.mean_us == pytest.approx(60 * MS)
        assert found.end_to_end.p50_us == pytest.approx(60 * MS, rel=BUCKET)
        assert found.first_output == found.end_to_end


async def test_first_output_is_that_of_each_send(clock: VirtualClock) -> None:
    # Two ways to the client, the second 20 ms longer, and two items by each.
    p = pipeline(
        "a:TestSlow l:TestList b:TestSlow z:TestList",
        "a l",
        "a b",
        "b z",
        a={"delay_ms": 10},
        b={"delay_ms": 20},
    )
    async with session_of(p, clock) as session:
        for text in texts("x", "y"):
            await session.send(text)
            await sleep(clock, 100 * MS)
        await take(session, 8)
        found = measured(session)
        assert found.end_to_end.count == 8
        assert found.end_to_end.mean_us == pytest.approx(20 * MS)
        assert found.end_to_end.max_us == pytest.approx(30 * MS)
        assert found.first_output.count == 2
        assert found.first_output.max_us == pytest.approx(10 * MS)


async def test_what_a_source_emits_counts_from_then(clock: VirtualClock) -> None:
    p = pipeline("t:TestTicks s:TestSlow", "t s", s={"delay_ms": 5})
    async with session_of(p, clock) as session:
        await session.finish()
        assert len([packet async for packet in session.outputs()]) == 4  # and the tail
        assert measured(session).end_to_end.count == 4
        assert measured(session).end_to_end.max_us == pytest.approx(5 * MS)


async def test_wait_is_that_of_the_queue(clock: VirtualClock) -> None:
    p = pipeline("s:TestSlow", s={"delay_ms": 30})
    async with session_of(p, clock) as session:
        for text in texts("a", "b", "c"):
            await session.send(text)
        await sleep(clock, 200 * MS)
        await take(session, 3)
        entrance, exit_ = session.metrics().edges
        assert (entrance.source, exit_.target) == ("client", "client")
        assert entrance.wait is not None
        assert entrance.wait.count == 3
        assert entrance.wait.max_us == pytest.approx(60 * MS)
        assert entrance.wait.mean_us == pytest.approx(30 * MS)
        # Ready after 30, 60 and 90 ms, taken after 200.
        assert exit_.wait is not None
        assert exit_.wait.max_us == pytest.approx(170 * MS)
        assert exit_.wait.mean_us == pytest.approx(140 * MS)
        assert exit_.max_depth == 3


async def test_dropped_packets_do_not_count_as_waits(clock: VirtualClock) -> None:
    async with session_of(pipeline("s:TestSlow", s={"delay_ms": 30}), clock) as session:
        for text in texts("a", "b", "c"):
            await session.send(text)
        await sleep(clock, 10 * MS)
        await session.interrupt()  # b and c wait
        await sleep(clock, 10 * MS)
        await session.send(rm.Text("d"))
        await take(session, 1)
        entrance, _ = session.metrics().edges
        assert entrance.dropped == {"interrupt": 2}
        assert entrance.wait is not None
        assert (entrance.wait.count, entrance.wait.max_us) == (2, 0)  # a and d, at once
        assert measured(session).end_to_end.count == 1
        assert measured(session).end_to_end.max_us == pytest.approx(30 * MS)


async def test_an_inner_edge_has_no_queue(clock: VirtualClock) -> None:
    async with session_of(pipeline("a:PassThrough b:PassThrough", "a b"), clock) as session:
        assert [edge.wait is None for edge in session.metrics().edges] == [True, False, False]


async def test_windows_move_on_although_nothing_happens(clock: VirtualClock) -> None:
    p = pipeline("s:TestSlow z:PassThrough", "s z", s={"delay_ms": 30})
    async with session_of(p, clock) as session:
        await session.send(rm.Text("a"))
        await take(session, 1)

        def counts() -> list[list[int]]:
            metrics = session.metrics()
            timings = [
                *(node.latency for node in metrics.nodes),
                *(edge.wait for edge in metrics.edges if edge.wait),
                measured(session).end_to_end,
                measured(session).first_output,
            ]
            assert [timing.count for timing in timings] == [1] * 7
            return [[window.count for window in timing.windows.values()] for timing in timings]

        assert counts() == [[1, 1, 1]] * 7
        slow = session.metrics().nodes[0].latency.windows["1m"]
        assert slow.max_us == pytest.approx(30 * MS)
        await sleep(clock, 70_000 * MS)
        assert counts() == [[0, 1, 1]] * 7
        assert session.metrics().nodes[0].latency.windows["1m"] == Latency()
        await sleep(clock, 250_000 * MS)
        assert counts() == [[0, 0, 1]] * 7
        await sleep(clock, 600_000 * MS)
        assert counts() == [[0, 0, 0]] * 7


async def test_a_pass_belongs_to_the_time_when_it_was(clock: VirtualClock) -> None:
    """Nobody folds for two minutes: the readings of all of them are folded at once."""
    async with session_of(pipeline("a:PassThrough b:TestList", "a b"), clock) as session:
        for _ in range(120):  # s
            await session.send(rm.Text("x"))
            await take(session, 2)
            await sleep(clock, 1_000 * MS)
        for node in session.metrics().nodes:
            assert node.count == node.latency.count == 120
            # Those at 70 s to 119 s, now being 120 s.
            assert node.latency.windows["1m"].count == 50
            assert node.latency.windows["5m"].count == 120
