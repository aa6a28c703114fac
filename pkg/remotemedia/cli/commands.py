"""Which commands there are: the table of ours, and what plugins bring."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, cast

from remotemedia.cli.failure import CommandError, UsageError
from remotemedia.errors import nearest

if TYPE_CHECKING:
    import argparse
    from importlib.metadata import EntryPoint

ENTRY_POINT_GROUP = "remotemedia.commands"

BUILT_IN = {
    "run": "run a pipeline over a file or a stream",
    "record": "run a pipeline and record the session",
    "replay": "run a recording again: fast, in real time or step by step",
    "peek": "show what is in a recording",
    "validate": "check manifests; lists every problem with its place",
    "nodes": "list the node types, or explain one",
    "graph": "draw a pipeline: mermaid, dot or json",
    "schema": "write the JSON Schema of manifests, for editors",
    "init": "write a commented manifest to start from",
    "doctor": "what works on this machine, and the fix for what does not",
}
"""Command → its summary; the module `remotemedia.cli.NAME` has the rest."""


class Command(Protocol):
    """A module, or another object, that is a command.

    `SUMMARY` is one line; the docstring, if any, is shown by ``--help``.
    """

    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what the command takes."""

    def run(self, options: argparse.Namespace) -> int:
        """Do it; gives the exit code."""


def find(name: str) -> Command:
    """The command of that name, imported.

    Raises
    ------
    UsageError
        There is none; names the nearest.
    CommandError
        It is a plugin's, and cannot be loaded; says why.
    """
    if name in BUILT_IN:
        return cast(Command, importlib.import_module(f"remotemedia.cli.{name}"))
    brought = plugins()
    if name not in brought:
        hint = nearest(name, [*BUILT_IN, *brought])
        raise UsageError(f"unknown command {name!r}{hint or ' (see: remotemedia --help)'}")
    point = brought[name]
    try:
        return cast(Command, point.load())
    except Exception as error:
        origin = point.dist.name if point.dist else "a plugin"
        raise CommandError(
            f"command {name!r} of {origin} cannot be loaded: {type(error).__name__}: {error}"
        ) from error


def plugins() -> dict[str, EntryPoint]:
    """Commands of other packages, not loaded; they cannot replace ours."""
    from remotemedia.registry import entry_points

    found = {point.name: point for point in reversed(entry_points(ENTRY_POINT_GROUP))}
    return {name: found[name] for name in sorted(found) if name not in BUILT_IN}
