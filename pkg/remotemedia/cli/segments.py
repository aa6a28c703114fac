"""Display: what comes out of a pipeline and goes to no file, for people.

JSON packets that tell a span of time are rows of one table; what several ports tell of the same
span (speech from a VAD, its loudness from a level meter) is one row.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from remotemedia.cli.terminal import printable
from remotemedia.data import Json, Packet, Text

SAME_US = 1_000  # two spans are the same if neither end differs by more
PENDING = 2  # rows that wait, at most, for what other ports tell of them

MEASURES: tuple[tuple[str, str, int], ...] = (
    ("integrated_lufs", "loudness LUFS", 1),
    ("momentary_lufs", "momentary LUFS", 1),
    ("peak_dbfs", "peak dBFS", 1),
    ("snr_db", "SNR dB", 1),
    ("confidence", "confidence", 2),
    ("speaker", "speaker", 0),
    ("label", "label", 0),
    ("text", "text", 0),
)
"""Field of the JSON → head of its column, and decimals."""
_BESIDE = {"interim": "integrated_lufs", "final": "momentary_lufs"}
"""Kind of level report → the loudness that does not describe its span."""
_TIMES = (("start", "start s"), ("end", "end s"), ("duration", "duration s"))


class Row:
    """One span of time and what is known of it."""

    def __init__(self, stream_id: str | None, start_us: int, end_us: int) -> None:
        self.stream_id = stream_id
        self.start_us = start_us
        self.end_us = end_us
        self.fields: dict[str, object] = {}
        self.ports: set[tuple[str, str]] = set()

    def is_span(self, stream_id: str | None, start_us: int, end_us: int) -> bool:
        """Whether it is that span."""
        return (
            self.stream_id == stream_id
            and abs(self.start_us - start_us) <= SAME_US
            and abs(self.end_us - end_us) <= SAME_US
        )


class Display:
    """Prints packets as lines, and spans of time as a table that grows.

    Parameters
    ----------
    write : callable
        Takes one line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._rows: deque[Row] = deque()
        self._ports: set[tuple[str, str]] = set()
        self._columns: tuple[str, ...] | None = None
        self._count = 0

    def show(self, packet: Packet) -> None:
        """Print a text or JSON packet; of others there is nothing to see."""
        data = packet.data
        if isinstance(data, Text):
            self._write(printable(data.text))
        elif isinstance(data, Json):
            value = data.value
            if isinstance(value, dict) and type(value.get("start_us")) is int:
                self._span(value, data.stream_id, (packet.node, packet.port))
            else:
                time = f"{data.pts_us / 1e6:9.3f} s  " if data.pts_us is not None else ""
                text = printable(data.encode().decode())
                self._write(f"{time}{packet.node}:{packet.port}  {text}")

    def finish(self) -> None:
        """Print the rows that waited."""
        while self._rows:
            self._print(self._rows.popleft())

    def _span(self, value: dict[str, object], stream_id: str | None, port: tuple[str, str]) -> None:
        start_us, end_us = value["start_us"], value.get("end_us")
        if not isinstance(start_us, int) or not isinstance(end_us, int):
            return  # it has begun; the row comes when it has ended
        row = next((row for row in self._rows if row.is_span(stream_id, start_us, end_us)), None)
        if row is None:
            row = Row(stream_id, start_us, end_us)
            self._rows.append(row)
        beside = _BESIDE.get(str(value.get("kind")))
        row.fields |= {key: field for key, field in value.items() if key != beside}
        row.ports.add(port)
        self._ports.add(port)
        # Which ports tell of spans is known once the first rows have waited.
        while len(self._rows) > PENDING or (
            self._count and self._rows and self._rows[0].ports == self._ports
        ):
            self._print(self._rows.popleft())

    def _print(self, row: Row) -> None:
        known = self._columns or ()
        columns = tuple(
            key
            for key, _, _ in MEASURES
            if key in known or any(key in one.fields for one in (row, *self._rows))
        )
        if columns != known or self._columns is None:
            self._columns = columns
            heads = [head for _, head in _TIMES]
            heads += [head for key, head, _ in MEASURES if key in columns]
            self._write("   #  " + "  ".join(f"{head:>10}" for head in heads))
        self._count += 1
        times = (row.start_us, row.end_us, row.end_us - row.start_us)
        cells = [f"{time / 1e6:.3f}" for time in times]
        widths = [max(10, len(head)) for _, head in _TIMES]
        for key, head, decimals in MEASURES:
            if key in columns:
                cells.append(_cell(row.fields.get(key), decimals))
                widths.append(max(10, len(head)))
        line = "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        self._write(f"{self._count:4}  {line}".rstrip())


def _cell(value: object, decimals: int) -> str:
    if value is None:
        return "-"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:.{decimals}f}"
    return printable(str(value))
