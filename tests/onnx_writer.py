"""Writes ONNX models for tests, from the field numbers of onnx.proto; there is no package onnx."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np

ELEMENT_TYPES = {
    "float32": 1,
    "uint8": 2,
    "int32": 6,
    "int64": 7,
    "string": 8,
    "bool": 9,
    "float16": 10,
    "float64": 11,
}
Shape = Sequence[int | str] | None


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def part(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(name: str, values: object) -> bytes:
    """TensorProto."""
    array = np.asarray(values)
    return (
        b"".join(number(1, size) for size in array.shape)
        + number(2, ELEMENT_TYPES[str(array.dtype)])
        + part(8, name)
        + part(9, array.tobytes())
    )


def value(
    name: str, dtype: str = "float32", shape: Shape = None, *, sequence: bool = False
) -> bytes:
    """ValueInfoProto; shape None: nothing is said of it."""
    element = number(1, ELEMENT_TYPES[dtype])
    if shape is not None:
        dims = [number(1, n) if isinstance(n, int) else part(2, n) for n in shape]
        element += part(2, b"".join(part(1, dim) for dim in dims))
    kind = part(1, element)
    if sequence:
        kind = part(4, part(1, kind))
    return part(1, name) + part(2, kind)


def attribute(name: str, given: object) -> bytes:
    """AttributeProto of an int, a float, ints, or the bytes of a graph."""
    start = part(1, name)
    if isinstance(given, bytes):
        return start + part(6, given) + number(20, 5)
    if isinstance(given, int):
        return start + number(3, given) + number(20, 2)
    if isinstance(given, float):
        return start + varint(2 << 3 | 5) + struct.pack("<f", given) + number(20, 1)
    assert isinstance(given, list)
    return start + b"".join(number(8, each) for each in given) + number(20, 7)


def node(op: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: object) -> bytes:
    """NodeProto."""
    return (
        b"".join(part(1, name) for name in inputs)
        + b"".join(part(2, name) for name in outputs)
        + part(4, op)
        + b"".join(part(5, attribute(name, given)) for name, given in attributes.items())
    )


def graph(
    nodes: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
    weights: Mapping[str, object] | None = None,
) -> bytes:
    """GraphProto."""
    return (
        b"".join(part(1, each) for each in nodes)
        + part(2, "g")
        + b"".join(part(5, tensor(name, each)) for name, each in (weights or {}).items())
        + b"".join(part(11, each) for each in inputs)
        + b"".join(part(12, each) for each in outputs)
    )


def model(content: bytes, *, opset: int = 17, ir: int = 8) -> bytes:
    """ModelProto."""
    return number(1, ir) + part(2, "tests") + part(7, content) + part(8, number(2, opset))


def doubling(shape: Shape = ("batch", 4), dtype: str = "float32", **of_model: int) -> bytes:
    """``y = x + x``."""
    inputs, outputs = [value("x", dtype, shape)], [value("y", dtype, shape)]
    return model(graph([node("Add", ["x", "x"], ["y"])], inputs, outputs), **of_model)


def counting() -> bytes:
    """``y = Σ i for i < times``, by a Loop: as long a run as one likes; times int64 []."""
    body = graph(
        [
            node("Identity", ["more"], ["still"]),
            node("Add", ["sum", "i"], ["next"]),
        ],
        [value("i", "int64", []), value("more", "bool", []), value("sum", "int64", [])],
        [value("still", "bool", []), value("next", "int64", [])],
    )
    return model(
        graph(
            [node("Loop", ["times", "", "zero"], ["y"], body=body)],
            [value("times", "int64", [])],
            [value("y", "int64", [])],
            {"zero": np.int64(0)},
        )
    )
