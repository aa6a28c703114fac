"""Sources of a manifest, its forms, and the places of what is wrong."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import pytest

from remotemedia.errors import ManifestError, Problem
from remotemedia.manifest import Connection, Manifest, Metadata, NodeSpec, Queue, load_manifest
from remotemedia.manifest.diagnose import diagnose
from remotemedia.manifest.document import read_document
from remotemedia.manifest.findings import Findings
from remotemedia.manifest.model import default_of

TEXT = "version: v1\nnodes:\n- {id: a, node_type: A}\n"
JSON = '{"version": "v1", "nodes": [{"id": "a", "node_type": "A"}]}'
EXPECTED = Manifest(nodes=(NodeSpec(id="a", node_type="A"),))


def problems(source: object, **options: str) -> list[str]:
    with pytest.raises(ManifestError) as error:
        load_manifest(source, **options)  # type: ignore[arg-type]
    return list(map(str, error.value.problems))


# -- sources ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        TEXT,
        TEXT.encode(),
        "\ufeff" + TEXT,
        "\ufeff".encode() + TEXT.encode(),
        TEXT.replace("\n", "\r\n"),
        JSON,
        JSON.encode(),
        " \n" + JSON,
        "{version: v1, nodes: [{id: a, node_type: A}]}",
        {"version": "v1", "nodes": [{"id": "a", "node_type": "A"}]},
        {"version": "v1", "nodes": ({"id": "a", "node_type": "A"},), "connections": None},
    ],
)
def test_sources(source: object) -> None:
    manifest = load_manifest(source)  # type: ignore[arg-type]
    assert manifest == EXPECTED
    assert manifest.warnings == ()
    assert manifest.source == "manifest"


def test_paths(tmp_path: Path) -> None:
    for name, text in (
        ("a.yaml", TEXT),
        ("b.json", JSON),
        ("c.yml", JSON),
        ("d", JSON),
        ("e", TEXT),
    ):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        for source in (path, str(path)):
            manifest = load_manifest(source)
            assert manifest == EXPECTED
            assert manifest.source == str(path)
    assert load_manifest(path, name="mine").source == "mine"
    (missing,) = problems(tmp_path / "none.yaml")
    assert missing.endswith("cannot be read: No such file or directory")
    (hint,) = problems("speech.yaml")
    assert "'speech.yaml' cannot be read: No such file" in hint
    assert hint.endswith("; text has several lines, or starts with '{'")
    assert problems(tmp_path)[0].endswith("is no file")
    assert "cannot be read" in problems("a\0b")[0]
    large = tmp_path / "large.yaml"
    with large.open("wb") as file:
        file.truncate(200 << 20)  # sparse: reading it would take 200 MiB
    assert problems(large) == [
        "manifest: 209,715,200 bytes are more than the 1,048,576 that a manifest may have"
    ]


def test_no_source() -> None:
    with pytest.raises(TypeError, match="not from int"):
        load_manifest(3)  # type: ignore[arg-type]


def test_encoding() -> None:
    assert "no valid UTF-8" in problems(b"version: \xff\n")[0]
    assert "no valid UTF-8" in problems(TEXT.encode("utf-16"))[0]
    assert "no valid UTF-8" in problems("version: \ud800\n")[0]


@pytest.mark.parametrize("source", ["\n", "# nothing\n", "[]\n", "- a\n", b"3", "{\n", b'"a"'])
def test_no_mapping(source: str | bytes) -> None:
    assert problems(source)


def test_name_decides_between_yaml_and_json() -> None:
    assert "JSON" in problems(TEXT, name="x.json")[0]
    assert load_manifest(JSON.encode(), name="x.yaml") == EXPECTED
    assert "JSON" in problems('{"version": v1}')[0]
    assert "YAML" in problems("{version: v1")[0]


# -- objects ------------------------------------------------------------------------------------


class Rate(enum.IntEnum):
    LOW = 8000


class Word(enum.StrEnum):
    A = "A"


def test_objects_are_copied_and_made_plain() -> None:
    shared = [1, 2]
    source = {
        "version": "v1",
        "nodes": [
            {
                "id": "a",
                "node_type": Word.A,
                "params": {"x": np.float64(0.5), "rate": Rate.LOW, "list": shared, "t": True},
            }
        ],
    }
    params = load_manifest(source).nodes[0].params
    assert params == {"x": 0.5, "rate": 8000, "list": [1, 2], "t": True}
    assert [type(value) for value in params.values()] == [float, int, list, bool]
    shared.append(3)
    assert params["list"] == [1, 2]


def test_objects_that_do_not_belong() -> None:
    source = {
        "version": "v1",
        "nodes": [
            {"id": "a", "node_type": "A", "params": {"x": {1}, "y": [b"z"], 3: float("nan")}}
        ],
    }
    assert problems(source) == [
        "nodes[0].params.x: a set has no place in a manifest",
        "nodes[0].params.y[0]: a bytes has no place in a manifest",
        "nodes[0].params.3: a key is text, not int",
        "nodes[0].params.3: nan is no number that a manifest can hold",
    ]


# -- forms --------------------------------------------------------------------------------------


def node(fields: str) -> Manifest:
    return load_manifest(f"version: v1\nnodes:\n- {{id: a, node_type: A, {fields}}}\n")


def test_synonyms() -> None:
    assert node("executor: multiprocess").nodes[0].executor == "process"
    assert node("isOutputNode: true").nodes[0].is_output_node
    assert node("config: {a: 1}").nodes[0].params == {"a": 1}
    assert node("config: {a: 1}, params: ").nodes[0].params == {"a": 1}
    assert node("params: , backend: ~").nodes[0] == NodeSpec(id="a", node_type="A")
    manifest = load_manifest(
        "version: v1\nnodes:\n- {id: a, nodeType: A}\nconnections:\n"
        "- {from: a, fromPort: x, to: a, toPort: y}\n- {from: a, to: a, from_port: , queue: }\n"
    )
    assert manifest.nodes[0].node_type == "A"
    assert manifest.connections == (
        Connection(source="a:x", target="a:y"),
        Connection(source="a", target="a"),
    )


def test_problems_of_synonyms_are_found_where_they_are() -> None:
    text = """\
version: v1
nodes:
- {id: a, nodeType: 3, config: [], isStreaming: 4}
connections:
- {from: a, to: b, from_port: 3, to_port: "c d"}
- {from: 3, from_port: x, to: b}
"""
    assert problems(text) == [
        "3:21: expected text, got 3: write it in quotes",
        "3:32: expected a mapping, got a list",
        "3:49: expected true or false, got 4",
        "5:17: expected 'node' or 'node:port', got 'b:c d'",
        "5:31: expected the name of a port, got 3",
        "6:10: expected text, got 3: write it in quotes",
    ]


def test_aliases_may_share_nodes_and_parameters() -> None:
    manifest = load_manifest("""\
version: v1
nodes:
- {id: a, node_type: A, config: &p {config: 1, nodeType: x}}
- {id: b, node_type: A, params: *p}
""")
    assert manifest.nodes[0].params == manifest.nodes[1].params == {"config": 1, "nodeType": "x"}


def test_structure() -> None:
    text = """\
version: v1
metadata: 3
python_env: {python: 3}
nodes: {id: a}
connections: 5
<<: {x: 1}
policy: 1
"""
    assert problems(text) == [
        "2:11: expected a mapping, got 3",
        "3:14: unknown field 'python'; did you mean 'python_version'?",
        "4:8: expected a list, got a mapping",
        "5:14: expected a list, got 5",
        "6:1: unknown field '<<'; merge keys are not part of YAML 1.2: write the fields out",
        "7:1: unknown field 'policy'; known are version, metadata, nodes, connections, python_env, "
        "runtime, config, defaults",
    ]


def test_missing_parts() -> None:
    assert problems("{}") == [
        "1:1: 'version' is missing: write version: v1",
        "1:1: 'nodes' is missing: a manifest has at least one node",
    ]
    found = problems({"metadata": {}})
    assert "manifest: 'version' is missing: write version: v1" in found
    assert problems("version: v1\nnodes: []\n") == ["2:8: a manifest has at least one node"]
    assert problems("version: v1\nnodes:\n") == [
        "1:1: 'nodes' is missing: a manifest has at least one node"
    ]


def test_version_and_name() -> None:
    assert problems(TEXT.replace("v1", "1.0"))[0].startswith("1:10: version 1.0 is not known")
    assert problems(TEXT.replace("v1", "v2"))[0].startswith("1:10: version 'v2' is not known")
    twice = "name: a\nmetadata: {name: a}\n" + TEXT
    assert load_manifest(twice).metadata.name == "a"
    assert problems("name: 3\n" + TEXT) == ["1:7: expected text, got 3: write it in quotes"]
    kept = load_manifest("metadata: {extra: 1, x: 2, name: }\n" + TEXT)
    assert kept.metadata == Metadata(extra={"extra": 1, "x": 2})
    assert [str(warning) for warning in kept.warnings] == [
        "1:12: 'extra' is kept, but means nothing here",
        "1:22: 'x' is kept, but means nothing here",
    ]


def test_too_many_problems() -> None:
    text = "version: v1\nnodes:\n" + "- {id: a b}\n" * 300
    found = problems(text)
    assert len(found) == 101
    assert found[0] == "3:3: 'node_type' of node is missing"
    assert found[-1] == "manifest: more than 100 problems; the rest is not shown"


# -- places of warnings and later findings ------------------------------------------------------


def test_manifests_locate_what_others_find() -> None:
    manifest = load_manifest("version: v1\nnodes:\n- {id: a, nodeType: A, config: {x: [1, 2]}}\n")
    located = manifest.locate(
        [
            Problem("value", ("nodes", 0, "params", "x", 1)),
            Problem("key", ("nodes", 0, "params", "x"), at_key=True),
            Problem("missing", ("nodes", 0, "params", "y")),
            Problem("known", (), 9, 9),
            Problem("all", ()),
        ]
    )
    assert list(map(str, located)) == [
        "1:1: all",
        "3:32: missing",
        "3:33: key",
        "3:40: value",
        "9:9: known",
    ]
    problem = Problem("x", ("nodes", 0))
    assert Manifest().locate([problem]) == [problem]
    assert Manifest().source == "manifest"
    assert load_manifest({"version": "v1", "nodes": [{"id": "a", "node_type": "A"}]}).locate(
        [problem]
    ) == [problem]


def test_places_behind_aliases() -> None:
    found = problems("version: v1\nnodes:\n- {id: a, node_type: &t 3}\n- {id: b, node_type: *t}\n")
    assert found == [f"{at}:22: expected text, got 3: write it in quotes" for at in (3, 4)]
    text = "version: v1\nnodes:\n- {id: a, node_type: A, policy: &p {retry: {attempts: x}}}\n"
    found = problems(text + "- {id: b, node_type: A, policy: *p}\n")
    assert found == [
        "3:55: expected a whole number, got 'x'",
        "4:33: expected a whole number, got 'x'",
    ]


def test_equality_is_that_of_content() -> None:
    assert load_manifest(TEXT) == load_manifest(JSON) == EXPECTED
    assert load_manifest(TEXT + "# other text\n") == EXPECTED
    assert load_manifest("defaults: {a: 1}\n" + TEXT) != EXPECTED
    assert Queue() == Queue(capacity=16, overflow="block")


# -- diagnosis of any type ----------------------------------------------------------------------


class Cat(msgspec.Struct, tag="cat"):
    lives: int = 9


class Dog(msgspec.Struct, tag="dog"):
    name: str


class Level(enum.StrEnum):
    LOW = "low"
    HIGH = "high"


class Checked(msgspec.Struct, forbid_unknown_fields=True):
    low: int = 0
    high: int = 1

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


DIAGNOSES: list[tuple[object, object, list[str]]] = [
    (None, int | None, []),
    (1, int | str, []),
    (1.5, int | str, ["x: expected a whole number or text, got 1.5"]),
    (
        [1, "a", None],
        list[int],
        ["x[1]: expected a whole number, got 'a'", "x[2]: expected a whole number, got null"],
    ),
    ([1, "a"], tuple[int, int], ["x[1]: expected a whole number, got 'a'"]),
    ([1], tuple[int, int], ["x: expected a list of length 2, got 1"]),
    ("hihg", Level, ["x: expected one of 'low', 'high'; got 'hihg'; did you mean 'high'?"]),
    (3, Level | None, ["x: expected one of 'low', 'high'; got 3"]),
    ({"a": 1, "b": "c"}, dict[str, int], ["x.b: expected a whole number, got 'c'"]),
    (
        {"a": 1, "b": 2, "c": "c"},
        dict[Annotated[str, msgspec.Meta(pattern="^[b-z]", description="a late letter")], int],
        ["x.a: expected a late letter, got 'a'", "x.c: expected a whole number, got 'c'"],
    ),
    ({"type": "cat", "lives": "x"}, Cat | Dog, ["x.lives: expected a whole number, got 'x'"]),
    ({"type": "cow"}, Cat | Dog, ["x.type: invalid value 'cow'"]),
    ({"a": "b"}, int | dict[str, int], ["x: expected a whole number, got text"]),
    ({"low": 3}, Checked, ["x: low is above high, got a mapping"]),
    (
        {"lo": 3, "high": None},
        Checked,
        [
            "x.lo: unknown field 'lo'; did you mean 'low'?",
            "x.high: expected a whole number, got null",
        ],
    ),
    ("x" * 100, int, ["x: expected a whole number, got '" + "x" * 57 + "...'"]),
    (True, int, ["x: expected a whole number, got true"]),
]


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    DIAGNOSES,
    ids=map(str, range(len(DIAGNOSES))),  # a union has another name in another Python
)
def test_diagnose(value: object, kind: object, expected: list[str]) -> None:
    findings = Findings()
    diagnose(value, kind, ("x",), findings)
    assert list(map(str, findings.problems)) == expected


def test_default_of() -> None:
    defaults = {field.name: default_of(field) for field in msgspec.structs.fields(Connection)}
    assert defaults["params"] == {}
    assert defaults["queue"] is None
    assert defaults["source"] is msgspec.NODEFAULT


def test_documents_of_objects_have_no_lines() -> None:
    document = read_document({"a": 1})
    assert document.tree == {"a": 1}
    assert document.locate([Problem("x", ("a",))])[0].where == "a"
