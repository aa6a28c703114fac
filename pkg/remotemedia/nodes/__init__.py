"""Built-in nodes: one file per node, one folder per domain, one table per folder.

A new node is a file and a line in the table of its folder. The tables name modules as text, so
that importing `remotemedia` imports no node.
"""

from __future__ import annotations

from remotemedia.nodes import analysis, audio, flow, models, speech, text

_FOLDERS = (audio, analysis, speech, models, text, flow)

TABLE: dict[str, str] = {
    name: f"{folder.__name__}.{target}"
    for folder in _FOLDERS
    for name, target in folder.NODES.items()
}
"""Node type → ``module:Class``."""

ALIASES: dict[str, str] = {
    alias: name for folder in _FOLDERS for alias, name in folder.ALIASES.items()
}
"""Other names, among them those of the reference system → node type."""
