"""Guards: the check of a live item against the caps of the port that it reaches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from remotemedia.caps import Caps, Constraint, Exact, Shape, make_format
from remotemedia.data import BY_MEDIA, DATA_TYPES, Audio, Data
from remotemedia.errors import FormatError
from remotemedia.negotiation.suggestion import suggest

_FLOAT32 = np.dtype(np.float32)


def make_guard(caps: Caps) -> Callable[[Data], bool]:
    """A quick `caps.accepts`: streams repeat one format, so the last good one is remembered."""
    if caps.formats is None:
        return lambda data: data.__class__ in DATA_TYPES
    if not any(item.fields for item in caps.formats):
        kinds = frozenset(BY_MEDIA[item.media] for item in caps.formats)
        return lambda data: data.__class__ in kinds
    if len(caps.formats) == 1 and caps.formats[0].fields == (("format", Exact("F32")),):

        def accepts_float(data: Data) -> bool:
            if data.__class__ is not Audio:
                return False
            dtype = data.samples.dtype
            return dtype is _FLOAT32 or dtype == _FLOAT32  # mostly one object; `is` is quicker

        return accepts_float

    known: tuple[object, ...] = ()

    def accepts(data: Data) -> bool:
        nonlocal known
        if data.__class__ is not Audio:
            return data.__class__ in DATA_TYPES and caps.accepts(data)
        samples = data.samples
        found = (data.sample_rate, samples.dtype, len(samples))
        if found == known:
            return True
        if not caps.accepts(data):
            return False
        known = found
        return True

    return accepts


def refuse(data: Data, caps: Caps, node: str, port: str) -> FormatError:
    """The error that says what came, what was expected, and what to insert."""
    given = describe(data)
    fix = suggest(given, caps)
    return FormatError(
        f"{node}:{port} accepts {caps}, but was given {given}"
        + (f"; {fix}, or set auto_negotiate: true" if fix else ""),
        node=node,
        port=port,
    )


def describe(data: Data) -> Caps:
    """The format of one value, as caps."""
    fields: dict[str, Constraint | None] = {}
    for name, value in data.caps_fields().items():
        if isinstance(value, tuple):
            fields[name] = Shape(value)
        elif isinstance(value, (int, float, str)) and name != "layout":  # all of ours is planar
            fields[name] = Exact(value)
    return Caps((make_format(data.media, fields),))
