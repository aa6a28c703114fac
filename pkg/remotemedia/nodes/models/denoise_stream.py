"""DenoiseStream: takes the noise out of one stream by the two networks of DTLN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remotemedia.data import Audio, Metadata
from remotemedia.data.timeline import Timeline, mark_gap
from remotemedia.models.backend import bind
from remotemedia.nodes.models.model_node import Work

if TYPE_CHECKING:
    from remotemedia.models.backend import Model

RATE = 16000
WINDOW = 512
HOP = 128
BINS = WINDOW // 2 + 1
UNITS = 128
LIMIT = 1e6  # what is louder would overflow in the networks, and stay in their states
BEFORE = WINDOW - HOP

Samples = NDArray[np.float32]


class Network:
    """One of the two networks, with the state that it carries from window to window.

    Parameters
    ----------
    model : Model
        Inputs and outputs: what it looks at or gives `[shape=(1, 1, size)]`, then its state.
    size : int
        Values for each window.
    """

    def __init__(self, model: Model, size: int) -> None:
        self._model = model
        values, self._state = (each.name for each in model.inputs)
        self._gives, self._next = (each.name for each in model.outputs)
        feeds: dict[str, NDArray[Any]] = {
            values: np.zeros((1, 1, size), np.float32),
            self._state: np.zeros((1, 2, UNITS, 2), np.float32),
        }
        self.feeds = bind(model, feeds, {self._next: self._state})
        self.values: Samples = self.feeds[values][0, 0]
        """What it looks at next; to be written into."""

    def run(self) -> Work[Samples]:
        """What it gives for `values`, `[shape=(size,)]`."""
        outputs = yield self._model, self.feeds
        self.feeds[self._state] = outputs[self._next]
        given: Samples = outputs[self._gives][0, 0]
        return given


class DenoiseStream:
    """One stream.

    Each window goes through both networks: the first masks its spectrum, the second its features.
    What comes out is added up where windows overlap, so that a sample is complete with the fourth
    window that holds it.

    Parameters
    ----------
    models : tuple of Model
        The first network, and the second.
    audio : Audio
        Its first block, not yet pushed.
    mix : float
        How much of the original is kept, 0 to 1.
    timeline : Timeline
        Of its samples.
    """

    def __init__(
        self, models: tuple[Model, ...], audio: Audio, mix: float, timeline: Timeline
    ) -> None:
        self.timeline = timeline
        self.mix = mix
        self._like = audio
        first, second = models
        self._networks = [
            (Network(first, BINS), Network(second, WINDOW)) for _ in range(audio.channels)
        ]
        self._gap_us = 0
        self._metadata: Metadata | None = None
        self._begin(0)

    def continues(self, audio: Audio) -> bool:
        """Whether the block has as many channels as those before; they all have one rate."""
        return audio.channels == self._like.channels

    def push_block(self, audio: Audio) -> Work[list[Audio]]:
        """What the block completes."""
        done: list[Audio] = []
        if gap_us := self.timeline.feed(audio.pts_us, audio.frames):
            # Of what came before: the networks go on, for the noise is most likely the same.
            done = yield from self._flush(self.timeline.frames - audio.frames)
            self._begin(self.timeline.frames - audio.frames)
            self._gap_us += gap_us
        self._metadata = audio.metadata
        samples = audio.samples
        if not (np.abs(samples) <= LIMIT).all():
            samples = np.where(np.isfinite(samples), samples, np.float32(0)).clip(-LIMIT, LIMIT)
        cleaned = yield from self._clean(samples)
        return done + self._stamped(cleaned)

    def finish_all(self) -> Work[list[Audio]]:
        """The tail."""
        return (yield from self._flush(self.timeline.frames))

    def _begin(self, position: int) -> None:
        """Silence comes before the sample at this position."""
        channels = self._like.channels
        self._position = position  # of the first sample that is not out yet
        self._early = BEFORE  # samples of that silence that are not out yet, and never will be
        self._held: Samples = np.zeros((channels, BEFORE), np.float32)
        self._sums: Samples = np.zeros((channels, BEFORE), np.float32)  # of the windows so far

    def _flush(self, end: int) -> Work[list[Audio]]:
        """The samples up to `end` that are not out yet, with silence behind them."""
        missing = end - self._position
        if not missing:
            return []
        begun = self._held.shape[1] - BEFORE  # of a hop
        silence = np.zeros((self._like.channels, BEFORE + -begun % HOP), np.float32)
        cleaned = yield from self._clean(silence)
        return self._stamped(cleaned[:, :missing])

    def _clean(self, samples: Samples) -> Work[Samples]:
        """The samples that these complete, `[shape=(channels, n)]`."""
        held = np.concatenate((self._held, samples), axis=1)
        ready = (held.shape[1] - BEFORE) // HOP * HOP
        sums = np.zeros((len(held), ready + BEFORE), np.float32)
        sums[:, :BEFORE] = self._sums
        early, position = self._early, self._position
        # Should a run fail, this block is lost, with what waits for it; time goes on.
        self._begin(self.timeline.frames)
        for channel, (first, second) in enumerate(self._networks):
            for start in range(0, ready, HOP):
                spectrum = np.fft.rfft(held[channel, start : start + WINDOW])
                np.abs(spectrum, out=first.values, casting="same_kind")
                spectrum *= yield from first.run()
                second.values[:] = np.fft.irfft(spectrum)
                sums[channel, start : start + WINDOW] += yield from second.run()
        self._held = held[:, ready:].copy()  # lest a few samples keep a long block alive
        self._sums = sums[:, ready:].copy()
        self._position = position
        skip = min(early, ready)
        self._early = early - skip
        cleaned = sums[:, skip:ready]
        if self.mix:
            cleaned *= 1 - self.mix
            cleaned += np.float32(self.mix) * held[:, skip:ready]
        return cleaned

    def _stamped(self, samples: Samples) -> list[Audio]:
        frames = samples.shape[1]
        if not frames:
            return []
        pts_us = self.timeline.pts_us(self._position)
        metadata = mark_gap(self._metadata, self._gap_us)
        self._gap_us = 0
        self._position += frames
        self.timeline.forget(self._position)
        samples = np.ascontiguousarray(samples)  # of several channels it is a part of each row
        samples.setflags(False)  # type: ignore[call-arg]  # twice as quick as by keyword
        return [Audio.unchecked(samples, RATE, pts_us, self._like.stream_id, metadata)]
