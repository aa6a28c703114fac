"""Outputs of `run`: WAV files, JSON lines and text, to files and to stdout."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from typing import BinaryIO, Protocol, cast

from remotemedia.caps import Caps, Exact
from remotemedia.cli.failure import CommandError, os_error, warn
from remotemedia.cli.inputs import Input
from remotemedia.cli.json_lines import packet_line
from remotemedia.cli.routing import Target
from remotemedia.data import Audio, Packet, Text
from remotemedia.wav import Encoding, WavWriter

_FAITHFUL = {
    Encoding.PCM24: Encoding.PCM24,
    Encoding.PCM32: Encoding.PCM32,
    Encoding.FLOAT32: Encoding.FLOAT32,
    Encoding.FLOAT64: Encoding.FLOAT32,
}
"""Encoding of the input → that of a WAV output, where 16 bits would lose something."""
_OF_FORMAT = {"I16": Encoding.PCM16, "I32": Encoding.PCM32, "U8": Encoding.PCM8}


class Sink(Protocol):
    """Where the packets of some ports go."""

    def write(self, packet: Packet) -> None:
        """Take one packet."""

    def finish(self) -> str:
        """Complete what is written; says what it is."""

    def discard(self) -> None:
        """Leave nothing behind."""


class Destination:
    """A file that appears whole or not at all; pipes and devices are written as it comes.

    Attributes
    ----------
    file : binary file
        To write to.
    seekable : bool
        Whether it can go back.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.live = path == "-" or (os.path.exists(path) and not os.path.isfile(path))
        self._partial: str | None = None
        try:
            if path == "-":
                self.file = cast(BinaryIO, sys.stdout.buffer)
            elif self.live:
                self.file = open(path, "wb")  # noqa: SIM115 - closed by finish and discard
            else:
                self._open_partial()
        except OSError as error:
            raise CommandError(f"-o {path}: cannot be written: {os_error(error)}") from error
        self.seekable = not self.live or _can_seek(self.file)

    def _open_partial(self) -> None:
        if os.path.exists(self.path) and not os.access(self.path, os.W_OK):
            raise PermissionError(13, "Permission denied")
        folder, name = os.path.split(os.path.realpath(self.path))
        if not os.path.isdir(folder):
            raise FileNotFoundError(2, f"there is no folder {folder}")
        try:
            handle, self._partial = tempfile.mkstemp(prefix=f".{name}.", suffix=".part", dir=folder)
        except OSError as error:
            raise OSError(error.errno, f"{error.strerror} (in {folder})") from None
        self.file = os.fdopen(handle, "w+b")

    def write(self, content: bytes) -> None:
        """Append; what is live goes out at once."""
        try:
            self.file.write(content)
            if self.live:
                self.file.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self.failed(error) from error

    def failed(self, error: OSError) -> CommandError:
        """The error of a write."""
        return CommandError(f"-o {self.path}: writing failed: {os_error(error)}")

    def finish(self) -> None:
        """Close it and give it its name."""
        try:
            self.file.flush()
            if self.path == "-":
                return
            self.file.close()
            if self._partial is not None:
                os.chmod(self._partial, _mode(self.path))
                os.replace(self._partial, os.path.realpath(self.path))
                self._partial = None
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self.failed(error) from error

    def discard(self) -> None:
        """Close it; no file appears."""
        with contextlib.suppress(OSError):
            if self.path != "-":
                self.file.close()
        if self._partial is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._partial)
            self._partial = None


class WavSink:
    """Audio into a WAV file."""

    def __init__(
        self, target: Target, carried: Caps | None, source: Input | None, encoding: str | None
    ) -> None:
        self._target = target
        self._carried = carried
        self._source = source
        self._encoding = Encoding(encoding) if encoding else None
        self._destination = Destination(target.path)
        self._writer: WavWriter | None = None

    def write(self, packet: Packet) -> None:
        """Append the samples of an audio packet; others have no place in it."""
        audio = packet.data
        if not isinstance(audio, Audio):
            return
        if self._writer is None:
            encoding = self._encoding or _OF_FORMAT.get(audio.format) or self._default()
            self._writer = self._begin(audio.sample_rate, audio.channels, encoding)
        writer = self._writer
        if (audio.sample_rate, audio.channels) != (writer.sample_rate, writer.channels):
            raise CommandError(
                f"-o {self._target.path}: {packet.node}:{packet.port} changed from "
                f"{writer.channels} channels at {writer.sample_rate} Hz to {audio.channels} at "
                f"{audio.sample_rate} Hz, but a WAV file has one format: "
                "add a ChannelMix or an AudioResample to the pipeline"
            )
        with self._writing():
            writer.write(audio.samples)
            if self._destination.live:
                self._destination.file.flush()

    def finish(self) -> str:
        """Complete the header; without any audio the file is valid and empty."""
        if self._writer is None:
            rate, channels = self._expected()
            warn(f"no audio came out, {self._target} is empty")
            self._writer = self._begin(rate, channels, self._encoding or self._default())
        writer = self._writer
        with self._writing():
            writer.finish()
        self._destination.finish()
        if writer.clipped:
            warn(
                f"{self._target}: {writer.clipped:,} samples were beyond full scale and were "
                "clipped: lower the gain, or --encoding float32"
            )
        length_s = writer.frames / writer.sample_rate
        width = {1: "mono", 2: "stereo"}.get(writer.channels, f"{writer.channels} channels")
        return (
            f"{self._target}: {length_s:.3f} s, {writer.sample_rate} Hz, {width}, {writer.encoding}"
        )

    def discard(self) -> None:
        """Leave nothing behind."""
        self._destination.discard()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._destination.failed(error) from error

    def _begin(self, rate: int, channels: int, encoding: Encoding) -> WavWriter:
        with self._writing():
            return WavWriter(
                self._destination.file,
                rate,
                channels,
                encoding,
                seekable=self._destination.seekable,
            )

    def _default(self) -> Encoding:
        info = self._source.wav if self._source is not None else None
        return _FAITHFUL.get(info.encoding, Encoding.PCM16) if info else Encoding.PCM16

    def _expected(self) -> tuple[int, int]:
        """Rate and channels as far as they are declared, else those of the input."""
        info = self._source.wav if self._source is not None else None
        rate, channels = (info.sample_rate, info.channels) if info else (16_000, 1)
        for format_ in (self._carried.formats or ()) if self._carried else ():
            declared = format_.get("sample_rate"), format_.get("channels")
            if isinstance(declared[0], Exact) and isinstance(declared[0].value, int):
                rate = declared[0].value
            if isinstance(declared[1], Exact) and isinstance(declared[1].value, int):
                channels = declared[1].value
        return rate, channels


class LineSink:
    """Packets as JSON lines, or the text of text packets as lines."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._destination = Destination(target.path)
        self._lines = 0
        self._left_out = 0

    def write(self, packet: Packet) -> None:
        """Append one line."""
        if self._target.kind == "jsonl":
            line = packet_line(packet)
        elif isinstance(packet.data, Text):
            line = packet.data.text.encode()
        else:
            self._left_out += 1
            return
        self._destination.write(line + b"\n")
        self._lines += 1

    def finish(self) -> str:
        """Complete it."""
        self._destination.finish()
        if self._left_out:
            warn(
                f"{self._target}: it takes text only; what else came out was left out "
                f"({self._left_out:,} times): -o FILE.jsonl takes it"
            )
        return f"{self._target}: {self._lines:,} line{'s' if self._lines != 1 else ''}"

    def discard(self) -> None:
        """Leave nothing behind."""
        self._destination.discard()


def _can_seek(file: BinaryIO) -> bool:
    """Whether to go back in a file that somebody else opened: stdout after ``>``, not ``>>``."""
    try:
        if not file.seekable() or not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return False
        import fcntl

        return not fcntl.fcntl(file.fileno(), fcntl.F_GETFL) & os.O_APPEND
    except (OSError, ValueError, ImportError):
        return False


def _mode(path: str) -> int:
    """The mode that the file has, or that `open` would give it."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
