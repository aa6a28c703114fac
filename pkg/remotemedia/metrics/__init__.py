"""Metrics: histograms and snapshots. Knows nothing of sessions."""

from __future__ import annotations

from remotemedia.metrics.histogram import Histogram, Latency, add_rows
from remotemedia.metrics.snapshot import EdgeMetrics, Metrics, NodeMetrics

__all__ = ["EdgeMetrics", "Histogram", "Latency", "Metrics", "NodeMetrics", "add_rows"]
