"""Executors: where a node runs. `inline` is here; others plug in by entry point."""

from __future__ import annotations

import sys

from remotemedia.errors import UnavailableError, nearest
from remotemedia.executors.base import Executor, WarningExecutor
from remotemedia.executors.inline import Inline
from remotemedia.registry import entry_points

ENTRY_POINT_GROUP = "remotemedia.executors"

HERE = "worker" if sys.platform == "emscripten" else "process"
"""What a process is called where this runs: both words mean it, in both worlds."""

_PROVIDED_BY = {
    "process": "remotemedia_native, on hosts that have processes",
    "worker": "remotemedia_wasm, in a page",
    "remote": "the server package, which this version does not ship yet",
    "ray": "the scale package, which this version does not ship yet",
}


def find_executor(name: str) -> Executor:
    """The executor of that name.

    Raises
    ------
    UnavailableError
        There is none on this host; says what provides it.
    """
    if name == "inline":
        return Inline()
    points = {point.name: point for point in entry_points(ENTRY_POINT_GROUP)}
    if name in ("process", "worker") and HERE in points:
        name = HERE
    if name not in points:
        provider = _PROVIDED_BY.get(name)
        if provider is None:
            known = list(dict.fromkeys(["inline", *_PROVIDED_BY, *points]))
            hint = nearest(name, known) or f" (one of {', '.join(known)})"
            raise UnavailableError(f"unknown executor {name!r}{hint}")
        raise UnavailableError(
            f"executor {name!r} comes with {provider}: use 'executor: inline' (the default)"
        )
    try:
        executor = points[name].load()()
    except Exception as error:
        raise UnavailableError(
            f"executor {name!r} cannot be loaded here: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(executor, Executor):
        raise UnavailableError(f"executor {name!r}: {points[name].value} has no create(node)")
    return executor


def in_parts(name: str) -> bool:
    """Whether an executor runs parts of a plan, each as a whole; False if it is not here."""
    if name == "inline":
        return False
    try:
        return bool(getattr(find_executor(name), "in_parts", False))
    except UnavailableError:
        return False


__all__ = [
    "ENTRY_POINT_GROUP",
    "Executor",
    "Inline",
    "WarningExecutor",
    "find_executor",
    "in_parts",
]
