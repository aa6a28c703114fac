"""AudioLevel against the test signals of EBU Tech 3341, and what its K-weighting costs.

The signals are the minimum requirement test cases that consist of tones, all at 48 kHz: 1 to 6, 9
to 14. 7 and 8 are recordings of programmes, 15 to 23 are of true peak, which AudioLevel does not
measure. Each must be within 0.1 LU.

    .venv/bin/python bench/loudness.py
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from harness.report import RESULTS, Report, versions
from numpy.typing import NDArray

import remotemedia as rm
from remotemedia.nodes.analysis.k_weighting import KWeighting
from remotemedia.nodes.analysis.level import AudioLevel

RATE = 48_000
STEP = RATE // 100  # AudioLevel weights steps of 10 ms
WITHIN_LU = 0.1
BUDGET_US = 40  # per 20 ms, mono
ROUNDS, CALLS = 25, 400
TIMES = range(20)  # files of cases 10 and 13, segments of cases 11 and 14

Samples = NDArray[np.float64]


def tone(dbfs: float | Sequence[float], seconds: float) -> Samples:
    """1 kHz, stereo, or a peak level for each channel."""
    levels = np.array([dbfs] * 2 if isinstance(dbfs, (int, float)) else dbfs)
    time = np.arange(round(seconds * RATE)) / RATE
    return 10 ** (levels[:, np.newaxis] / 20) * np.sin(2 * np.pi * 1000 * time)


def silence(seconds: float) -> Samples:
    """Stereo."""
    return np.zeros((2, round(seconds * RATE)))


def reports(*parts: Samples, interval_ms: int | None = None) -> list[dict[str, Any]]:
    """The values of all reports, the final one last; given in blocks of 20 ms."""
    samples = np.concatenate(parts, axis=1).astype(np.float32)
    blocks = np.split(samples, range(RATE // 50, samples.shape[1], RATE // 50), axis=1)
    pipeline = rm.Pipeline()
    pipeline.add("AudioLevel", interval_ms=interval_ms)
    packets = pipeline.run(rm.Audio(block, RATE) for block in blocks)
    return [packet.data.value for packet in packets]  # type: ignore[attr-defined]


def integrated(*parts: tuple[float | Sequence[float], float]) -> float:
    """LUFS of tones one after the other."""
    return float(reports(*(tone(*part) for part in parts))[-1]["integrated_lufs"])


def alternating(loud_s: float, soft_s: float, times: int, figure: str, from_s: int) -> list[float]:
    """A figure that stays the same while a tone alternates."""
    parts = [tone(-20, loud_s), tone(-30, soft_s)] * times
    values = reports(*parts, interval_ms=10)[:-1]
    return [float(v[figure]) for v in values if v["end_sample"] >= from_s * RATE]


def maxima_of_files(step_s: float, tone_s: float, figure: str) -> list[float]:
    """The maximum in each of 20 files, wherever the tone starts."""
    return [
        float(reports(silence(n * step_s), tone(-23, tone_s), silence(1))[-1][figure])
        for n in TIMES
    ]


def successive_maxima(step_s: float, tone_s: float, figure: str) -> list[float]:
    """The maximum of each of 20 segments of one file, less what it should be, at -23."""
    parts = [
        part
        for n in TIMES
        for part in (silence(n * step_s), tone(-38 + n, tone_s), silence(tone_s - n * step_s))
    ]
    values = reports(*parts, interval_ms=round(tone_s * 2000))[: len(TIMES)]
    return [float(v[figure]) - (-38 + n) - 23 for n, v in zip(TIMES, values, strict=True)]


def cases() -> Iterator[tuple[int, str, float, list[float]]]:
    """Number, what is measured, what it should be (LUFS), and what was measured."""
    for case, dbfs in ((1, -23), (2, -33)):
        final = reports(tone(dbfs, 20))[-1]
        for name in ("momentary", "short_term", "integrated"):
            yield case, name, dbfs, [float(final[f"{name}_lufs"])]
    yield 3, "integrated", -23, [integrated((-36, 10), (-23, 60), (-36, 10))]
    around = [(-72, 10), (-36, 10)]
    yield 4, "integrated", -23, [integrated(*around, (-23, 60), *reversed(around))]
    yield 5, "integrated", -23, [integrated((-26, 20), (-20, 20.1), (-26, 20))]
    yield 6, "integrated", -23, [integrated(([-28, -28, -24, -30, -30], 20))]
    yield 9, "short_term", -23, alternating(1.34, 1.66, 5, "short_term_lufs", 3)
    yield 10, "max. short_term", -23, maxima_of_files(0.15, 3, "max_short_term_lufs")
    yield 11, "max. short_term", -23, successive_maxima(0.15, 3, "max_short_term_lufs")
    yield 12, "momentary", -23, alternating(0.18, 0.22, 25, "momentary_lufs", 1)
    yield 13, "max. momentary", -23, maxima_of_files(0.02, 0.4, "max_momentary_lufs")
    yield 14, "max. momentary", -23, successive_maxima(0.02, 0.4, "max_momentary_lufs")


def k_weighting_us() -> float:
    """Median cost of 20 ms of mono, µs."""
    weighting = KWeighting(RATE, 1, STEP)
    block = np.random.default_rng(1).standard_normal((1, 2, STEP))
    rounds = []
    for _ in range(ROUNDS):
        start = perf_counter()
        for _ in repeat(None, CALLS):
            weighting.process(block)
        rounds.append((perf_counter() - start) / CALLS * 1e6)
    return median(rounds)


def main() -> int:
    """Measure, print, write the JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", type=Path, default=RESULTS / "loudness.json")
    file = options.parse_args().json
    report = Report(
        "loudness", versions=versions("remotemedia", "numpy"), n=f"{ROUNDS} rounds × {CALLS} calls"
    )
    found = list(cases())
    report.table(
        ["Tech 3341", "measures", "n", "should be", "lowest", "highest"],
        [
            [str(case), what, str(len(v)), f"{goal:.1f}", f"{min(v):.3f}", f"{max(v):.3f}"]
            for case, what, goal, v in found
        ],
    )
    worst = max(abs(value - goal) for _, _, goal, values in found for value in values)
    report.body["worst_lu"] = worst
    assert AudioLevel.requires == ()  # and no scipy
    report.claim("largest error in all cases", worst, at_most=WITHIN_LU, unit=" LU")
    report.claim("K-weighting, 20 ms of mono", k_weighting_us(), at_most=BUDGET_US, unit=" µs")
    return report.end(file)


if __name__ == "__main__":
    raise SystemExit(main())
