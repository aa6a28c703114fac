"""How many live sessions one core carries: 48 kHz → AudioResample → SileroVAD, and AudioLevel.

All sessions are in one event loop on one core, each fed with 20 ms of a recording every 20 ms, from
another place in it. They begin one after the other within a second. A report of the level comes
every 100 ms; how late it is counts from the moment at which the block that brought it was due (the
one at the end of the stream is brought by none). Where the loop cannot follow, that grows without
end. As a server does, it takes what is there at the start out of Python's garbage collection, which
would stop all of them for 80 ms. Sessions are eager, soxr resamples, RMS and peak are measured.
`--defaults`: they are not eager, numpy resamples, and loudness by EBU R 128 is measured as well.

Models and recordings are fetched on first use.

    .venv/bin/python bench/sessions.py [--sessions 150] [--seconds 20] [--defaults]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
from contextlib import AsyncExitStack
from heapq import heapreplace
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from harness.recordings import recording
from harness.report import REPOSITORY, RESULTS, Report, quartiles, versions

sys.path.insert(0, str(REPOSITORY / "scripts"))
import fetch_models
import remotemedia as rm

RATE = 48_000
BLOCK_S = 0.02
SETTLE_S = 2.0
ENDING_S = 0.2  # what is due then may be held up by the end of all the others


def blocks() -> list[rm.Audio]:
    """The recording in blocks of 20 ms."""
    samples, rate = recording("two_cities")
    assert rate == RATE
    size = round(RATE * BLOCK_S)
    return [rm.Audio(samples[i : i + size], RATE) for i in range(0, len(samples) - size + 1, size)]


def pipeline(defaults: bool) -> rm.Pipeline:
    """Two branches behind one resampler."""
    made = rm.Pipeline()
    backend = None if defaults else "soxr"
    made.add("AudioResample", id="to16k", target_rate=16_000, backend=backend)
    made.add("SileroVAD", id="vad")
    made.add("AudioLevel", id="level", loudness=defaults)
    made.connect("to16k", "vad")
    made.connect("to16k", "level")
    return made


class Live:
    """One session, what comes out of it, and when its blocks are due."""

    def __init__(self, session: rm.Session, first_due: float) -> None:
        self.session = session
        self.due = first_due
        """When the next block is."""
        self.late: list[float] = []
        self.events = 0

    async def read(self, first: float, last: float) -> None:
        """Note how late reports come, s, that are due in a time, and count the segments' events."""
        async for packet in self.session.outputs():
            if packet.node == "vad":
                self.events += isinstance(packet.data, rm.Json)
            elif packet.data.value["kind"] == "interim":
                due = self.due - BLOCK_S
                if first < due < last:
                    self.late.append(perf_counter() - due)


async def feed(sessions: list[Live], end: float, source: list[rm.Audio]) -> None:
    """Send each block when it is due: one timer for all, as one thread of a server has."""
    count = len(sessions)
    index = [number * len(source) // count for number in range(count)]
    queue = [(session.due, number) for number, session in enumerate(sessions)]  # a heap, as it is
    while queue[0][0] < end:
        due, number = queue[0]
        if (wait := due - perf_counter()) > 0:
            await asyncio.sleep(wait)
        next_one = sessions[number]
        next_one.due = due + BLOCK_S
        heapreplace(queue, (next_one.due, number))
        await next_one.session.send(source[index[number] % len(source)])
        index[number] += 1


async def crowd(count: int, seconds: float, defaults: bool) -> tuple[list[float], int, float]:
    """All lateness, ms, all events, and the share of the core that was used."""
    source = blocks()
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(pipeline(defaults).session(eager=not defaults))
            for _ in range(count)
        ]
        gc.collect()
        gc.freeze()
        start = perf_counter() + 0.5
        sessions = [Live(each, start + number / count) for number, each in enumerate(opened)]
        counted = start + SETTLE_S, start + seconds - ENDING_S
        readers = [asyncio.create_task(each.read(*counted)) for each in sessions]

        async def share() -> float:
            await asyncio.sleep(start + SETTLE_S - perf_counter())
            began, used = perf_counter(), process_time()
            await asyncio.sleep(start + seconds - perf_counter())
            return (process_time() - used) / (perf_counter() - began)

        used = asyncio.create_task(share())
        await feed(sessions, start + seconds, source)
        for session in opened:
            await session.finish()
        await asyncio.gather(*readers)
        late = [1000 * each for session in sessions for each in session.late]
        return late, sum(session.events for session in sessions), await used


def main() -> int:
    """Run; exit code 1 if a claim is not met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=150)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--defaults", action="store_true", help="nothing chosen for speed")
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    os.environ["REMOTEMEDIA_MODELS"] = str(fetch_models.fetch())
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    report = Report(
        "sessions",
        versions=versions("numpy", "onnxruntime"),
        n=f"{options.sessions} sessions, {options.seconds:g} s, one core"
        + ", as by default" * options.defaults,
    )
    late, events, share = asyncio.run(crowd(options.sessions, options.seconds, options.defaults))
    found = quartiles(late)
    p99, worst = float(np.percentile(late, 99)), max(late)
    report.body["sessions"] = {
        "late_ms": {**found, "p99": p99, "max": worst},
        "reports": len(late),
        "events": events,
        "core": share,
    }
    cells = [f"{value:.1f}" for value in (found["p50"], p99, worst)]
    report.table(
        ["sessions", "p50 ms", "p99", "max", "reports", "segment events", "of the core"],
        [[str(options.sessions), *cells, f"{len(late):,}", f"{events:,}", f"{share:.2f}"]],
    )
    report.claim("p99 of the delay of a block", p99, at_most=50, unit=" ms")
    return report.end(options.json or RESULTS / "sessions.json")


if __name__ == "__main__":
    sys.exit(main())
