"""What is written to terminals."""

from __future__ import annotations

import io
import os

import pytest

from remotemedia.cli.terminal import Progress, paint, printable, show_us, table


class Terminal(io.StringIO):
    """A terminal of 80 columns, as far as the code can tell."""

    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert paint("x", "red", Terminal()) == "\x1b[31mx\x1b[0m"
    assert paint("x", "red", io.StringIO()) == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert paint("x", "red", Terminal()) == "x"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert paint("x", "red", Terminal()) == "x"


@pytest.mark.parametrize(
    ("duration_us", "text"),
    [
        (0, "0.00 µs"),
        (0.456, "0.46 µs"),
        (12.34, "12.3 µs"),
        (123.4, "123 µs"),
        (999.6, "1.00 ms"),
        (5_750, "5.75 ms"),
        (999_600, "1.00 s"),
        (12_300_000, "12.3 s"),
    ],
)
def test_durations(duration_us: float, text: str) -> None:
    assert show_us(duration_us) == text


def test_table() -> None:
    rows = [("node", "count"), ("a", "1,000"), ("longer", "7")]
    assert table(rows, right=[1]) == ["node    count", "a       1,000", "longer      7"]
    assert table([]) == []


def test_data_cannot_steer_the_terminal() -> None:
    assert printable("plain · text\t1") == "plain · text\t1"
    assert printable("\x1b[2Jgone\r\n\u202e") == "\\x1b[2Jgone\\r\\n\\u202e"


def test_progress() -> None:
    terminal, clock = Terminal(), Clock()
    progress = Progress(terminal, lambda: 20.0, clock=clock)
    progress.update(0.1)
    assert terminal.getvalue() == ""  # nothing in the first tenth of a second
    clock.now = 2.0
    progress.update(5.0)
    bar = "█" * 6 + "░" * 18
    assert terminal.getvalue() == f"\r\x1b[K 25% {bar} 5.0 of 20.0 s  2.5× real time  6 s left"
    clock.now = 2.05
    progress.update(6.0)  # too soon
    progress.clear()
    progress.clear()
    assert terminal.getvalue().endswith(" left\r\x1b[K")


def test_progress_of_unknown_length_and_without_unicode() -> None:
    terminal, clock = Terminal(), Clock()
    terminal.encoding = "ascii"  # type: ignore[misc]
    progress = Progress(terminal, lambda: None, clock=clock)
    clock.now = 1.0
    progress.update(3.0)
    assert terminal.getvalue() == "\r\x1b[K3.0 s  3.0x real time"


def test_progress_keeps_to_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert os.environ["COLUMNS"] == "20"
    terminal, clock = Terminal(), Clock()
    progress = Progress(terminal, lambda: 20.0, clock=clock)
    clock.now = 1.0
    progress.update(5.0)
    assert len(terminal.getvalue()) == len("\r\x1b[K") + 19


def test_no_progress_where_nobody_looks() -> None:
    clock = Clock()
    for stream, enabled in ((io.StringIO(), True), (Terminal(), False)):
        progress = Progress(stream, lambda: 20.0, enabled=enabled, clock=clock)
        clock.now += 10
        progress.update(5.0)
        progress.clear()
        assert stream.getvalue() == ""
