"""The life of nodes: opening and closing them in order."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping

import msgspec

from remotemedia.caps import Caps, parse_caps
from remotemedia.clock import Clock, Timer
from remotemedia.errors import CapsMismatchError, NodeError, UnavailableError
from remotemedia.executors import find_executor
from remotemedia.negotiation import negotiate
from remotemedia.node import Context, Node
from remotemedia.plan import Plan
from remotemedia.session.failure import node_error
from remotemedia.session.parts import Elsewhere


def context(
    plan: Plan,
    node_id: str,
    clock: Clock,
    set_timer: Callable[..., Timer] | None = None,
    tell: Callable[..., None] | None = None,
) -> Context:
    """What a node is told when it opens; `tell` is `Session.tell`, or does as that."""
    node, inputs, outputs = plan.graph.nodes[node_id], plan.formats.inputs, plan.formats.outputs
    told = Context(
        node=node_id,
        clock=clock,
        inputs={port: inputs[node_id, port] for port in node.inputs},
        outputs={port: outputs[node_id, port] for port in node.outputs},
    )
    if set_timer is not None:
        told = msgspec.structs.replace(told, set_timer=set_timer)
    if tell is None:
        return told

    def progress(message: str, fraction: float | None = None) -> None:
        said = message if fraction is None else f"{message} ({fraction:.0%})"
        tell("progress", said, node_id, fraction=fraction)

    return msgspec.structs.replace(told, progress=progress, is_live=True)


async def open_node(node_id: str, node: Node, told: Context) -> None:
    """Open a node.

    Raises
    ------
    RemoteMediaError
        What it raised; a `NodeError` if that is none of ours.
    """
    try:
        waiting = node.open(told)
        if inspect.isawaitable(waiting):
            await waiting
    except Exception as error:
        wrapped = node_error(node_id, type(node).__name__, error)
        if wrapped is error:
            raise
        raise wrapped from error


def discover(plan: Plan, node_id: str, node: Node) -> Plan:
    """The plan with what a node that is open now says of its outputs.

    Raises
    ------
    CapsMismatchError
        That does not fit what is behind it, and no converters may be put there.
    NodeError
        It is nothing that the node declares.
    """
    if node.capabilities != "runtime_discovered":
        return plan
    known = plan.graph.nodes[node_id]
    outputs = dict(known.outputs)
    try:
        actual = {
            port: given if isinstance(given, Caps) else parse_caps(given)
            for port, given in (node.actual_formats() or {}).items()
        }
    except Exception as error:
        raise NodeError(
            f"node {node_id!r} ({known.node_type}): its actual_formats() cannot be used: "
            f"{type(error).__name__}: {error}",
            node=node_id,
        ) from error
    for port, caps in actual.items():
        both = outputs[port].intersect(caps) if port in outputs else None
        if both is None:
            declared = outputs.get(port, f"only {', '.join(outputs) or 'no ports'}")
            raise NodeError(
                f"node {node_id!r} ({known.node_type}) found {caps} for its output {port!r}, "
                f"but declares {declared}",
                node=node_id,
                port=port,
            )
        outputs[port] = both
    if outputs == known.outputs:
        return plan
    found = msgspec.structs.replace(known, outputs=outputs)
    graph = msgspec.structs.replace(plan.graph, nodes={**plan.graph.nodes, node_id: found})
    formats = negotiate(graph)
    if formats.problems and not plan.auto:
        raise CapsMismatchError("\n".join(problem.message for problem in formats.problems))
    unproven = formats.unproven | plan.formats.unproven  # a policy may hand on what is no output
    formats = msgspec.structs.replace(formats, unproven=unproven)
    return msgspec.structs.replace(plan, graph=graph, formats=formats)


def create_nodes(
    plan: Plan, order: Iterable[str], parts: Mapping[str, Elsewhere] | None = None
) -> dict[str, Node]:
    """The object that is called for each node, or stands for it.

    Raises
    ------
    UnavailableError
        Nodes whose executor is not on this host; names all of them.
    """
    nodes: dict[str, Node] = {}
    missing: list[str] = []
    for node_id in order:
        node = plan.graph.nodes[node_id]
        placement = plan.placements[node_id]
        try:
            if parts is not None and placement.executor in parts:
                nodes[node_id] = parts[placement.executor].node(node)
            else:
                nodes[node_id] = find_executor(placement.executor).create(node)
        except UnavailableError as error:
            missing.append(f"node {node_id!r}: {error}")
    if missing:
        raise UnavailableError("\n".join(missing))
    return nodes
