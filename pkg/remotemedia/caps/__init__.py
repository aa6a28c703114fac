"""Caps: the media formats that a port accepts or produces, and their text form."""

from __future__ import annotations

from remotemedia.caps.constraint import Constraint, Exact, OneOf, Range, Shape
from remotemedia.caps.media import ANY, FIELDS, Caps, Format, differing_fields, make_format
from remotemedia.caps.plain import read_caps
from remotemedia.caps.relation import Relation, parse_relation
from remotemedia.caps.text import parse_caps

__all__ = [
    "ANY",
    "FIELDS",
    "Caps",
    "Constraint",
    "Exact",
    "Format",
    "OneOf",
    "Range",
    "Relation",
    "Shape",
    "differing_fields",
    "make_format",
    "parse_caps",
    "parse_relation",
    "read_caps",
]
