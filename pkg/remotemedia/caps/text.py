r"""The text form of caps: ``audio(sample_rate=8000..48000, channels=1, format=[F32, I16]) | text``.

::

    caps        = "any" | format { "|" format }
    format      = media [ "(" [ field "=" constraint { "," … } ] ")" ]
    constraint  = value [ ".." value ] | "[" value { "," value } "]" | shape
    value       = number | number "/" number | word | "quoted string, with \" and \\"
    shape       = "(" [ axis { "," axis } ] ")"
    axis        = number | name | "?"

A word is made of letters, digits and ``_ / + * - .``; other text is quoted. A fraction is a frame
rate, ``30000/1001``. A MIME type may be ``audio/*``. The axes of a tensor's shape are sizes, names
(any size, but the same wherever the name occurs) or ``?`` (any size).
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import NoReturn

from remotemedia.caps.constraint import NUMBER, Constraint, Exact, Range, Shape, Value, one_of
from remotemedia.caps.media import ANY, FIELDS, NAMES, NUMBERS, Caps, Format, make_format
from remotemedia.errors import CapsSyntaxError, nearest

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_TOKEN = re.compile(
    rf"""\s*(?:
        (?P<number>{NUMBER})(?![A-Za-z0-9_/+*-])
      | (?P<fraction>\d+/\d+)(?![A-Za-z0-9_/+*-])
      | (?P<word>[A-Za-z0-9_][A-Za-z0-9_/+*.-]*)
      | "(?P<quoted>(?:[^"\\]|\\.)*)"
      | (?P<mark>\.\.|[()\[\]=,|?])
    )""",
    re.VERBOSE | re.DOTALL,
)

MAX_LENGTH = 4096  # characters; a declaration is a line


@lru_cache(4096)
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
                unclosed = rest.strip()[0] == '"'
                self.fail('a " without its end' if unclosed else f"unexpected {rest.strip()[0]!r}")
            self.kind, self.value = "end", ""
            return
        self.kind = match.lastgroup or ""
        self.value = match[self.kind]
        self.start = match.start(self.kind) - (self.kind == "quoted")
        self.position = match.end()

    @property
    def found(self) -> str:
        """What stands here, for a message."""
        return "the end" if self.kind == "end" else repr(self.value)

    def take(self, mark: str) -> bool:
        if self.kind == "mark" and self.value == mark:
            self.advance()
            return True
        return False

    def expect(self, mark: str) -> None:
        if not self.take(mark):
            self.fail(f"expected {mark!r}, not {self.found}")

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
            self.fail(f"expected '|' or the end, not {self.found}")
        return caps

    def format(self) -> Format:
        media = self.value
        if self.kind != "word" or media not in FIELDS:
            hint = nearest(media, FIELDS) or f" (one of {', '.join(FIELDS)}, or any)"
            self.fail(f"expected a media type, not {self.found}{hint}")
        self.advance()
        fields: dict[str, Constraint | None] = {}
        if self.take("("):
            while not self.take(")"):
                name = self.value
                if self.kind != "word" or name not in FIELDS[media]:
                    known = FIELDS[media]
                    hint = nearest(name, known) or f" (fields of {media}: {', '.join(known)})"
                    self.fail(f"expected a field of {media}, not {self.found}{hint}")
                if name in fields:
                    self.fail(f"{name} is given twice")
                self.advance()
                self.expect("=")
                fields[name] = self.constraint(media, name)
                if not (self.kind == "mark" and self.value == ")"):
                    self.expect(",")
        return make_format(media, fields)

    def constraint(self, media: str, field: str) -> Constraint:
        if field == "shape":
            return self.shape()
        if self.take("["):
            values = [self.item(media, field)]
            while self.take(","):
                values.append(self.item(media, field))
            self.expect("]")
            one = one_of(tuple(values))
            assert one is not None  # noqa: S101 - at least one item was read
            return one
        start = self.start
        low = self.item(media, field)
        if not self.take(".."):
            return Exact(low)
        high = self.item(media, field)
        if isinstance(low, str) or isinstance(high, str) or low > high:
            self.start = start
            self.fail(f"a range goes from a number to a larger one, not from {low} to {high}")
        return Exact(low) if low == high else Range(low, high)

    def shape(self) -> Shape:
        axes: list[int | str | None] = []
        if not self.take("("):
            self.fail(f"a shape is written as (1, n, ?), not {self.found}")
        while not self.take(")"):
            kind, text = self.kind, self.value
            if kind == "number" and text.isdigit():
                axes.append(int(text))
            elif kind == "word" and text.isidentifier():
                axes.append(text)
            elif kind == "mark" and text == "?":
                axes.append(None)
            else:
                self.fail(f"an axis is a size, a name or ?, not {self.found}")
            self.advance()
            if not (self.kind == "mark" and self.value == ")"):
                self.expect(",")
        return Shape(tuple(axes))

    def item(self, media: str, field: str) -> Value:
        kind, text = self.kind, self.value
        if kind == "fraction" and field != "framerate":
            kind = "word"
        if kind not in ("number", "fraction", "word", "quoted"):
            self.fail(f"expected a value, not {self.found}")
        value: Value = text
        if kind == "fraction":
            top, bottom = map(int, text.split("/"))
            if not bottom:
                self.fail("a frame rate has no 0 below the line")
            value = Fraction(top, bottom)
            kind = "number"
            if value.denominator == 1:
                value = value.numerator
        elif kind == "number":
            value = int(text) if text.lstrip("-").isdigit() else float(text)
        elif kind == "quoted":
            value = _ESCAPE.sub(r"\1", text)
        if (field in NUMBERS) != (kind == "number"):
            wanted = "a number" if field in NUMBERS else "text: quote it"
            self.fail(f"{field} is {wanted}, not {self.found}")
        names = NAMES.get((media, field))
        if names is not None and value not in names:
            hint = nearest(text, names)
            self.fail(f"{field} of {media} is one of {', '.join(names)}, not {value!r}{hint}")
        self.advance()
        return value
