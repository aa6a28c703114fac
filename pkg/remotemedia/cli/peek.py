"""Show what is in a recording: its edges and marks; with -p, or a filter, its packets.

Times are seconds from the start of the recording. Of a recording in several files give all of them,
in order.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from remotemedia.cli.commands import BUILT_IN
from remotemedia.cli.json_lines import packet_dict
from remotemedia.cli.recordings import open_files, show_bytes
from remotemedia.cli.terminal import paint, printable, table
from remotemedia.data import Audio, Control, Data, Json, Text
from remotemedia.recording import Record, Recording
from remotemedia.session.guard import describe

SUMMARY = BUILT_IN["peek"]
COLUMNS = 24  # of the picture of an edge
SHOWN_TEXT = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add = parser.add_argument
    add("recording", metavar="FILE", nargs="+", help="the recording")
    add("-p", "--packets", action="store_true", help="one line per packet, too")
    add("--node", metavar="NODE", help="packets of this node")
    add("--port", metavar="PORT", help="packets of ports of this name")
    add("--from", dest="start", type=_seconds, metavar="S", help="packets from there, s")
    add("--to", dest="end", type=_seconds, metavar="S", help="packets before that, s")
    add("--json", action="store_true", help="JSON lines; the last is the summary")


def run(options: argparse.Namespace) -> int:
    """Do it."""
    # The index is for seeking; whoever looks at all of it sees all that is not damaged.
    recording = open_files(options.recording, index=options.start is not None)
    filters = (options.node, options.port, options.start, options.end)
    shows = options.packets or options.json or any(one is not None for one in filters)
    edges: dict[tuple[str, str], Edge] = {}
    if not options.json:
        for line in head(recording, options.recording):
            print(line)
        print()
    for record in recording.records(options.start, options.end):
        packet = record.packet
        if packet is None:
            if shows and options.node is None and options.port is None:
                print(as_json(record) if options.json else packet_line(record))
            continue
        if options.node not in (None, packet.node) or options.port not in (None, packet.port):
            continue
        edge = edges.setdefault((record.kind, f"{packet.node}:{packet.port}"), Edge())
        edge.add(record, recording.duration_us)
        if shows:
            print(as_json(record) if options.json else packet_line(record))
    if options.json:
        print(msgspec.json.encode(summary(recording, options.recording, edges)).decode())
        return 0
    if shows:
        print()
    for line in picture(edges):
        print(line)
    for mark in recording.marks():
        print(f"{_time(mark)}  {paint(_mark(mark), 'bold', sys.stdout)}")
    return 0


class Edge:
    """What passed one port."""

    def __init__(self) -> None:
        self.packets = self.bytes = self.first_us = self.last_us = 0
        self.formats: dict[str, int] = {}
        self.bins = [0] * COLUMNS

    def add(self, record: Record, duration_us: int) -> None:
        """Count one packet."""
        if record.packet is None:
            return
        if not self.packets:
            self.first_us = record.time_us
        self.packets += 1
        self.bytes += record.size
        self.last_us = record.time_us
        format_ = str(describe(record.packet.data))
        if format_ in self.formats or len(self.formats) < 8:
            self.formats[format_] = self.formats.get(format_, 0) + 1
        place = record.time_us * COLUMNS // (duration_us + 1)
        self.bins[min(max(place, 0), COLUMNS - 1)] += 1


def head(recording: Recording, paths: list[str]) -> Iterator[str]:
    """What the recording is."""
    header = recording.header
    when = _utc(header.wall_us)
    part = f", from part {header.part} on" if header.part else ""
    yield f"{', '.join(paths)}: {recording.duration_us / 1e6:.3f} s from {when}{part}"
    yield printable(f"written by remotemedia {header.remotemedia}, {header.python}")
    name, nodes = _pipeline(header.manifest)
    if nodes:
        yield printable(f"of {name or 'a pipeline'}: {', '.join(nodes)}")
    else:
        yield "without a manifest"


def picture(edges: dict[tuple[str, str], Edge]) -> list[str]:
    """The edges, and when they were busy."""
    encoding = (getattr(sys.stdout, "encoding", None) or "").lower()
    ramp = " ▁▂▃▄▅▆▇█" if encoding.startswith("utf") else " .:-=+*#@"
    rows = [("", "port", "packets", "size", "first s", "last s", "when", "format")]
    for (kind, port), edge in edges.items():
        most = max(edge.bins)
        bars = "".join(ramp[-(-count * (len(ramp) - 1) // most)] for count in edge.bins)
        rows.append(
            (
                kind,
                printable(port),
                f"{edge.packets:,}",
                show_bytes(edge.bytes),
                f"{edge.first_us / 1e6:.3f}",
                f"{edge.last_us / 1e6:.3f}",
                f"|{bars}|",
                printable(", ".join(edge.formats)),
            )
        )
    return table(rows, right=range(2, 6)) if edges else ["no packets"]


def packet_line(record: Record) -> str:
    """One record, for people."""
    if record.packet is None:
        return f"{_time(record)}  {_mark(record)}"
    return f"{_time(record)}  {packet_text(record)}"


def packet_text(record: Record) -> str:
    """A packet, but for its time."""
    packet = record.packet
    if packet is None:
        return _mark(record)
    number = f"{packet.sequence}.{packet.sub_sequence}"
    shown = _shown(packet.data)
    return printable(
        f"{record.kind:<8}  {packet.node}:{packet.port}  {number}  "
        f"{describe(packet.data)}{'  ' if shown else ''}{shown}"
    )


def as_json(record: Record) -> str:
    """One record, for programs."""
    line: dict[str, Any] = {"type": record.kind, "time_us": record.time_us}
    if record.packet is not None:
        line |= packet_dict(record.packet)
        line |= {
            "timestamp_us": record.packet.timestamp_us,
            "generation": record.packet.generation,
        }
    elif record.kind == "interrupted":
        line |= {"generation": record.generation, "from_node": record.from_node}
    return msgspec.json.encode(line).decode()


def summary(
    recording: Recording, paths: list[str], edges: dict[tuple[str, str], Edge]
) -> dict[str, object]:
    """All of it, for programs."""
    header = recording.header
    name, nodes = _pipeline(header.manifest)
    return {
        "type": "summary",
        "files": paths,
        "duration_us": recording.duration_us,
        "wall_us": header.wall_us,
        "session": header.session,
        "part": header.part,
        "remotemedia": header.remotemedia,
        "python": header.python,
        "pipeline": name,
        "nodes": nodes,
        "damage": recording.damage,
        "edges": [
            {
                "kind": kind,
                "port": port,
                "packets": edge.packets,
                "bytes": edge.bytes,
                "first_us": edge.first_us,
                "last_us": edge.last_us,
                "formats": edge.formats,
            }
            for (kind, port), edge in edges.items()
        ],
        "marks": [
            {"type": mark.kind, "time_us": mark.time_us, "generation": mark.generation}
            for mark in recording.marks()
        ],
    }


def _pipeline(manifest: str) -> tuple[str, list[str]]:
    """Its name, and its nodes as ``id (type)``; without what cannot be loaded here."""
    from remotemedia.errors import ManifestError
    from remotemedia.manifest import load_manifest

    try:
        found = load_manifest(manifest.encode()) if manifest else None
    except ManifestError:
        return "a manifest that is not valid here", []
    if found is None:
        return "", []
    return found.metadata.name, [f"{node.id} ({node.node_type})" for node in found.nodes]


def _shown(data: Data) -> str:
    if isinstance(data, Audio):
        return f"{data.frames} frames"
    if isinstance(data, Text):
        text = data.text
    elif isinstance(data, Json):
        text = msgspec.json.encode(data.value).decode()
    elif isinstance(data, Control):
        text = data.message_type
    else:
        return ""
    return text if len(text) <= SHOWN_TEXT else f"{text[:SHOWN_TEXT]}…"


def _mark(record: Record) -> str:
    if record.kind != "interrupted":
        return "end of input" if record.kind == "finished" else "end of the recording"
    place = f" from {record.from_node}" if record.from_node else ""
    return printable(f"interrupted{place}: generation {record.generation}")


def _time(record: Record) -> str:
    return f"{record.time_us / 1e6:10.3f} s"


def _utc(wall_us: int) -> str:
    try:
        return datetime.fromtimestamp(wall_us / 1e6, UTC).isoformat(" ", "milliseconds")
    except (OverflowError, OSError, ValueError):
        return f"{wall_us} µs"


def _seconds(text: str) -> int:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is no time in s from the start")
    return round(value * 1e6)
