"""Loads a manifest: bounded, strict, and with all problems at once, each with its place."""

from __future__ import annotations

from typing import Any

import msgspec

from remotemedia.errors import ManifestError
from remotemedia.manifest.diagnose import diagnose, diagnose_struct
from remotemedia.manifest.document import Document, Source, read_document
from remotemedia.manifest.effects import warnings
from remotemedia.manifest.findings import Findings
from remotemedia.manifest.model import Connection, Manifest, NodeSpec
from remotemedia.manifest.normalise import normalise
from remotemedia.manifest.tree import Path


class Draft:
    """A manifest that may have problems, for those who can find more of them.

    Attributes
    ----------
    document : Document
        Where it comes from.
    findings : Findings
        What is wrong so far.
    manifest : Manifest
        All of it if nothing is wrong, else the parts that could be used.
    nodes : list of NodeSpec or None
        By index in the text; None where nothing could be used.
    connections : list of Connection or None
        The same of the connections.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.findings = Findings(document.problems)
        tree = normalise(document, self.findings)
        try:
            self.manifest = msgspec.convert(tree, Manifest)
            self.nodes: list[NodeSpec | None] = list(self.manifest.nodes)
            self.connections: list[Connection | None] = list(self.manifest.connections)
            if not tree.get("nodes", True):
                self.findings.add("a manifest has at least one node", ("nodes",))
        except msgspec.ValidationError:
            self._salvage(tree)

    def finish(self) -> Manifest:
        """The manifest, with its warnings.

        Raises
        ------
        ManifestError
            With all problems, each with its place.
        """
        if self.findings.problems:
            raise ManifestError(self.findings.report(self.document.locate), self.document.name)
        found = warnings(self.manifest, self.document.renamed)
        return self.manifest.attach(self.document, self.document.locate(found) if found else ())

    def _salvage(self, tree: dict[str, Any]) -> None:
        lists = {"nodes": NodeSpec, "connections": Connection}
        rest = {name: value for name, value in tree.items() if name not in lists}
        diagnose_struct(rest, Manifest, (), self.findings)
        for name in lists:
            if not isinstance(tree.get(name, []), list):
                diagnose(tree[name], list[object], (name,), self.findings)
        self.nodes = self._salvage_list(tree, "nodes", NodeSpec, "node")
        self.connections = self._salvage_list(tree, "connections", Connection, "connection")
        self.manifest = Manifest(
            nodes=tuple(filter(None, self.nodes)),
            connections=tuple(filter(None, self.connections)),
        )

    def _salvage_list(self, tree: dict[str, Any], name: str, kind: Any, what: str) -> list[Any]:
        entries = tree.get(name)
        if not isinstance(entries, list):
            return []
        kept: list[Any] = []
        for index, entry in enumerate(entries):
            try:
                kept.append(msgspec.convert(entry, kind))
            except msgspec.ValidationError:
                path: Path = (name, index)
                diagnose_struct(entry, kind, path, self.findings, what)
                kept.append(_usable(entry, kind))
        return kept


def _usable(entry: object, kind: type[msgspec.Struct]) -> Any:
    """What can be made of the valid fields alone; None if a required one is not among them."""
    if not isinstance(entry, dict):
        return None
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    valid = {}
    for name, value in entry.items():
        try:
            valid[name] = msgspec.convert(value, fields[name].type)
        except (KeyError, msgspec.ValidationError):
            continue
    try:
        return msgspec.convert({name: entry[name] for name in valid}, kind)
    except msgspec.ValidationError:
        return None


def draft(source: Source, *, name: str | None = None) -> Draft:
    """Read and convert, but do not judge yet."""
    return Draft(read_document(source, name))


def load_manifest(source: Source, *, name: str | None = None) -> Manifest:
    """Load a manifest; node types and parameters are left for `Graph.build` to check.

    Parameters
    ----------
    source : str, bytes, path or mapping
        A path; YAML or JSON text (a str with a newline or starting with ``{``; any bytes); or the
        same as Python objects.
    name : str, optional
        What messages call the source; a suffix ``.json`` or ``.yaml`` says which it is.

    Raises
    ------
    ManifestError
        With every problem, each with line and column.
    """
    return draft(source, name=name).finish()
