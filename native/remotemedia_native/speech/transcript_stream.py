"""TranscriptStream: the words of one stream of speech, segment by segment."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from remotemedia.data import Audio, Json, Text
from remotemedia.data.timeline import Timeline, sample_time_us
from remotemedia.node import Emit
from remotemedia_native.speech.whisper import SAMPLE_RATE, Heard

if TYPE_CHECKING:
    from remotemedia_native.speech.speech_to_text import SpeechToText

TEXT = "text"
EVENTS = "events"
QUIET = 1e-3  # full scale, -60 dBFS: nothing that stays below is looked at
_PIECE = re.compile(r"\s*\S+")


class Recogniser(Protocol):
    """What finds words: `Whisper`."""

    def text(self, samples: NDArray[np.float32]) -> str:
        """What is said."""

    def words(self, samples: NDArray[np.float32]) -> list[Heard]:
        """The same, with times."""


class End(NamedTuple):
    """Where a detector says that a segment ends, µs; `cancelled`: it was no speech."""

    end_us: int
    cancelled: bool


class StableText:
    """What is said so far, of which the beginning does not change.

    A word is stable once two runs, one after the other, have found it in its place (Local
    Agreement [1]_). What is stable stays, whatever later runs find.

    References
    ----------
    .. [1] D. Liu, G. Spanakis, J. Niehues, "Low-Latency Sequence-to-Sequence Speech Recognition
           and Translation by Partial Hypothesis Selection", Interspeech 2020.
    """

    def __init__(self) -> None:
        self._stable: list[str] = []
        self._before: list[str] = []

    def add(self, found: str) -> tuple[str, str]:
        """What a run has found → the text, and how it begins for good."""
        words = _PIECE.findall(found)
        count = len(self._stable)
        for word, before in zip(words[count:], self._before[count:], strict=False):
            if word != before:
                break
            self._stable.append(word)
        self._before = words
        text = "".join(self._stable + words[len(self._stable) :])
        return text.strip(), "".join(self._stable).strip()


class TranscriptStream:
    """One stream: the audio of the segment that is open, and what is known of its end.

    Parameters
    ----------
    audio : Audio
        Its first block, not yet pushed.
    recogniser : Recogniser
    params : SpeechToText.Params
    timeline : Timeline
        Of its samples.
    ends : deque of End
        Those whose audio is still to come; shared with whoever hears of them.
    now_us : callable
        The session clock, µs.
    """

    def __init__(
        self,
        audio: Audio,
        recogniser: Recogniser,
        params: SpeechToText.Params,
        timeline: Timeline,
        ends: deque[End],
        now_us: Callable[[], int],
    ) -> None:
        self.timeline = timeline
        self._recogniser = recogniser
        self._ends = ends
        self._now_us = now_us
        self._stream_id = audio.stream_id
        self._min = params.min_segment_ms * SAMPLE_RATE // 1000
        self._max = params.max_segment_ms * SAMPLE_RATE // 1000
        self._overlap = min(params.overlap_ms * SAMPLE_RATE // 1000, self._max // 2)
        self._partial = params.partial_ms * SAMPLE_RATE // 1000
        self._pieces: list[NDArray[np.float32]] = []
        self._held = 0  # samples in those
        self._start = 0  # position of the first
        self._segment = 0
        self._stable = StableText()
        self._next = self._partial  # samples held at which a partial is due
        self._told = False  # whether there has been one of this segment

    def continues(self, audio: Audio) -> bool:
        return audio.sample_rate == SAMPLE_RATE

    def push(self, audio: Audio) -> list[Emit]:
        samples = audio.samples.mean(0) if len(audio.samples) > 1 else audio.samples[0]
        if not np.isfinite(samples).all():
            samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        ready: list[Emit] = []
        before = self.timeline.frames
        now_us = self._time_us(self._held)
        if gap_us := self.timeline.feed(audio.pts_us, len(samples)):
            # Time jumps: what was open has ended before it, and its times are of before it.
            ready += self._close(self._held)
            if gap_us < 0:  # an end that never got its audio must not hold up those to come
                late = [end for end in self._ends if end.end_us <= now_us]
                self._ends.clear()
                self._ends.extend(late)
        if not self._held:
            self._start = before
            self.timeline.forget(before)
        self._pieces.append(samples)
        self._held += len(samples)
        return ready + self.advance()

    def finish(self) -> list[Emit]:
        return self._close(self._held)

    def advance(self) -> list[Emit]:
        """What is to be said by now."""
        ready: list[Emit] = []
        while self._held:
            if (count := self._due()) is not None and count <= min(self._held, self._max):
                end = self._ends.popleft()
                if count > 0:
                    ready += self._close(count, cancelled=end.cancelled)
            elif self._held >= self._max:
                ready += self._split()
            else:
                break
        if self._partial and self._held >= self._next:
            start_us = self._now_us()
            ready += self._so_far()
            # On a host that is too slow for more, they take half of its time and hold up nothing.
            least = 2 * (self._now_us() - start_us) * SAMPLE_RATE // 1_000_000
            self._next = self._held + max(self._partial, least)
        return ready

    def _due(self) -> int | None:
        """Samples until the next end that is known of; None if none is."""
        if not self._ends:
            return None
        after_us = self._ends[0].end_us - self._time_us(0)
        count = (after_us * SAMPLE_RATE + 500_000) // 1_000_000
        # Times were rounded on their way here, as the timeline allows for.
        slack = self.timeline.tolerance_us * SAMPLE_RATE // 1_000_000
        return self._held if self._held < count <= self._held + slack else count

    # -- what is said ------------------------------------------------------------------------

    def _so_far(self) -> list[Emit]:
        samples = self._samples(self._held)
        if len(samples) < self._min or _is_quiet(samples):
            return []
        text, stable = self._stable.add(self._recogniser.text(samples))
        if not text:
            return []
        self._told = True
        return [self._event("partial", self._held, text, stable=stable)]

    def _close(self, count: int, *, cancelled: bool = False) -> list[Emit]:
        """The end of the segment, after `count` samples."""
        samples = self._samples(count)
        words: list[Heard] = []
        if not cancelled and count >= self._min and not _is_quiet(samples):
            words = self._recogniser.words(samples)
        return self._say(words, count, count)

    def _split(self) -> list[Emit]:
        """The first part of a segment that gets too long, up to its last long pause."""
        samples = self._samples(self._max)
        words = [] if _is_quiet(samples) else self._recogniser.words(samples)
        cut = _pause(words, self._max - self._overlap, self._max)
        cut_us = cut * 1_000_000 // SAMPLE_RATE
        words = [word for word in words if (word.start_us + word.end_us) // 2 < cut_us]
        words = [
            word._replace(start_us=min(word.start_us, cut_us), end_us=min(word.end_us, cut_us))
            for word in words
        ]
        return self._say(words, cut, cut)

    def _say(self, words: list[Heard], end: int, count: int) -> list[Emit]:
        """Say what the words are, and let go of `count` samples."""
        ready: list[Emit] = []
        text = "".join(word.text for word in words).strip()
        if text:
            start_us = self._time_us(0)
            said = Text(text, "transcript", start_us, self._stream_id)
            ready.append(Emit(TEXT, said))
        if text or self._told:
            ready.append(self._event("final", end, text, words=self._timed(words)))
            self._segment += 1
        rest = self._samples(self._held)[count:]
        self._pieces, self._held = [rest] if len(rest) else [], len(rest)
        self._start += count
        self._renew()
        return ready

    def _event(self, event: str, end: int, text: str, **more: object) -> Emit:
        start_us = self._time_us(0)
        value = {
            "event": event,
            "segment": self._segment + 1,
            "start_us": start_us,
            "end_us": self._time_us(end),
            "text": text,
            **more,
        }
        return Emit(EVENTS, Json(value, start_us, self._stream_id))

    def _timed(self, words: list[Heard]) -> list[dict[str, object]]:
        start_us = self._time_us(0)
        return [
            {
                "text": word.text.strip(),
                "start_us": start_us + word.start_us,
                "end_us": start_us + word.end_us,
                "probability": word.probability,
            }
            for word in words
        ]

    # -- audio -------------------------------------------------------------------------------

    def _renew(self) -> None:
        """Be at the start of a segment."""
        self._stable = StableText()
        self._next = self._partial
        self._told = False

    def _samples(self, count: int) -> NDArray[np.float32]:
        if len(self._pieces) > 1:
            self._pieces = [np.concatenate(self._pieces)]
        return self._pieces[0][:count] if self._pieces else np.zeros(0, np.float32)

    def _time_us(self, after: int) -> int:
        """Time so many samples after the first that is held; no gap lies in between."""
        return self.timeline.time_us(self._start) + sample_time_us(after, SAMPLE_RATE)


def _is_quiet(samples: NDArray[np.float32]) -> bool:
    # Whisper finds words in silence: those that its teachers put under it.
    return not len(samples) or float(np.abs(samples).max()) < QUIET


def _pause(words: list[Heard], first: int, last: int) -> int:
    """The middle of the longest pause between two positions; the former if nothing is said.

    Both in samples, as what comes out.
    """
    if not words:
        return first
    starts = [word.end_us for word in words]
    ends = [*(word.start_us for word in words[1:]), last * 1_000_000 // SAMPLE_RATE]
    pauses = []
    for start_us, end_us in zip(starts, ends, strict=True):
        start = max(first, start_us * SAMPLE_RATE // 1_000_000)
        end = end_us * SAMPLE_RATE // 1_000_000
        pauses.append((end - start, (start + end) // 2))
    return max(first, max(pauses)[1])
