"""SileroStream: finds the speech of one stream by the probabilities of Silero's model."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remotemedia.data import Audio
from remotemedia.data.timeline import Timeline
from remotemedia.node import Emit
from remotemedia.nodes.analysis.energy_vad import EnergyVAD
from remotemedia.nodes.analysis.framer import Framer
from remotemedia.nodes.analysis.speech_stream import SpeechStream
from remotemedia.nodes.models.model_node import Work

if TYPE_CHECKING:
    from remotemedia.models.backend import Model
    from remotemedia.nodes.models.silero_vad import SileroVAD

FRAME_MS = 32
CONTEXT_MS = 4
UNITS = 128


class Prober:
    """Gives the probability of speech in each frame of a stream.

    The model wants 4 ms of what comes before in front of each frame, and its state back.

    Parameters
    ----------
    model : Model
    sample_rate : int
        8000 or 16000 Hz.
    channels : int
        What is looked at is their mean.
    """

    def __init__(self, model: Model, sample_rate: int, channels: int) -> None:
        self._model = model
        self._framer = Framer(sample_rate, channels, FRAME_MS)
        self._context = sample_rate * CONTEXT_MS // 1000
        size = self._context + sample_rate * FRAME_MS // 1000
        self._feeds: dict[str, NDArray[Any]] = {
            "input": np.zeros((1, size), np.float32),
            "state": np.zeros((2, 1, UNITS), np.float32),
            "sr": np.array(sample_rate, np.int64),
        }

    def push(self, samples: NDArray[np.float32]) -> Work[list[float]]:
        """The probabilities of the frames that a block completes.

        Parameters
        ----------
        samples : np.ndarray [shape=(channels, n)]
        """
        self._framer.put(samples)
        found: list[float] = []
        while (frames := self._framer.take()) is not None:
            mono = frames[0] if len(frames) == 1 else frames.mean(0)
            for frame in mono:
                probability = yield from self._probability(frame)
                found += [probability]
        return found

    def finish(self) -> Work[list[float]]:
        """The probability of the rest, with silence behind it, if there is a rest."""
        rest = self._framer.rest
        if not rest.shape[1]:
            return []
        frame = np.zeros(self._feeds["input"].shape[1] - self._context, np.float32)
        frame[: rest.shape[1]] = rest.mean(0)
        return [(yield from self._probability(frame))]

    def _probability(self, frame: NDArray[np.float32]) -> Work[float]:
        feeds, context = self._feeds, self._context
        window = feeds["input"]
        window[0, :context] = window[0, -context:]
        window[0, context:] = frame
        if not np.isfinite(window).all():
            np.nan_to_num(window, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        outputs = yield self._model, feeds
        feeds["state"] = outputs["stateN"]
        return float(outputs["output"][0, 0])


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
        self._settled = False  # every frame is decided on at once
        self._prober = Prober(model, audio.sample_rate, audio.channels)
        self._probabilities: deque[float] = deque()
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
        self._probabilities += yield from self._prober.push(audio.samples)
        return self.push(audio)

    def finish_all(self) -> Work[list[Emit]]:
        """The tail."""
        length = self.timeline.frames
        self._probabilities += yield from self._prober.finish()
        self._decide_all()
        rest = self._framer.rest
        if rest.shape[1]:
            start = self._framer.position(self._framer.index)
            self._held.append((start, rest))
            self._judge(self._probabilities.popleft(), start, length)
        if self._is_candidate and length - self._first > self._enough:
            self._begin()
        if self._open:
            self._known = length
            self._close(length, "end_of_input")
        return self._ready

    def _wait(self) -> int:
        return 1

    def _decide_all(self) -> None:
        undecided, self._undecided = self._undecided, []
        for start, samples in undecided:
            self._judge(self._probabilities.popleft(), start, start + samples.shape[1])

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
