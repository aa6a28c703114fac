"""Errors that cross from a worker to the session, and are raised again there."""

from __future__ import annotations

import functools
import traceback as traceback_module
from typing import cast

from remotemedia.errors import NodeError, RemoteMediaError, rebuilt
from remotemedia.protocol import error_info
from remotemedia.session.failure import node_error
from remotemedia_wasm.workers.messages import Fault


def to_fault(node_id: str, type_name: str, error: BaseException) -> Fault:
    """What is needed to raise it again."""
    ours = isinstance(error, RemoteMediaError)
    kinds = () if ours else tuple(kind.__name__ for kind in type(error).__mro__[:-2])
    text = "".join(traceback_module.format_exception(error))
    return Fault(error_info(node_error(node_id, type_name, error), text), kinds)


def from_fault(fault: Fault) -> RemoteMediaError:
    """The error; the names of its classes are those that it had."""
    info = fault.info
    error = rebuilt(info.code, info.message, info.node, info.port, info.traceback)
    if fault.kinds:
        error.__class__ = _kind(fault.kinds)
    return error


@functools.lru_cache(64)
def _kind(names: tuple[str, ...]) -> type[NodeError]:
    kind = NodeError
    for name in reversed(names):
        kind = cast(type[NodeError], type(name, (kind,), {}))
    return kind
