"""TurnStream: the turns of one speaker, out of audio and of what is said about its speech."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from remotemedia.data import Audio, Json
from remotemedia.data.timeline import TOLERANCE_US
from remotemedia.nodes.models.log_mel import RATE, LogMel
from remotemedia.nodes.models.model_node import Work
from remotemedia.nodes.models.recent_audio import RecentAudio
from remotemedia.nodes.speech.speech_event import CONFIRM, START, SpeechEvent

if TYPE_CHECKING:
    from remotemedia.models.backend import Model

LOOKED_AT_S = 8  # by the network, up to where it judges
BEFORE_MS = 500  # audio in front of a turn that it looks at
LATE_S = 10  # audio kept for events that are late
SLACK_US = 40_000  # audio that is so late by the session clock does not come
MAX_EVENTS = 1024  # that wait for their audio


class Judge:
    """The network that says whether a turn is over.

    Parameters
    ----------
    model : Model
        Of one input `[shape=(n, 80, 800)]` and one output `[shape=(n, 1)]`.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._takes, self._gives = model.inputs[0].name, model.outputs[0].name
        self._mel = LogMel()

    def probability(self, audio: RecentAudio, start: int, end: int) -> Work[float]:
        """Of the turn being over, from what was heard between two positions."""
        samples = audio.between(end - LOOKED_AT_S * RATE, end)
        samples[: max(0, start - (end - LOOKED_AT_S * RATE))] = 0
        outputs = yield self._model, {self._takes: self._mel.of(samples)[None]}
        return float(outputs[self._gives][0, 0])


class _Pause(NamedTuple):
    """Where a turn may have ended."""

    end_us: int
    probability: float | None


class TurnStream:
    """One stream.

    All that happens is put in the order of its media time, so that it does not matter whether a
    block of audio comes before or after what is said about it.

    Parameters
    ----------
    judge : Judge
    threshold : float
        Probability from which on a turn is over.
    max_silence_ms : int
        After which it is over anyway.
    stream_id : str, optional
        Of what comes out.
    """

    def __init__(
        self, judge: Judge, threshold: float, max_silence_ms: int, stream_id: str | None
    ) -> None:
        self._judge = judge
        self._threshold = threshold
        self._max_silence_us = max_silence_ms * 1000
        self._stream_id = stream_id
        self.token = "" if stream_id is None else f"/{stream_id}"
        """Of its timer."""
        self._audio = RecentAudio(RATE, LOOKED_AT_S + LATE_S)
        self._events: deque[SpeechEvent] = deque()  # whose audio is still to come
        self._turn = 0
        self._start_us: int | None = None  # of the turn that is open
        self._speaking = False
        self._pause: _Pause | None = None  # the last one of the turn
        self._came_us: int | None = None  # when the last block came, by the session clock
        self._slack_us = SLACK_US

    @property
    def waits(self) -> int:
        """How many events wait for their audio."""
        return len(self._events)

    def push(self, audio: Audio, now_us: int) -> Work[list[Json]]:
        """What the block completes; `now_us`: the session clock."""
        found: list[Json] = []
        if self._audio.jumps_back(audio):
            found += self._lapse(self._heard_us)
            found += yield from self._settle(self._heard_us)
            found += self._end("end_of_input", self._heard_us)
            self._audio = RecentAudio(RATE, LOOKED_AT_S + LATE_S)
        # What is to be said about the audio before has been said by now.
        found += self._lapse(self._heard_us)
        self._audio.put(audio)
        self._came_us = now_us
        self._slack_us = SLACK_US + audio.frames * 1_000_000 // RATE
        found += yield from self._settle(self._heard_us)
        return found

    def hear(self, event: SpeechEvent) -> Work[list[Json]]:
        """What the event leads to."""
        self._events.append(event)
        if self._came_us is None:
            return []
        return (yield from self._settle(self._heard_us))

    def expire(self, now_us: int) -> Work[list[Json]]:
        """What is to be done although no audio comes; `now_us`: the session clock."""
        if self._came_us is None:
            return []
        passed_us = self._heard_us + now_us - self._came_us - self._slack_us
        if passed_us < self._heard_us:
            return []
        found = yield from self._settle(passed_us)
        return found + self._lapse(passed_us)

    def due_us(self) -> int | None:
        """When `expire` is to be called if no audio comes, by the session clock."""
        if self._came_us is None:
            return None
        times = [event.known_us for event in list(self._events)[:1]]
        if (lapses_us := self._lapses_us) is not None:
            times.append(lapses_us)
        if not times:
            return None
        return self._came_us + max(0, min(times) - self._heard_us) + self._slack_us

    def finish(self) -> Work[list[Json]]:
        """The tail."""
        found = self._lapse(self._heard_us)
        last_us = max((event.known_us for event in self._events), default=self._heard_us)
        found += yield from self._settle(last_us)
        return found + self._end("end_of_input", self._heard_us)

    # -- in the order of media time ----------------------------------------------------------

    @property
    def _heard_us(self) -> int:
        return self._audio.time_us(self._audio.end)

    @property
    def _lapses_us(self) -> int | None:
        """When silence ends the turn."""
        if self._speaking or self._start_us is None or self._pause is None:
            return None
        return self._pause.end_us + self._max_silence_us

    def _settle(self, until_us: int) -> Work[list[Json]]:
        """Follow the events that are known by then."""
        found: list[Json] = []
        # Times were rounded on their way here.
        while self._events and self._events[0].known_us <= until_us + TOLERANCE_US:
            event = self._events.popleft()
            found += self._lapse(event.known_us - 1)
            found += yield from self._follow(event)
        return found

    def _lapse(self, until_us: int) -> list[Json]:
        """End a turn that was silent for too long by then."""
        lapses_us = self._lapses_us
        if lapses_us is None or lapses_us > until_us:
            return []
        return self._end("silence", lapses_us)

    def _follow(self, event: SpeechEvent) -> Work[list[Json]]:
        found: list[Json] = []
        if event.kind == CONFIRM or (event.cancelled and not self._speaking):
            return found
        self._speaking = event.kind == START
        if event.cancelled:
            return self._take_back(event)
        start_us = self._start_us
        if start_us is None:
            self._turn += 1
            start_us = self._start_us = event.start_us
            found.append(self._event("start", start_us, event.known_us))
        if self._speaking:
            return found
        probability = yield from self._probability(event, start_us)
        self._pause = _Pause(event.end_us, probability)
        if probability >= self._threshold:
            return found + self._end("complete", event.known_us)
        about = {"end_us": event.end_us, "probability": probability}
        found.append(self._event("pause", event.end_us, event.known_us, **about))
        return found + self._lapse(event.known_us)

    def _take_back(self, event: SpeechEvent) -> list[Json]:
        """The segment was no speech: go on as if it had not been."""
        if self._pause is None:
            return self._end("cancelled", event.known_us, state="cancelled")
        return self._lapse(event.known_us)

    def _probability(self, event: SpeechEvent, start_us: int) -> Work[float]:
        # No further than the segment: the more silence it sees, the more it takes for complete.
        start = self._audio.position(start_us - BEFORE_MS * 1000)
        end = self._audio.position(event.end_us)
        return (yield from self._judge.probability(self._audio, start, end))

    # -- what is said ------------------------------------------------------------------------

    def _end(self, reason: str, known_us: int, **more: object) -> list[Json]:
        """The end of the turn, if one is open."""
        if self._start_us is None:
            return []
        pause = None if self._speaking else self._pause
        end_us = known_us if pause is None else pause.end_us
        about = {
            "end_us": end_us,
            "duration_us": end_us - self._start_us,
            "probability": pause and pause.probability,
            "reason": reason,
            **more,
        }
        event = self._event("end", end_us, known_us, **about)
        self._start_us = self._pause = None
        self._speaking = False
        return [event]

    def _event(self, event: str, time_us: int, known_us: int, **about: Any) -> Json:
        value = {"event": event, "turn": self._turn, "start_us": self._start_us, **about}
        return Json(value | {"known_us": known_us}, time_us, self._stream_id)
