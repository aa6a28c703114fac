"""Errors that cross from one process to another, and are raised again there."""

from __future__ import annotations

import traceback as traceback_module
from collections.abc import Iterator

from remotemedia.errors import NodeError, RemoteMediaError
from remotemedia_native.process.messages import Fault


class RemoteTracebackError(Exception):
    """Stands for what was raised in another process: its text is the traceback there."""

    def __str__(self) -> str:
        return f"\n{super().__str__()}"


def to_fault(error: RemoteMediaError, text: str = "") -> Fault:
    """What is needed to raise it again."""
    text = text or "".join(traceback_module.format_exception(error))
    return Fault(error.code, error.message, error.node, error.port, text)


def from_fault(fault: Fault) -> RemoteMediaError:
    """The error."""
    kind = _kinds().get(fault.code, NodeError)
    try:
        error = kind(fault.message, node=fault.node, port=fault.port)
    except TypeError:  # one that wants more than that
        error = NodeError(fault.message, node=fault.node, port=fault.port)
    error.__cause__ = RemoteTracebackError(fault.traceback)
    return error


def _kinds() -> dict[str, type[RemoteMediaError]]:
    kinds: list[type[RemoteMediaError]] = [RemoteMediaError, *_below(RemoteMediaError)]
    return {kind.code: kind for kind in kinds}


def _below(kind: type[RemoteMediaError]) -> Iterator[type[RemoteMediaError]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)
