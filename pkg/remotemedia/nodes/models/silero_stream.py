"""SileroStream: finds the speech of one stream by the probabilities of Silero's model."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remotemedia.data import Audio
from remotemedia.data.timeline import Timeline
from remotemedia.models.backend import bind
from remotemedia.node import Emit
from remotemedia.nodes.analysis.energy_vad import EnergyVAD
from remotemedia.nodes.analysis.speech_stream import SpeechStream
from remotemedia.nodes.models.model_node import Work

if TYPE_CHECKING:
    from remotemedia.models.backend import Model
    from remotemedia.nodes.models.silero_vad import SileroVAD

FRAME_MS = 32
CONTEXT_MS = 4
UNITS = 128

Samples = NDArray[np.float32]


class Prober:
    """What the model is given for each frame of a stream, and its state.

    It wants 4 ms of what comes before in front of each frame, and its state back.

    Parameters
    ----------
    model : Model
    sample_rate : int
        8000 or 16000 Hz.
    """

    __slots__ = ("_before", "_frame", "feeds")

    def __init__(self, model: Model, sample_rate: int) -> None:
        context = sample_rate * CONTEXT_MS // 1000
        window = np.zeros((1, context + sample_rate * FRAME_MS // 1000), np.float32)
        feeds: dict[str, NDArray[Any]] = {
            "input": window,
            "state": np.zeros((2, 1, UNITS), np.float32),
            "sr": np.array(sample_rate, np.int64),
        }
        self.feeds = bind(model, feeds, {"stateN": "state"})
        self._before = window[0, :context], window[0, -context:]
        self._frame = window[0, context:]

    def put(self, samples: Samples) -> dict[str, NDArray[Any]]:
        """What the next frame is run on, until the next call.

        Parameters
        ----------
        samples : np.ndarray [shape=(channels, n)]
            A frame, or the rest of the stream. Their mean is looked at.
        """
        context, end = self._before
        context[:] = end
        frame = self._frame
        mono = samples[0] if len(samples) == 1 else samples.mean(0)
        if len(mono) < len(frame):
            frame[len(mono) :] = 0
            frame = frame[: len(mono)]
        frame[:] = mono
        if not isfinite(frame.dot(frame)):
            np.nan_to_num(frame, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        return self.feeds

    def take(self, outputs: Mapping[str, NDArray[Any]]) -> float:
        """The probability of speech in the frame, from what the model gave."""
        self.feeds["state"] = outputs["stateN"]
        probability: float = outputs["output"].item()
        return probability


class SileroStream(SpeechStream):
    """One stream.

    Segments are those of Silero's `get_speech_timestamps`: one begins with the first frame that
    reaches `threshold`, and ends where the probability fell below `negative_threshold`, if it does
    not reach `threshold` again for `min_silence_ms`. Shorter ones than `min_speech_ms` are none.

    Parameters
    ----------
    model : Model
    audio : Audio
        Its first block, not yet pushed.
    params : SileroVAD.Params
    timeline : Timeline
        Of its samples.
    """

    def __init__(
        self, model: Model, audio: Audio, params: SileroVAD.Params, timeline: Timeline
    ) -> None:
        cut = EnergyVAD.Params(
            frame_ms=FRAME_MS,
            min_silence_ms=params.min_silence_ms,
            pre_roll_ms=params.speech_pad_ms,
            hangover_ms=params.speech_pad_ms,
        )
        super().__init__(audio, cut, timeline)
        self._model = model
        self._prober = Prober(model, audio.sample_rate)
        self._threshold = params.threshold
        low = params.negative_threshold
        self._low = max(params.threshold - 0.15, 0.01) if low is None else low
        self._enough = params.min_speech_ms * audio.sample_rate / 1000
        self._min_silence = params.min_silence_ms * audio.sample_rate / 1000
        self._is_candidate = False  # from `_first` on there may be a segment
        self._silence = -1  # where it may have ended
        self._sum = 0.0
        self._frames = 0

    def push_block(self, audio: Audio) -> Work[list[Emit]]:
        """What the block completes."""
        samples = audio.samples
        framer, timeline = self._framer, self.timeline
        timeline.feed(audio.pts_us, samples.shape[1])
        self._metadata = audio.metadata
        framer.put(samples)
        while (frames := framer.take(1)) is not None:
            frame = frames[:, 0]
            end = framer.position(framer.index)
            start = end - frame.shape[1]
            self._held.append((start, frame))
            outputs = yield self._model, self._prober.put(frame)
            self._judge(self._prober.take(outputs), start, end)
            timeline.forget(self._held[0][0] if self._held else end)
        ready, self._ready = self._ready, []
        return ready

    def finish_all(self) -> Work[list[Emit]]:
        """The tail."""
        length = self.timeline.frames
        rest = self._framer.rest
        if rest.shape[1]:
            start = length - rest.shape[1]
            self._held.append((start, rest))
            outputs = yield self._model, self._prober.put(rest)
            self._judge(self._prober.take(outputs), start, length)
        if self._is_candidate and length - self._first > self._enough:
            self._begin()
        if self._open:
            self._known = length
            self._close(length, "end_of_input")
        return self._ready

    def _judge(self, probability: float, start: int, end: int) -> None:
        """Go on with the probability of the next frame."""
        self._known = end
        triggered = self._open or self._is_candidate
        if triggered:
            self._sum += probability
            self._frames += 1
            if probability >= self._threshold:
                self._silence = -1
            elif probability < self._low:
                if self._silence < 0:
                    self._silence = start
                if start - self._silence >= self._min_silence:
                    self._end_segment()
                    triggered = False
        elif probability >= self._threshold:
            triggered = self._is_candidate = True
            self._first, self._silence = start, -1
            self._sum, self._frames = probability, 1
        if self._is_candidate and self._silence < 0 and end - self._first > self._enough:
            self._begin()
        if self._open:
            heard = end if self._silence < 0 else min(end, self._silence + self._hangover)
            self._emit(heard)
        elif not triggered:
            self._drop(end - self._pre_roll)
        else:
            self._drop(self._first - self._pre_roll)

    def _begin(self) -> None:
        self._is_candidate = False
        super()._begin()

    def _end_segment(self) -> None:
        """It has ended where the silence began."""
        if self._is_candidate and self._silence - self._first > self._enough:
            self._begin()
        if self._open:
            self._close(self._silence + self._hangover, "silence")
        self._is_candidate, self._silence = False, -1

    def _measured(self) -> dict[str, object]:
        return {"probability": self._sum / self._frames}
