"""What it costs to get a message to another process and an answer back.

The floor is iceoryx2 as one would write it by hand: its shared memory, and its event to wake the
other side with `timed_wait`. Our topics, of either kind, wake with a bell: bare (samples written by
numpy, one read), and with packets (in envelopes, as sessions send them). Each in three ways: both
sides wait in one call, as a process does that has nothing else to do; in asyncio's loop; or in
ours, which is asyncio's but answers bells while it waits (`bells`). All take turns in one run; each
has a process of its own at the other end, which sleeps while it is not its turn. Only one side
works at a time, and both have the same core: the scheduler's choice, which changes, is worth more
than what is compared. So is where a process happens to lie in memory: one pair of processes in four
takes 14 µs longer all its life, whatever its way. So each way has several pairs, one after the
other, and ratios are of medians over all; the quartiles of the ratios of rounds are beside them.

One way: as many as go, with 16 messages under way. What is written is always the same, so it lies
in caches: the rates say nothing about memory.

    .venv/bin/python bench/ipc.py
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import timeit
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from harness.ipc import Link, Way
from harness.report import Report, quartiles, spread, versions

from remotemedia_native.shm import kinds
from remotemedia_native.shm.base import TopicSpec

SIZES = {3840: (400, 4000), 2**20: (60, 400)}  # round trips of a turn, messages of a stream
FLOOR, FLOOR_IN_LOOP = "raw iceoryx2, its event", "raw iceoryx2, its event, asyncio"
ROUNDS = 3  # of a pair of processes
MOST_RATIO, MOST_US = 1.3, 40
WAYS: dict[str, tuple[str, str, bool]] = {  # kind of topics, loop, packets
    FLOOR: ("", "", False),
    FLOOR_IN_LOOP: ("", "asyncio", False),
    **{
        ", ".join(filter(None, (kind, loop, "packets" * packets))): (kind, loop, packets)
        for packets, loops in ((False, ("", "asyncio", "bells")), (True, ("asyncio",)))
        for loop in loops
        for kind in kinds.KINDS
    },
}


class Contest:
    """Links of all ways for one size, which take turns, for a few rounds; then there are new ones.

    Attributes
    ----------
    times : dict of str to list of int
        Of round trips, ns.
    medians : dict of str to list of float
        Of the rounds, ns.
    rates : dict of str to list of float
        Messages/s, one way.
    """

    def __init__(self, size: int, root: str, streams: bool) -> None:
        self.size = size
        self.trips, self.messages = SIZES[size]
        self.times: dict[str, list[int]] = {name: [] for name in WAYS}
        self.medians: dict[str, list[float]] = {name: [] for name in WAYS}
        self.rates: dict[str, list[float]] = {name: [] for name in WAYS}
        self._streams = streams
        self._root = root
        self._made = 0

    def ratio(self, name: str, floor: str) -> float:
        """Of the medians of two ways."""
        return statistics.median(self.times[name]) / statistics.median(self.times[floor])

    def run(self, rounds: int) -> None:
        """Make links, and take so many rounds."""
        with ExitStack() as stack:
            links = {}
            for name, (kind, loop, packets) in WAYS.items():
                self._made += 1
                way = Way(
                    "topic" if kind else "raw",
                    self.size,
                    loop,
                    packets,
                    self.messages if self._streams else 1,
                    f"rmbench{os.getpid()}_{self.size}_{int(self._streams)}_{self._made}",
                    self._root,
                )
                links[name] = stack.enter_context(Link(way, kind))
            for number in range(rounds):
                self._take_turns(links, number % 2 == 0)

    def _take_turns(self, links: dict[str, Link], forwards: bool) -> None:
        """One turn of each."""
        for name in list(WAYS) if forwards else list(reversed(WAYS)):
            link = links[name]
            if self._streams:
                self.rates[name].append(self.messages / link.stream(self.messages))
                continue
            link.round_trips(self.trips // 10)  # whoever ran before has filled the caches
            times = link.round_trips(self.trips)
            self.times[name] += times
            self.medians[name].append(statistics.median(times))


def in_process(kind: str, size: int) -> dict[str, float]:
    """What the calls of one kind cost, µs, both ends in this process."""
    module = kinds.find(kind)
    spec = TopicSpec(kind, f"rmbench{os.getpid()}_calls", size=size)
    topic = module.make(spec)
    writer = module.open_writer(spec)
    reader = module.open_reader(spec, 0, lambda: None)

    def put() -> None:
        writer.loan(size)
        writer.commit()

    many = 32  # as many as may be under way, nearly
    put_s = take_s = empty_s = float("inf")
    for _ in range(300):
        put_s = min(put_s, timeit.timeit(put, number=many) / many)
        take_s = min(take_s, timeit.timeit(reader.take, number=many) / many)
        empty_s = min(empty_s, timeit.timeit(reader.take, number=many) / many)
    writer.close()
    reader.close()
    topic.close()
    return {
        "loan and commit": put_s * 1e6,
        "take and give back": take_s * 1e6,
        "take, nothing there": empty_s * 1e6,
    }


def set_up(kind: str) -> float:
    """What it costs to make a topic, to open both ends and to close all, ms."""
    module = kinds.find(kind)

    def once(number: list[int] = [0]) -> None:  # noqa: B006
        number[0] += 1
        spec = TopicSpec(kind, f"rmbench{os.getpid()}_up{number[0]}")
        topic = module.make(spec)
        ends = [module.open_writer(spec), module.open_reader(spec, 0, lambda: None), topic]
        for end in ends:
            end.close()

    return statistics.median(timeit.repeat(once, number=1, repeat=31)) * 1e3


def report_size(report: Report, trips: Contest, streams: Contest) -> dict[str, object]:
    """The table and the claims of one size; its figures."""
    floor = trips.medians[FLOOR]
    figures: dict[str, object] = {}
    rows = []
    for name in WAYS:
        times = spread([time / 1e3 for time in trips.times[name]])
        pairs = zip(trips.medians[name], floor, strict=True)
        ratio = quartiles([mine / theirs for mine, theirs in pairs])
        ratio["p50"] = trips.ratio(name, FLOOR)
        rate = quartiles(streams.rates[name])
        figures[name] = {"us": times, "by_floor": ratio, "one_way_per_s": rate}
        rows.append(
            [
                name,
                *(f"{times[key]:.1f}" for key in ("p50", "p99", "max")),
                f"{ratio['p50']:.2f}",
                f"{ratio['p25']:.2f}–{ratio['p75']:.2f}",
                f"{rate['p50']:,.0f}",
            ]
        )
    head = ["round trip", "p50 µs", "p99", "max", "÷ floor", "p25–p75", "one way, messages/s"]
    print(f"\n{trips.size:,} bytes")
    report.table(head, rows)
    return figures


def each_kind(measure: Callable[[str], object]) -> dict[str, object]:
    """Of every kind."""
    return {kind: measure(kind) for kind in kinds.KINDS}


def main() -> int:
    """Run; exit code 1 if a claim is not met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=9, help="of processes, for each way")
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    options = parser.parse_args()
    report = Report(
        "ipc",
        versions=versions("numpy", "msgspec", "iceoryx2"),
        n=f"{options.pairs} pairs of processes × {ROUNDS} rounds × "
        + ", ".join(f"{trips} round trips of {size} bytes" for size, (trips, _) in SIZES.items()),
    )
    sizes: dict[str, object] = {}
    claims = []
    root = tempfile.mkdtemp(prefix="rmbench")
    for size in SIZES:
        trips = Contest(size, root, streams=False)
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {max(cores)})
        for _ in range(options.pairs):
            trips.run(ROUNDS)
        os.sched_setaffinity(0, cores)
        streams = Contest(size, root, streams=True)
        streams.run(ROUNDS)
        sizes[str(size)] = report_size(report, trips, streams)
        claims.append((size, trips))
    report.body["sizes"] = sizes
    report.body["calls_us"] = calls = each_kind(lambda kind: in_process(kind, 3840))
    report.body["set_up_ms"] = ups = each_kind(set_up)
    print(f"calls within one process, 3840 bytes, µs: {calls}")
    print(f"to make a topic, open both ends, close all, ms: {ups}")
    best = kinds.best()
    for size, trips in claims:
        ours = ((best, FLOOR), (f"{best}, bells", FLOOR), (f"{best}, asyncio", FLOOR_IN_LOOP))
        for name, floor in ours:
            ratio = trips.ratio(name, floor)
            what = f"{name}, {size} bytes: round trip ÷ {floor}"
            report.claim(what, ratio, at_most=MOST_RATIO)
            if size == min(SIZES):
                p50 = statistics.median(trips.times[name]) / 1e3
                report.claim(f"{name}: round trip", p50, at_most=MOST_US, unit=" µs")
    shutil.rmtree(root, ignore_errors=True)
    for name in os.listdir("/dev/shm"):  # what the raw ways leave
        if name.startswith(f"rmbench{os.getpid()}_"):
            os.unlink(f"/dev/shm/{name}")
    return report.end(options.json)


if __name__ == "__main__":
    sys.exit(main())
