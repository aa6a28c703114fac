"""OnnxFile: files written here field by field, whole, cut off and hostile."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import onnx_writer as write
from remotemedia.errors import ModelError
from remotemedia.models.onnx_file import OnnxFile
from remotemedia.models.tensor_info import TensorInfo

WEIGHTS = {
    "w": np.arange(6, dtype=np.float32).reshape(2, 3),
    "half": np.array([0.5, -2], np.float16),
    "long": np.array([-1, 2**40], np.int64),
    "yes": np.array([True, False]),
    "one": np.float64(0.1),
}


def small(**of_model):
    return write.model(
        write.graph(
            [write.node("MatMul", ["x", "w"], ["y"])],
            [write.value("x", "float32", ("batch", 2)), write.value("w", "float32", (2, 3))],
            [write.value("y", "float32", ("batch", 3)), write.value("z", "int64", None)],
            WEIGHTS,
        ),
        **of_model,
    )


def test_what_it_says_of_itself():
    file = OnnxFile(small(opset=17, ir=8))
    assert (file.opset, file.ir_version, file.producer) == (17, 8, "tests")
    assert file.inputs == (TensorInfo("x", "float32", ("batch", 2)),)  # w has a value
    assert file.outputs == (
        TensorInfo("y", "float32", ("batch", 3)),
        TensorInfo("z", "int64", ()),
    )
    assert file.external == ()
    assert str(file.inputs[0]) == "x (float32 [batch, 2])"


def test_weights_are_views_of_the_file():
    file = OnnxFile(small())
    assert list(file.weights) == list(WEIGHTS)
    for name, expected in WEIGHTS.items():
        found = file.weights[name]
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
        assert not found.flags.writeable


def typed(kind, field, data):
    """TensorProto without raw data."""
    return write.number(1, 2) + write.number(2, kind) + write.part(8, "t") + write.part(field, data)


@pytest.mark.parametrize(
    ("kind", "field", "data", "expected"),
    [
        (1, 4, np.array([1.5, -2], "<f4").tobytes(), np.array([1.5, -2], np.float32)),
        (11, 10, np.array([1.5, -2], "<f8").tobytes(), np.array([1.5, -2])),
        (7, 7, write.varint(-1) + write.varint(5), np.array([-1, 5], np.int64)),
        (6, 5, write.varint(-1) + write.varint(5), np.array([-1, 5], np.int32)),
        (2, 5, write.varint(255) + write.varint(5), np.array([255, 5], np.uint8)),
        (13, 11, write.varint(2**63) + write.varint(5), np.array([2**63, 5], np.uint64)),
        (10, 5, write.varint(0x3C00) + write.varint(0xC000), np.array([1, -2], np.float16)),
    ],
)
def test_values_that_are_not_raw(kind, field, data, expected):
    graph = write.graph([], [], [write.value("y")]) + write.part(5, typed(kind, field, data))
    found = OnnxFile(write.model(graph)).weights["t"]
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def constant(name, values):
    held = write.part(1, "value") + write.part(5, write.tensor("", values)) + write.number(20, 4)
    return write.part(2, name) + write.part(4, "Constant") + write.part(5, held)


def test_constants_in_branches_count():
    branch = write.graph([constant("inside", np.float32([7]))], [], [write.value("b")])
    nodes = [
        constant("outside", np.float32([5])),
        write.node("If", ["x"], ["y"], then_branch=branch),
    ]
    file = OnnxFile(write.model(write.graph(nodes, [write.value("x")], [write.value("y")])))
    assert {name: list(values) for name, values in file.weights.items()} == {
        "outside": [5],
        "inside": [7],
    }


def external(place):
    entry = write.part(1, "location") + write.part(2, place)
    held = write.number(1, 4) + write.number(2, 1) + write.part(8, "t")
    held += write.part(13, entry) + write.number(14, 1)
    graph = write.graph([], [], [write.value("y")]) + write.part(5, held)
    return OnnxFile(write.model(graph))


def test_weights_elsewhere_are_told():
    file = external("weights/model.bin")
    assert file.external == ("weights/model.bin",)
    assert file.weights == {}
    file.check_external()


@pytest.mark.parametrize(
    "place", ["../secret", "/etc/passwd", "a/../../b", "C:\\x", "\\\\host\\x", "..\\x", "", "c:x"]
)
def test_weights_outside_the_folder_are_refused(place):
    with pytest.raises(ModelError, match="outside its own folder"):
        external(place).check_external()


def nested(depth):
    inner = write.graph([], [], [write.value("y")])
    for _ in range(depth):
        inner = write.graph(
            [write.node("If", [], ["y"], then_branch=inner)], [], [write.value("y")]
        )
    return write.model(inner)


def test_depth_is_bounded():
    assert OnnxFile(nested(16)).outputs
    with pytest.raises(ModelError, match="nested more than 16 deep"):
        OnnxFile(nested(17))


@pytest.mark.parametrize(
    "content", [b"", b"<!DOCTYPE html>", b"version https://git-lfs", b"\0" * 99]
)
def test_what_is_no_model(content):
    with pytest.raises(ModelError, match="the model is no ONNX model, or only part of one"):
        OnnxFile(content)


def test_every_cut_is_an_error_or_a_model():
    whole = small()
    refused = 0
    for end in range(len(whole)):
        try:
            OnnxFile(whole[:end])
        except ModelError:
            refused += 1
    assert refused > len(whole) * 0.9


@given(st.binary(max_size=200))
def test_any_bytes(content):
    with contextlib.suppress(ModelError):
        OnnxFile(content)


@given(st.data())
def test_a_model_with_changed_bytes(data):
    content = bytearray(small())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ModelError):
        OnnxFile(bytes(content))


def test_a_tensor_that_lies_about_its_size():
    lying = (
        write.number(1, 2**40) + write.number(2, 1) + write.part(8, "t") + write.part(9, b"1234")
    )
    with pytest.raises(ModelError, match="tensor 't' has not the size that it says"):
        OnnxFile(write.model(write.graph([], [], [write.value("y")]) + write.part(5, lying)))
