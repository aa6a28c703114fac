"""What nodes in processes of their own cost: latency, throughput, start-up, and doing nothing.

- *round trips*: a session with one node that hands its input on, in a process; one in flight. The
  floor is a round trip of raw iceoryx2 with its event (see harness/ipc.py). The scheduler's choice
  of core is worth more than what is compared, so all is measured twice: with the processes of a
  contestant on one core, and as the scheduler likes.
- *chain*: five gains, each in a process; against dora-rs and a Ray compiled graph of five Python
  processes that do the same (bench/peers), and against the same five in one process (*group*) and
  in none (*inline*); with our queues of 16 packets, and of 64 as dora has them. With 8 and 32 in
  flight, without a limit but our queues (*flood*), and one in flight. Everybody is started anew for
  each round and ended after it, so that nobody's idle processes take time from others, and luck
  with memory evens out.
- *crowd*: twice as many node processes as cores; round trips through one of them, while the others
  are idle, and while each is sent a block every 20 ms. Then all are left alone: CPU time of each.
- *start-up*: opening and closing sessions.

A session's loop is asyncio's (*session*), or ours, which answers bells while it waits (*bells*).

    .venv/bin/python bench/processes.py              # installs the peers on first use
    .venv/bin/python bench/processes.py --no-peers --only round-trips crowd
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from harness.chain import BLOCK, SAMPLES, WORKS, Contestant, by, chain
from harness.ipc import Link, Way
from harness.live import Live, children, cpu_seconds
from harness.peer import environments
from harness.report import Report, quartiles, spread, versions
from peers.serve import FRAMES, RATE

import remotemedia as rm

SIZES = {FRAMES * 4: 2000, 2**20: 300}  # bytes: round trips of a turn
TURNS = 3  # of a contestant, per round
MAX_TRIP_US, MAX_BY_FLOOR = 40, 1.3
MIN_OF_PEER = {"dora": 15, "ray": 10}
MAX_CROWD_US, MAX_IDLE_PERCENT = 300, 1


@contextmanager
def cores(chosen: set[int]) -> Iterator[None]:
    """Keep this process, and what it starts meanwhile, on these cores."""
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, chosen)
    try:
        yield
    finally:
        os.sched_setaffinity(0, usual)


def us(seconds: list[float]) -> dict[str, float]:
    """The spread of times, µs."""
    return spread([second * 1e6 for second in seconds])


def cells(found: dict[str, float], digits: int = 1) -> list[str]:
    """p50, p99 and max, to print."""
    return [f"{found[key]:,.{digits}f}" for key in ("p50", "p99", "max")]


# -- round trips -------------------------------------------------------------------------------

FLOOR, FLOOR_IN_LOOP = "raw iceoryx2, its event", "raw iceoryx2, its event, asyncio"
OURS = {"session": "process", "session, bells": "process", "session, inline": "inline"}


class Trips:
    """Round trips of one size: all contestants, in turn.

    Attributes
    ----------
    times : dict of str to list of float
        Of each, s.
    medians : dict of str to list of float
        Of the turns, s.
    """

    def __init__(self, size: int, root: str) -> None:
        self._size = size
        self._root = root
        self._made = 0
        names = (FLOOR, FLOOR_IN_LOOP, *OURS)
        self.times: dict[str, list[float]] = {name: [] for name in names}
        self.medians: dict[str, list[float]] = {name: [] for name in names}

    def run(self) -> None:
        """A round: new processes for everybody."""
        data = rm.Audio(np.resize(SAMPLES, self._size // 4), RATE)
        works: dict[str, Callable[[int], list[float]]] = {}
        with ExitStack() as stack:
            for name, loop in ((FLOOR, ""), (FLOOR_IN_LOOP, "asyncio")):
                self._made += 1
                unique = f"rmbench{os.getpid()}_{self._size}_{self._made}"
                way = Way("raw", self._size, loop, False, 1, unique, self._root)
                link = stack.enter_context(Link(way))
                works[name] = lambda n, link=link: [ns / 1e9 for ns in link.round_trips(n)]
            for name, kind in OURS.items():
                live = Live(chain(kind, 1, "PassThrough"), bells="bells" in name)
                stack.enter_context(live)
                live.rest()
                works[name] = lambda n, live=live: live.round_trips(data, n)
                works[name](10)
                np.testing.assert_array_equal(live.last, data.samples)
            for number in range(TURNS):
                for name in list(works) if number % 2 else list(reversed(works)):
                    works[name](SIZES[self._size] // 10)  # whoever ran before has filled the caches
                    times = works[name](SIZES[self._size])
                    self.times[name] += times
                    self.medians[name].append(statistics.median(times))

    def by(self, name: str, floor: str) -> dict[str, float]:
        """The ratio to a floor: of the medians over all; its quartiles are of turns."""
        pairs = zip(self.medians[name], self.medians[floor], strict=True)
        ratio = quartiles([mine / theirs for mine, theirs in pairs])
        middle = statistics.median(self.times[name]) / statistics.median(self.times[floor])
        return ratio | {"p50": middle}


def measure_trips(report: Report, rounds: int, root: str) -> None:
    """Part 1."""
    everywhere = os.sched_getaffinity(0)
    body: dict[str, object] = {}
    contests: dict[tuple[str, int], Trips] = {}
    for where, chosen in (("one core", {max(everywhere)}), ("scheduler's choice", everywhere)):
        for size in SIZES:
            trips = contests[where, size] = Trips(size, root)
            with cores(chosen):
                for _ in range(rounds):
                    trips.run()
            rows = []
            for name, times in trips.times.items():
                found, ratio = us(times), trips.by(name, FLOOR)
                body[f"{where}, {size} bytes, {name}"] = {"us": found, "by_floor": ratio}
                between = f"{ratio['p25']:.2f}–{ratio['p75']:.2f}"
                rows.append([name, str(found["n"]), *cells(found), f"{ratio['p50']:.2f}", between])
            print(f"\n{size:,} bytes, {where}")
            report.table(["round trip", "n", "p50 µs", "p99", "max", "÷ floor", "p25–p75"], rows)
    report.body["round_trips"] = body
    for (where, size), trips in contests.items():
        for name, floor in (("session", FLOOR), ("session, bells", FLOOR)):
            what = f"{where}, {size} bytes, {name}: round trip"
            if size == min(SIZES):
                p50 = statistics.median(trips.times[name]) * 1e6
                report.claim(what, p50, at_most=MAX_TRIP_US, unit=" µs")
            report.claim(f"{what} ÷ {floor}", trips.by(name, floor)["p50"], at_most=MAX_BY_FLOOR)


# -- chain -------------------------------------------------------------------------------------


def measure_chain(report: Report, rounds: int, share: float, pythons: dict[str, Path]) -> None:
    """Parts 2 and 6."""
    names = ("session", "session, queues of 64", "session, bells", "group", "inline")
    contestants = {name: Contestant(name) for name in names}
    contestants |= {name: Contestant(name, python) for name, python in pythons.items()}
    for number in range(rounds):
        for one in list(contestants.values())[:: 1 if number % 2 else -1]:
            one.run(share)
    ours = contestants["session"]
    rows, body = [], {}
    for name, one in contestants.items():
        rates = {work: quartiles(found) for work, found in one.rates.items()}
        found = us(one.singles)
        body[name] = {"chunks_per_s": rates, "one_in_flight_us": found, "lost": one.lost}
        body[name]["versions"] = one.versions
        ratio = quartiles(by(ours, "stream_8", one, "stream_8"))
        body[name]["rate_of_session_by_it_8_in_flight"] = ratio
        shown = [
            f"{rates[work]['p50']:,.0f}" if work in rates else "" for work in (*WORKS, "flood")
        ]
        between = f"{ratio['p50']:.2f} ({ratio['p25']:.2f}–{ratio['p75']:.2f})"
        rows.append([name, *shown, str(found["n"]), *cells(found, 0), between])
    report.body["chain"] = body
    head = ["five gains, chunks/s with", "8 in flight", "32", "flood", "1 in flight: n", "p50 µs"]
    report.table([*head, "p99", "max", "session ÷ it, 8"], rows)
    for name, one in contestants.items():
        if one.lost:
            print(f"{name} lost {one.lost:.0f} chunks")
    for name, least in MIN_OF_PEER.items():
        if name not in contestants:
            continue
        peer, deep = contestants[name], contestants["session, queues of 64"]
        for what, one, mine, theirs in (
            ("8 in flight", ours, "stream_8", "stream_8"),
            ("best against best", ours, ours.best(), peer.best()),
            ("the same, queues of 64", deep, deep.best(), peer.best()),
        ):
            ratio = statistics.median(by(one, mine, peer, theirs))
            words = f"five processes, rate ÷ {name}, {what} ({mine} by {theirs})"
            report.claim(words, ratio, at_least=least)


# -- crowd -------------------------------------------------------------------------------------


def measure_crowd(report: Report, rounds: int, count: int, idle_s: float) -> None:
    """Parts 3 and 4."""
    nodes = 2 * (os.cpu_count() or 1)
    times: dict[str, list[float]] = {"others idle": [], "others at 50 blocks/s": []}
    shares: list[float] = []
    others: list[float] = []
    for _ in range(rounds):
        with Live(chain("process", nodes, "PassThrough", linked=False)) as live:
            live.rest()
            live.round_trips(BLOCK, count // 10, "n0")
            times["others idle"] += live.round_trips(BLOCK, count, "n0")
            times["others at 50 blocks/s"] += live.beside(BLOCK, count // 4, "n0", nodes)
            live.rest()
            pids = live.pids()
            everyone = [*pids, *(pid for pid in children() if pid not in pids), os.getpid()]
            before = [cpu_seconds(pid) for pid in everyone]
            live.rest(idle_s)
            took = [cpu_seconds(pid) - was for pid, was in zip(everyone, before, strict=True)]
            shares += [seconds / idle_s for seconds in took[: len(pids)]]
            others += [seconds / idle_s for seconds in took[len(pids) :]]
    rows = []
    for name, found in times.items():
        rows.append([name, str(len(found)), *cells(us(found))])
    report.table([f"round trip, {nodes} processes", "n", "p50 µs", "p99", "max"], rows)
    percent = spread([100 * share for share in shares])
    rest = spread([100 * share for share in others])
    head = [f"CPU while idle for {idle_s:g} s, % of a core", "n", "p50", "p99", "max"]
    rows = [["process of a node", str(percent["n"]), *cells(percent, 3)]]
    rows.append(["spare, and the session's own", str(rest["n"]), *cells(rest, 3)])
    report.table(head, rows)
    report.body["crowd"] = {
        "nodes": nodes,
        "round_trip_us": {name: us(found) for name, found in times.items()},
        "idle_percent": percent,
        "idle_percent_of_spare_and_session": rest,
    }
    p99 = us(times["others idle"])["p99"]
    report.claim(f"round trip p99, {nodes} processes", p99, at_most=MAX_CROWD_US, unit=" µs")
    report.claim(
        "CPU of the busiest idle node", percent["max"], at_most=MAX_IDLE_PERCENT, unit=" %"
    )


# -- start-up ----------------------------------------------------------------------------------


def measure_start(report: Report, rounds: int) -> None:
    """Part 5."""
    kinds = {
        "1 inline": ("inline", 1),
        "5 inline": ("inline", 5),
        "1 process": ("process", 1),
        "5 processes": ("process", 5),
        "5 in one process": ("group", 5),
    }
    opened: dict[str, list[float]] = {name: [] for name in kinds}
    closed: dict[str, list[float]] = {name: [] for name in kinds}
    first: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, (kind, nodes) in kinds.items():
            with Live(chain(kind, nodes)) as live:
                opened[name].append(live.open_s * 1e3)
                first[name] += [second * 1e3 for second in live.round_trips(BLOCK, 1)]
                live.rest()
            closed[name].append(live.close_s * 1e3)
    rows = []
    for name in kinds:
        found = [spread(each[name]) for each in (opened, first, closed)]
        rows.append([name, str(rounds), *(text for each in found for text in cells(each))])
    head = ["gains", "n", "open p50 ms", "p99", "max", "first round trip p50 ms", "p99", "max"]
    report.table([*head, "close p50 ms", "p99", "max"], rows)
    report.body["start_up_ms"] = {
        name: {
            "open": spread(opened[name]),
            "first_round_trip": spread(first[name]),
            "close": spread(closed[name]),
        }
        for name in kinds
    }


PARTS = ("round-trips", "chain", "crowd", "start-up")


def main() -> int:
    """Run; exit code 1 if a claim is not met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--share", type=float, default=1.0, help="of the chunks of a chain's turn")
    parser.add_argument("--idle-s", type=float, default=10.0)
    parser.add_argument("--no-peers", dest="peers", action="store_false")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    options = parser.parse_args()
    wanted = [*MIN_OF_PEER] if options.peers and "chain" in options.only else []
    pythons = environments(*wanted) if wanted else {}
    report = Report(
        "processes",
        versions=versions("numpy", "msgspec", "iceoryx2"),
        n=f"{options.rounds} rounds; parts: {', '.join(options.only)}",
    )
    if "round-trips" in options.only:
        root = tempfile.mkdtemp(prefix="rmbench")
        measure_trips(report, options.rounds, root)
        shutil.rmtree(root, ignore_errors=True)
        for name in os.listdir("/dev/shm"):  # what the raw ways leave
            if name.startswith(f"rmbench{os.getpid()}_"):
                os.unlink(f"/dev/shm/{name}")
    if "chain" in options.only:
        measure_chain(report, options.rounds, options.share, pythons)
    if "crowd" in options.only:
        measure_crowd(report, max(1, options.rounds // 2), 4000, options.idle_s)
    if "start-up" in options.only:
        measure_start(report, options.rounds)
    report.body["load_at_end"] = os.getloadavg()
    return report.end(options.json)


if __name__ == "__main__":
    sys.exit(main())
