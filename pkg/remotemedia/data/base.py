"""What all data types share: checked construction, an unchecked way in for nodes, equality."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import msgspec
import numpy as np
from msgspec import StructMeta

from remotemedia.errors import DataError

Metadata = Mapping[str, object]
"""What travels with data and is kept by nodes: JSON-like values under string keys."""


class DataMeta(StructMeta):
    """Makes `Audio(...)` a checked call, while `Audio.unchecked(...)` is the bare constructor.

    A msgspec ``__post_init__`` cannot be skipped; a metaclass call can.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return cls._checked(StructMeta.__call__(cls, *args, **kwargs))  # type: ignore[attr-defined]


class Data(msgspec.Struct, metaclass=DataMeta, frozen=True, eq=False, gc=False):
    """One typed value of a stream. Immutable; arrays in it are read-only and C-contiguous.

    Every type ends with the same three fields:

    pts_us : int, optional
        Presentation time stamp of the first sample, µs of media time.
    stream_id : str, optional
        Which stream it belongs to, where a session carries several.
    metadata : mapping, optional
        JSON-like values under string keys; nodes pass it on.
    """

    media: ClassVar[str]
    wire_type: ClassVar[int]

    def _checked(self) -> Self:
        """Self, or a normalised copy; raises `DataError`."""
        return self

    def caps_fields(self) -> dict[str, object]:
        """The fields of this value that caps can constrain."""
        return {}

    def replace(self, **changes: object) -> Self:
        """A checked copy with some fields changed."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in self.__struct_fields__}
        return type(self)(**{**fields, **changes})

    def equals(self, other: object) -> bool:
        """Same type and same values in every field; arrays by dtype, shape and bits."""
        if type(other) is not type(self):
            return False
        return all(
            _same(getattr(self, name), getattr(other, name)) for name in self.__struct_fields__
        )


def unchecked(cls: Callable[..., Data], *values: object) -> Any:
    """Construct without checks: for code that has just made valid values itself."""
    return StructMeta.__call__(cls, *values)  # type: ignore[arg-type]


def check_common(data: Any) -> None:
    """Check the three fields that all data types share."""
    pts_us = data.pts_us
    if pts_us is not None and type(pts_us) is not int:
        raise DataError(f"pts_us must be an int of microseconds or None, not {pts_us!r}")
    if data.stream_id is not None and type(data.stream_id) is not str:
        raise DataError(f"stream_id must be a str or None, not {data.stream_id!r}")
    if data.metadata is not None and not isinstance(data.metadata, Mapping):
        kind = type(data.metadata).__name__
        raise DataError(f"metadata must be a mapping with string keys or None, not {kind}")


def require_int(name: str, value: object, minimum: int) -> int:
    """`value` as a plain int of at least `minimum`; numpy integers are accepted."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= minimum:
        return int(value)
    raise DataError(f"{name} must be an integer of at least {minimum}, not {value!r}")


def _same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray):
        return (
            isinstance(b, np.ndarray)
            and a.dtype == b.dtype
            and a.shape == b.shape
            and a.tobytes() == b.tobytes()
        )
    return a == b or (a != a and b != b)
