"""run_node: leads one node through its life as a session does, on a virtual clock."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from remotemedia.clock import Clock
from remotemedia.errors import NodeError
from remotemedia.graph import Graph
from remotemedia.manifest import Manifest, NodeSpec
from remotemedia.manifest.model import ID_PATTERN, MediaCapabilities, Policy
from remotemedia.node import Node, NodeParams, broken_contract, make_params
from remotemedia.plan import compile_plan
from remotemedia.registry import Registry, default_registry
from remotemedia.session.session import Session
from remotemedia.testing.clock import VirtualClock
from remotemedia.testing.given import Given
from remotemedia.testing.node_result import NodeResult
from remotemedia.testing.one_node import OneNode


def run_node(
    node: str | type[Node] | Node,
    inputs: Iterable[Given] = (),
    *,
    clock: VirtualClock | None = None,
    params: NodeParams | Mapping[str, object] | None = None,
    backend: str | None = None,
    policy: Policy | Mapping[str, object] | None = None,
    input_formats: Mapping[str, str] | None = None,
    output_formats: Mapping[str, str] | None = None,
    real_time: bool = False,
    limit: int | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    **fields: object,
) -> NodeResult:
    """Open a node, give it all inputs, finish it, close it; gives what came out.

    It runs in a real `Session` on a graph of this one node: as in production, that is, for nodes
    that are synchronous, asynchronous, generators or sources, with several ports, with timers.

    Parameters
    ----------
    node : str, type of Node, or Node
        A node type, a class (which need not be registered), or a node that was made already.
    inputs : iterable
        Data; ``("port", data)`` or `Emit` where there are several input ports; in between `Pause`
        and `Interrupt`.
    clock : VirtualClock, optional
        By default a new one. In a coroutine use `arun_node`.
    params : Params or mapping, optional
        Its parameters.
    backend : str, optional
        What it computes with.
    policy : Policy or mapping, optional
        As in a manifest: ``{"timeout_ms": 50, "retry": {"attempts": 3}}``.
    input_formats, output_formats : mapping of port to str, optional
        What was negotiated, as caps in text form, within what the node declares: `open` is told.
    real_time : bool
        Give each item no sooner than its `pts_us` says, counted from the first that has one, as a
        live source does. By default no time passes but in a `Pause`.
    limit : int, optional
        Stop after so many outputs: for a source that does not end. Its `finish` is not called then.
    on_error : str
        ``raise`` stops at the first item that the node fails on; ``skip`` goes on without it, and
        `NodeResult.errors` has them.
    **fields
        The parameters one by one.

    Raises
    ------
    ParamsError, NodeError, UnavailableError
        There can be no such node.
    AddressError, FormatError
        A port does not exist, or accepts or declares other formats.
    NodeError
        It raised something, which is the `__cause__`, or returned what is no data. The notes of
        the error name the input.
    DeadlockError
        It waits for something that never comes.

    Examples
    --------
    >>> from remotemedia.testing import run_node, signals
    >>> result = run_node("Gain", signals.blocks(signals.tone(440, 1), ms=20), gain_db=-6.0206)
    >>> round(float(result.audio().samples.max()), 3)
    0.25
    """
    clock = clock or VirtualClock()
    return clock.run(
        arun_node(
            node,
            inputs,
            clock=clock,
            params=params,
            backend=backend,
            policy=policy,
            input_formats=input_formats,
            output_formats=output_formats,
            real_time=real_time,
            limit=limit,
            on_error=on_error,
            **fields,
        )
    )


async def arun_node(
    node: str | type[Node] | Node,
    inputs: Iterable[Given] = (),
    *,
    clock: Clock,
    params: NodeParams | Mapping[str, object] | None = None,
    backend: str | None = None,
    policy: Policy | Mapping[str, object] | None = None,
    input_formats: Mapping[str, str] | None = None,
    output_formats: Mapping[str, str] | None = None,
    real_time: bool = False,
    limit: int | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    **fields: object,
) -> NodeResult:
    """As `run_node`, in a coroutine, and on any clock."""
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error is 'raise' or 'skip', not {on_error!r}")
    if limit is not None and limit < 1:
        raise ValueError(f"limit is at least 1 output, not {limit}")
    formats = MediaCapabilities(
        inputs=dict(input_formats or {}), outputs=dict(output_formats or {})
    )
    spec = NodeSpec(
        id="node",
        node_type="",
        backend=backend,
        policy=msgspec.convert(policy, Policy) if isinstance(policy, Mapping) else policy,
        media_capabilities=formats if formats.inputs or formats.outputs else None,
    )
    graph = _graph_of(node, params, fields, spec)
    session = Session(compile_plan(graph), clock=clock)
    return await OneNode(session, clock, on_error == "raise").run(inputs, real_time, limit)


def _graph_of(
    node: str | type[Node] | Node,
    params: NodeParams | Mapping[str, object] | None,
    fields: Mapping[str, object],
    spec: NodeSpec,
) -> Graph:
    """A graph of the node alone; `spec` says what is not the node's own."""
    registry = default_registry()
    if isinstance(node, str):
        name, cls = node, registry.find(node)
    else:
        if isinstance(node, Node):
            if params is not None or fields:
                raise NodeError(f"{type(node).__name__} was made with its parameters already")
            params = node.params
            spec = msgspec.structs.replace(spec, backend=spec.backend or node.backend)
            cls = _class_giving(node)
        else:
            cls = node
        problem = broken_contract(cls)
        if problem:
            raise NodeError(f"run_node cannot run {cls!r}: {problem}")
        name = cls.__name__
        registry = Registry({}, {})
        registry.add(name, cls)
    if isinstance(params, NodeParams):
        if fields or not isinstance(params, cls.Params):
            cls(params, **fields)  # raises, and says why
        made = params
    else:
        made = make_params(cls, {**(params or {}), **fields})
    spec = msgspec.structs.replace(
        spec,
        id=name if re.match(ID_PATTERN, name) else "node",
        node_type=name,
        params={field: getattr(made, field) for field in made.__struct_fields__},
    )
    return Graph.build(Manifest(nodes=(spec,)), registry)


def _class_giving(node: Node) -> type[Node]:
    """A class whose only instance is there already: what a session makes is that node."""
    kind = type(node)
    body: dict[str, object] = {"__new__": lambda *_, **__: node}
    if "input_caps" in kind.__dict__:  # a source that does not declare its inputs has none
        body["input_caps"] = kind.input_caps
    return type(kind.__name__, (kind,), body)
