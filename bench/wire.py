"""What it costs to write and to read a frame.

Every data type, in our form and in the plain one; beside them, in turns within the same rounds, a
copy of the samples (the floor: what no writer can avoid) and pickle (what Python offers). Times
are per frame, the median over rounds.

    .venv/bin/python bench/wire.py
"""

from __future__ import annotations

import argparse
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from harness.report import Report, quartiles, versions

from remotemedia import wire
from remotemedia.data import (
    Audio,
    Binary,
    Control,
    Data,
    File,
    Image,
    Json,
    Packet,
    Tensor,
    Text,
    Video,
)

MAX_US = 5.0  # of a 20 ms block of mono audio: a few microseconds
ROUND_S = 0.004
MAIN = "Audio, 20 ms mono 48 kHz"
LARGE = "Video, 1280x720 RGB24"


def samples(data: Data) -> bytes:
    """The bytes of its body, for the floor."""
    body = wire.encode_parts(Packet(data, "n"))[1]
    return body if isinstance(body, bytes) else body.tobytes()


def cases() -> dict[str, Data]:
    """A usual value of each type."""
    rng = np.random.default_rng(1)
    floats = rng.standard_normal((2, 48_000)).astype(np.float32)
    pixels = rng.integers(0, 256, 1280 * 720 * 3, np.uint8)
    words = [{"word": f"word{i}", "start": i * 0.25, "end": i * 0.25 + 0.2} for i in range(10)]
    return {
        MAIN: Audio(floats[0, :960], 48_000, pts_us=20_000),
        "the same with metadata": Audio(
            floats[0, :960], 48_000, pts_us=20_000, metadata={"speaker": "a", "confidence": 0.9}
        ),
        "Audio, 20 ms stereo 48 kHz": Audio(floats[:, :960], 48_000, pts_us=20_000),
        "Audio, 1 s mono 48 kHz": Audio(floats[0], 48_000, pts_us=20_000),
        LARGE: Video(pixels, 1280, 720, pts_us=40_000),
        "Text, a sentence": Text("The quick brown fox jumps over the lazy dog.", pts_us=1),
        "Control": Control("CancelSpeculation", {"from": 1, "to": 2}, "seg-1", 1_750_000_000_000),
        "Tensor, 512 float32": Tensor(floats[0, :512]),
        "File": File("/data/speech.wav", "speech.wav", "audio/wav", 960_044),
        "Json, 10 words with times": Json({"words": words}),
        "Image, 100 kB": Image(pixels[:100_000].tobytes(), "PNG", 640, 480),
        "Binary, 1 kB": Binary(pixels[:1024].tobytes()),
    }


def works(data: Data) -> dict[str, Callable[[], object]]:
    """What is timed for one value."""
    packet = Packet(data, "mic", "out", 12_345, 0, 1_750_000_000_000_000, 1)
    frame = wire.encode(packet, "session-1")
    place = memoryview(bytearray(len(frame)))
    body = samples(data)
    room = memoryview(bytearray(len(body)))
    pickled = pickle.dumps(packet, 5)

    def copy() -> None:
        room[:] = body

    found: dict[str, Callable[[], object]] = {
        "encode": lambda: wire.encode(packet, "session-1"),
        "encode_into": lambda: wire.encode_into(place, packet, "session-1"),
        "decode": lambda: wire.decode(frame),
        "copy": copy,
        "pickle": lambda: pickle.dumps(packet, 5),
        "unpickle": lambda: pickle.loads(pickled),  # noqa: S301 (our own bytes)
    }
    if data.wire_type < 9 and data.metadata is None:  # type: ignore[attr-defined]
        plain = wire.encode(packet, "session-1", plain=True)
        found["plain encode"] = lambda: wire.encode(packet, "session-1", plain=True)
        found["plain decode"] = lambda: wire.decode(plain)
    return found


def timed(work: Callable[[], object], count: int) -> float:
    """µs per call."""
    start = perf_counter()
    for _ in range(count):
        work()
    return (perf_counter() - start) * 1e6 / count


def measure(data: Data, rounds: int) -> dict[str, list[float]]:
    """µs per frame of every kind of work, round by round, in turns."""
    found = works(data)
    counts = {}
    for name, work in found.items():
        timed(work, 3)
        counts[name] = max(3, round(ROUND_S * 1e6 / timed(work, 10)))
    figures: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        for name, work in found.items():
            figures[name].append(timed(work, counts[name]))
    return figures


def main() -> int:
    """Run; exit code 1 if a claim is not met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    options = parser.parse_args()
    report = Report("wire", versions=versions("numpy", "msgspec"), n=f"{options.rounds} rounds")
    results = {name: measure(data, options.rounds) for name, data in cases().items()}
    report.body["us_per_frame"] = {
        case: {name: quartiles(times) for name, times in figures.items()}
        for case, figures in results.items()
    }
    columns = ("encode", "encode_into", "decode", "plain encode", "plain decode")
    columns += ("copy", "pickle", "unpickle")
    rows = [
        (case, *(f"{median(figures[name]):.2f}" if name in figures else "-" for name in columns))
        for case, figures in results.items()
    ]
    report.table(("µs per frame", *columns), rows)
    main_case, large = results[MAIN], results[LARGE]
    for name in ("encode", "encode_into", "decode"):
        report.claim(f"{name}, {MAIN}", median(main_case[name]), at_most=MAX_US, unit=" µs")
    for ours, peer in (("encode", "pickle"), ("decode", "unpickle")):
        ratio = median(
            theirs / mine for theirs, mine in zip(main_case[peer], main_case[ours], strict=True)
        )
        report.claim(f"{ours} against {peer}, {MAIN}", ratio, at_least=1, unit=" ×")
    ratio = median(
        mine / floor for mine, floor in zip(large["encode_into"], large["copy"], strict=True)
    )
    report.claim(f"encode_into against one copy, {LARGE}", ratio, at_most=1.5, unit=" ×")
    ratio = median(mine / floor for mine, floor in zip(large["decode"], large["copy"], strict=True))
    report.claim(f"decode against one copy, {LARGE}", ratio, at_most=0.5, unit=" ×")
    return report.end(options.json)


if __name__ == "__main__":
    sys.exit(main())
