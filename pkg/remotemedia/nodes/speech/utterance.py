"""UtteranceStream: one stream of audio, cut into utterances by what is said about its speech."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from remotemedia.data import Audio
from remotemedia.data.base import Metadata
from remotemedia.data.timeline import Timeline, mark_gap
from remotemedia.nodes.speech.speech_event import END, START, SpeechEvent

MAX_EVENTS = 1024  # that wait for their audio
MAX_RETRACTED = 256  # ranges that are remembered
LATE_MS = 10_000  # audio kept for a segment that is heard of so much after its start
LONGEST_GAP_MS = 2_000  # that becomes silence
PIECE_MS = 100  # shorter blocks are joined, for an array has a price

Span = tuple[int, int | None]
"""First sample of a segment, and the one after its last; None while it is open."""


class Terms(NamedTuple):
    """What makes an utterance, ms: see the parameters of `SpeculativeAudioCommit`."""

    commit_delay_ms: int
    pre_roll_ms: int
    min_ms: int
    max_ms: int


class Said:
    """What has been said about a stream, whether or not its audio is there."""

    def __init__(self) -> None:
        self.events: deque[SpeechEvent] = deque()
        """Those whose audio is still to come."""
        self.retracted: deque[tuple[int, int]] = deque(maxlen=MAX_RETRACTED)
        """From and to, µs."""

    def retract(self, from_us: int, to_us: int) -> None:
        """Remember that a range is no speech."""
        self.retracted.append((from_us, to_us))


class UtteranceStream:
    """One stream: its audio from the utterance on that is open, and the segments of that.

    All that happens is put in the order of its media time: an event when the audio that it took
    to know it is there, a commit when so much audio has passed. A block is looked at when the next
    one comes: by then whatever is to be said about it has been said, in whatever order the
    connections stand.

    Parameters
    ----------
    audio : Audio
        Its first block, not yet pushed.
    terms : Terms
    timeline : Timeline
        Of its samples.
    said : Said
        Shared with whoever hears what is said.
    speaking : bool
        Whether a segment is open that began before the stream.
    """

    def __init__(
        self, audio: Audio, terms: Terms, timeline: Timeline, said: Said, *, speaking: bool
    ) -> None:
        rate = audio.sample_rate
        self.timeline = timeline
        self._out = Timeline(rate)
        self._like = audio
        self._said = said
        self._rate = rate
        self._metadata: Metadata | None = None
        self._delay = terms.commit_delay_ms * rate // 1000
        self._pre_roll = terms.pre_roll_ms * rate // 1000
        self._min = terms.min_ms * rate // 1000
        self._max = max(1, terms.max_ms * rate // 1000)
        self._late = LATE_MS * rate // 1000
        self._longest_gap_us = 1000 * max(LONGEST_GAP_MS, terms.commit_delay_ms)
        self._pieces: deque[tuple[int, NDArray[Any]]] = deque()  # each with its first sample
        self._short: list[NDArray[Any]] = []  # blocks after them that are to be joined
        self._shorts = 0  # samples in those
        self._floor = 0  # end of the last utterance
        self._rest = speaking  # whether the utterance is the rest of a longer one
        self._segments: list[Span] = [(0, None)] if speaking else []
        self._ready: list[Audio] = []

    @property
    def speaking(self) -> bool:
        """Whether a segment is open."""
        return bool(self._segments) and self._segments[-1][1] is None

    def continues(self, audio: Audio) -> bool:
        like, gap_us = self._like, self._gap_us(audio)
        return (
            audio.sample_rate == self._rate
            and len(audio.samples) == len(like.samples)
            and audio.samples.dtype == like.samples.dtype
            and -self.timeline.tolerance_us <= gap_us <= self._longest_gap_us
        )

    def push(self, audio: Audio) -> list[Audio]:
        self._settle()
        self._trim()
        gap_us = self._gap_us(audio)
        if self.timeline.frames and gap_us > self.timeline.tolerance_us:
            missing = (2 * gap_us * self._rate + 1_000_000) // 2_000_000
            silence = np.full((len(audio.samples), missing), self._silence, audio.samples.dtype)
            self._append(silence, None)
        self._append(audio.samples, audio.pts_us)
        self._metadata = audio.metadata
        ready, self._ready = self._ready, []
        return ready

    def finish(self) -> list[Audio]:
        self._settle()
        if self._segments:
            self._commit(self.timeline.frames)
        ready, self._ready = self._ready, []
        return ready

    def retract(self) -> None:
        """Take what was retracted out of the segments."""
        for from_us, to_us in self._said.retracted:
            start, end = self._position(from_us), self._position(to_us)
            self._segments = [
                rest for span in self._segments for rest in _without(span, start, end)
            ]

    def missing_ms(self, start_us: int) -> int:
        """How much of a segment's audio is gone already, though no utterance had it; ms."""
        missing = self._held - max(self._floor, self._position(start_us))
        return max(0, missing) * 1000 // self._rate

    # -- in the order of media time ----------------------------------------------------------

    def _settle(self) -> None:
        """Do all that is to happen up to the end of the audio."""
        events, now = self._said.events, self.timeline.frames
        while True:
            known = self._position(events[0].known_us) if events else now + 1
            if self._segments and (due := self._due()) <= min(known, now):
                self._commit(due)
            elif known <= now:
                self._hear(events.popleft())
            else:
                return

    def _due(self) -> int:
        """When the utterance is emitted, if nothing is said before."""
        _, end = self._segments[-1]
        return self._begin() + self._max if end is None else end + self._delay

    def _begin(self) -> int:
        return max(self._floor, self._held, self._segments[0][0] - self._pre_roll)

    def _hear(self, event: SpeechEvent) -> None:
        if event.kind == START and not self.speaking:
            kept = self._position(event.known_us) - self._late
            start = max(self._floor, kept, self._position(event.start_us))
            if self._segments and start >= self._begin() + self._max:
                self._commit(start)
            self._segments.append((start, None))
        elif event.kind == END and self.speaking:
            start, _ = self._segments.pop()
            if event.cancelled:
                self._said.retract(event.start_us, event.end_us)
            end = min(self._position(event.end_us), self.timeline.frames)
            if end > start:
                self._segments.append((start, end))
        self.retract()

    def _commit(self, now: int) -> None:
        """Emit the utterance up to the end of its last segment, or `now` if that is open."""
        begin = self._begin()
        _, last = self._segments[-1]
        end = now if last is None else last
        # One that is open may begin further on, where all up to there was retracted.
        speech = sum(
            max(0, (now if stop is None else stop) - start) for start, stop in self._segments
        )
        if end > begin and (self._rest or speech >= self._min):
            samples = self._samples(begin, end)
            pts_us = self.timeline.pts_us(begin)
            gap_us = self._out.feed(self.timeline.time_us(begin), end - begin)
            metadata = mark_gap(self._metadata, gap_us)
            self._out.forget(self._out.frames)
            stream_id = self._like.stream_id
            self._ready.append(Audio.unchecked(samples, self._rate, pts_us, stream_id, metadata))
        self._floor = end
        self._rest = last is None
        self._segments = [(end, None)] if last is None else []

    # -- audio -------------------------------------------------------------------------------

    @property
    def _held(self) -> int:
        return self._pieces[0][0] if self._pieces else self.timeline.frames - self._shorts

    @property
    def _silence(self) -> int:
        return 128 if self._like.samples.dtype == np.uint8 else 0

    def _gap_us(self, audio: Audio) -> int:
        expected_us = self.timeline.pts_us(self.timeline.frames)
        if audio.pts_us is None or expected_us is None or not audio.samples.shape[1]:
            return 0
        return audio.pts_us - expected_us

    def _append(self, samples: NDArray[Any], pts_us: int | None) -> None:
        short = samples.shape[1] * 1000 < PIECE_MS * self._rate
        if self._short and (not short or self._shorts * 1000 >= PIECE_MS * self._rate):
            joined = np.concatenate(self._short, axis=1)
            self._pieces.append((self.timeline.frames - self._shorts, joined))
            self._short, self._shorts = [], 0
        if short:
            self._short.append(samples)
            self._shorts += samples.shape[1]
        else:
            self._pieces.append((self.timeline.frames, samples))
        self.timeline.feed(pts_us, samples.shape[1])

    def _trim(self) -> None:
        """Let go of the audio that no utterance can need."""
        frames, pieces = self.timeline.frames, self._pieces
        needed = self._begin() if self._segments else frames - self._pre_roll - self._late
        while pieces and pieces[0][0] + pieces[0][1].shape[1] <= needed:
            pieces.popleft()

    def _samples(self, begin: int, end: int) -> NDArray[Any]:
        """Samples of an utterance, read-only; what was retracted is silent."""
        held = [*self._pieces]
        if self._short:
            held.append((self.timeline.frames - self._shorts, np.concatenate(self._short, axis=1)))
        parts = [
            piece[:, max(0, begin - first) : end - first]
            for first, piece in held
            if first < end and first + piece.shape[1] > begin
        ]
        samples = np.concatenate(parts, axis=1)
        for from_us, to_us in self._said.retracted:
            start, stop = self._position(from_us) - begin, self._position(to_us) - begin
            samples[:, max(0, start) : max(0, stop)] = self._silence
        samples.setflags(False)  # type: ignore[call-arg]  # twice as quick as by keyword
        return samples

    def _position(self, time_us: int) -> int:
        """The sample at a media time, not before the first."""
        start_us = self.timeline.pts_us(0) or 0
        return max(0, (2 * (time_us - start_us) * self._rate + 1_000_000) // 2_000_000)


def _without(span: Span, start: int, end: int) -> list[Span]:
    """What is left of a segment."""
    first, last = span
    if last is None:  # what is taken back of it further on is known once it has ended
        return [(end if start <= first < end else first, None)]
    return [(a, b) for a, b in ((first, min(last, start)), (max(first, end), last)) if a < b]
