"""Whatever a node does to its process: a clear error, and the other branches run on."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import defaultdict

import numpy as np
import pytest

import remotemedia as rm
from native.parts import part_nodes  # noqa: F401 - registers its nodes
from remotemedia.errors import SessionFailedError
from remotemedia_native.process.errors import ProcessDiedError

FAST = {"delay_ms": 0, "hang_timeout_ms": 500}
BLOCKS = 30
BAD_BLOCK = 8


@dataclasses.dataclass
class Outcome:
    """What came of a session."""

    got: dict[str, list[int]]
    events: list[rm.Event]
    error: rm.RemoteMediaError | None = None
    lost: list[int] = dataclasses.field(default_factory=list)

    def of(self, kind: str) -> list[str]:
        return [event.message for event in self.events if event.kind == kind]


def block(how: str | None = None) -> rm.Audio:
    metadata = {"how": how} if how is not None else None
    return rm.Audio(np.zeros(480, np.float32), 48_000, metadata=metadata)


def pipeline(
    params: dict[str, str] | None = None,
    restart: dict[str, object] | None = None,
    process: dict[str, object] | None = None,
) -> rm.Pipeline:
    """A node that does what it should not, beside one in a process and one that is inline."""
    bad: dict[str, object] = {
        "id": "bad",
        "node_type": "TestFaulty",
        "executor": "process",
        "params": params or {},
        "policy": {"restart": {**FAST, **(restart or {})}},
    }
    if process is not None:
        bad["process"] = process
    return rm.Pipeline.load(
        {
            "version": "v1",
            "nodes": [
                bad,
                {"id": "good", "node_type": "Gain", "executor": "process"},
                {"id": "here", "node_type": "Gain"},
            ],
        }
    )


async def run(graph: rm.Pipeline, how: str | None = None) -> Outcome:
    """Blocks to all three nodes; one of them says what to do."""
    outcome = Outcome(defaultdict(list), [])

    async def events(session: rm.Session) -> None:
        async for event in session.events():
            outcome.events.append(event)

    async def read(session: rm.Session) -> None:
        async for packet in session.outputs():
            outcome.got[packet.node].append(packet.sequence)

    session = graph.session()
    listening = asyncio.create_task(events(session))
    reading = None
    try:
        async with session:
            reading = asyncio.create_task(read(session))
            for number in range(BLOCKS):
                await session.send(block(how if number == BAD_BLOCK else None))
                await asyncio.sleep(0.005)
            await session.finish()
            await asyncio.wait_for(reading, 20)
            for edge in session.metrics().edges:
                assert edge.entered == edge.delivered + sum(edge.dropped.values()), edge
    except rm.RemoteMediaError as error:
        outcome.error = error
        if reading is not None:
            await asyncio.wait([reading])
            reading.exception()
    await listening
    outcome.lost = [
        event.sequence
        for event in outcome.events
        if event.kind == "error" and "an item is lost" in event.message
    ]
    return outcome


def check_others(outcome: Outcome) -> None:
    assert outcome.got["good"] == list(range(BLOCKS))
    assert outcome.got["here"] == list(range(BLOCKS))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("exit", "exited with code 7"),
        ("sys.exit", "exited with code 3"),
        ("kill", "was killed by SIGKILL"),
        ("segfault", "was killed by SIGSEGV"),
        ("loop", "it made no progress for"),
        ("sleep", "it made no progress for"),
    ],
)
def test_a_process_that_dies_at_an_item(how: str, says: str) -> None:
    outcome = asyncio.run(run(pipeline(), how))
    assert outcome.error is None
    check_others(outcome)
    assert outcome.got["bad"] == [n for n in range(BLOCKS) if n != BAD_BLOCK]
    assert outcome.lost == [BAD_BLOCK]
    first = outcome.of("error")[0]
    assert first.startswith("the process of node 'bad' ")
    assert says in first
    if how in ("segfault", "loop", "sleep"):
        assert "in act" in first, "the stack names the function"
    assert outcome.of("restart")[-1] == "the process of node 'bad' runs again"


def test_a_process_that_is_stopped() -> None:
    """It goes on for a moment, when it is made to end: so the item may come, or be lost."""
    outcome = asyncio.run(run(pipeline(), "stop"))
    check_others(outcome)
    assert sorted(outcome.got["bad"] + outcome.lost) == list(range(BLOCKS))
    assert "stopped by a signal for" in outcome.of("error")[0]


def test_too_much_memory() -> None:
    patient: dict[str, object] = {"hang_timeout_ms": 30_000}
    graph = pipeline(restart=patient, process={"memory_limit_mb": 150})
    outcome = asyncio.run(run(graph, "memory"))
    check_others(outcome)
    assert outcome.lost == [BAD_BLOCK]
    assert "MiB of the 150 MiB that memory_limit_mb allows" in outcome.of("error")[0]


def test_what_is_given_again() -> None:
    """With `redeliver`, until it is given up."""
    outcome = asyncio.run(run(pipeline(restart={"redeliver": True, "max_restarts": 2}), "exit"))
    assert isinstance(outcome.error, SessionFailedError)
    assert outcome.got["bad"] == list(range(BAD_BLOCK))
    assert outcome.lost == []
    assert "it ended 3 times within 60 s; max_restarts is 2" in str(outcome.error)


def test_what_is_never_started_again() -> None:
    """Its branch ends; what is sent to it is dropped and counted."""
    outcome = asyncio.run(run(pipeline(restart={"when": "never"}), "exit"))
    assert outcome.error is None
    check_others(outcome)
    assert outcome.got["bad"] == list(range(BAD_BLOCK))
    assert outcome.lost == [BAD_BLOCK]
    assert outcome.of("restart") == []


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("raise", "node 'bad' (Faulty) raised ValueError: on purpose"),
        ("exit", "the process of node 'bad' exited with code 7"),
        ("segfault", "the process of node 'bad' was killed by SIGSEGV"),
    ],
)
def test_a_node_that_does_not_open(how: str, says: str) -> None:
    outcome = asyncio.run(run(pipeline({"at": "open", "how": how})))
    assert outcome.error is not None
    assert str(outcome.error).startswith(says)
    assert outcome.error.node == "bad"
    assert not outcome.got


def test_an_item_that_a_node_fails_on() -> None:
    outcome = asyncio.run(run(pipeline(), "raise"))
    check_others(outcome)
    assert outcome.got["bad"] == [n for n in range(BLOCKS) if n != BAD_BLOCK]
    (event,) = [event for event in outcome.events if event.kind == "error"]
    assert (event.node, event.sequence) == ("bad", BAD_BLOCK)
    assert event.message == "node 'bad' (Faulty) raised ValueError: on purpose"
    assert "part_nodes.py" in event.traceback, "the traceback is that of the process"


@pytest.mark.parametrize("point", ["finish", "close"])
def test_a_node_that_fails_at_its_end(point: str) -> None:
    outcome = asyncio.run(run(pipeline({"at": point, "how": "raise"})))
    check_others(outcome)
    assert outcome.got["bad"] == list(range(BLOCKS))
    assert outcome.of("error") == ["node 'bad' (Faulty) raised ValueError: on purpose"]


def test_a_process_that_dies_at_its_end() -> None:
    outcome = asyncio.run(run(pipeline({"at": "finish", "how": "exit"}, {"max_restarts": 1})))
    check_others(outcome)
    assert outcome.got["bad"] == list(range(BLOCKS))
    assert isinstance(outcome.error, SessionFailedError)


@pytest.mark.parametrize("how", ["exit", "loop", "stop"])
def test_a_process_that_does_not_close(how: str) -> None:
    outcome = asyncio.run(run(pipeline({"at": "close", "how": how})))
    check_others(outcome)
    (said,) = outcome.of("error")
    assert said.startswith(
        "the process of node 'bad' exited with code 7 while it closed"
        if how == "exit"
        else "the process of node 'bad' did not close within 1.2 s and was killed"
    )


def test_a_message_that_is_too_large() -> None:
    """Who sends it is told; others go on."""

    async def main() -> list[int]:
        found = []
        graph = pipeline(process={"max_message_mb": 1})
        async with graph.session() as session:
            with pytest.raises(rm.RemoteMediaError, match=r"1,?048,?576") as caught:
                await session.send(rm.Binary(bytes(2**21)), to="bad")
            assert caught.value.node == "bad"
            await session.send(rm.Binary(bytes(2**19)), to="bad")
            await session.finish()
            async for packet in session.outputs():
                assert isinstance(packet.data, rm.Binary)
                found.append(len(packet.data.content))
        return found

    assert asyncio.run(main()) == [2**19]


def test_parameters_that_are_huge() -> None:
    """They go over a socket, not over the command line; what is too much is refused."""

    async def main(size: int) -> None:
        async with pipeline({"note": "x" * size}).session():
            pass

    asyncio.run(main(65_536))


def test_a_class_that_no_other_process_can_find() -> None:
    class Hidden(rm.Node):
        input_caps = "text"
        output_caps = "text"

        def process(self, text: rm.Text) -> rm.Text:
            return text

    rm.node("TestHidden")(Hidden)
    graph = rm.Pipeline.load(
        {"version": "v1", "nodes": [{"id": "h", "node_type": "TestHidden", "executor": "process"}]}
    )

    async def main() -> None:
        async with graph.session():
            pass

    with pytest.raises(rm.RemoteMediaError, match="made inside a function") as caught:
        asyncio.run(main())
    assert caught.value.node == "h"


def test_the_error_has_its_parts() -> None:
    error = ProcessDiedError("it died", node="n", last_lines=["", "one", "two"])
    assert str(error) == "it died; its last lines:\n    one\n    two"
    assert (error.code, error.node, error.headline) == ("process_died", "n", "it died")
