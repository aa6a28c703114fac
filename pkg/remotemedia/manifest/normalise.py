"""Brings what is accepted in several forms into the one form of the model.

The reference system's published ``v1`` manifests use camelCase, ``config`` for ``params``,
``multiprocess`` for ``process`` and port fields on connections; all of them load here.
"""

from __future__ import annotations

from typing import Any

from remotemedia.manifest.document import Document
from remotemedia.manifest.findings import Findings
from remotemedia.manifest.model import VERSION, Connection, Metadata, NodeSpec
from remotemedia.manifest.tree import Path, show


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(map(str.capitalize, rest))


_METADATA, _NODE, _CONNECTION = (
    frozenset(kind.__struct_encode_fields__) for kind in (Metadata, NodeSpec, Connection)
)
_NODE_SYNONYMS = {
    **{_camel(name): name for name in _NODE if "_" in name},
    "config": "params",
}
_EXECUTOR_SYNONYMS = {"multiprocess": "process"}
_PORTS = {"from_port": "from", "to_port": "to", "fromPort": "from", "toPort": "to"}


def normalise(document: Document, findings: Findings) -> dict[str, Any]:
    """The document's tree in the form of the model; the tree itself is left as it is.

    What does not fit is left for `diagnose`, except what only the text can tell.
    """
    tree = document.tree
    if not isinstance(tree, dict):
        findings.add(
            "a manifest is a mapping with version, nodes and connections"
            " (remotemedia init writes one to start from)",
            (),
        )
        return {}
    # A field without a value (``connections:``) is a field left out. Aliases share parts of the
    # tree, so whatever changes is copied first.
    root = {name: value for name, value in tree.items() if value is not None}
    _check_version(root, findings)
    _normalise_metadata(root, document, findings)
    if "nodes" not in root:
        findings.add("'nodes' is missing: a manifest has at least one node", ())
    for name, fields, change in (
        ("nodes", _NODE, _normalise_node),
        ("connections", _CONNECTION, _normalise_connection),
    ):
        entries = root.get(name)
        if isinstance(entries, list):
            root[name] = [
                change(entry, (name, index), document, findings)
                if isinstance(entry, dict) and _needs_change(entry, fields)
                else entry
                for index, entry in enumerate(entries)
            ]
    return root


def _needs_change(entry: dict[str, Any], fields: frozenset[str]) -> bool:
    return (
        not entry.keys() <= fields
        or None in entry.values()
        or entry.get("executor", "inline") in _EXECUTOR_SYNONYMS
    )


def _check_version(root: dict[str, Any], findings: Findings) -> None:
    version = root.get("version")
    if version is None:
        findings.add(f"'version' is missing: write version: {VERSION}", ())
    elif version != VERSION:
        findings.add(
            f"version {show(version)} is not known: write version: {VERSION}",
            ("version",),
        )
    root["version"] = VERSION


def _normalise_metadata(root: dict[str, Any], document: Document, findings: Findings) -> None:
    metadata = root.get("metadata", {})
    if not isinstance(metadata, dict):
        return
    metadata = {name: value for name, value in metadata.items() if value is not None}
    extra = {name: metadata.pop(name) for name in list(metadata) if name not in _METADATA}
    if "extra" in metadata:
        extra["extra"] = metadata.pop("extra")
    # Top-level name and description are those of the metadata.
    for name in ("name", "description"):
        if name in root:
            value = root.pop(name)
            if metadata.setdefault(name, value) == value:
                document.renamed[("metadata", name)] = (name,)
            else:
                message = f"{name} is given here and in metadata: keep one"
                findings.add(message, (name,), at_key=True)
    if extra:
        metadata["extra"] = extra
    if metadata:
        root["metadata"] = metadata


def _normalise_node(
    entry: dict[str, Any], path: Path, document: Document, findings: Findings
) -> dict[str, Any]:
    node: dict[str, Any] = {}
    for given, value in entry.items():
        name = _NODE_SYNONYMS.get(given, given)
        if value is None and name in _NODE:
            continue
        if name != given:
            if entry.get(name) is not None:
                findings.add(
                    f"{show(given)} and {show(name)} mean the same: keep one",
                    (*path, given),
                    at_key=True,
                )
                continue
            document.renamed[(*path, name)] = (*path, given)
        node[name] = value
    executor = node.get("executor")
    if isinstance(executor, str):
        node["executor"] = _EXECUTOR_SYNONYMS.get(executor, executor)
    return node


def _normalise_connection(
    entry: dict[str, Any], path: Path, document: Document, findings: Findings
) -> dict[str, Any]:
    connection = {
        name: value
        for name, value in entry.items()
        if not (name in _PORTS or (value is None and name in _CONNECTION))
    }
    for given, name in _PORTS.items():
        port, end = entry.get(given), connection.get(name)
        if port is None or not isinstance(end, str):
            continue
        if not isinstance(port, str):
            findings.add(f"expected the name of a port, got {show(port)}", (*path, given))
        elif ":" in end:
            findings.add(f"{show(name)} names a port already", (*path, given), at_key=True)
        else:
            connection[name] = f"{end}:{port}"
    return connection
