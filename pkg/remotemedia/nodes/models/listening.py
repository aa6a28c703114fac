"""Listening: what of a stream is let out after a word."""

from __future__ import annotations

from collections import deque

from remotemedia.data import Audio, Json
from remotemedia.data.base import unchecked
from remotemedia.data.timeline import Timeline, mark_gap
from remotemedia.node import Emit
from remotemedia.nodes.speech.speech_event import SpeechEvent

AUDIO = "audio"
SEGMENTS = "segments"

MAX_ENDS = 256  # that wait for their audio; older ones are forgotten
SAID_MS = 500  # after a word: less is its own end, not yet what is said to it


class Listening:
    """Lets out audio for some time, in segments, whose events say where they begin and end.

    Parameters
    ----------
    timeline : Timeline
        Of the samples that come in.
    stream_id : str, optional
    """

    def __init__(self, timeline: Timeline, stream_id: str | None) -> None:
        self._in = timeline
        self._rate = timeline.sample_rate
        self._out = Timeline(self._rate)
        self._stream_id = stream_id
        self._left = 0  # samples of time that are still to be let out
        self._said = 0  # samples let out since the word
        self._segment = 0
        self._start = -1  # first sample of the segment that is open; -1: none is
        self._start_us = 0
        self._end = 0  # of what was let out last
        self._seen_us = 0  # end of what came in
        self._ends: deque[SpeechEvent] = deque(maxlen=MAX_ENDS)

    def begin(self, listen_ms: int) -> None:
        """A word is over: what comes next is said to us."""
        self._left = listen_ms * self._rate // 1000
        self._said = 0

    def pass_time(self, samples: int) -> None:
        """Time in which no sample came."""
        self._left = max(0, self._left - samples)

    def pass_gap(self, pause: bool) -> list[Emit]:
        """Time jumps; `pause`: so far that who was speaking has ended."""
        if pause and self._said >= SAID_MS * self._rate // 1000:
            self._left = 0
        return self.close("gap")

    def let_out(self, audio: Audio, start: int, first: int, end: int) -> list[Emit]:
        """Samples `first` to `end` of a block that starts at `start`, as far as we listen."""
        end = min(end, first + self._left)
        if first >= end:
            return []
        ready: list[Emit] = []
        pts_us = self._in.pts_us(start + first)
        time_us = self._in.time_us(start + first)
        if self._start < 0:
            self._segment += 1
            self._start, self._start_us = start + first, time_us
            ready.append(self._report("start", time_us, {}))
        samples = audio.samples
        if end - first < audio.frames:
            samples = samples[:, first:end].copy()
            samples.setflags(False)  # type: ignore[call-arg]  # twice as quick as by keyword
        gap_us = self._out.feed(time_us, end - first)
        self._out.forget(self._out.frames)
        metadata = mark_gap(audio.metadata, gap_us)
        ready.append(
            Emit(AUDIO, Audio.unchecked(samples, self._rate, pts_us, self._stream_id, metadata))
        )
        self._end = start + end
        self._said += end - first
        self.pass_time(end - first)
        if not self._left:
            ready += self.close("listen_ms")
        return ready

    def see(self, position: int) -> list[Emit]:
        """Audio came up to this sample: the detector's ends that it reaches are due."""
        self._seen_us = self._in.time_us(position)
        ready: list[Emit] = []
        while self._ends and self._is_due(self._ends[0]):
            ready += self._close_at(self._ends.popleft())
        return ready

    def take(self, event: SpeechEvent) -> list[Emit]:
        """The detector says where a segment of its ends."""
        if self._is_due(event):
            return self._close_at(event)
        self._ends.append(event)
        return []

    def close(self, reason: str) -> list[Emit]:
        """End the segment that is open, if one is, with what was let out last."""
        if self._start < 0:
            return []
        return self._close(self._end, self._in.end_us(self._end), reason)

    def _is_due(self, event: SpeechEvent) -> bool:
        # The detector's times and ours are rounded by themselves.
        return event.end_us <= self._seen_us + self._in.tolerance_us

    def _close_at(self, event: SpeechEvent) -> list[Emit]:
        if self._start < 0 or event.end_us <= self._start_us:
            return []  # of before the word
        late = self._in.end_us(self._end) - event.end_us
        end = self._end - max(0, late * self._rate // 1_000_000)
        return self._close(end, event.end_us, "silence", cancelled=event.cancelled)

    def _close(self, end: int, end_us: int, reason: str, *, cancelled: bool = False) -> list[Emit]:
        more: dict[str, object] = {
            "end_sample": end,
            "end_us": end_us,
            "duration_us": end_us - self._start_us,
            "reason": reason,
        }
        if cancelled:
            more["state"] = "cancelled"
        report = self._report("end", end_us, more)
        self._start = -1
        return [report]

    def _report(self, event: str, time_us: int, more: dict[str, object]) -> Emit:
        value = {
            "event": event,
            "segment": self._segment,
            "start_sample": self._start,
            "start_us": self._start_us,
            **more,
            "known_us": max(time_us, self._seen_us),
        }
        return Emit(SEGMENTS, unchecked(Json, value, time_us, self._stream_id))
