"""How many live sessions one core carries: 48 kHz → AudioResample → SileroVAD, and AudioLevel.

All sessions are in one event loop on one core, each fed with 20 ms of a recording every 20 ms, from
another place in it and at another moment of the 20 ms. A report of the level comes every 100 ms;
how late it is counts from the moment at which the block that brought it was due. Where the loop
cannot follow, that grows without end.

Models and recordings are fetched on first use.

    .venv/bin/python bench/sessions.py [--sessions 150] [--seconds 20]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import wave
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from harness.report import REPOSITORY, RESULTS, Report, quartiles, versions

sys.path.insert(0, str(REPOSITORY / "scripts"))
import fetch_models
import fetch_recordings
import remotemedia as rm

RATE = 48_000
BLOCK_S = 0.02
SETTLE_S = 2.0


def blocks() -> list[rm.Audio]:
    """The recording in blocks of 20 ms."""
    with wave.open(str(fetch_recordings.fetch() / "two_cities.wav")) as file:
        data = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    size = round(RATE * BLOCK_S)
    samples = data.astype(np.float32) / 32768
    return [rm.Audio(samples[i : i + size], RATE) for i in range(0, len(samples) - size + 1, size)]


def pipeline() -> rm.Pipeline:
    """Two branches behind one resampler."""
    made = rm.Pipeline()
    made.add("AudioResample", id="to16k", target_rate=16_000)
    made.add("SileroVAD", id="vad")
    made.add("AudioLevel", id="level")
    made.connect("to16k", "vad")
    made.connect("to16k", "level")
    return made


async def live(
    number: int, count: int, start: float, seconds: float, source: list[rm.Audio]
) -> tuple[list[float], int]:
    """One session; how late its reports were, s, after it had settled, and its segment events."""
    late: list[float] = []
    events = 0
    due = start + BLOCK_S * number / count

    async with pipeline().session() as session:

        async def read() -> None:
            nonlocal events
            async for packet in session.outputs():
                if packet.node == "vad":
                    events += isinstance(packet.data, rm.Json)
                elif due - start > SETTLE_S:
                    late.append(perf_counter() - (due - BLOCK_S))

        reader = asyncio.create_task(read())
        index = number * len(source) // count
        while due < start + seconds:
            await asyncio.sleep(max(0.0, due - perf_counter()))
            due += BLOCK_S
            await session.send(source[index % len(source)])
            index += 1
        await session.finish()
        await reader
    return late, events


async def crowd(count: int, seconds: float) -> tuple[list[float], int, float]:
    """All lateness, ms, all events, and the share of the core that was used."""
    source = blocks()
    start = perf_counter() + 1 + 0.02 * count  # time to open all

    async def share() -> float:
        await asyncio.sleep(start + SETTLE_S - perf_counter())
        began, used = perf_counter(), process_time()
        await asyncio.sleep(start + seconds - perf_counter())
        return (process_time() - used) / (perf_counter() - began)

    used = asyncio.create_task(share())
    found = await asyncio.gather(
        *(live(number, count, start, seconds, source) for number in range(count))
    )
    late = [1000 * each for values, _ in found for each in values]
    return late, sum(events for _, events in found), await used


def main() -> int:
    """Run; exit code 1 if a claim is not met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=150)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    os.environ["REMOTEMEDIA_MODELS"] = str(fetch_models.fetch())
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    report = Report(
        "sessions",
        versions=versions("numpy", "onnxruntime"),
        n=f"{options.sessions} sessions, {options.seconds:g} s, one core",
    )
    late, events, share = asyncio.run(crowd(options.sessions, options.seconds))
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
