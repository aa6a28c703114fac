"""Silero's network as products against the published file, by raw onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import soxr
from numpy.typing import NDArray

import onnx_writer as write
from remotemedia.data import Audio, Json
from remotemedia.errors import ModelError
from remotemedia.models.onnx_file import MadeFile, OnnxFile
from remotemedia.nodes.models.silero_graph import as_products
from remotemedia.nodes.models.silero_vad import SileroVAD
from remotemedia.testing import run_node

SIZES = {8_000: 288, 16_000: 576}
MOST = 6e-5
"""Of what probabilities and states may differ, for any state. Measured in 12,800 frames of noise:
4.0e-5. Sums are made in another order; against float64, both are equally far off."""
MOST_OF_SPEECH = 1e-5
"""Of probabilities. Measured in 44 s: 1.9e-6."""

F32 = NDArray[np.float32]


def session(file: Path | bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(file if isinstance(file, bytes) else str(file), options)


def feeds(inputs: F32, state: F32, rate: int) -> dict[str, NDArray[Any]]:
    return {"input": inputs, "state": state, "sr": np.array(rate, np.int64)}


@pytest.fixture(scope="module")
def theirs(models: Path) -> Any:
    return session(models / "silero-vad" / "silero_vad.onnx")


@pytest.fixture(scope="module")
def products(models: Path) -> bytes:
    return as_products(OnnxFile.read(models / "silero-vad" / "silero_vad.onnx"))


@pytest.fixture(scope="module")
def ours(products: bytes) -> Any:
    return session(products)


@pytest.mark.parametrize("batch", [1, 3, 64])
@pytest.mark.parametrize("rate", list(SIZES))
def test_it_gives_the_same(theirs: Any, ours: Any, rate: int, batch: int) -> None:
    rng = np.random.default_rng(11)
    for loudness in (0, 1e-3, 0.1, 1):
        inputs = rng.normal(0, loudness, (batch, SIZES[rate])).astype(np.float32)
        state = rng.normal(0, 0.5, (2, batch, 128)).astype(np.float32)
        given = feeds(inputs, state, rate)
        for found, expected in zip(ours.run(None, given), theirs.run(None, given), strict=True):
            assert found.shape == expected.shape
            np.testing.assert_allclose(found, expected, rtol=0, atol=MOST)


@pytest.mark.parametrize("rate", list(SIZES))
def test_it_gives_the_same_of_speech(theirs: Any, ours: Any, speech: F32, rate: int) -> None:
    """Each with the states that it has made itself."""
    size = SIZES[rate]
    samples = soxr.resample(speech, 48_000, rate)
    step = size - rate * 4 // 1000
    states = {each: np.zeros((2, 1, 128), np.float32) for each in (theirs, ours)}
    heard = 0
    for start in range(0, len(samples) - size, step):
        probabilities = []
        for each, state in states.items():
            output, states[each] = each.run(
                None, feeds(samples[np.newaxis, start : start + size], state, rate)
            )
            probabilities.append(float(output[0, 0]))
        assert abs(probabilities[0] - probabilities[1]) <= MOST_OF_SPEECH
        heard += probabilities[0] > 0.5
    assert heard > 500


def test_a_batch_gives_bit_for_bit_what_each_gives_alone(ours: Any) -> None:
    rng = np.random.default_rng(12)
    for batch in (2, 5, 64):
        inputs = rng.normal(0, 0.1, (batch, 576)).astype(np.float32)
        state = rng.normal(0, 0.5, (2, batch, 128)).astype(np.float32)
        output, after = ours.run(None, feeds(inputs, state, 16_000))
        for index in range(batch):
            one = slice(index, index + 1)
            alone, alone_after = ours.run(None, feeds(inputs[one], state[:, one], 16_000))
            assert alone.tobytes() == output[one].tobytes()
            assert alone_after.tobytes() == after[:, one].tobytes()


def test_a_file_for_one_rate_is_left_as_it_is(models: Path, speech: F32) -> None:
    path = models / "silero-vad" / "silero_vad_16k_op15.onnx"
    assert SileroVAD().quicker(path) is path
    samples = soxr.resample(speech, 48_000, 16_000)
    found = [
        [
            each.value
            for each in run_node(SileroVAD, [Audio(samples, 16_000)], model=str(file)).data
            if isinstance(each, Json)
        ]
        for file in (path, path.with_name("silero_vad.onnx"))
    ]
    assert len(found[0]) > 20
    assert [each["start_sample"] for each in found[0]] == [
        each["start_sample"] for each in found[1]
    ]


def test_the_node_opens_it_once_and_says_whose_it_is(models: Path, tmp_path: Path) -> None:
    path = models / "silero-vad" / "silero_vad.onnx"
    node = SileroVAD(model=str(path))
    quicker = node.quicker(path)
    assert isinstance(quicker, MadeFile)
    assert node.quicker(path) is quicker
    assert "silero_vad.onnx" in quicker.name


def test_other_models_are_left_as_they_are(tmp_path: Path) -> None:
    node = SileroVAD()
    with pytest.raises(ModelError, match=r"is not Silero VAD: it has no weights encoder\.0"):
        as_products(OnnxFile(write.doubling()))
    assert node.quicker(write.doubling()) == write.doubling()
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"<html>")
    assert node.quicker(broken) is broken
    missing = tmp_path / "missing.onnx"
    assert node.quicker(missing) is missing
