"""EnergyVAD: finds speech by its energy."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Annotated, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from remotemedia.data import Audio, Json
from remotemedia.data.base import Metadata, unchecked
from remotemedia.data.timeline import Timeline, mark_gap, sample_time_us
from remotemedia.errors import DataError
from remotemedia.node import Emit, NodeParams
from remotemedia.nodes.analysis.framer import BATCH, Framer
from remotemedia.nodes.analysis.noise_floor import NoiseFloor
from remotemedia.nodes.analysis.speech_band import speech_band_power
from remotemedia.nodes.streams import PerStream

SEGMENTS = "segments"
AUDIO = "audio"

MIN_SAMPLE_RATE = 4000  # Hz
SPEECH_LEVEL_S = 1.0  # time constant of the level of speech, in speech
SPEECH_FADE_S = 7.0  # and of its decay outside: half is forgotten in 5 s

Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=60_000)]
Decibels = Annotated[float, msgspec.Meta(ge=0, le=100)]

Frame = tuple[int, NDArray[np.float32]]  # its first sample, and the samples of each channel


class EnergyVAD(PerStream["_Stream"]):
    """Finds speech by its energy, with thresholds that adapt to noise and to the speaker.

    Port ``segments`` (the default output) emits two `Json` events per segment, port ``audio`` the
    samples of the segments and nothing else:

    ==================  ===========================================================================
    ``event``           ``start``; or ``end``, which repeats the start
    ``segment``         number of the segment, from 1
    ``start_sample``    first sample, pre-roll included, counted from the start of the stream
    ``end_sample``      the sample after the last, hangover included (``end`` only, as all below)
    ``start_us``        the same as media time, µs; from the start of the stream where it has no
    ``end_us``          time stamps
    ``duration_us``
    ``snr_db``          power of speech over noise in the band that is looked at; null if no noise
    ``reason``          ``silence`` or ``end_of_input``
    ==================  ===========================================================================

    A segment's ``start`` comes before its audio, its ``end`` after it. The first audio block of a
    segment carries ``gap_us`` in its metadata, the time left out before it; blocks have the length
    of a frame, but for the first and last of a segment.

    Method. A frame is active if its power between about 250 and 900 Hz, where voices are strong
    and hiss, breath, hum and rumble are weak, is

    * `threshold_db` above the noise floor, tracked by minimum statistics [1]_ over
      `noise_window_ms`; `release_db` suffices once there are active frames (hysteresis), and
    * not more than `speech_range_db` below the level of the speech so far, and
    * above `energy_threshold`.

    A segment begins when active frames outnumber the others by `min_speech_ms` since the first of
    them, so bursts that are shorter, however loud, and clicks do not count; it ends when none was
    active for `min_silence_ms`. It reaches from `pre_roll_ms` before the first active frame to
    `hangover_ms` after the last, never into the segment before. Noise that sets in or rises by more
    than `threshold_db` looks like speech until the floor has followed, for `noise_window_ms`.

    Input cases. Any rate from 4 kHz, any number of channels: power is averaged over them, so it
    does not matter in which one somebody speaks, nor with which phase. Events and audio blocks
    depend on the samples alone, bit for bit in every world (only `snr_db` within its tolerance),
    not on how they are cut into blocks. NaN and infinity count as 0 but stay in the audio. A gap
    in the time stamps does not end a segment; its audio is cut there and marked. Another rate or
    number of channels ends the stream, as `finish` does, and begins a new one. Blocks of different
    `stream_id` are different streams.

    Latency: ``start`` comes `min_speech_ms`, audio not more than that after the sound, ``end``
    the longer of `min_silence_ms` and `hangover_ms`; each up to a frame later.

    References
    ----------
    .. [1] R. Martin, "Noise power spectral density estimation based on optimal smoothing and
           minimum statistics", IEEE Trans. Speech Audio Process. 9 (5), 2001.

    Examples
    --------
    The segments of a 48 kHz recording, and the loudness of its speech::

        nodes:
          - {id: to16k, node_type: AudioResample, params: {target_rate: 16000}}
          - {id: mono, node_type: ChannelMix, params: {channels: 1}}
          - {id: vad, node_type: EnergyVAD, params: {min_silence_ms: 500}}
          - {id: level, node_type: AudioLevel, params: {interval_ms: null}}
        connections:
          - {from: to16k, to: mono}
          - {from: mono, to: vad}
          - {from: "vad:audio", to: level}
    """

    class Params(NodeParams, frozen=True):
        frame_ms: Annotated[
            int, msgspec.Meta(ge=5, le=100, description="Time between decisions, ms.")
        ] = 20
        adaptive: Annotated[
            bool, msgspec.Meta(description="False: only energy_threshold decides.")
        ] = True
        threshold_db: Annotated[
            Decibels, msgspec.Meta(description="How far speech is above the noise at least, dB.")
        ] = 7.0
        release_db: Annotated[
            Decibels,
            msgspec.Meta(description="The same once there is speech, dB; below threshold_db."),
        ] = 4.0
        speech_range_db: Annotated[
            Decibels,
            msgspec.Meta(description="How far soft speech may be below the mean of speech, dB."),
        ] = 23.0
        energy_threshold: Annotated[
            float,
            msgspec.Meta(
                ge=0, le=10, description="RMS in the band of voices below which nothing is speech."
            ),
        ] = 0.0002
        noise_window_ms: Annotated[
            int,
            msgspec.Meta(
                ge=100, le=60_000, description="How far back the noise is looked for, ms."
            ),
        ] = 3000
        min_speech_ms: Annotated[
            Milliseconds, msgspec.Meta(description="Speech that it takes for a segment, ms.")
        ] = 250
        min_silence_ms: Annotated[
            Milliseconds, msgspec.Meta(description="Silence that ends a segment, ms.")
        ] = 300
        pre_roll_ms: Annotated[
            Milliseconds, msgspec.Meta(description="Audio kept before the first active frame, ms.")
        ] = 60
        hangover_ms: Annotated[
            Milliseconds, msgspec.Meta(description="Audio kept after the last active frame, ms.")
        ] = 120

    input_caps = f"audio(sample_rate={MIN_SAMPLE_RATE}..768000, format=F32)"
    output_caps: ClassVar[Mapping[str, str]] = {SEGMENTS: "json", AUDIO: "audio(format=F32)"}
    capabilities = "passthrough"
    aliases: ClassVar[Mapping[str, str]] = {
        "frame_duration_ms": "frame_ms",
        "min_silence_duration_ms": "min_silence_ms",
        "min_speech_duration_ms": "min_speech_ms",
        "speech_pad_ms": "pre_roll_ms",
    }

    params: Params

    def start(self, audio: Audio, timeline: Timeline) -> _Stream:
        """The state of a stream that starts with this block."""
        return _Stream(audio, self.params, timeline)


class _Activity:
    """Decides frame by frame."""

    def __init__(self, params: EnergyVAD.Params) -> None:
        self.noise = NoiseFloor(params.noise_window_ms, params.frame_ms)
        self._adaptive = params.adaptive
        self._onset = _ratio(params.threshold_db)
        self._release = min(self._onset, _ratio(params.release_db))
        self._below_speech = 1 / _ratio(params.speech_range_db)
        self._least = params.energy_threshold * params.energy_threshold
        # Hysteresis of the absolute threshold, too.
        self._least_to_stay = self._least * (self._release / self._onset)
        self._follow = min(1.0, params.frame_ms / (1000 * SPEECH_LEVEL_S))
        self._fade = 1 - params.frame_ms / (1000 * SPEECH_FADE_S)
        self._speech = 0.0

    def active(self, power: float, *, engaged: bool, in_speech: bool) -> bool:
        """Whether the next frame is active; `engaged`: there have been active frames."""
        self.noise.add(power)
        least = self._least
        if self._adaptive:
            ratio = self._onset
            if engaged:
                least, ratio = self._least_to_stay, self._release
            least = max(least, self.noise.power * ratio, self._speech * self._below_speech)
        active = power > least
        if active and in_speech:
            self._speech += (power - self._speech) * (self._follow if self._speech else 1.0)
        else:
            self._speech *= self._fade
        return active


class _Stream:
    """Everything known of one stream."""

    def __init__(self, audio: Audio, params: EnergyVAD.Params, timeline: Timeline) -> None:
        rate = audio.sample_rate
        if rate < MIN_SAMPLE_RATE:
            raise DataError(
                f"EnergyVAD needs a sample rate of at least {MIN_SAMPLE_RATE} Hz, not {rate}: "
                f"put an AudioResample before it"
            )
        self.timeline = timeline
        self._out = Timeline(rate)
        self._stream_id = audio.stream_id
        self._rate = rate
        self._channels = audio.channels
        self._metadata: Metadata | None = None
        self._framer = Framer(rate, audio.channels, params.frame_ms)
        self._activity = _Activity(params)
        self._needed = max(1, -(-params.min_speech_ms // params.frame_ms))
        self._pre_roll = params.pre_roll_ms * rate // 1000
        self._hangover = params.hangover_ms * rate // 1000
        self._quiet = max(1, params.min_silence_ms * rate // 1000, self._hangover)
        self._held: deque[Frame] = deque()  # may have to be emitted
        self._undecided: list[Frame] = []
        self._ready: list[Emit] = []
        self._score = 0  # active frames less the others, since the first
        self._first = 0  # first sample of the first active frame
        self._last = 0  # end of the last one
        self._done = 0  # end of what has been emitted
        self._open = False
        self._due = self._framer.position(self._wait())  # samples: then there may be output
        self._segment = 0
        self._start = 0
        self._start_us = 0
        self._speech_power = 0.0
        self._speech_frames = 0

    def continues(self, audio: Audio) -> bool:
        return audio.sample_rate == self._rate and len(audio.samples) == self._channels

    def push(self, audio: Audio) -> list[Emit]:
        samples = audio.samples
        self.timeline.feed(audio.pts_us, samples.shape[1])
        self._metadata = audio.metadata
        self._framer.put(samples)
        if self.timeline.frames < self._due:
            return []
        self._advance()
        ready, self._ready = self._ready, []
        return ready

    def finish(self) -> list[Emit]:
        if self._open:
            self._decide_all()
            rest = self._framer.rest
            self._held.append((self._framer.position(self._framer.index), rest))
            self._close(min(self._last + self._hangover, self.timeline.frames), "end_of_input")
        return self._ready

    def _advance(self) -> None:
        """Take the frames that are complete; emit what there is to emit.

        Frames are decided on late, many at a time, which is much cheaper than each by itself: no
        sooner than it makes a difference to what is emitted now.
        """
        framer, held = self._framer, self._held
        start = framer.position(framer.index)
        while self.timeline.frames >= self._due:
            frames = framer.take()
            if frames is None:
                break
            _, count, size = frames.shape
            new = [(start + index * size, frames[:, index]) for index in range(count)]
            start += count * size
            held += new
            self._undecided += new
            silent = start - self._last
            if self._open and silent <= self._hangover and silent < self._quiet:
                # Emitted whether active or not.
                for first, _ in new:
                    self._emit(first + size)
            else:
                self._decide_all()
            self._due = framer.position(framer.index + self._wait())
        self.timeline.forget(held[0][0] if held else start)

    def _wait(self) -> int:
        """Frames that it takes at least until there is something to emit."""
        return 1 if self._open else min(self._needed - self._score, BATCH)

    def _decide_all(self) -> None:
        undecided, self._undecided = self._undecided, []
        together = max(1, len(undecided)) if self._framer.size else 1
        for first in range(0, len(undecided), together):
            batch = undecided[first : first + together]
            joined = np.concatenate([frame for _, frame in batch], axis=1)
            frames = joined.reshape(self._channels, len(batch), -1)
            powers = speech_band_power(frames, self._rate)
            for (start, _), power in zip(batch, powers, strict=True):
                self._decide(power, start, start + frames.shape[2])

    def _decide(self, power: float, start: int, end: int) -> None:
        engaged = self._open or self._score > 0
        active = self._activity.active(power, engaged=engaged, in_speech=self._open)
        if active:
            if not engaged:
                self._first = start
                self._speech_power = 0.0
                self._speech_frames = 0
            self._last = end
            self._speech_power += power
            self._speech_frames += 1
        if self._open:
            self._emit(min(end, self._last + self._hangover))
            if end - self._last >= self._quiet:
                self._close(self._last + self._hangover, "silence")
        else:
            self._score = self._score + 1 if active else max(0, self._score - 1)
            if self._score >= self._needed:
                self._begin()
                self._emit(end)
        if not self._open:
            self._drop((self._first if self._score else end) - self._pre_roll)

    def _begin(self) -> None:
        self._open = True
        self._segment += 1
        self._start = max(self._done, self._first - self._pre_roll)
        self._done = self._start
        self._start_us = self._time_us(self._start)
        value = {
            "event": "start",
            "segment": self._segment,
            "start_sample": self._start,
            "start_us": self._start_us,
        }
        self._report(value, self._start)

    def _close(self, end: int, reason: str) -> None:
        self._emit(end)
        end_us = self._time_us(end)
        noise = self._activity.noise.power
        speech = self._speech_power / self._speech_frames
        value = {
            "event": "end",
            "segment": self._segment,
            "start_sample": self._start,
            "end_sample": end,
            "start_us": self._start_us,
            "end_us": end_us,
            "duration_us": end_us - self._start_us,
            "snr_db": 10 * math.log10(speech / noise) if noise else None,
            "reason": reason,
        }
        self._open = False
        self._score = 0
        self._report(value, end)

    def _report(self, value: dict[str, object], position: int) -> None:
        event = unchecked(Json, value, self.timeline.pts_us(position), self._stream_id)
        self._ready.append(Emit(SEGMENTS, event))

    def _emit(self, end: int) -> None:
        """The audio from what has been emitted up to `end`, one block unless there is a gap."""
        while self._done < end:
            start = self._done
            gap = self.timeline.next_gap(start + 1)
            self._done = min(end, gap.position) if gap else end
            block = self._samples(start, self._done)
            pts_us = self.timeline.pts_us(start)
            time_us = sample_time_us(start, self._rate) if pts_us is None else pts_us
            gap_us = self._out.feed(time_us, self._done - start)
            self._out.forget(self._out.frames)
            metadata = mark_gap(self._metadata, gap_us)
            audio = Audio.unchecked(block, self._rate, pts_us, self._stream_id, metadata)
            self._ready.append(Emit(AUDIO, audio))
        self._drop(end)

    def _samples(self, start: int, end: int) -> NDArray[np.float32]:
        """Samples of the held frames, read-only."""
        first, samples = self._held[0]
        if start != first or end - start != samples.shape[1]:
            pieces = [
                frame[:, max(0, start - first) : end - first]
                for first, frame in self._held
                if first < end and first + frame.shape[1] > start
            ]
            samples = np.concatenate(pieces, axis=1)
        elif (block := samples.base) is not None and (
            block.size > 2 * samples.size or not samples.flags.c_contiguous
        ):
            samples = samples.copy()  # which does not keep a long block alive
        samples.setflags(False)  # type: ignore[call-arg]  # twice as quick as by keyword
        return samples

    def _drop(self, before: int) -> None:
        """Let go of the frames that end before a position."""
        held = self._held
        while held and held[0][0] + held[0][1].shape[1] <= before:
            held.popleft()

    def _time_us(self, position: int) -> int:
        stamped = self.timeline.pts_us(position)
        return sample_time_us(position, self._rate) if stamped is None else stamped


def _ratio(decibels: float) -> float:
    # To twelve digits: pow() differs between platforms in the last ones, and decisions must not.
    return float(f"{10 ** (decibels / 10):.12g}")
