"""What nodes with models add to the bare calls of onnxruntime, and what they deliver.

- Denoise: 2 s of a recording with white noise, 5 dB below the speech, at 16 kHz. The node, opened
  once and called by hand on blocks of 20 ms (`finish` included), beside the loop of DTLN's authors:
  numpy and two sessions of onnxruntime, one thread each, on hops of 8 ms. Milliseconds per hop,
  round by round in turn; the ratio of the rates. Both do the same, which is checked first.
- Its gain: SI-SDR [1]_ of 20 s of the same, before and after, with nothing shifted.

Model files and recordings are fetched on first use.

.. [1] Le Roux et al., "SDR - half-baked or well done?", ICASSP 2019.

    .venv/bin/python bench/speech.py
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness import recordings
from harness.report import REPOSITORY, RESULTS, Report, in_turns, quartiles, ratios, versions
from numpy.typing import NDArray

sys.path.insert(0, str(REPOSITORY / "scripts"))
import fetch_models
import remotemedia as rm
from remotemedia.node import Context
from remotemedia.nodes.models.denoise import Denoise
from remotemedia.testing import VirtualClock

RATE = 16_000
BLOCK = 320
HOP, WINDOW = 128, 512
NOISE_DB = 5.0  # below the speech

Samples = NDArray[np.float32]


def recording(seconds: int) -> tuple[Samples, Samples]:
    """Speech at 16 kHz, and the same with white noise, to a peak of 0.9."""
    clean = recordings.at_16k(*recordings.recording("two_cities", seconds))
    noise = np.random.default_rng(0).standard_normal(len(clean)).astype(np.float32)
    noise *= np.sqrt((clean**2).mean() / (noise**2).mean()) / 10 ** (NOISE_DB / 20)
    noisy = clean + noise
    return clean, (noisy * (0.9 / np.abs(noisy).max())).astype(np.float32)


def by_node(folder: Path, noisy: Samples) -> Callable[[], Samples]:
    """All of it through one node, open already."""
    node: Any = Denoise(model=str(folder))
    node.open(Context("denoise", VirtualClock(), {}, {}))
    blocks = [rm.Audio(noisy[i : i + BLOCK], RATE) for i in range(0, len(noisy), BLOCK)]

    def work() -> Samples:
        done = [audio for block in blocks for audio in node.process(block) or ()]
        done += node.finish()
        return np.concatenate([audio.samples[0] for audio in done])

    return work


def by_hand(folder: Path, noisy: Samples) -> Callable[[], Samples]:
    """All of it through the loop of DTLN's `real_time_processing_onnx.py`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    first, second = (
        onnxruntime.InferenceSession(folder / f"model_{number}.onnx", options) for number in (1, 2)
    )
    values_1, states_1 = (each.name for each in first.get_inputs())
    values_2, states_2 = (each.name for each in second.get_inputs())
    delay = WINDOW - HOP
    padded = np.pad(noisy, (0, delay + -len(noisy) % HOP))

    def work() -> Samples:
        state_1 = state_2 = np.zeros((1, 2, 128, 2), np.float32)
        window, sums = np.zeros(WINDOW, np.float32), np.zeros(WINDOW, np.float32)
        done = np.zeros_like(padded)
        for start in range(0, len(padded), HOP):
            window[:-HOP] = window[HOP:]
            window[-HOP:] = padded[start : start + HOP]
            spectrum = np.fft.rfft(window)
            feeds = {values_1: np.abs(spectrum).reshape(1, 1, -1), states_1: state_1}
            mask, state_1 = first.run(None, feeds)
            block = np.fft.irfft(spectrum * mask[0, 0]).reshape(1, 1, -1)
            given, state_2 = second.run(None, {values_2: block, states_2: state_2})
            sums[:-HOP] = sums[HOP:]
            sums[-HOP:] = 0
            sums += given[0, 0]
            done[start : start + HOP] = sums[:HOP]
        return done[delay:][: len(noisy)]

    return work


def si_sdr_db(estimate: Samples, target: Samples) -> float:
    """Of the estimate, against what it should be."""
    found, wanted = estimate.astype(np.float64), target.astype(np.float64)
    part = (found @ wanted) / (wanted @ wanted) * wanted
    return float(10 * np.log10((part @ part) / ((found - part) @ (found - part))))


def add_denoise(report: Report, rounds: int) -> None:
    """What Denoise costs and delivers."""
    folder = fetch_models.fetch() / "dtln"
    clean, noisy = recording(20)
    before, after = si_sdr_db(noisy, clean), si_sdr_db(by_node(folder, noisy)(), clean)
    part = noisy[: 2 * RATE]
    works = {"Denoise": by_node(folder, part), "by hand": by_hand(folder, part)}
    apart = float(np.abs(works["Denoise"]() - works["by hand"]()).max())
    seconds = in_turns(works, rounds)
    hops = len(part) / HOP
    figures: dict[str, Any] = {"si_sdr_db": {"before": before, "after": after}, "apart": apart}
    rows = []
    for name, values in seconds.items():
        ms = quartiles([value / hops * 1e3 for value in values])
        rate = ratios(seconds["Denoise"], values)
        figures[name] = {"ms_per_hop": ms, "rate_of_ours_by_it": rate}
        shown = [f"{ms[key]:.3f}" for key in ("p50", "p25", "p75")]
        rows.append([name, *shown, f"{HOP / RATE * 1e3 / ms['p50']:.0f}", f"{rate['p50']:.2f}"])
    report.body["denoise"] = figures
    report.table(["DTLN", "ms per hop", "p25", "p75", "realtime factor", "ours ÷ it"], rows)
    report.claim("Denoise is DTLN by hand, to", apart, at_most=1e-4)
    rate = figures["by hand"]["rate_of_ours_by_it"]["p50"]
    report.claim("Denoise, of the rate of DTLN by hand", rate, at_least=0.85)
    report.claim(f"SI-SDR, {before:.2f} → {after:.2f} dB", after - before, at_least=8, unit=" dB")


def main() -> int:
    """Run; exit code 1 if a claim is not met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=75)
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    report = Report(
        "speech",
        versions=versions("numpy", "onnxruntime"),
        n=f"{options.rounds} rounds, everyone in turn",
    )
    add_denoise(report, options.rounds)
    return report.end(options.json or RESULTS / "speech.json")


if __name__ == "__main__":
    sys.exit(main())
