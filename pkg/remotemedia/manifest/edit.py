"""Edits the text of a manifest and leaves the rest of it as it is: order, style and comments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from remotemedia.errors import EditError
from remotemedia.manifest.yaml_text import resolve

_ANCHOR = re.compile(r"&[^\s,\[\]{}]+\s+")

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
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._edits: list[tuple[int, int, int, str]] = []
        try:
            # In JSON tabs are white space; PyYAML has them in no place.
            root = yaml.compose(text.replace("\t", " ") if self._json else text, yaml.SafeLoader)
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
        item = self._own(sequence, sequence.value[connection])
        target = _value(item, "to")
        if target is None:
            raise EditError(f"connections[{connection}] has no 'to' that could be edited")
        self._own(item, target)
        ids = list(through)
        end = str(target.value)
        self._replace(target, ids[0])
        for source, following in zip(ids, [*ids[1:], end], strict=True):
            self._append(sequence, connection, {"from": source, "to": following})

    def set_param(self, node: int, names: Iterable[str], value: object) -> str:
        """Give a parameter of a node a value.

        Parameters
        ----------
        node : int
            Its number.
        names : iterable of str
            What the parameter may go by; the first is used if it has none yet.
        value : object
            Plain.

        Returns
        -------
        str
            The name that it goes by.
        """
        item = self._own(self._nodes, self._nodes.value[node])
        names = list(names)
        key, params = _pair(item, "params")
        if key is None:
            key, params = _pair(item, "config")
        if key is None:
            self._add_key(item, "params", {names[0]: value})
            return names[0]
        if params.id == "scalar" and params.value in ("", "~", "null"):
            if params.value:
                self._replace(params, {names[0]: value})
            else:  # nothing at all
                colon = self._text.index(":", _end(key)) + 1
                self._edit(colon, colon, f" {self._shown({names[0]: value})}")
            return names[0]
        self._own(item, params)
        for name in names:
            found = _value(params, name)
            if found is not None:
                self._replace(self._own(params, found), value)
                return name
        self._add_key(params, names[0], value)
        return names[0]

    # -- pieces ------------------------------------------------------------------------------

    def _edit(self, start: int, end: int, new: str) -> None:
        self._edits.append((start, end, len(self._edits), new))

    def _own(self, parent: Any, node: Any) -> Any:
        """A part that stands in its parent; an alias stands where its anchor is."""
        start = node.start_mark.index
        inside = parent.start_mark.index <= start <= parent.end_mark.index
        if not inside or sum(item is node for item in parent.value) > 1:
            line = node.start_mark.line + 1
            raise EditError(f"line {line} is used more than once, by an alias: change it by hand")
        return node

    def _replace(self, node: Node, value: object) -> None:
        start = node.start_mark.index
        anchor = _ANCHOR.match(self._text, start)
        if anchor is not None:
            start = anchor.end()
        self._edit(start, self._end(node), self._shown(value))

    def _end(self, node: Any) -> int:
        """Where a node really ends; block scalars and collections reach to the next token."""
        if node.id == "scalar" and node.style in ("|", ">"):
            return self._end_of_block(node)
        if node.id == "scalar" or node.flow_style:
            return _end(node)
        last = node.value[-1]
        return self._end(last[1] if isinstance(last, tuple) else last)

    def _end_of_block(self, node: Any) -> int:
        """The end of the last line of a block scalar that has text."""
        start = self._text.find("\n", node.start_mark.index) + 1
        end, indent = start - 1, None
        while 0 < start < len(self._text):
            stop = self._text.find("\n", start)
            stop = len(self._text) if stop < 0 else stop
            line = self._text[start:stop].rstrip("\r")
            if line.strip():
                depth = len(line) - len(line.lstrip(" "))
                if indent is None:
                    indent = depth
                if depth < indent or start >= node.end_mark.index:
                    break
                end = start + len(line)
            start = stop + 1
        return end

    def _append(self, sequence: SequenceNode, after: int, fields: Mapping[str, object]) -> None:
        """An item behind another one; several at one place stay in the order they were given."""
        last = self._own(sequence, sequence.value[after])
        end = self._end(last)
        if sequence.flow_style:
            line = self._text.rfind("\n", 0, last.start_mark.index) + 1
            lead = self._text[line : last.start_mark.index]
            own_line = not lead.strip()  # each item has one
            comma = f",{self._newline}{lead}" if own_line else ", "
            self._edit(end, end, comma + self._shown(fields))
            return
        end = self._line_end(end)
        indent = " " * sequence.start_mark.column
        self._edit(end, end, f"{self._newline}{indent}- {self._shown(fields)}")

    def _add_key(self, mapping: MappingNode, key: str, value: object) -> None:
        shown = f"{self._shown(key)}: {self._shown(value)}"
        if mapping.flow_style:
            if mapping.value:
                end = self._end(mapping.value[-1][1])
                self._edit(end, end, f", {shown}")
            else:
                start = mapping.start_mark.index + 1
                self._edit(start, start, shown)
            return
        end = self._line_end(self._end(self._own(mapping, mapping.value[-1][1])))
        indent = " " * mapping.value[0][0].start_mark.column
        self._edit(end, end, f"{self._newline}{indent}{shown}")

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


def _pair(node: Any, key: str) -> tuple[Any, Any]:
    """The key and value nodes of a key of a mapping; None and None if it has it not."""
    pairs = getattr(node, "value", None)
    if not isinstance(pairs, list) or getattr(node, "id", "") != "mapping":
        return None, None
    return next(((name, value) for name, value in pairs if name.value == key), (None, None))


def _value(node: Any, key: str) -> Any:
    return _pair(node, key)[1]


def _sequence(node: Any, name: str) -> SequenceNode:
    if node is None or node.id != "sequence" or not node.value:
        raise EditError(f"there is no list of {name} that could be edited")
    found: SequenceNode = node
    return found


def _end(node: Any) -> int:
    end: int = node.end_mark.index
    return end
