"""Negotiation: choosing one format per edge."""

from __future__ import annotations

from remotemedia.negotiation.negotiate import Formats, Reasoning, negotiate
from remotemedia.negotiation.suggestion import suggest

__all__ = ["Formats", "Reasoning", "negotiate", "suggest"]
