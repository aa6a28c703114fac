"""Plan: the negotiated, placed, compiled graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from remotemedia.errors import CapsMismatchError
from remotemedia.graph import Edge, Graph, GraphNode
from remotemedia.manifest import Policy
from remotemedia.manifest.model import AUTO
from remotemedia.negotiation import Formats, Reasoning, negotiate
from remotemedia.negotiation.handing_on import passing_through
from remotemedia.negotiation.union_find import merge, root
from remotemedia.node import is_async, is_source


class Placement(msgspec.Struct, frozen=True):
    """Where one node runs.

    Attributes
    ----------
    executor : str
        Name of its executor.
    is_async : bool
        Whether it stands alone between boundaries, in a task of its own. Where the session calls a
        proxy of a node, it always does.
    is_source : bool
        Whether it produces by itself.
    is_batched : bool
        Whether it waits for several items, and so stands alone.
    part : str
        The part of the plan that runs elsewhere, as a whole, to which it belongs: its
        ``@process_group``, or its id. Empty for what runs in the session itself.
    """

    executor: str
    is_async: bool
    is_source: bool
    is_batched: bool = False
    part: str = ""

    @property
    def in_island(self) -> bool:
        """Whether the node is called directly by the nodes before it."""
        return not (self.is_async or self.is_source or self.is_batched)


class Plan(msgspec.Struct, frozen=True, eq=False):
    """The negotiated, placed, compiled graph. Immutable; node state lives outside it.

    Attributes
    ----------
    graph : Graph
        What was planned.
    formats : Formats
        What every port carries.
    placements : mapping of node id to Placement
        Where every node runs.
    islands : tuple of tuple of str
        Every node once: connected synchronous nodes together, an async node or a source alone.
        Edges lead from earlier islands to later ones; ids are in topological order.
    outlets : frozenset of (node, port)
        Output ports whose packets the client receives.
    entries : tuple of (node, port)
        Where the client's data goes when it names no node: the inputs of nodes that nothing feeds.
    auto : bool
        Whether formats that only live data tell are adapted by converters.
    """

    graph: Graph
    formats: Formats
    placements: Mapping[str, Placement]
    islands: tuple[tuple[str, ...], ...]
    outlets: frozenset[tuple[str, str]]
    entries: tuple[tuple[str, str], ...]
    auto: bool = False

    @property
    def async_nodes(self) -> list[str]:
        """Nodes that need an event loop."""
        return [node for node, each in self.placements.items() if each.is_async or each.part]

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """The nodes of each part that runs elsewhere, in topological order."""
        found: dict[str, tuple[str, ...]] = {}
        for node in self.graph.order:
            part = self.placements[node].part
            if part:
                found[part] = (*found.get(part, ()), node)
        return found

    def explain(self) -> tuple[Reasoning, ...]:
        """For every edge, in the order of the manifest: what it carries, and why."""
        return tuple(self.formats.explain(edge) for edge in self.graph.edges)


def compile_plan(
    graph: Graph,
    *,
    auto: bool = False,
    in_parts: Callable[[str], bool] = lambda _: False,
    by_default: bool = False,
) -> Plan:
    """Negotiate formats, place nodes, and find the islands.

    Parameters
    ----------
    graph : Graph
        What is to run; converters that it needs have been inserted.
    auto : bool
        Adapt what only live data tell.
    in_parts : callable
        Whether the executor of that name runs parts of a plan, not one node by itself.
    by_default : bool
        Whether nodes of which the manifest does not say where they run may run where their type is
        made for; else they run inline.

    Raises
    ------
    CapsMismatchError
        Edges whose two ends share no format; names all of them, and the converters that would do.
        Or nodes with ``on_error: passthrough`` whose input does not fit what is behind them.
    """
    formats = negotiate(graph)
    if formats.problems:
        raise CapsMismatchError("\n".join(problem.message for problem in formats.problems))
    formats = checked(graph, formats)
    placements = {
        node_id: place(node, in_parts, by_default) for node_id, node in graph.nodes.items()
    }
    outlets: set[tuple[str, str]] = set()
    entries: list[tuple[str, str]] = []
    for node_id, node in graph.nodes.items():
        connected = {edge.source_port for edge in graph.outgoing(node_id)}
        for port in node.outputs:
            if node.spec.is_output_node or port not in connected:
                outlets.add((node_id, port))
        if not graph.incoming(node_id) and not placements[node_id].is_source:
            entries.extend((node_id, port) for port in node.inputs)
    return Plan(
        graph=graph,
        formats=formats,
        placements=placements,
        islands=find_islands(graph, placements),
        outlets=frozenset(outlets),
        entries=tuple(entries),
        auto=auto,
    )


def checked(graph: Graph, formats: Formats, default: Policy | None = None) -> Formats:
    """The formats, if nodes that hand on what they fail on can do so; what may not fit is checked.

    Parameters
    ----------
    graph : Graph
    formats : Formats
    default : Policy, optional
        Of nodes that have none of their own.

    Raises
    ------
    CapsMismatchError
        Names the nodes that cannot.
    """
    problems, unsure = passing_through(graph, formats, default)
    if problems:
        raise CapsMismatchError("\n".join(problem.message for problem in problems))
    if not unsure:
        return formats
    return msgspec.structs.replace(formats, unproven=formats.unproven | unsure)


def place(node: GraphNode, in_parts: Callable[[str], bool], by_default: bool = False) -> Placement:
    """Where a node runs, and how it is called there; see `compile_plan`."""
    executor, policy = node.executor, node.spec.policy
    if node.spec.executor == AUTO and not (by_default and in_parts(executor)):
        executor = "inline"
    elsewhere = executor != "inline"
    part = _part_of(node) if elsewhere and in_parts(executor) else ""
    if executor == "worker":  # the same, said for a page
        executor = "process"
    return Placement(
        executor,
        (elsewhere and not part) or is_async(node.cls),
        is_source(node.cls),
        policy is not None and policy.batch is not None,
        part,
    )


def _part_of(node: GraphNode) -> str:
    group = node.spec.process_group
    return node.id if group is None else f"@{group}"  # no id looks like that


def find_islands(graph: Graph, placements: Mapping[str, Placement]) -> tuple[tuple[str, ...], ...]:
    """Group nodes that call each other directly.

    A node's level is the largest number of boundaries on any way to it. Nodes of one level that
    are connected without a boundary make an island. An edge between two levels is a boundary even
    if it need not be one by itself: so no two islands ever wait for each other.
    """
    levels: dict[str, int] = {}
    parent: dict[str, str] = {}
    for node in graph.order:
        levels[node] = max(
            (levels[edge.source] + _is_boundary(edge, placements) for edge in graph.incoming(node)),
            default=0,
        )
        for edge in graph.incoming(node):
            if not _is_boundary(edge, placements) and levels[edge.source] == levels[node]:
                merge(parent, edge.source, node)
    groups: dict[str, list[str]] = {}
    for node in graph.order:
        groups.setdefault(root(parent, node), []).append(node)
    order = sorted(groups.values(), key=lambda members: levels[members[0]])
    return tuple(tuple(members) for members in order)


def _is_boundary(edge: Edge, placements: Mapping[str, Placement]) -> bool:
    source, target = placements[edge.source], placements[edge.target]
    together = source.in_island and target.in_island and source.part == target.part
    return edge.queue is not None or not together
