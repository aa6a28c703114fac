"""Nodes, sources and clients that misbehave: the run or session stays whole, and counts right."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import ClassVar

import pytest

import remotemedia as rm
from remotemedia.errors import NodeError, SessionError, SessionFailedError
from remotemedia.testing import VirtualClock
from session_nodes import Log, pipeline, seen, texts


@pytest.fixture(autouse=True)
def _log() -> None:
    Log.lines = []


@rm.node("TestExits", input_caps="text", output_caps="text")
def exits(text: rm.Text) -> rm.Text:
    """Raises what is no `Exception`."""
    kinds: dict[str, type[BaseException]] = {
        "interrupt": KeyboardInterrupt,
        "exit": GeneratorExit,
        "cancelled": asyncio.CancelledError,
    }
    if text.text in kinds:
        raise kinds[text.text]
    return text


@rm.node("TestAwaitsCancelled", input_caps="text", output_caps="text")
async def awaits_cancelled(text: rm.Text) -> rm.Text:
    """Waits for something of its own that was cancelled."""
    if text.text == "bad":
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.cancel()
        await future
    return text


@rm.node("TestRaisesAtEnd", input_caps="text", output_caps="text")
def raises_at_end(text: rm.Text) -> Iterator[object]:
    """A generator that cannot be closed."""
    try:
        yield text
        yield 7
    finally:
        raise ValueError("cannot clean up")


class Broken:
    """An iterable that is none."""

    def __iter__(self) -> Iterator[rm.Text]:
        raise ValueError("no items")


@rm.node("TestOddOutput", input_caps="text", output_caps="text")
def odd_output(text: rm.Text) -> object:
    """An output that breaks when it is looked at."""
    return Broken() if text.text == "iterable" else rm.Emit(["out"], text)  # type: ignore[arg-type]


@rm.node("TestAsyncDeque", input_caps="text", output_caps="text")
async def async_deque(text: rm.Text) -> deque[rm.Text]:
    """Several items, in what is no list."""
    return deque([text, text])


class WrongTail(rm.Node):
    """Its tail is no data."""

    input_caps = "text"
    output_caps = "text"

    def process(self, text: rm.Text) -> rm.Text:
        return text

    def finish(self) -> str:
        return "tail"


class BadReset(rm.Node):
    """Can neither be reset nor answer "wait"."""

    input_caps = "text"
    output_caps = "text"

    async def process(self, text: rm.Text) -> rm.Text:
        if text.text == "wait":
            await asyncio.get_running_loop().create_future()
        return text

    def reset(self) -> None:
        raise ValueError("no way back")


class NoProduce(rm.Node):
    """A source that cannot start."""

    input_caps: ClassVar = {}
    output_caps = "text"

    def produce(self) -> Iterator[rm.Text]:
        raise ValueError("no device")


class CleanSource(rm.Node):
    """An async source that cleans up."""

    input_caps: ClassVar = {}
    output_caps = "text"

    async def produce(self) -> AsyncIterator[rm.Text]:
        try:
            while True:
                yield rm.Text("x")
        finally:
            await asyncio.sleep(0)
            Log.lines.append("cleaned up")

    async def close(self) -> None:
        Log.lines.append("closed")


class NeverOpens(rm.Node):
    """Raises one of our errors when it is opened."""

    input_caps = "text"
    output_caps = "text"

    def open(self, ctx: rm.Context) -> None:
        raise NodeError("no model")

    def process(self, text: rm.Text) -> rm.Text:
        return text


for _cls in (WrongTail, BadReset, NoProduce, CleanSource, NeverOpens):
    rm.node(f"Test{_cls.__name__}")(_cls)


async def read(session: rm.Session, *values: str) -> list[str]:
    """What comes out of a stream; must end by itself."""

    async def all_of_it() -> list[str]:
        return [packet.data.text async for packet in session.stream(texts(*values))]  # type: ignore[attr-defined]

    return await asyncio.wait_for(all_of_it(), 10)


def stream(built: rm.Pipeline, *values: str) -> tuple[list[str], rm.Metrics]:
    """The same, and the metrics after it."""
    clock = VirtualClock()

    async def main() -> tuple[list[str], rm.Metrics]:
        async with built.session(clock=clock) as session:
            return await read(session, *values), session.metrics()

    return clock.run(main())


def counts(metrics: rm.Metrics) -> dict[str, int]:
    """Of nodes and edges."""
    edges = {f"{edge.source} {edge.target}": edge.entered for edge in metrics.edges}
    return {**{node.node: node.count for node in metrics.nodes}, **edges}


# -- what is no Exception --------------------------------------------------------------------


def test_metrics_after_a_keyboard_interrupt() -> None:
    run = pipeline("a:PassThrough b:TestExits c:PassThrough", "a b", "b c").run(
        texts("x", "interrupt")
    )
    with pytest.raises(KeyboardInterrupt):
        list(run)
    assert counts(run.metrics())["c"] == 1


def test_a_generator_exit_is_a_failure_of_its_item() -> None:
    built = pipeline("a:PassThrough b:TestExits", "a b")
    run = built.run(texts("x", "exit", "y"), on_error="skip")
    assert seen(run) == [("b", "x", 0, 0), ("b", "y", 2, 0)]
    assert stream(built, "x", "exit", "y")[0] == ["x", "y"]


def test_an_async_node_that_meets_a_cancellation_fails_on_its_item() -> None:
    values, metrics = stream(pipeline("a:TestAwaitsCancelled"), "x", "bad", "y")
    assert values == ["x", "y"]
    assert metrics.nodes[0].errors == 1


def test_a_cancellation_raised_by_a_synchronous_node_does_not_hang() -> None:
    with pytest.raises(SessionFailedError, match="CancelledError"):
        stream(pipeline("a:PassThrough b:TestExits", "a b"), "x", "cancelled", "y")


def test_a_source_of_a_stream_that_is_cancelled_ends_it() -> None:
    clock = VirtualClock()

    async def source() -> AsyncIterator[rm.Text]:
        yield rm.Text("x")
        raise asyncio.CancelledError

    async def main() -> None:
        async with pipeline("a:PassThrough").session(clock=clock) as session:
            packets = session.stream(source())
            await anext(packets)
            with pytest.raises(SessionError, match="was cancelled"):
                await asyncio.wait_for(anext(packets), 10)

    clock.run(main())


def test_a_sender_that_waits_learns_that_the_session_broke() -> None:
    clock = VirtualClock()

    async def main() -> None:
        built = pipeline("a:TestSlow b:TestExits", "a b")
        async with built.session(clock=clock) as session:
            await session.send(rm.Text("cancelled"), to="b")
            await asyncio.sleep(1)
            with pytest.raises(SessionFailedError):
                await session.send(rm.Text("x"), to="b")

    clock.run(main())


def test_a_send_that_waits_when_the_session_breaks() -> None:
    clock = VirtualClock()

    async def main() -> None:
        async with pipeline("a:TestRepeat b:TestExits", "a b").session(clock=clock) as session:

            async def send() -> None:
                for number in range(1_000):
                    await session.send(rm.Text(str(number)), to="b")

            sender = asyncio.ensure_future(send())
            await asyncio.sleep(1)
            assert not sender.done()  # nobody reads
            session._on_broken(ValueError("broke"))
            with pytest.raises(SessionFailedError):
                await asyncio.wait_for(sender, 10)

    clock.run(main())


# -- generators, iterables, ports ------------------------------------------------------------


def test_a_generator_that_cannot_be_closed_keeps_no_node_open() -> None:
    run = pipeline("a:TestTraced b:TestRaisesAtEnd", "a b", a={"name": "a"}).run(texts("x"))
    next(run)
    with pytest.raises(NodeError, match="cannot clean up"):
        run.close()
    assert Log.lines[-1] == "close a"


def test_a_generator_that_cannot_be_closed_after_a_wrong_item() -> None:
    built = pipeline("b:TestRaisesAtEnd")
    run = built.run(texts("x"), on_error="skip")
    assert seen(run) == [("b", "x", 0, 0)]
    assert [event.node for event in run.events] == ["b", "b"]
    assert stream(built, "x")[0] == ["x"]


@pytest.mark.parametrize("what", ["iterable", "port"])
def test_an_output_that_breaks_when_looked_at_is_an_error_of_the_node(what: str) -> None:
    built = pipeline("a:PassThrough b:TestOddOutput", "a b")
    with pytest.raises(NodeError) as caught:
        list(built.run(texts(what)))
    assert caught.value.node == "b"
    values, metrics = stream(built, what)
    assert (values, metrics.nodes[1].count, metrics.nodes[1].errors) == ([], 1, 1)


def test_an_async_node_returns_any_iterable() -> None:
    assert stream(pipeline("a:TestAsyncDeque"), "x")[0] == ["x", "x"]


def test_a_generator_that_still_runs_is_counted() -> None:
    built = pipeline("a:PassThrough r:TestRepeat", "a r")
    run = built.run(texts("x"))
    next(run)
    assert counts(run.metrics())["a:out r:in"] == 1
    run.close()
    assert counts(run.metrics())["r"] == 1
    run = built.run(texts("x"), to="r")
    next(run)
    assert counts(run.metrics())["a:out r:in"] == 0  # it was -1
    list(run)
    assert counts(run.metrics())["r"] == 1


def test_a_wrong_tail_is_no_item_given() -> None:
    run = pipeline("a:PassThrough b:TestWrongTail", "a b").run(texts("x"), on_error="skip")
    list(run)
    found = counts(run.metrics())
    assert (found["b"], found["a:out b:in"], run.metrics().nodes[1].errors) == (1, 1, 1)


# -- life ------------------------------------------------------------------------------------


def test_a_reset_that_fails_is_an_event_and_the_session_goes_on() -> None:
    clock = VirtualClock()

    async def main() -> None:
        async with pipeline("a:TestBadReset").session(clock=clock) as session:
            await session.send(rm.Text("wait"))
            await asyncio.sleep(1)
            await session.interrupt()
            event = await session.next_event()
            assert event is not None
            assert (event.node, str(event.error.__cause__)) == ("a", "no way back")
            assert await read(session, "x") == ["x"]

    clock.run(main())


def test_a_source_that_cannot_start_is_an_error_of_the_node() -> None:
    built = pipeline("s:TestNoProduce")
    with pytest.raises(NodeError, match="no device"):
        list(built.run())
    values, metrics = stream(built)
    assert (values, metrics.nodes[0].errors) == ([], 1)


def test_an_async_source_cleans_up_before_it_is_closed() -> None:
    clock = VirtualClock()

    async def main() -> None:
        async with pipeline("s:TestCleanSource").session(clock=clock) as session:
            await anext(session.outputs())
            await asyncio.sleep(1)  # it waits for room
        assert Log.lines == ["cleaned up", "closed"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    clock.run(main())


def test_an_error_of_ours_is_not_its_own_cause() -> None:
    with pytest.raises(NodeError, match="no model") as caught:
        list(pipeline("a:TestNeverOpens").run(texts("x")))
    assert caught.value.__cause__ is None


def test_items_of_a_source_are_numbered_after_the_inputs() -> None:
    run = pipeline("s:TestCount c:PassThrough", "s c").run(texts("a", "b"), to="c")
    assert [item[2:] for item in seen(run)] == [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0)]


# -- clients ---------------------------------------------------------------------------------


def test_waits_that_were_given_up_leave_nothing() -> None:
    clock = VirtualClock()

    async def main() -> None:
        built = pipeline("a:TestForgiving")
        async with built.session(clock=clock, close_timeout_ms=10) as session:
            outputs = session.outputs()
            for _ in range(50):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(anext(outputs), 0.01)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(session.send(rm.Text("x")), 0.01)
            assert not session.router.client.waiters
            assert not session.router.entry("a", "in")._senders

    clock.run(main())


def test_leaving_arun_leaves_no_task() -> None:
    clock = VirtualClock()

    async def source() -> AsyncIterator[rm.Text]:
        while True:
            yield rm.Text("x")
            await asyncio.sleep(0.01)

    async def main() -> None:
        packets = pipeline("a:PassThrough b:TestSlow", "a b").arun(source(), clock=clock)
        await anext(packets)
        await packets.aclose()  # type: ignore[attr-defined]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    clock.run(main())


def test_a_close_that_is_cancelled_closes_all_nodes() -> None:
    clock = VirtualClock()

    async def main() -> None:
        built = pipeline("t:TestTraced a:TestSlow", "t a", t={"name": "t"}, a={"stubborn": True})
        session = built.session(clock=clock)
        await session.open()
        await session.send(rm.Text("x"))
        await asyncio.sleep(0.005)
        closing = asyncio.ensure_future(session.aclose())
        await asyncio.sleep(0.5)
        closing.cancel()
        await asyncio.wait([closing])
        assert Log.lines[-1] == "close t"

    clock.run(main())


def test_a_long_graph_holds_few_clock_readings() -> None:
    nodes = [{"id": f"n{number}", "node_type": "PassThrough"} for number in range(2_000)]
    edges = [{"from": f"n{number}", "to": f"n{number + 1}"} for number in range(1_999)]
    run = rm.Pipeline.load({"version": "v1", "nodes": nodes, "connections": edges}).run(
        texts(*["x"] * 1_000)
    )
    most = 0
    for packet in run:
        if packet.sequence % 100 == 99:
            chains = run._wiring.arrivals.values()
            most = max(most, sum(len(chain.stamps) for chain in chains))
    assert most < 1 << 20
