"""Inline: nodes run in the session itself, called directly."""

from __future__ import annotations

from remotemedia.graph import GraphNode
from remotemedia.node import Node


class Inline:
    """The default executor."""

    def create(self, node: GraphNode) -> Node:
        """The node itself."""
        created = node.cls(node.params)
        created.backend = node.spec.backend
        return created
