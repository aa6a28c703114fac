"""Write the JSON Schema of manifests, with all nodes of this machine.

An editor with a YAML language server then completes node types and parameters, given this as the
first line of a manifest:

    # yaml-language-server: $schema=remotemedia.schema.json
"""

from __future__ import annotations

import argparse

import msgspec

from remotemedia.cli.commands import BUILT_IN
from remotemedia.cli.outputs import Destination

SUMMARY = BUILT_IN["schema"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="default: stdout")


def run(options: argparse.Namespace) -> int:
    """Do it."""
    from remotemedia.manifest import json_schema

    schema = msgspec.json.format(msgspec.json.encode(json_schema()), indent=2) + b"\n"
    destination = Destination(options.output)
    destination.write(schema)
    destination.finish()
    return 0
