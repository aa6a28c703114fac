"""JSON is read as the standard says, with positions."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from remotemedia.errors import ManifestError
from remotemedia.manifest.document import read_document

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=30,
)


def read(text: str) -> object:
    document = read_document(text.encode(), "test.json")
    if document.problems:
        raise ManifestError(document.problems)
    return document.tree


def problem(text: str) -> str:
    with pytest.raises(ManifestError) as error:
        read(text)
    return str(error.value.problems[0])


@given(values, st.booleans(), st.sampled_from([None, 0, 1, "\t"]))
def test_reads_what_the_standard_library_writes(
    value: object, ascii_only: bool, indent: int | str | None
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert read(text) == value


def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("twice")
    return dict(pairs)


def refuse(text: str) -> object:
    raise ValueError(text)


@given(
    st.lists(
        st.sampled_from(
            [
                *'{ } [ ] , : " "a" "b" "\\u00e9" "\\ud83d\\ude00" \\ / 0 1 -1'.split(),
                *"01 1. .5 1e3 1E-2 - +1 true false null nul NaN Infinity a é \x01 // #".split(),
                *" \n\t",
            ]
        ),
        max_size=12,
    ).map("".join)
)
@example('{"a":1}')
@example('[1,[2,{"a":[]}],{}]')
def test_accepts_what_the_standard_library_accepts(text: str) -> None:
    try:
        expected = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except ValueError:
        with pytest.raises(ManifestError):
            read(text)
    else:
        assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1:1: JSON: expected a value, got the end of the text"),
        ("{", "1:2: JSON: expected a key in double quotes or '}', got the end of the text"),
        ('{"a" 1}', "1:6: JSON: expected ':', got '1'"),
        ('{"a":1 "b"}', "1:8: JSON: expected ',' or the end of the list or mapping, got 'b'"),
        (
            '{"a":1,\n }',
            "2:2: JSON: expected a key in double quotes, got '}'; no comma goes before the end",
        ),
        ("[1,]", "1:4: JSON: expected a value, got ']'; no comma goes before the end"),
        ("[1}", "1:3: JSON: expected ',' or the end of the list or mapping, got '}'"),
        ("[}", "1:2: JSON: expected a value or ']', got '}'"),
        ("]", "1:1: JSON: expected a value, got ']'"),
        ("[1] 2", "1:5: JSON: expected the end of the text, got '2'"),
        ("{a: 1}", "1:2: JSON: expected a key in double quotes or '}', got 'a'"),
        ("{1: 1}", "1:2: JSON: expected a key in double quotes or '}', got '1'"),
        ("['a']", "1:2: JSON: expected a value or ']', got \"'\"; JSON knows double quotes only"),
        (
            "[1, // one\n2]",
            "1:5: JSON: expected a value, got '/'; "
            "JSON has no comments: name the file .yaml, or write YAML",
        ),
        ("[01]", "1:2: JSON: expected a value or ']', got '01'"),
        ("[nul]", "1:2: JSON: expected a value or ']', got 'nul'"),
        (
            '["a\nb"]',
            "1:2: JSON: expected a value or ']', "
            "got a text that does not end or holds a control character",
        ),
        ('{"a": NaN}', "1:7: nan is no number that a manifest can hold"),
        ('{"a": [-Infinity]}', "1:8: -inf is no number that a manifest can hold"),
        ('{"a": 1e999}', "1:7: inf is no number that a manifest can hold"),
        ('{"a": 18446744073709551616}', "1:7: whole numbers have at most 64 bits"),
        ('{"a": -9223372036854775809}', "1:7: whole numbers have at most 64 bits"),
        ('{"a": ' + "9" * 5000 + "}", "1:7: whole numbers have at most 64 bits"),
        ('{"a": 1, "b": 2, "a": 3}', "1:18: 'a' is given twice"),
        ('{"a": 1, "\\u0061": 3}', "1:10: 'a' is given twice"),
    ],
)
def test_refusals(text: str, expected: str) -> None:
    assert problem(text) == expected


@pytest.mark.parametrize("text", ['"\\x"', '"\\ud800"', '"\\u12"', '"\\ud800\\u0061"'])
def test_bad_escapes(text: str) -> None:
    assert problem(f"[\n {text}]").startswith("2:2: JSON: ")


def test_long_numbers() -> None:
    assert read("[" + "1" * 100 + ".5]") == [float("1" * 100)]
    assert read("[0." + "3" * 100 + "]") == [1 / 3]
    assert read("[1" + "0" * 50 + "e-50]") == [1.0]
