"""NoiseFloor: the power of the noise behind speech."""

from __future__ import annotations

SUBWINDOWS = 8
SMOOTHING_MS = 20
DIGITAL_SILENCE = 1e-13  # −130 dB, below the steps of 16-bit audio: a muted source, not its noise


class NoiseFloor:
    """Tracks noise by minimum statistics: speech pauses, even between syllables, reach the noise.

    The smoothed power of the frames has its minimum over a window; the minimum over each of eight
    parts of it is kept, so that the window moves in eight steps. A fall of the noise is followed at
    once, a rise after seven to eight eighths of the window. Digital silence tells nothing of the
    noise and is passed over.

    Parameters
    ----------
    window_ms, frame_ms : int
        Length of the window and of a frame, ms.

    References
    ----------
    .. [1] R. Martin, "Noise power spectral density estimation based on optimal smoothing and
           minimum statistics", IEEE Trans. Speech Audio Process. 9 (5), 2001; here on the power of
           one band, with constant smoothing.
    """

    __slots__ = ("_current", "_length", "_lowest", "_minima", "_new", "_seen", "_smoothed", "power")

    def __init__(self, window_ms: int, frame_ms: int) -> None:
        self._length = max(1, window_ms // frame_ms // SUBWINDOWS)
        self._new = frame_ms / (frame_ms + SMOOTHING_MS)
        self._minima: list[float] = []
        self._lowest = float("inf")  # of them
        self._current = float("inf")
        self._seen = 0
        self._smoothed = -1.0
        self.power = 0.0
        """Of the noise; 0 while nothing is known."""

    def add(self, power: float) -> None:
        """Take the next frame."""
        if power < DIGITAL_SILENCE:
            return
        smoothed = self._smoothed
        if smoothed < 0:
            smoothed = power
        else:
            smoothed += self._new * (power - smoothed)
        self._smoothed = smoothed
        if smoothed < self._current:
            self._current = smoothed
        self.power = min(self._current, self._lowest)
        self._seen += 1
        if self._seen == self._length:
            self._minima = [*self._minima, self._current][1 - SUBWINDOWS :]
            self._lowest = min(self._minima)
            self._current = float("inf")
            self._seen = 0
