"""What the plan costs: five gains over 20 ms blocks, against direct calls and against peers.

Every system does the same work: 960 float32 samples (48 kHz, mono) times a factor, five times,
each time into a fresh array (GStreamer: in place, which is its best). All take turns in one run,
forwards and backwards.

Other programs disturb the machine. So a round is nine short turns of each system, of which the
quickest counts; ratios are taken within a round, and their median is reported. What is compared
with direct calls finely, `run`, is measured in CPU time, each turn between two turns of direct
calls; it counts only if these two agree within 5 %, because what shares a physical core with us
halves our speed, for milliseconds. Pyodide has no CPU time: there the quickest turns are compared.

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
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from harness import gains
from harness.build import run_in_pyodide
from harness.peer import Peer, environments
from harness.report import Report, quartiles, ratios, spread, versions
from peers.serve import NODES, Work

from remotemedia.session.chain import FOLD_ROWS

CHUNKS = 4096  # per turn, in its stride: 82 s of audio, four periods of sorting clock readings
PEER_CHUNKS = {"pipecat": 256, "streamz": 2048}  # all turns are about as long
TURNS = 9  # per round
AGREE = 0.05
MIN_PAIRS = 9
SINGLES = 256  # one in flight, per round
BUDGET_US = {"CPython": 0.4, "Pyodide": 1.0}  # framework overhead per node
assert CHUNKS % FOLD_ROWS == 0
cpu_time = getattr(time, "thread_time", None)  # Pyodide has none
MIN_OF_DIRECT, AIM_OF_DIRECT, MIN_OF_PIPECAT = 0.75, 0.85, 20


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
        self.stream(gains.WARM_UP)  # whoever ran before has filled the caches
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
        "direct": (gains.direct_stream, gains.direct_single),
        "run": (gains.run_stream, gains.run_single),
        "run, arrays": (gains.run_arrays, None),
    }
    if loops:
        works["session"] = in_loop(gains.session_stream), in_loop(gains.session_single)
        works["queues"] = in_loop(gains.queues_stream), in_loop(gains.queues_single)
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
    expected = gains.BLOCK
    for process in gains.PROCESS:
        expected = process(expected)
    (packet,) = gains.PIPELINE.run([gains.BLOCK])
    np.testing.assert_array_equal(packet.data.samples, expected.samples)
    for peer in peers:
        result = np.frombuffer(peer.result, np.float32)
        np.testing.assert_allclose(result, expected.samples[0], rtol=1e-6, err_msg=peer.name)


def run_and_direct() -> tuple[float, float] | None:
    """CPU time per block by direct calls and by a run, s; None if the machine was not even."""
    if cpu_time is None:
        return None
    run = gains.started_run(CHUNKS + 1)
    times = [cpu_time()]
    gains.direct_calls(CHUNKS)
    times.append(cpu_time())
    for _packet in islice(run, CHUNKS):  # the end is a part of setting up
        pass
    times.append(cpu_time())
    gains.direct_calls(CHUNKS)
    times.append(cpu_time())
    run.close()
    before, ours, after = (end - start for start, end in pairwise(times))
    if abs(before - after) > AGREE * min(before, after):
        return None
    return (before + after) / 2 / CHUNKS, ours / CHUNKS


Pairs = list[tuple[float, float]]
"""Seconds per block by direct calls and by a run, of turns that can be compared."""


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
    if cpu_time is None:
        return list(zip(systems["direct"].seconds, systems["run"].seconds, strict=True))
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
    report.body["set_up_ms"] = spread([second * 1e3 for second in gains.set_up(101)])
    print(f"set-up, one block and tear-down of a run: {report.body['set_up_ms']['p50']:.3f} ms")
    print(f"run beside direct calls, turns that can be compared: {len(pairs)}")
    what = f"rate of Pipeline.run ÷ direct calls (aim {AIM_OF_DIRECT})"
    report.claim(what, compared["direct"]["p50"], at_least=MIN_OF_DIRECT)
    report.claim(
        "framework overhead per node", overhead["p50"], at_most=BUDGET_US[world], unit=" µs"
    )
    if "pipecat" in compared:
        report.claim("rate ÷ pipecat", compared["pipecat"]["p50"], at_least=MIN_OF_PIPECAT)
        report.claim("rate ÷ GStreamer from Python", compared["gstreamer"]["p50"], at_least=1)


def how_many(rounds: int) -> str:
    """What was measured how often."""
    return f"{rounds} rounds × {TURNS} turns × {CHUNKS} chunks, one in flight {rounds} × {SINGLES}"


def native(options: argparse.Namespace) -> int:
    """CPython, with peers."""
    with ExitStack() as stack:
        peers = {}
        if options.peers:
            peers = {
                name: stack.enter_context(Peer(name, python, repr(float(gains.FACTOR))))
                for name, python in environments("pipecat", "gstreamer", "streamz").items()
            }
        check_same_work(peers.values())
        known = versions("numpy", "msgspec")
        for peer in peers.values():
            own, *others = (f"{key} {value}" for key, value in peer.versions.items())
            known[peer.name] = f"{own.split()[1]} ({', '.join(others)})"
        report = Report(
            "plan",
            versions=known,
            n=f"{how_many(options.rounds)}; chunks of slow peers {PEER_CHUNKS}",
        )
        systems = own_systems(loops=True) | peer_systems(peers) if peers else own_systems(True)
        pairs = take_rounds(systems, options.rounds)
    add_results(report, systems, pairs, "CPython")
    return report.end(options.json)


def inside_pyodide(options: argparse.Namespace) -> int:
    """What `--pyodide` has done, inside."""
    check_same_work([])
    report = Report(
        "plan-pyodide",
        versions=versions("numpy", "msgspec"),
        n=how_many(options.rounds),
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
    if options.pyodide:
        inside = ("--inside-pyodide", f"--rounds={options.rounds}")
        return run_in_pyodide(Path(__file__).name, options.json, *inside)
    return native(options)


if __name__ == "__main__":
    sys.exit(main())
