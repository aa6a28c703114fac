"""The page: boot, a DSP graph in the worker, and microphone to speaker, in Chromium.

    web.py [--json FILE] [--rounds N] [--blocks N] [--minutes M] [--only PART,PART]

boot    Pyodide and numpy alone against ours up to the first processed block, in turns, each in a
        fresh browser context: as Pyodide is distributed (sources), and from the folder of byte code
        that a self-hosted site has, which ours boots from, too.
graph   Five nodes over 20 ms blocks of speech from a ring through the session into a ring, as
        quickly as it goes, against the same nodes called by hand in such a worker, in turns.
paced   A block every 20 ms; from the block in the ring to its output in the other.
loop    Fake microphone to speaker, the main thread blocked for 200 ms every 2 s; with
        --minutes 60 it is the soak test.
cycles  100 times started and stopped: JavaScript's heap after a collection, WebAssembly's memory,
        and the workers.
workers A node in a worker of its own: a block of 960 samples there and back, against the same two
        workers without Python, by transferred buffers and through shared memory; its start; and
        from its end to the first output of the one that takes its place.
size    Download of our own code.

Build first: scripts/build_web.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import subprocess
import sys
from pathlib import Path

from harness import browser
from harness.report import REPOSITORY, Report, percentile, quartiles, spread
from playwright.sync_api import Browser

WASM_DIST = REPOSITORY / "wasm" / "dist"
OURS = ("index.js", "worker.js", "capture.js", "playback.js")
BLOCK_S = 0.020
PARTS = ("boot", "graph", "paced", "loop", "cycles", "workers", "size")


def boot(report: Report, chromium: Browser, site: browser.Site, rounds: int) -> None:
    bare: dict[str, list[float]] = {"/official/": [], "/pyodide/": []}
    ours, silence = [], []
    for _ in range(rounds):
        for folder, took in bare.items():
            with browser.page(chromium, site) as page:
                took.append(page.evaluate("folder => bootBare(folder)", folder))
        with browser.page(chromium, site) as page:
            answer = page.evaluate("bootOurs()")
            ours.append(answer["ms"])
            silence.append(answer["silence"])
    ratio = {
        folder: quartiles([mine / floor for mine, floor in zip(ours, took, strict=True)])
        for folder, took in bare.items()
    }
    report.table(
        ["boot, ms", "p25", "p50", "p75"],
        [
            [name, *(f"{quartiles(values)[each]:.0f}" for each in ("p25", "p50", "p75"))]
            for name, values in (
                ("Pyodide and numpy alone, as distributed", bare["/official/"]),
                ("the same in byte code", bare["/pyodide/"]),
                ("to our first processed block", ours),
                ("longest time without a sign of progress", silence),
            )
        ],
    )
    report.body["boot"] = {"bare_ms": bare, "ours_ms": ours, "silence_ms": silence, "ratio": ratio}
    report.claim("boot, against Pyodide and numpy", ratio["/official/"]["p50"], at_most=1.25)
    report.claim("boot, against these in byte code", ratio["/pyodide/"]["p50"], at_most=1.25)


def graph(report: Report, chromium: Browser, site: browser.Site, rounds: int) -> None:
    rows, found = [], {}
    for quality, required in (("medium", 150), ("high", 60)):
        ours: list[float] = []
        floor: list[float] = []
        for _ in range(rounds):
            with browser.page(chromium, site) as page:
                ours.append(statistics.median(page.evaluate("q => unpaced(q, 5)", quality)))
            with browser.page(chromium, site) as page:
                answer = page.evaluate("q => direct(q, 5)", quality)
                floor.append(statistics.median(answer["seconds_per_block"]))
        overhead = quartiles([mine - by_hand for mine, by_hand in zip(ours, floor, strict=True)])
        speed = quartiles([BLOCK_S / seconds for seconds in ours])
        rows.append(
            [
                quality,
                f"{statistics.median(ours) * 1e6:.1f}",
                f"{statistics.median(floor) * 1e6:.1f}",
                f"{overhead['p50'] * 1e6:.1f}",
                f"{speed['p50']:.0f} ×",
            ]
        )
        found[quality] = {"seconds": ours, "direct_seconds": floor, "real_time": speed}
        report.claim(f"{quality}: times real time", speed["p50"], at_least=required)
        if quality == "medium":
            report.claim("overhead per block, µs", overhead["p50"] * 1e6, at_most=25)
    report.table(["resampler", "µs per block", "nodes alone", "overhead", "real time"], rows)
    report.body["graph"] = found


def paced(report: Report, chromium: Browser, site: browser.Site, blocks: int) -> None:
    with browser.page(chromium, site) as page:
        answer = page.evaluate("([q, n]) => paced(q, n)", ["medium", blocks])
    found = spread(answer["ms"])
    found["p99.9"] = percentile(answer["ms"], 99.9)
    report.table(
        ["paced, ms", "n", "p50", "p99", "p99.9", "max"],
        [
            [
                "a block",
                f"{found['n']:.0f}",
                *(f"{found[k]:.3f}" for k in ("p50", "p99", "p99.9", "max")),
            ]
        ],
    )
    report.body["paced"] = {**found, "nodes": answer["nodes"]}
    report.claim("paced, p99 per block, ms", found["p99"], at_most=3)


def loop(report: Report, chromium: Browser, site: browser.Site, minutes: float) -> None:
    with browser.page(chromium, site) as page:
        found = page.evaluate("s => loop(s, null, true)", minutes * 60)
    rows = [
        ["added latency, ms", f"{found['latencyMs']:.3f}"],
        ["seconds", f"{found['seconds']:.1f}"],
        *([name, f"{found[name]}"] for name in ("captured", "played", "prefill", "underrun")),
        *([name, f"{found[name]}"] for name in ("skipped", "overrun")),
        [
            "wasm memory, MiB, first and last",
            f"{mib(found['memory'][0])} {mib(found['memory'][-1])}",
        ],
        ["JS heap, MiB, first and last", f"{mib(found['heap'][0])} {mib(found['heap'][-1])}"],
    ]
    report.table(["microphone to speaker", ""], rows)
    report.body["loop"] = found
    report.claim("added latency, ms", found["latencyMs"], at_most=30)
    report.claim(f"frames of underrun in {minutes:g} min", found["underrun"], at_most=0)
    report.claim(
        "growth of the wasm memory, bytes", found["memory"][-1] - found["memory"][0], at_most=0
    )


def cycles(report: Report, chromium: Browser, site: browser.Site) -> None:
    with browser.page(chromium, site) as page:
        session = page.context.new_cdp_session(page)

        def look() -> dict[str, int]:
            session.send("HeapProfiler.collectGarbage")
            heap = session.send("Runtime.getHeapUsage")["usedSize"]
            memory = page.evaluate("made.memory()")
            return {"heap": int(heap), "wasm": memory, "workers": len(page.workers)}

        page.evaluate("cycles().then((made) => { window.made = made; })")
        found = []
        for _ in range(5):
            page.evaluate("made.run(20)")
            found.append(look())
        page.evaluate("made.close()")
    report.table(
        ["cycles", "JS heap, kB", "wasm, MiB", "workers"],
        [
            [f"{20 * (n + 1)}", f"{one['heap'] / 1000:.0f}", mib(one["wasm"]), f"{one['workers']}"]
            for n, one in enumerate(found)
        ],
    )
    report.body["cycles"] = found
    growth = found[-1]["heap"] - found[0]["heap"]
    report.claim("growth of the JS heap in 80 cycles, bytes", growth, at_most=100_000)
    report.claim("growth of the wasm memory", found[-1]["wasm"] - found[0]["wasm"], at_most=0)
    report.claim("workers", found[-1]["workers"], at_most=1)


def workers(report: Report, chromium: Browser, site: browser.Site, rounds: int) -> None:
    trips: dict[str, list[float]] = {}
    ends: dict[str, list[float]] = {}
    with browser.page(chromium, site) as page:
        links = page.evaluate("workers.links(3000)")
        trips["two workers, transferred, µs"] = links["transferred"]
        trips["two workers, shared memory, µs"] = links["shared"]
    for name, executor in (("in a worker", "process"), ("inline", "inline")):
        with browser.page(chromium, site) as page:
            answer = page.evaluate("e => workers.roundTrips(e, 3000)", executor)
        trips[f"page to node and back, {name}, µs"] = [1000 * ms for ms in answer["ms"]]
        report.body[f"calls {name}"] = {"p50_us": answer["p50"], "p99_us": answer["p99"]}
        print(f"calls of the node, {name}: p50 {answer['p50']:.0f} µs, p99 {answer['p99']:.0f} µs")
    for _ in range(rounds):
        with browser.page(chromium, site) as page:
            for name, ms in page.evaluate("workers.starts()").items():
                ends.setdefault(f"start, {name}, ms", []).append(ms)
    for name, spare in (("with a spare", True), ("without", False)):
        with browser.page(chromium, site) as page:
            answer = page.evaluate("([n, s]) => workers.restarts(n, s)", [rounds, spare])
        ends[f"death told, {name}, ms"] = answer["told"]
        ends[f"output again, {name}, ms"] = answer["output"]
    found = {name: spread(values) for name, values in {**trips, **ends}.items()}
    report.table(
        ["workers", "n", "p50", "p99", "max"],
        [
            [name, f"{each['n']:.0f}", *(f"{each[key]:.1f}" for key in ("p50", "p99", "max"))]
            for name, each in found.items()
        ],
    )
    report.body["workers"] = found


def mib(size: float) -> str:
    return f"{size / 2**20:.1f}"


def size(report: Report) -> None:
    sizes = {name: len(gzip.compress((WASM_DIST / name).read_bytes(), 9)) for name in OURS}
    for wheel in (WASM_DIST / "assets").glob("*.whl.xz"):
        sizes[wheel.name] = wheel.stat().st_size
    later = ("msgspec", "pyyaml", "remotemedia_workers")  # not ours, or loaded where it is needed
    own = sum(count for name, count in sizes.items() if not name.startswith(later))
    report.table(["compressed", "bytes"], [[name, f"{count:,}"] for name, count in sizes.items()])
    report.body["size"] = sizes
    report.claim("our own code, bytes", own, at_most=200_000)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--blocks", type=int, default=3_000)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--only", default=",".join(PARTS))
    options = parser.parse_args()
    parts = options.only.split(",")
    browser.build()
    chromium_version = subprocess.run(
        ["chromium", "--version"], check=True, capture_output=True, text=True
    ).stdout.strip()
    report = Report("web", browser=chromium_version, rounds=options.rounds, blocks=options.blocks)
    if "size" in parts:
        size(report)
    with browser.site() as site, browser.chromium() as chromium:
        if "boot" in parts:
            boot(report, chromium, site, options.rounds)
        if "graph" in parts:
            graph(report, chromium, site, options.rounds)
        if "paced" in parts:
            paced(report, chromium, site, options.blocks)
        if "cycles" in parts:
            cycles(report, chromium, site)
        if "workers" in parts:
            workers(report, chromium, site, options.rounds)
        if "loop" in parts:
            loop(report, chromium, site, options.minutes)
    return report.end(options.json)


if __name__ == "__main__":
    sys.exit(main())
