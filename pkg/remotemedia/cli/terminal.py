"""What is written to terminals: colour, tables, durations, and a progress bar."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from typing import TextIO

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
_REDRAW_S = 0.1
_BAR = 24  # columns of the bar itself


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at it."""
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def paint(text: str, colour: str, stream: TextIO) -> str:
    """The text in a colour, on a terminal that wants colours (https://no-color.org)."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    if plain or not is_terminal(stream):
        return text
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m"


def printable(text: str) -> str:
    """The text without control characters: what comes from data must not steer the terminal."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == "\t" else char.encode("unicode_escape").decode()
        for char in text
    )


def table(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Lines of columns, the first row the heads; the columns in `right` end in one line."""
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def show_us(duration_us: float) -> str:
    """A duration in three digits or so: ``12.3 µs``, ``4.56 ms``, ``1.23 s``."""
    value, unit = duration_us, "µs"
    for larger in ("ms", "s"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {unit}"


class Progress:
    """One line that is redrawn on a terminal, and nothing where there is none.

    Parameters
    ----------
    stream : text stream
        Where; usually stderr.
    total_s : callable
        Length of the input, s; None while it is unknown.
    clock : callable
        Seconds that pass.
    """

    def __init__(
        self,
        stream: TextIO,
        total_s: Callable[[], float | None],
        *,
        enabled: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._total_s = total_s
        self._clock = clock
        self._enabled = enabled and is_terminal(stream)
        self._started = clock()
        self._drawn = self._started  # short runs never draw
        self._shown = False
        unicode = (getattr(stream, "encoding", None) or "").lower().startswith("utf")
        self._full, self._empty, self._times = ("█", "░", "×") if unicode else ("#", ".", "x")

    def update(self, done_s: float) -> None:
        """Show how far the input has been read, s of media."""
        if not self._enabled:
            return
        now = self._clock()
        if now - self._drawn < _REDRAW_S:
            return
        self._drawn = now
        line = self._line(done_s, now - self._started)
        width = shutil.get_terminal_size().columns
        self._stream.write("\r\x1b[K" + line[: width - 1])
        self._stream.flush()
        self._shown = True

    def clear(self) -> None:
        """Take the line away, so that something else can be printed."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = False

    def _line(self, done_s: float, elapsed_s: float) -> str:
        speed = f"{done_s / elapsed_s:.1f}{self._times} real time" if elapsed_s > 0 else ""
        total_s = self._total_s()
        if not total_s:
            return f"{done_s:.1f} s  {speed}"
        share = min(1.0, done_s / total_s)
        full = round(share * _BAR)
        bar = self._full * full + self._empty * (_BAR - full)
        left_s = elapsed_s * (1 - share) / share if share else 0.0
        return f"{share:4.0%} {bar} {done_s:.1f} of {total_s:.1f} s  {speed}  {left_s:.0f} s left"
