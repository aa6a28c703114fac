"""Negotiation: choosing one format per edge."""

from __future__ import annotations

from remotemedia.negotiation.insertion import Insertion
from remotemedia.negotiation.negotiate import Formats, Reasoning
from remotemedia.negotiation.repair import converters_for, negotiate
from remotemedia.negotiation.suggestion import Change, Insert, Suggestion, suggest

__all__ = [
    "Change",
    "Formats",
    "Insert",
    "Insertion",
    "Reasoning",
    "Suggestion",
    "converters_for",
    "negotiate",
    "suggest",
]
