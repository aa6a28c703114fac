"""Addresses: where data that the client sends goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from remotemedia.caps import Caps
from remotemedia.data import DATA_TYPES, Data
from remotemedia.errors import AddressError, FormatError, RemoteMediaError, nearest
from remotemedia.graph import GraphNode
from remotemedia.plan import Plan
from remotemedia.session.adapter import find_chain
from remotemedia.session.guard import describe, make_guard, refuse

_REMEMBERED = 64  # formats


class Entry(NamedTuple):
    """An input port that the client sends to.

    Attributes
    ----------
    node, port : str
        Which.
    caps : Caps
        What it accepts.
    accepts : callable
        The quick check of one item.
    """

    node: str
    port: str
    caps: Caps
    accepts: Callable[[Data], bool]


def find_entries(plan: Plan, to: str | None) -> tuple[Entry, ...]:
    """The ports that ``"node"``, ``"node:port"`` or None (all that nothing feeds) means.

    Raises
    ------
    AddressError
        No such node or port; names the nearest, or those that there are.
    """
    if to is None:
        return tuple(_entry(plan, node, port) for node, port in plan.entries)
    node_id, _, port = to.partition(":")
    node = known_node(plan, node_id)
    ports = list(node.inputs)
    if not ports:
        raise AddressError(f"{node_id!r} ({node.node_type}) is a source: nothing can be sent to it")
    if port and port not in ports:
        hint = nearest(port, ports) or f" (ports: {', '.join(ports)})"
        raise AddressError(
            f"{node_id!r} ({node.node_type}) has no input port {port!r}{hint}", node=node_id
        )
    return (_entry(plan, node_id, port or ports[0]),)


def known_node(plan: Plan, node_id: str) -> GraphNode:
    """The node of that id.

    Raises
    ------
    AddressError
        There is none; names the nearest, or those that there are.
    """
    node = plan.graph.nodes.get(node_id)
    if node is None:
        hint = nearest(node_id, plan.graph.nodes) or f" (nodes: {', '.join(plan.graph.nodes)})"
        raise AddressError(f"there is no node {node_id!r}{hint}")
    return node


def misfit(plan: Plan, node_id: str, port: str, is_output: bool, data: Data) -> FormatError | None:
    """What is wrong with data that are put in at a port; None if they fit.

    Inputs that check what they are given do that themselves.
    """
    node, checked = plan.graph.nodes[node_id], plan.formats.unproven
    if not is_output:
        place = node_id, port
        adapts = plan.auto and (place in checked or place in plan.entries)
        accepted = [] if adapts else [(*place, node.inputs[port])]
    else:
        accepted = [(node_id, port, node.outputs[port])]
        for edge in plan.graph.outgoing(node_id):
            place = edge.target, edge.target_port
            if edge.source_port == port and place not in checked:
                accepted.append((*place, plan.graph.nodes[edge.target].inputs[place[1]]))
    for of_node, of_port, caps in accepted:
        if not caps.accepts(data):
            return refuse(data, caps, of_node, of_port)
    return None


def refusal(data: object, entries: tuple[Entry, ...]) -> RemoteMediaError:
    """The error for something that none of the entries accepts."""
    if data.__class__ not in DATA_TYPES:
        return AddressError(
            f"a {type(data).__name__} cannot be sent: wrap it, e.g. "
            "Audio(samples, sample_rate), Text(...), Json(...)"
        )
    assert isinstance(data, Data)  # noqa: S101 - for the type checker
    if not entries:
        return AddressError("this graph takes no input: all its nodes are fed by sources")
    same_media = [
        entry
        for entry in entries
        if any(item.media == data.media for item in entry.caps.formats or ())
    ]
    if same_media:
        return refuse(data, same_media[0].caps, same_media[0].node, same_media[0].port)
    ports = "; ".join(f"{entry.node}:{entry.port} accepts {entry.caps}" for entry in entries)
    return AddressError(f"nothing here accepts {data.media}: {ports}")


def _entry(plan: Plan, node_id: str, port: str) -> Entry:
    node = plan.graph.nodes[node_id]
    caps = node.inputs[port]
    accepts = make_guard(caps)
    return Entry(node_id, port, caps, _or_adapted(accepts, caps) if plan.auto else accepts)


def _or_adapted(accepts: Callable[[Data], bool], caps: Caps) -> Callable[[Data], bool]:
    """Whether converters can make an item acceptable, if it is not."""
    known: dict[Caps, bool] = {}

    def adaptable(data: Data) -> bool:
        if accepts(data):
            return True
        if data.__class__ not in DATA_TYPES:
            return False
        given = describe(data)
        if given not in known:
            if len(known) >= _REMEMBERED:
                known.clear()
            known[given] = find_chain(given, caps) is not None
        return known[given]

    return adaptable
