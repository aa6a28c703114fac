"""Draw a pipeline: its nodes, and what every edge carries.

Mermaid is shown by GitHub and many editors; dot is for Graphviz (dot -Tsvg); json is for programs.
"""

from __future__ import annotations

import argparse

import msgspec

from remotemedia.cli.commands import BUILT_IN
from remotemedia.cli.loading import load_pipeline

SUMMARY = BUILT_IN["graph"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("manifest", metavar="MANIFEST", help="YAML or JSON file; - for stdin")
    parser.add_argument("--format", choices=("mermaid", "dot", "json"), default="mermaid")


def run(options: argparse.Namespace) -> int:
    """Do it."""
    from remotemedia import diagram

    graph = load_pipeline(options.manifest).graph
    if options.format == "json":
        text = msgspec.json.format(msgspec.json.encode(diagram.to_dict(graph)), indent=2).decode()
        print(text)
    else:
        print((diagram.mermaid if options.format == "mermaid" else diagram.dot)(graph), end="")
    return 0
