"""Timeline: the media time of every sample of one stream."""

from __future__ import annotations

from typing import NamedTuple

from remotemedia.data.base import Metadata

TOLERANCE_US = 1_000
GAP_KEY = "gap_us"
"""Metadata key of the first block after a gap: the time that is missing before it, µs; negative
where time jumped back."""


class Anchor(NamedTuple):
    """A sample whose time is known; later ones are counted from it.

    Attributes
    ----------
    position : int
        Number of the sample in the stream, from 0.
    pts_us : int
        Its time, µs.
    gap_us : int
        How much later it is than the samples before it say, µs; 0 for the first anchor.
    """

    position: int
    pts_us: int
    gap_us: int


class Timeline:
    """Turns sample positions of one stream into time stamps, without drift.

    ``pts = anchor + round(n · 10⁶ / rate)``: the length of a block is never rounded and added.
    Blocks without a time stamp go on from the one before. A block whose stamp is off by more than
    the tolerance starts a new anchor: a gap, which the node marks on its output with `mark_gap`. A
    smaller deviation is the rounding of the sender's stamps and is passed over; it is measured from
    the anchor, so what adds up is found once it exceeds the tolerance.

    Before the first stamp is known, times are None; once it is, earlier samples have one too.

    Parameters
    ----------
    sample_rate : int
        Of the stream, Hz.
    tolerance_us : int
        The default, 1 ms, passes over stamps that were rounded or truncated to milliseconds.

    Examples
    --------
    ::

        gap_us = timeline.feed(audio.pts_us, audio.frames)
        pts_us = timeline.pts_us(position_of_first_output_sample)
    """

    __slots__ = ("_anchors", "frames", "sample_rate", "tolerance_us")

    def __init__(self, sample_rate: int, tolerance_us: int = TOLERANCE_US) -> None:
        self.sample_rate = sample_rate
        self.tolerance_us = tolerance_us
        self.frames = 0
        """Samples fed so far: the position of the next one."""
        self._anchors: list[Anchor] = []

    def feed(self, pts_us: int | None, frames: int) -> int:
        """Take the next block.

        Parameters
        ----------
        pts_us : int, optional
            Time stamp of its first sample.
        frames : int
            Its length, samples per channel. An empty block is ignored.

        Returns
        -------
        int
            The gap before it, µs: 0 where it continues, negative where time jumps back.
        """
        position = self.frames
        self.frames = position + frames
        if pts_us is None or not frames:
            return 0
        gap_us = 0
        if self._anchors:
            gap_us = pts_us - _time(self._anchors[-1], position, 1, self.sample_rate)
            if -self.tolerance_us <= gap_us <= self.tolerance_us:
                return 0
        self._anchors.append(Anchor(position, pts_us, gap_us))
        return gap_us

    def pts_us(self, position: int, per: int = 1) -> int | None:
        """Time of the sample at ``position / per``, µs; None while no stamp has been seen.

        Parameters
        ----------
        position, per : int
            Counted in samples of this stream; the fraction serves a resampler, whose output sample
            k of L/M lies at ``k * M / L``. Not before the position given to `forget`.
        """
        anchors = self._anchors
        if not anchors:
            return None
        last = len(anchors) - 1
        while last and anchors[last].position * per > position:
            last -= 1
        return _time(anchors[last], position, per, self.sample_rate)

    def time_us(self, position: int) -> int:
        """Time of a sample, µs; while no stamp has been seen, from the first sample on."""
        stamped = self.pts_us(position)
        return sample_time_us(position, self.sample_rate) if stamped is None else stamped

    def end_us(self, position: int) -> int:
        """Time of the end of the sample before, µs, whether or not a gap follows; as `time_us`."""
        gap = self.next_gap(position)
        if gap is not None and gap.position == position:
            return gap.pts_us - gap.gap_us
        return self.time_us(position)

    def next_gap(self, position: int) -> Anchor | None:
        """The first gap whose first sample is at or after `position`."""
        for anchor in self._anchors:
            if anchor.position >= position and anchor.gap_us:
                return anchor
        return None

    def forget(self, position: int) -> None:
        """Drop what is only needed for samples before `position`."""
        anchors = self._anchors
        while len(anchors) > 1 and anchors[1].position <= position:
            # Its gap has been passed, but it still carries the time of what follows.
            del anchors[0]

    def continued(self, sample_rate: int) -> Timeline:
        """A new timeline that starts where this one ends, for a stream that changes its rate."""
        after = Timeline(sample_rate, self.tolerance_us)
        end_us = self.pts_us(self.frames)
        if end_us is not None:
            after._anchors.append(Anchor(0, end_us, 0))
        return after


def sample_time_us(position: int, sample_rate: int) -> int:
    """Time from the first sample of a stream to the one at `position`, µs, halves rounded up."""
    return (2_000_000 * position + sample_rate) // (2 * sample_rate)


def mark_gap(metadata: Metadata | None, gap_us: int) -> Metadata | None:
    """The metadata with `GAP_KEY` set, or without it where `gap_us` is 0."""
    if gap_us:
        return {**(metadata or {}), GAP_KEY: gap_us}
    if metadata and GAP_KEY in metadata:
        return {key: value for key, value in metadata.items() if key != GAP_KEY} or None
    return metadata


def _time(anchor: Anchor, position: int, per: int, rate: int) -> int:
    # round(n · 10⁶ / rate) in integers: exact for any length of stream, halves to even.
    start, start_us, _ = anchor
    scale = rate * per
    whole, rest = divmod(1_000_000 * (position - start * per), scale)
    if rest:  # seldom: in 20 ms there is a whole number of samples and of µs
        whole += 2 * rest > scale or (2 * rest == scale and whole % 2)
    return start_us + whole
