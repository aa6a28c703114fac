"""The contract of an executor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from remotemedia.graph import GraphNode
from remotemedia.node import Node


@runtime_checkable
class Executor(Protocol):
    """Decides where a node runs by giving the session the object that it calls.

    For `inline` that is the node itself. Another executor gives a proxy: an async node that speaks
    to the real one, so that to the session a node elsewhere is just an async node. What that has to
    obey, the proxy passes on:

    - an interrupt cancels the call in flight and then calls `reset`: by the time that the cancelled
      call has ended, nothing that stems from before may still come out of the real node;
    - `Control` data come ahead of what waits, and are to go ahead elsewhere, too;
    - a time-out or a close cancels the call alike; `close` follows, within the deadline.
    """

    def create(self, node: GraphNode) -> Node:
        """The object that the session opens and calls for this node."""


@runtime_checkable
class WarningExecutor(Protocol):
    """An executor with which not all that a manifest may say has an effect."""

    def warnings(self, node: GraphNode) -> Iterable[tuple[tuple[str, ...], str]]:
        """What has none, and why: where in the entry of the node, and the words of the warning."""
