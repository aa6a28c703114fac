"""What a live session costs while things are done to it: policies, edits, barge-in, watchers.

- *policies*: five nodes that do nothing, with and without time-out, retry and circuit breaker on
  every node, by `Pipeline.run` and by `Session`. Like bench/plan.py: a round is several short turns
  of each, of which the quickest counts; differences are taken within a round.
- *edits*: a session of ten nodes, a block of 20 ms every 20 ms of real time; its graph is changed
  1,000 times meanwhile, at random moments. No change touches two of its three branches: what they
  deliver must be complete, and no later than one block.
- *barge-in*: 1,000 interrupts at random moments, by inline and by async nodes in turn.
- *watchers*: the same session plain, with a tap, a subscriber, an observer, and an intercept.

Delays are of real time on a shared machine: beside the edits stands the same session without any.

    .venv/bin/python bench/live.py
    .venv/bin/python bench/live.py --pyodide       # policies of Pipeline.run, inside Pyodide
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import repeat
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from harness.build import run_in_pyodide
from harness.report import Report, quartiles, spread, versions

import remotemedia as rm
from remotemedia.clock import SystemClock, sleep
from remotemedia.manifest import CircuitBreaker, Policy, Retry

NODES = 5
CHUNKS = 1024  # per turn: a whole number of periods of sorting clock readings
TURNS = 7  # per round
BLOCK_US = 20_000
BLOCK = rm.Audio(np.zeros((1, 960), np.float32), 48_000)
ALL = Policy(timeout_ms=1000, retry=Retry(), circuit_breaker=CircuitBreaker())
MAX_POLICY_US = 1.0  # per node
CLOCK = SystemClock()


@rm.node("BenchPass")
class Pass(rm.Node):
    """Gives back what it is given."""

    def process(self, data: rm.Data) -> rm.Data:
        """Nothing else."""
        return data


@rm.node("BenchAsync")
class Async(rm.Node):
    """The same after some real time; longer than a call, shorter than a block."""

    class Params(rm.Params, frozen=True):
        """How long."""

        delay_us: int = 0

    params: Params

    async def process(self, data: rm.Data) -> rm.Data:
        """Wait, if asked to."""
        if self.params.delay_us:
            await sleep(CLOCK, self.params.delay_us)
        return data


@rm.node("BenchStream")
class Stream(rm.Node):
    """Async: several items, with time between them."""

    async def process(self, data: rm.Data) -> AsyncIterator[rm.Data]:
        """Three of them."""
        for _ in range(3):
            await sleep(CLOCK, 300)
            yield data


# -- policies ----------------------------------------------------------------------------------


def chain(kind: str, policy: Policy | None) -> rm.Pipeline:
    """Nodes in a row, all with that policy."""
    pipeline = rm.Pipeline()
    for number in range(NODES):
        pipeline.add(kind, id=f"n{number}", policy=policy)
        if number:
            pipeline.connect(f"n{number - 1}", f"n{number}")
    return pipeline


def run_turn(pipeline: rm.Pipeline) -> Callable[[], float]:
    """Seconds of `Pipeline.run` per block."""

    def turn() -> float:
        packets = pipeline.run(repeat(BLOCK, 64 + CHUNKS))
        for _ in range(64):
            next(packets)
        start = perf_counter()
        for _packet in packets:
            pass
        return (perf_counter() - start) / CHUNKS

    return turn


def session_turn(
    pipeline: rm.Pipeline, prepare: Callable[[rm.Session], Any] | None = None
) -> Callable[[], float]:
    """Seconds of `Session.stream` per block."""

    async def stream() -> float:
        async with pipeline.session() as session:
            beside = prepare(session) if prepare is not None else None
            start = perf_counter()
            async for _packet in session.stream(repeat(BLOCK, CHUNKS)):
                pass
            elapsed = perf_counter() - start
        if isinstance(beside, asyncio.Task):
            await beside
        return elapsed / CHUNKS

    return lambda: asyncio.run(stream())


def take_rounds(turns: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """µs per block of each, the quickest turn of each round; in turn, forwards and backwards."""
    kept: dict[str, list[float]] = {name: [] for name in turns}
    order = list(turns)
    for number in range(rounds):
        best = dict.fromkeys(turns, float("inf"))
        for count in range(TURNS):
            for name in order if (count + number) % 2 else reversed(order):
                best[name] = min(best[name], turns[name]())
        for name, seconds in best.items():
            kept[name].append(seconds * 1e6)
    return kept


def differences(more: list[float], less: list[float], nodes: int = 1) -> dict[str, float]:
    """Quartiles of what one costs more than another, round by round, per node."""
    return quartiles([(a - b) / nodes for a, b in zip(more, less, strict=True)])


def measure_policies(report: Report, rounds: int, sessions: bool) -> None:
    """Part (a), and (e) with it."""
    turns = {}
    for name, policy in (("unused", None), ("used", ALL)):
        turns[f"run, {name}"] = run_turn(chain("BenchPass", policy))
        if sessions:
            turns[f"session, {name}"] = session_turn(chain("BenchPass", policy))
            turns[f"session, async, {name}"] = session_turn(chain("BenchAsync", policy))
    kept = take_rounds(turns, rounds)
    rows = []
    for way in ("run", "session", "session, async") if sessions else ("run",):
        unused, used = kept[f"{way}, unused"], kept[f"{way}, used"]
        more = differences(used, unused, NODES)
        report.body[f"policies: {way}"] = {
            "us_per_packet_unused": quartiles(unused),
            "us_per_packet_used": quartiles(used),
            "us_more_per_node": more,
        }
        cells = [quartiles(unused)["p50"], quartiles(used)["p50"], more["p50"]]
        noise = f"{more['p25']:.3f}–{more['p75']:.3f}"
        rows.append([way, *(f"{value:.3f}" for value in cells), noise])
        if way != "session, async":
            report.claim(
                f"time-out, retry and breaker on every node, {way}: more per node",
                more["p50"],
                at_most=MAX_POLICY_US,
                unit=" µs",
            )
    report.table(["five nodes", "µs/packet", "with policies", "more per node", "p25–p75"], rows)


# -- edits -------------------------------------------------------------------------------------

BRANCHES = {"a3": "inline", "c3": "async"}  # that no change touches


def ten_nodes() -> rm.Pipeline:
    """Three branches of three nodes behind one."""
    pipeline = rm.Pipeline()
    kinds = {"a": "BenchPass", "b": "BenchPass", "c": "BenchAsync"}
    pipeline.add("BenchPass", id="in")
    for branch, kind in kinds.items():
        before = "in"
        for number in (1, 2, 3):
            name = pipeline.add(kind if number == 2 else "BenchPass", id=f"{branch}{number}")
            pipeline.connect(before, name)
            before = name
    return pipeline


def change(pipeline: rm.Pipeline, rng: random.Random) -> None:
    """Something of branch b, or a branch beside it."""
    there = {node.id for node in pipeline.manifest.nodes}
    what = rng.randrange(4)
    if what == 0:
        pipeline.replace("b2", rng.choice(["BenchPass", "BenchAsync"]))
    elif what == 1 and "x" not in there:
        pipeline.disconnect("b1", "b2")
        pipeline.add(rng.choice(["BenchPass", "BenchAsync"]), id="x")
        pipeline.connect("b1", "x").connect("x", "b2")
    elif what == 2 and "x" in there:
        pipeline.remove("x").connect("b1", "b2")
    elif "y" in there:
        pipeline.remove("y")
    else:
        pipeline.add("BenchPass", id="y")
        pipeline.connect("b1", "y")


async def run_edits(edits: int, blocks: int) -> tuple[list[float], dict[str, list[float]], int]:
    """Durations of edits, delays by branch, both in ms, and how many blocks were sent.

    Without edits, so many blocks are sent.
    """
    rng = random.Random(7)
    delays: dict[str, list[float]] = {name: [] for name in BRANCHES}
    durations: list[float] = []
    done = asyncio.Event()
    sent = 0

    async def feed(session: rm.Session) -> None:
        nonlocal sent
        due = CLOCK.now_us()
        while not done.is_set() if edits else sent < blocks:
            await session.send(BLOCK)
            sent += 1
            due += BLOCK_US
            await sleep(CLOCK, due - CLOCK.now_us())
        await session.finish()

    async def read(session: rm.Session) -> None:
        async for packet in session.outputs():
            if packet.node in delays:
                delays[packet.node].append((CLOCK.wall_us() - packet.timestamp_us) / 1000)

    async with ten_nodes().session() as session:
        reader, feeder = asyncio.create_task(read(session)), asyncio.create_task(feed(session))
        for _ in range(edits):
            await sleep(CLOCK, rng.randint(0, 2 * BLOCK_US))
            start = perf_counter()
            async with session.bus.edit() as pipeline:
                change(pipeline, rng)
            durations.append((perf_counter() - start) * 1000)
        done.set()
        await asyncio.wait([reader, feeder])
        for task in (reader, feeder):
            task.result()
    return durations, delays, sent


def measure_edits(report: Report, edits: int) -> None:
    """Part (b)."""
    durations, delays, sent = asyncio.run(run_edits(edits, 0))
    _, usual, usually_sent = asyncio.run(run_edits(0, max(50, sent // 4)))
    took = spread(durations)
    rows = [["an edit", *(f"{took[key]:.3f}" for key in ("p50", "p99", "max")), ""]]
    report.body["edits"] = {"duration_ms": took, "blocks": sent, "edits": edits}
    for name, kind in BRANCHES.items():
        now, before = spread(delays[name]), spread(usual[name])
        for what, found in (("without edits", before), ("with edits", now)):
            cells = (f"{found[key]:.3f}" for key in ("p50", "p99", "max"))
            lost = usually_sent - len(usual[name]) if found is before else sent - len(delays[name])
            rows.append([f"delay, {kind} branch, {what}", *cells, str(lost)])
        report.body[f"delay_ms: {kind} branch"] = {"without_edits": before, "with_edits": now}
        report.claim(
            f"longest delay of a packet on the {kind} branch less its usual one",
            now["max"] - before["p50"],
            at_most=BLOCK_US / 1000,
            unit=" ms",
        )
        report.claim(f"packets lost on the {kind} branch", sent - len(delays[name]), at_most=0)
    report.table(["ten nodes, real time, ms", "p50", "p99", "max", "lost"], rows)


# -- barge-in ----------------------------------------------------------------------------------

CHAINS = {
    "inline": ("BenchPass", "BenchPass", "BenchPass"),
    "async": ("BenchPass", "BenchAsync", "BenchPass"),
    "async, streaming": ("BenchAsync", "BenchStream", "BenchAsync"),
}


async def barge_in(kinds: tuple[str, ...], times: int) -> tuple[list[float], int, int]:
    """Durations of interrupts in ms; stale packets after them; packets that were dropped."""
    rng = random.Random(3)
    pipeline = rm.Pipeline()
    for number, kind in enumerate(kinds):
        params = {"delay_us": 500} if kind == "BenchAsync" else {}
        pipeline.add(kind, id=f"n{number}", **params)
        if number:
            pipeline.connect(f"n{number - 1}", f"n{number}")
    durations: list[float] = []
    stale = 0
    async with pipeline.session() as session:
        outputs = session.outputs()
        for _ in range(times):
            for _ in range(rng.randint(1, 8)):
                session.offer(BLOCK)
            await sleep(CLOCK, rng.choice((0, 0, rng.randint(0, 3_000))))
            while rng.random() < 0.5 and outputs.poll() is not None:
                pass
            start = perf_counter()
            await session.interrupt()
            durations.append((perf_counter() - start) * 1000)
            session.offer(BLOCK)
            packet = await anext(outputs)  # the first after the call
            stale += packet.generation < session.generation
            while (packet_or_none := outputs.poll()) is not None:
                stale += packet_or_none.generation < session.generation
        dropped = sum(sum(edge.dropped.values()) for edge in session.metrics().edges)
    return durations, stale, dropped


def measure_barge_in(report: Report, times: int) -> None:
    """Part (c)."""
    rows = []
    for name, kinds in CHAINS.items():
        durations, stale, dropped = asyncio.run(barge_in(kinds, times))
        took = spread(durations)
        report.body[f"barge-in: {name}"] = {"duration_ms": took, "stale": stale, "dropped": dropped}
        cells = (f"{took[key]:.3f}" for key in ("p50", "p99", "max"))
        rows.append([name, *cells, str(dropped), str(stale)])
        report.claim(f"stale packets after {times} interrupts, {name}", stale, at_most=0)
    report.table(["interrupt, ms", "p50", "p99", "max", "dropped", "stale"], rows)


# -- watchers ----------------------------------------------------------------------------------


class Watcher:
    """An observer that only counts."""

    def __init__(self) -> None:
        self.seen = 0

    def sent(self, packets: object) -> None:
        """See `Observer`."""
        self.seen += 1

    def received(self, packet: object) -> None:
        """See `Observer`."""
        self.seen += 1

    def interrupted(self, generation: int, from_node: str | None) -> None:
        """See `Observer`."""

    def finished(self) -> None:
        """See `Observer`."""


def subscribed(session: rm.Session) -> asyncio.Task[None]:
    """Somebody reads all of one port."""
    subscription = session.bus.subscribe("n2:out")

    async def read() -> None:
        async for _packet in subscription:
            pass

    return asyncio.create_task(read())


WATCHERS: dict[str, Callable[[rm.Session], Any] | None] = {
    "plain": None,
    "a tap": lambda session: session.tap("n2:out", lambda packet: None),
    "a subscriber": subscribed,
    "an observer": lambda session: session.observe(Watcher()),
    "an intercept": lambda session: session.bus.intercept("n2:out", lambda packet: packet.data),
}


def measure_watchers(report: Report, rounds: int) -> None:
    """Part (d)."""
    pipeline = chain("BenchPass", None)
    kept = take_rounds({name: session_turn(pipeline, p) for name, p in WATCHERS.items()}, rounds)
    rows = []
    for name, found in kept.items():
        more = differences(found, kept["plain"])
        report.body[f"watchers: {name}"] = {"us_per_packet": quartiles(found), "us_more": more}
        rows.append([name, f"{quartiles(found)['p50']:.3f}", f"{more['p50']:.3f}"])
    report.table(["session of five nodes", "µs/packet", "more"], rows)


# -- the whole ---------------------------------------------------------------------------------


def parts(options: argparse.Namespace, inside: bool) -> Iterator[Callable[[Report], None]]:
    """What is to be measured."""
    yield lambda report: measure_policies(report, options.rounds, sessions=not inside)
    if inside:
        return
    yield lambda report: measure_watchers(report, options.rounds)
    yield lambda report: measure_barge_in(report, options.times)
    yield lambda report: measure_edits(report, options.times)


def measure(options: argparse.Namespace, inside: bool = False) -> int:
    """Do it, and report."""
    report = Report(
        "live-pyodide" if inside else "live",
        versions=versions("numpy", "msgspec"),
        n=f"{options.rounds} rounds × {TURNS} turns × {CHUNKS} blocks; {options.times} edits, "
        f"{options.times} interrupts per graph",
    )
    for part in parts(options, inside):
        part(report)
    return report.end(options.json)


def main() -> int:
    """Run; exit code 1 if a claim is not met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--times", type=int, default=1_000, help="edits, and interrupts")
    parser.add_argument("--pyodide", action="store_true", help="inside Pyodide under Node")
    parser.add_argument("--inside-pyodide", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    options = parser.parse_args()
    if options.inside_pyodide:
        return measure(options, inside=True)
    if options.pyodide:
        inside = ("--inside-pyodide", f"--rounds={options.rounds}")
        return run_in_pyodide(Path(__file__).name, options.json, *inside)
    return measure(options)


if __name__ == "__main__":
    sys.exit(main())
