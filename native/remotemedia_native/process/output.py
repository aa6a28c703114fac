"""What a child writes: read as it comes, logged line by line, the last lines kept."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable
from typing import IO

from remotemedia_native.process.log_lines import MARK, MAX_TEXT, parse_record

LAST_LINES = 40  # a crash with its stack is some thirty
MAX_DUMP = 400  # lines
MAX_RATE = 1000  # lines per second that are logged; more are counted

_CHUNK = 65_536  # bytes
_PIPE = 2**20  # bytes, more than which no pipe holds by default
_MAX_LINE = 65_536  # bytes; a record in JSON may be some times as long as its text

logger = logging.getLogger("remotemedia.process")


class Log:
    """Logs the lines of one child, with its name in front.

    Parameters
    ----------
    name : str
        Of the child; may be changed.
    now : callable
        Gives time in seconds, for the limit of the rate.

    Attributes
    ----------
    last : deque of str
        The last lines, oldest first, whether logged or not.
    dump : list of str
        The first lines since it was emptied last.
    hidden : int
        Lines that were too many to be logged, since this was told last.
    """

    def __init__(self, name: str, now: Callable[[], float]) -> None:
        self.name = name
        self.last: deque[str] = deque(maxlen=LAST_LINES)
        self.dump: list[str] = []
        self.hidden = 0
        self._now = now
        self._until = 0.0  # end of the second that is counted
        self._count = 0

    def take(self, level: int, line: bytes) -> None:
        """Log a line, which may have a record in it."""
        plain, mark, rest = line.partition(MARK)
        record = parse_record(rest) if mark else None
        if record is None:
            plain = line
        if plain or record is None:
            self._log(level, plain[: MAX_TEXT * 4].decode("utf-8", "replace")[:MAX_TEXT])
        if record is not None:
            self._log(record.level, f"{record.logger}: {record.text}")

    def _log(self, level: int, text: str) -> None:
        self.last.append(text)
        if len(self.dump) < MAX_DUMP:
            self.dump.append(text)
        self._count += 1
        if self._count > MAX_RATE:
            now = self._now()
            if now < self._until:
                self.hidden += 1
                return
            self.tell_hidden()
            self._until, self._count = now + 1, 1
        logger.log(level, "%s: %s", self.name, text)

    def tell_hidden(self) -> None:
        """Log how many lines were not."""
        if self.hidden:
            logger.warning("%s: %d more lines, too many to show", self.name, self.hidden)
            self.hidden = 0


class Output:
    """Reads one stream of a child without waiting.

    Parameters
    ----------
    stream : file
        The end of a pipe; it belongs to this object from now on.
    line : callable
        Given each line without its end.
    """

    def __init__(self, stream: IO[bytes], line: Callable[[bytes], None]) -> None:
        self._stream = stream
        self._line = line
        self._part = b""  # of a line
        self._loop = asyncio.get_running_loop()
        os.set_blocking(stream.fileno(), False)
        self._loop.add_reader(stream, self._read)

    def _read(self) -> bool:
        """Read once; False if nothing is there, or nothing more will be."""
        try:
            data = os.read(self._stream.fileno(), _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(self._stream)
            return False
        *lines, self._part = (self._part + data).split(b"\n")
        for line in lines:
            self._line(line.removesuffix(b"\r"))
        if len(self._part) > _MAX_LINE:
            self._line(self._part)
            self._part = b""
        return True

    def close(self) -> None:
        """Read what is there, and no more: others than the child may still hold the pipe."""
        if self._stream.closed:
            return
        for _ in range(_PIPE // _CHUNK):
            if not self._read():
                break
        if self._part:
            self._line(self._part)
            self._part = b""
        self._loop.remove_reader(self._stream)
        self._stream.close()
