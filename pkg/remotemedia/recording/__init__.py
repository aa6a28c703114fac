"""Recordings: what went in and out of a session, in a file that survives a crash.

``docs/design/recording.md`` has the layout and the reasons.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from remotemedia.recording.files import FileParts, open_recording
    from remotemedia.recording.layout import Header
    from remotemedia.recording.reader import Record, Recording
    from remotemedia.recording.recorder import Recorder
    from remotemedia.recording.writer import Sink

_LAZY = {
    "FileParts": "files",
    "Header": "layout",
    "Record": "reader",
    "Recorder": "recorder",
    "Recording": "reader",
    "Sink": "writer",
    "open_recording": "files",
}
"""Name → its module: a page has those that write only."""

__all__ = [
    "FileParts",
    "Header",
    "Record",
    "Recorder",
    "Recording",
    "Sink",
    "open_recording",
]


def __getattr__(name: str) -> object:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
