"""Silero's model in Chromium: our node against onnxruntime-web alone, by numpy, and natively.

    web_models.py [--json FILE] [--frames N]

Three real recordings (two_cities, endgame_nagg_nell, beckett), at 16 kHz, frame by frame: the model
by onnxruntime-web in a worker without Python; `SileroVAD` in a worker of ours by onnxruntime-web,
and by numpy; in turns of N frames. And the probabilities of all, against onnxruntime natively.

Build first: scripts/build_web.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from statistics import median

import numpy as np
from harness import browser
from harness.recordings import at_16k, recording
from harness.report import RESULTS, Report, quartiles, spread, versions

from remotemedia.models.backend import ModelOptions
from remotemedia.nodes.models.silero_stream import Prober
from remotemedia_native.onnx.backend import OnnxRuntime

RECORDINGS = ("two_cities", "endgame_nagg_nell", "beckett")
RATE, FRAME = 16_000, 512


def speech() -> np.ndarray:
    """The recordings one after the other, 16 kHz, whole frames `[shape=(n,)]`."""
    joined = np.concatenate([at_16k(*recording(name)) for name in RECORDINGS])
    return joined[: len(joined) // FRAME * FRAME]


def natively(samples: np.ndarray) -> list[float]:
    """The probability of each frame."""
    file = browser.fetch_models.fetch() / "silero-vad" / "silero_vad_op18_ifless.onnx"
    model = OnnxRuntime().open(file, ModelOptions())
    prober = Prober(model, RATE)
    found = [
        prober.take(model.run(prober.put(frame[np.newaxis])))
        for frame in samples.reshape(-1, FRAME)
    ]
    model.close()
    return found


def main() -> int:
    """Measure, print, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", type=Path, default=RESULTS / "web_models.json")
    parser.add_argument("--frames", type=int, default=62)
    options = parser.parse_args()
    browser.build()
    samples = speech()
    (browser.BUILD / "speech.f32").write_bytes(samples.tobytes())
    chromium = subprocess.run(
        ["chromium", "--version"], check=True, capture_output=True, text=True
    ).stdout.strip()
    report = Report(
        "web_models",
        browser=chromium,
        versions=versions("numpy", "onnxruntime"),
        n=f"{len(samples) // FRAME:,} frames of 32 ms, {len(samples) / RATE:.1f} s of speech",
    )
    with (
        browser.site() as site,
        browser.chromium() as started,
        browser.page(started, site) as page,
    ):
        page.context.set_default_timeout(0)
        found = page.evaluate("n => silero('/bench/speech.f32', n)", options.frames)
    here = np.array(natively(samples))
    raw = turns(found["raw"]["ms"], options.frames)
    body: dict[str, object] = {}
    rows = []
    for name, each in found.items():
        ratio = quartiles(
            [m / r for m, r in zip(turns(each["ms"], options.frames), raw, strict=True)]
        )
        differs = float(np.abs(here - each["probabilities"]).max())
        took = spread(each["ms"])
        body[name] = {"ms": took, "ratio": ratio, "differs": differs}
        rows.append(
            [
                name,
                *(f"{took[key]:.3f}" for key in ("p50", "p99")),
                *(f"{ratio[key]:.2f}" for key in ("p25", "p50", "p75")),
                f"{differs:.1e}",
            ]
        )
    report.body["rows"] = body
    report.table(["one frame", "p50 ms", "p99", "÷ raw, p25", "p50", "p75", "from native"], rows)
    report.claim("SileroVAD ÷ onnxruntime-web", body["ours"]["ratio"]["p50"], at_most=1.25)
    report.claim("SileroVAD by numpy, a frame", body["numpy"]["ms"]["p50"], at_most=3, unit=" ms")
    for name in ("ours", "numpy"):
        report.claim(f"{name}: from native", body[name]["differs"], at_most=1e-3)
    return report.end(options.json)


def turns(ms: list[float], frames: int) -> list[float]:
    """The median of each turn."""
    return [median(ms[start : start + frames]) for start in range(0, len(ms), frames)]


if __name__ == "__main__":
    sys.exit(main())
