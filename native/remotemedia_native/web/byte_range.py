"""The ``Range`` header of a request: one part of a file (RFC 9110, section 14)."""

from __future__ import annotations

import re


class NotSatisfiableError(Exception):
    """The range begins behind the end of the file."""


def parse(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and number of bytes of the part that is asked for.

    Returns
    -------
    tuple of int, or None
        None means the whole file: also for what we do not serve, such as several ranges.

    Raises
    ------
    NotSatisfiableError
        Nothing of the file is in the range.
    """
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", (header or "").replace(" ", ""))
    if not found or found[0] == "bytes=-":
        return None
    first, last = found[1], found[2]
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= size:
        raise NotSatisfiableError
    return start, end - start
