"""What negotiation costs, by size of graph, and what the converters cost that it chooses among.

    .venv/bin/python bench/negotiation.py [--pyodide] [--json FILE]

Graphs of 10 to 1,000 nodes:

- *chain*: nodes that keep the format, converters and chunkers, one behind the other.
- *tree*: each node feeds two.
- *adaptive*: every third node may choose its output, and every third sets a rate.
- *converters*: a chain whose every fifth connection needs a converter; with what it takes to find
  where they go.

The examples: what is in examples/, as `Pipeline.plan` negotiates it. Times are medians of rounds.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import ClassVar

import numpy as np
from harness.build import run_in_pyodide
from harness.report import REPOSITORY, Report, versions

import remotemedia as rm
from remotemedia.caps import Exact
from remotemedia.graph import Graph
from remotemedia.negotiation import converters_for, negotiate
from remotemedia.node import make_params
from remotemedia.registry import default_registry

SIZES = (10, 30, 100, 300, 1_000)
EXAMPLE_MS, NATIVE_MS, PYODIDE_MS = 1, 100, 500
ROUNDS = 9


@rm.node("BenchChooses", input_caps="audio", output_caps="audio(sample_rate=8000..96000)")
class Chooses(rm.Node):
    """May choose its output."""

    capabilities = "adaptive"

    def process(self, audio: rm.Audio) -> rm.Audio:
        return audio


@rm.node("BenchAt16k")
class At16k(rm.Node):
    """Keeps 16 kHz, and takes nothing else."""

    input_caps: ClassVar = "audio(sample_rate=16000)"
    output_caps: ClassVar = "audio(sample_rate=16000)"
    capabilities = "passthrough"

    def process(self, audio: rm.Audio) -> rm.Audio:
        return audio


def graph(kinds: list[tuple[str, dict[str, object]]], parent: Callable[[int], int]) -> Graph:
    nodes = [
        {"id": f"n{number}", "node_type": kind, "params": params}
        for number, (kind, params) in enumerate(kinds)
    ]
    connections = [
        {"from": f"n{parent(number)}", "to": f"n{number}"} for number in range(1, len(kinds))
    ]
    return rm.Pipeline.load({"version": "v1", "nodes": nodes, "connections": connections}).graph


KEEPS = ["PassThrough", "Gain", "ChannelMix", "AudioResample", "AudioChunker"]


def chain(size: int) -> Graph:
    rng = random.Random(1)
    return graph([(rng.choice(KEEPS), {}) for _ in range(size)], lambda number: number - 1)


def tree(size: int) -> Graph:
    rng = random.Random(2)
    return graph([(rng.choice(KEEPS), {}) for _ in range(size)], lambda number: (number - 1) // 2)


def adaptive(size: int) -> Graph:
    turn = [("BenchChooses", {}), ("PassThrough", {}), ("AudioResample", {"target_rate": 48000})]
    return graph([turn[number % 3] for number in range(size)], lambda number: number - 1)


def converters(size: int) -> Graph:
    kinds: list[tuple[str, dict[str, object]]] = []
    for number in range(size):
        if number % 10 == 0:
            kinds.append(("AudioResample", {"target_rate": 48000}))
        elif number % 10 == 5:
            kinds.append(("BenchAt16k", {}))
        else:
            kinds.append(("PassThrough", {}))
    return graph(kinds, lambda number: number - 1)


SHAPES: dict[str, tuple[Callable[[int], Graph], Callable[[Graph], object]]] = {
    "chain": (chain, negotiate),
    "tree": (tree, negotiate),
    "adaptive": (adaptive, negotiate),
    "converters": (converters, converters_for),
}


def ms(work: Callable[[], object]) -> float:
    took = []
    for _ in range(ROUNDS):
        began = perf_counter()
        work()
        took.append((perf_counter() - began) * 1e3)
    return statistics.median(took)


def by_size(report: Report, pyodide: bool) -> None:
    rows, found = [], {}
    for name, (make, work) in SHAPES.items():
        times = []
        for size in SIZES:
            made = make(size)
            times.append(ms(lambda made=made, work=work: work(made)))
        found[name] = dict(zip(map(str, SIZES), times, strict=True))
        rows.append([name, *(f"{time:.2f}" for time in times)])
    report.table(["ms", *(f"{size:,} nodes" for size in SIZES)], rows)
    report.body["by_size"] = found
    for name in SHAPES:
        bound = PYODIDE_MS if pyodide else NATIVE_MS
        report.claim(f"{name}, 1,000 nodes", found[name]["1000"], at_most=bound, unit=" ms")


def examples(report: Report) -> None:
    folder = REPOSITORY / "examples"
    rows, worst = [], 0.0
    for file in sorted([*folder.glob("*/pipeline.yaml"), *folder.glob("broken/*")]):
        made = rm.Pipeline.load(str(file)).graph
        took = ms(lambda made=made: negotiate(made))
        name = str(file.relative_to(folder))
        if file.name == "pipeline.yaml":
            worst = max(worst, took)
        rows.append([name, f"{len(made.nodes)}", f"{took:.3f}"])
    report.table(["example", "nodes", "ms"], rows)
    report.body["examples"] = {row[0]: float(row[2]) for row in rows}
    report.claim("slowest of the examples", worst, at_most=EXAMPLE_MS, unit=" ms")


def costs(report: Report) -> None:
    """µs per second of audio in 20 ms blocks, beside what the converters say of themselves."""
    rng = np.random.default_rng(0)
    stereo = rng.standard_normal((2, 48_000)).astype(np.float32) / 10
    cases = [
        *(("AudioResample", {"quality": q}, 1) for q in ("low", "medium", "high")),
        ("ChannelMix", {"channels": 1}, 2),
        ("ChannelMix", {"channels": 2}, 1),
        ("AudioFormatConvert", {"format": "I16"}, 1),
    ]
    rows, found = [], {}
    for name, params, channels in cases:
        cls = default_registry().find(name)
        made = make_params(cls, params)
        blocks = [
            rm.Audio(np.ascontiguousarray(stereo[:channels, at : at + 960]), 48_000)
            for at in range(0, 48_000, 960)
        ]
        node = cls(made)
        took = ms(lambda node=node, blocks=blocks: [node.process(block) for block in blocks]) * 1e3
        given = cls.input_ports(made)["in"].formats[0].with_fields({"channels": Exact(channels)})
        says = cls.conversion_cost(made, given, given).us_per_s
        inside = ", ".join(f"{key} {value}" for key, value in params.items())
        rows.append([f"{name}, {inside}, from {channels}", f"{took:.0f}", f"{says:.0f}"])
        found[rows[-1][0]] = {"measured_us": took, "says_us": says}
    report.table(["converter", "µs per second of audio", "says"], rows)
    report.body["costs"] = found


def main() -> int:
    """Run; exit code 1 if a claim is not met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    parser.add_argument("--pyodide", action="store_true", help="run inside Pyodide under Node")
    options = parser.parse_args()
    if options.pyodide:
        return run_in_pyodide(Path(__file__).name, options.json)
    pyodide = sys.platform == "emscripten"
    report = Report("negotiation", versions=versions("numpy"), rounds=ROUNDS)
    by_size(report, pyodide)
    if not pyodide:
        examples(report)
    costs(report)
    return report.end(options.json)


if __name__ == "__main__":
    sys.exit(main())
