"""Framer: cuts a stream into frames on a fixed grid, however it is chunked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

BATCH = 32
"""Most frames handed out at once: enough to spread numpy's call overhead, few enough for the
arrays that come of them to stay in the cache."""


class Framer:
    """Frames of equal duration on the absolute sample grid.

    Frame k holds samples ``⌊k·rate·ms/1000⌋`` up to ``⌊(k+1)·rate·ms/1000⌋`` of the stream. So the
    grid never drifts from time, and where the duration is no whole number of samples, frames differ
    by one sample. What does not fill a frame is carried over to the next call; results computed
    frame by frame do not depend on the chunks that samples came in.

    Parameters
    ----------
    sample_rate : int
        Hz.
    channels : int
    frame_ms : int
        Duration of a frame, ms.
    """

    __slots__ = ("_carried", "_frame_ms", "_rate", "index", "size")

    def __init__(self, sample_rate: int, channels: int, frame_ms: int) -> None:
        self._rate = sample_rate
        self._frame_ms = frame_ms
        self._carried: NDArray[Any] = np.empty((channels, 0), np.float32)
        samples, rest = divmod(sample_rate * frame_ms, 1000)
        self.size = None if rest else samples
        """Samples in a frame; None where frames differ."""
        self.index = 0
        """Number of frames handed out so far."""

    def position(self, frame: int) -> int:
        """First sample of a frame."""
        return frame * self._rate * self._frame_ms // 1000

    def push(self, samples: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """Take samples; iterate over the frames that they complete.

        Parameters
        ----------
        samples : np.ndarray [shape=(channels, frames)]
            Kept for the next call as far as it is not handed out, so it must not change.

        Yields
        ------
        np.ndarray [shape=(channels, n, size)]
            The next n frames, up to `BATCH`: a view if possible. `index` counts them as handed out
            from when the iteration goes on.
        """
        if self._carried.shape[1]:
            samples = np.concatenate((self._carried, samples), axis=1)
        start, total = 0, samples.shape[1]
        while True:
            if self.size:
                size, count = self.size, min(BATCH, (total - start) // self.size)
            else:
                size = self.position(self.index + 1) - self.position(self.index)
                count = int(size <= total - start)
            end = start + count * size
            if not count:
                # A copy, lest a carried millisecond keep a long chunk alive.
                self._carried = samples[:, start:].copy()
                return
            # Marked as taken first: a consumer that stops half-way must not get them again.
            self._carried = samples[:, end:]
            yield samples[:, start:end].reshape(samples.shape[0], count, size)
            self.index += count
            start = end

    @property
    def rest(self) -> NDArray[Any]:
        """What does not fill a frame yet, `[shape=(channels, frames)]`."""
        return self._carried
