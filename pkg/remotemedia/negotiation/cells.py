"""Cells: the ports of a graph, each side by itself; and what their nodes say of them."""

from __future__ import annotations

from collections.abc import Mapping

from remotemedia.caps import Caps
from remotemedia.errors import CapsError, NegotiationLimitError
from remotemedia.graph import GraphNode
from remotemedia.node import Node

Port = tuple[str, str]
"""Node id and port."""
Cell = tuple[str, str, bool]
"""Node id, port, and whether it is an output port."""


def cell_of(node: GraphNode, port: str) -> Cell:
    """The cell that a relation of a node means by a name."""
    return node.id, port, port in node.outputs and port not in node.inputs


def is_trusted(node: GraphNode) -> bool:
    """Whether what a node declares is what it will do: one of ours, whose formats are known."""
    cls = node.cls
    module = cls.__module__ or ""  # None for a function of source that was only executed
    return module.startswith("remotemedia.") and cls.capabilities != "runtime_discovered"


def output_formats_of(node: GraphNode, inputs: Mapping[str, Caps]) -> Mapping[str, Caps]:
    try:
        found = node.cls.output_formats(node.params, inputs)
        if all(isinstance(caps, Caps) for caps in found.values()):
            return found
    except NegotiationLimitError:
        raise
    except Exception as error:
        raise CapsError(
            f"node {node.id!r} ({node.node_type}): its output_formats() raised "
            f"{type(error).__name__}: {error}",
            node=node.id,
        ) from error
    raise CapsError(
        f"node {node.id!r} ({node.node_type}): its output_formats() gave {found!r:.100}: "
        "it has to give Caps by port",
        node=node.id,
    )


def follows_inputs(node: GraphNode) -> bool:
    """Whether the outputs depend on the inputs."""
    cls = node.cls
    return (
        cls.capabilities == "passthrough"
        or bool(cls.relations)
        or cls.port_relations.__func__ is not Node.port_relations.__func__  # type: ignore[attr-defined]
        or is_opaque(node)
    )


def is_opaque(node: GraphNode) -> bool:
    """Whether the outputs follow from the inputs by a rule of the node's own."""
    return node.cls.output_formats.__func__ is not Node.output_formats.__func__  # type: ignore[attr-defined]
