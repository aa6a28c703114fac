"""Run a pipeline and record the session.

The same as run --record FILE, without other outputs. The recording has what goes in and what comes
out, with the time of each; --tap adds what passes inside. It is valid up to its last whole record
whenever the run is cut off. See: remotemedia peek FILE, remotemedia replay FILE.
"""

from __future__ import annotations

import argparse

from remotemedia.cli import run as running
from remotemedia.cli.commands import BUILT_IN
from remotemedia.cli.recordings import add_recording

SUMMARY = BUILT_IN["record"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    running.add_inputs(parser)
    parser.add_argument(
        "-o", "--output", dest="record", metavar="FILE", required=True, help="the recording"
    )
    add_recording(parser)
    running.add_reports(parser)
    parser.set_defaults(output=[], output_format=None, encoding=None)


def run(options: argparse.Namespace) -> int:
    """Do it."""
    return running.run(options)
