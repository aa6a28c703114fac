"""YAML is read by the core schema of YAML 1.2, from events, without tags."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from remotemedia.errors import ManifestError
from remotemedia.manifest.document import read_document
from remotemedia.manifest.yaml_text import _quick_loader, resolve

# YAML 1.2.2, section 10.3.2, by hand: the table of the core schema, row by row.
CORE_SCHEMA = [
    *((text, None) for text in ("null", "Null", "NULL", "~", "")),
    *((text, True) for text in ("true", "True", "TRUE")),
    *((text, False) for text in ("false", "False", "FALSE")),
    ("0", 0),
    ("-19", -19),
    ("+19", 19),
    ("0777", 777),
    ("0o7", 7),
    ("0o17", 15),
    ("0x3A", 58),
    ("0xff", 255),
    ("0.", 0.0),
    ("-0.0", -0.0),
    (".5", 0.5),
    ("+12e03", 12000.0),
    ("-2E+05", -200000.0),
    ("1e3", 1000.0),
    ("685.230_15e+03", "685.230_15e+03"),
    (".inf", math.inf),
    ("-.Inf", -math.inf),
    ("+.INF", math.inf),
]

# What YAML 1.1 reads as something else, and near misses of the table.
STRINGS = (
    "no No NO yes Yes on On ON off OFF y Y n N 1:30 190:20:30 20:30.15 2001-12-14 "
    "2001-12-14t21:59:43.10-05:00 1_000 0b1010 0o8 0xg -0o7 +0x1 << = . - + -. .e3 e3 1e 1e+ "
    "nULL tRUE TrUe .Nan .iNF nan inf NaN Infinity 1.2.3 1,000 v1 ++1 --1 0o 0x"
).split()


@pytest.fixture(params=["libyaml", "python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parsers of PyYAML; where there is no libyaml, the other one twice."""
    if request.param == "python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)


def read(text: str) -> object:
    document = read_document(text.encode(), "test.yaml")
    assert document.problems == []
    return document.tree


def problem(text: str | bytes) -> str:
    with pytest.raises(ManifestError) as error:
        read_document(text, "test.yaml")
    assert error.value.source == "test.yaml"
    return str(error.value.problems[-1])


@pytest.mark.parametrize(("text", "value"), CORE_SCHEMA)
def test_core_schema(text: str, value: object) -> None:
    found = resolve(text)
    assert found == value
    assert type(found) is type(value)
    assert str(found) == str(value)  # the sign of zero


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_core_schema_nan(text: str) -> None:
    found = resolve(text)
    assert isinstance(found, float)
    assert math.isnan(found)


@pytest.mark.parametrize("text", STRINGS)
def test_strings(text: str) -> None:
    assert resolve(text) == text


@pytest.mark.usefixtures("parser")
def test_example_10_9_of_the_specification() -> None:
    text = """
A null: null
Booleans: [ true, True, false, FALSE ]
Integers: [ 0, 0o7, 0x3A, -19 ]
Floats: [
  0., -0.0, .5, +12e03, -2E+05 ]
"""
    assert read(text) == {
        "A null": None,
        "Booleans": [True, True, False, False],
        "Integers": [0, 7, 58, -19],
        "Floats": [0.0, -0.0, 0.5, 12000.0, -200000.0],
    }


@pytest.mark.usefixtures("parser")
def test_forms() -> None:
    text = """\ufeff%YAML 1.2
--- # a comment
plain: some text
quoted: "1\\n\\u00e9"
single: '1'
literal: |
  a
    b
folded: >-
  a
  b
empty:
flow: {a: [1, {b: c}], "d": e}
no: 1
1: 2
anchor: &x {y: [1]}
alias: [*x, *x]
scalar: [&s 5, *s]
...
"""
    assert read(text) == {
        "plain": "some text",
        "quoted": "1\né",
        "single": "1",
        "literal": "a\n  b\n",
        "folded": "a b",
        "empty": None,
        "flow": {"a": [1, {"b": "c"}], "d": "e"},
        "no": 1,
        "1": 2,
        "anchor": {"y": [1]},
        "alias": [{"y": [1]}, {"y": [1]}],
        "scalar": [5, 5],
    }


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: *x\n", "2:4: alias *'x' has no anchor before it"),
        ("a: &x [1, *x]\n", "1:11: alias *'x' is inside what it stands for"),
        ("a: &x [1]\nb: &x [*x]\n", "2:8: alias *'x' is inside what it stands for"),
        ("a: &x b\n*x : 1\n", "2:1: a key is plain text, no alias"),
        ("? [a]\n: 1\n", "1:3: a key is plain text, no mapping or list"),
        ("{a: 1}: 1\n", "1:1: a key is plain text, no mapping or list"),
        ("a: 1\n---\nb: 1\n", "2:1: a second document starts; a manifest is one"),
        ("a: \x07\n", "1:4: character U+0007 is not allowed in YAML"),
        ("a: 1\nb: \x00\n", "2:4: character U+0000 is not allowed in YAML"),
    ],
)
def test_refusals(text: str, expected: str) -> None:
    assert problem(text) == expected


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: [1, 2\n", 2, "YAML: "),
        ("a: 'b\n", 2, "YAML: found unexpected end of stream"),
        ("a: b: c\n", 1, "mapping values are not allowed"),
        ("a:\n\tb: 1\n", 2, "indent with spaces, not tabs"),
        ("a: 1\n b: 2\n", 2, "YAML: "),
        ("a: @b\n", 1, "YAML: "),
        ('a: "\\q"\n', 1, "YAML: found unknown escape character"),
        ("a: !x!y z\n", 1, "YAML: found undefined tag handle"),
        ("%YAML 2.0\n---\na: 1\n", 1, "YAML: found incompatible YAML document"),
    ],
)
def test_syntax(text: str, line: int, words: str) -> None:
    message = problem(text)
    assert words in message
    assert message.startswith(f"{line}:")


@pytest.mark.usefixtures("parser")
def test_tags_are_all_reported() -> None:
    text = "a: !!str 1\nb: !x [1]\nc: !!python/object/apply:os.system {}\nd: ! 2\n!!str e: 1\n"
    document = read_document(text, "test.yaml")
    assert [str(found) for found in document.problems] == [
        "1:4: tags are not accepted; remove !!str",
        "2:4: tags are not accepted; remove !x",
        "3:4: tags are not accepted; remove !!python/object/apply:os.system",
        "4:4: tags are not accepted; remove !",
        "5:1: tags are not accepted; remove !!str",
    ]


@pytest.mark.usefixtures("parser")
def test_surrogates_do_not_pass() -> None:
    # libyaml refuses the escape, the other parser reads it.
    with pytest.raises(ManifestError) as error:
        document = read_document('a: "\\ud800"\n', "test.yaml")
        raise ManifestError(document.problems)
    assert error.value.problems[0].line == 1


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.text(max_size=20)
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=4)
        ),
        max_leaves=20,
    ),
    st.sampled_from([None, True, False]),
)
def test_both_parsers_read_the_same(value: object, flow: bool | None) -> None:
    # Each string in double quotes: what plain ones mean is the subject of other tests.
    text = yaml.safe_dump({"value": value}, default_style='"', default_flow_style=flow)
    text = text.replace("!!int ", "").replace("!!float ", "").replace("!!bool ", "")
    text = text.replace("!!null ", "")
    loaders = [yaml.SafeLoader, _quick_loader(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)]
    original = getattr(yaml, "CSafeLoader", None)
    found = []
    try:
        for loader in loaders:
            yaml.CSafeLoader = loader
            found.append(read_document(text, "test.yaml").tree)
    finally:
        if original is None:
            del yaml.CSafeLoader
        else:
            yaml.CSafeLoader = original
    assert found[0] == found[1] == found[2]
