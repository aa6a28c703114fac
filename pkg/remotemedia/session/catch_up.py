"""Catch-up: audio that waits too long for the client is played faster, so that less is dropped."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from remotemedia.clock import Clock
from remotemedia.data import Audio, Packet
from remotemedia.data.timeline import Timeline, sample_time_us
from remotemedia.nodes.audio.wsola import Samples, Wsola
from remotemedia.session.boundary import Boundary
from remotemedia.session.budget import Budget

FASTEST = 1.25
SLOWEST = 1.05  # else it would come ever nearer to its end, and never there
RAMP_PER_S = 1.0  # of audio: full speed after 250 ms

Told = Callable[[str, str, str, str], None]
"""Kind, words, node, port."""


class CatchUp(Budget):
    """A latency budget that plays audio faster, at the same pitch, before it has to drop any.

    At the client's outlets, each stream by itself: where a packet is older than half of the budget
    while newer ones wait behind it, it and what follows is played at up to 1.25 times the speed,
    until a packet is no older than a quarter, or none waits behind it. There and not at the
    ingress: nodes and recordings hear what was sent, a stall anywhere in the session is made up
    for, also that of the client, and text and events stay in time with the audio.

    A packet that is given out has the number, metadata and `timestamp_us` of one that was taken,
    and ``pts_us`` is the media time of its first sample: so times go on faster than samples. Up to
    35 ms stay back for the next packet to complete; a packet that is shorter may give nothing by
    itself. An interrupt drops them with what waits.

    What is older than the budget when it is taken is dropped, as ever.

    Parameters
    ----------
    max_us, clock
        As of `Budget`.
    told : callable
        Told when it begins and ends.
    """

    __slots__ = ("_runs", "_told")

    def __init__(self, max_us: int, clock: Clock, told: Told) -> None:
        super().__init__(max_us, clock)
        self._told = told
        self._runs: dict[tuple[Boundary, str | None], _Run] = {}  # see `_Run`

    def _give(self, boundary: Boundary) -> Packet | None:
        """The first packet that waits for the client; None if all of it is held back."""
        first = boundary.packets[0]
        audio = first.data
        if not (boundary.live and isinstance(audio, Audio)):
            return boundary.take()
        key = boundary, audio.stream_id
        age_us = self.age_us(boundary)
        run = self._runs.get(key)
        if run is None:
            waits_us = boundary.packets[-1].timestamp_us - first.timestamp_us
            if 2 * age_us <= self.max_us or 4 * waits_us <= self.max_us:
                return boundary.take()
            run = self._begin(boundary, audio, age_us)
        elif run.lost != _lost(boundary):  # interrupted, too late, …: it does not go on from there
            run.forget(boundary)
            run.begin(boundary, audio)
        age_us += run.held_us  # which is heard before it
        packet = boundary.take()
        if goes_on := 4 * age_us > self.max_us and _next_fits(boundary, audio):
            quarter = self.max_us / 4
            wanted = SLOWEST + (FASTEST - SLOWEST) * (age_us - quarter) / (quarter / 2)
            limit = run.speed + RAMP_PER_S * audio.frames / audio.sample_rate
            run.speed = min(wanted, limit, FASTEST)
        faster = run.push(boundary, audio, last=not goes_on)
        if not goes_on:
            del self._runs[key]
            self._tell(boundary, f"caught up: {run.taken_us // 1000} ms were taken out")
        return replace(packet, data=faster) if faster.frames else None

    def _begin(self, boundary: Boundary, audio: Audio, age_us: int) -> _Run:
        for key, run in [*self._runs.items()]:
            if not key[0].packets:  # of a stream that was cut off there
                run.forget(key[0])
                del self._runs[key]
        run = self._runs[boundary, audio.stream_id] = _Run(boundary, audio)
        self._tell(boundary, f"{age_us // 1000} ms behind: audio is played faster")
        return run

    def _tell(self, boundary: Boundary, words: str) -> None:
        place = f"{boundary.node}:{boundary.port}"
        self._told("catch_up", f"{place}: {words}", boundary.node, boundary.port)


class _Run:
    """One stream that is catching up: there is one as long as more of it waits in the queue."""

    __slots__ = ("_timeline", "_wsola", "lost", "speed", "taken_us")

    def __init__(self, boundary: Boundary, audio: Audio) -> None:
        self.speed = 1.0
        self.taken_us = 0
        self.begin(boundary, audio)

    def begin(self, boundary: Boundary, audio: Audio) -> None:
        """From this block on."""
        self.lost = _lost(boundary)
        self._timeline = Timeline(audio.sample_rate)
        self._wsola = Wsola(audio.samples, audio.sample_rate, finishes=False)

    @property
    def held_us(self) -> int:
        """What went in and has not come out, µs."""
        timeline = self._timeline
        return sample_time_us(timeline.frames - self._wsola.position, timeline.sample_rate)

    def push(self, boundary: Boundary, audio: Audio, *, last: bool) -> Audio:
        """The block, faster; after the last one the input goes on where its samples end."""
        wsola, timeline, before = self._wsola, self._timeline, self._wsola.skipped
        timeline.feed(audio.pts_us, audio.frames)
        start = wsola.position
        samples: Samples
        if last:
            samples = wsola.rest(audio.samples)
        else:
            wsola.speed = self.speed
            samples = wsola.push(audio.samples)
        self._count(boundary, before, wsola.skipped)
        pts_us = timeline.pts_us(start)
        timeline.forget(wsola.position)
        samples.setflags(False)  # type: ignore[call-arg]  # twice as quick as by keyword
        return Audio.unchecked(samples, audio.sample_rate, pts_us, audio.stream_id, audio.metadata)

    def forget(self, boundary: Boundary) -> None:
        """What is held back will not be heard."""
        wsola = self._wsola
        self._count(boundary, wsola.position, self._timeline.frames)

    def _count(self, boundary: Boundary, before: int, after: int) -> None:
        rate = self._timeline.sample_rate
        # By the difference of times, so that what is rounded does not add up.
        taken_us = sample_time_us(after, rate) - sample_time_us(before, rate)
        self.taken_us += taken_us
        boundary.compressed_us += taken_us


def _next_fits(boundary: Boundary, audio: Audio) -> bool:
    """Whether the stream goes on in the queue, in the same format."""
    for packet in boundary.packets:  # as a rule it is the first
        after = packet.data
        if isinstance(after, Audio) and after.stream_id == audio.stream_id:
            return (
                after.sample_rate == audio.sample_rate
                and after.channels == audio.channels
                and after.samples.dtype == audio.samples.dtype
            )
    return False


def _lost(boundary: Boundary) -> int:
    return sum(boundary.dropped.values())
