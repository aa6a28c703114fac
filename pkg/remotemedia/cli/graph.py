"""Draw a pipeline: its nodes, and what every edge carries.

Mermaid is shown by GitHub and many editors; dot is for Graphviz (dot -Tsvg); json is for programs.
With --explain the format of every edge and how it came about, as text, or with --format json as
part of it. Converters are in the graph if the manifest has auto_negotiate, or with --auto.
"""

from __future__ import annotations

import argparse

import msgspec

from remotemedia.cli.commands import BUILT_IN
from remotemedia.cli.loading import add_auto, load_pipeline

SUMMARY = BUILT_IN["graph"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("manifest", metavar="MANIFEST", help="YAML or JSON file; - for stdin")
    parser.add_argument("--format", choices=("mermaid", "dot", "json"))
    parser.add_argument("--explain", action="store_true", help="why each edge carries what it does")
    add_auto(parser)


def run(options: argparse.Namespace) -> int:
    """Do it."""
    from remotemedia import diagram

    graph = load_pipeline(options.manifest, auto=options.auto).resolved.graph
    if options.explain and options.format is None:
        print(diagram.explanation(graph), end="")
    elif options.format == "json":
        text = msgspec.json.format(msgspec.json.encode(diagram.to_dict(graph)), indent=2).decode()
        print(text)
    else:
        print((diagram.dot if options.format == "dot" else diagram.mermaid)(graph), end="")
    return 0
