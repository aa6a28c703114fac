"""Wiring: from a plan to the steps, chains and links of one island."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from remotemedia.caps import Caps
from remotemedia.data import Audio, Data
from remotemedia.graph import Edge
from remotemedia.node import Node
from remotemedia.plan import Plan
from remotemedia.session.adapter import Adapter, adapted, each_output, outputs_of
from remotemedia.session.chain import Chain, Link, Step
from remotemedia.session.guard import describe, make_guard, refuse

MAX_CHAIN = 64  # steps; keeps the memory of chains linear in the size of the graph

Arrival = tuple[str, str]
"""Node id and input port."""


class Wiring:
    """Steps, chains and links of one island.

    Parameters
    ----------
    plan : Plan
        The plan.
    members : sequence of str
        Nodes of the island, in topological order.
    nodes : mapping of node id to Node
        What is called.
    client : callable
        Makes the outlet of an output port whose packets the client receives.
    boundary : callable
        Makes the outlet of an edge that leaves the island.
    inside : callable, optional
        Tells whether an edge stays in the island; by default, if both ends are members and it has
        no queue.

    Attributes
    ----------
    steps : dict of node id to Step
    arrivals : dict of (node, port) to Chain
    links : dict of Edge to Link
        Of edges that have a link of their own. An edge in the middle of a chain has none: its
        count is that of the calls of its target.
    client_links : dict of (node, port) to Link
    """

    def __init__(
        self,
        plan: Plan,
        members: Sequence[str],
        nodes: Mapping[str, Node],
        client: Callable[[str, str], Any],
        boundary: Callable[[Edge], Any],
        inside: Callable[[Edge], bool] | None = None,
    ) -> None:
        self.steps: dict[str, Step] = {}
        self.arrivals: dict[Arrival, Chain] = {}
        self.links: dict[Edge, Link] = {}
        self.client_links: dict[Arrival, Link] = {}
        here = frozenset(members)
        for node_id in reversed(members):
            spec = plan.graph.nodes[node_id]
            ports = list(spec.outputs)
            step = self.steps[node_id] = Step(node_id, nodes[node_id], ports)
            follower = None
            for port in ports:
                links: list[Link] = []
                if (node_id, port) in plan.outlets:
                    link = self.client_links[node_id, port] = Link(outlet=client(node_id, port))
                    links.append(link)
                for edge in plan.graph.outgoing(node_id):
                    if edge.source_port != port:
                        continue
                    stays = inside(edge) if inside else edge.queue is None and edge.target in here
                    if stays:
                        link = Link(chain=self.arrivals[edge.target, edge.target_port])
                        follower = edge
                    else:
                        link = Link(outlet=boundary(edge))
                    self.links[edge] = link
                    links.append(link)
                step.routes[port] = tuple(links)
            joined = self._joinable(plan, step, follower)
            inputs = spec.inputs
            for port, caps in inputs.items():
                call = _call(step, port, len(inputs) > 1)
                if _wants_to_know(step.node):
                    call = _watched(call, step, port)
                entered = plan.auto and (node_id, port) in plan.entries
                if (node_id, port) in plan.formats.unproven or entered:
                    call = _checked(call, step, port, caps, plan.auto)
                if joined is None:
                    chain = Chain((step,), (call,))
                else:
                    chain = Chain((step, *joined.steps), (call, *joined.calls))
                self.arrivals[node_id, port] = chain
            if joined is not None and follower is not None:
                del self.links[follower]

    def tail(self, step: Step) -> Any:
        """The end of a synchronous node's input: what its adapters hold, then what it holds."""
        held = [(port, adapter.finish()) for port, adapter in step.adapters.items()]
        if not any(items for _, items in held):
            return step.node.finish()
        return self._tail(step, held)

    def _tail(self, step: Step, held: list[tuple[str, list[Data]]]) -> Iterator[Any]:
        failed: BaseException | None = None
        for port, items in held:
            call = self.arrivals[step.id, port].calls[0]  # the adapter has nothing to do any more
            try:
                yield from each_output(items, call)
            except Exception as error:
                failed = failed or error
        yield from outputs_of(step.node.finish())
        if failed is not None:
            raise failed

    def __del__(self) -> None:
        """Cut the links: freed by following them, a long graph would overflow the C stack.

        Pyodide has room for some two thousand nodes.
        """
        for step in self.steps.values():
            step.routes = {}
        for chain in self.arrivals.values():
            chain.link = None
            chain.links = ()

    def _joinable(self, plan: Plan, step: Step, follower: Edge | None) -> Chain | None:
        """The chain that can be called in one loop with this step, if there is one."""
        links = step.routes.get(step.default, ())
        if follower is None or len(step.routes) != 1 or len(links) != 1:
            return None
        if len(plan.graph.incoming(follower.target)) != 1:
            return None
        if inspect.isgeneratorfunction(step.node.process):
            return None
        chain = links[0].chain
        return chain if chain is not None and len(chain.steps) < MAX_CHAIN else None


def _call(step: Step, port: str, several: bool) -> Callable[[Data], Any]:
    process: Callable[..., Any] = step.node.process
    if not several:
        return process

    def call(data: Data) -> Any:
        return process(data, port)

    call.__wrapped__ = process  # type: ignore[attr-defined]
    return call


def _wants_to_know(node: Node) -> bool:
    return type(node).reconfigure is not Node.reconfigure


def _watched(call: Callable[[Data], Any], step: Step, port: str) -> Callable[[Data], Any]:
    """The call of a node that is told when the format of a port changes."""
    last: tuple[object, ...] = ()

    def watched(data: Data) -> Any:
        nonlocal last
        if data.__class__ is Audio:
            samples = data.samples
            now: tuple[object, ...] = (data.sample_rate, samples.dtype, len(samples))
        else:
            now = (data.__class__, *map(str, data.caps_fields().items()))
        if now != last:
            if last and step.context is not None:
                inputs = {**step.context.inputs, port: describe(data)}
                step.context = msgspec.structs.replace(step.context, inputs=inputs)
                step.node.reconfigure(step.context)
            last = now
        return call(data)

    watched.__wrapped__ = call  # type: ignore[attr-defined]
    return watched


def _checked(
    call: Callable[[Data], Any], step: Step, port: str, caps: Caps, auto: bool
) -> Callable[[Data], Any]:
    """The call of a port that may be given what it does not accept."""
    if auto:
        adapter = step.adapters[port] = Adapter(step.id, port, caps, step.clock)
        return adapted(call, adapter)
    accepts = make_guard(caps)

    def checked(data: Data) -> Any:
        if accepts(data):
            return call(data)
        raise refuse(data, caps, step.id, port)

    return checked
