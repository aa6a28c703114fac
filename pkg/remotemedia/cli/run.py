"""Run a pipeline over a file or a stream.

Input: WAV (PCM, float, A-law, µ-law), lines of text, or JSON lines, told by the extension.
Output: -o speech.wav takes the audio, -o events.jsonl the rest, -o words.txt the text; where
several ports carry it, -o NODE:PORT=PATH says which, and may be given again for others. "-" is
stdin or stdout. Text and JSON that no -o takes are printed. Ctrl-C ends the input: what was read
still comes out.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence

from remotemedia.cli.commands import BUILT_IN
from remotemedia.cli.failure import CommandError, UsageError, note, os_error, warn
from remotemedia.cli.inputs import FORMATS, Input
from remotemedia.cli.json_lines import packet_line
from remotemedia.cli.loading import add_auto, add_params, load_pipeline, with_outputs
from remotemedia.cli.outputs import LineSink, Sink, WavSink
from remotemedia.cli.recordings import RecordingFile, add_recording, check_recording
from remotemedia.cli.routing import Port, Target, check_paths, parse_target, ports_of
from remotemedia.cli.segments import Display
from remotemedia.cli.stop import Stop
from remotemedia.cli.summary import Summary, write_metrics
from remotemedia.cli.terminal import Progress
from remotemedia.data import Audio, Packet, Video
from remotemedia.errors import AddressError
from remotemedia.metrics import Metrics
from remotemedia.pipeline import Pipeline
from remotemedia.session.address import find_entries
from remotemedia.session.failure import Event
from remotemedia.wav.writer import WRITABLE

SUMMARY = BUILT_IN["run"]
SHOWN_ERRORS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_inputs(parser)
    add_outputs(parser)
    parser.add_argument("--record", metavar="FILE", help="record the session, to be replayed")
    add_recording(parser)
    add_reports(parser)


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Declare what is run, and what goes in."""
    add = parser.add_argument
    add("manifest", metavar="MANIFEST", help="YAML or JSON file; - for stdin")
    add("-i", "--input", metavar="IN", help="what goes in; - for stdin")
    add_params(parser)
    add_auto(parser)
    add("--to", metavar="NODE[:PORT]", help="where the input goes (default: every open input)")
    add("--input-format", choices=FORMATS, help="what the input is")
    add("--block-ms", type=_milliseconds, default=20.0, metavar="MS", help="audio block (20)")
    add("--realtime", action="store_true", help="feed the input at the speed of its clock")
    add(
        "--on-error",
        choices=("stop", "skip"),
        default="stop",
        help="what to do when a node fails on an item (stop)",
    )


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """Declare where it comes out."""
    add = parser.add_argument
    add(
        "-o",
        "--output",
        metavar="OUT",
        action="append",
        default=[],
        help="[NODE[:PORT]=]PATH, what comes out; - for stdout; may be repeated",
    )
    add("--output-format", choices=("wav", "jsonl", "text"), help="what the outputs are")
    add(
        "--encoding",
        choices=[one.value for one in WRITABLE],
        help="samples of WAV outputs (default: as the input)",
    )


def add_reports(parser: argparse.ArgumentParser) -> None:
    """Declare what is told."""
    add = parser.add_argument
    add("--json", action="store_true", help="JSON lines on stdout; the last is the summary")
    add("-q", "--quiet", action="store_true", help="no progress and no summary")
    add(
        "--metrics",
        metavar="FILE",
        help="write counts and latencies at the end: Prometheus text (.prom), else JSON",
    )


def run(options: argparse.Namespace) -> int:
    """Do it."""
    if options.manifest == "-" and options.input == "-":
        raise UsageError("the manifest and the input cannot both come from stdin")
    pipeline = load_pipeline(options.manifest, options.params, auto=options.auto)
    check_recording(options, pipeline)
    return Job.of(options, pipeline, options.input, options.manifest)


class Job:
    """One run of a pipeline, with all that goes in and comes out."""

    @classmethod
    def of(cls, options: argparse.Namespace, pipeline: Pipeline, *others: str | None) -> int:
        """Check the outputs, none of which is another file of the run, and run."""
        targets = [
            parse_target(text, pipeline.graph, options.output_format) for text in options.output
        ]
        written = [Target(None, None, options.record, "rmrec")] if options.record else []
        if options.metrics:
            written.append(Target(None, None, options.metrics, "metrics"))
        check_paths([*targets, *written], *others)
        if options.json and any(target.path == "-" for target in targets):
            raise UsageError("--json and -o - both want stdout")
        own_outlets = pipeline.plan().outlets
        tapped = {
            target.node
            for target in targets
            if target.node is not None and (target.node, target.port) not in own_outlets
        }
        if tapped:
            pipeline = Pipeline(with_outputs(pipeline.manifest, tapped))
        with Stop() as stop:
            return cls(options, pipeline, targets, own_outlets).run(stop)

    def __init__(
        self,
        options: argparse.Namespace,
        pipeline: Pipeline,
        targets: list[Target],
        own_outlets: frozenset[Port],
    ) -> None:
        self.options = options
        self.pipeline = pipeline
        self.targets = targets
        self.plan = pipeline.plan()
        self.packets: dict[Port, int] = {}
        self.errors: list[str] = []
        self._own_outlets = own_outlets
        self._recorded: list[str] = []
        self._routes: dict[Port, list[Sink]] = {}
        self._sinks: list[Sink] = []
        self._progress = Progress(sys.stderr, lambda: None, enabled=False)
        self._out = sys.stderr if any(target.path == "-" for target in targets) else sys.stdout
        self._display = Display(self._print)

    def run(self, stop: Stop) -> int:
        """Open everything, run, and finish everything."""
        options = self.options
        source = self._open_input(stop)
        if source is not None:
            enabled = not options.quiet
            self._progress = Progress(sys.stderr, lambda: source.duration_s, enabled=enabled)
        done = False
        started = time.perf_counter()
        try:
            for target in self.targets:
                self._add_sink(target, source)
            metrics = self._execute(source, stop)
            done = True
        finally:
            self._progress.clear()
            if not done:
                self._display.finish()
                for sink in self._sinks:
                    sink.discard()
            if source is not None:
                source.close()
        self._display.finish()
        elapsed_s = time.perf_counter() - started
        outputs = [*self._finish_sinks(), *self._recorded]
        if options.metrics:
            outputs.append(write_metrics(options.metrics, metrics))
        media_s = source.position_s if source is not None else 0.0
        summary = Summary(
            manifest=self.pipeline.manifest.source,
            input=source.name if source is not None else None,
            media_s=media_s,
            elapsed_s=elapsed_s,
            realtime_factor=media_s / elapsed_s if media_s else None,
            packets={f"{node}:{port}": count for (node, port), count in self.packets.items()},
            outputs=outputs,
            errors=self.errors[:1000],
            interrupted=bool(stop.number),
            metrics=metrics,
        )
        self._report(summary)
        if stop.number:
            return stop.exit_code
        return 1 if self.errors else 0

    # -- in ----------------------------------------------------------------------------------

    def _open_input(self, stop: Stop) -> Input | None:
        options, plan = self.options, self.plan
        if options.input is None:
            if plan.entries and not any(one.is_source for one in plan.placements.values()):
                entry = ", ".join(
                    f"{node}:{port} takes {plan.graph.nodes[node].inputs[port]}"
                    for node, port in plan.entries
                )
                raise UsageError(f"nothing goes in: give -i FILE, or -i - for stdin ({entry})")
            return None
        if options.to is not None:
            try:
                find_entries(plan, options.to)
            except AddressError as error:
                raise UsageError(f"--to {options.to}: {error}") from None
        elif not plan.entries:
            raise UsageError(f"-i {options.input}: this pipeline takes no input, it has sources")
        return Input(options.input, options.input_format, options.block_ms, options.realtime, stop)

    def _execute(self, source: Input | None, stop: Stop) -> Metrics:
        if self.plan.async_nodes or self.options.record is not None:
            import asyncio

            return asyncio.run(self._execute_async(source, stop))
        skip = self.options.on_error == "skip"
        running = self.pipeline.run(
            source if source is not None else (),
            to=self.options.to,
            on_error="skip" if skip else "raise",
        )
        told = 0
        try:
            for packet in running:
                self._take(packet, source)
                if len(running.events) > told:
                    told = self._tell(running.events[told:]) + told
                if stop.number and source is None:
                    break
        finally:
            running.close()
        self._tell(running.events[told:])
        return running.metrics()

    async def _execute_async(self, source: Input | None, stop: Stop) -> Metrics:
        import asyncio

        async with self.pipeline.session() as session:
            if self.options.on_error == "stop":
                session.fail_on_error()
            telling = asyncio.ensure_future(self._tell_async(session.events()))
            recording = None
            if self.options.record is not None:
                recording = RecordingFile(self.options, self.pipeline, session)
            try:
                items = source if source is not None else ()
                async for packet in session.stream(items, self.options.to):
                    self._take(packet, source)
                    if stop.number and source is None:
                        break
            finally:
                await asyncio.sleep(0)  # what has just failed is still told
                telling.cancel()
                await asyncio.wait([telling])
                if recording is not None:
                    self._recorded.append(recording.close())
            return session.metrics()

    # -- out ---------------------------------------------------------------------------------

    def _add_sink(self, target: Target, source: Input | None) -> None:
        ports = ports_of(target, self.plan, self._own_outlets)
        sink: Sink
        if target.kind == "wav":
            carried = self.plan.formats.outputs.get(ports[0])
            sink = WavSink(target, carried, source, self.options.encoding)
        else:
            sink = LineSink(target)
        self._sinks.append(sink)
        for port in ports:
            self._routes.setdefault(port, []).append(sink)

    def _take(self, packet: Packet, source: Input | None) -> None:
        port = (packet.node, packet.port)
        self.packets[port] = self.packets.get(port, 0) + 1
        sinks = self._routes.get(port)
        if sinks is not None:
            for sink in sinks:
                sink.write(packet)
        elif port in self._own_outlets:
            if not self.options.json:
                self._display.show(packet)
            elif not isinstance(packet.data, (Audio, Video)):
                self._print(packet_line(packet).decode())
        if source is not None:
            self._progress.update(source.position_s)

    def _print(self, line: str) -> None:
        self._progress.clear()
        self._write(line)

    def _write(self, line: str) -> None:
        try:
            print(line, file=self._out, flush=True)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CommandError(f"stdout: writing failed: {os_error(error)}") from error

    def _tell(self, events: Sequence[Event]) -> int:
        for event in events:
            if event.error is None:
                self._progress.clear()
                note(event.message)
                continue
            error = str(event.error)
            if event.node is not None and f"node {event.node!r}" not in error:
                error = f"node {event.node!r}: {error}"
            self.errors.append(error)
            if len(self.errors) <= SHOWN_ERRORS:
                self._progress.clear()
                warn(f"skipped an item: {error} (item {event.sequence + 1} of the input)")
        return len(events)

    async def _tell_async(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            if event.error is None or self.options.on_error == "skip":
                self._tell([event])

    def _finish_sinks(self) -> list[str]:
        written: list[str] = []
        try:
            written.extend(sink.finish() for sink in self._sinks)
        except BaseException:
            for sink in self._sinks[len(written) :]:
                sink.discard()
            raise
        return written

    def _report(self, summary: Summary) -> None:
        if len(self.errors) > SHOWN_ERRORS:
            warn(f"{len(self.errors) - SHOWN_ERRORS} more items were skipped")
        if self.options.json:
            self._write(summary.to_json().decode())
        elif not self.options.quiet:
            print("\n".join(["", *summary.lines()]), file=sys.stderr)
            for line in self._unkept():
                print(line, file=sys.stderr)

    def _unkept(self) -> Iterator[str]:
        """What came out and went nowhere."""
        if self.options.record is not None:
            return
        for port in sorted(self.packets.keys() - self._routes.keys()):
            caps = self.plan.formats.outputs[port]
            media = {format_.media for format_ in caps.formats or ()}
            if media == {"audio"} and port in self._own_outlets:
                yield f"audio of {port[0]}:{port[1]} was not kept: -o FILE.wav writes it"


def _milliseconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number within 0.1 to 10000, ms")
    return value
