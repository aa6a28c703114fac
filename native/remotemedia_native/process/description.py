"""Descriptions: a part of a plan as plain data, and the plan that is made of it elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from remotemedia.caps import Caps, parse_caps
from remotemedia.errors import NodeError
from remotemedia.graph import Edge, Graph, GraphNode
from remotemedia.manifest import NodeSpec, Queue
from remotemedia.negotiation import Formats, Reasoning
from remotemedia.node import Node, make_params
from remotemedia.plan import Placement, Plan, place
from remotemedia_native.process.messages import EdgeEntry, Host, NodeEntry

FindClass = Callable[[str, str, str], type[Node]]
"""Finds a class by its module, its name there, and its node type."""


def describe_node(plan: Plan, node_id: str) -> NodeEntry:
    """A node of a plan.

    Raises
    ------
    NodeError
        It has no name by which another process could find it, or its parameters have no form
        outside of this one.
    """
    node, formats = plan.graph.nodes[node_id], plan.formats
    name = node.cls.__qualname__
    if "<locals>" in name:
        raise NodeError(
            f"node {node_id!r} ({node.node_type}) cannot run in another process: its class "
            f"{name} is made inside a function, where that cannot find it; move it to a module",
            node=node_id,
        )
    return NodeEntry(
        node_id,
        node.node_type,
        node.cls.__module__,
        name,
        plain_params(node_id, node.params),
        _plain(node_id, "its entry in the manifest", node.spec),
        _texts(node.inputs),
        _texts(node.outputs),
        {port: str(formats.inputs[node_id, port]) for port in node.inputs},
        {port: str(formats.outputs[node_id, port]) for port in node.outputs},
    )


def plain_params(node_id: str, params: object) -> dict[str, Any]:
    """Parameters as plain data.

    Raises
    ------
    NodeError
        A value that has no plain form.
    """
    return _plain(node_id, "its parameters", params)


def _plain(node_id: str, what: str, value: object) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = msgspec.to_builtins(value)
        msgspec.msgpack.encode(plain)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NodeError(
            f"node {node_id!r} cannot run in another process: {what} cannot be sent there: {error}",
            node=node_id,
        ) from error
    return plain


def describe_edge(edge: Edge) -> EdgeEntry:
    """An edge."""
    queue = msgspec.to_builtins(edge.queue) if edge.queue is not None else None
    return EdgeEntry(edge.source, edge.source_port, edge.target, edge.target_port, queue)


def edges_of(plan: Plan, members: Iterable[str]) -> list[EdgeEntry]:
    """The edges that end in some nodes, in the order of the plan."""
    here = frozenset(members)
    return [describe_edge(edge) for edge in plan.graph.edges if edge.target in here]


def rebuild(host: Host, find_class: FindClass) -> tuple[Plan, tuple[Edge, ...]]:
    """The plan of a part, and the edges that come into it from elsewhere.

    Raises
    ------
    RemoteMediaError
        A class that is not there, or parameters that it does not accept.
    """
    nodes = {entry.id: _node(entry, index, find_class) for index, entry in enumerate(host.nodes)}
    edges = tuple(
        Edge(
            each.source,
            each.source_port,
            each.target,
            each.target_port,
            msgspec.convert(each.queue, Queue) if each.queue is not None else None,
            (),
        )
        for each in host.edges
    )
    inner = tuple(edge for edge in edges if edge.source in nodes)
    placements = {node_id: _placement(node) for node_id, node in nodes.items()}
    plan = Plan(
        graph=_graph(nodes, inner, edges),
        formats=_formats(host),
        placements=placements,
        islands=tuple(map(tuple, host.islands)),
        outlets=frozenset(map(tuple, host.outlets)),  # type: ignore[arg-type]
        entries=tuple(map(tuple, host.entries)),  # type: ignore[arg-type]
        auto=host.auto,
    )
    return plan, tuple(edge for edge in edges if edge.source not in nodes)


def _node(entry: NodeEntry, index: int, find_class: FindClass) -> GraphNode:
    cls = find_class(entry.module, entry.name, entry.node_type)
    return GraphNode(
        entry.id,
        entry.node_type,
        cls,
        make_params(cls, entry.params, entry.id),
        msgspec.convert(entry.spec, NodeSpec),
        index,
        _caps(entry.inputs),
        _caps(entry.outputs),
    )


def _placement(node: GraphNode) -> Placement:
    placement = place(node, lambda _: True)
    return msgspec.structs.replace(placement, executor="inline", part="")


def _graph(nodes: dict[str, GraphNode], inner: tuple[Edge, ...], edges: tuple[Edge, ...]) -> Graph:
    outgoing: dict[str, tuple[Edge, ...]] = defaultdict(tuple)
    incoming: dict[str, tuple[Edge, ...]] = defaultdict(tuple)
    for edge in inner:
        outgoing[edge.source] += (edge,)
    for edge in edges:  # those from elsewhere, too: what they bring is no follower's only input
        incoming[edge.target] += (edge,)
    order = tuple(nodes)
    sources = tuple(node for node in order if node not in incoming)
    sinks = tuple(node for node in order if node not in outgoing)
    return Graph(nodes, inner, order, sources, sinks, dict(outgoing), dict(incoming))


def _formats(host: Host) -> Formats:
    return Formats(
        {(e.id, port): parse_caps(text) for e in host.nodes for port, text in e.carried_in.items()},
        {
            (e.id, port): parse_caps(text)
            for e in host.nodes
            for port, text in e.carried_out.items()
        },
        {},
        frozenset(map(tuple, host.unproven)),  # type: ignore[arg-type]
        (),
        _no_reasons,
    )


def _no_reasons(edge: Edge) -> Reasoning:
    raise KeyError(edge)


def _texts(ports: Mapping[str, Caps]) -> dict[str, str]:
    return {port: str(caps) for port, caps in ports.items()}


def _caps(texts: Mapping[str, str]) -> dict[str, Caps]:
    return {port: parse_caps(text) for port, text in texts.items()}
