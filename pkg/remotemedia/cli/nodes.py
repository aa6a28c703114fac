"""List the node types by folder, or explain one: what it does, its parameters, ports and names."""

from __future__ import annotations

import argparse
import sys

import msgspec

from remotemedia.cli.commands import BUILT_IN
from remotemedia.cli.failure import UsageError
from remotemedia.cli.reference import Reference, describe
from remotemedia.cli.terminal import paint
from remotemedia.errors import UnknownNodeTypeError
from remotemedia.registry import default_registry

SUMMARY = BUILT_IN["nodes"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="a node type, or another name of it"
    )
    parser.add_argument("--json", action="store_true", help="for programs")


def run(options: argparse.Namespace) -> int:
    """Do it."""
    registry = default_registry()
    if options.name is not None:
        try:
            reference = describe(registry, options.name)
        except UnknownNodeTypeError as error:
            raise UsageError(str(error)) from None
        if options.json:
            print(_json(reference))
        else:
            print("\n".join(reference.lines(lambda text: paint(text, "bold", sys.stdout))))
        return 0
    references = [describe(registry, name) for name in registry.names()]
    if options.json:
        print(_json(references))
        return 0
    width = max(len(reference.name) for reference in references)
    for group in dict.fromkeys(reference.group for reference in references):
        print(paint(group, "bold", sys.stdout))
        for reference in references:
            if reference.group == group:
                missing = "" if reference.unavailable is None else " (not available here)"
                print(f"  {reference.name:<{width}}  {reference.summary}{missing}")
    return 0


def _json(value: Reference | list[Reference]) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
