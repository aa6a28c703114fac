"""Manifests: a pipeline as data, loaded within bounds, with every problem and its place."""

from __future__ import annotations

from remotemedia.manifest.loader import load_manifest
from remotemedia.manifest.model import (
    Batch,
    CircuitBreaker,
    Connection,
    Join,
    Manifest,
    MediaCapabilities,
    Metadata,
    NodeSpec,
    Policy,
    ProcessOptions,
    Queue,
    Restart,
    Retry,
)
from remotemedia.manifest.schema import json_schema

__all__ = [
    "Batch",
    "CircuitBreaker",
    "Connection",
    "Join",
    "Manifest",
    "MediaCapabilities",
    "Metadata",
    "NodeSpec",
    "Policy",
    "ProcessOptions",
    "Queue",
    "Restart",
    "Retry",
    "json_schema",
    "load_manifest",
]
