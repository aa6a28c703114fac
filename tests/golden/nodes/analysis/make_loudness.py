"""Writes k_weighting.json and loudness.json: expected values from scipy and ffmpeg.

    python make_loudness.py        (needs numpy, scipy and the ffmpeg program)

K-weighting: scipy.signal.sosfilt with the coefficients printed in ITU-R BS.1770-5, tables 1 and 2.
Loudness: the formulae of BS.1770-5 Annex 1 and of EBU Tech 3342 over that filter, with every block
kept, and beside it what ffmpeg's filter `ebur128` says. Nothing of remotemedia is used.
"""

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import scipy
from scipy.signal import sosfilt

HERE = Path(__file__).parent
RATE = 48_000
STANDARD = [
    [1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585],
    [1.0, -2.0, 1.0, 1, -1.99004745483398, 0.99007225036621],
]
LAYOUTS = {1: "mono", 2: "stereo", 5: "5.0", 6: "5.1"}
WEIGHTS = {1: [1], 2: [1, 1], 5: [1, 1, 1, 1.41, 1.41], 6: [1, 1, 1, 0, 1.41, 1.41]}
CASES = [
    {"channels": 1, "seed": 1, "shifts": [2, 4, 9, 3, 3, 5]},
    {"channels": 2, "seed": 2, "shifts": [3, 3, 3, 10, 4, 2, 2, 7]},
    {"channels": 5, "seed": 3, "shifts": [4, 4, 6, 6, 5]},
    {"channels": 6, "seed": 4, "shifts": [4, 4, 6, 6, 5]},
]


def signal(channels: int, seed: int, shifts: list[int]) -> np.ndarray:
    """White noise of 16 bits, one second per shift, which is a gain of 2**-shift; channel c gets
    c bits less. RandomState is frozen by numpy, and all is exact in float32.
    """
    noise = np.random.RandomState(seed).randint(
        -(2**15), 2**15, size=(channels, len(shifts) * RATE), dtype=np.int32
    )
    gains = np.repeat([2.0**-shift for shift in shifts], RATE)
    return (noise / 2**15 * gains / (2.0 ** np.arange(channels))[:, None]).astype(np.float32)


def lufs(energy: float) -> float:
    return float(-0.691 + 10 * np.log10(energy))


def by_formula(x: np.ndarray) -> dict[str, object]:
    channels = len(x)
    power = sosfilt(STANDARD, x.astype(np.float64), axis=1) ** 2
    total = np.array(WEIGHTS[channels]) @ power

    def windows(length_ms: int, step_ms: int) -> np.ndarray:
        n, step = RATE * length_ms // 1000, RATE * step_ms // 1000
        starts = np.arange(0, x.shape[1] - n + 1, step)
        return np.array([total[start : start + n].mean() for start in starts])

    blocks = windows(400, 100)
    gated = blocks[blocks > 10 ** ((-70 + 0.691) / 10)]
    gated = gated[gated > 0.1 * gated.mean()]
    short = np.sort(windows(3000, 100))
    short = short[short > 10 ** ((-70 + 0.691) / 10)]
    short = short[short > 0.01 * short.mean()]
    # As Tech 3342's program does it, whose round() takes halves up.
    low, high = (short[int((len(short) - 1) * q + 0.5)] for q in (0.10, 0.95))
    return {
        "momentary_lufs": [lufs(e) for e in blocks],
        "short_term_lufs": [lufs(e) for e in windows(3000, 100)],
        "integrated_lufs": lufs(gated.mean()),
        "loudness_range_lu": float(10 * np.log10(high / low)),
        "max_momentary_lufs": lufs(windows(400, 10).max()),
        "max_short_term_lufs": lufs(windows(3000, 10).max()),
    }


def by_ffmpeg(x: np.ndarray) -> dict[str, object]:
    layout = LAYOUTS[len(x)]
    command = ["ffmpeg", "-hide_banner", "-f", "f32le", "-ar", str(RATE), "-ac", str(len(x))]
    command += ["-channel_layout", layout, "-i", "-"]
    command += ["-af", "ebur128=metadata=1,ametadata=mode=print:file=-", "-f", "null", "-"]
    done = subprocess.run(command, input=x.T.tobytes(), capture_output=True, check=True)
    found = {
        key: [float(v) for v in re.findall(rf"lavfi\.r128\.{key}=(\S+)", done.stdout.decode())]
        for key in ("M", "S", "I", "LRA")
    }
    return {
        "momentary_lufs": found["M"][3:],
        "short_term_lufs": found["S"][29:],
        "integrated_lufs": found["I"][-1],
        "loudness_range_lu": found["LRA"][-1],
    }


def write(name: str, value: object) -> None:
    (HERE / name).write_text(json.dumps(value, indent=1) + "\n")


def main() -> None:
    version = subprocess.run(["ffmpeg", "-version"], capture_output=True, check=True, text=True)
    source = f"scipy {scipy.__version__}, BS.1770-5 tables 1 and 2"
    impulse, noise = np.zeros(4800), signal(1, 9, [1])[0, :4800].astype(np.float64)
    impulse[0] = 1
    constant = np.ones(48_000)
    write(
        "k_weighting.json",
        {
            "source": source,
            "coefficients": STANDARD,
            "impulse": sosfilt(STANDARD, impulse)[::40].tolist(),
            "noise": sosfilt(STANDARD, noise)[::40].tolist(),
            "constant": sosfilt(STANDARD, constant)[::400].tolist(),
        },
    )
    cases = []
    for case in CASES:
        x = signal(**case)
        cases.append({**case, "formula": by_formula(x), "ffmpeg": by_ffmpeg(x)})
    write(
        "loudness.json",
        {"source": source, "ffmpeg": version.stdout.splitlines()[0], "cases": cases},
    )


if __name__ == "__main__":
    main()
