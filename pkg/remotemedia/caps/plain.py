"""Caps as plain data, as manifests have them: text, or a mapping of fields.

::

    audio(sample_rate=16000)
    {type: audio, sample_rate: 16000, channels: [1, 2]}
    {audio: {sample_rate: {min: 8000, max: 48000}}}
    {type: tensor, shape: [1, n, "?"]}
"""

from __future__ import annotations

from collections.abc import Mapping

from remotemedia.caps.constraint import show
from remotemedia.caps.media import ANY, FIELDS, Caps
from remotemedia.caps.text import parse_caps
from remotemedia.errors import CapsError, CapsSyntaxError, nearest


def read_caps(value: object) -> Caps:
    """Read caps from text or a mapping.

    Raises
    ------
    CapsError
        Says what is wrong, and what would be right.
    """
    if isinstance(value, str):
        return parse_caps(value)
    if not isinstance(value, Mapping):
        raise CapsError(f"expected caps as text or a mapping of fields, got {value!r:.60}")
    media = value.get("type", value.get("media_type"))
    fields: object = {k: v for k, v in value.items() if k not in ("type", "media_type")}
    if media is None and len(value) == 1:
        ((media, fields),) = value.items()
    if media == "any" and not fields:
        return ANY
    if not isinstance(media, str) or media not in FIELDS:
        hint = nearest(str(media), FIELDS) or f" (one of {', '.join(FIELDS)})"
        raise CapsError(f"expected a media type, as {{type: audio, …}}, got {media!r}{hint}")
    if not isinstance(fields, Mapping):
        raise CapsError(f"expected a mapping of fields of {media}, got {fields!r:.60}")
    text = ", ".join(
        f"{name}={_constraint(str(name), constraint)}"
        for name, constraint in fields.items()
        if constraint is not None
    )
    try:
        return parse_caps(f"{media}({text})")
    except CapsSyntaxError as error:
        raise CapsError(error.reason) from None


def _constraint(name: str, value: object) -> str:
    if name == "shape":
        axes = value if isinstance(value, (list, tuple)) else None
        return str(value) if axes is None else f"({', '.join(map(str, axes))})"
    if isinstance(value, Mapping):
        if set(value) != {"min", "max"}:
            raise CapsError(f"{name}: a range is {{min: …, max: …}}, got {dict(value)!r:.60}")
        return f"{_value(name, value['min'])}..{_value(name, value['max'])}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_value(name, item) for item in value)}]"
    return _value(name, value)


def _value(name: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise CapsError(f"{name} is a number, text, a list, or {{min, max}}, got {value!r:.60}")
    return show(value)
