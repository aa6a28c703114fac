"""What JSON can say: the check of `Json`, of the arguments of `Control`, and of all metadata."""

from __future__ import annotations

from collections.abc import Mapping

from remotemedia.errors import DataError, format_path

MAX_DEPTH = 64  # msgspec's own decoder is fatal in Pyodide beyond ~2,000

_SHOWN = 200  # characters of a place that a message shows


class _WrongError(Exception):
    """What is wrong; gathers its place on the way out, so that a good value costs no path."""

    def __init__(self, message: str) -> None:
        self.message = message
        self.steps: list[str | int] = []


def check_json(value: object, name: str = "value") -> None:
    """Raise `DataError` unless `value` is what JSON can say, at most `MAX_DEPTH` deep."""
    try:
        _check(value, 0)
    except _WrongError as wrong:
        place = format_path([name, *reversed(wrong.steps)])
        if len(place) > _SHOWN:
            place = place[:_SHOWN] + "…"
        raise DataError(f"{place}: {wrong.message}") from None


def _check(value: object, depth: int) -> None:
    kind = type(value)
    if kind is str:
        _check_text(value)  # type: ignore[arg-type]
    elif kind is int:
        if not -(2**63) <= value < 2**64:  # type: ignore[operator]
            raise _WrongError("an integer that does not fit 64 bits")
    elif kind is float:
        if value - value != 0:  # type: ignore[operator]
            raise _WrongError(f"{value} is not JSON: NaN and infinity have no form there")
    elif kind is bool or value is None:
        pass
    elif isinstance(value, (dict, list, tuple)):
        if depth == MAX_DEPTH:
            raise _WrongError(f"nested deeper than {MAX_DEPTH}")
        if isinstance(value, dict):
            _check_members(value, depth + 1)
        else:
            for index, child in enumerate(value):
                try:
                    _check(child, depth + 1)
                except _WrongError as wrong:
                    wrong.steps.append(index)
                    raise
    else:
        of_numpy = kind.__module__ == "numpy"
        raise _WrongError(
            f"a {'numpy.' if of_numpy else ''}{kind.__name__} is not JSON"
            + (": use .item() or .tolist()" if of_numpy else "")
        )


def _check_members(value: Mapping[str, object], depth: int) -> None:
    for key, child in value.items():
        if type(key) is not str:
            raise _WrongError(f"key {key!r:.50} is not a str")
        _check_text(key)
        try:
            _check(child, depth)
        except _WrongError as wrong:
            wrong.steps.append(key)
            raise


def _check_text(text: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise _WrongError(f"text is not valid Unicode: {error.reason}") from None
