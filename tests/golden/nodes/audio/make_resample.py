"""Makes resample_*.npy: a sweep that fades to nothing, and the same at another rate.

The expected values are the Whittaker–Shannon interpolation of the sweep, summed over all samples in
float64 (Oppenheim & Schafer, "Discrete-Time Signal Processing", §4.2), and are checked here against
scipy.signal.resample (by FFT) and libsoxr's VHQ recipe.

Run with CPython: ``.venv/bin/python tests/golden/nodes/audio/make_resample.py`` (made with numpy
2.4.6, scipy 1.17.1, soxr 1.1.0).
"""

from pathlib import Path

import numpy as np
import scipy.signal
import soxr

HERE = Path(__file__).parent
RATES = [(48000, 16000), (44100, 16000), (44100, 48000), (16000, 44100), (8001, 8000)]
SECONDS = 0.04


def snr(expected: np.ndarray, actual: np.ndarray) -> float:
    return 10 * np.log10((expected**2).sum() / ((actual - expected) ** 2).sum())


for source, target in RATES:
    time = np.arange(round(SECONDS * source)) / source
    top = 0.80 * min(source, target) / 2
    phase = 2 * np.pi * (300 * time + (top - 300) * time**2 / (2 * SECONDS))
    fade = np.sin(np.pi * (np.arange(len(time)) + 0.5) / len(time)) ** 4  # keeps the ends in band
    sweep = (0.9 * fade * np.sin(phase)).astype(np.float32)

    outputs = -(-len(sweep) * target // source)
    distance = np.arange(outputs)[:, None] * source / target - np.arange(len(sweep))
    expected = (np.sinc(distance) * sweep.astype(np.float64)).sum(axis=1)

    by_soxr = soxr.resample(sweep.astype(np.float64), source, target, "VHQ")
    assert snr(expected, by_soxr) > 100
    if outputs * source == len(sweep) * target:
        by_fft = scipy.signal.resample(sweep.astype(np.float64), outputs)
        assert snr(expected, by_fft) > 150
    np.save(HERE / f"resample_{source}_{target}_in.npy", sweep)
    np.save(HERE / f"resample_{source}_{target}_out.npy", expected.astype(np.float32))
