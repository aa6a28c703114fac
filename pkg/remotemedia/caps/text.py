"""The text form of caps: ``audio(sample_rate=8000..48000, channels=1, format=[F32, I16]) | text``.

::

    caps        = "any" | format { "|" format }
    format      = media [ "(" [ field "=" constraint { "," … } ] ")" ]
    constraint  = value [ ".." value ] | "[" value { "," value } "]"
    value       = number | word | "quoted string"
"""

from __future__ import annotations

import re
from typing import NoReturn

from remotemedia.caps.constraint import Constraint, Exact, Range, Value, one_of
from remotemedia.caps.media import ANY, FIELDS, Caps, Format, make_format
from remotemedia.errors import CapsSyntaxError, nearest

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>-?\d+(?:\.(?!\.)\d+)?)(?![A-Za-z_])
      | (?P<word>[A-Za-z0-9_][A-Za-z0-9_/+*.-]*)
      | "(?P<quoted>[^"]*)"
      | (?P<mark>\.\.|[()\[\]=,|])
    )""",
    re.VERBOSE,
)

MAX_LENGTH = 4096  # characters; a declaration is a line


def parse_caps(text: str) -> Caps:
    """Read the text form.

    Raises
    ------
    CapsSyntaxError
        With the column of what is wrong and, for a misspelt name, the nearest right one.
    """
    return _Parser(text).caps()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.start = 0
        self.kind = ""
        self.value = ""
        if len(text) > MAX_LENGTH:
            self.fail(f"caps are at most {MAX_LENGTH} characters long")
        self.advance()

    def fail(self, message: str) -> NoReturn:
        raise CapsSyntaxError(message, self.text[:200], self.start + 1)

    def advance(self) -> None:
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            rest = self.text[self.position :]
            self.start = self.position + len(rest) - len(rest.lstrip())
            if rest.strip():
                self.fail(f"unexpected {rest.strip()[0]!r}")
            self.kind, self.value = "end", "end"
            return
        self.kind = match.lastgroup or ""
        self.value = match[self.kind]
        self.start = match.start(self.kind)
        self.position = match.end()

    def take(self, mark: str) -> bool:
        if self.kind == "mark" and self.value == mark:
            self.advance()
            return True
        return False

    def expect(self, mark: str) -> None:
        if not self.take(mark):
            self.fail(f"expected {mark!r}, not {self.value!r}")

    def caps(self) -> Caps:
        if self.kind == "word" and self.value == "any":
            self.advance()
            caps = ANY
        else:
            formats = [self.format()]
            while self.take("|"):
                formats.append(self.format())
            caps = Caps(tuple(formats))
        if self.kind != "end":
            self.fail(f"expected '|' or the end, not {self.value!r}")
        return caps

    def format(self) -> Format:
        media = self.value
        if self.kind != "word" or media not in FIELDS:
            self.fail(f"unknown media type {media!r}{nearest(media, FIELDS)}")
        self.advance()
        fields: dict[str, Constraint | None] = {}
        if self.take("("):
            while not self.take(")"):
                name = self.value
                if self.kind != "word" or name not in FIELDS[media]:
                    self.fail(f"{media} has no field {name!r}{nearest(name, FIELDS[media])}")
                if name in fields:
                    self.fail(f"{name} is given twice")
                self.advance()
                self.expect("=")
                fields[name] = self.constraint()
                if not (self.kind == "mark" and self.value == ")"):
                    self.expect(",")
        return make_format(media, fields)

    def constraint(self) -> Constraint:
        if self.take("["):
            values = [self.item()]
            while self.take(","):
                values.append(self.item())
            self.expect("]")
            one = one_of(tuple(values))
            assert one is not None  # noqa: S101 - at least one item was read
            return one
        start = self.start
        low = self.item()
        if not self.take(".."):
            return Exact(low)
        high = self.item()
        if isinstance(low, str) or isinstance(high, str) or low > high:
            self.start = start
            self.fail("a range goes from a number to a larger one")
        return Exact(low) if low == high else Range(low, high)

    def item(self) -> Value:
        kind, value = self.kind, self.value
        if kind not in ("number", "word", "quoted"):
            self.fail(f"expected a value, not {value!r}")
        self.advance()
        if kind == "number":
            return float(value) if "." in value else int(value)
        return value
