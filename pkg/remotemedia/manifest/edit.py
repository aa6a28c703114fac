"""Edits the text of a manifest and leaves the rest of it as it is: order, style and comments."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from remotemedia.errors import EditError
from remotemedia.manifest.yaml_text import resolve

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node, SequenceNode


class Editor:
    """Collects changes to a text; `text` has them all.

    Parameters
    ----------
    text : str
        A manifest in YAML or JSON.

    Raises
    ------
    EditError
        It has no lists of nodes and connections that could be edited.
    """

    def __init__(self, text: str) -> None:
        import yaml

        self._text = text
        self._json = text.lstrip()[:1] in ("{", "[") and '"' in text[:200]
        self._edits: list[tuple[int, int, int, str]] = []
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            raise EditError(f"the text cannot be edited: {error}") from None
        self._nodes = _sequence(_value(root, "nodes"), "nodes")
        self._connections = _value(root, "connections")

    @property
    def text(self) -> str:
        """The text with all changes."""
        text = self._text
        for start, end, _, new in sorted(self._edits, key=lambda edit: edit[:3], reverse=True):
            text = text[:start] + new + text[end:]
        return text

    def add_node(self, fields: Mapping[str, object]) -> None:
        """A node behind all others."""
        self._append(self._nodes, len(self._nodes.value) - 1, fields)

    def lead(self, connection: int, through: Iterable[str]) -> None:
        """Let a connection go through other nodes."""
        sequence = _sequence(self._connections, "connections")
        item = sequence.value[connection]
        target = _value(item, "to")
        if target is None:
            raise EditError(f"connections[{connection}] has no 'to' that could be edited")
        ids = list(through)
        end = str(target.value)
        self._replace(target, ids[0])
        for source, following in zip(ids, [*ids[1:], end], strict=True):
            self._append(sequence, connection, {"from": source, "to": following})

    def set_param(self, node: int, names: Iterable[str], value: object) -> None:
        """Give a parameter of a node a value; `names` are those that it may go by."""
        item = self._nodes.value[node]
        params = _value(item, "params") or _value(item, "config")
        names = list(names)
        if params is None:
            self._add_key(item, "params", {names[0]: value})
            return
        for name in names:
            found = _value(params, name)
            if found is not None:
                self._replace(found, value)
                return
        self._add_key(params, names[0], value)

    # -- pieces ------------------------------------------------------------------------------

    def _edit(self, start: int, end: int, new: str) -> None:
        self._edits.append((start, end, len(self._edits), new))

    def _replace(self, node: Node, value: object) -> None:
        self._edit(node.start_mark.index, _end(node), self._shown(value))

    def _append(self, sequence: SequenceNode, after: int, fields: Mapping[str, object]) -> None:
        """An item behind another one; several at one place stay in the order they were given."""
        last = sequence.value[after]
        end = _end(last)
        if sequence.flow_style:
            line = self._text.rfind("\n", 0, last.start_mark.index) + 1
            lead = self._text[line : last.start_mark.index]
            own_line = not lead.strip()  # each item has one
            self._edit(end, end, ("," + "\n" + lead if own_line else ", ") + self._shown(fields))
            return
        end = self._line_end(end)
        indent = " " * sequence.start_mark.column
        self._edit(end, end, f"\n{indent}- {self._shown(fields)}")

    def _add_key(self, mapping: MappingNode, key: str, value: object) -> None:
        shown = f"{self._shown(key)}: {self._shown(value)}"
        if mapping.flow_style:
            if mapping.value:
                end = _end(mapping.value[-1][1])
                self._edit(end, end, f", {shown}")
            else:
                start = mapping.start_mark.index + 1
                self._edit(start, start, shown)
            return
        end = self._line_end(_end(mapping.value[-1][1]))
        indent = " " * mapping.value[0][0].start_mark.column
        self._edit(end, end, f"\n{indent}{shown}")

    def _line_end(self, index: int) -> int:
        end = self._text.find("\n", index)
        if end < 0:
            return len(self._text)
        return end - 1 if self._text[end - 1 : end] == "\r" else end

    def _shown(self, value: Any) -> str:
        """A value in the flow style of YAML, or as JSON."""
        if self._json:
            return json.dumps(value, ensure_ascii=False)
        if isinstance(value, Mapping):
            inside = ", ".join(f"{self._shown(k)}: {self._shown(v)}" for k, v in value.items())
            return f"{{{inside}}}"
        if isinstance(value, str):
            plain = value.replace("-", "").replace("_", "").replace(".", "").isalnum()
            if plain and resolve(value) == value and value.isascii():
                return value
            return json.dumps(value, ensure_ascii=False)
        return json.dumps(value)


def _value(node: Any, key: str) -> Any:
    """The value of a key of a mapping; None if it is none, or has it not."""
    pairs = getattr(node, "value", None)
    if not isinstance(pairs, list) or getattr(node, "id", "") != "mapping":
        return None
    return next((value for name, value in pairs if name.value == key), None)


def _sequence(node: Any, name: str) -> SequenceNode:
    if node is None or node.id != "sequence" or not node.value:
        raise EditError(f"there is no list of {name} that could be edited")
    found: SequenceNode = node
    return found


def _end(node: Any) -> int:
    """Where a node really ends; block collections reach to the next token."""
    if node.id == "scalar" or node.flow_style:
        end: int = node.end_mark.index
        return end
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)
