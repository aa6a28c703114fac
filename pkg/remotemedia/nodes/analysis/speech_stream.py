"""SpeechStream: finds the speech of one stream, frame by frame."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from remotemedia.data import Audio, Json
from remotemedia.data.base import Metadata, unchecked
from remotemedia.data.timeline import Timeline, mark_gap, sample_time_us
from remotemedia.errors import DataError
from remotemedia.node import Emit
from remotemedia.nodes.analysis.framer import BATCH, Framer
from remotemedia.nodes.analysis.noise_floor import NoiseFloor
from remotemedia.nodes.analysis.speech_band import speech_band_power

if TYPE_CHECKING:
    from remotemedia.nodes.analysis.energy_vad import EnergyVAD

SEGMENTS = "segments"
AUDIO = "audio"

MIN_SAMPLE_RATE = 4000  # Hz
SPEECH_LEVEL_S = 1.0  # time constant of the level of speech, in speech
SPEECH_FADE_S = 7.0  # and of its decay outside: half is forgotten in 5 s

Frame = tuple[int, NDArray[np.float32]]  # its first sample, and the samples of each channel


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


class SpeechStream:
    """One stream: its speech so far, and the events and the audio that come of it.

    Parameters
    ----------
    audio : Audio
        Its first block, not yet pushed.
    params : EnergyVAD.Params
    timeline : Timeline
        Of its samples.
    """

    def __init__(self, audio: Audio, params: EnergyVAD.Params, timeline: Timeline) -> None:
        rate = audio.sample_rate
        if rate < MIN_SAMPLE_RATE:
            raise DataError(
                f"finding speech takes a sample rate of at least {MIN_SAMPLE_RATE} Hz, not {rate}: "
                "put an AudioResample before it"
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
        self._known = 0  # end of what has been decided on
        self._done = 0  # end of what has been emitted
        self._open = False
        self._settled = True  # nothing hangs on the next frames but the end of the segment
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
            self._known = self.timeline.frames
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
            if self._open and self._settled and silent <= self._hangover and silent < self._quiet:
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
        self._known = end
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
        self._start_us = self.timeline.time_us(self._start)
        self._report(self._about("start"), self._start)

    def _close(self, end: int, reason: str) -> None:
        self._emit(end)
        end_us = self.timeline.time_us(end)
        value = self._about("end") | {
            "end_sample": end,
            "end_us": end_us,
            "duration_us": end_us - self._start_us,
            **self._measured(),
            "reason": reason,
        }
        self._open = False
        self._score = 0
        self._report(value, end)

    def _measured(self) -> dict[str, object]:
        """What was measured of the segment that ends."""
        noise = self._activity.noise.power
        speech = self._speech_power / self._speech_frames
        return {"snr_db": 10 * math.log10(speech / noise) if noise else None}

    def _about(self, event: str) -> dict[str, object]:
        return {
            "event": event,
            "segment": self._segment,
            "start_sample": self._start,
            "start_us": self._start_us,
        }

    def _report(self, value: dict[str, object], position: int) -> None:
        value["known_us"] = self.timeline.end_us(self._known)
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
            self._let_out(
                Audio.unchecked(block, self._rate, pts_us, self._stream_id, metadata), time_us
            )
        self._drop(end)

    def _let_out(self, audio: Audio, time_us: int) -> None:
        """Emit a block that ends at what is done; `time_us`: its time stamp, if it has one."""
        self._ready.append(Emit(AUDIO, audio))

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


def _ratio(decibels: float) -> float:
    # To twelve digits: pow() differs between platforms in the last ones, and decisions must not.
    return float(f"{10 ** (decibels / 10):.12g}")
