"""Flow: items through a few synchronous nodes, without a session."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from remotemedia.data import Data
from remotemedia.node import Node


def flow(items: Iterable[Data], nodes: Sequence[Node], *, tails: bool = False) -> list[Any]:
    """What comes of items behind nodes that follow one another.

    Parameters
    ----------
    items : iterable of Data
        What goes in.
    nodes : sequence of Node
        Each gives data on its only port, or None.
    tails : bool
        With what the nodes still hold.
    """
    found = list(items)
    for node in nodes:
        made: list[Data] = []
        for item in found:
            made += _listed(node.process(item))
        if tails:
            made += _listed(node.finish())
        found = made
    return found


def _listed(result: Any) -> Iterable[Data]:
    if result is None:
        return ()
    return (result,) if isinstance(result, Data) else result
