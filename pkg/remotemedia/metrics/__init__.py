"""Metrics: histograms and snapshots. Knows nothing of sessions."""

from __future__ import annotations

from remotemedia.metrics.histogram import Histogram, add_rows, table_of
from remotemedia.metrics.latency import Latency, Timing
from remotemedia.metrics.snapshot import (
    EdgeMetrics,
    Metrics,
    NodeMetrics,
    SessionMetrics,
    StreamMetrics,
)

__all__ = [
    "EdgeMetrics",
    "Histogram",
    "Latency",
    "Metrics",
    "NodeMetrics",
    "SessionMetrics",
    "StreamMetrics",
    "Timing",
    "add_rows",
    "table_of",
]
