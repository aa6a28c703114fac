"""RemoteMedia: one media pipeline, written once in Python, for the browser tab and the server.

What a node is written with is imported at once; what runs pipelines is imported when it is first
used, so that ``import remotemedia`` stays cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from remotemedia.clock import Clock, SystemClock
from remotemedia.data import (
    Audio,
    Binary,
    Control,
    Data,
    File,
    Image,
    Json,
    Packet,
    Tensor,
    Text,
    Video,
)
from remotemedia.errors import ManifestError, NodeError, RemoteMediaError, SessionError
from remotemedia.node import Context, Emit, Node
from remotemedia.node import NodeParams as Params

# The decorator takes the name of the module `remotemedia.node`, which is loaded by now, so that
# nothing sets it back. `from remotemedia.node import …` goes on working.
from remotemedia.registry import node

if TYPE_CHECKING:
    from remotemedia.data.messages import (
        BatchHint,
        CancelSpeculation,
        DeadlineWarning,
        read_message,
    )
    from remotemedia.graph import Graph
    from remotemedia.manifest import Manifest, load_manifest
    from remotemedia.metrics import Metrics
    from remotemedia.pipeline import Pipeline
    from remotemedia.plan import Plan
    from remotemedia.session.session import Session

__version__ = "0.1.0"

_LAZY = {
    "BatchHint": "data.messages",
    "CancelSpeculation": "data.messages",
    "DeadlineWarning": "data.messages",
    "Graph": "graph",
    "Manifest": "manifest",
    "Metrics": "metrics",
    "Pipeline": "pipeline",
    "Plan": "plan",
    "Session": "session.session",
    "load_manifest": "manifest",
    "read_message": "data.messages",
}
"""Public name → the module that has it."""

__all__ = [
    "Audio",
    "BatchHint",
    "Binary",
    "CancelSpeculation",
    "Clock",
    "Context",
    "Control",
    "Data",
    "DeadlineWarning",
    "Emit",
    "File",
    "Graph",
    "Image",
    "Json",
    "Manifest",
    "ManifestError",
    "Metrics",
    "Node",
    "NodeError",
    "Packet",
    "Params",
    "Pipeline",
    "Plan",
    "RemoteMediaError",
    "Session",
    "SessionError",
    "SystemClock",
    "Tensor",
    "Text",
    "Video",
    "load_manifest",
    "node",
    "read_message",
]


def __getattr__(name: str) -> object:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module 'remotemedia' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"remotemedia.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
