"""Inline: nodes run in the session itself, called directly."""

from __future__ import annotations

from remotemedia.errors import NodeError, RemoteMediaError
from remotemedia.graph import GraphNode
from remotemedia.node import Node


class Inline:
    """The default executor."""

    def create(self, node: GraphNode) -> Node:
        """The node itself.

        Raises
        ------
        RemoteMediaError
            What its constructor raised; a `NodeError` if that is none of ours.
        """
        try:
            created = node.cls(node.params)
        except RemoteMediaError as error:
            error.node = error.node or node.id
            raise
        except Exception as error:
            raise NodeError(
                f"node {node.id!r} ({node.node_type}) cannot be made: "
                f"{type(error).__name__}: {error}",
                node=node.id,
            ) from error
        created.backend = node.spec.backend
        return created
