"""Trouble: what does not fit, in words: both sides, the field, and the way that a value came."""

from __future__ import annotations

from typing import NamedTuple

from remotemedia.caps import Caps, differing_fields
from remotemedia.graph import Edge, Graph, GraphNode
from remotemedia.manifest.tree import Path
from remotemedia.negotiation.cells import Cell, is_opaque
from remotemedia.negotiation.suggestion import differences


class Trouble(NamedTuple):
    """What does not fit.

    Attributes
    ----------
    message : str
        Both sides, and the field; without the fix.
    edge : Edge or None
        The connection to blame.
    cell : Cell
        A port that the formats in dispute go through.
    path : tuple
        Its place in the manifest.
    produced, accepted : Caps or None
        What meets what at that connection.
    """

    message: str
    edge: Edge | None
    cell: Cell
    path: Path
    produced: Caps | None = None
    accepted: Caps | None = None


def mismatch(graph: Graph, edge: Edge, produced: Caps, accepted: Caps) -> Trouble:
    source, target = graph.nodes[edge.source], graph.nodes[edge.target]
    message = (
        f"{edge.source}:{edge.source_port} ({source.node_type}) produces {produced}, "
        f"but {edge.target}:{edge.target_port} ({target.node_type}) accepts {accepted}"
        f"{_by_manifest(target, edge.target_port)}: "
        f"{differences(produced, accepted)}{_origins(graph, edge, produced, accepted)}"
    )
    cell: Cell = (edge.source, edge.source_port, True)
    return Trouble(message, edge, cell, edge.path, produced, accepted)


def _by_manifest(node: GraphNode, port: str) -> str:
    """Says so if what a port accepts is narrowed in the manifest."""
    override = node.spec.media_capabilities
    if override is None or not ({port, "default"} & override.inputs.keys()):
        return ""
    return ", as its media_capabilities say"


def _origins(graph: Graph, edge: Edge, produced: Caps, accepted: Caps) -> str:
    """Where the fields come from that do not fit, if not from the node before."""
    found = []
    for name in _disputed(produced, accepted):
        source, through = _origin(graph, edge, name)
        if through:
            node = graph.nodes[source.source]
            found.append(
                f"; its {name} comes from {source.source}:{source.source_port} "
                f"({node.node_type}), through {', '.join(through)}"
            )
    return "".join(found)


def _disputed(produced: Caps, accepted: Caps) -> list[str]:
    """The fields in which the first alternatives of one media type differ."""
    for given in produced.formats or ():
        for goal in accepted.formats or ():
            if given.media == goal.media:
                return [name for name, _, _ in differing_fields(given, goal)]
    return []


def _origin(graph: Graph, edge: Edge, field: str) -> tuple[Edge, list[str]]:
    """The connection by which a field's value first came, and the nodes that handed it on."""
    through: list[str] = []
    while True:
        node = graph.nodes[edge.source]
        if is_opaque(node):
            return edge, through
        kept = next(
            (
                relation.other
                for relation in node.cls.port_relations(node.params)
                if relation.port == edge.source_port
                and ((not relation.field and field not in relation.but) or relation.field == field)
            ),
            None,
        )
        before = next((one for one in graph.incoming(node.id) if one.target_port == kept), None)
        if kept is None or before is None:
            return edge, through
        through.insert(0, node.id)
        edge = before
