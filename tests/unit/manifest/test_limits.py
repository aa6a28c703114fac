"""What is too large, too deep or too clever is refused, in every form."""

from __future__ import annotations

import gc
import json

import pytest
import yaml

from remotemedia.errors import ManifestError
from remotemedia.manifest import limits, load_manifest
from remotemedia.manifest.document import read_document

HEAD = "version: v1\nnodes:\n- id: a\n  node_type: PassThrough\n  params:\n    x: "


@pytest.fixture(params=["libyaml", "python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)


def problem(source: object, name: str = "test.yaml") -> str:
    with pytest.raises(ManifestError) as error:
        load_manifest(source, name=name)  # type: ignore[arg-type]
    return str(error.value.problems[-1])


def tree(text: str, name: str = "test.yaml") -> object:
    return read_document(text.encode(), name).tree


# -- size ---------------------------------------------------------------------------------------


def test_size() -> None:
    text = "version: v1\nnodes: [{id: a, node_type: A}]\n"
    full = text + "#" * (limits.MAX_BYTES - len(text))
    assert load_manifest(full).nodes[0].id == "a"
    expected = "manifest: 1,048,577 bytes are more than the 1,048,576 that a manifest may have"
    assert problem(full + "#") == expected
    assert problem((full + "#").encode()) == expected
    assert problem(full[:-1] + "é") == expected  # counted in UTF-8


def test_scalar_of_100_mb() -> None:
    text = HEAD + "a" * 100_000_000
    assert "100,000,069 bytes" in problem(text)


@pytest.mark.parametrize("quote", ["", '"', "'"])
@pytest.mark.usefixtures("parser")
def test_long_scalar(quote: str) -> None:
    fits = "a" * limits.MAX_SCALAR
    assert tree(f"x: {quote}{fits}{quote}") == {"x": fits}
    message = "1:4: a text has at most 65,536 characters"
    document = read_document(f"x: {quote}{fits}a{quote}\n", "test.yaml")
    assert list(map(str, document.problems)) == [message]


def test_long_key_and_json() -> None:
    long = "a" * (limits.MAX_SCALAR + 1)
    message = "1:2: a text has at most 65,536 characters"
    assert str(read_document(f'{{"{long}": 1}}', "x.json").problems[0]) == message
    document = read_document({long: 1})
    assert "65,536 characters" in str(document.problems[0])


@pytest.mark.usefixtures("parser")
def test_long_integers() -> None:
    for text in ("9" * 30, "9" * 60_000, "0x" + "f" * 17, "0o" + "7" * 60, "18446744073709551616"):
        document = read_document(f"x: {text}\n", "test.yaml")
        assert list(map(str, document.problems)) == ["1:4: whole numbers have at most 64 bits"]
    assert tree("x: [18446744073709551615, -9223372036854775808]") == {"x": [2**64 - 1, -(2**63)]}


# -- depth --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("parser")
def test_depth() -> None:
    fits = "[" * (limits.MAX_DEPTH - 1) + "]" * (limits.MAX_DEPTH - 1)
    assert isinstance(tree("x: " + fits), dict)
    assert problem(f"x: [{fits}]\n") == "1:67: nested more than 64 deep"


@pytest.mark.parametrize(
    "unit", ["[", "[\n", "{a: ", "- ", "? ", "- - ", "{? ", "[{a: ", "&a [", "!!seq [", "- \n"]
)
@pytest.mark.usefixtures("parser")
def test_very_deep_yaml(unit: str) -> None:
    text = (unit * (1_000_000 // len(unit) + 1))[:1_000_000]
    assert problem(text)


@pytest.mark.parametrize("unit", ["[", '{"a":', '[{"a":', "[ "])
def test_very_deep_json(unit: str) -> None:
    text = '{"a":' + unit * (1_000_000 // len(unit))
    assert problem(text, "test.json").endswith("nested more than 64 deep")


def test_indented_depth() -> None:
    text = "".join(" " * level + "a:\n" for level in range(1_400))
    assert problem(text) == "65:65: nested more than 64 deep"


def test_deep_objects() -> None:
    deep: object = 1
    for _ in range(1_000):  # Pyodide cannot let go of a list that is much deeper
        deep = [deep]
    assert problem({"x": deep}) == f"x{'[0]' * 63}: nested more than 64 deep"
    cycle: dict[str, object] = {}
    cycle["x"] = cycle
    assert problem(cycle).endswith("nested more than 64 deep")


# -- aliases ------------------------------------------------------------------------------------


def laughs(levels: int, width: int) -> str:
    text = "a0: &a0 lol\n"
    for level in range(1, levels + 1):
        text += f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * width)}]\n"
    return text


@pytest.mark.usefixtures("parser")
def test_billion_laughs() -> None:
    assert problem(laughs(9, 9)) == "7:20: more than 250,000 values in all"
    assert "a5" in tree(laughs(5, 9))  # type: ignore[operator]


def test_what_aliases_stand_for_is_counted() -> None:
    # 1 + 9 + 81 + … values below level n, plus keys: by hand.
    sizes = [1]
    for _ in range(9):
        sizes.append(1 + 9 * sizes[-1])
    total, line = 1, 0
    while total <= limits.MAX_VALUES:
        total += 1 + sizes[line]
        line += 1
    assert problem(laughs(9, 9)).startswith(f"{line}:")


def test_deep_aliases() -> None:
    text = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 80))
    assert problem(text) == "64:12: nested more than 64 deep"


def test_number_of_aliases() -> None:
    fits = "a: &a 1\nb: [" + "*a," * limits.MAX_ALIASES
    assert isinstance(tree(fits + "]\n"), dict)
    assert problem(fits + "*a]\n").endswith("more than 1,000 aliases")


def test_shared_objects_are_counted() -> None:
    shared: object = "lol"
    for _ in range(9):
        shared = [shared] * 9
    assert problem({"x": shared}).endswith("more than 250,000 values in all")


# -- numbers of things --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["test.yaml", "test.json"])
def test_number_of_nodes(name: str) -> None:
    nodes = [{"id": f"n{index}", "node_type": "A"} for index in range(limits.MAX_NODES)]
    manifest = load_manifest(json.dumps({"version": "v1", "nodes": nodes}), name=name)
    assert len(manifest.nodes) == limits.MAX_NODES
    nodes.append({"id": "one-more", "node_type": "A"})
    assert problem(json.dumps({"version": "v1", "nodes": nodes}), name).endswith(
        "more than 10,000 nodes"
    )


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("{},", "more than 10,000 nodes"),
        ("a,", "more than 10,000 nodes"),
        ("{id: a, node_type: b},", "more than 10,000 nodes"),
    ],
)
def test_many_nodes(unit: str, expected: str) -> None:
    text = "version: v1\nnodes: [" + unit * (30_000 // 1)
    assert problem(text).endswith(expected)


def test_number_of_items() -> None:
    fits = ",".join("1" * limits.MAX_ITEMS)
    assert tree(f'{{"x": [{fits}]}}', "x.json") == {"x": [1] * limits.MAX_ITEMS}
    assert problem(f'{{"x": [{fits},1]}}', "x.json").endswith(
        "more than 20,000 entries in one list"
    )
    entries = ",".join(f'"{index}":1' for index in range(limits.MAX_ITEMS + 1))
    assert problem(f"{{{entries}}}", "x.json").endswith("a mapping has at most 20,000 entries")


def test_number_of_values() -> None:
    inner = "[" + "1," * 99 + "1],"  # 101 values
    text = '{"x": [' + inner * 2_475
    assert isinstance(tree(text[:-1] + "]}", "x.json"), dict)  # 2 + 2,475 · 101 + 1
    assert problem(text + inner, "x.json").endswith("more than 250,000 values in all")


# -- other traps --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        ("a: 1\n", "'a' is given twice"),
        ("? a\n", "'a' is given twice"),
    ],
)
@pytest.mark.usefixtures("parser")
def test_many_duplicate_keys(unit: str, words: str) -> None:
    with pytest.raises(ManifestError) as error:
        load_manifest("version: v1\n" + unit * 200_000, name="test.yaml")
    problems = error.value.problems
    assert len(problems) == limits.MAX_PROBLEMS + 1
    assert words in str(problems[0])
    assert str(problems[-1]) == "manifest: more than 100 problems; the rest is not shown"


@pytest.mark.usefixtures("parser")
def test_many_nan_and_tags() -> None:
    for unit in (".nan,", "!!int 1,"):
        with pytest.raises(ManifestError) as error:
            load_manifest(HEAD + "[" + unit * 100_000 + "]\n", name="test.yaml")
        assert len(error.value.problems) == limits.MAX_PROBLEMS + 1


def test_duplicate_keys_keep_the_first() -> None:
    document = read_document("a: 1\na: {b: 2, b: 3}\na: [4]\nc: 5\n", "test.yaml")
    assert document.tree == {"a": 1, "c": 5}
    assert list(map(str, document.problems)) == [
        "2:1: 'a' is given twice",
        "2:11: 'b' is given twice",
        "3:1: 'a' is given twice",
    ]


def test_collector_is_left_as_it_was() -> None:
    assert gc.isenabled()
    load_manifest("version: v1\nnodes: [{id: a, node_type: A}]\n")
    assert gc.isenabled()
    gc.disable()
    try:
        problem("a: [")
        assert not gc.isenabled()
    finally:
        gc.enable()
