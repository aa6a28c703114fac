"""OnnxFile: what an ONNX file says of itself, read without any runtime.

The format is protobuf [1]_; of its messages what is needed here is read, and nothing is copied.

.. [1] https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remotemedia.errors import ModelError
from remotemedia.models.tensor_info import TensorInfo

DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
    9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
}  # fmt: skip
"""TensorProto.DataType → numpy's name."""

MAX_DEPTH = 16
"""Of graphs in graphs."""

MAX_DIMENSIONS = 32

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_TYPED = {4: "<f4", 5: "<i4", 7: "<i8", 10: "<f8", 11: "<u8"}  # fields of TensorProto with values
_EXTERNAL = 1  # data_location


class MadeFile(bytes):
    """A model file that was made of another.

    Attributes
    ----------
    name : str
        What messages call it.
    """

    name: str

    @cached_property
    def sha256(self) -> str:
        """Its digest."""
        return hashlib.sha256(self).hexdigest()

    def __new__(cls, content: bytes, name: str) -> MadeFile:
        """As said."""
        made = super().__new__(cls, content)
        made.name = name
        return made


def called(file: Path | bytes) -> str:
    """What messages call a model file."""
    if isinstance(file, MadeFile):
        return file.name
    if isinstance(file, bytes):
        return f"the model of {len(file):,} bytes"
    return f"the model {file.name} ({file})"


class OnnxFile:
    """A model file, taken apart.

    Parameters
    ----------
    content : bytes-like
    name : str
        What messages call it.

    Attributes
    ----------
    ir_version, opset : int
        0 if it does not say. The opset is that of ONNX's own operations.
    producer : str
    inputs, outputs : tuple of TensorInfo
        What is no tensor is left out, as are inputs that have a value in the file.
    weights : dict
        Name → array, read-only views of the file: initializers, and the values of Constant nodes by
        the name of their output; those of the graphs in If, Loop and Scan as well.
    external : tuple of str
        Files that hold weights, as the model names them.

    Raises
    ------
    ModelError
        It is no ONNX file, is cut off, or is nested too deeply.
    """

    def __init__(self, content: bytes | bytearray | memoryview, name: str = "the model") -> None:
        self.name = name
        self.ir_version = self.opset = 0
        self.producer = ""
        self.weights: dict[str, NDArray[Any]] = {}
        self._external: dict[str, None] = {}
        inputs: list[TensorInfo] = []
        outputs: list[TensorInfo] = []
        seen = False
        for field, value in self._fields(memoryview(content).cast("B")):
            if field == 1 and isinstance(value, int):
                self.ir_version = value
            elif field == 2 and not isinstance(value, int):
                self.producer = _text(value)
            elif field == 7 and not isinstance(value, int):
                seen = True
                self._read_graph(value, inputs, outputs, 0)
            elif field == 8 and not isinstance(value, int):
                known = dict(self._fields(value))
                if _text(known.get(1, memoryview(b""))) in ("", "ai.onnx"):
                    self.opset = _number(known.get(2, 0))
        if not seen:
            raise self._broken("it has no graph")
        self.inputs = tuple(each for each in inputs if each.name not in self.weights)
        self.outputs = tuple(outputs)
        self.external = tuple(self._external)

    @classmethod
    def read(cls, file: Path | bytes) -> OnnxFile:
        """The file at a path, or of these bytes."""
        if isinstance(file, bytes):
            return cls(file, called(file))
        try:
            content = file.read_bytes()
        except OSError as error:
            raise ModelError(f"the model {file} cannot be read: {error.strerror}") from error
        return cls(content, called(file))

    def check_external(self) -> None:
        """Raise unless all files that it names are in its own folder.

        Raises
        ------
        ModelError
            One is elsewhere: such a model could show any file of this host.
        """
        for place in self.external:
            path = PureWindowsPath(place)  # knows both kinds of slashes, and drives
            if path.drive or path.root or ".." in path.parts or not path.parts:
                raise ModelError(
                    f"{self.name} wants weights out of {place!r}, which is outside its own folder: "
                    "that is not allowed; export it with its weights inside or beside it"
                )

    def _broken(self, why: str) -> ModelError:
        return ModelError(
            f"{self.name} is no ONNX model, or only part of one ({why}): get the file again, and "
            "see that it is no page of HTML or pointer of Git LFS"
        )

    # -- protobuf --------------------------------------------------------------------------------

    def _fields(self, data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
        """Field number and value of each field; a value is a number, or bytes."""
        position, end = 0, len(data)
        while position < end:
            key, position = self._varint(data, position)
            kind = key & 7
            if kind == _VARINT:
                number, position = self._varint(data, position)
                yield key >> 3, number
                continue
            if kind == _BYTES:
                length, position = self._varint(data, position)
            elif kind in (_FIXED32, _FIXED64):
                length = 4 if kind == _FIXED32 else 8
            else:
                raise self._broken("there is a field of an unknown kind")
            if length > end - position:
                raise self._broken("it ends within a field")
            yield key >> 3, data[position : position + length]
            position += length

    def _varint(self, data: memoryview, position: int) -> tuple[int, int]:
        number = 0
        for shift in range(0, 70, 7):
            if position >= len(data):
                break
            byte = data[position]
            position += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                number &= 2**64 - 1
                return number - 2**64 if number >= 2**63 else number, position
        raise self._broken("it ends within a number")

    # -- messages --------------------------------------------------------------------------------

    def _read_graph(
        self, data: memoryview, inputs: list[TensorInfo], outputs: list[TensorInfo], depth: int
    ) -> None:
        if depth > MAX_DEPTH:
            raise self._broken(f"graphs are nested more than {MAX_DEPTH} deep")
        for field, value in self._fields(data):
            if isinstance(value, int):
                continue
            if field == 1:
                self._read_node(value, depth)
            elif field == 5:
                self._read_tensor(value, "")
            elif field in (11, 12) and depth == 0:
                info = self._read_value(value)
                if info is not None:
                    (inputs if field == 11 else outputs).append(info)

    def _read_node(self, data: memoryview, depth: int) -> None:
        output = ""
        attributes = []
        for field, value in self._fields(data):
            if isinstance(value, int):
                continue
            if field == 2:
                output = output or _text(value)
            elif field == 5:
                attributes.append(value)
        for attribute in attributes:
            for field, value in self._fields(attribute):
                if isinstance(value, int):
                    continue
                if field == 5:
                    self._read_tensor(value, output)
                elif field in (6, 11):
                    self._read_graph(value, [], [], depth + 1)

    def _read_tensor(self, data: memoryview, name: str) -> None:
        shape: list[int] = []
        kind = location = 0
        raw: memoryview | None = None
        typed: dict[int, list[Any]] = {}
        for field, value in self._fields(data):
            if field == 1:
                shape += [value] if isinstance(value, int) else self._packed(value)
            elif field == 2:
                kind = _number(value)
            elif field == 8 and not isinstance(value, int):
                name = name or _text(value)
            elif field == 9 and not isinstance(value, int):
                raw = value
            elif field == 13 and not isinstance(value, int):
                entry = dict(self._fields(value))
                if _text(entry.get(1, memoryview(b""))) == "location":
                    self._external[_text(entry.get(2, memoryview(b"")))] = None
            elif field == 14:
                location = _number(value)
            elif field in _TYPED:
                typed.setdefault(field, []).append(value)
        if location == _EXTERNAL or kind not in DTYPES:
            return
        if len(shape) > MAX_DIMENSIONS or any(size < 0 for size in shape):
            raise self._broken(f"tensor {name!r} has no shape that an array can have")
        count = math.prod(shape)
        dtype = np.dtype(DTYPES[kind]).newbyteorder("<")
        if raw is not None:
            if len(raw) != count * dtype.itemsize:
                raise self._broken(f"tensor {name!r} has not the size that it says")
            array = np.frombuffer(raw, dtype)
        else:
            values = [self._values(field, parts) for field, parts in typed.items()] or [np.empty(0)]
            array = values[0]
            if dtype == np.float16:  # its bits are kept in numbers of 32 bits
                array = array.astype(np.uint16).view(np.float16)
            if len(array) != count:
                raise self._broken(f"tensor {name!r} has not the size that it says")
            array = array.astype(dtype)
        array = array.reshape(shape)
        array.setflags(write=False)
        self.weights[name] = array

    def _values(self, field: int, parts: list[Any]) -> NDArray[Any]:
        kind = _TYPED[field]
        found: list[Any] = []
        for part in parts:
            if isinstance(part, int):
                found.append(part)
            elif kind in ("<f4", "<f8"):
                if len(part) % int(kind[2]):
                    raise self._broken("it ends within a number")
                found += np.frombuffer(part, kind).tolist()
            else:
                found += self._packed(part)
        if kind == "<u8":
            found = [each & (2**64 - 1) for each in found]
        elif kind == "<i4":  # holds unsigned ones of fewer bits, too
            kind = "<i8"
        return np.array(found, kind)

    def _packed(self, data: memoryview) -> list[int]:
        found, position = [], 0
        while position < len(data):
            number, position = self._varint(data, position)
            found.append(number)
        return found

    def _read_value(self, data: memoryview) -> TensorInfo | None:
        known = dict(self._fields(data))
        kind = known.get(2)
        if not isinstance(kind, memoryview):
            return None
        tensor = dict(self._fields(kind)).get(1)
        if not isinstance(tensor, memoryview):
            return None
        about = dict(self._fields(tensor))
        shape: list[int | str | None] = []
        sizes = about.get(2)
        if isinstance(sizes, memoryview):
            for field, size in self._fields(sizes):
                if field == 1 and isinstance(size, memoryview):
                    said = dict(self._fields(size))
                    number = said.get(1)
                    if 2 in said:
                        shape.append(_text(said[2]))
                    else:
                        shape.append(number if isinstance(number, int) else None)
        dtype = DTYPES.get(_number(about.get(1, 0)), "?")
        return TensorInfo(_text(known.get(1, memoryview(b""))), dtype, tuple(shape))


def _text(value: int | memoryview) -> str:
    return "" if isinstance(value, int) else str(value, "utf-8", "replace")


def _number(value: int | memoryview) -> int:
    return value if isinstance(value, int) else 0
