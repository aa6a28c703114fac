"""What the commands share that write and read recordings."""

from __future__ import annotations

import argparse
import os
import re

from remotemedia.cli.failure import CommandError, UsageError, os_error, warn
from remotemedia.pipeline import Pipeline
from remotemedia.recording import FileParts, Recorder, Recording, open_recording
from remotemedia.session.session import Session

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
_MIN_SIZE = 4096


def add_recording(parser: argparse.ArgumentParser) -> None:
    """Declare what and how much is recorded."""
    add = parser.add_argument
    add(
        "--tap",
        metavar="NODE[:PORT]",
        action="append",
        default=[],
        help="record what passes inside, too; may be repeated",
    )
    add("--max-size", type=_size, metavar="BYTES", help="of a recorded file: 500k, 100M, 2G")
    add(
        "--max-files",
        type=_count,
        metavar="N",
        help="go on in FILE.1, FILE.2, …, and keep the last N (default: end when it is full)",
    )


class RecordingFile:
    """The recording of one run."""

    def __init__(self, options: argparse.Namespace, pipeline: Pipeline, session: Session) -> None:
        path: str = options.record
        try:
            self._parts = FileParts(path, options.max_files)
        except OSError as error:
            raise CommandError(f"{path}: cannot be written: {os_error(error)}") from error
        self._recorder = Recorder(
            self._parts,
            pipeline.to_dict(),
            session.clock,
            session=pipeline.manifest.metadata.name,
            max_bytes=options.max_size,
            next_sink=None if options.max_files is None else self._parts.next,
            on_stop=lambda error: warn(f"{path}: {error.message}; the run goes on"),
        )
        self._recorder.attach(session, [_tap(text, pipeline) for text in options.tap])

    def close(self) -> str:
        """Complete it; says what it is."""
        self._recorder.close()
        self._parts.close()
        paths = self._parts.paths
        size = sum(map(os.path.getsize, paths))
        return f"{', '.join(paths)}: {show_bytes(size)}"


def check_recording(options: argparse.Namespace, pipeline: Pipeline) -> None:
    """Refuse options that make no sense, before anything runs.

    Raises
    ------
    UsageError
        Says which.
    """
    if options.record is None:
        for name in ("tap", "max_size", "max_files"):
            if getattr(options, name):
                raise UsageError(f"--{name.replace('_', '-')} is of use with --record FILE only")
    if options.max_files is not None and options.max_size is None:
        raise UsageError("--max-files needs --max-size: how large is a file?")
    for text in options.tap:
        _tap(text, pipeline)


def open_files(paths: list[str], *, index: bool = False) -> Recording:
    """Open a recording, and warn of what is damaged.

    Raises
    ------
    UsageError
        A file cannot be opened.
    RecordingError
        It is no recording.
    """
    try:
        recording = open_recording(*paths, index=index)
    except OSError as error:
        raise UsageError(os_error(error)) from error
    if recording.damage:
        warn(f"{recording.damage}; all before it is read")
    return recording


def show_bytes(size: int) -> str:
    """``2.31 MB``"""
    value, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{size:,} bytes" if unit == "bytes" else f"{value:.3g} {unit}"


def _tap(text: str, pipeline: Pipeline) -> str:
    node, _, port = text.partition(":")
    found = pipeline.graph.nodes.get(node)
    if found is None:
        known = ", ".join(pipeline.graph.nodes)
        raise UsageError(f"--tap {text}: there is no node {node!r} (nodes: {known})")
    ports = [*found.outputs, *found.inputs]
    port = port or ports[0]
    if port not in ports:
        raise UsageError(
            f"--tap {text}: {node!r} has no port {port!r} (it has: {', '.join(ports)})"
        )
    return f"{node}:{port}"


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kMG]?)B?", text)
    size = int(float(match[1]) * _UNITS[match[2]]) if match else 0
    if size < _MIN_SIZE:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no size of {_MIN_SIZE} bytes or more, e.g. 500k, 100M, 2G"
        )
    return size


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of files, 1 to 100000")
    return int(text)
