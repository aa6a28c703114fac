"""The tree of errors, what crosses a worker, and the nearest name."""

import re

import pytest

from remotemedia import errors
from remotemedia.errors import (
    CapsSyntaxError,
    DataError,
    ManifestError,
    NodeError,
    Problem,
    RemoteMediaError,
    WireError,
    format_path,
    nearest,
    rebuilt,
)


def subclasses(cls: type) -> list[type]:
    return [
        found
        for direct in cls.__subclasses__()
        if direct.__module__ == errors.__name__
        for found in [direct, *subclasses(direct)]
    ]


def drawn_tree() -> dict[str, str]:
    """Class → its parent, as the docstring of the module draws it."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in errors.__doc__.splitlines():
        match = re.match(r"    ((?:[│ ]   )*(?:[├└]── )?)(\w+Error)\b", line)
        if match is None:
            continue
        depth = len(match[1]) // 4
        path[depth:] = [match[2]]
        if depth:
            parents[match[2]] = path[depth - 1]
    return parents


def test_the_docstring_draws_the_tree():
    actual = {cls.__name__: cls.__mro__[1].__name__ for cls in subclasses(RemoteMediaError)}
    assert drawn_tree() == actual
    assert len(actual) > 15


def test_every_error_has_a_code_of_its_own():
    codes = [cls.code for cls in [RemoteMediaError, *subclasses(RemoteMediaError)]]
    assert len(set(codes)) == len(codes)


def test_every_error_says_what_it_is():
    for cls in [RemoteMediaError, *subclasses(RemoteMediaError)]:
        assert cls.__doc__, cls


def test_to_dict_is_code_message_node_and_port():
    error = NodeError("it broke", node="gain", port="in")
    assert error.to_dict() == {
        "code": "node",
        "message": "it broke",
        "node": "gain",
        "port": "in",
    }
    assert str(error) == error.message == "it broke"


def test_to_dict_without_a_node():
    assert RemoteMediaError("x").to_dict() == {
        "code": "error",
        "message": "x",
        "node": None,
        "port": None,
    }


@pytest.mark.parametrize("cls", [errors.DataError, WireError])
def test_wrong_values_are_value_errors_too(cls):
    assert issubclass(cls, ValueError)


def test_manifest_error_lists_all_problems():
    problems = [
        Problem("no such node 'vod'; did you mean 'vad'?", ("connections", 0, "to"), 7, 16),
        Problem("expected a number", ("nodes", 3, "params", "gain_db")),
    ]
    error = ManifestError(problems, "speech.yaml")
    assert str(error) == (
        "speech.yaml: 2 problems\n"
        "  7:16: no such node 'vod'; did you mean 'vad'?\n"
        "  nodes[3].params.gain_db: expected a number"
    )
    assert error.problems == tuple(problems)


def test_one_problem_is_counted_in_the_singular():
    assert str(ManifestError([Problem("empty")])) == "manifest: 1 problem\n  manifest: empty"


def test_problem_shows_itself():
    assert repr(Problem("x", ("a", 1), 2, 3)) == "Problem('x', ('a', 1), 2, 3)"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), "manifest"),
        (("nodes",), "nodes"),
        (("nodes", 3, "params", "gain_db"), "nodes[3].params.gain_db"),
        (("a", 0, 1), "a[0][1]"),
    ],
)
def test_format_path(path, text):
    assert format_path(path) == text


def test_caps_syntax_error_points_into_the_text():
    error = CapsSyntaxError("expected ')'", "audio(", 7)
    assert str(error) == "column 7 of 'audio(': expected ')'"
    assert (error.text, error.column, error.reason) == ("audio(", 7, "expected ')'")


def test_wire_error_names_field_and_offset():
    error = WireError("cut short", "payload", 15)
    assert str(error) == "payload at byte 15: cut short"
    assert (error.field, error.offset) == ("payload", 15)


@pytest.mark.parametrize(
    ("name", "candidates", "hint"),
    [
        ("AudioResampl", ["Gain", "AudioResample"], "; did you mean 'AudioResample'?"),
        ("audioresample", ["Gain", "AudioResample"], "; did you mean 'AudioResample'?"),
        ("rate", ["sample_rate", "channels", "format"], "; did you mean 'sample_rate'?"),
        ("in", ["main", "other"], "; did you mean 'main'?"),  # by likeness, not as a part of it
        ("drop", ["drop_oldest", "drop_newest"], ""),
        ("Whisper", ["Gain", "AudioResample"], ""),
        ("", ["Gain"], ""),
        ("x", [], ""),
    ],
)
def test_nearest(name, candidates, hint):
    assert nearest(name, candidates) == hint


def test_nearest_looks_at_4096_candidates_at_most():
    def names():
        for index in range(4096):
            yield f"n{index}"
        raise AssertionError("asked for one more")

    assert nearest("zzzz", names()) == ""
    assert nearest("gain", [*["-"] * 4096, "gain"]) == ""


def test_an_error_is_rebuilt_as_what_it_was():
    error = rebuilt("data", "too long", "n", "in", "Traceback: there")
    assert type(error) is DataError
    assert (str(error), error.code, error.node, error.port) == ("too long", "data", "n", "in")
    assert str(error.__cause__) == "\nTraceback: there"


@pytest.mark.parametrize("code", ["caps_syntax", "node_hung"])  # wants more; is not known here
def test_one_that_cannot_be_rebuilt_keeps_its_code(code):
    error = rebuilt(code, "no", None, None, "")
    assert (type(error), error.code) == (NodeError, code)
