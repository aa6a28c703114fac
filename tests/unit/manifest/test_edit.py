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
    assert crlf.count("\r\n") == len(BLOCK.splitlines())
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


@pytest.mark.parametrize("text", ["", "nodes: 3\n", "nodes: []\n", "a: [", "- 1\n"])
def test_what_cannot_be_edited(text: str) -> None:
    with pytest.raises(EditError):
        edited(text)
