"""SileroVAD on real speech, against Silero's own code for finding segments."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.data import Audio
from remotemedia.nodes.models.silero_vad import SileroVAD
from remotemedia.testing import run_node


@pytest.fixture(scope="module")
def theirs(models: Path) -> types.ModuleType:
    """Their module, which imports torch; finding segments needs nothing of that."""
    torch = types.ModuleType("torch")
    torch.Tensor = object
    torch.no_grad = lambda: lambda function: function
    torch.device = str
    before = sys.modules.get("torch")
    sys.modules["torch"] = torch
    try:
        spec = importlib.util.spec_from_file_location(
            "utils_vad", models / "silero-vad" / "utils_vad.py"
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        del sys.modules["torch"]
        if before is not None:
            sys.modules["torch"] = before
    return module


@pytest.fixture(scope="module")
def at(speech: np.ndarray) -> dict[int, np.ndarray]:
    """The recording at both rates."""
    found = {}
    for rate in (8000, 16000):
        outputs = run_node("AudioResample", [Audio(speech, 48000)], target_rate=rate).data
        found[rate] = np.concatenate([each.samples[0] for each in audio_of(outputs)])
    return found


@pytest.fixture(scope="module")
def probabilities(models: Path, at: dict[int, np.ndarray]) -> dict[int, list[float]]:
    """Of all frames, by raw calls of onnxruntime, as their `OnnxWrapper` calls it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        models / "silero-vad" / "silero_vad_op18_ifless.onnx", options
    )
    found = {}
    for rate, samples in at.items():
        size, context = rate * 32 // 1000, rate * 4 // 1000
        state = np.zeros((2, 1, 128), np.float32)
        before = np.zeros((1, context), np.float32)
        found[rate] = []
        for start in range(0, len(samples), size):
            frame = np.zeros((1, size), np.float32)
            part = samples[start : start + size]
            frame[0, : len(part)] = part
            joined = np.concatenate([before, frame], axis=1)
            feeds = {"input": joined, "state": state, "sr": np.array(rate, np.int64)}
            output, state = session.run(None, feeds)
            before = joined[:, -context:]
            found[rate].append(float(output[0, 0]))
    return found


def run(inputs: list[Audio], params: dict[str, object]) -> list[object]:
    return run_node(SileroVAD, inputs, params=params).data


def audio_of(outputs: list[object]) -> list[Audio]:
    return [each for each in outputs if isinstance(each, Audio)]


PARAMS = [
    {},
    {"min_silence_ms": 300, "speech_pad_ms": 100},
    {"threshold": 0.7, "min_speech_ms": 100},
    {"threshold": 0.3, "min_silence_ms": 60, "speech_pad_ms": 20, "negative_threshold": 0.25},
    {"min_speech_ms": 1500},
]


@pytest.mark.parametrize("block", [320, 1601, 10**7])
@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("params", PARAMS, ids=str)
def test_the_segments_are_theirs(
    theirs: types.ModuleType,
    at: dict[int, np.ndarray],
    probabilities: dict[int, list[float]],
    silero: Path,
    params: dict[str, float],
    rate: int,
    block: int,
) -> None:
    samples = at[rate]
    blocks = [Audio(samples[i : i + block], rate) for i in range(0, len(samples), block)]
    outputs = run(blocks, {"model": str(silero), **params})
    ends = [each.value for each in outputs if isinstance(each, rm.Json)]
    found = [(e["start_sample"], e["end_sample"]) for e in ends if e["event"] == "end"]
    used = SileroVAD.Params(**params)
    expected = theirs.get_speech_timestamps_from_probs(
        probabilities[rate],
        rate,
        threshold=used.threshold,
        neg_threshold=used.negative_threshold,
        min_speech_duration_ms=used.min_speech_ms,
        min_silence_duration_ms=used.min_silence_ms,
        speech_pad_ms=used.speech_pad_ms,
        audio_length_samples=len(samples),
    )
    assert found == [(each["start"], each["end"]) for each in expected]
    assert len(found) >= 3
    # And the audio is theirs, sample by sample.
    speech = np.concatenate([each.samples[0] for each in audio_of(outputs)])
    np.testing.assert_array_equal(speech, np.concatenate([samples[a:b] for a, b in found]))


def test_noise_is_no_speech(silero: Path) -> None:
    draw = np.random.default_rng(1)
    noise = (0.3 * draw.standard_normal(16000 * 5)).astype(np.float32)
    tone = np.sin(np.arange(16000 * 5) * 2 * np.pi * 440 / 16000).astype(np.float32)
    for samples in (noise, tone, np.zeros(16000 * 5, np.float32)):
        assert run([Audio(samples, 16000)], {"model": str(silero)}) == []


def test_streams_and_channels(silero: Path, at: dict[int, np.ndarray]) -> None:
    """Two streams do not mix; two channels are looked at as their mean."""
    samples = at[16000][: 16000 * 12]
    alone = run([Audio(samples, 16000)], {"model": str(silero)})
    blocks = []
    for start in range(0, len(samples), 1600):
        part = samples[start : start + 1600]
        blocks += [
            Audio(part, 16000, stream_id="a"),
            Audio(np.zeros_like(part), 16000, stream_id="quiet"),
            Audio(np.stack([part * 2, part * 0]), 16000, stream_id="b"),
        ]
    outputs = run(blocks, {"model": str(silero)})
    expected = [each.value for each in alone if isinstance(each, rm.Json)]
    for stream in ("a", "b"):
        events = [
            each.value for each in outputs if isinstance(each, rm.Json) and each.stream_id == stream
        ]
        assert events == expected
    assert not [each for each in outputs if each.stream_id == "quiet"]


def test_nan_counts_as_silence_and_stays(silero: Path, at: dict[int, np.ndarray]) -> None:
    samples = at[16000][: 16000 * 6].copy()
    samples[40000:40010] = np.nan
    samples[50000] = np.inf
    outputs = run([Audio(samples, 16000)], {"model": str(silero)})
    speech = np.concatenate([each.samples[0] for each in audio_of(outputs)])
    assert np.isnan(speech).sum() == 10
    assert np.isinf(speech).sum() == 1
    ends = [each.value for each in outputs if isinstance(each, rm.Json)]
    assert all(0.5 < end["probability"] <= 1 for end in ends if end["event"] == "end")
