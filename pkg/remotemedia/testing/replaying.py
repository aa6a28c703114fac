"""Replays recordings in tests: the same input at the same times gives the same bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike, fspath

import msgspec

from remotemedia.data import Packet
from remotemedia.errors import RecordingError
from remotemedia.pipeline import Pipeline
from remotemedia.recording import Recording, open_recording
from remotemedia.session.replay import Replay
from remotemedia.testing.clock import HOUR_US, VirtualClock
from remotemedia.testing.compare import difference
from remotemedia.wire import encode

MAX_DIFFERENCES = 20  # that are told
Tolerance = float | Mapping[str, float]
Source = Recording | str | PathLike[str]


def replay(recording: Source, pipeline: Pipeline | None = None) -> list[Packet]:
    """What comes out of a pipeline when it is sent what was recorded, at the recorded times.

    Runs on a `VirtualClock`, so that timers, deadlines and time stamps are those of the recording
    and no time passes.

    Parameters
    ----------
    recording : Recording or path
        What was sent.
    pipeline : Pipeline, optional
        By default that of the recorded manifest.

    Raises
    ------
    RecordingError
        It cannot be read, or has no manifest.
    """
    found = _opened(recording)
    plan = (pipeline or recorded_pipeline(found)).plan()
    clock = VirtualClock(found.header.wall_us)
    running = Replay(plan, found, clock=clock, same=pipeline is None)

    async def collect() -> list[Packet]:
        return [packet async for packet in running.packets()]

    return clock.run(collect(), limit_us=found.duration_us + HOUR_US)


def assert_replays(
    recording: Source, pipeline: Pipeline | None = None, *, tolerance: Tolerance = 0
) -> None:
    """Check that a replay gives what was recorded, byte for byte.

    Parameters
    ----------
    recording : Recording or path
        With what was sent and received.
    pipeline : Pipeline, optional
        By default that of the recorded manifest.
    tolerance : float or mapping of node id to float
        How far numbers may be off, for a recording of the other world: samples, elements, and
        numbers within JSON. All else is the same.

    Raises
    ------
    AssertionError
        Says which packets differ, and how.
    """
    found = _opened(recording)
    wrong = list(differences(found, replay(found, pipeline), tolerance))
    if wrong:
        more = f"\n… and {len(wrong) - MAX_DIFFERENCES} more" * (len(wrong) > MAX_DIFFERENCES)
        raise AssertionError("\n".join(wrong[:MAX_DIFFERENCES]) + more)


def recorded_pipeline(recording: Recording) -> Pipeline:
    """The pipeline of the recorded manifest.

    Raises
    ------
    RecordingError
        There is none.
    ManifestError
        It is not valid here; lists every problem.
    """
    if not recording.header.manifest:
        raise RecordingError("the recording has no manifest: say what to replay it with")
    return Pipeline.load(recording.header.manifest.encode(), name="the recorded manifest")


def differences(
    recording: Recording, packets: Iterable[Packet], tolerance: Tolerance = 0
) -> Iterator[str]:
    """What differs, a line each, between what was received and the packets of a replay.

    Port by port: between ports a session promises no order. What an interrupt or the end of the
    recording cut off may go on in the replay. Time stamps that are no ingress times but readings of
    the clock (of a tail, a timer, a source) are compared only if it was virtual.
    """
    virtual = recording.header.clock == VirtualClock.__name__
    ingress: set[int] = set()
    expected: dict[str, list[Packet]] = defaultdict(list)
    current = 0
    finished = False
    for record in recording:
        if record.kind == "received" and record.packet is not None:
            expected[_port(record.packet)].append(record.packet)
        if record.kind == "sent" and record.packet is not None:
            ingress.add(record.packet.timestamp_us)
        finished |= record.kind == "finished"
        if record.kind == "interrupted":
            current = record.generation
    actual: dict[str, list[Packet]] = defaultdict(list)
    for packet in packets:
        actual[_port(packet)].append(packet)
    for port in dict.fromkeys([*expected, *actual]):
        node = port.partition(":")[0]
        allowed = tolerance.get(node, 0) if isinstance(tolerance, Mapping) else tolerance
        generations = {one.generation for one in (*expected[port], *actual[port])}
        for generation in sorted(generations):
            wanted = [one for one in expected[port] if one.generation == generation]
            given = [one for one in actual[port] if one.generation == generation]
            if generation < current or not finished:
                del given[len(wanted) :]
            for number, (before, now) in enumerate(zip(wanted, given, strict=False)):
                if not (virtual or before.timestamp_us in ingress):
                    now = msgspec.structs.replace(now, timestamp_us=before.timestamp_us)
                if encode(now) == encode(before):
                    continue
                how = difference(now, before, tolerance=allowed).replace("\n", "; ")
                if how or not allowed:
                    how = how or "its bytes are others"  # the order of keys, the bits of a NaN
                    place = f"packet {number} (sequence {before.sequence}"
                    place += f", generation {generation})" if generation else ")"
                    yield f"{port}: {place}: {how}"
            if len(wanted) != len(given):
                yield f"{port}: {len(wanted)} packets were recorded, the replay gave {len(given)}"


def _port(packet: Packet) -> str:
    return f"{packet.node}:{packet.port}"


def _opened(recording: Source) -> Recording:
    return recording if isinstance(recording, Recording) else open_recording(fspath(recording))
