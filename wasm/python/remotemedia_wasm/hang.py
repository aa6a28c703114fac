"""Hung calls: what the page's signal does to a node that does not return."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from remotemedia.errors import NodeError
from remotemedia.node import Node


class NodeHungError(NodeError):
    """A call into a node took too long, and the page cut it off."""

    code = "node_hung"


OURS = ("remotemedia.session", "remotemedia_wasm", "asyncio", "pyodide", "_pyodide")
"""Modules whose own frames are never cut off: they would be left in disorder."""
_HELPERS = {*sys.stdlib_module_names, "remotemedia", "numpy", "msgspec"}
"""Packages that the session itself calls."""


def install() -> None:
    """Let the signal of the page's watchdog end the call of a node.

    The signal arrives between two bytecodes of whatever runs. Only where that is inside a call of a
    node is the call ended, by an exception that the session takes as the failure of that item.
    Elsewhere nothing happens: the page tries again, and if nothing helps it restarts the worker.
    """
    signal.signal(signal.SIGINT, _on_signal)


def _on_signal(number: int, frame: FrameType | None) -> None:
    if frame is not None and in_node(frame):
        raise NodeHungError(
            "the call did not return in time and was cut off: see the traceback for where it was"
        )


def in_node(frame: FrameType | None) -> bool:
    """Whether a frame belongs to a call that a session makes into a node."""
    called: FrameType | None = None
    while frame is not None and not _is_ours(frame):
        called, frame = frame, frame.f_back
    if called is None or frame is None or not _module(frame).startswith("remotemedia.session"):
        return False
    # `called` is what the session called: a method of a node, or a generator that one returned.
    if isinstance(called.f_locals.get("self"), Node):
        return True
    return _module(called).partition(".")[0] not in _HELPERS


def _is_ours(frame: FrameType) -> bool:
    module = _module(frame)
    return any(module == name or module.startswith(f"{name}.") for name in OURS)


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
