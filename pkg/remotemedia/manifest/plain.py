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
            handler.value(_scalar(entry, handler), None)


def _scalar(value: object, handler: Handler) -> object:
    # Subclasses (numpy.float64, enumerations of text) become what they are made of.
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    handler.problem(f"a {type(value).__name__} has no place in a manifest", None)
    return None
