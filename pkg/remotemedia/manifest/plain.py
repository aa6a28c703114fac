"""Front end for a manifest given as Python objects: the same limits, and a copy of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from remotemedia.manifest.tree import Handler


def feed(source: Mapping[str, object], handler: Handler) -> None:
    """Send the events of a mapping to `handler`. A cycle ends at the limit of depth."""
    handler.open({}, None)
    stack: list[Iterator[Any]] = [iter(source.items())]
    while stack:
        entry = next(stack[-1], stack)
        if entry is stack:
            stack.pop()
            handler.close()
            continue
        if handler.wants_key:
            key, entry = entry
            handler.key(str(key), None)
            if not isinstance(key, str):
                handler.problem(f"a key is text, not {type(key).__name__}", None)
        if isinstance(entry, Mapping):
            handler.open({}, None)
            stack.append(iter(entry.items()))
        elif isinstance(entry, (list, tuple)):
            handler.open([], None)
            stack.append(iter(entry))
        else:
            try:
                handler.value(scalar(entry), None)
            except TypeError as error:
                handler.problem(str(error), None)
                handler.value(None, None)


def scalar(value: object) -> bool | int | float | str | None:
    """The value, or what it is made of if it is a numpy.float64 or an enumeration of text.

    Raises
    ------
    TypeError
        It is nothing that a manifest can hold.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    raise TypeError(f"a {type(value).__name__} has no place in a manifest")
