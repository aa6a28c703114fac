"""Write a commented manifest to start from."""

from __future__ import annotations

import argparse
import os
import sys

from remotemedia.cli.commands import BUILT_IN
from remotemedia.cli.failure import UsageError
from remotemedia.cli.outputs import Destination

SUMMARY = BUILT_IN["init"]

STARTER = """\
# yaml-language-server: $schema=remotemedia.schema.json
# The schema (`remotemedia schema -o remotemedia.schema.json`) lets your editor complete node types
# and parameters, and explain them.
#
#   remotemedia validate {name}
#   remotemedia run {name} -i speech.wav -o louder.wav
version: v1
metadata:
  name: starter
  description: Any recording to 16 kHz mono, made louder, and its loudness.

nodes:
  # One list entry per node. `remotemedia nodes` lists the types, `remotemedia nodes Gain`
  # explains one.
  - id: mono                 # your name for it: letters, digits, '_', '.', '-'
    node_type: ChannelMix
    params: {{channels: 1}}
  - id: to16k
    node_type: AudioResample
    params:
      target_rate: 16000     # Hz
      quality: high          # low, medium or high
  - id: louder
    node_type: Gain
    params: {{gain_db: 6}}     # or on the command line: --params louder.gain_db=3
    is_output_node: true     # comes out, though it is connected to another node
  - id: loudness
    node_type: AudioLevel
    params: {{interval_ms: 1000}}

connections:
  # from and to are "node", or "node:port" where a node has several ports.
  - {{from: mono, to: to16k}}
  - {{from: to16k, to: louder}}
  - {{from: louder, to: loudness}}
# What comes out: the ports that nothing is connected to, and nodes with `is_output_node: true`.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("file", metavar="FILE", nargs="?", default="pipeline.yaml")
    parser.add_argument("--force", action="store_true", help="overwrite a file that is there")


def run(options: argparse.Namespace) -> int:
    """Do it."""
    path = options.file
    if os.path.isdir(path):
        raise UsageError(f"{path}: it is a folder; name a file")
    if path != "-" and os.path.exists(path) and not options.force:
        raise UsageError(f"{path} exists already: choose another name, or --force to overwrite it")
    if os.path.splitext(path)[1].lower() not in (".yaml", ".yml", ""):
        raise UsageError(f"{path}: a commented manifest is YAML; name it .yaml")
    destination = Destination(path)
    destination.write(STARTER.format(name=path).encode())
    destination.finish()
    if path != "-":
        print(f"wrote {path}; next: remotemedia validate {path}", file=sys.stderr)
    return 0
