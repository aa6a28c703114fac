"""What every node costs, and what AudioResample costs and delivers beside libsoxr and scipy.

- Every node: `Pipeline.run` of that node alone over 20 ms blocks (48 kHz, mono, or what it wants),
  set-up included; milliseconds per second of audio, and the realtime factor.
- A front end for speech, 48 to 16 kHz: its five nodes called by hand on blocks of 20 ms, which is
  what of the cost of a pipeline is theirs. Microseconds per block.
- AudioResample ``high``, 1 s of mono noise: in one block (a new node each time, `finish` included)
  and in blocks of 20 ms (one node, no end). libsoxr (HQ, VHQ) and scipy.signal.resample_poly do the
  same in the same rounds; scipy has no stream. A round is the best of 5 runs.
- Its quality, natively: the stop-band of the impulse response by scipy.signal.freqz, and the error
  of a sweep from 20 Hz to 0.88 of the lower Nyquist frequency against the sweep at the other rate.

    .venv/bin/python bench/nodes.py
    .venv/bin/python bench/nodes.py --pyodide         # costs only, inside Pyodide under Node
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from harness.build import run_in_pyodide
from harness.report import RESULTS, Report, quartiles, ratios, versions

import remotemedia as rm
from remotemedia.nodes import TABLE
from remotemedia.nodes.audio.resample import AudioResample
from remotemedia.registry import default_registry

SECONDS = 5  # of audio per round and node
BLOCK_S = 0.02
BEST_OF = 5  # runs per round and resampler
RATES = [(48_000, 16_000), (44_100, 16_000), (44_100, 48_000)]
BUDGET_MS = {  # per second of mono audio, in one block
    "CPython": {(48_000, 16_000): 1.5, (44_100, 48_000): 5.0},
    "Pyodide": {(48_000, 16_000): 3.0, (44_100, 48_000): 8.0},
}
NOISE = np.random.default_rng(1).uniform(-0.5, 0.5, SECONDS * 48_000).astype(np.float32)
# Of any other type 5 s are 250 items; a text is a token of a language model.
TOKENS = "The quick brown fox jumps over the lazy dog, again and again. ".split(" ")


def audio(rate: int, channels: int = 1) -> list[rm.Data]:
    """5 s of noise in blocks of 20 ms."""
    size = round(rate * BLOCK_S)
    samples = NOISE[: SECONDS * rate]
    return [
        rm.Audio(np.tile(samples[i : i + size], (channels, 1)), rate)
        for i in range(0, len(samples), size)
    ]


FOLDERS = ("remotemedia.nodes.audio.", "remotemedia.nodes.analysis.")
"""Of these every node has a case; bench/speech.py and bench/live.py time others."""

CASES: dict[str, tuple[str, dict[str, object], Callable[[], list[rm.Data]]]] = {
    "AudioChunker": ("512 samples", {}, lambda: audio(48_000)),
    "AudioFormatConvert": ("F32 to I16", {"format": "I16"}, lambda: audio(48_000)),
    "AudioFormatConvert, TPDF": (
        "F32 to I16, dithered",
        {"format": "I16", "dither": "tpdf"},
        lambda: audio(48_000),
    ),
    "AudioLevel": ("48 kHz, loudness", {}, lambda: audio(48_000)),
    "AudioResample": ("48 to 16 kHz, high", {}, lambda: audio(48_000)),
    "AudioResample, 44.1": ("44.1 to 48 kHz, high", {"target_rate": 48_000}, lambda: audio(44_100)),
    "AudioResample, 44.056": (
        "44.056 to 48 kHz, high",
        {"target_rate": 48_000},
        lambda: audio(44_056),
    ),
    "AudioResample, 44.101": (
        "44.101 to 48 kHz, high: taps interpolated",
        {"target_rate": 48_000},
        lambda: audio(44_101),
    ),
    "Calculator": (
        "250 additions",
        {"operation": "add", "operand": 1},
        lambda: [rm.Json(number) for number in range(250)],
    ),
    "ChannelMix": ("stereo to mono", {}, lambda: audio(48_000, 2)),
    "ChannelMix, 5.1": ("5.1 to stereo", {"channels": 2}, lambda: audio(48_000, 6)),
    "EnergyVAD": ("16 kHz", {}, lambda: audio(16_000)),
    "Gain": ("48 kHz", {"gain_db": -6}, lambda: audio(48_000)),
    "IIRFilter": ("48 kHz, lowpass of order 4", {"order": 4}, lambda: audio(48_000)),
    "IIRFilter, band": (
        "48 kHz, bandpass of order 8",
        {"kind": "bandpass", "order": 8},
        lambda: audio(48_000),
    ),
    "IIRFilter, fade": (
        "the same as IIRFilter, on silence after 20 ms",
        {"order": 4},
        lambda: audio(48_000)[:1] + [rm.Audio(np.zeros(960, np.float32), 48_000)] * 249,
    ),
    "PassThrough": ("48 kHz", {}, lambda: audio(48_000)),
    "TimeStretch": ("48 kHz, 1.25 times as fast", {"speed": 1.25}, lambda: audio(48_000)),
    "TextCollector": (
        "250 tokens",
        {},
        lambda: [rm.Text(TOKENS[number % len(TOKENS)] + " ") for number in range(250)],
    ),
}
"""Name → what it does, parameters, input. Before the comma stands the node type."""


def node_seconds(name: str) -> Callable[[], float]:
    """A round of one case."""
    _, params, make_input = CASES[name]
    pipeline = rm.Pipeline()
    pipeline.add(name.partition(",")[0], **params)
    blocks = make_input()

    def work() -> float:
        start = perf_counter()
        for _packet in pipeline.run(blocks):
            pass
        return perf_counter() - start

    return work


def chain_seconds(quality: str) -> Callable[[], float]:
    """A round of mix, resample, VAD, level and chunk, of 5 s; per block."""
    find = default_registry().find
    # Words of 0.6 s, for the VAD to open and close.
    time = np.arange(len(NOISE)) / 48_000
    samples = (NOISE * np.where(time % 1.0 < 0.6, 0.3, 0.001)).astype(np.float32)
    size = round(48_000 * BLOCK_S)
    blocks = [rm.Audio(samples[i : i + size], 48_000) for i in range(0, len(samples), size)]

    def work() -> float:
        mix = find("ChannelMix")(channels=1).process
        resample = find("AudioResample")(target_rate=16_000, quality=quality).process
        vad, level = find("EnergyVAD")().process, find("AudioLevel")().process
        chunk = find("AudioChunker")(chunk_ms=20).process
        start = perf_counter()
        for block in blocks:
            resampled = resample(mix(block))
            vad(resampled)
            level(resampled)
            chunk(resampled)
        return (perf_counter() - start) / len(blocks)

    return work


# -- AudioResample and its peers -----------------------------------------------------------------


def resamplers(source: int, target: int, peers: bool) -> dict[str, Callable[[], float]]:
    """Name → seconds for 1 s of audio."""
    samples = NOISE[:source]
    size = round(source * BLOCK_S)
    whole = rm.Audio(samples, source)
    blocks = [rm.Audio(samples[i : i + size], source) for i in range(0, source, size)]
    live = AudioResample(target_rate=target)

    def one_block() -> None:
        node = AudioResample(target_rate=target)
        node.process(whole)
        list(node.finish())

    def in_blocks() -> None:
        for block in blocks:
            live.process(block)

    works: dict[str, Callable[[], object]] = {"ours": one_block, "ours, 20 ms": in_blocks}
    if peers:
        import scipy.signal
        import soxr

        common = math.gcd(source, target)
        parts = [block.samples[0] for block in blocks]
        streams = {
            recipe: soxr.ResampleStream(source, target, 1, "float32", recipe)
            for recipe in ("HQ", "VHQ")
        }
        for recipe, stream in streams.items():
            works[f"soxr {recipe}"] = lambda r=recipe: soxr.resample(samples, source, target, r)
            works[f"soxr {recipe}, 20 ms"] = lambda s=stream: [s.resample_chunk(p) for p in parts]
        works["resample_poly"] = lambda: scipy.signal.resample_poly(
            samples, target // common, source // common
        )
    return {name: timed(work) for name, work in works.items()}


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """The same, giving the seconds of the best of a few runs: the one least disturbed by others."""

    def seconds() -> float:
        best = math.inf
        for _ in range(BEST_OF):
            start = perf_counter()
            work()
            best = min(best, perf_counter() - start)
        return best

    return seconds


def take_rounds(works: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Everyone in turn, forwards and backwards; the first round is thrown away."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name in list(works) if number % 2 else reversed(works):
            elapsed = works[name]()
            if number:
                seconds[name].append(elapsed)
    return seconds


# -- quality -------------------------------------------------------------------------------------


def resampled(samples: np.ndarray[Any, Any], source: int, target: int) -> np.ndarray[Any, Any]:
    """One channel through the node, in float64."""
    pipeline = rm.Pipeline()
    pipeline.add("AudioResample", target_rate=target)
    outputs = pipeline.run([rm.Audio(samples, source)])
    return np.concatenate([p.data.samples[0] for p in outputs]).astype(np.float64)


def stop_band_db(source: int, target: int) -> float:
    """The highest level from the lower Nyquist frequency on, by scipy.signal.freqz.

    Impulses at all phases give the whole response, at the common multiple of both rates.
    """
    import scipy.signal

    common = math.gcd(source, target)
    up, down = target // common, source // common
    centre = down * -(-2000 // down)
    response = np.zeros(2 * centre * up)
    for shift in range(down):
        impulse = np.zeros(2 * centre, np.float32)
        impulse[centre + shift] = 1
        out = resampled(impulse, source, target)
        when = np.arange(len(out)) * down - shift * up
        inside = (when >= 0) & (when < len(response))
        response[when[inside]] = out[inside]
    step = 5.0  # Hz, to five times the input's Nyquist frequency; beyond, the response repeats less
    nyquist, rate = min(source, target) / 2, source * up
    frequencies = np.arange(nyquist, min(rate / 2, 2.5 * source), step)
    _, stop = scipy.signal.freqz(response, worN=np.append(0.0, frequencies), fs=rate)
    return float(20 * np.log10(np.abs(stop[1:]).max() / abs(stop[0])))


def sweep_snr_db(source: int, target: int, by: Callable[..., Any] = resampled) -> float:
    """Signal to error of a sweep of 1 s; 50 ms at either end are left out."""

    def sweep(rate: int) -> np.ndarray[Any, Any]:
        time = np.arange(rate) / rate
        top = 0.88 * min(source, target) / 2
        return np.sin(2 * np.pi * (20 * time + (top - 20) * time**2 / 2))

    inside = slice(target // 20, -target // 20)
    expected = sweep(target)[inside]
    error = by(sweep(source).astype(np.float32), source, target)[inside] - expected
    return float(10 * np.log10((expected**2).mean() / (error**2).mean()))


# -- reports -------------------------------------------------------------------------------------


def add_nodes(report: Report, rounds: int) -> None:
    """All nodes."""
    timed = {name for name, target in TABLE.items() if target.startswith(FOLDERS)}
    missing = timed - {name.partition(",")[0] for name in CASES}
    if missing:
        raise SystemExit(f"bench/nodes.py has no case for {', '.join(sorted(missing))}")
    unavailable = dict(default_registry().unavailable())
    names = [name for name in CASES if name.partition(",")[0] not in unavailable]
    for name, reason in unavailable.items():
        print(f"{name} is left out: {reason}")
    seconds = take_rounds({name: node_seconds(name) for name in names}, rounds)
    figures = {}
    rows = []
    for name, values in seconds.items():
        per_second = quartiles([value / SECONDS * 1e3 for value in values])
        figures[name] = {"what": CASES[name][0], "ms_per_second": per_second}
        shown = [f"{per_second[key]:.3f}" for key in ("p50", "p25", "p75")]
        rows.append([name, CASES[name][0], *shown, f"{1000 / per_second['p50']:,.0f}"])
    report.body["nodes"] = figures
    report.table(["node", "what", "ms per s", "p25", "p75", "realtime factor"], rows)


def add_chain(report: Report, rounds: int) -> None:
    """The front end for speech."""
    seconds = take_rounds({q: chain_seconds(q) for q in ("medium", "high")}, rounds)
    figures = {}
    rows = []
    for quality, values in seconds.items():
        per_block = quartiles([value * 1e6 for value in values])
        figures[quality] = {"us_per_block": per_block}
        shown = [f"{per_block[key]:.1f}" for key in ("p50", "p25", "p75")]
        rows.append([quality, *shown, f"{BLOCK_S * 1e6 / per_block['p50']:,.0f}"])
    report.body["chain"] = figures
    heads = ["mix, resample, VAD, level, chunk", "µs per block", "p25", "p75", "realtime factor"]
    report.table(heads, rows)


def add_resamplers(report: Report, rounds: int, world: str, *, peers: bool) -> None:
    """AudioResample and its peers, and whether it keeps its budget."""
    found: dict[str, dict[str, Any]] = {}
    for source, target in RATES:
        seconds = take_rounds(resamplers(source, target, peers), rounds)
        rows = []
        figures: dict[str, Any] = {}
        for name, values in seconds.items():
            ms = quartiles([value * 1e3 for value in values])
            peer = ratios(seconds["ours, 20 ms" if "20 ms" in name else "ours"], values)
            figures[name] = {"ms_per_second": ms, "rate_of_ours_by_it": peer}
            shown = [f"{ms[key]:.3f}" for key in ("p50", "p25", "p75")]
            rows.append([name, *shown, f"{peer['p50']:.2f}"])
        found[f"{source} to {target}"] = figures
        report.table([f"{source} → {target} Hz", "ms per s", "p25", "p75", "ours ÷ it"], rows)
    report.body["resample"] = found
    for (source, target), budget in BUDGET_MS[world].items():
        ms = found[f"{source} to {target}"]["ours"]["ms_per_second"]["p50"]
        report.claim(
            f"AudioResample high, {source} → {target} Hz", ms, at_most=budget, unit=" ms/s"
        )


def add_quality(report: Report) -> None:
    """Stop-band and sweep of AudioResample, and of libsoxr's."""
    import soxr

    def by_soxr(samples: np.ndarray[Any, Any], source: int, target: int) -> Any:
        return soxr.resample(samples, source, target, "HQ").astype(np.float64)

    found = {}
    for source, target in RATES:
        stop, sweep = stop_band_db(source, target), sweep_snr_db(source, target)
        peer = sweep_snr_db(source, target, by_soxr)
        found[f"{source} to {target}"] = {
            "stop_band_db": stop,
            "sweep_snr_db": sweep,
            "sweep_snr_db_of_soxr_hq": peer,
        }
        what = f"{source} → {target} Hz"
        report.claim(f"stop-band below, {what}", -stop, at_least=120, unit=" dB")
        report.claim(f"sweep, {what} (soxr HQ {peer:.0f})", sweep, at_least=100, unit=" dB")
    report.body["quality"] = found


def measure(rounds: int, file: Path | None, *, pyodide: bool) -> int:
    """In this process."""
    known = versions("numpy", "msgspec", *([] if pyodide else ["scipy", "soxr"]))
    name = "nodes-pyodide" if pyodide else "nodes"
    report = Report(
        name,
        versions=known,
        n=f"{rounds} rounds, everyone in turn; resamplers: the best of {BEST_OF} runs in each",
    )
    add_nodes(report, rounds)
    add_chain(report, rounds)
    world = "Pyodide" if pyodide else "CPython"
    add_resamplers(report, rounds, world, peers=not pyodide)
    if not pyodide:
        add_quality(report)
    return report.end(file)


def main() -> int:
    """Run; exit code 1 if a claim is not met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--pyodide", action="store_true", help="inside Pyodide under Node")
    parser.add_argument("--inside-pyodide", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    if options.inside_pyodide:
        return measure(options.rounds, options.json, pyodide=True)
    if options.pyodide:
        file = options.json or RESULTS / "nodes-pyodide.json"
        inside = ("--inside-pyodide", f"--rounds={options.rounds}")
        return run_in_pyodide(Path(__file__).name, file, *inside)
    return measure(options.rounds, options.json or RESULTS / "nodes.json", pyodide=False)


if __name__ == "__main__":
    sys.exit(main())
