"""Run a recording again: what went into its session goes into a new one, at the recorded times.

--speed max (the default) runs on a virtual clock: timers and time stamps are those of the recording
and no time passes, so that the outputs are the same bytes. --speed 1 is real time, 2 twice as fast.
The pipeline is that of the recording; --manifest takes another one, --params changes it. --check
compares what comes out with what had come out: exit code 1 if it is not the same.
Of a recording in several files give all of them, in order.
"""

from __future__ import annotations

import argparse
import math
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING

from remotemedia.cli.commands import BUILT_IN
from remotemedia.cli.failure import UsageError
from remotemedia.cli.inputs import Input
from remotemedia.cli.loading import add_auto, add_params, load_pipeline, load_text
from remotemedia.cli.recordings import open_files
from remotemedia.cli.run import Job, add_outputs, add_reports
from remotemedia.cli.stop import Stop
from remotemedia.data import Packet
from remotemedia.errors import SessionClosedError
from remotemedia.metrics import Metrics
from remotemedia.recording import Record, Recording

if TYPE_CHECKING:
    import asyncio

    from remotemedia.session.replay import Replay

SUMMARY = BUILT_IN["replay"]
SHOWN_DIFFERENCES = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add = parser.add_argument
    add("recording", metavar="FILE", nargs="+", help="the recording")
    add("--manifest", metavar="MANIFEST", help="run this instead of what is recorded")
    add_params(parser)
    add_auto(parser)
    add_outputs(parser)
    add("--speed", type=_speed, default=0.0, metavar="SPEED", help="max, 1, 0.5, 2, … (max)")
    add("--step", action="store_true", help="wait for the Enter key before each thing that is sent")
    add("--check", action="store_true", help="compare with the recorded outputs")
    add(
        "--tolerance",
        type=_tolerance,
        metavar="[NODE=]X",
        action="append",
        default=[],
        help="how far numbers may be off, for a recording of a page; may be repeated",
    )
    add_reports(parser)
    parser.set_defaults(on_error="skip", record=None)


def run(options: argparse.Namespace) -> int:
    """Do it."""
    changed = bool(options.manifest or options.params or options.auto)
    if options.tolerance and not options.check:
        raise UsageError("--tolerance is of use with --check only")
    if options.check and "=" in "".join(options.output):
        raise UsageError("--check needs the recorded outputs alone: leave out -o NODE=PATH")
    recording = open_files(options.recording)
    if options.manifest is not None:
        pipeline = load_pipeline(options.manifest, options.params, auto=options.auto)
    elif recording.header.manifest:
        text, name = recording.header.manifest.encode(), f"{options.recording[0]}:manifest"
        pipeline = load_text(text, name, options.params, auto=options.auto)
    else:
        raise UsageError(f"{options.recording[0]} has no manifest: give --manifest FILE")
    for node, _value in options.tolerance:
        if node and node not in pipeline.graph.nodes:
            raise UsageError(f"--tolerance {node}=: there is no node {node!r}")
    options.replayed = recording
    options.same = not changed and not any("=" in text for text in options.output)
    return ReplayJob.of(options, pipeline, *options.recording, options.manifest)


class ReplayJob(Job):
    """A run whose input is a recording."""

    def run(self, stop: Stop) -> int:
        """Run, and compare if that is wanted."""
        self._kept: list[Packet] = []
        code = super().run(stop)
        if self.options.check and not stop.number:
            return self._check() or code
        return code

    @property
    def _recording(self) -> Recording:
        recording: Recording = self.options.replayed
        return recording

    def _open_input(self, stop: Stop) -> Input | None:
        return None

    def _execute(self, source: Input | None, stop: Stop) -> Metrics:
        import asyncio

        from remotemedia.session.replay import Replay

        options, placements = self.options, self.plan.placements.values()
        before = self._ask if options.step else None
        if not options.speed and all(one.executor == "inline" for one in placements):
            from remotemedia.testing.clock import HOUR_US, VirtualClock

            clock = VirtualClock(self._recording.header.wall_us)
            replay = Replay(
                self.plan, self._recording, clock=clock, same=options.same, before=before
            )
            limit_us = self._recording.duration_us + HOUR_US
            return clock.run(self._replay(replay, stop), limit_us=limit_us)
        replay = Replay(
            self.plan,
            self._recording,
            speed=options.speed or None,
            same=options.same,
            before=before,
        )
        return asyncio.run(self._replay(replay, stop))

    async def _replay(self, replay: Replay, stop: Stop) -> Metrics:
        import asyncio

        session, loop = replay.session, asyncio.get_running_loop()
        closing: list[asyncio.Task[None]] = []

        def close() -> None:
            closing.append(loop.create_task(session.aclose()))

        telling = loop.create_task(self._tell_async(session.events()))
        stop.listen(lambda: loop.call_soon_threadsafe(close))
        try:
            async with aclosing(replay.packets()) as packets:
                async for packet in packets:
                    if self.options.check:
                        self._kept.append(packet)
                    self._take(packet, None)
        except SessionClosedError:
            if not stop.number:
                raise
        finally:
            stop.listen(None)
            await asyncio.wait([telling, *closing])
        return session.metrics()

    async def _ask(self, record: Record) -> bool:
        """Show what is next; False to end there."""
        from remotemedia.cli.peek import packet_text

        what = packet_text(record) if record.packet is not None else record.kind
        self._progress.clear()
        print(f"{record.time_us / 1e6:10.3f} s  {what}  [Enter, q] ", end="", file=sys.stderr)
        sys.stderr.flush()
        line = sys.stdin.readline()
        return bool(line) and line.strip().lower() not in ("q", "quit")

    def _check(self) -> int:
        from remotemedia.testing.replaying import differences

        given: dict[str, float] = dict(self.options.tolerance)
        nodes = {**dict.fromkeys(self.plan.graph.nodes, given.get("", 0.0)), **given}
        wrong = list(differences(self._recording, self._kept, nodes))
        for line in wrong[:SHOWN_DIFFERENCES]:
            print(line, file=sys.stderr)
        if len(wrong) > SHOWN_DIFFERENCES:
            print(f"… and {len(wrong) - SHOWN_DIFFERENCES} more", file=sys.stderr)
        if not wrong and not self.options.quiet:
            how = ", within the tolerance" if self.options.tolerance else ""
            print(f"the same: {len(self._kept):,} packets{how}", file=sys.stderr)
        return 1 if wrong else 0


def _tolerance(text: str) -> tuple[str, float]:
    node, _, number = text.rpartition("=")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no X or NODE=X with a number X from 0 on")
    return node, value


def _speed(text: str) -> float:
    if text == "max":
        return 0.0
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.01 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is neither max nor a number, 0.01 to 1000")
    return value
