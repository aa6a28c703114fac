"""What our side of onnxruntime costs: Silero's model through `Model.run` and in `SileroVAD`.

All rows take turns, frame by frame; what is compared are the differences to the raw call of the
same turn. The published file is run by one and the same session. The node runs the same network as
products of matrices (`silero_graph`); what a raw call takes of that is a row of its own.

    .venv/bin/python bench/onnx.py
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter

import numpy as np
from harness.recordings import recording
from harness.report import REPOSITORY, RESULTS, Report, quartiles, spread, versions
from numpy.typing import NDArray

sys.path.insert(0, str(REPOSITORY / "scripts"))
import fetch_models
from remotemedia.clock import SystemClock
from remotemedia.data import Audio
from remotemedia.models.backend import ModelOptions
from remotemedia.node import Context
from remotemedia.nodes.models.silero_vad import SileroVAD
from remotemedia_native.onnx.backend import OnnxRuntime
from remotemedia_native.onnx.session import acquire, open_sessions

RATE, FRAME, CONTEXT = 16_000, 512, 64
ROUNDS = 3
BUDGET_US = 10  # of Model.run, more than the raw call
WARM_UP = 50  # frames

Samples = NDArray[np.float32]


def speech() -> list[Samples]:
    """A recording, in frames `[shape=(1, 512)]`."""
    mono, rate = recording("beckett")
    assert rate == RATE
    samples = mono[np.newaxis]
    return [samples[:, i : i + FRAME] for i in range(0, samples.shape[1] - FRAME + 1, FRAME)]


class Silero:
    """The model as Silero's own wrapper calls it: with state, and 64 samples of what came before.

    Parameters
    ----------
    run : callable
        From feeds to ``(output, state)``.
    """

    def __init__(self, run: Callable[[dict[str, Samples]], tuple[Samples, Samples]]) -> None:
        self._run = run
        self._state = np.zeros((2, 1, 128), np.float32)
        self._window = np.zeros((1, CONTEXT + FRAME), np.float32)
        self._rate = np.array(RATE, np.int64)
        self.probabilities: list[float] = []

    def __call__(self, frame: Samples) -> float:
        """Seconds that the run takes."""
        window = self._window
        window[:, :CONTEXT] = window[:, -CONTEXT:]
        window[:, CONTEXT:] = frame
        feeds = {"input": window, "state": self._state, "sr": self._rate}
        start = perf_counter()
        output, self._state = self._run(feeds)
        took = perf_counter() - start
        self.probabilities.append(float(output[0, 0]))
        return took


def main() -> int:
    """Measure, print, write the JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", type=Path, default=RESULTS / "onnx.json")
    file = options.parse_args().json
    silero = fetch_models.fetch() / "silero-vad" / "silero_vad_op18_ifless.onnx"
    frames = speech()
    report = Report(
        "onnx",
        versions=versions("numpy", "onnxruntime"),
        n=f"{ROUNDS} rounds × {len(frames)} frames of 32 ms",
    )
    session = acquire(silero, (), 1).session
    model = OnnxRuntime().open(silero, ModelOptions())
    watched = OnnxRuntime().open(silero, ModelOptions(timeout_ms=1000))
    node = SileroVAD(model=str(silero))
    node.open(Context("vad", SystemClock(), {}, {}))
    products = acquire(node.quicker(silero), (), 1).session  # what the node runs
    assert open_sessions() == 2

    def in_node(frame: Samples) -> float:
        audio = Audio(frame, RATE)
        start = perf_counter()
        node.process(audio)
        return perf_counter() - start

    outputs = [each.name for each in session.get_outputs()]  # quicker than None
    rows: dict[str, Callable[[Samples], float]] = {
        "raw session.run": Silero(lambda feeds: session.run(outputs, feeds)),
        "the same, as products": Silero(lambda feeds: products.run(outputs, feeds)),
        "Model.run": Silero(lambda feeds: tuple(model.run(feeds).values())),
        "Model.run with timeout_ms": Silero(lambda feeds: tuple(watched.run(feeds).values())),
        "SileroVAD.process": in_node,
    }
    times: dict[str, list[float]] = {name: [] for name in rows}
    order = Random(1)
    for frame in frames * ROUNDS:
        # In any order: who comes after the node's bookkeeping finds colder caches.
        for name in order.sample(list(rows), len(rows)):
            times[name].append(rows[name](frame))
    raw = times["raw session.run"][WARM_UP:]
    found = {}
    for name, took in times.items():
        pairs = list(zip(took[WARM_UP:], raw, strict=True))
        found[name] = {
            "us": spread([1e6 * mine for mine, _ in pairs]),
            "more_us": quartiles([1e6 * (mine - theirs) for mine, theirs in pairs]),
            "ratio": median(mine / theirs for mine, theirs in pairs),
        }
    report.body["rows"] = found
    report.table(
        ["one frame", "p50 µs", "p99 µs", "more, p25 µs", "p50", "p75", "÷ raw"],
        [
            [
                name,
                *(f"{row['us'][p]:.1f}" for p in ("p50", "p99")),
                *(f"{row['more_us'][p]:.1f}" for p in ("p25", "p50", "p75")),
                f"{row['ratio']:.3f}",
            ]
            for name, row in found.items()
        ],
    )
    raw_row, ours = rows["raw session.run"], rows["Model.run"]
    assert raw_row.probabilities == ours.probabilities
    assert max(raw_row.probabilities) > 0.9  # it was speech
    for name in ("Model.run", "Model.run with timeout_ms"):
        more = found[name]["more_us"]["p50"]
        report.claim(f"{name}, more than raw session.run", more, at_most=BUDGET_US, unit=" µs")
    report.claim("SileroVAD.process ÷ raw", found["SileroVAD.process"]["ratio"], at_most=1.15)
    for each in (model, watched, node):
        each.close()
    return report.end(file)


if __name__ == "__main__":
    raise SystemExit(main())
