"""RecentAudio: the last seconds of one stream, by media time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remotemedia.data import Audio
from remotemedia.data.timeline import TOLERANCE_US

US_PER_S = 1_000_000


class RecentAudio:
    """The last seconds of one stream. What is missing in its time stamps is silence.

    Positions are counted in samples of media time, from the first that came.

    Parameters
    ----------
    sample_rate : int
        Of the stream, Hz.
    seconds : float
        How much is kept.

    Attributes
    ----------
    end : int
        Position behind the last sample.
    """

    def __init__(self, sample_rate: int, seconds: float) -> None:
        self.end = 0
        self._rate = sample_rate
        self._start_us = 0  # time of the first sample
        self._stamped = False
        self._ring = np.zeros(round(sample_rate * seconds), np.float32)

    def jumps_back(self, audio: Audio) -> bool:
        """Whether the block is earlier than the end of the one before."""
        if audio.pts_us is None or not self._stamped or not audio.frames:
            return False
        return audio.pts_us < self.time_us(self.end) - TOLERANCE_US

    def put(self, audio: Audio) -> None:
        """Take the next block, which does not jump back: the mean of its channels."""
        samples = audio.samples[0] if len(audio.samples) == 1 else audio.samples.mean(0)
        if not np.isfinite(samples).all():
            samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        if audio.pts_us is not None and audio.frames:
            if not self._stamped:
                self._start_us = audio.pts_us - self.time_us(self.end)
                self._stamped = True
            elif audio.pts_us > self.time_us(self.end) + TOLERANCE_US:
                missing = self.position(audio.pts_us) - self.end
                self._append(np.zeros(min(missing, len(self._ring)), np.float32), missing)
        self._append(samples, len(samples))

    def between(self, start: int, end: int) -> NDArray[np.float32]:
        """Samples from one position to another; 0 where there are none, or none any more."""
        found = np.zeros(end - start, np.float32)
        first, last = max(start, self.end - len(self._ring), 0), min(end, self.end)
        if first < last:
            places = np.arange(first, last) % len(self._ring)
            found[first - start : last - start] = self._ring[places]
        return found

    def position(self, time_us: int) -> int:
        """The sample at a media time, µs, to the nearest."""
        after_us = time_us - self._start_us
        return (2 * after_us * self._rate + US_PER_S) // (2 * US_PER_S)

    def time_us(self, position: int) -> int:
        """The media time of a sample, µs, to the nearest."""
        return self._start_us + (2 * position * US_PER_S + self._rate) // (2 * self._rate)

    def _append(self, samples: NDArray[np.float32], count: int) -> None:
        """Put samples behind the last, as the last of `count`; those before them are silent."""
        size = len(self._ring)
        self.end += count
        kept = samples[-size:]
        at = (self.end - len(kept)) % size
        first = min(len(kept), size - at)
        self._ring[at : at + first] = kept[:first]
        self._ring[: len(kept) - first] = kept[first:]
