"""AudioResample with backend soxr: CPython only, there is no wheel of soxr for Pyodide."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from remotemedia.data import Audio
from remotemedia.nodes.audio.resample import AudioResample

GOLDEN = Path(__file__).parents[3] / "golden" / "nodes" / "audio"


def test_soxr_does_the_same_stream() -> None:
    node = AudioResample(target_rate=16000)
    node.backend = "soxr"
    sweep = np.load(GOLDEN / "resample_48000_16000_in.npy")
    expected = np.load(GOLDEN / "resample_48000_16000_out.npy")
    out: list[Audio] = []
    for number, part in enumerate(np.split(np.stack([sweep, -sweep]), 6, axis=1)):
        result = node.process(Audio(part, 48000, pts_us=500 if number == 0 else None))
        out += [] if result is None else [result] if isinstance(result, Audio) else result
    out += node.finish()
    samples = np.concatenate([block.samples for block in out], axis=1)
    np.testing.assert_allclose(samples, np.stack([expected, -expected]), rtol=0, atol=1e-6)
    sent = 0
    for block in out:
        assert block.pts_us == 500 + round(sent * 1_000_000 / 16000)
        assert block.samples.flags.c_contiguous
        sent += block.frames
