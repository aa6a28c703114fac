"""Framer: cuts a stream into frames on a fixed grid, however it is chunked."""

from __future__ import annotations

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

    __slots__ = ("_frame_ms", "_nothing", "_parts", "_rate", "_waiting", "index", "size")

    def __init__(self, sample_rate: int, channels: int, frame_ms: int) -> None:
        self._rate = sample_rate
        self._frame_ms = frame_ms
        self._nothing: NDArray[Any] = np.empty((channels, 0), np.float32)
        self._parts: list[NDArray[Any]] = []  # what has not been handed out yet
        self._waiting = 0  # samples in it
        samples, rest = divmod(sample_rate * frame_ms, 1000)
        self.size = None if rest else samples
        """Samples in a frame; None where frames differ."""
        self.index = 0
        """Number of frames handed out so far."""

    def position(self, frame: int) -> int:
        """First sample of a frame."""
        return frame * self._rate * self._frame_ms // 1000

    def put(self, samples: NDArray[Any]) -> None:
        """Append samples.

        Parameters
        ----------
        samples : np.ndarray [shape=(channels, frames)]
            Kept until `take` hands them out, so they must not change.
        """
        self._parts.append(samples)
        self._waiting += samples.shape[1]

    def take(self, most: int = BATCH) -> NDArray[Any] | None:
        """The next frames, up to `most` and to `BATCH`; None if there are none.

        Returns
        -------
        np.ndarray [shape=(channels, n, size)], optional
            A view if possible. One frame where frames differ in size.
        """
        total = self._waiting
        size = self.size or self.position(self.index + 1) - self.position(self.index)
        if size > total or not most:
            return None
        count = min(most, BATCH, total // size) if self.size else 1
        samples = self.rest
        self.index += count
        end = count * size
        self._waiting = total - end
        if end == total:
            self._parts.clear()
        else:
            rest = samples[:, end:]
            # A copy, lest a carried millisecond keep a long chunk alive.
            self._parts[0] = rest if 4 * rest.size > samples.size else rest.copy()
        if count == 1:
            return samples[:, np.newaxis, :end]
        return samples[:, :end].reshape(-1, count, size)

    @property
    def rest(self) -> NDArray[Any]:
        """What has not been handed out yet, `[shape=(channels, frames)]`."""
        parts = self._parts
        if len(parts) > 1:
            parts[:] = (np.concatenate(parts, axis=1),)
        return parts[0] if parts else self._nothing
