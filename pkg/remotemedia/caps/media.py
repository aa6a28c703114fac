"""Caps: the media formats that a port accepts or produces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from remotemedia.caps.constraint import Constraint, Exact, intersect, is_subset
from remotemedia.data import Data
from remotemedia.data.formats import (
    AUDIO_DTYPES,
    IMAGE_FORMATS,
    PIXEL_FORMATS,
    TENSOR_DTYPES,
    VIDEO_CODECS,
)

FIELDS: dict[str, tuple[str, ...]] = {
    "audio": ("sample_rate", "channels", "format", "layout"),
    "video": ("width", "height", "framerate", "pixel_format", "codec"),
    "image": ("width", "height", "format", "pixel_format"),
    "tensor": ("shape", "dtype"),
    "text": ("encoding", "format"),
    "json": ("schema",),
    "binary": ("mime_type",),
    "file": ("mime_type", "extension"),
    "control": (),
}
"""Media type → the fields that a format of it can constrain."""


NUMBERS = frozenset({"sample_rate", "channels", "width", "height", "framerate"})
"""Fields whose values are numbers; those of all others are text."""

NAMES: dict[tuple[str, str], tuple[str, ...]] = {
    ("audio", "format"): tuple(AUDIO_DTYPES),
    ("audio", "layout"): ("planar", "interleaved"),
    ("video", "pixel_format"): tuple(PIXEL_FORMATS),
    ("video", "codec"): tuple(VIDEO_CODECS),
    ("image", "format"): IMAGE_FORMATS,
    ("image", "pixel_format"): tuple(PIXEL_FORMATS),
    ("tensor", "dtype"): tuple(sorted(str(dtype) for dtype in TENSOR_DTYPES)),
}
"""(media type, field) → all values that it can have."""


class Format(msgspec.Struct, frozen=True):
    """One media type with constraints on some of its fields.

    Attributes
    ----------
    media : str
        A key of `FIELDS`.
    fields : tuple of (str, Constraint)
        In the order of `FIELDS`; a field that is not listed may have any value.
    """

    media: str
    fields: tuple[tuple[str, Constraint], ...] = ()

    def get(self, name: str) -> Constraint | None:
        """The constraint on a field; None for any value."""
        for field, constraint in self.fields:
            if field == name:
                return constraint
        return None

    def number(self, name: str) -> int | float | None:
        """The value of a field, if it is one number."""
        constraint = self.get(name)
        if isinstance(constraint, Exact) and isinstance(constraint.value, (int, float)):
            return constraint.value
        return None

    def with_fields(self, changes: Mapping[str, Constraint | None]) -> Format:
        """A copy in which these fields have other constraints (None lifts one)."""
        fields = {**dict(self.fields), **changes}
        return Format(self.media, _ordered(self.media, fields))

    def accepts(self, data: Data) -> bool:
        """Whether a value has this format. A field that the value does not tell is accepted."""
        if data.media != self.media:
            return False
        if not self.fields:
            return True
        actual = data.caps_fields()
        return all(
            name not in actual or constraint.accepts(actual[name])
            for name, constraint in self.fields
        )

    def intersect(self, other: Format) -> Format | None:
        """What both accept; None when that is nothing."""
        if self.media != other.media:
            return None
        if self.fields == other.fields or not other.fields:
            return self
        if not self.fields:
            return other
        fields: dict[str, Constraint] = dict(self.fields)
        known, narrowed = len(fields), False
        for name, theirs in other.fields:
            ours = fields.get(name)
            both = theirs if ours is None else intersect(ours, theirs)
            if both is None:
                return None
            narrowed |= both is not ours
            fields[name] = both
        if not narrowed:
            return self
        if len(fields) == known:  # in order already
            return Format(self.media, tuple(fields.items()))
        return Format(self.media, _ordered(self.media, fields))

    def is_subset(self, other: Format) -> bool:
        """Whether `other` accepts everything of this format."""
        return self.media == other.media and all(
            (ours := self.get(name)) is not None and is_subset(ours, theirs)
            for name, theirs in other.fields
        )

    def __str__(self) -> str:
        inside = ", ".join(f"{name}={constraint}" for name, constraint in self.fields)
        return f"{self.media}({inside})" if inside else self.media


class Caps(msgspec.Struct, frozen=True):
    """Alternatives, the first preferred; None of them means any data at all."""

    formats: tuple[Format, ...] | None = None

    @property
    def is_any(self) -> bool:
        """Whether nothing is constrained."""
        return self.formats is None

    def with_fields(self, changes: Mapping[str, Constraint | None]) -> Caps:
        """A copy in which these fields have other constraints in every alternative."""
        if self.formats is None:
            return self
        return Caps(tuple(dict.fromkeys(item.with_fields(changes) for item in self.formats)))

    def accepts(self, data: Data) -> bool:
        """Whether a value has one of the formats."""
        return self.formats is None or any(item.accepts(data) for item in self.formats)

    def intersect(self, other: Caps) -> Caps | None:
        """What both accept, in this one's order of preference; None when that is nothing."""
        if self.formats is None:
            return other
        if other.formats is None or self is other:
            return self
        if len(self.formats) == 1 == len(other.formats):
            ours = self.formats[0]
            one = ours.intersect(other.formats[0])
            return None if one is None else self if one is ours else Caps((one,))
        both = [a.intersect(b) for a in self.formats for b in other.formats]
        kept = tuple(dict.fromkeys(item for item in both if item is not None))
        return Caps(kept) if kept else None

    def is_subset(self, other: Caps) -> bool:
        """Whether `other` surely accepts everything that this accepts."""
        if other.formats is None:
            return True
        if self.formats is None:
            return False
        return all(any(a.is_subset(b) for b in other.formats) for a in self.formats)

    def __str__(self) -> str:
        return "any" if self.formats is None else " | ".join(map(str, self.formats))


ANY = Caps()
"""No constraint at all."""


def make_format(media: str, fields: Mapping[str, Constraint | None]) -> Format:
    """A format from a mapping, fields brought into the order of `FIELDS`."""
    return Format(media, _ordered(media, fields))


def differing_fields(produced: Format, accepted: Format) -> Iterable[tuple[str, str, str]]:
    """For two formats of one media type: (field, what is produced, what is accepted)."""
    for name, theirs in accepted.fields:
        ours = produced.get(name)
        if ours is not None and intersect(ours, theirs) is None:
            yield name, str(ours), str(theirs)


def _ordered(
    media: str, fields: Mapping[str, Constraint | None]
) -> tuple[tuple[str, Constraint], ...]:
    get = fields.get
    return tuple(
        [(name, constraint) for name in FIELDS[media] if (constraint := get(name)) is not None]
    )
