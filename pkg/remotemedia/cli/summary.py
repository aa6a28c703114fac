"""Summary of a run: what each node did, and how fast it all was."""

from __future__ import annotations

from pathlib import Path

import msgspec

from remotemedia.cli.failure import CommandError, os_error
from remotemedia.cli.terminal import show_us, table
from remotemedia.metrics import Metrics
from remotemedia.metrics.prometheus import to_prometheus


class Summary(msgspec.Struct, kw_only=True):
    """One run.

    Attributes
    ----------
    manifest, input : str
        Their names; no input for pipelines that have sources only.
    media_s, elapsed_s : float
        Media time that was read, and wall-clock time, s.
    realtime_factor : float or None
        Media time per wall-clock time; None without audio.
    packets : dict of str to int
        How many came out, by output port.
    outputs : list of str
        What was written.
    errors : list of str
        What went wrong.
    interrupted : bool
        Whether a signal ended it.
    metrics : Metrics
        Of every node and edge.
    """

    manifest: str
    input: str | None
    media_s: float
    elapsed_s: float
    realtime_factor: float | None
    packets: dict[str, int]
    outputs: list[str]
    errors: list[str]
    interrupted: bool
    metrics: Metrics

    def lines(self) -> list[str]:
        """For people."""
        rows: list[tuple[str, ...]] = [
            ("node", "type", "items", "errors", "p50", "p95", "p99", "max")
        ]
        for node in self.metrics.nodes:
            latency = node.latency
            times = (latency.p50_us, latency.p95_us, latency.p99_us, latency.max_us)
            rows.append(
                (
                    node.node,
                    node.node_type,
                    f"{node.count:,}",
                    f"{node.errors:,}",
                    *(show_us(time) if node.count > node.errors else "-" for time in times),
                )
            )
        lines = table(rows, right=range(2, 8))
        lost = {
            f"{edge.source} to {edge.target}": edge.dropped
            for edge in self.metrics.edges
            if edge.dropped
        }
        lines += [f"dropped on {edge}: {reasons}" for edge, reasons in lost.items()]
        if self.realtime_factor is not None:
            digits = 0 if self.realtime_factor >= 10 else 2
            lines.append(
                f"{'interrupted after ' if self.interrupted else ''}"
                f"{self.media_s:.2f} s of audio in {self.elapsed_s:.2f} s: "
                f"{self.realtime_factor:.{digits}f} × real time"
            )
        else:
            how = "interrupted after" if self.interrupted else "done in"
            lines.append(f"{how} {self.elapsed_s:.2f} s")
        return lines + [f"wrote {output}" for output in self.outputs]

    def to_json(self) -> bytes:
        """For programs, on one line."""
        return msgspec.json.encode({"type": "summary", **msgspec.to_builtins(self)})


def write_metrics(path: str, metrics: Metrics) -> str:
    """Write metrics as Prometheus text if the name ends in ``.prom``, else as JSON; gives the path.

    Raises
    ------
    CommandError
        It cannot be written.
    """
    text = to_prometheus(metrics) if path.endswith(".prom") else metrics.to_json()
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"writing failed: {os_error(error)}") from error
    return path
