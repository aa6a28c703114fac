"""Errors that cross from one process to another, and are raised again there."""

from __future__ import annotations

import traceback as traceback_module

from remotemedia.errors import RemoteMediaError, rebuilt
from remotemedia_native.process.messages import Fault


def to_fault(error: RemoteMediaError, text: str = "") -> Fault:
    """What is needed to raise it again."""
    text = text or "".join(traceback_module.format_exception(error))
    return Fault(error.code, error.message, error.node, error.port, text)


def from_fault(fault: Fault) -> RemoteMediaError:
    """The error."""
    return rebuilt(fault.code, fault.message, fault.node, fault.port, fault.traceback)
