"""Edits of a manifest's text: what is asked for changes, and nothing else."""

from __future__ import annotations

import pytest

from remotemedia.errors import EditError
from remotemedia.manifest import load_manifest
from remotemedia.manifest.edit import Editor

BLOCK = """\
# first
version: v1
nodes:
  - id: a      # an id
    node_type: Gain
    params:
      gain_db: -6   # soft
  - {id: b, node_type: PassThrough, params: {}}   # last node
connections:
  - from: a
    to: b   # the only one
# end
"""
FLOW = (
    '{"version": "v1", "nodes": [{"id": "a", "node_type": "Gain"}, '
    '{"id": "b", "node_type": "Gain"}], "connections": [{"from": "a", "to": "b:in"}]}'
)
INDENTED = """\
{
  "version": "v1",
  "nodes": [
    {"id": "a", "node_type": "Gain"},
    {"id": "b", "node_type": "Gain"}
  ],
  "connections": [
    {"from": "a", "to": "b"}
  ]
}
"""


def edited(text: str) -> str:
    editor = Editor(text)
    editor.add_node({"id": "c", "node_type": "Gain", "params": {"gain_db": 1.5}})
    editor.add_node({"id": "d", "node_type": "Gain", "params": {}})
    editor.lead(0, ["c", "d"])
    return editor.text


@pytest.mark.parametrize("text", [BLOCK, FLOW, INDENTED, BLOCK.replace("\n", "\r\n"), BLOCK[:-6]])
def test_a_connection_led_through_new_nodes(text: str) -> None:
    manifest = load_manifest(edited(text))
    assert [node.id for node in manifest.nodes] == ["a", "b", "c", "d"]
    assert dict(manifest.nodes[2].params) == {"gain_db": 1.5}
    ends = [(c.source, c.target.partition(":")[0]) for c in manifest.connections]
    assert ends == [("a", "c"), ("c", "d"), ("d", "b")]


def test_lines_and_comments_stay() -> None:
    after = edited(BLOCK).splitlines()
    assert [line for line in after if line not in BLOCK.splitlines()] == [
        "  - {id: c, node_type: Gain, params: {gain_db: 1.5}}",
        "  - {id: d, node_type: Gain, params: {}}",
        "    to: c   # the only one",
        "  - {from: c, to: d}",
        "  - {from: d, to: b}",
    ]
    assert [line for line in BLOCK.splitlines() if line not in after] == [
        "    to: b   # the only one"
    ]
    crlf = edited(BLOCK.replace("\n", "\r\n"))
    assert crlf.count("\r\n") == crlf.count("\n") == len(after)
    assert (
        edited(INDENTED).splitlines()[5]
        == '    {"id": "c", "node_type": "Gain", "params": {"gain_db": 1.5}},'
    )


@pytest.mark.parametrize(
    ("node", "line"),
    [
        (0, "      gain_db: 3   # soft"),
        (1, "  - {id: b, node_type: PassThrough, params: {gain_db: 3}}   # last node"),
    ],
)
def test_a_parameter(node: int, line: str) -> None:
    editor = Editor(BLOCK)
    editor.set_param(node, ["gain_db", "gainDb"], 3)
    assert line in editor.text.splitlines()
    assert dict(load_manifest(editor.text).nodes[node].params) == {"gain_db": 3}


def test_a_parameter_under_its_other_name_and_where_there_are_none() -> None:
    editor = Editor(BLOCK.replace("gain_db", "gainDb"))
    editor.set_param(0, ["gain_db", "gainDb"], "x: y")
    assert '      gainDb: "x: y"   # soft' in editor.text
    for text in (FLOW, INDENTED, BLOCK.replace(", params: {}", "")):
        editor = Editor(text)
        editor.set_param(1, ["gain_db"], 3)
        assert dict(load_manifest(editor.text).nodes[1].params) == {"gain_db": 3}


SCALAR = """\
version: v1
connections:
  - {from: a, to: b}
nodes:
  - {id: a, node_type: Gain}
  - id: b
    node_type: Gain
    description: |
      # a text
        of two lines

    # said of what follows
metadata:
  name: x
"""


def test_behind_a_block_of_text() -> None:
    after = edited(SCALAR)
    manifest = load_manifest(after)
    assert [node.id for node in manifest.nodes] == ["a", "b", "c", "d"]
    assert manifest.nodes[1].description == "# a text\n  of two lines\n"
    assert "        of two lines\n  - {id: c" in after
    folded = load_manifest(edited(SCALAR.replace("|", ">-")))
    assert [node.id for node in folded.nodes] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("text", "change"),
    [
        (BLOCK.replace("id: a ", "id: &a a ").replace("from: a", "from: *a"), "from"),
        (BLOCK.replace("id: b,", "id: &b b,").replace("to: b", "to: *b"), "to"),
        (
            "nodes:\n  - &n {id: a, node_type: Gain}\n  - *n\nconnections: [{from: a, to: b}]\n",
            "nodes",
        ),
    ],
)
def test_aliases_are_left_alone(text: str, change: str) -> None:
    if change == "from":
        assert "from: *a" in edited(text)
        return
    with pytest.raises(EditError, match="is used more than once, by an alias"):
        edited(text)


def test_an_anchor_stays() -> None:
    editor = Editor(BLOCK.replace("gain_db: -6", "gain_db: &g -6"))
    editor.set_param(0, ["gain_db"], 3)
    assert "gain_db: &g 3   # soft" in editor.text


@pytest.mark.parametrize("nothing", ["params:", "params: ~", "params: null  # none"])
def test_params_of_nothing(nothing: str) -> None:
    editor = Editor(
        BLOCK.replace("params: {}}", "description: x}").replace(
            "params:\n      gain_db: -6   # soft", nothing
        )
    )
    editor.set_param(0, ["gain_db"], 3)
    assert dict(load_manifest(editor.text).nodes[0].params) == {"gain_db": 3}


def test_json_with_tabs() -> None:
    text = INDENTED.replace("    ", "\t\t").replace("  ", "\t")
    manifest = load_manifest(edited(text), name="m.json")
    assert [node.id for node in manifest.nodes] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("text", ["", "nodes: 3\n", "nodes: []\n", "a: [", "- 1\n"])
def test_what_cannot_be_edited(text: str) -> None:
    with pytest.raises(EditError):
        edited(text)
