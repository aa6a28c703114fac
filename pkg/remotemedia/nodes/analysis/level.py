"""AudioLevel: reports how loud audio is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from remotemedia.data import Audio, Json
from remotemedia.data.base import unchecked
from remotemedia.data.timeline import Timeline, sample_time_us
from remotemedia.errors import DataError
from remotemedia.node import NodeParams
from remotemedia.nodes.analysis.framer import BATCH, Framer
from remotemedia.nodes.analysis.k_weighting import MIN_SAMPLE_RATE
from remotemedia.nodes.analysis.loudness import CHANNEL_WEIGHTS, STEP_MS, LoudnessMeter, lufs
from remotemedia.nodes.streams import PerStream

Decibels = Annotated[float, msgspec.Meta(ge=-200, le=50)]


class AudioLevel(PerStream["_Stream"]):
    """Reports level and loudness of audio: RMS, peak, and EBU R 128 loudness.

    Emits a `Json` report for every `interval_ms` of audio, and one for the whole stream at the end:

    =============================================  ===============================================
    ``kind``                                       ``interim`` or ``final``
    ``start_sample``, ``end_sample``               what `rms` and `peak` are of; end excluded
    ``start_us``, ``end_us``                       the same as media time, µs; from the start of
                                                   the stream where it has no time stamps
    ``rms``, ``peak``                              over all channels, linear, full scale is 1
    ``rms_dbfs``, ``peak_dbfs``                    the same in dB; a full-scale sine has an RMS of
                                                   −3.01 dBFS
    ``channel_rms``, ``channel_peak``              per channel, linear
    ``is_silence``, ``is_low_volume``              `rms` is below the threshold
    ``momentary_lufs``, ``short_term_lufs``        of the last 400 ms and 3 s at `end_sample`
    ``max_momentary_lufs``, ``max_short_term_lufs``  the greatest so far, in steps of 10 ms
    ``integrated_lufs``, ``loudness_range_lu``     gated, since the start of the stream
    ``non_finite_samples``                         how many were NaN or infinite so far
    =============================================  ===============================================

    A level that does not exist is null: −∞ of silence, momentary and short-term loudness before
    400 ms and 3 s, integrated loudness and range while all is below −70 LUFS. Without `loudness`,
    which is most of the work, all that is in LUFS and LU is null.

    Loudness weights the channels by their number (see `CHANNEL_WEIGHTS`, in the order of WAVE
    files): mono and stereo 1, 5.1 as L R C LFE Ls Rs with 1.41 for the surrounds and without the
    LFE. Mono played by two loudspeakers reads 3 LU louder with ``channel_weights: [2]``.

    Input cases. Reports depend on the samples alone, bit for bit, not on how they are cut into
    blocks. NaN and infinity count as 0 and are counted. A gap in the time stamps shifts the times
    that follow; the samples count as adjoining. Another rate or number of channels ends the stream
    with its final report and begins a new one. Blocks of different `stream_id` are measured
    separately. With `split_at_gaps` a gap ends the stream too, so that each segment of speech that
    an EnergyVAD lets through gets a final report of its own. Memory does not grow with the length
    of a stream (0.5 MB each). A last piece of less than 10 ms counts for `rms` and `peak`, not for
    loudness.

    Latency: none beyond the interval.

    References
    ----------
    ITU-R BS.1770-5 (2023), Annex 1. EBU R 128 (2023). EBU Tech 3341 and 3342 (2023): the meter
    passes the test signals 1–6 and 9–14 of Tech 3341 and 1–4 of Tech 3342; 7 and 8 (and 5 and 6)
    are programme recordings; true peak (15–23) is not measured.

    Examples
    --------
    ::

        - {id: level, node_type: AudioLevel, params: {interval_ms: 100}}
    """

    class Params(NodeParams, frozen=True):
        interval_ms: (
            Annotated[
                int,
                msgspec.Meta(
                    ge=STEP_MS,
                    le=3_600_000,
                    multiple_of=STEP_MS,
                    description="Audio per report, ms; null: only the final report.",
                ),
            ]
            | None
        ) = 100
        low_volume_dbfs: Annotated[
            Decibels, msgspec.Meta(description="RMS below which volume is low, dBFS.")
        ] = -20.0
        silence_dbfs: Annotated[
            Decibels, msgspec.Meta(description="RMS below which there is silence, dBFS.")
        ] = -60.0
        loudness: Annotated[
            bool,
            msgspec.Meta(description="Measure EBU R 128 loudness, too, not only RMS and peak."),
        ] = True
        split_at_gaps: Annotated[
            bool,
            msgspec.Meta(description="A gap in the time stamps ends the stream, a new one begins."),
        ] = False
        channel_weights: (
            Annotated[
                tuple[Annotated[float, msgspec.Meta(ge=0, le=10)], ...],
                msgspec.Meta(
                    min_length=1,
                    max_length=64,
                    description="Weight of each channel's power in loudness; null: by BS.1770.",
                ),
            ]
            | None
        ) = None

    input_caps = f"audio(sample_rate={MIN_SAMPLE_RATE}..768000, format=F32)"
    output_caps = "json"
    aliases: ClassVar[Mapping[str, str]] = {
        "low_volume_threshold_db": "low_volume_dbfs",
        "silence_threshold_db": "silence_dbfs",
    }

    params: Params

    def start(self, audio: Audio, timeline: Timeline) -> _Stream:
        """The state of a stream that starts with this block."""
        return _Stream(audio, self.params, timeline)


_LOUDNESS = (
    "momentary_lufs",
    "short_term_lufs",
    "max_momentary_lufs",
    "max_short_term_lufs",
    "integrated_lufs",
    "loudness_range_lu",
)


def _loudness(meter: LoudnessMeter | None) -> dict[str, float | None]:
    if meter is None:
        return dict.fromkeys(_LOUDNESS)
    values = (
        lufs(meter.momentary),
        lufs(meter.short_term),
        lufs(meter.max_momentary),
        lufs(meter.max_short_term),
        lufs(meter.integrated()),
        meter.loudness_range(),
    )
    return dict(zip(_LOUDNESS, values, strict=True))


class _Totals:
    """Sums of squares and peaks per channel since `start`, in samples."""

    __slots__ = ("peaks", "start", "sums")

    def __init__(self, start: int, channels: int) -> None:
        self.start = start
        self.sums = [0.0] * channels
        self.peaks = [0.0] * channels

    def add(self, sums: list[list[float]], peaks: list[float]) -> None:
        """Sums of each channel, one after another, and its peak."""
        for channel, values in enumerate(sums):
            total = self.sums[channel]
            for value in values:  # the builtin sum() of floats differs between versions of Python
                total += value
            self.sums[channel] = total
        self.peaks = [max(a, b) for a, b in zip(self.peaks, peaks, strict=True)]

    def add_totals(self, others: _Totals) -> None:
        self.add([[value] for value in others.sums], others.peaks)


class _Stream:
    """Everything known of one stream."""

    def __init__(self, audio: Audio, params: AudioLevel.Params, timeline: Timeline) -> None:
        self.timeline = timeline
        self._params = params
        self._stream_id = audio.stream_id
        self._channels = audio.channels
        self._framer = Framer(audio.sample_rate, audio.channels, STEP_MS)
        self._meter: LoudnessMeter | None = None
        if params.loudness:
            self._meter = LoudnessMeter(audio.sample_rate, _weights(audio, params))
        self._interval = params.interval_ms // STEP_MS if params.interval_ms else 0
        self._reported = 0  # steps
        self._due = 0  # when there are so many samples, they are measured
        self._silent = 10 ** (params.silence_dbfs / 10)
        self._low = 10 ** (params.low_volume_dbfs / 10)
        self._since_report = _Totals(0, audio.channels)
        self._since_start = _Totals(0, audio.channels)
        self._non_finite = 0
        self._origin_us: int | None = None

    def continues(self, audio: Audio) -> bool:
        return (
            audio.sample_rate == self.timeline.sample_rate
            and len(audio.samples) == self._channels
            and not (self._params.split_at_gaps and self._is_gap(audio.pts_us))
        )

    def _is_gap(self, pts_us: int | None) -> bool:
        expected = self.timeline.pts_us(self.timeline.frames)
        if pts_us is None or expected is None:
            return False
        return abs(pts_us - expected) > self.timeline.tolerance_us

    def push(self, audio: Audio) -> list[Json]:
        # Nothing is measured until a report needs it: what numpy costs a call is then paid once
        # for many blocks.
        samples = audio.samples
        self.timeline.feed(audio.pts_us, samples.shape[1])
        self._framer.put(samples)
        return self._measure() if self.timeline.frames >= self._due else []

    def _measure(self) -> list[Json]:
        """Measure what is due; the reports that it completes."""
        framer, interval = self._framer, self._interval
        reports = []
        while self.timeline.frames >= self._due:
            frames = framer.take(self._left())
            if frames is not None:
                self._add(frames)
            if interval and not self._left():
                reports.append(self._interim(framer.position(framer.index)))
            self._due = framer.position(framer.index + self._left())
        if self._origin_us is None:
            self._origin_us = self.timeline.pts_us(0)
        self.timeline.forget(self._since_report.start if interval else self.timeline.frames)
        return reports

    def _left(self) -> int:
        """Steps to be measured at once, if there are no more."""
        if not self._interval:
            return BATCH
        return min(self._reported + self._interval - self._framer.index, BATCH)

    def _add(self, frames: NDArray[np.float32]) -> None:
        steps = _measure(frames)
        if self._meter is not None:
            self._meter.add(*self._meter.energies(steps.blocks))
        self._since_report.add(steps.sums, steps.peaks)
        self._non_finite += steps.non_finite

    def _interim(self, end: int) -> Json:
        totals = self._since_report
        report = self._report("interim", totals, end)
        self._since_start.add_totals(totals)
        self._since_report = _Totals(end, self._channels)
        self._reported = self._framer.index
        return report

    def finish(self) -> Iterator[Json]:
        end = self.timeline.frames
        if not end:
            return
        while (frames := self._framer.take()) is not None:
            self._add(frames)
        totals = self._since_start
        totals.add_totals(self._since_report)
        rest = self._framer.rest
        if rest.shape[1]:
            steps = _measure(rest[:, np.newaxis, :])
            totals.add(steps.sums, steps.peaks)
            self._non_finite += steps.non_finite
        yield self._report("final", totals, end)

    def _report(self, kind: str, totals: _Totals, end: int) -> Json:
        start = totals.start
        mean_squares = [total / (end - start) for total in totals.sums]
        mean_square = math.fsum(mean_squares) / len(mean_squares)
        peak = max(totals.peaks)
        value = {
            "kind": kind,
            "start_sample": start,
            "end_sample": end,
            "start_us": self._time_us(start),
            "end_us": self._time_us(end),
            "rms": math.sqrt(mean_square),
            "rms_dbfs": _decibels(mean_square),
            "peak": peak,
            "peak_dbfs": _decibels(peak * peak),
            "channel_rms": [math.sqrt(one) for one in mean_squares],
            "channel_peak": totals.peaks,
            "is_silence": mean_square < self._silent,
            "is_low_volume": mean_square < self._low,
            **_loudness(self._meter),
            "non_finite_samples": self._non_finite,
        }
        report: Json = unchecked(Json, value, self._pts_us(start), self._stream_id)
        return report

    def _pts_us(self, position: int) -> int | None:
        if not position and self._origin_us is not None:
            return self._origin_us  # which the timeline may have forgotten
        return self.timeline.pts_us(position)

    def _time_us(self, position: int) -> int:
        stamped = self._pts_us(position)
        return sample_time_us(position, self.timeline.sample_rate) if stamped is None else stamped


class _Steps(NamedTuple):
    """What is measured of n frames before any filter.

    `blocks`: the samples as finite float64, `[shape=(channels, n, size)]`. Per channel: `sums` of
    the squares of each frame, and the `peaks` of all. How many samples were not finite.
    """

    blocks: NDArray[np.float64]
    sums: list[list[float]]
    peaks: list[float]
    non_finite: int


def _measure(frames: NDArray[np.float32]) -> _Steps:
    blocks = frames.astype(np.float64)
    squares = blocks * blocks
    sums = np.add.reduce(squares, axis=2).tolist()
    non_finite = 0
    if not math.isfinite(sum(map(sum, sums))):
        bad = ~np.isfinite(frames)
        blocks[bad] = 0.0
        squares = blocks * blocks
        sums = np.add.reduce(squares, axis=2).tolist()
        non_finite = int(bad.sum())
    # Squares of float32 are exact in float64, and so are the roots of these.
    peaks = np.maximum.reduce(squares.reshape(len(squares), -1), axis=1).tolist()
    return _Steps(blocks, sums, [math.sqrt(peak) for peak in peaks], non_finite)


def _weights(audio: Audio, params: AudioLevel.Params) -> tuple[float, ...]:
    if audio.sample_rate < MIN_SAMPLE_RATE:
        raise DataError(
            f"AudioLevel needs a sample rate of at least {MIN_SAMPLE_RATE} Hz, "
            f"not {audio.sample_rate}: put an AudioResample before it"
        )
    weights = params.channel_weights or CHANNEL_WEIGHTS.get(audio.channels, ())
    if len(weights) != audio.channels:
        what = f"has {len(weights)} channel_weights" if weights else "knows no weights by BS.1770"
        raise DataError(
            f"AudioLevel {what} for audio of {audio.channels} channels: "
            f"give channel_weights, one per channel"
        )
    return weights


def _decibels(power: float) -> float | None:
    return 10 * math.log10(power) if power > 0 else None
