"""OnnxGraph: makes ONNX models, without any runtime; `OnnxFile` reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remotemedia.models.onnx_file import DTYPES
from remotemedia.models.tensor_info import TensorInfo

IR_VERSION = 7  # of 2020: what every runtime reads
OPSET = 13

_ELEMENT_TYPES = {name: number for number, name in DTYPES.items()}
_INT, _GRAPH = 2, 5  # AttributeProto.AttributeType

Attribute = int | bytes


class OnnxGraph:
    """A graph in the making: values are known by names that it makes up.

    Parameters
    ----------
    prefix : str
        Of all names; graphs in graphs need one of their own.

    Examples
    --------
    ::

        graph = OnnxGraph()
        doubled = graph.op("MatMul", "x", graph.constant(weights))
        graph.op("Relu", doubled, outputs=["y"])
        content = graph.model([TensorInfo("x", ...)], [TensorInfo("y", ...)])
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._count = 0
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []

    def constant(self, values: NDArray[Any] | Sequence[int]) -> str:
        """A value that is known now; gives its name. Ints: int64."""
        array = values if isinstance(values, np.ndarray) else np.array(values, np.int64)
        name = self.name()
        shape = b"".join(_number(1, size) for size in array.shape)
        kind = _number(2, _ELEMENT_TYPES[array.dtype.name])
        data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        self._constants.append(shape + kind + _part(8, name) + _part(9, data))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Attribute) -> str:
        """An operation with one output; gives the name of that."""
        (output,) = self.ops(kind, *inputs, outputs=1, **attributes)
        return output

    def ops(
        self, kind: str, *inputs: str, outputs: int | Sequence[str], **attributes: Attribute
    ) -> Sequence[str]:
        """An operation with several outputs.

        Parameters
        ----------
        kind : str
            Of ONNX's own operations.
        *inputs : str
            Names of values; empty: one that is left out.
        outputs : int or sequence of str
            How many, or what they are called.
        **attributes : int or bytes
            Bytes: the `content` of another graph, which sees the values of this one.

        Returns
        -------
        sequence of str
            The names of the outputs.
        """
        names = [self.name() for _ in range(outputs)] if isinstance(outputs, int) else outputs
        self._nodes.append(
            b"".join(_part(1, name) for name in inputs)
            + b"".join(_part(2, name) for name in names)
            + _part(4, kind)
            + b"".join(_part(5, _attribute(*each)) for each in attributes.items())
        )
        return names

    def content(self, inputs: Iterable[TensorInfo], outputs: Iterable[TensorInfo]) -> bytes:
        """It, as a GraphProto."""
        return (
            b"".join(_part(1, node) for node in self._nodes)
            + _part(2, self._prefix or "main")
            + b"".join(_part(5, constant) for constant in self._constants)
            + b"".join(_part(11, _value(each)) for each in inputs)
            + b"".join(_part(12, _value(each)) for each in outputs)
        )

    def model(self, inputs: Iterable[TensorInfo], outputs: Iterable[TensorInfo]) -> bytes:
        """The file of it."""
        return (
            _number(1, IR_VERSION)
            + _part(2, "remotemedia")
            + _part(7, self.content(inputs, outputs))
            + _part(8, _number(2, OPSET))
        )

    def name(self) -> str:
        """A name that nothing has."""
        self._count += 1
        return f"{self._prefix}{self._count}"


def _attribute(name: str, given: Attribute) -> bytes:
    if isinstance(given, bytes):
        return _part(1, name) + _part(6, given) + _number(20, _GRAPH)
    return _part(1, name) + _number(3, given) + _number(20, _INT)


def _value(info: TensorInfo) -> bytes:
    """ValueInfoProto."""
    shape = b"".join(_part(1, _dimension(size)) for size in info.shape)
    tensor = _number(1, _ELEMENT_TYPES[info.dtype]) + _part(2, shape)
    return _part(1, info.name) + _part(2, _part(1, tensor))


def _dimension(size: int | str | None) -> bytes:
    if size is None:
        return b""
    return _number(1, size) if isinstance(size, int) else _part(2, size)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _part(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    value &= 2**64 - 1
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
