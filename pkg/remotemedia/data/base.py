"""What all data types share: checked construction, an unchecked way in for nodes, equality."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import msgspec
import numpy as np
from msgspec import StructMeta

from remotemedia.data.json_value import check_json
from remotemedia.errors import DataError, nearest

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

    if TYPE_CHECKING:  # fields of a base would come first, and these come last

        @property
        def pts_us(self) -> int | None: ...
        @property
        def stream_id(self) -> str | None: ...
        @property
        def metadata(self) -> Metadata | None: ...

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


D = TypeVar("D", bound=Data)


def unchecked(cls: Callable[..., Data], *values: object) -> Any:
    """Construct without checks: for code that has just made valid values itself."""
    return StructMeta.__call__(cls, *values)  # type: ignore[arg-type]


def with_values(data: D, **values: object) -> D:
    """`data` if it has these very values already, else an unchecked copy that has."""
    if all(getattr(data, name) is value for name, value in values.items()):
        return data
    fields = {name: getattr(data, name) for name in data.__struct_fields__}
    copy: D = unchecked(type(data), *{**fields, **values}.values())
    return copy


def check_common(data: Any) -> None:
    """Check the three fields that all data types share."""
    pts_us = data.pts_us
    if pts_us is not None and type(pts_us) is not int:
        raise DataError(f"pts_us must be an int of microseconds or None, not {pts_us!r:.100}")
    if data.stream_id is not None:
        require_text("stream_id", data.stream_id, optional=True)
    metadata = data.metadata
    if metadata is not None:
        if not isinstance(metadata, Mapping):
            kind = type(metadata).__name__
            raise DataError(f"metadata must be a mapping with str keys or None, not {kind}")
        check_json(metadata if type(metadata) is dict else dict(metadata), "metadata")


def require_int(name: str, value: object, minimum: int) -> int:
    """`value` as a plain int of at least `minimum`; numpy integers are accepted."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= minimum:
        return int(value)
    raise DataError(f"{name} must be an integer of at least {minimum}, not {value!r:.100}")


def require_text(name: str, value: object, *, optional: bool = False) -> None:
    """Check that `value` is a str that survives UTF-8."""
    if value is None and optional:
        return
    if type(value) is not str:
        raise DataError(
            f"{name} must be a str{' or None' if optional else ''}, not {value!r:.100} "
            f"({type(value).__name__})"
        )
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise DataError(f"{name} is not valid Unicode: {error}") from None


def require_name(name: str, value: object, known: Iterable[str]) -> None:
    """Check that `value` is one of the `known` names."""
    names = tuple(known)
    if value not in names:
        hint = nearest(value, names) if isinstance(value, str) else ""
        raise DataError(f"{name} must be one of {', '.join(names)}, not {value!r:.100}{hint}")


def require_bytes(name: str, value: object) -> bytes:
    """`value` as bytes; bytearray and memoryview are copied."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    hints = {"str": ": encode it first", "ndarray": ": use its tobytes()"}
    kind = type(value).__name__
    raise DataError(f"{name} must be bytes, not {kind}{hints.get(kind, '')}")


def _same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray):
        return (
            isinstance(b, np.ndarray)
            and a.dtype == b.dtype
            and a.shape == b.shape
            and a.tobytes() == b.tobytes()
        )
    if isinstance(a, Mapping):
        return (
            isinstance(b, Mapping)
            and a.keys() == b.keys()
            and all(_same(value, b[key]) for key, value in a.items())
        )
    if isinstance(a, (list, tuple)):  # which are the same in JSON
        return isinstance(b, (list, tuple)) and len(a) == len(b) and all(map(_same, a, b))
    # 1, 1.0 and True are equal to Python, and differ to JSON.
    return type(a) is type(b) and (a == b or (a != a and b != b))
