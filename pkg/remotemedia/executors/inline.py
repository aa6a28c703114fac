"""Inline: nodes run in the session itself, called directly."""

from __future__ import annotations

from remotemedia.graph import GraphNode
from remotemedia.node import Node, is_async


class Inline:
    """The default executor."""

    def is_async(self, node: GraphNode) -> bool:
        """Whether the node's own methods are async."""
        return is_async(node.cls)

    def create(self, node: GraphNode) -> Node:
        """The node itself."""
        created = node.cls(node.params)
        created.backend = node.spec.backend
        return created
