"""OnnxGraph: what is written is what `OnnxFile` reads; that runtimes run it is tested natively."""

from __future__ import annotations

import numpy as np
import pytest

from remotemedia.models.onnx_file import MadeFile, OnnxFile, called
from remotemedia.models.onnx_graph import IR_VERSION, OPSET, OnnxGraph
from remotemedia.models.tensor_info import TensorInfo

X = TensorInfo("x", "float32", ("batch", 3))
Y = TensorInfo("y", "float32", ("batch", None))
N = TensorInfo("n", "int64", ())


def test_what_it_takes_and_gives() -> None:
    graph = OnnxGraph()
    graph.ops("MatMul", "x", graph.constant(np.ones((3, 2), np.float32)), outputs=["y"])
    file = OnnxFile(graph.model([X, N], [Y]))
    assert (file.ir_version, file.opset, file.producer) == (IR_VERSION, OPSET, "remotemedia")
    assert (file.inputs, file.outputs) == ((X, N), (Y,))


@pytest.mark.parametrize(
    "values",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3).T,  # not contiguous
        np.arange(6, dtype=">f4"),
        np.float64(0.1) * np.ones((1, 2, 1)),
        np.array([-(2**63), 2**63 - 1]),
        np.array([True, False]),
        np.zeros((0, 3), np.int8),
        np.array(16_000, np.int64),
    ],
    ids=lambda values: f"{values.dtype.str}{list(values.shape)}",
)
def test_constants(values: np.ndarray) -> None:
    graph = OnnxGraph()
    name = graph.constant(values)
    found = OnnxFile(graph.model([], [])).weights[name]
    assert found.dtype == values.dtype.newbyteorder("=")
    np.testing.assert_array_equal(found, values)


def test_ints_have_64_bits_in_both_worlds() -> None:
    graph = OnnxGraph()
    found = OnnxFile(graph.model([], [])).weights
    assert not found
    name = graph.constant([-1, 2])
    assert OnnxFile(graph.model([], [])).weights[name].dtype == np.int64


def test_graphs_in_graphs_have_names_of_their_own() -> None:
    graph = OnnxGraph()
    outer = graph.constant([1])
    inner = OnnxGraph("inner")
    names = {inner.constant([2]), inner.op("Relu", "x")}
    graph.ops("If", outer, outputs=["y"], then_branch=inner.content([], [Y]))
    assert names.isdisjoint({outer, graph.name()})
    assert {name: each.tolist() for name, each in OnnxFile(graph.model([X], [Y])).weights.items()}
    weights = OnnxFile(graph.model([X], [Y])).weights
    assert sorted(each.item() for each in weights.values()) == [1, 2]


def test_what_files_are_called() -> None:
    made = MadeFile(b"12345", "the model of somebody")
    assert made == b"12345"
    assert called(made) == "the model of somebody"
    assert called(b"12345") == "the model of 5 bytes"
