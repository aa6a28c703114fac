"""Blocks: audio cut into pieces with exact times, and put together again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle
from typing import Any, TypeVar

import numpy as np

from remotemedia.data import Audio, Data
from remotemedia.data.timeline import Timeline, sample_time_us
from remotemedia.testing.split_mix import integers

D = TypeVar("D", bound=Data)

TOLERANCE_US = 1  # nodes round halves up or to even, and so differ by one


def blocks(
    audio: Audio,
    *,
    frames: int | None = None,
    ms: float | None = None,
    sizes: Iterable[int] | None = None,
    seed: int | None = None,
) -> list[Audio]:
    """Cut audio into blocks; give one of `frames`, `ms` and `sizes`.

    Every block has the stream id and the metadata of the whole, and as its time that of its first
    sample: pts_us of the whole + round(n · 10⁶ / sample_rate) for sample number n, never a sum of
    rounded lengths. Without a time the blocks have none. The last block is what is left.

    Parameters
    ----------
    audio : Audio
        The whole.
    frames : int
        Frames per block.
    ms : float
        Duration of a block, ms: block k starts at frame round(k · ms · sample_rate / 1000), so that
        20 ms at 11,025 Hz are 220 or 221 frames.
    sizes : iterable of int
        Frames of each block, taken in turns: ``[1, 7, 480]``.
    seed : int, optional
        Draws each block's size at random from `sizes` instead: ``sizes=range(1, 961), seed=3``.

    Raises
    ------
    ValueError
        Not just one of the three is given, or a size is below 1.
    """
    if (frames is not None) + (ms is not None) + (sizes is not None) != 1:
        raise ValueError("give one of frames, ms and sizes")
    if seed is not None and sizes is None:
        raise ValueError("a seed draws from sizes: give sizes, such as range(1, 961)")
    timeline = Timeline(audio.sample_rate)
    timeline.feed(audio.pts_us, audio.frames)
    found: list[Audio] = []
    start = 0
    for end in _ends(audio, frames, ms, sizes, seed):
        if end <= start:
            raise ValueError(f"block {len(found)} would have {end - start} frames")
        part: Any = audio.samples[:, start:end]
        found.append(audio.replace(samples=part, pts_us=timeline.pts_us(start)))
        start = end
        if start >= audio.frames:
            break
    return found


def _ends(
    audio: Audio,
    frames: int | None,
    ms: float | None,
    sizes: Iterable[int] | None,
    seed: int | None,
) -> Iterator[int]:
    """Where the blocks end, on and on."""
    if not audio.frames:
        return
    if ms is not None:
        number = 0
        while True:
            number += 1
            yield round(number * ms * audio.sample_rate / 1000)
    end = 0
    for size in _drawn(list(sizes), seed, audio.frames) if sizes is not None else cycle([frames]):
        end += size or 0
        yield end


def _drawn(sizes: Sequence[int], seed: int | None, most: int) -> Iterable[int]:
    if not sizes:
        raise ValueError("sizes is empty")
    if seed is None:
        return cycle(sizes)
    return (sizes[bits % len(sizes)] for bits in integers(seed, most).tolist())


def join(parts: Iterable[Audio], *, tolerance_us: int = TOLERANCE_US) -> Audio:
    """Put blocks together that follow each other without a gap.

    Parameters
    ----------
    parts : iterable of Audio
        Of one sample rate, number of channels, format and stream. A block without a time goes on
        from the one before it.
    tolerance_us : int
        By how much the time of a block may be off from that of the sample it starts with, counted
        from the first block that has a time, µs.

    Returns
    -------
    Audio
        With the time of its first sample (also if only a later block has one), the stream id and
        the metadata of the first block.

    Raises
    ------
    AssertionError
        There is no block; or one that does not go on from those before it: which one, and how.
    """
    given = list(parts)
    if not given:
        raise AssertionError("there are no blocks to join")
    first = given[0]
    timeline = Timeline(first.sample_rate, tolerance_us)
    for number, part in enumerate(given):
        for name in ("sample_rate", "channels", "format", "stream_id"):
            here, before = getattr(part, name), getattr(first, name)
            if here != before:
                raise AssertionError(
                    f"block {number} has {name} {here!r}, those before it {before!r}"
                )
        position = timeline.frames
        gap_us = timeline.feed(part.pts_us, part.frames)
        if gap_us:
            assert part.pts_us is not None  # noqa: S101 - for the type checker: there is a gap
            how = "a gap of" if gap_us > 0 else "an overlap of"
            raise AssertionError(
                f"block {number} of {len(given)} starts at {part.pts_us} µs, but the {position} "
                f"frames before it end at {part.pts_us - gap_us} µs: {how} {abs(gap_us)} µs"
            )
    samples = np.concatenate([part.samples for part in given], axis=1)
    return first.replace(samples=samples, pts_us=_start_us(given))


def _start_us(parts: Iterable[Audio]) -> int | None:
    """The time of the very first sample."""
    position = 0
    for part in parts:
        if part.pts_us is not None and part.frames:
            return part.pts_us - sample_time_us(position, part.sample_rate)
        position += part.frames
    return None


def stack(*parts: Audio) -> Audio:
    """Put the channels of several signals above each other: ``stack(left, right)`` is stereo.

    What is shorter is filled up with silence. Time, stream id and metadata are the first's.

    Raises
    ------
    ValueError
        None is given, or they differ in sample rate or format.
    """
    if len({(part.sample_rate, part.format) for part in parts}) != 1:
        found = ", ".join(f"{part.format} at {part.sample_rate} Hz" for part in parts)
        raise ValueError(f"channels of one signal share rate and format: {found or 'none given'}")
    frames = max(part.frames for part in parts)
    silence = 128 if parts[0].format == "U8" else 0
    rows = [
        np.pad(part.samples, ((0, 0), (0, frames - part.frames)), constant_values=silence)
        for part in parts
    ]
    return parts[0].replace(samples=np.concatenate(rows))


def spaced(items: Iterable[D], every_us: int, start_us: int = 0) -> list[D]:
    """Data of any type with times: item k gets ``pts_us = start_us + k · every_us``."""
    return [item.replace(pts_us=start_us + number * every_us) for number, item in enumerate(items)]
