"""WSOLA: other tempo, same pitch.

W. Verhelst, M. Roelands, "An overlap-add technique based on waveform similarity (WSOLA) for high
quality time-scale modification of speech", Proc. IEEE ICASSP 1993. Half-overlapping windows are
added; each is taken from where, near its nominal place, the input is most similar to what would go
on from the window before. Where that continuation itself is near enough, nothing is as similar: so
it is taken without a search, the two halves of the overlap are then the same samples, and what is
computed are the splices alone, one every few windows.

Similarity is the normalised cross-correlation. It is computed of integers, in float64 that hold
them exactly: whatever order a processor adds them in, the sums are the same bits, and so is the
place that is chosen. The fade is a cubic, as the cosine of one C library is not that of another.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[Any]
"""Of shape (channels, frames), of a format of `Audio`."""
Numbers = NDArray[np.float64]

UNIT = 10_000
"""Speeds are multiples of 1 / UNIT."""
WINDOW_MS = 20.0
SEARCH_MS = 20.0
_COARSE_HZ = 6_000  # about the rate at which places are compared before the best is refined
_LOUDEST = 2.0**16  # twice full scale: so products of 64 channels still add up exactly


class Wsola:
    """Stretches one stream: n samples become ``ceil(n / speed)``, however they are cut into blocks.

    Of float samples those that are not finite count as 0.

    Parameters
    ----------
    like : np.ndarray [shape=(channels, any)]
        Samples as they will come, of any format of `Audio`.
    sample_rate : int
        Hz.
    window_ms : float
        Length of the windows, ms; half of it is cross-faded at each splice.
    search_ms : float
        How far behind its nominal place a window may be taken, ms. A splice skips or repeats about
        that at most: at least one period of the lowest pitch.
    speed : float
        Input per output time.
    finishes : bool
        Whether it will end by `finish`, which wants half a window more to stay back; else by
        `rest`.

    Attributes
    ----------
    position : int
        Of the input, that of the next output sample.
    emitted : int
        Output samples so far.
    """

    def __init__(
        self,
        like: Samples,
        sample_rate: int,
        window_ms: float = WINDOW_MS,
        search_ms: float = SEARCH_MS,
        speed: float = 1.0,
        *,
        finishes: bool = True,
    ) -> None:
        self._hop = max(1, round(sample_rate * window_ms / 2000))
        self._reach = max(1, round(sample_rate * search_ms / 1000))
        self._coarse = max(1, min(sample_rate // _COARSE_HZ, self._hop))
        self.speed = speed
        self._ahead = (2 if finishes else 1) * self._hop  # samples that must be there for a hop
        self.position = 0
        self.emitted = 0
        self._nominal = 0  # place of the next output sample in the input, in 1 / UNIT
        self._first = 0  # place of the first sample that is kept
        self._kept = like[:, :0]
        ramp = (np.arange(self._hop) + 0.5) / self._hop
        self._fade: Numbers = ramp * ramp * (3 - 2 * ramp)

    @property
    def speed(self) -> float:
        """Input per output time; another one counts from the next window on."""
        return self._rate / UNIT

    @speed.setter
    def speed(self, speed: float) -> None:
        self._rate = round(speed * UNIT)

    @property
    def skipped(self) -> int:
        """Input samples that were left out so far; negative: repeated."""
        return self.position - self.emitted

    def push(self, samples: Samples) -> Samples:
        """What the samples complete. At speed 1, if it never was another, they themselves."""
        if samples.dtype == np.float32 and not (finite := np.isfinite(samples)).all():
            samples = np.where(finite, samples, np.float32(0))
        hop, rate, ahead = self._hop, self._rate, self._ahead
        known = np.concatenate((self._kept, samples), axis=1)
        end = self._first + known.shape[1]
        if rate == UNIT and self._nominal // UNIT == self.position == end - samples.shape[1]:
            self._advance(samples.shape[1])
            self._keep(known)
            return samples
        parts: list[Samples] = []
        while True:
            place, position = self._nominal // UNIT, self.position
            if rate == UNIT and place == position:
                parts.append(self._cut(known, position, end - position))
                self._advance(end - position)
                break
            if max(self._nominal + ahead * rate, (position + ahead) * UNIT) > end * UNIT:
                break
            if 0 <= place - position <= self._reach:
                parts.append(self._cut(known, position, hop))
            else:
                parts.append(self._splice(known, self._best(known, place), hop))
            self._advance(hop)
        self._keep(known)
        return _joined(parts, known)

    def finish(self) -> Samples:
        """The tail: to the very end of the input, and to the exact number of samples."""
        known, first = self._kept, self._first
        end = first + known.shape[1]
        parts: list[Samples] = []
        while (left := -((self._nominal - end * UNIT) // self._rate)) > 0:
            goal = max(end - left, first)
            rest = end - self.position
            if goal != self.position:
                count = min(self._hop, left, rest)
                parts.append(self._splice(known, goal, count))
            else:
                # To the end, or of a short stream half of it, as it has to be repeated.
                count = rest if rest == left else max(rest - self._hop, -(-rest // 2))
                parts.append(self._cut(known, goal, count))
            self._advance(count)
        return _joined(parts, known)

    def rest(self, samples: Samples) -> Samples:
        """Instead of the last `push`, and `finish`: all that is left, as it is.

        So the input goes on from there without a splice, and stretching is at an end.
        """
        held = self._kept[:, self.position - self._first :]
        self._advance(held.shape[1] + samples.shape[1])
        return np.concatenate((held, samples), axis=1)

    # -- inside ------------------------------------------------------------------------------

    def _advance(self, count: int) -> None:
        self.position += count
        self.emitted += count
        self._nominal += count * self._rate

    def _keep(self, known: Samples) -> None:
        """Keep what a window may still be taken from."""
        first = max(min(self.position, self._nominal // UNIT - self._reach), 0)
        self._kept = known[:, first - self._first :]
        self._first = first

    def _cut(self, known: Samples, place: int, count: int) -> Samples:
        start = place - self._first
        return known[:, start : start + count]

    def _splice(self, known: Samples, place: int, count: int) -> Samples:
        """Go over to another place, within so many samples."""
        before, after = self._cut(known, self.position, count), self._cut(known, place, count)
        self.position = place
        if not count:
            return before
        fade: Samples = self._fade
        if count < self._hop:  # near the end: one that is as much shorter
            fade = fade[(2 * np.arange(count) + 1) * self._hop // (2 * count)]
        if known.dtype == np.float32:
            fade = fade.astype(np.float32)
        mixed: Samples = before * (1 - fade) + after * fade
        if mixed.dtype != known.dtype:
            mixed = np.rint(mixed).astype(known.dtype)
        return mixed

    def _best(self, known: Samples, place: int) -> int:
        """Where it goes on most like it would; of equals, where it is longest until the next."""
        low, high = max(place - self._reach, 0), place
        goes_on = _numbers(self._cut(known, self.position, self._hop))
        near = _numbers(self._cut(known, low, high - low + self._hop))
        to_end, step = self.position < low, self._coarse
        if step > 1:
            best = step * _most_similar(_averaged(goes_on, step), _averaged(near, step), to_end)
            first, last = max(best - step + 1, 0), min(best + step - 1, high - low)
            near = near[:, first : last + self._hop]
            low += first
        return low + _most_similar(goes_on, near, to_end)


def _joined(parts: list[Samples], like: Samples) -> Samples:
    return np.concatenate((like[:, :0], *parts), axis=1)


def _numbers(samples: Samples) -> Numbers:
    """As integers of 16 bits and a sign, whatever the format."""
    wide = samples.astype(np.float64)
    if samples.dtype == np.float32:
        wide *= 2.0**15
    elif samples.dtype == np.int32:
        wide *= 2.0**-16
    elif samples.dtype == np.uint8:
        wide = (wide - 128) * 2**8
    return np.clip(np.rint(wide), -_LOUDEST, _LOUDEST)


def _averaged(numbers: Numbers, step: int) -> Numbers:
    """The means of so many numbers each, rounded down."""
    count = numbers.shape[1] // step
    whole = numbers[:, : count * step].reshape(len(numbers), count, step)
    means: Numbers = np.floor(whole.sum(axis=2) / step)
    return means


def _most_similar(pattern: Numbers, numbers: Numbers, to_end: bool) -> int:
    """Where in `numbers` the pattern is, about; of several places the last or the first."""
    size = pattern.shape[1]
    products = sum(
        np.correlate(row, pattern_row, "valid")
        for row, pattern_row in zip(numbers, pattern, strict=True)
    )
    sums = np.zeros(numbers.shape[1] + 1)
    np.cumsum((numbers * numbers).sum(axis=0), out=sums[1:])
    scores = products * np.abs(products) / (sums[size:] - sums[:-size] + 1)
    if to_end:
        return len(scores) - 1 - int(np.argmax(scores[::-1]))
    return int(np.argmax(scores))
