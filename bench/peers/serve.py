"""How a peer is asked to work: one JSON request per line on stdin, one JSON answer on stdout.

Standard library only, because it runs in every peer's own environment. While a peer is not asked
it blocks on stdin, so that several can wait side by side without disturbing each other.
"""

from __future__ import annotations

import json
import os
import sys
from array import array
from collections.abc import Callable, Mapping

RATE = 48_000  # Hz
FRAMES = 960  # 20 ms
NODES = 5

Work = Callable[[int], float | list[float]]
"""Takes a number of chunks; gives the seconds that all took, or those of each."""


def chunk_bytes() -> bytes:
    """The samples that every system is fed: float32, the same everywhere."""
    return array("f", [((index * 37) % 200 - 100) / 128 for index in range(FRAMES)]).tobytes()


def gain() -> float:
    """The factor of one node, as the parent gives it on the command line."""
    return float(sys.argv[1])


def serve(versions: Mapping[str, str], result: bytes, works: Mapping[str, Work]) -> None:
    """Introduce the peer, then do what is asked until stdin ends.

    Parameters
    ----------
    versions : mapping
        What is measured.
    result : bytes
        One chunk after all nodes, as float32: the proof of the same work.
    works : mapping of name to Work
        What can be asked for.
    """
    # Whatever a library prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    print(
        json.dumps({"versions": versions, "result": result.hex(), "works": [*works]}), file=answers
    )
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(works[request["work"]](request["chunks"])), file=answers)
