"""Summary: one value in a few words, for messages and for people who read a golden."""

from __future__ import annotations

import numpy as np

from remotemedia.data import Data

MOST = 80  # characters of one field


def summary(data: Data) -> str:
    """``Audio(samples=float32[1, 480], sample_rate=48000, pts_us=0)``; what is None is left out."""
    fields = ((name, getattr(data, name)) for name in data.__struct_fields__)
    shown = ", ".join(f"{name}={_brief(value)}" for name, value in fields if value is not None)
    return f"{type(data).__name__}({shown})"


def _brief(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    text = repr(value)
    return text if len(text) <= MOST else f"{text[: MOST - 1]}…"
