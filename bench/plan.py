"""What the plan costs: five gains over 20 ms blocks, against direct calls and against peers.

Every system does the same work: 960 float32 samples (48 kHz, mono) times a factor, five times,
each time into a fresh array (GStreamer: in place, which is its best). All take turns in one run,
forwards and backwards.

Other programs disturb the machine. So a round is nine short turns of each system, of which the
quickest counts; ratios are taken within a round, and their median is reported. What is compared
with direct calls finely, `run`, is measured in CPU time (wall time in Pyodide, which has no other),
each turn between two turns of direct calls; it counts only if these two agree within 5 %, because
what shares a physical core with us halves our speed, for milliseconds.

- *direct*: nested calls of the `process` of the very node objects of a `Run`, and nothing else.
- *run*: `Pipeline.run`. *run, arrays*: the same from array to array, an `Audio` made per block;
  this is what peers are compared with, for they too wrap their blocks and unwrap them.
- *session*: `Session.stream`. *queues*: a task per node, an `asyncio.Queue` of 64 before each.
- peers: see bench/peers.

One in flight: the time from giving a block in to having it out, nothing else in the system.

    .venv/bin/python bench/plan.py                    # installs the peers on first use
    .venv/bin/python bench/plan.py --no-peers
    .venv/bin/python bench/plan.py --pyodide          # direct and run, inside Pyodide under Node
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack
from functools import partial
from itertools import islice, pairwise, repeat
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

import numpy as np
from harness.build import build_wheel, output_of
from harness.peer import Peer, environments
from harness.report import REPOSITORY, Report, machine, quartiles, ratios, spread, versions
from peers.serve import FRAMES, NODES, RATE, Work, chunk_bytes

import remotemedia as rm
from remotemedia.session.chain import FOLD_ROWS
from remotemedia.session.run import Run

GAIN_DB = -0.1
FACTOR = np.float32(10 ** (GAIN_DB / 20))
CHUNKS = 1024  # per turn: a whole period after which a run sorts its clock readings
PEER_CHUNKS = {"pipecat": 64, "streamz": 512}  # all turns are about as long
TURNS = 9  # per round
WARM_UP = 64
AGREE = 0.05
MIN_PAIRS = 9
SINGLES = 256  # one in flight, per round
BUDGET_US = {"CPython": 0.4, "Pyodide": 1.0}  # framework overhead per node
assert CHUNKS % FOLD_ROWS == 0
MIN_OF_DIRECT, AIM_OF_DIRECT, MIN_OF_PIPECAT = 0.75, 0.85, 20


def make_pipeline() -> rm.Pipeline:
    """Five gains in a row."""
    pipeline = rm.Pipeline()
    for number in range(NODES):
        pipeline.add("Gain", id=f"g{number}", gain_db=GAIN_DB)
        if number:
            pipeline.connect(f"g{number - 1}", f"g{number}")
    return pipeline


SAMPLES = np.frombuffer(chunk_bytes(), np.float32).reshape(1, FRAMES)
BLOCK = rm.Audio(SAMPLES, RATE)
PIPELINE = make_pipeline()
# The same objects, on purpose: other instances could differ in where they lie in memory.
PROCESS = [node.process for node in PIPELINE.run()._nodes.values()]


# -- in this process ---------------------------------------------------------------------------


def direct_stream(chunks: int) -> float:
    """Nested calls and nothing else."""
    start = perf_counter()
    direct_calls(chunks)
    return perf_counter() - start


def direct_calls(chunks: int) -> None:
    """What `direct` is."""
    a, b, c, d, e = PROCESS
    block = BLOCK
    for _ in range(chunks):
        e(d(c(b(a(block)))))


def direct_single(chunks: int) -> list[float]:
    """Each block by itself."""
    a, b, c, d, e = PROCESS
    times = []
    for _ in range(chunks):
        start = perf_counter()
        e(d(c(b(a(BLOCK)))))
        times.append(perf_counter() - start)
    return times


def started_run(chunks: int) -> Run:
    """A run in its stride, with so many chunks to come: setting up is `set_up`'s."""
    run = PIPELINE.run(repeat(BLOCK, WARM_UP + chunks))
    for _ in range(WARM_UP):
        next(run)
    return run


def run_stream(chunks: int) -> float:
    """`Pipeline.run`, to the end."""
    run = started_run(chunks)
    start = perf_counter()
    for _packet in run:
        pass
    elapsed = perf_counter() - start
    assert all(node.count == WARM_UP + chunks for node in run.metrics().nodes)
    return elapsed


def run_and_direct() -> tuple[float, float] | None:
    """CPU time per block by direct calls and by a run, s; None if the machine was not even."""
    run = started_run(CHUNKS + 1)
    times = [thread_time()]
    direct_calls(CHUNKS)
    times.append(thread_time())
    for _packet in islice(run, CHUNKS):  # the end is a part of setting up
        pass
    times.append(thread_time())
    direct_calls(CHUNKS)
    times.append(thread_time())
    run.close()
    before, ours, after = (end - start for start, end in pairwise(times))
    if abs(before - after) > AGREE * min(before, after):
        return None
    return (before + after) / 2 / CHUNKS, ours / CHUNKS


def run_single(chunks: int) -> list[float]:
    """A run hands out each packet before it takes the next block."""
    run = started_run(chunks)
    times = []
    for _ in range(chunks):
        start = perf_counter()
        next(run)
        times.append(perf_counter() - start)
    run.close()
    return times


def run_arrays(chunks: int) -> float:
    """`Pipeline.run` as a program uses it: arrays in, arrays out."""
    packets = PIPELINE.run(rm.Audio(samples, RATE) for samples in repeat(SAMPLES, WARM_UP + chunks))
    for _ in range(WARM_UP):
        next(packets)
    start = perf_counter()
    for packet in packets:
        packet.data.samples  # noqa: B018 - the client looks at them
    return perf_counter() - start


def set_up(times: int) -> list[float]:
    """From a pipeline to its first packet, and to the end."""
    durations = []
    for _ in range(times):
        start = perf_counter()
        for _packet in PIPELINE.run([BLOCK]):
            pass
        durations.append(perf_counter() - start)
    return durations


async def session_stream(chunks: int) -> float:
    """`Session.stream`, open beforehand."""
    async with PIPELINE.session() as session:
        start = perf_counter()
        async for _packet in session.stream(repeat(BLOCK, chunks)):
            pass
        return perf_counter() - start


async def session_single(chunks: int) -> list[float]:
    """`send` and wait for the packet."""
    times = []
    async with PIPELINE.session() as session:
        outputs = session.outputs()
        for _ in range(chunks):
            start = perf_counter()
            await session.send(BLOCK)
            await anext(outputs)
            times.append(perf_counter() - start)
    return times


class QueueChain:
    """A task per node and a queue before each: what one writes without a framework."""

    def __init__(self, capacity: int) -> None:
        self.queues: list[asyncio.Queue[Any]] = [asyncio.Queue(capacity) for _ in range(NODES + 1)]
        self.tasks = [
            asyncio.create_task(self._work(process, *self.queues[number : number + 2]))
            for number, process in enumerate(PROCESS)
        ]

    async def __aenter__(self) -> QueueChain:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)

    @staticmethod
    async def _work(
        process: Callable[[Any], Any], source: asyncio.Queue[Any], target: asyncio.Queue[Any]
    ) -> None:
        while True:
            await target.put(process(await source.get()))


async def queues_stream(chunks: int, capacity: int = 64) -> float:
    """Feed and read at the same time."""
    async with QueueChain(capacity) as chain:

        async def feed() -> None:
            for _ in range(chunks):
                await chain.queues[0].put(BLOCK)

        start = perf_counter()
        feeder = asyncio.create_task(feed())
        for _ in range(chunks):
            await chain.queues[-1].get()
        elapsed = perf_counter() - start
        await feeder
    return elapsed


async def queues_single(chunks: int) -> list[float]:
    """One in flight."""
    times = []
    async with QueueChain(1) as chain:
        for _ in range(chunks):
            start = perf_counter()
            await chain.queues[0].put(BLOCK)
            await chain.queues[-1].get()
            times.append(perf_counter() - start)
    return times


# -- rounds ------------------------------------------------------------------------------------


class System:
    """One way to do the work, and the times that it took.

    Attributes
    ----------
    seconds : list of float
        Per block, the quickest turn of each round.
    singles : list of float
        One in flight, s, of all rounds.
    """

    def __init__(self, stream: Work, single: Work | None = None, chunks: int = CHUNKS) -> None:
        self.stream = stream
        self.single = single
        self.chunks = chunks
        self.seconds: list[float] = []
        self.singles: list[float] = []
        self._turns: list[float] = []

    def take_turn(self) -> None:
        """Stream."""
        self.stream(WARM_UP)  # whoever ran before has filled the caches
        elapsed = self.stream(self.chunks)
        assert isinstance(elapsed, float)
        self._turns.append(elapsed / self.chunks)

    def end_round(self) -> None:
        """Keep the quickest turn, and see how long single blocks take."""
        self.seconds.append(min(self._turns))
        self._turns.clear()
        if self.single is not None:
            times = self.single(SINGLES)
            assert isinstance(times, list)
            self.singles += times

    def figures(self) -> dict[str, object]:
        """Of all rounds, µs."""
        found: dict[str, object] = {
            "us_per_chunk": quartiles([second * 1e6 for second in self.seconds]),
            "chunks_per_s": 1 / statistics.median(self.seconds),
        }
        if self.singles:
            found["one_in_flight_us"] = spread([second * 1e6 for second in self.singles])
        return found


def in_loop(work: Callable[[int], Awaitable[Any]]) -> Work:
    """Make plain work of a coroutine function, by a loop of its own."""
    return lambda chunks: asyncio.run(work(chunks))  # type: ignore[arg-type]


def own_systems(loops: bool) -> dict[str, System]:
    """What runs in this process."""
    works: dict[str, tuple[Work, Work | None]] = {
        "direct": (direct_stream, direct_single),
        "run": (run_stream, run_single),
        "run, arrays": (run_arrays, None),
    }
    if loops:
        works["session"] = in_loop(session_stream), in_loop(session_single)
        works["queues"] = in_loop(queues_stream), in_loop(queues_single)
    return {name: System(*work) for name, work in works.items()}


PEER_SYSTEMS = {
    "pipecat": ("pipecat", "default_stream", "default_single"),
    "pipecat, tuned": ("pipecat", "tuned_stream", "tuned_single"),
    "pipecat, direct mode": ("pipecat", "direct_stream", "direct_single"),
    "gstreamer": ("gstreamer", "stream", "single"),
    "gstreamer, lists of 16": ("gstreamer", "lists", None),
    "streamz": ("streamz", "stream", "single"),
}
"""Name → the peer, and what it is asked for."""


def peer_systems(peers: dict[str, Peer]) -> dict[str, System]:
    """What runs in other environments."""
    return {
        name: System(
            partial(peers[peer].ask, stream),
            partial(peers[peer].ask, single) if single else None,
            PEER_CHUNKS.get(peer, CHUNKS),
        )
        for name, (peer, stream, single) in PEER_SYSTEMS.items()
    }


def check_same_work(peers: Iterable[Peer]) -> None:
    """All compute the same; GStreamer may round differently."""
    expected = BLOCK
    for process in PROCESS:
        expected = process(expected)
    (packet,) = PIPELINE.run([BLOCK])
    np.testing.assert_array_equal(packet.data.samples, expected.samples)
    for peer in peers:
        result = np.frombuffer(peer.result, np.float32)
        np.testing.assert_allclose(result, expected.samples[0], rtol=1e-6, err_msg=peer.name)


Pairs = list[tuple[float, float]]
"""Seconds per block by direct calls and by a run, of turns on an evenly loaded machine."""


def take_rounds(systems: dict[str, System], rounds: int) -> Pairs:
    """Everyone in turn, forwards and backwards, so that nobody always follows the same one.

    Raises
    ------
    RuntimeError
        The machine was hardly ever even.
    """
    order = list(systems.values())
    pairs = []
    for number in range(rounds * TURNS):
        for system in order if number % 2 else reversed(order):
            system.take_turn()
        pair = run_and_direct()
        if pair is not None:
            pairs.append(pair)
        if (number + 1) % TURNS == 0:
            for system in order:
                system.end_round()
    if len(pairs) < MIN_PAIRS:
        raise RuntimeError(f"the machine was even in {len(pairs)} turns only: try again")
    return pairs


def compare(systems: dict[str, System], pairs: Pairs) -> dict[str, dict[str, float]]:
    """Rate of ours by that of each: of `run`, and for peers of `run, arrays`."""
    compared = {}
    for name, system in systems.items():
        ours = systems["run, arrays" if name in PEER_SYSTEMS else "run"]
        compared[name] = ratios(ours.seconds, system.seconds)
    compared["direct"] = quartiles([direct / run for direct, run in pairs])
    return compared


# -- reports -----------------------------------------------------------------------------------


def add_results(report: Report, systems: dict[str, System], pairs: Pairs, world: str) -> None:
    """The table, the ratios and the claims."""
    compared = compare(systems, pairs)
    rows = []
    for name, system in systems.items():
        ratio = compared[name]
        us = quartiles([second * 1e6 for second in system.seconds])
        rate = f"{1e6 / us['p50']:,.0f}"
        one = spread([second * 1e6 for second in system.singles]) if system.singles else None
        rows.append(
            [
                name,
                rate,
                *(f"{us[key]:.2f}" for key in ("p50", "p25", "p75")),
                *(f"{one[key]:.1f}" if one else "" for key in ("p50", "p99", "max")),
                f"{ratio['p50']:.3f}",
                f"{ratio['p25']:.3f}–{ratio['p75']:.3f}",
            ]
        )
    head = ["system", "chunks/s", "µs/chunk", "p25", "p75", "1 in flight p50 µs", "p99", "max"]
    report.table([*head, "ours ÷ it", "p25–p75"], rows)
    overhead = quartiles([(run - direct) / NODES * 1e6 for direct, run in pairs])
    report.body["systems"] = {name: system.figures() for name, system in systems.items()}
    report.body["rate_of_ours_by_theirs"] = compared
    report.body["overhead_us_per_node"] = overhead
    report.body["set_up_ms"] = spread([second * 1e3 for second in set_up(101)])
    print(f"set-up, one block and tear-down of a run: {report.body['set_up_ms']['p50']:.3f} ms")
    print(f"run between direct calls, turns on an evenly loaded machine: {len(pairs)}")
    what = f"rate of Pipeline.run ÷ direct calls (aim {AIM_OF_DIRECT})"
    report.claim(what, compared["direct"]["p50"], at_least=MIN_OF_DIRECT)
    report.claim(
        "framework overhead per node", overhead["p50"], at_most=BUDGET_US[world], unit=" µs"
    )
    if "pipecat" in compared:
        report.claim("rate ÷ pipecat", compared["pipecat"]["p50"], at_least=MIN_OF_PIPECAT)
        report.claim("rate ÷ GStreamer from Python", compared["gstreamer"]["p50"], at_least=1)


def native(options: argparse.Namespace) -> int:
    """CPython, with peers."""
    with ExitStack() as stack:
        peers = {}
        if options.peers:
            peers = {
                name: stack.enter_context(Peer(name, python, repr(float(FACTOR))))
                for name, python in environments().items()
            }
        check_same_work(peers.values())
        known = versions("numpy", "msgspec")
        for peer in peers.values():
            known |= {f"{peer.name}'s {key}": value for key, value in peer.versions.items()}
        report = Report(
            "plan",
            versions=known,
            n=f"{options.rounds} rounds × {TURNS} turns × {CHUNKS} chunks "
            f"({PEER_CHUNKS}), one in flight {options.rounds} × {SINGLES}",
        )
        systems = own_systems(loops=True) | peer_systems(peers) if peers else own_systems(True)
        pairs = take_rounds(systems, options.rounds)
    add_results(report, systems, pairs, "CPython")
    return report.end(options.json)


def in_pyodide(options: argparse.Namespace) -> int:
    """Run this script again, on the built wheel inside Pyodide."""
    wheel = build_wheel()
    dist = output_of(sys.executable, REPOSITORY / "scripts" / "pyodide_dist.py")
    host = {**machine(), "node": output_of("node", "--version")}
    print("Pyodide under Node:", ", ".join(f"{key} {value}" for key, value in host.items()))
    runner = REPOSITORY / "bench" / "harness" / "pyodide.mjs"
    with tempfile.TemporaryDirectory() as out:
        inside = ["plan.py", "--inside-pyodide", f"--rounds={options.rounds}", "--json=/out/json"]
        status = subprocess.call(["node", runner, dist, wheel, out, *inside])
        found = Path(out) / "json"
        if options.json and found.is_file():
            body = {**json.loads(found.read_text()), "host": host}
            options.json.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n")
    return status


def inside_pyodide(options: argparse.Namespace) -> int:
    """Do what `in_pyodide` asks for."""
    check_same_work([])
    report = Report(
        "plan-pyodide",
        versions=versions("numpy", "msgspec"),
        n=f"{options.rounds} rounds × {TURNS} turns × {CHUNKS} chunks, "
        f"one in flight {options.rounds} × {SINGLES}",
    )
    systems = own_systems(loops=False)
    pairs = take_rounds(systems, options.rounds)
    add_results(report, systems, pairs, "Pyodide")
    return report.end(options.json)


def main() -> int:
    """Run; exit code 1 if a claim is not met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--no-peers", dest="peers", action="store_false")
    parser.add_argument("--pyodide", action="store_true", help="inside Pyodide under Node")
    parser.add_argument("--inside-pyodide", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    options = parser.parse_args()
    if options.inside_pyodide:
        return inside_pyodide(options)
    return in_pyodide(options) if options.pyodide else native(options)


if __name__ == "__main__":
    sys.exit(main())
