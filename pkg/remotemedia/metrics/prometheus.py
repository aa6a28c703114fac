"""Prometheus: metrics in the text exposition format, version 0.0.4."""

from __future__ import annotations

from collections.abc import Mapping

from remotemedia.errors import RemoteMediaError
from remotemedia.metrics.latency import Latency, Timing
from remotemedia.metrics.snapshot import EdgeMetrics, Metrics, NodeMetrics, StreamMetrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""What a server gives the text as."""

_NODE, _EDGE, _STREAM = "remotemedia_node_", "remotemedia_edge_", "remotemedia_stream_"
_SESSION = "remotemedia_session_"
_RESERVED = frozenset("node node_type source target reason stream quantile window".split())


class Exposition:
    """The text of one scrape, of any number of sessions.

    What is told of a session grows with its graph, not with its age. Latencies and waits are
    summaries since the start; ``…_window_seconds`` has those of the last 1, 5 and 15 minutes, where
    ``quantile="1"`` is the longest. What was not measured is NaN.

    Examples
    --------
    >>> scrape = Exposition()
    >>> scrape.add(Metrics((), (), streams=()), {"pipeline": "speech"})
    >>> scrape.text()
    ''
    """

    def __init__(self) -> None:
        self._families: dict[str, list[str]] = {}  # all lines of a metric must be together
        self._labels: dict[str, str] = {}

    def add(self, metrics: Metrics, labels: Mapping[str, str] | None = None) -> None:
        """Add what one session measured.

        Parameters
        ----------
        metrics : Metrics
            Of it.
        labels : mapping, optional
            Go on every line: what tells this session from others of the same exposition. Few
            values, seldom new ones: each is a time series for ever.

        Raises
        ------
        RemoteMediaError
            A label's name is none, or one of ours.
        """
        for label in labels or ():
            plain = label.isascii() and label.isidentifier() and not label.startswith("__")
            if not plain or label in _RESERVED:
                raise RemoteMediaError(
                    f"a label cannot be called {label!r}: use ASCII letters, digits and _, not "
                    f"__ in front, and none of {', '.join(sorted(_RESERVED))}"
                )
        self._labels = dict(labels or {})
        for node in metrics.nodes:
            self._add_node(node)
        for edge in metrics.edges:
            self._add_edge(edge)
        if metrics.session is not None:
            self._time(
                _SESSION + "end_to_end",
                "From a send to a packet that is ready for the client.",
                metrics.session.end_to_end,
            )
            self._time(
                _SESSION + "first_output",
                "From a send to the first packet that stems from it.",
                metrics.session.first_output,
            )
        for stream in metrics.streams:
            self._add_stream(stream)

    def text(self) -> str:
        """All that was added."""
        return "".join(line + "\n" for lines in self._families.values() for line in lines)

    def _add_node(self, node: NodeMetrics) -> None:
        labels = {"node": node.node, "node_type": node.node_type}
        self._count(_NODE + "items", "Items given to the node.", node.count, **labels)
        self._count(_NODE + "errors", "Calls that failed.", node.errors, **labels)
        self._time(_NODE + "latency", "Duration of the node's calls.", node.latency, **labels)

    def _add_edge(self, edge: EdgeMetrics) -> None:
        labels = {"source": edge.source, "target": edge.target}
        self._count(_EDGE + "entered", "Items put into the edge.", edge.entered, **labels)
        self._count(_EDGE + "delivered", "Items that came out of it.", edge.delivered, **labels)
        for reason, count in edge.dropped.items():
            self._count(_EDGE + "dropped", "Items lost in it.", count, **labels, reason=reason)
        self._gauge(_EDGE + "depth", "Items waiting in the edge.", edge.in_flight, **labels)
        self._gauge(_EDGE + "depth_max", "The most that waited.", edge.max_depth, **labels)
        if edge.wait is not None:
            self._time(_EDGE + "wait", "Time that items waited in it.", edge.wait, **labels)
        if edge.compressed_us:
            text, seconds = "Media time taken out to catch up.", edge.compressed_us / 1e6
            self._count(_EDGE + "compressed_seconds", text, seconds, **labels)

    def _add_stream(self, stream: StreamMetrics) -> None:
        label = {"stream": stream.stream}
        self._count(_STREAM + "samples", "Blocks or frames.", stream.samples, **label)
        self._count(
            _STREAM + "discontinuities", "Jumps of media time.", stream.discontinuities, **label
        )
        gauges: tuple[tuple[str, str, float | None], ...] = (
            ("lead_seconds", "Arrival behind media time.", stream.lead_ms / 1000),
            ("drift_ratio", "Growth of the lead, s/s.", stream.slope_ms_per_s / 1000),
            ("skew_seconds", "Behind its partner.", _thousandth(stream.skew_ms)),
            ("interval_seconds", "Between arrivals, mean.", stream.interval_ms / 1000),
            ("cadence_ratio", "Variation of that.", stream.cadence),
            ("frozen_seconds", "Content the same.", stream.frozen_ms / 1000),
            ("health", "0 (bad) to 1.", stream.health),
            ("alerts", "Bits of the alerts that are raised.", stream.alerts),
        )
        for name, text, value in gauges:
            if value is not None:
                self._gauge(_STREAM + name, text, value, **label)

    def _count(self, name: str, text: str, value: float, **labels: str) -> None:
        self._line(self._family(name + "_total", "counter", text), name + "_total", value, labels)

    def _gauge(self, name: str, text: str, value: float, **labels: str) -> None:
        self._line(self._family(name, "gauge", text), name, value, labels)

    def _time(self, name: str, text: str, timing: Timing, **labels: str) -> None:
        name += "_seconds"
        lines = self._family(name, "summary", text)
        for quantile, value in _quantiles(timing).items():
            if quantile != "1":
                self._line(lines, name, value, {**labels, "quantile": quantile})
        self._line(lines, name + "_sum", timing.mean_us * timing.count / 1e6, labels)
        self._line(lines, name + "_count", timing.count, labels)
        name = name.removesuffix("_seconds") + "_window_seconds"
        lines = self._family(name, "gauge", f"{text} In the last minutes.")
        for window, latency in timing.windows.items():
            for quantile, value in _quantiles(latency).items():
                told = {**labels, "window": window, "quantile": quantile}
                self._line(lines, name, value, told)

    def _family(self, name: str, kind: str, text: str) -> list[str]:
        lines = self._families.get(name)
        if lines is None:
            lines = self._families[name] = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
        return lines

    def _line(self, lines: list[str], name: str, value: float, labels: Mapping[str, str]) -> None:
        told = ",".join(
            f'{label}="{_escaped(said)}"' for label, said in {**self._labels, **labels}.items()
        )
        shown = "NaN" if value != value else repr(value)
        lines.append(f"{name}{{{told}}} {shown}" if told else f"{name} {shown}")


def to_prometheus(metrics: Metrics, labels: Mapping[str, str] | None = None) -> str:
    """The text of one session, see `Exposition.add`."""
    scrape = Exposition()
    scrape.add(metrics, labels)
    return scrape.text()


def _quantiles(latency: Latency) -> dict[str, float]:
    """Quantile → s; NaN where nothing was recorded."""
    values = (latency.p50_us, latency.p95_us, latency.p99_us, latency.max_us)
    unit = 1e-6 if latency.count else float("nan")
    names = ("0.5", "0.95", "0.99", "1")
    return {name: value * unit for name, value in zip(names, values, strict=True)}


def _thousandth(value: float | None) -> float | None:
    return None if value is None else value / 1000


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
