"""Nodes in workers: both ends of them, with workers in memory and virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

import remotemedia as rm
from remotemedia import executors, wire
from remotemedia.clock import sleep
from remotemedia.errors import NodeError, ProcessDiedError, SessionFailedError
from remotemedia.testing import VirtualClock, signals
from remotemedia_wasm import page_source
from remotemedia_wasm.workers import messages as m
from remotemedia_wasm.workers.crew import Crew
from remotemedia_wasm.workers.executor import WorkerExecutor
from session_nodes import Log
from worker_ends import MemoryLaunch, MemoryWorker

S = 1_000_000


class MemoryExecutor(WorkerExecutor):
    """The executor of a page, with workers in memory."""

    launch: ClassVar[MemoryLaunch]

    def __init__(self) -> None:
        pass

    def parts(self, around: Any) -> Crew:
        return Crew(around, self.launch, bytes)


@pytest.fixture
def workers(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> MemoryLaunch:
    Log.lines = []
    MemoryExecutor.launch = MemoryLaunch(clock)
    point = SimpleNamespace(name="worker", value="memory", load=lambda: MemoryExecutor)
    monkeypatch.setattr(executors, "entry_points", lambda group: [point])
    monkeypatch.setattr(executors, "HERE", "worker")
    monkeypatch.setattr(page_source, "_brought", {"source": ""})  # no other test's page
    return MemoryExecutor.launch


def manifest(nodes: str, *edges: str, executor: str = "process", **more: Any) -> dict[str, Any]:
    """``"a:Gain b:PassThrough"``, ``"a b"`` or ``"a:out b:in"``, and entries of nodes by id."""
    entries = [
        {"id": name, "node_type": kind, "executor": executor, **more.get(name, {})}
        for name, kind in (each.split(":") for each in nodes.split())
    ]
    connections = [dict(zip(("from", "to"), edge.split(), strict=True)) for edge in edges]
    return {"version": "v1", "nodes": entries, "connections": connections}


def restarting(**policy: Any) -> dict[str, Any]:
    return {"policy": {"restart": policy}}


class Run:
    """A session that runs, what comes out of it, and its events."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.packets: list[rm.Packet] = []
        self.events: list[Any] = []
        self.failure: Exception | None = None

    async def read(self) -> None:
        try:
            async for packet in self.session.outputs():
                self.packets.append(packet)
        except SessionFailedError as error:
            self.failure = error

    async def listen(self) -> None:
        async for event in self.session.events():
            self.events.append(event)

    def texts(self) -> list[str]:
        return [packet.data.text for packet in self.packets]

    def told(self, kind: str) -> list[str]:
        return [event.message for event in self.events if event.kind == kind]


@contextlib.asynccontextmanager
async def running(clock: VirtualClock, graph: dict[str, Any], **options: Any) -> AsyncIterator[Run]:
    async with rm.Pipeline.load(graph).session(clock=clock, **options) as session:
        run = Run(session)
        tasks = [asyncio.ensure_future(run.read()), asyncio.ensure_future(run.listen())]
        yield run
    await asyncio.wait(tasks)


async def outputs(clock: VirtualClock, graph: dict[str, Any], items: list[Any]) -> list[bytes]:
    """The frames of all that comes out, tails included."""
    async with running(clock, graph) as run:
        for item in items:
            await run.session.send(item)
        await run.session.finish()
        await sleep(clock, S)
        assert run.told("error") == []
        clean = [rm.Packet(p.data, p.node, p.port, p.sequence, p.sub_sequence) for p in run.packets]
    return [wire.encode(packet) for packet in sorted(clean, key=lambda p: p.port)]


EVERYTHING = [
    rm.Audio(np.arange(6, dtype=np.int16).reshape(2, 3), 8_000, 125, "left", {"a": 1}),
    rm.Audio(np.ones((1, 960), np.float32), 48_000),
    rm.Video(np.arange(12, dtype=np.uint8), 2, 2, frame_number=7, pts_us=5),
    rm.Text("ä", pts_us=9, stream_id="s"),
    rm.Json({"a": [1, None, "b"]}),
    rm.Binary(b"\x00\xff"),
    rm.Tensor(np.arange(12, dtype=np.float64).reshape(3, 4)),
    rm.Tensor(np.zeros((0, 3), np.int8)),
    rm.Image(bytes(12), "RAW", 2, 2, "RGB24"),
    rm.File("a.wav", mime_type="audio/wav", size=7),
    rm.Control("Mine", {"segment": 3}),
]


async def test_all_types_of_data_come_through_as_they_were(
    workers: MemoryLaunch, clock: VirtualClock
) -> None:
    edge = "a b"
    there = await outputs(clock, manifest("a:PassThrough b:PassThrough", edge), EVERYTHING)
    inline = manifest("a:PassThrough b:PassThrough", edge, executor="inline")
    assert there == await outputs(clock, inline, EVERYTHING)
    assert len(there) == len(EVERYTHING)
    assert workers.alive == []


SPEECH = [
    rm.Audio(block, 48_000, round(index * 20_000))
    for index, block in enumerate(
        np.split(signals.speech_bursts([(200, 700)], 1.0, seed=3).samples, 50, axis=1)
    )
]


@pytest.mark.parametrize(
    ("kinds", "more"),
    [
        ("a:Gain", {"a": {"params": {"gain_db": -6}}}),
        ("a:AudioResample", {"a": {"params": {"target_rate": 16_000}}}),
        ("a:ChannelMix", {"a": {"params": {"channels": 2}}}),
        ("a:AudioLevel", {}),
        ("a:EnergyVAD", {}),
        ("a:AudioChunker", {"a": {"params": {"chunk_ms": 32}}}),
        ("a:IIRFilter", {"a": {"params": {"kind": "lowpass", "cutoff_hz": 900}}}),
    ],
)
async def test_results_are_those_of_the_session(
    workers: MemoryLaunch, clock: VirtualClock, kinds: str, more: dict[str, Any]
) -> None:
    there = await outputs(clock, manifest(kinds, **more), SPEECH)
    assert there == await outputs(clock, manifest(kinds, executor="inline", **more), SPEECH)
    assert len(there) >= 3


async def test_ports_lists_generators_and_tails(workers: MemoryLaunch, clock: VirtualClock) -> None:
    graph = manifest(
        "odd:TestOdd list:TestList several:TestRepeat slow:TestSlow stream:TestStream two:TestTwo",
        "odd:even list",
        "list several",
        "several slow",
        "slow stream",
        "stream two:left",
        "odd:odd two:right",
    )
    numbers = [rm.Text(str(number)) for number in range(5)]
    there = await outputs(clock, graph, numbers)
    for node in graph["nodes"]:
        node["executor"] = "inline"
    assert sorted(there) == sorted(await outputs(clock, graph, numbers))
    assert len(there) == 2 + 2 * 2 * 2 * 3 + 3


async def test_items_of_a_generator_come_one_by_one_and_not_far_ahead(
    workers: MemoryLaunch, clock: VirtualClock
) -> None:
    queue = {"capacity": 1}
    graph = manifest("g:TestRepeat slow:TestSlow", "g slow", g={"params": {"times": 100}})
    graph["nodes"][1] |= {"executor": "inline", "params": {"delay_ms": 100}}
    graph["connections"][0]["queue"] = queue
    async with running(clock, graph) as run:
        await run.session.send(rm.Text("x"))
        await sleep(clock, 150_000)
        assert run.texts() == ["x.0"]
        computed = len([line for line in Log.lines if line.startswith("compute")])
        assert m.WINDOW <= computed <= 2 * m.WINDOW
        await run.session.finish()
        await sleep(clock, 20 * S)
        assert run.texts() == [*(f"x.{n}" for n in range(100)), "slow tail"]


# -- errors ----------------------------------------------------------------


async def test_an_error_is_that_of_the_node(workers: MemoryLaunch, clock: VirtualClock) -> None:
    async with running(clock, manifest("f:TestFail late:TestFailLate", "f late")) as run:
        for text in ("bad", "good"):
            await run.session.send(rm.Text(text))
        await sleep(clock, S)
        assert run.texts() == ["good"]
        first, second = (event for event in run.events if event.kind == "error")
        assert (first.node, first.sequence, first.error.code) == ("f", 0, "node")
        assert str(first.error) == "node 'f' (fail) raised ZeroDivisionError: no such luck"
        assert 'raise ZeroDivisionError("no such luck")' in first.traceback
        assert isinstance(first.error, NodeError)
        assert (second.node, second.sequence) == ("late", 1)
        errors = {node.node: node.errors for node in run.session.metrics().nodes}
        assert errors == {"f": 1, "late": 1}


async def test_what_is_no_data_is_refused_there(workers: MemoryLaunch, clock: VirtualClock) -> None:
    async with running(clock, manifest("w:TestWrong")) as run:
        for text in ("str", "number", "in a list", "port"):
            await run.session.send(rm.Text(text))
        await sleep(clock, S)
        told = run.told("error")
        assert "emitted a str, not data: wrap it: Text(...)" in told[0]
        assert "emitted a int, not data" in told[1]
        assert "emitted a str" in told[2]
        assert "emitted on port 'nowhere'" in told[3]
        assert run.texts() == ["in a list"]


async def test_retries_know_the_class_of_the_error(
    workers: MemoryLaunch, clock: VirtualClock
) -> None:
    for kind, calls in (("ArithmeticError", 3), ("ValueError", 1)):
        retry = {"attempts": 3, "errors": [kind], "delay_ms": 1}
        graph = manifest("f:TestFail", f={"policy": {"retry": retry}})
        async with running(clock, graph) as run:
            await run.session.send(rm.Text("bad"))
            await sleep(clock, S)
            told = [json.loads(text)[0] for text in workers.alive[0].told]
            assert told.count("Call") == calls


async def test_a_node_that_cannot_be_opened_or_made(
    workers: MemoryLaunch, clock: VirtualClock
) -> None:
    with pytest.raises(NodeError, match="no model") as caught:
        async with running(clock, manifest("n:TestNoStart")):
            pass
    assert caught.value.node == "n"
    with pytest.raises(NodeError, match="cannot be made: KeyError"):
        async with running(clock, manifest("n:TestNoStart", n={"params": {"when": "made"}})):
            pass
    assert workers.alive == []


class NoStart(rm.Node):
    class Params(rm.Params, frozen=True):
        when: str = "open"

    def __init__(self, params: Any = None, **fields: object) -> None:
        super().__init__(params, **fields)
        if self.params.when == "made":
            raise KeyError("made")

    def open(self, ctx: rm.Context) -> None:
        raise OSError("no model")

    def process(self, data: rm.Data) -> rm.Data:
        return data


class Timed(rm.Node):
    """Tells of each text some time later; `cancel` takes back what was set last."""

    class Params(rm.Params, frozen=True):
        delay_ms: int = 100

    live_params = ("delay_ms",)
    input_caps = "text"
    output_caps = "text"

    def open(self, ctx: rm.Context) -> None:
        self.context = ctx

    def process(self, text: rm.Text) -> None:
        if text.text == "cancel":
            self.timer.cancel()
        else:
            self.timer = self.context.set_timer(self.params.delay_ms * 1000, text.text)

    def wake(self, token: str) -> Iterator[rm.Text]:
        yield rm.Text(f"woken {token}")


class Rates(rm.Node):
    """Tells of the format that it was told of."""

    input_caps = "audio"
    output_caps = "text"
    format = ""

    def reconfigure(self, ctx: rm.Context) -> None:
        self.format = str(ctx.inputs["in"])

    def process(self, audio: rm.Audio) -> rm.Text:
        return rm.Text(f"{self.format} {os.environ.get('RM_TEST', '')}")


class Both(rm.Node):
    """What belongs together."""

    input_caps: ClassVar = {"left": "text", "right": "text"}
    output_caps = "text"

    def process_joined(self, items: Any) -> rm.Text:
        return rm.Text("+".join(f"{port}={items[port].text}" for port in sorted(items)))


for _name, _cls in {
    "TestNoStart": NoStart,
    "TestTimed": Timed,
    "TestRates": Rates,
    "TestBoth": Both,
}.items():
    rm.node(_name)(_cls)


# -- the rest of a node's life ----------------------------------------------------------------


async def test_timers_of_the_session_wake_the_node(
    workers: MemoryLaunch, clock: VirtualClock
) -> None:
    async with running(clock, manifest("t:TestTimed")) as run:
        for text in ("a", "b", "cancel"):
            await run.session.send(rm.Text(text))
        await sleep(clock, 90_000)
        assert run.texts() == []
        await sleep(clock, 20_000)
        assert run.texts() == ["woken a"]
        await run.session.send(rm.Text("c"))
        await sleep(clock, 50_000)
        await run.session.interrupt()
        await sleep(clock, S)
        assert run.texts() == ["woken a"]


async def test_parameters_and_formats_reach_it(
    workers: MemoryLaunch, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RM_TEST", "")  # as it was, afterwards
    async with running(clock, manifest("t:TestTimed")) as run:
        await run.session.bus.set_params("t", delay_ms=10)
        await run.session.send(rm.Text("a"))
        await sleep(clock, 20_000)
        assert run.texts() == ["woken a"]
    graph = manifest("r:TestRates", r={"process": {"env": {"RM_TEST": "yes"}}})
    async with running(clock, graph) as run:
        for rate in (8_000, 16_000):
            await run.session.send(rm.Audio(np.zeros((1, 4), np.float32), rate))
        await sleep(clock, S)
        assert run.texts()[0] == " yes"
        assert "sample_rate=16000" in run.texts()[1]


async def test_what_belongs_together_arrives_together(
    workers: MemoryLaunch, clock: VirtualClock
) -> None:
    graph = manifest("b:TestBoth", b={"policy": {"join": {"mode": "zip"}}})
    async with running(clock, graph) as run:
        await run.session.send(rm.Text("1"), to="b:right")
        await run.session.send(rm.Text("2"), to="b:left")
        await sleep(clock, S)
        assert run.texts() == ["left=2+right=1"]


async def test_several_calls_at_once(workers: MemoryLaunch, clock: VirtualClock) -> None:
    slow = {"params": {"delay_ms": 100}, "policy": {"max_concurrency": 4}}
    async with running(clock, manifest("s:TestSlow", s=slow)) as run:
        for number in range(8):
            await run.session.send(rm.Text(str(number)))
        await sleep(clock, 210_000)
        assert run.texts() == [str(number) for number in range(8)]


async def test_a_source_runs_there(workers: MemoryLaunch, clock: VirtualClock) -> None:
    async with running(clock, manifest("c:TestCount", c={"params": {"count": 100}})) as run:
        await sleep(clock, S)
        assert run.texts() == [str(number) for number in range(100)]
    async with running(clock, manifest("c:TestTicks", c={"params": {"count": 9}})) as run:
        await sleep(clock, 70_000)
        await run.session.interrupt()
        await sleep(clock, S)
        assert run.texts() == [str(number) for number in range(9)]
        assert {packet.generation for packet in run.packets[3:]} == {1}


# -- groups and changes ----------------------------------------------------------------


async def test_a_group_shares_a_worker(workers: MemoryLaunch, clock: VirtualClock) -> None:
    groups = {name: {"process_group": group} for name, group in ("ag", "bh", "cg")}
    graph = manifest("a:PassThrough b:PassThrough c:PassThrough", "a b", "b c", **groups)
    async with running(clock, graph) as run:
        assert len(workers.all) == 2
        await run.session.send(rm.Text("x"))
        await sleep(clock, 2 * S)
        assert run.texts() == ["x"]
        assert len(workers.all) == 3  # one spare, for both are alike
    assert workers.alive == []


async def test_nodes_come_and_go(workers: MemoryLaunch, clock: VirtualClock) -> None:
    inline = manifest("a:PassThrough", executor="inline")
    spare = restarting(spare=False)
    async with running(clock, inline) as run:
        await run.session.send(rm.Text("1"))
        more = manifest("a:PassThrough b:PassThrough c:TestFail", "a b", "b c", b=spare, c=spare)
        more["nodes"][0]["executor"] = "inline"
        await run.session.apply(rm.Pipeline.load(more))
        assert len(workers.alive) == 2
        await run.session.send(rm.Text("2"))
        await sleep(clock, S)
        broken = manifest("a:PassThrough b:PassThrough n:TestNoStart", "a b", "b n", b=spare)
        broken["nodes"][0]["executor"] = "inline"
        with pytest.raises(NodeError, match="no model"):
            await run.session.apply(rm.Pipeline.load(broken))
        assert len(workers.alive) == 2
        await run.session.send(rm.Text("3"))
        await sleep(clock, S)
        await run.session.apply(rm.Pipeline.load(inline))
        assert workers.alive == []
        await run.session.send(rm.Text("4"))
        await sleep(clock, S)
        assert run.texts() == ["1", "2", "3", "4"]
        assert run.told("error") == []


# -- interrupts ----------------------------------------------------------------


async def test_an_interrupt_does_not_wait_for_a_worker(
    workers: MemoryLaunch, clock: VirtualClock
) -> None:
    graph = manifest("a:TestRepeat", a={"params": {"times": 5}})
    async with running(clock, graph) as run:
        stale = 0
        for number in range(100):
            worker = workers.alive[0]
            worker.freeze()
            await run.session.send(rm.Text(f"old {number}"))
            await sleep(clock, 1_000)
            before = clock.now_us()
            await run.session.interrupt()
            assert clock.now_us() == before
            worker.thaw()
            await run.session.send(rm.Text(f"new {number}"))
            await sleep(clock, 10_000)
            stale += sum(text.startswith("old") for text in run.texts())
        assert stale == 0
        assert run.texts() == [f"new {n}.{k}" for n in range(100) for k in range(5)]


async def test_an_async_call_is_cut_off_there(workers: MemoryLaunch, clock: VirtualClock) -> None:
    async with running(clock, manifest("s:TestSlow", s={"params": {"delay_ms": 1000}})) as run:
        await run.session.send(rm.Text("old"))
        await sleep(clock, 100_000)
        await run.session.interrupt()
        await run.session.send(rm.Text("new"))
        await sleep(clock, 1_050_000)
        assert Log.lines == ["cancelled old", "reset slow"]
        assert run.texts() == ["new"]


# -- supervision ----------------------------------------------------------------


async def test_a_worker_that_dies_is_started_again(
    workers: MemoryLaunch, clock: VirtualClock
) -> None:
    graph = manifest(
        "a:PassThrough t:TestTraced b:PassThrough", "a t", "t b", t=restarting(delay_ms=50)
    )
    async with running(clock, graph) as run:
        await sleep(clock, 2 * S)  # for the spare
        victim = workers.all[1]
        await run.session.send(rm.Text("1"))
        await sleep(clock, 10_000)
        victim.freeze()
        await run.session.send(rm.Text("2"))
        await sleep(clock, 10_000)
        victim.say(json.dumps(["Line", "last words", "err"]))
        await sleep(clock, 10_000)
        victim.die("trapped: unreachable")
        await run.session.send(rm.Text("3"))
        await sleep(clock, 40_000)
        assert run.texts() == ["1"]
        await sleep(clock, 20_000)
        assert run.texts() == ["1", "3"]
        death, lost = (event for event in run.events if event.kind == "error")
        assert isinstance(death.error, ProcessDiedError)
        assert death.error.code == "process_died"
        assert death.message == (
            "the worker of node 't' trapped: unreachable; its last lines:\n    last words"
        )
        assert (lost.node, lost.sequence) == ("t", 1)
        assert lost.message == (
            "an item is lost that was being worked on: the worker of node 't' trapped: unreachable"
        )
        assert run.told("restart") == [
            "the worker of node 't' trapped: unreachable; it is started again in 50 ms",
            "the worker of node 't' runs again",
        ]
        assert Log.lines.count("open t") == 2
        assert len(workers.alive) == 3  # the spare has taken its place
        await sleep(clock, S)
        assert len(workers.alive) == 4  # and has a successor
        await run.session.finish()
        await sleep(clock, S)
        assert run.texts() == ["1", "3", "tail of "]
    assert workers.alive == []


async def test_what_was_in_flight_is_given_again(
    workers: MemoryLaunch, clock: VirtualClock
) -> None:
    graph = manifest("t:TestTraced", t=restarting(redeliver=True, spare=False))
    async with running(clock, graph) as run:
        workers.all[0].freeze()
        await run.session.send(rm.Text("1"))
        await sleep(clock, 10_000)
        workers.all[0].die("ended by itself")
        await sleep(clock, S)
        assert run.texts() == ["1"]
        assert run.told("error") == ["the worker of node 't' ended by itself"]


async def test_a_source_begins_anew(workers: MemoryLaunch, clock: VirtualClock) -> None:
    graph = manifest("c:TestTicks", c={"params": {"count": 4}, **restarting(spare=False)})
    async with running(clock, graph) as run:
        await sleep(clock, 50_000)
        workers.all[0].die("trapped")
        await sleep(clock, 2 * S)
        assert run.texts() == ["0", "1", "0", "1", "2", "3"]


async def test_one_that_hangs_is_ended(workers: MemoryLaunch, clock: VirtualClock) -> None:
    graph = manifest("t:TestTraced", t=restarting(hang_timeout_ms=1_000, spare=False))
    async with running(clock, graph) as run:
        await run.session.send(rm.Text("1"))
        await sleep(clock, 60 * S)  # idle is not hung
        workers.all[0].freeze()
        await run.session.send(rm.Text("2"))
        await sleep(clock, 1_050_000)
        assert workers.alive == []
        assert run.told("error")[0] == (
            "the worker of node 't' made no progress for 1 s, longer than hang_timeout_ms allows"
        )
        await run.session.send(rm.Text("3"))
        await sleep(clock, S)
        assert run.texts() == ["1", "3"]


async def test_a_call_that_takes_long_but_waits_is_not_hung(
    workers: MemoryLaunch, clock: VirtualClock
) -> None:
    slow = {"params": {"delay_ms": 30_000}, **restarting(hang_timeout_ms=1_000)}
    async with running(clock, manifest("s:TestSlow", s=slow)) as run:
        await run.session.send(rm.Text("1"))
        await sleep(clock, 31 * S)
        assert run.texts() == ["1"]
        assert run.events == []


async def test_one_that_takes_too_much_memory(workers: MemoryLaunch, clock: VirtualClock) -> None:
    limit = {"process": {"memory_limit_mb": 50}, **restarting(spare=False)}
    async with running(clock, manifest("t:TestTraced", t=limit)) as run:
        workers.all[0].memory = 60 * 2**20
        await run.session.send(rm.Text("1"))
        await sleep(clock, S)
        assert run.told("error") == [
            "the worker of node 't' uses 60 MiB of the 50 MiB that memory_limit_mb allows"
        ]
        assert len(workers.all) == 2


async def test_one_that_dies_again_and_again_ends_the_session(
    workers: MemoryLaunch, clock: VirtualClock
) -> None:
    graph = manifest("t:TestTraced", t=restarting(max_restarts=3, delay_ms=100, spare=False))
    async with running(clock, graph) as run:
        waits = []
        for _ in range(4):
            workers.alive[0].die("trapped: out of memory")
            before = clock.now_us()
            while not workers.alive and run.failure is None:
                await sleep(clock, 10_000)
            waits.append((clock.now_us() - before) // 1000)
        assert waits[:3] == [100, 200, 400]
        assert isinstance(run.failure, SessionFailedError)
        assert isinstance(run.failure.__cause__, ProcessDiedError)
        for words in ("node 't'", "trapped: out of memory", "ended 4 times within 60 s"):
            assert words in str(run.failure)
    assert workers.alive == []


async def test_one_that_is_never_started_again(workers: MemoryLaunch, clock: VirtualClock) -> None:
    graph = manifest("t:TestTraced a:PassThrough", "t a", t=restarting(when="never"))
    async with running(clock, graph) as run:
        workers.all[0].die("ended by itself")
        await run.session.send(rm.Text("1"))
        await sleep(clock, S)
        assert run.failure is None
        assert run.told("error")[1] == (
            "the worker of node 't' ended by itself, and is not started again: restart is never"
        )
        await run.session.finish()
        await sleep(clock, S)
        assert run.texts() == []


async def test_what_is_behind_is_started_anew_too(
    workers: MemoryLaunch, clock: VirtualClock
) -> None:
    graph = manifest(
        "a:TestTraced b:TestTraced c:TestTraced d:TestTraced",
        "a b",
        "b c",
        "a d",
        b=restarting(strategy="rest_for_one", spare=False),
        c=restarting(spare=False),
        d=restarting(spare=False),
        a=restarting(spare=False),
    )
    async with running(clock, graph) as run:
        workers.all[1].die("trapped")
        await sleep(clock, S)
        assert sorted(Log.lines) == [f"open {name}" for name in "abbccd"]
        assert "the worker of node 'c' is started anew with the worker of node 'b'" in run.told(
            "error"
        )


async def test_one_that_is_not_ready_in_time(workers: MemoryLaunch, clock: VirtualClock) -> None:
    graph = manifest("t:TestTraced", t={"process": {"start_timeout_ms": 500}})

    class Frozen(MemoryWorker):
        frozen = True

        def post(self, text: str, frame: bytes | None = None) -> None:
            pass

    workers.kind = Frozen
    with pytest.raises(ProcessDiedError, match=r"did not open its nodes within 0.5 s"):
        async with running(clock, graph):
            pass
    assert (clock.now_us(), workers.alive) == (500_000, [])


async def test_a_death_while_it_is_opened(workers: MemoryLaunch, clock: VirtualClock) -> None:
    opening = asyncio.ensure_future(_open(clock, manifest("s:TestOpensSlowly")))
    await sleep(clock, 10_000)
    workers.all[0].die("cannot be started: no such file")
    with pytest.raises(ProcessDiedError, match="'s' cannot be started: no such file"):
        await opening
    assert workers.alive == []


async def test_a_node_tells_how_far_it_is(workers: MemoryLaunch, clock: VirtualClock) -> None:
    async with running(clock, manifest("s:TestOpensSlowly")) as run:
        await sleep(clock, 1)
        assert run.told("progress") == ["loading a model (50%)"]


async def _open(clock: VirtualClock, graph: dict[str, Any]) -> None:
    async with running(clock, graph):
        pass


@rm.node("TestOpensSlowly")
class OpensSlowly(rm.Node):
    async def open(self, ctx: rm.Context) -> None:
        ctx.progress("loading a model", 0.5)
        await sleep(ctx.clock, S)

    async def process(self, data: rm.Data) -> rm.Data:
        return data


async def test_a_closing_does_not_wait_for_one_that_hangs(
    workers: MemoryLaunch, clock: VirtualClock
) -> None:
    graph = manifest("a:TestTraced b:TestTraced c:PassThrough", "a b", "b c")
    async with running(clock, graph) as run:
        workers.all[0].freeze()
        workers.all[1].freeze()
        before = clock.now_us()
        closing = run
    assert clock.now_us() - before <= 1_200_000
    assert closing.told("error") == [
        f"the worker of node {name!r} did not close within 1.2 s and was ended" for name in "ab"
    ]
    assert workers.alive == []


async def test_twenty_sessions_leave_no_worker(workers: MemoryLaunch, clock: VirtualClock) -> None:
    for moment in range(20):
        async with running(clock, manifest("a:TestTraced b:TestSlow", "a b")) as run:
            await run.session.send(rm.Text("x"))
            await sleep(clock, moment * 100_000)
        assert workers.alive == []
    assert len(workers.all) > 40


async def test_what_is_too_large(workers: MemoryLaunch, clock: VirtualClock) -> None:
    graph = manifest("t:TestRepeat", t={"process": {"max_message_mb": 0.001}})
    async with running(clock, graph) as run:
        await run.session.send(rm.Text("x" * 2_000))
        await run.session.send(rm.Text("y"))
        await sleep(clock, S)
        (told,) = run.told("error")
        assert "larger than the 0.001 MiB that max_message_mb of the process of node 't'" in told
        assert run.texts() == ["y.0", "y.1"]


def test_what_means_nothing_in_a_page_is_a_warning(workers: MemoryLaunch) -> None:
    graph = manifest("a:PassThrough", a={"process": {"threads": 2, "env": {"A": "b"}}})
    (warning,) = rm.Pipeline.load(graph).validate()
    assert str(warning) == (
        "nodes[0].process.threads: threads has no effect here: a worker of a page is one thread"
    )
