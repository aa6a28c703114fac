"""Inputs of `run`: a WAV file, lines of text or JSON lines, from a file or from stdin."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from remotemedia.cli.failure import UsageError, os_error, warn
from remotemedia.cli.stop import Stop
from remotemedia.data import Audio, Data, Text
from remotemedia.data.timeline import sample_time_us
from remotemedia.errors import MediaFileError
from remotemedia.wav import WavDecoder, WavInfo
from remotemedia.wav.decoder import other_format

if TYPE_CHECKING:
    import asyncio

FORMATS = ("wav", "text", "jsonl")
EXTENSIONS = {
    ".wav": "wav",
    ".wave": "wav",
    ".txt": "text",
    ".text": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
PIECE = 65_536  # bytes that are read at once
MAX_LINE = 16 << 20  # bytes


class _Decoder(Protocol):
    def feed(self, piece: bytes) -> Iterator[Data]: ...

    def finish(self) -> Iterator[Data]: ...


class Input:
    """What `run` reads, as data; iterate over it, or asynchronously where there is a loop.

    Parameters
    ----------
    path : str
        A file, or ``-`` for stdin.
    form : str, optional
        One of `FORMATS`; by default the extension tells, else the first bytes.
    block_ms : float
        Length of audio blocks, ms.
    realtime : bool
        Give each block only when its media time has come.
    stop : Stop
        Ends the input.

    Attributes
    ----------
    position_s : float
        Media time that has been read, s.
    """

    def __init__(
        self, path: str, form: str | None, block_ms: float, realtime: bool, stop: Stop
    ) -> None:
        self.name = "stdin" if path == "-" else path
        self.position_s = 0.0
        self._format = form or EXTENSIONS.get(os.path.splitext(path)[1].lower())
        self._block_ms = block_ms
        self._stop = stop
        self._pace = Pace(stop) if realtime else None
        self._file = _open(path)
        self._size, self._live = _measure(self._file)
        self._decoder: _Decoder | None = None

    @property
    def wav(self) -> WavInfo | None:
        """What the header says, once it has been read; None if it is no WAV file."""
        return self._decoder.wav.info if isinstance(self._decoder, _WavSource) else None

    @property
    def duration_s(self) -> float | None:
        """Length of the whole input, s, as far as it is known."""
        info = self.wav
        if info is None or info.frames is None:
            return None
        return info.frames / info.sample_rate

    def __iter__(self) -> Iterator[Data]:
        for piece in iter(self._read, b""):
            for data in self._decode(piece):
                if not self._wait(data):
                    return
                yield data
        yield from self._finish()

    async def __aiter__(self) -> AsyncIterator[Data]:
        import asyncio

        loop = asyncio.get_running_loop()
        stopped: asyncio.Future[None] = loop.create_future()

        def on_stop() -> None:
            loop.call_soon_threadsafe(_settle, stopped)

        self._stop.listen(on_stop)
        try:
            while not stopped.done():
                if self._live:
                    await _readable(self._file, stopped)
                piece = b"" if stopped.done() else self._read()
                for data in self._decode(piece) if piece else self._finish():
                    if self._pace is not None:
                        delay_s = self._pace.delay_s(data)
                        if delay_s > 0:
                            await asyncio.wait([stopped], timeout=delay_s)
                    if stopped.done():
                        return
                    self._note(data)
                    yield data
                if not piece:
                    return
        finally:
            self._stop.listen(None)

    def close(self) -> None:
        """Close the file, unless it is stdin."""
        if self.name != "stdin":
            self._file.close()

    # -- inside ------------------------------------------------------------------------------

    def _read(self) -> bytes:
        piece = b""
        with self._stop.waiting() as go_on:
            if go_on:
                try:
                    piece = self._file.read1(PIECE)  # type: ignore[attr-defined]
                except OSError as error:
                    raise MediaFileError(f"{self.name}: {os_error(error)}") from error
        return piece

    def _decode(self, piece: bytes) -> Iterator[Data]:
        if self._decoder is None:
            self._decoder = self._choose(piece)
        try:
            yield from self._decoder.feed(piece)
        except MediaFileError as error:
            raise MediaFileError(f"{self.name}: {error}") from error

    def _finish(self) -> Iterator[Data]:
        if self._stop.number:
            return
        if self._decoder is None:
            self._decoder = self._choose(b"")
        try:
            for data in self._decoder.finish():
                self._note(data)
                yield data
        except MediaFileError as error:
            raise MediaFileError(f"{self.name}: {error}") from error
        if isinstance(self._decoder, _WavSource):
            for warning in self._decoder.wav.warnings:
                warn(f"{self.name}: {warning}")

    def _choose(self, start: bytes) -> _Decoder:
        format_ = self._format
        if format_ is None:
            wav = start[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64")
            if start and not wav and not other_format(start):
                raise UsageError(
                    f"{self.name}: it does not look like WAV; "
                    f"say what it is: --input-format {'|'.join(FORMATS)}"
                )
            format_ = "wav"
        if format_ == "wav":
            return _WavSource(WavDecoder(self._block_ms, self._size))
        return _Lines(_text if format_ == "text" else _json)

    def _wait(self, data: Data) -> bool:
        if self._pace is not None and not self._pace.wait(data):
            return False
        self._note(data)
        return not self._stop.number

    def _note(self, data: Data) -> None:
        if data.pts_us is not None and isinstance(data, Audio):
            self.position_s = (data.pts_us + data.duration_us) / 1e6


class Pace:
    """Keeps data from going out before its media time has come: ``--realtime``."""

    def __init__(
        self,
        stop: Stop,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._stop = stop
        self._clock = clock
        self._sleep = sleep
        self._begin: float | None = None

    def delay_s(self, data: Data) -> float:
        """How long to wait before a block is complete, as if it were recorded now, s."""
        now = self._clock()
        if self._begin is None:
            self._begin = now
        if data.pts_us is None:
            return 0.0
        end_us = data.pts_us + (data.duration_us if isinstance(data, Audio) else 0)
        return self._begin + end_us / 1e6 - now

    def wait(self, data: Data) -> bool:
        """Wait; False if a signal came."""
        delay_s = self.delay_s(data)
        with self._stop.waiting() as go_on:
            if go_on and delay_s > 0:
                self._sleep(delay_s)
        return not self._stop.number


class _WavSource:
    """Blocks of a WAV file, each with its time."""

    def __init__(self, wav: WavDecoder) -> None:
        self.wav = wav
        self._frames = 0

    def feed(self, piece: bytes) -> Iterator[Data]:
        return self._stamp(self.wav.feed(piece))

    def finish(self) -> Iterator[Data]:
        return self._stamp(self.wav.finish())

    def _stamp(self, blocks: Iterator[Any]) -> Iterator[Data]:
        for samples in blocks:
            info = self.wav.info
            if info is None:  # there are no blocks before the header
                continue
            pts_us = sample_time_us(self._frames, info.sample_rate)
            self._frames += samples.shape[1]
            samples.setflags(write=False)
            yield Audio(samples, info.sample_rate, pts_us)


class _Lines:
    """One item per line; empty lines are left out."""

    def __init__(self, convert: Callable[[str, int], Data]) -> None:
        self._convert = convert
        self._rest = bytearray()
        self._number = 0

    def feed(self, piece: bytes) -> Iterator[Data]:
        self._rest += piece
        if len(self._rest) > MAX_LINE and b"\n" not in self._rest:
            raise MediaFileError(f"line {self._number + 1} has more than {MAX_LINE:,} bytes")
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        for line in lines:
            yield from self._line(line)

    def finish(self) -> Iterator[Data]:
        yield from self._line(bytes(self._rest))

    def _line(self, line: bytes) -> Iterator[Data]:
        self._number += 1
        try:
            text = line.decode("utf-8-sig" if self._number == 1 else "utf-8").rstrip("\r")
        except UnicodeDecodeError as error:
            raise MediaFileError(f"line {self._number} is no valid UTF-8: {error}") from None
        if text.strip():
            yield self._convert(text, self._number)


def _text(line: str, number: int) -> Data:
    return Text(line)


def _json(line: str, number: int) -> Data:
    """A line of our own JSONL output as what it was, any other as the value of a `Json`."""
    from remotemedia.cli.json_lines import read_line

    return read_line(line, number)


def _open(path: str) -> BinaryIO:
    if path == "-":
        return cast(BinaryIO, sys.stdin.buffer)
    try:
        if os.path.isdir(path):
            raise UsageError(f"-i {path}: it is a folder; name a file")
        return open(path, "rb")
    except OSError as error:
        raise UsageError(f"-i {os_error(error)}") from error


def _measure(file: BinaryIO) -> tuple[int | None, bool]:
    """Size of a regular file, and whether reading may have to wait."""
    try:
        status = os.fstat(file.fileno())
    except (OSError, ValueError):
        return None, False
    regular = stat.S_ISREG(status.st_mode)
    return (status.st_size if regular else None), not regular


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _readable(file: BinaryIO, stopped: asyncio.Future[None]) -> None:
    """Wait until there is something to read, so that a silent stdin does not hold up the loop."""
    import asyncio

    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    descriptor = file.fileno()
    try:
        loop.add_reader(descriptor, _settle, ready)
    except (NotImplementedError, OSError):  # this loop cannot watch it: then reading waits
        return
    try:
        await asyncio.wait([ready, stopped], return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_reader(descriptor)
