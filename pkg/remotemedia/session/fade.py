"""Fade: an interrupt that is no click."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from remotemedia.data import Audio, Packet
from remotemedia.data.merging import goes_on, merged

FADED = "fade"
"""Metadata key of the block that is faded out: ``{"fade": "out"}``."""


def fade_out(packets: Iterable[Packet], fade_us: int) -> Audio | None:
    """The first so many µs of the audio in some packets, faded out by a raised cosine.

    Parameters
    ----------
    packets : iterable of Packet
        In order. What does not go on where the first block ends is left out.
    fade_us : int
        How long it takes, µs.

    Returns
    -------
    Audio or None
        float32 or the format that the audio has; None if the first packet is no audio.
    """
    parts: list[Audio] = []
    have_us = 0
    for packet in packets:
        data = packet.data
        if not isinstance(data, Audio) or (parts and not goes_on(parts[-1], data)):
            break
        parts.append(data)
        have_us += data.duration_us
        if have_us >= fade_us:
            break
    if not parts:
        return None
    whole = merged(parts)
    assert isinstance(whole, Audio)  # noqa: S101 - its parts are
    frames = min(whole.frames, max(1, round(fade_us * whole.sample_rate / 1e6)))
    ramp = 0.5 + 0.5 * np.cos(np.pi * np.arange(1, frames + 1) / frames)
    samples = whole.samples[:, :frames]
    middle = 128 if samples.dtype == np.uint8 else 0  # silence of unsigned samples
    faded = (samples.astype(np.float64) - middle) * ramp + middle
    if samples.dtype.kind != "f":
        faded = np.rint(faded)
    block = whole.with_samples(faded.astype(samples.dtype))
    return block.replace(metadata={**(block.metadata or {}), FADED: "out"})
