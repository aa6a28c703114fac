"""Json: a structured value."""

from __future__ import annotations

from typing import ClassVar, Self

import msgspec

from remotemedia.data.base import Data, Metadata, check_common
from remotemedia.errors import DataError

MAX_DEPTH = 64  # msgspec's own decoder is fatal in Pyodide beyond ~2,000


class Json(Data, frozen=True, eq=False, gc=False):
    """A structured value: what JSON can say.

    Parameters
    ----------
    value : object
        None, bool, int, finite float, str, list, or dict with str keys, nested at most 64 deep.

    Raises
    ------
    DataError
        For anything else; names the place in the value.
    """

    value: object
    pts_us: int | None = None
    stream_id: str | None = None
    metadata: Metadata | None = None

    media: ClassVar[str] = "json"
    wire_type: ClassVar[int] = 9

    def encode(self) -> bytes:
        """The value as UTF-8 JSON text."""
        return msgspec.json.encode(self.value)

    def _checked(self) -> Self:
        check_common(self)
        check_json(self.value)
        return self


def check_json(value: object, name: str = "value") -> None:
    """Raise `DataError` unless `value` is what JSON can say, at most `MAX_DEPTH` deep."""
    stack: list[tuple[object, str, int]] = [(value, name, 0)]
    while stack:
        item, where, depth = stack.pop()
        kind = type(item)
        if kind is str or kind is bool or item is None:
            continue
        if kind is int:
            if not -(2**63) <= item < 2**64:  # type: ignore[operator]
                raise DataError(f"{where}: {item} does not fit 64 bits")
        elif kind is float:
            if item - item != 0:  # type: ignore[operator]
                raise DataError(f"{where}: {item} is not JSON: NaN and infinity have no form there")
        elif depth == MAX_DEPTH:
            raise DataError(f"{where}: nested deeper than {MAX_DEPTH}")
        elif isinstance(item, dict):
            for key, child in item.items():
                if type(key) is not str:
                    raise DataError(f"{where}: key {key!r} is not a str")
                stack.append((child, f"{where}.{key}", depth + 1))
        elif isinstance(item, (list, tuple)):
            stack.extend((child, f"{where}[{i}]", depth + 1) for i, child in enumerate(item))
        else:
            raise DataError(f"{where}: a {kind.__name__} is not JSON")
