"""Negotiation: choosing one format per edge."""

from __future__ import annotations

from remotemedia.negotiation.declared import Formats, check_declared
from remotemedia.negotiation.suggestion import suggest

__all__ = ["Formats", "check_declared", "suggest"]
