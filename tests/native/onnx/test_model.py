"""Models by onnxruntime: what they compute, and what they say when they cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from onnx_writer import doubling, graph, model, node, value
from remotemedia.errors import ModelError
from remotemedia.models.backend import Model, ModelOptions, find_backend
from remotemedia.models.tensor_info import TensorInfo
from remotemedia_native.onnx.backend import OnnxRuntime
from remotemedia_native.onnx.session import open_sessions

OPTIONS = ModelOptions()
X = np.arange(8, dtype=np.float32).reshape(2, 4)


@pytest.fixture(autouse=True)
def all_are_closed() -> Iterator[None]:
    yield
    assert open_sessions() == 0


@pytest.fixture
def doubled(tmp_path: Path) -> Iterator[Model]:
    file = tmp_path / "doubling.onnx"
    file.write_bytes(doubling())
    opened = OnnxRuntime().open(file, OPTIONS)
    yield opened
    opened.close()


def opened(content: bytes) -> Model:
    return OnnxRuntime().open(content, OPTIONS)


def test_it_is_the_backend_of_that_name() -> None:
    assert isinstance(find_backend("onnxruntime"), OnnxRuntime)
    assert isinstance(find_backend("onnxruntime-web"), OnnxRuntime)


def test_what_it_says_of_itself(doubled: Model) -> None:
    assert (doubled.backend, doubled.provider) == ("onnxruntime", "cpu")
    assert doubled.inputs == (TensorInfo("x", "float32", ("batch", 4)),)
    assert doubled.outputs == (TensorInfo("y", "float32", ("batch", 4)),)


def test_runs(doubled: Model) -> None:
    for feeds in (X, X[:1], X[:0], X.reshape(4, 2).T.copy().T.reshape(2, 4), X[::-1]):
        np.testing.assert_array_equal(doubled.run({"x": feeds})["y"], feeds + feeds)
    np.testing.assert_array_equal(asyncio.run(doubled.arun({"x": X}))["y"], X + X)
    odd = np.array([[np.nan, np.inf, -np.inf, 0]], np.float32)
    np.testing.assert_array_equal(doubled.run({"x": odd})["y"], odd + odd)


def test_outputs_are_new_arrays(doubled: Model) -> None:
    first = doubled.run({"x": X})["y"]
    kept = first.copy()
    doubled.run({"x": X + 1})
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "int64"])
def test_dtypes(dtype: str) -> None:
    doubled = opened(doubling(["n"], dtype))
    given = np.array([1, 2, 3], dtype)
    output = doubled.run({"x": given})["y"]
    doubled.close()
    assert (output.dtype, output.tolist()) == (dtype, [2, 4, 6])


def test_a_shape_of_which_nothing_is_known_takes_any() -> None:
    doubled = opened(doubling(None))
    for given in (np.float32(2) * np.ones(()), np.ones(3), np.ones((1, 2, 3))):
        given = np.asarray(given, np.float32)
        assert doubled.run({"x": given})["y"].shape == given.shape
    doubled.close()


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        ({}, "was not given its input x (float32 [batch, 4]); it was given nothing"),
        ({"X": X}, "has no input 'X'; did you mean 'x'?"),
        ({"sound": X}, "has no input 'sound' (it has x)"),
        ({"x": X, "y": X}, "has no input 'y' (it has x)"),
        ({"x": None}, "was not given its input x (float32 [batch, 4]); it was given x"),
        ({"x": [1.0]}, "must be a numpy array, not list: use np.asarray(values)"),
        ({"x": X.astype(float)}, "was given float64 [2, 4]: use .astype(np.float32)"),
        ({"x": X.astype(">f4")}, "was given >f4 [2, 4]: use .astype(np.float32)"),
        ({"x": X[0]}, "was given [4]: it takes 2 dimensions, not 1"),
        ({"x": X[:, :3]}, "was given [2, 3]: dimension 1 must be 4, not 3"),
    ],
)
def test_what_is_wrong_with_inputs(doubled: Model, feeds: dict[str, object], said: str) -> None:
    doubled.run({"x": X})  # what was looked at before is no excuse
    with pytest.raises(ModelError) as error:
        doubled.run(feeds)
    assert said in str(error.value)
    assert str(error.value).startswith("the model doubling.onnx (/")
    np.testing.assert_array_equal(doubled.run({"x": X})["y"], X + X)


def test_closed(doubled: Model) -> None:
    doubled.close()
    doubled.close()
    with pytest.raises(ModelError, match=r"doubling\.onnx .* is closed"):
        doubled.run({"x": X})


@pytest.mark.parametrize("dtype", ["string", "sequence"])
def test_inputs_that_are_no_arrays(dtype: str) -> None:
    is_sequence = dtype == "sequence"
    kind = "float32" if is_sequence else dtype
    infos = [value(name, kind, [4], sequence=is_sequence) for name in "xy"]
    with pytest.raises(ModelError, match=r"takes x .*, which no array can be"):
        opened(model(graph([node("Identity", ["x"], ["y"])], infos[:1], infos[1:])))


def test_outputs_that_are_no_arrays_are_left_out() -> None:
    made = graph(
        [node("SequenceConstruct", ["x"], ["s"]), node("Neg", ["x"], ["y"])],
        [value("x", shape=[2])],
        [value("s", shape=[2], sequence=True), value("y", shape=[2])],
    )
    negated = opened(model(made))
    assert negated.run({"x": np.float32([1, 2])})["y"].tolist() == [-1, -2]
    assert [each.name for each in negated.outputs] == ["y"]
    negated.close()


def run_of(op: str, dtype: str, given: object, **weights: object) -> str:
    """What is said when an operation on ``i`` and the weights fails."""
    array = np.asarray(given)
    made = graph(
        [node(op, [*weights, "i"], ["y"])],
        [value("i", str(array.dtype), [f"n{k}" for k in range(array.ndim)])],
        [value("y", dtype)],
        weights,
    )
    broken = opened(model(made))
    try:
        with pytest.raises(ModelError) as error:
            broken.run({"i": array})
    finally:
        broken.close()
    return str(error.value)


def test_runs_that_fail() -> None:
    said = run_of("Gather", "float32", [9], w=np.zeros(3, np.float32))
    assert "failed in a run: Non-zero status code returned while running Gather" in said
    assert "idx=9 must be within the inclusive range [-3,2]" in said
    assert "onnxruntime_src" not in said
    said = run_of("Add", "float32", np.zeros(5, np.float32), w=np.zeros(3, np.float32))
    assert "3 by 5" in said


def test_out_of_memory() -> None:
    said = run_of("ConstantOfShape", "float32", [2**44])  # times 4 bytes: 64 TiB
    assert "ran out of memory (67,108,864 MiB at once): give it shorter inputs" in said
