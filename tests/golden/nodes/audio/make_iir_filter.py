"""Makes iir_filter_noise.npy, iir_filter_sox.npy and iir_filter.json: noise, filtered by sox.

sox's ``lowpass``, ``highpass`` and ``bandpass`` are the biquads of R. Bristow-Johnson's cookbook:
the bilinear transform of an analogue section of a given Q, prewarped at its frequency. A
Butterworth low-pass or high-pass of even order is a chain of them with Q = 1 / (2 sin((2k + 1) π /
2n)); a band-pass of order 1 is one, at the frequency whose warped value is the geometric mean of
those of its edges. sox passes 32-bit integers from effect to effect.

Row k of the output is the result for entry k of the JSON.

Run with CPython: ``.venv/bin/python tests/golden/nodes/audio/make_iir_filter.py`` (made with numpy
2.4.6 and sox 14.4.2).
"""

import json
import math
import subprocess
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
FRAMES = 1200
CASES = [
    (48_000, {"kind": "lowpass", "cutoff_hz": 1000, "order": 2}),
    (48_000, {"kind": "lowpass", "cutoff_hz": 1000, "order": 8}),
    (16_000, {"kind": "lowpass", "cutoff_hz": 7000, "order": 4}),
    (16_000, {"kind": "highpass", "cutoff_hz": 80, "order": 2}),
    (44_100, {"kind": "highpass", "cutoff_hz": 500, "order": 6}),
    (8_000, {"kind": "bandpass", "low_hz": 300, "high_hz": 3400, "order": 1}),
    (48_000, {"kind": "bandpass", "low_hz": 950, "high_hz": 1050, "order": 1}),
]


def effects(rate: int, params: dict) -> list[str]:
    kind, order = params["kind"], params["order"]
    if kind == "bandpass":
        low, high = (math.tan(math.pi * params[f"{end}_hz"] / rate) for end in ("low", "high"))
        centre = math.sqrt(low * high)
        return [kind, f"{math.atan(centre) * rate / math.pi!r}", f"{centre / (high - low)!r}q"]
    found = []
    for k in range(order // 2):
        q = 1 / (2 * math.sin((2 * k + 1) * math.pi / (2 * order)))
        found += [kind, "-2", str(params["cutoff_hz"]), f"{q!r}q"]
    return found


def by_sox(samples: np.ndarray, rate: int, params: dict) -> np.ndarray:
    raw = ["-t", "f32", "-L", "-c", "1", "-r", str(rate), "-"]
    done = subprocess.run(
        ["sox", "-D", *raw, *raw, *effects(rate, params)],
        input=samples.tobytes(),
        capture_output=True,
        check=True,
    )
    return np.frombuffer(done.stdout, np.float32)


noise = (np.random.default_rng(4).integers(-(2**14), 2**14, FRAMES) / 2**16).astype(np.float32)
outputs = [by_sox(noise, rate, params) for rate, params in CASES]
np.save(HERE / "iir_filter_noise.npy", noise)
np.save(HERE / "iir_filter_sox.npy", np.stack(outputs))
entries = [{"sample_rate": rate, "params": params} for rate, params in CASES]
(HERE / "iir_filter.json").write_text(json.dumps(entries, indent=1) + "\n")
