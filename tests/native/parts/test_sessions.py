"""What may be done to a session, done to nodes that run in processes."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest

import remotemedia as rm
from native.parts import part_nodes  # noqa: F401 - registers its nodes
from remotemedia.data import Packet
from remotemedia.errors import SessionError, UnavailableError
from remotemedia.testing import VirtualClock

Use = Callable[[rm.Session], Awaitable[None]]


def graph(*nodes: dict[str, object], edges: tuple[tuple[str, str], ...] = ()) -> rm.Pipeline:
    return rm.Pipeline.load(
        {
            "version": "v1",
            "nodes": [{"executor": "process", **node} for node in nodes],
            "connections": [{"from": a, "to": b} for a, b in edges],
        }
    )


def texts(packets: list[Packet]) -> list[str]:
    found = []
    for packet in packets:
        assert isinstance(packet.data, rm.Text)
        found.append(packet.data.text)
    return found


async def everything(session: rm.Session, *inputs: str, to: str | None = None) -> list[str]:
    return texts([packet async for packet in session.stream(map(rm.Text, inputs), to)])


def test_each_has_a_process_and_a_group_shares_one() -> None:
    async def main() -> dict[str, str]:
        pipeline = graph(
            {"id": "alone", "node_type": "TestWhere"},
            {"id": "one", "node_type": "TestWhere", "process_group": "g"},
            {"id": "two", "node_type": "TestWhere", "process_group": "g"},
            {"id": "here", "node_type": "TestWhere", "executor": "inline"},
        )
        async with pipeline.session() as session:
            packets = [packet async for packet in session.stream([rm.Text("?")])]
        return {packet.node: text for packet, text in zip(packets, texts(packets), strict=True)}

    where = asyncio.run(main())
    assert where["one"] == where["two"]
    assert where["here"] == str(os.getpid())
    assert len(set(where.values())) == 3


def test_a_node_type_says_where_it_runs_by_default() -> None:
    pipeline = rm.Pipeline()
    pipeline.add("TestHeavy", id="own")
    pipeline.add("TestHeavy", id="told", executor="inline")
    pipeline.add("TestWhere", id="light")

    async def main() -> dict[str, str]:
        async with pipeline.session() as session:
            packets = [packet async for packet in session.stream([rm.Text("?")])]
        return {packet.node: text for packet, text in zip(packets, texts(packets), strict=True)}

    here = str(os.getpid())
    where = asyncio.run(main())
    assert where["told"] == where["light"] == here != where["own"]
    # Without an event loop it does not matter that there are processes.
    assert texts(list(pipeline.run([rm.Text("?")]))) == [here] * 3


def test_the_same_words() -> None:
    """`multiprocess` of the reference system, and `worker` of a page, mean it, too."""

    async def main(executor: str) -> list[str]:
        pipeline = graph({"id": "n", "node_type": "TestTail", "executor": executor})
        async with pipeline.session() as session:
            return await everything(session, "a")

    for executor in ("process", "multiprocess", "worker"):
        assert asyncio.run(main(executor)) == ["at", "1 in all"]


def test_taps_states_and_parameters() -> None:
    async def main() -> None:
        pipeline = graph(
            {"id": "twice", "node_type": "TestTwice"},
            {"id": "loud", "node_type": "TestLoud"},
            edges=(("twice", "loud"),),
        )
        async with pipeline.session() as session:
            outputs = session.outputs()

            async def ask(text: str, count: int) -> list[str]:
                await session.send(rm.Text(text))
                return texts([await anext(outputs) for _ in range(count)])

            seen: list[Packet] = []
            detach = session.tap("twice", seen.append)
            before: list[Packet] = []
            session.tap("loud:in", before.append)
            assert await ask("x", 2) == ["xa!", "xb!"]
            for _ in range(1000):
                if len(seen) == 2 and len(before) == 2:
                    break
                await asyncio.sleep(0.005)
            assert texts(seen) == texts(before) == ["xa", "xb"]
            assert [(p.node, p.port, p.sequence, p.sub_sequence) for p in seen] == [
                ("twice", "out", 0, 0),
                ("twice", "out", 0, 1),
            ]
            detach()
            session.bus.set_state("loud", "bypass")
            assert await ask("y", 2) == ["ya", "yb"]
            session.bus.set_state("loud", "enabled")
            await session.bus.set_params("loud", marks=3)
            assert await ask("z", 2) == ["za!!!", "zb!!!"]
            assert len(seen) == 2
            await session.bus.publish("loud:in", rm.Text("straight"))
            assert texts([await anext(outputs)]) == ["straight!!!"]

    asyncio.run(main())


def test_what_cannot_be_done_to_them_is_said() -> None:
    async def main() -> None:
        pipeline = graph({"id": "twice", "node_type": "TestTwice"})
        async with pipeline.session() as session:
            with pytest.raises(SessionError, match=r"'twice'.*runs elsewhere"):
                session.bus.intercept("twice", lambda packet: packet.data)
            with pytest.raises(SessionError, match=r"'twice'.*runs elsewhere"):
                await session.bus.publish("twice:out", rm.Text("x"))
            changed = session.pipeline().copy()
            changed.add("TestLater", id="later")
            await session.apply(changed)
            changed = session.pipeline().copy()
            changed.connect("twice", "later")
            with pytest.raises(SessionError, match="twice: nodes that run elsewhere"):
                await session.apply(changed)
            await session.send(rm.Text("x"), to="later")
            assert texts([await anext(session.outputs())]) == ["xl"]

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["TestSpeak", "TestSpeakAsync"])
def test_an_interrupt_leaves_nothing_stale(kind: str) -> None:
    async def main() -> None:
        pipeline = graph(
            {"id": "speak", "node_type": kind},
            {"id": "gain", "node_type": "Gain"},
            edges=(("speak", "gain"),),
        )
        rng = random.Random(7)
        oldest, stale, heard = 0, 0, 0

        async def listen(session: rm.Session) -> None:
            nonlocal stale, heard
            async for packet in session.outputs():
                assert isinstance(packet.data, rm.Audio)
                heard += 1
                stale += packet.data.samples[0, 0] < oldest

        async with pipeline.session() as session:
            listening = asyncio.create_task(listen(session))
            for number in range(60):
                await session.send(rm.Text(str(number)))
                await asyncio.sleep(rng.random() * 0.02)
                await session.interrupt()
                oldest = number + 1
            await session.send(rm.Text("1000"))
            await session.finish()
            await listening
        assert stale == 0
        assert heard >= 40

    asyncio.run(main())


def test_back_pressure_loses_nothing() -> None:
    """A client that does not read holds up the client that sends; all comes, in order."""

    async def main() -> None:
        pipeline = graph(
            {"id": "a", "node_type": "Gain"}, {"id": "b", "node_type": "Gain"}, edges=(("a", "b"),)
        )
        async with pipeline.session() as session:
            sent = 0

            async def send() -> None:
                nonlocal sent
                for number in range(2_000):
                    await session.send(rm.Audio(np.full(480, number, np.float32), 48_000))
                    sent += 1

            sending = asyncio.create_task(send())
            before = -1
            while sent != before:
                before = sent
                await asyncio.sleep(0.5)
            assert 256 < sent < 400, "the queues: 256 + 16 + 16, and what is under way"
            outputs = session.outputs()
            for number in range(2_000):
                data = (await anext(outputs)).data
                assert isinstance(data, rm.Audio)
                assert data.samples[0, 0] == number
                assert not data.samples.flags.writeable
            await sending

    asyncio.run(main())


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "latest"])
def test_other_queues_lose_and_count(overflow: str) -> None:
    async def main() -> None:
        pipeline = rm.Pipeline.load(
            {
                "version": "v1",
                "nodes": [
                    {"id": "a", "node_type": "Gain"},
                    {"id": "slow", "node_type": "TestFaulty", "executor": "process"},
                ],
                "connections": [
                    {"from": "a", "to": "slow", "queue": {"capacity": 2, "overflow": overflow}}
                ],
            }
        )
        async with pipeline.session() as session:
            for number in range(100):
                await session.send(rm.Audio(np.full(480, number, np.float32), 48_000))
            await session.finish()
            found = [packet.sequence async for packet in session.outputs()]
            edge = next(e for e in session.metrics().edges if e.target == "slow:in")
        assert edge.entered == 100
        assert edge.delivered == len(found)
        assert edge.dropped == ({overflow: 100 - len(found)} if len(found) < 100 else {})
        assert found == sorted(found)

    asyncio.run(main())


def test_what_it_writes_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with graph({"id": "n", "node_type": "TestPrints"}).session() as session:
            await everything(session, "hello")

    with caplog.at_level(logging.INFO, "remotemedia.process"):
        asyncio.run(main())
    lines = [record.getMessage() for record in caplog.records]
    assert "n: printed hello" in lines
    assert any(line.startswith("n: ") and "logged hello" in line for line in lines)


def test_a_session_that_is_cancelled_while_it_opens() -> None:
    async def main() -> None:
        session = graph({"id": "n", "node_type": "Gain"}).session()
        opening = asyncio.create_task(session.open())
        await asyncio.sleep(0.05)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening

    asyncio.run(main())


def test_a_node_says_how_far_it_is() -> None:
    async def main(executor: str) -> list[tuple[str, float | None]]:
        pipeline = graph({"id": "n", "node_type": "TestLoads", "executor": executor})
        async with pipeline.session() as session:
            pass
        events = [event async for event in session.events() if event.kind == "progress"]
        return [(event.message, event.fraction) for event in events]

    for executor in ("inline", "process"):
        assert asyncio.run(main(executor)) == [("loading the model (50%)", 0.5)]


def test_what_is_not_installed_is_named() -> None:
    async def main() -> None:
        node = {"id": "n", "node_type": "TestLoads", "python_deps": ["no-such-package>=2"]}
        async with graph(node).session():
            pass

    with pytest.raises(UnavailableError, match="-m pip install 'no-such-package>=2'"):
        asyncio.run(main())


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_outputs_end_when_what_gives_none_is_through(tmp_path: Path, executor: str) -> None:
    async def main() -> list[str]:
        path = tmp_path / "lines"
        node = {"id": "n", "node_type": "TestSink", "params": {"path": str(path)}}
        async with graph({**node, "executor": executor}).session() as session:
            assert await everything(session, *map(str, range(50))) == []
        return path.read_text().split()

    assert asyncio.run(main()) == [*map(str, range(50)), "end"]


async def test_a_clock_that_processes_have_not(clock: VirtualClock) -> None:
    with pytest.raises(SessionError, match="need real time"):
        async with graph({"id": "n", "node_type": "Gain"}).session(clock=clock):
            pass


def test_a_full_shared_memory() -> None:
    """An error for who sends, never SIGBUS; others go on. In a name space with 3 MiB of it."""
    probe = ["unshare", "-m", "true"]
    if shutil.which("unshare") is None or subprocess.run(probe, check=False).returncode:
        pytest.skip("no name space of its own is allowed here")
    code = textwrap.dedent(
        """
        import asyncio, sys
        import numpy as np, remotemedia as rm

        async def main():
            nodes = [{"id": n, "node_type": "Gain", "executor": "process"} for n in ("a", "b")]
            pipeline = rm.Pipeline.load({"version": "v1", "nodes": nodes})
            async with pipeline.session() as session:
                big = rm.Audio(np.zeros(2**20, np.float32), 48_000)
                try:
                    await session.send(big, to="a")
                except rm.RemoteMediaError as error:
                    print(type(error).__name__, error.code, error.node)
                await session.send(rm.Audio(np.ones(960, np.float32), 48_000), to="b")
                await session.finish()
                print([packet.node async for packet in session.outputs()])

        asyncio.run(main())
        """
    )
    mount = "mount -t tmpfs -o size=3m tmpfs /dev/shm && exec " + shlex.join(
        [sys.executable, "-c", code]
    )
    found = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines() == [
        "SharedMemoryFullError shared_memory_full a",
        "['b']",
    ]


@pytest.mark.parametrize("places", [("process", "process"), ("process", "inline")])
def test_formats_that_show_when_a_node_is_open(places: tuple[str, str]) -> None:
    async def main() -> list[str]:
        pipeline = graph(
            {"id": "finds", "node_type": "TestFinds", "executor": places[0]},
            {"id": "told", "node_type": "TestTold", "executor": places[1]},
            edges=(("finds", "told"),),
        )
        async with pipeline.session() as session:
            return await everything(session, "x")

    assert asyncio.run(main()) == ["audio(sample_rate=22050, channels=1)"]


def test_a_queue_within_a_process_and_a_batch() -> None:
    async def main(executor: str) -> list[str]:
        pipeline = rm.Pipeline.load(
            {
                "version": "v1",
                "nodes": [
                    {"id": name, "node_type": kind, "executor": executor, "process_group": "g"}
                    for name, kind in (("a", "TestTwice"), ("b", "TestLater"), ("c", "TestTail"))
                ],
                "connections": [
                    {"from": "a", "to": "b", "queue": {"capacity": 1}},
                    {"from": "b", "to": "c", "queue": {"capacity": 2}},
                ],
            }
        )
        async with pipeline.session() as session:
            found = await everything(session, *map(str, range(40)))
            for edge in session.metrics().edges:
                assert edge.entered == edge.delivered + sum(edge.dropped.values()), edge
            counts = {node.node: node.count for node in session.metrics().nodes}
            assert counts == {"a": 40, "b": 80, "c": 80}
            inner = [e for e in session.metrics().edges if e.source != "client"]
            assert {e.target: e.delivered for e in inner} == {"b:in": 80, "c:in": 80, "client": 81}
        return found

    assert asyncio.run(main("process")) == asyncio.run(main("inline"))
