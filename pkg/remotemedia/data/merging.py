"""Merging: several data that follow each other in a stream as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from remotemedia.data.audio import Audio
from remotemedia.data.base import Data
from remotemedia.data.text import Text

_ROUNDING_US = 1_000  # of a sender's stamps


def goes_on(first: Data, second: Data) -> bool:
    """Whether the two can be merged: audio without a gap, or text of one channel."""
    if first.stream_id != second.stream_id or first.metadata != second.metadata:
        return False
    if isinstance(first, Text) and isinstance(second, Text):
        return first.channel == second.channel
    if not (isinstance(first, Audio) and isinstance(second, Audio)):
        return False
    if first.sample_rate != second.sample_rate or len(first.samples) != len(second.samples):
        return False
    if first.samples.dtype != second.samples.dtype:
        return False
    if first.pts_us is None or second.pts_us is None:
        return second.pts_us is None
    return abs(first.pts_us + first.duration_us - second.pts_us) <= _ROUNDING_US


def merged(parts: Sequence[Data]) -> Data:
    """One block of audio, or one text, of parts of which each goes on with the one before."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, Text):
        return first.replace(text="".join(part.text for part in parts))  # type: ignore[attr-defined]
    assert isinstance(first, Audio)  # noqa: S101 - `goes_on` said so
    return first.with_samples(np.concatenate([part.samples for part in parts], axis=1))  # type: ignore[attr-defined]


def size_of(data: Data) -> int:
    """About how many bytes the data take."""
    total = 0
    for name in data.__struct_fields__:
        value = getattr(data, name)
        if isinstance(value, np.ndarray):
            total += value.nbytes
        elif isinstance(value, (str, bytes)):
            total += len(value)
        elif isinstance(value, (dict, list)):
            total += len(str(value))
    return total
