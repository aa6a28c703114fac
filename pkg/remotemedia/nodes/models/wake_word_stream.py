"""WakeWordStream: finds wake words in one stream, and lets out what is said after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from remotemedia.data import Audio, Json
from remotemedia.data.base import unchecked
from remotemedia.data.timeline import Timeline
from remotemedia.node import Emit
from remotemedia.nodes.analysis.framer import Framer
from remotemedia.nodes.models.listening import Listening
from remotemedia.nodes.models.model_node import Work
from remotemedia.nodes.models.wake_word_scores import FRAME, FRAME_MS, RATE, WordScores
from remotemedia.nodes.speech.speech_event import SpeechEvent

if TYPE_CHECKING:
    from remotemedia.nodes.models.wake_word import WakeWord

WORDS = "words"

AFTER = RATE  # samples of silence after the end: what a word that ends there is recognised with


class Trigger:
    """From the scores of one word to when it was said."""

    def __init__(self) -> None:
        self._count = 0  # frames at or above the threshold, one after the other
        self._armed = True  # the score was below since the last event
        self._rest = 0  # samples of time until there may be another

    def pass_time(self, samples: int) -> None:
        """Time in which nothing was looked at."""
        self._rest = max(0, self._rest - samples)

    def said(self, score: float, threshold: float, params: WakeWord.Params) -> bool:
        """Whether it was, as of the next frame."""
        self.pass_time(FRAME)
        if score < threshold:
            self._count, self._armed = 0, True
            return False
        self._count += 1
        if self._count < params.patience or not self._armed or self._rest:
            return False
        self._armed = False
        self._rest = params.cooldown_ms * RATE // 1000
        return True


class WakeWordStream:
    """One stream.

    Parameters
    ----------
    scores : WordScores
        Of this stream.
    audio : Audio
        Its first block, not yet pushed.
    params : WakeWord.Params
    timeline : Timeline
        Of its samples.
    """

    def __init__(
        self, scores: WordScores, audio: Audio, params: WakeWord.Params, timeline: Timeline
    ) -> None:
        self.timeline = timeline
        self.params = params
        self._scores = scores
        self._like = audio
        self._framer = Framer(RATE, 1, FRAME_MS)
        self._fed = 0  # samples that went to the framer, with the silence in gaps
        self._triggers: dict[str, Trigger] = {}
        self._listening = Listening(timeline, audio.stream_id)

    def continues(self, audio: Audio) -> bool:
        """Whether the block has as many channels as those before; they all have one rate."""
        return audio.channels == self._like.channels

    def push_block(self, audio: Audio) -> Work[list[Emit]]:
        """What the block completes."""
        start = self.timeline.frames
        ready: list[Emit] = []
        if gap_us := self.timeline.feed(audio.pts_us, audio.frames):
            ready = yield from self._pass_gap(gap_us, start)
        heard = audio.samples[0] if audio.channels == 1 else audio.samples.mean(0)
        if not (np.abs(heard) <= 1).all():
            heard = np.where(np.isfinite(heard), heard, np.float32(0)).clip(-1, 1)
        done = 0  # samples of the block that were let out, or need not be
        for end, said in (yield from self._hear(heard)):
            at = end - (self._fed - audio.frames)
            ready += self._listening.let_out(audio, start, done, at)
            done = at
            ready += self._report(said, start + at)
        ready += self._listening.let_out(audio, start, done, audio.frames)
        ready += self._listening.see(start + audio.frames)
        self.timeline.forget(start)
        return ready

    def take(self, event: SpeechEvent) -> list[Emit]:
        """What the end of a segment of the detector completes."""
        return self._listening.take(event)

    def finish_all(self) -> Work[list[Emit]]:
        """The tail."""
        ready: list[Emit] = []
        for _, said in (yield from self._hear(np.zeros(AFTER, np.float32))):
            ready += self._report(said, self.timeline.frames)
        return ready + self._listening.close("end_of_input")

    def _pass_gap(self, gap_us: int, position: int) -> Work[list[Emit]]:
        """Go on as if there had been silence; where time jumped back, all is new."""
        memory = self._scores.memory
        gap = memory if gap_us < 0 else round(gap_us * RATE / 1_000_000)
        # Of a long one as much as makes a difference, and whole frames left out.
        silence = gap if gap <= memory else memory + (gap - memory) % FRAME
        begun = self._fed
        passed = 0
        ready: list[Emit] = []
        for end, said in (yield from self._hear(np.zeros(silence, np.float32))):
            self._listening.pass_time(end - begun - passed)
            passed = end - begun
            ready += self._report(said, position)
        self._listening.pass_time(gap - passed)
        for trigger in self._triggers.values():
            trigger.pass_time(gap - silence)
        ready += self._listening.pass_gap(gap > self.params.pause_ms * RATE // 1000)
        if gap_us < 0:
            self._listening.begin(0)
        return ready

    def _hear(self, samples: NDArray[np.float32]) -> Work[list[tuple[int, dict[str, float]]]]:
        """Where words are over, and their scores."""
        self._framer.put(samples[np.newaxis])
        self._fed += len(samples)
        found: list[tuple[int, dict[str, float]]] = []
        end = self._framer.index * FRAME
        while (frames := self._framer.take()) is not None:
            for frame in frames[0]:
                end += FRAME
                scores = yield from self._scores.push(frame)
                if said := self._judge(scores):
                    found.append((end, said))
        return found

    def _judge(self, scores: list[tuple[str, float]]) -> dict[str, float]:
        params = self.params
        said: dict[str, float] = {}
        for label, score in scores:
            threshold = params.thresholds.get(label, params.threshold)
            if self._triggers.setdefault(label, Trigger()).said(score, threshold, params):
                said[label] = score
        return said

    def _report(self, said: dict[str, float], position: int) -> list[Emit]:
        """Events of words that are over at this sample; from there on audio is let out."""
        self._listening.begin(self.params.listen_ms)
        time_us = self.timeline.end_us(position)
        pts_us = None if self.timeline.pts_us(position) is None else time_us
        return [
            Emit(
                WORDS,
                unchecked(
                    Json,
                    {
                        "event": "wake_word",
                        "word": word,
                        "score": score,
                        "end_sample": position,
                        "end_us": time_us,
                    },
                    pts_us,
                    self._like.stream_id,
                ),
            )
            for word, score in said.items()
        ]
