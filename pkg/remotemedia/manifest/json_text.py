"""JSON front end: a tokenizer with positions.

PyYAML is no JSON parser (tabs, ``1e3``, surrogate pairs); msgspec and the standard library give no
positions of values, and recurse.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn

import msgspec

from remotemedia.manifest.tree import Handler, Mark, show

# Possessive quantifiers: a megabyte of escapes must not cost a megabyte of backtracking states.
_TOKEN = re.compile(
    r"""[ \t\n\r]*+(?:
        "([^"\\\x00-\x1f]*+)"
      | ([{}\[\],:])
      | (-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][-+]?[0-9]++)?+)(?![0-9A-Za-z_.+-])
      | (-?[A-Za-z_][A-Za-z0-9_]*+)
      | ("(?:[^"\\\x00-\x1f]++|\\.)*+")
    )""",
    re.VERBOSE,
)
_TEXT, _SIGN, _NUMBER, _WORD, _ESCAPED = range(1, 6)
_WORDS = {
    "true": True,
    "false": False,
    "null": None,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}
_MAX_DIGITS = 40

_VALUE, _FIRST_VALUE, _KEY, _FIRST_KEY, _COLON, _COMMA, _END = (
    "a value",
    "a value or ']'",
    "a key in double quotes",
    "a key in double quotes or '}'",
    "':'",
    "',' or the end of the list or mapping",
    "the end of the text",
)


def position(text: str) -> Callable[[Mark], tuple[int, int]]:
    """Makes line and column from 1 of an offset into `text`."""

    def of(mark: Mark) -> tuple[int, int]:
        offset = mark if isinstance(mark, int) else 0
        return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)

    return of


def feed(text: str, handler: Handler) -> None:
    """Send the events of the one JSON value in `text` to `handler`."""
    match = _TOKEN.match
    mappings: list[bool] = []  # for each open container, whether it is a mapping
    place = 0
    expected = _VALUE
    while expected is not _END:
        token = match(text, place)
        if token is None:
            _refuse(text, place, expected, handler)
        place = token.end()
        kind = token.lastindex
        if kind == _SIGN:
            sign = token[_SIGN]
            if sign == "," and expected is _COMMA:
                expected = _KEY if mappings[-1] else _VALUE
                continue
            if sign == ":" and expected is _COLON:
                expected = _VALUE
                continue
            if sign == "{" and (expected is _VALUE or expected is _FIRST_VALUE):
                handler.open({}, place - 1)
                mappings.append(True)
                expected = _FIRST_KEY
                continue
            if sign == "[" and (expected is _VALUE or expected is _FIRST_VALUE):
                handler.open([], place - 1)
                mappings.append(False)
                expected = _FIRST_VALUE
                continue
            if not (
                (sign == "]" and (expected is _FIRST_VALUE or expected is _COMMA))
                or (sign == "}" and (expected is _FIRST_KEY or expected is _COMMA))
            ) or mappings[-1] is not (sign == "}"):
                _refuse(text, place - 1, expected, handler)
            handler.close()
            mappings.pop()
        elif expected is _KEY or expected is _FIRST_KEY:
            if kind == _TEXT:
                handler.key(token[_TEXT], token.start(_TEXT) - 1)
            elif kind == _ESCAPED:
                mark = token.start(_ESCAPED)
                handler.key(_unescape(token[_ESCAPED], mark, handler), mark)
            else:
                _refuse(text, token.start(kind or 0), expected, handler)
            expected = _COLON
            continue
        elif expected is _VALUE or expected is _FIRST_VALUE:
            mark = token.start(kind or 0)
            if kind == _TEXT:
                handler.value(token[_TEXT], mark - 1)
            elif kind == _NUMBER:
                handler.value(_number(token[_NUMBER]), mark)
            elif kind == _ESCAPED:
                handler.value(_unescape(token[_ESCAPED], mark, handler), mark)
            elif token[_WORD] in _WORDS:
                handler.value(_WORDS[token[_WORD]], mark)
            else:
                _refuse(text, mark, expected, handler)
        else:
            _refuse(text, token.start(kind or 0) - (kind == _TEXT), expected, handler)
        expected = _COMMA if mappings else _END
    rest = text[place:].lstrip(" \t\n\r")
    if rest:
        _refuse(text, place, _END, handler)


def _number(text: str) -> object:
    if len(text) <= _MAX_DIGITS:
        try:
            return int(text)
        except ValueError:
            return float(text)
    # A long whole number is slow to read; the builder refuses this one in its place.
    return float(text) if "." in text or "e" in text or "E" in text else 1 << 64


def _unescape(quoted: str, mark: Mark, handler: Handler) -> str:
    try:
        return msgspec.json.decode(quoted.encode("utf-8"), type=str)
    except (msgspec.DecodeError, UnicodeError) as error:
        handler.stop(f"JSON: {error} in {show(quoted)}", mark)


def _refuse(text: str, place: int, expected: str, handler: Handler) -> NoReturn:
    while place < len(text) and text[place] in " \t\n\r":
        place += 1
    rest = text[place : place + 40]
    hint = ""
    if not rest:
        got = "the end of the text"
    else:
        word = re.match(r"[A-Za-z0-9_.+-]+", rest)
        got = show(word[0] if word else rest[0])
        if rest[0] == '"':
            whole = _TOKEN.match(text, place)
            got = "a text that does not end or holds a control character"
            got = show(whole[0].strip('"')) if whole else got
        elif rest[0] in "}]" and text[:place].rstrip().endswith(","):
            hint = "; no comma goes before the end"
        elif rest.startswith(("//", "/*", "#")):
            hint = "; JSON has no comments: name the file .yaml, or write YAML"
        elif rest[0] == "'":
            hint = "; JSON knows double quotes only"
    handler.stop(f"JSON: expected {expected}, got {got}{hint}", place)
