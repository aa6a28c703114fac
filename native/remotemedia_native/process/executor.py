"""The executor `process`: nodes in processes of their own."""

from __future__ import annotations

from remotemedia.errors import UnavailableError
from remotemedia.graph import GraphNode
from remotemedia.node import Node
from remotemedia.session.parts import Parts, Surroundings


class ProcessExecutor:
    """Runs each part of a plan in a process, connected by shared memory."""

    in_parts = True

    def create(self, node: GraphNode) -> Node:
        """There is no node by itself.

        Raises
        ------
        UnavailableError
            Always: a session asks for its parts.
        """
        raise UnavailableError("nodes of the executor 'process' run in a session only")

    def parts(self, around: Surroundings) -> Parts:
        """The parts of a session."""
        from remotemedia_native.process.parts import ProcessParts

        return ProcessParts(around)
