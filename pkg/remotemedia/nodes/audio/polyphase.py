"""Polyphase: rational resampling of a stream, the same samples however the stream is cut."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

try:  # np.einsum without its wrapper, which takes 2 µs in Pyodide
    from numpy._core.multiarray import c_einsum as einsum
except ImportError:
    from numpy import einsum

from remotemedia.nodes.audio.kaiser import LowPass, Quality, polyphase_taps

Samples = NDArray[np.float32]

MAX_BANK = 1 << 20  # taps: 4 MiB. A ratio that needs more has its taps interpolated
TABLE_PHASES = {Quality.LOW: 256, Quality.MEDIUM: 1024, Quality.HIGH: 4096}
GATHERED = 1 << 17  # samples copied at a time where windows follow no pattern
MAX_STEPS = 4  # kept per stream: blocks of 128 samples, 48 to 16 kHz, take three in turns
MAX_KEPT = 1 << 14  # samples in the arrays of one


def _count(first: int, last: int) -> NDArray[np.int64]:
    # numpy's default integer has 32 bits in Pyodide, and phases are multiplied by rates.
    return np.arange(first, last, dtype=np.int64)


class Segment(NamedTuple):
    """Neighbouring phases whose input windows start at evenly spaced samples.

    Attributes
    ----------
    first : int
        Number of its first phase.
    start : int
        Where that phase's window starts, in input samples from the start of the period.
    taps : np.ndarray [shape=(phases, width), dtype=float32]
        Padded with zeros on both sides to make up for the spacing being even.
    """

    first: int
    start: int
    taps: Samples


class Filter:
    """The taps of one ratio and quality. Output sample k lies at input time ``k * down / up``.

    An exact filter holds the taps of all `up` phases. Where those would need more than
    `MAX_BANK`, it holds a table of phases instead, between which taps are interpolated linearly;
    the table is so fine that the error stays below the stop-band (`high`: π²/8·4096⁻², −142 dB).

    Attributes
    ----------
    reach : int
        An output sample depends on this many input samples before, and as many after it.
    slack : int
        By how much more a padded window may reach out, either way.
    """

    def __init__(self, up: int, down: int, quality: Quality) -> None:
        self.up, self.down = up, down
        low_pass = LowPass(quality, min(1.0, up / down))
        self.reach = math.ceil(low_pass.half_width)
        self.slack = 0
        self.segments: list[Segment] = []
        self.table: tuple[Samples, Samples] | None = None  # taps, and how they change to the next
        if 2 * self.reach * up <= MAX_BANK:
            self.stride = (2 * down + up) // (2 * up)  # the whole number nearest to down / up
            self._lay_out(polyphase_taps(low_pass, _count(0, up) * down % up, up))
        else:
            self.phases = max(1, TABLE_PHASES[quality] * min(up, down) // down)
            taps = polyphase_taps(low_pass, _count(0, self.phases + 1), self.phases)
            self.table = taps[:-1].copy(), taps[1:] - taps[:-1]

    def _lay_out(self, taps: Samples) -> None:
        """Cut the phases into segments, so that no window is padded by more than a quarter."""
        up, width = self.up, 2 * self.reach
        drift = abs(self.down - self.stride * up)  # input samples per `up` outputs
        length = up if drift == 0 else max(1, min(up, width * up // (4 * drift)))
        for first in range(0, up, length):
            rows = _count(first, min(first + length, up))
            offsets = rows * self.down // up - (rows - first) * self.stride
            base = int(offsets.min())
            offsets -= base
            pad = int(offsets.max())
            padded = np.zeros((len(rows), width + pad), np.float32)
            columns = offsets[:, None] + np.arange(width)
            np.put_along_axis(padded, columns, taps[rows], axis=1)
            padded.setflags(write=False)
            self.slack = max(self.slack, pad)
            self.segments.append(Segment(first, base - self.reach + 1, padded))

    def render(self, first: int, out: Samples, buffer: Samples, origin: int) -> None:
        """Compute output samples of one channel, from number `first` on.

        Parameters
        ----------
        out : np.ndarray [shape=(frames,), dtype=float32]
            Filled with them. Contiguous.
        buffer : np.ndarray [shape=(frames,), dtype=float32]
            Contiguous input, at least `reach` + `slack` samples more on either side.
        origin : int
            Number of its first sample.
        """
        for call in self.calls(first, out, buffer, origin):
            call()

    def calls(
        self, first: int, out: Samples, buffer: Samples, origin: int
    ) -> Iterator[Callable[[], object]]:
        """What `render` calls; may be called again when the input is another."""
        up, done, total = self.up, 0, len(out)
        if total and self.table is not None:
            yield partial(self._interpolated, *self.table, first, out, buffer, origin)
            done = total
        while done < total:
            period, phase = divmod(first + done, up)
            periods = 1 if phase else max(1, (total - done) // up)
            count = min(periods * (up - phase), total - done)
            here = out[done : done + count].reshape(periods, -1)
            yield from self._periods(phase, here, buffer, period * self.down - origin)
            done += count

    def _periods(
        self, phase: int, out: Samples, buffer: Samples, position: int
    ) -> Iterator[Callable[[], object]]:
        """Fill `out` [shape=(periods, phases)], from `phase` on, of periods from `position` on."""
        # Every output is one inner loop of einsum over all its taps: its sum does not depend on
        # how many others are computed with it. Neither `@` nor convolve would promise that.
        periods, phases = out.shape
        last = phase + phases
        strides = (self.down * 4, self.stride * 4, 4)
        for first, start, taps in self.segments:
            rows, width = taps.shape
            low, high = max(phase, first), min(last, first + rows)
            if low >= high:
                continue
            if high - low < rows:
                taps = taps[low - first : high - first]
            part = out if high - low == phases else out[:, low - phase : high - phase]
            offset = (position + start + (low - first) * self.stride) * 4
            windows: Samples = np.ndarray(
                (periods, high - low, width), np.float32, buffer, offset, strides
            )
            yield partial(einsum, "bpj,pj->bp", windows, taps, out=part)

    @np.errstate(invalid="ignore")  # of samples that are not finite, which the caller finds
    def _interpolated(
        self, taps: Samples, slopes: Samples, first: int, out: Samples, buffer: Samples, origin: int
    ) -> None:
        width = taps.shape[1]
        windows: Samples = np.ndarray(
            (len(buffer) - width + 1, width), np.float32, buffer, 0, (4, 4)
        )
        step = max(1, GATHERED // width)
        for done in range(0, len(out), step):
            here = out[done : done + step]
            period, phase = divmod(first + done, self.up)
            inputs, part = np.divmod(_count(phase, phase + len(here)) * self.down, self.up)
            row, rest = np.divmod(part * self.phases, self.up)
            inputs += period * self.down - origin - self.reach + 1
            window = windows[inputs]
            np.einsum("pj,pj->p", window, slopes[row], out=here)
            here *= (rest / self.up).astype(np.float32)
            here += np.einsum("pj,pj->p", window, taps[row])


@lru_cache(maxsize=8)
def make_filter(up: int, down: int, quality: Quality) -> Filter:
    """The filter of a ratio, designed once per process."""
    return Filter(up, down, quality)


class _State(NamedTuple):
    """Where a stream stands."""

    phase: int  # of the next output
    period: int  # where the period starts that it lies in, from the first sample of the history
    held: int  # length of the history


class _Step:
    """How a block of one length is resampled in one state; `after` is the state that follows."""

    # It owns the arrays that it takes, and the views into them: a stream of equal blocks comes back
    # to the same state, and for a block of 20 ms it takes as long to make them as to fill them.

    def __init__(self, filter_: Filter, channels: int, frames: int, state: _State) -> None:
        up, down, slack = filter_.up, filter_.down, filter_.slack
        phase, period, held = state
        arrived = held + frames
        # Outputs from the start of the period to where they would need what is not there yet.
        last = max(phase, -(-(arrived - filter_.reach - period) * up // down))
        kept = min(max(period + last * down // up - filter_.reach - slack, 0), arrived)
        self.after = _State(last % up, period + last // up * down - kept, arrived - kept)
        # What is ahead of the input is met by taps of 0 only.
        self._buffer = buffer = np.zeros((channels, arrived + slack), np.float32)
        self._head = buffer[:, :held]
        self._input = buffer[:, held:arrived]
        # To be given to the step that follows; it changes when this step is run again.
        self.history = buffer[:, kept:arrived]
        self._out = np.zeros((channels, last - phase), np.float32)
        self.size = buffer.size + self._out.size
        self._calls = [
            call
            for row, channel in zip(self._out, buffer, strict=True)
            for call in filter_.calls(phase, row, channel, -period)
        ]

    def run(self, history: Samples, samples: Samples) -> Samples:
        """The outputs, in an array that the next run fills anew."""
        self._head[...] = history
        self._input[...] = samples
        for call in self._calls:
            call()
        # What is not finite shows in the sum, dot's without a warning. It may come from a sample
        # that meets only taps of 0, depending on how the stream is cut: so it is taken out.
        # (Squares may overflow, too; then there is nothing to take out.)
        flat = self._out.reshape(-1)
        if not math.isfinite(flat.dot(flat)):
            self._buffer[~np.isfinite(self._buffer)] = 0
            for call in self._calls:
                call()
        return self._out


class Polyphase:
    """Resamples one stream, block by block.

    Output sample k is the band-limited input at time ``k / target_rate``: the delay of the filter
    is taken out. What comes of n input samples is ``ceil(n * target_rate / source_rate)`` samples,
    every one whose time lies before the end of the input. The stream is taken to be silent before
    its start and after its end.

    Parameters
    ----------
    source_rate, target_rate : int
        Hz.
    channels : int
        Rows of every block.
    quality : Quality
        Of the filter.
    """

    def __init__(self, source_rate: int, target_rate: int, channels: int, quality: Quality) -> None:
        common = math.gcd(source_rate, target_rate)
        self._filter = make_filter(target_rate // common, source_rate // common, quality)
        margin = self._filter.reach + self._filter.slack
        self._state = _State(0, margin, margin)
        self._history = np.zeros((channels, margin), np.float32)
        self._steps: dict[tuple[int, _State], _Step] = {}

    @property
    def latency(self) -> int:
        """How many input samples an output waits for after its own time."""
        return self._filter.reach

    def push(self, samples: Samples) -> Samples:
        """Take a block, give the output samples that are complete.

        Parameters
        ----------
        samples : np.ndarray [shape=(channels, frames), dtype=float32]
            A sample that is not finite counts as 0.
        """
        key = samples.shape[1], self._state
        step = self._steps.get(key)
        if step is None:
            step = _Step(self._filter, len(samples), *key)
            if len(self._steps) == MAX_STEPS:
                self._steps.clear()
            if step.size <= MAX_KEPT:
                self._steps[key] = step
        out = step.run(self._history, samples)
        self._state = step.after
        if step.size > MAX_KEPT:
            self._history = step.history.copy()
            return out
        self._history = step.history
        return out.copy()

    def finish(self) -> Samples:
        """Give the rest, up to the end of the input."""
        return self.push(np.zeros((len(self._history), self._filter.reach), np.float32))
