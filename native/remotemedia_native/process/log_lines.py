"""Log records as lines of stderr, so that they come in order with all else that is written there.

A record is one line: a mark, then a JSON array of level, logger and text. That needs neither the
event loop nor a thread that still runs: what was logged before a process hung or died is there.
"""

from __future__ import annotations

import json
import logging
import os

MARK = b"\x1e"
MAX_TEXT = 4096  # characters

_STDERR = 2


class Record:
    """What was logged.

    Attributes
    ----------
    level : int
        As in `logging`.
    logger : str
        Its name.
    text : str
        Message and traceback.
    """

    __slots__ = ("level", "logger", "text")

    def __init__(self, level: int, logger: str, text: str) -> None:
        self.level = level
        self.logger = logger
        self.text = text


class Handler(logging.Handler):
    """Writes records to stderr as marked lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one; a message that cannot be formatted is reported there, too."""
        try:
            write(format_record(record.levelno, record.name, self.format(record)))
        except Exception:
            self.handleError(record)


def install(level: int) -> None:
    """Send all that this process logs, from that level on."""
    root = logging.getLogger()
    root.addHandler(Handler())
    root.setLevel(level)


def format_record(level: int, logger: str, text: str) -> bytes:
    """One line."""
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}…"
    return MARK + json.dumps([level, logger, text]).encode() + b"\n"


def parse_record(line: bytes) -> Record | None:
    """What came after a mark; None if that is no record."""
    try:
        level, logger, text = json.loads(line)
    except (ValueError, TypeError):
        return None
    if type(level) is int and type(logger) is str and type(text) is str:
        return Record(level, logger, text)
    return None


def write(data: bytes) -> None:
    """Write to stderr, past all buffers."""
    while data:
        data = data[os.write(_STDERR, data) :]
