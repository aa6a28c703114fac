"""OnnxNode on a real model: Silero's, which has a state and wants what comes before a frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from remotemedia.data import Audio
from remotemedia.nodes.models.onnx_node import OnnxNode
from remotemedia.testing import run_node

RATE = 16_000


@pytest.fixture(scope="module")
def speech_16k(speech: np.ndarray) -> np.ndarray:
    outputs = run_node("AudioResample", [Audio(speech, 48_000)], target_rate=RATE).data
    return np.concatenate([each.samples[0] for each in outputs])


@pytest.mark.parametrize("block", [320, 4001])
def test_silero_as_any_model(silero: Path, speech_16k: np.ndarray, block: int) -> None:
    """Bit for bit what raw calls give, as their `OnnxWrapper` makes them."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(silero, options)
    expected = []
    state, before = np.zeros((2, 1, 128), np.float32), np.zeros((1, 64), np.float32)
    for start in range(0, len(speech_16k), 512):
        frame = np.zeros((1, 512), np.float32)
        part = speech_16k[start : start + 512]
        frame[0, : len(part)] = part
        joined = np.concatenate([before, frame], axis=1)
        feeds = {"input": joined, "state": state, "sr": np.array(RATE, np.int64)}
        output, state = session.run(None, feeds)
        before = joined[:, -64:]
        expected.append(output)
    params = {
        "model": str(silero),
        "input": "input",
        "window_size": 576,
        "hop_size": 512,
        "lead": 64,
        "constants": {"sr": RATE},
        "state": {"stateN": "state"},
        "timeout_ms": 60_000,
    }
    given = [Audio(speech_16k[i : i + block], RATE) for i in range(0, len(speech_16k), block)]
    outputs = run_node(OnnxNode, given, params=params).data
    np.testing.assert_array_equal([each.values for each in outputs], expected)
    assert 0.2 < np.mean(np.array(expected) > 0.5) < 1  # there is speech in it
