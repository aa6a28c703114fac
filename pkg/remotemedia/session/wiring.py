"""Wiring: from a plan to the steps, chains and links of one island."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from remotemedia.caps import ANY
from remotemedia.data import Data
from remotemedia.graph import Edge
from remotemedia.node import Node
from remotemedia.plan import Plan
from remotemedia.session.call import (
    Call,
    Port,
    can_wake,
    compose,
    process_of,
    publish_of,
    tail_of,
    wake_of,
)
from remotemedia.session.chain import Chain, Link, Step
from remotemedia.session.results import each_output, outputs_of
from remotemedia.session.timers import OUT, WAKE

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
    steps : mapping of node id to Step, optional
        Those that there are already, when a running graph is changed.
    prepare : callable, optional
        Gives a new step its policies.

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
        steps: Mapping[str, Step] | None = None,
        prepare: Callable[[Step], None] | None = None,
    ) -> None:
        self.steps: dict[str, Step] = {}
        self.arrivals: dict[Arrival, Chain] = {}
        self.links: dict[Edge, Link] = {}
        self.client_links: dict[Arrival, Link] = {}
        self._plan = plan
        self._calls: dict[Arrival, tuple[Port, Call]] = {}
        here = frozenset(members)

        def stays(edge: Edge) -> bool:
            return inside(edge) if inside else edge.queue is None and edge.target in here

        for node_id in reversed(members):
            step = steps.get(node_id) if steps else None
            if step is None:
                step = Step(node_id, nodes[node_id], list(plan.graph.nodes[node_id].outputs))
                if prepare is not None:
                    prepare(step)
            self.steps[node_id] = step
            follower = self._set_routes(step, client, boundary, stays)
            self._set_arrivals(step, follower)

    def _set_routes(
        self,
        step: Step,
        client: Callable[[str, str], Any],
        boundary: Callable[[Edge], Any],
        stays: Callable[[Edge], bool],
    ) -> Edge | None:
        """Where the items of each output port go; gives the last edge that stays in the island."""
        plan, node_id = self._plan, step.id
        follower = None
        for port in plan.graph.nodes[node_id].outputs:
            links: list[Link] = []
            if (node_id, port) in plan.outlets:
                link = self.client_links[node_id, port] = Link(
                    node_id, outlet=client(node_id, port)
                )
                links.append(link)
            for edge in plan.graph.outgoing(node_id):
                if edge.source_port != port:
                    continue
                if stays(edge):
                    link = Link(node_id, chain=self.arrivals[edge.target, edge.target_port])
                    follower = edge
                else:
                    link = Link(node_id, outlet=boundary(edge))
                self.links[edge] = link
                links.append(link)
            step.routes[port] = tuple(links)
        return follower

    def _set_arrivals(self, step: Step, follower: Edge | None) -> None:
        """What an item runs through that arrives at each input port."""
        joined = self._joinable(step, follower)
        for port in self._ports(step):
            call = compose(step, port)
            self._calls[step.id, port.name] = port, call
            if joined is None:
                chain = Chain((step,), (call,))
            else:
                chain = Chain((step, *joined.steps), (call, *joined.calls))
            self.arrivals[step.id, port.name] = chain
        if joined is not None and follower is not None:
            del self.links[follower]

    def _ports(self, step: Step) -> Iterator[Port]:
        plan, node = self._plan, step.node
        inputs = plan.graph.nodes[step.id].inputs
        for name, caps in inputs.items():
            place = step.id, name
            checked = place in plan.formats.unproven or (plan.auto and place in plan.entries)
            process = process_of(node, name, len(inputs) > 1)
            yield Port(name, caps, process, checked, plan.auto)
        if can_wake(step):
            yield Port(WAKE, ANY, wake_of(step))
        for name in step.published:
            yield Port(OUT + name, ANY, publish_of(step, name))

    def publish(self, step: Step, name: str) -> Chain:
        """What an item runs through that is put in behind an output port."""
        step.published.add(name)
        port = Port(OUT + name, ANY, publish_of(step, name))
        call = compose(step, port)
        self._calls[step.id, port.name] = port, call
        chain = self.arrivals[step.id, port.name] = Chain((step,), (call,))
        return chain

    def recompose(self, step: Step) -> None:
        """Call the node as things are now; at any time, even while it is being called."""
        changed: dict[Call, Call] = {}
        for (node_id, name), (port, call) in self._calls.items():
            if node_id == step.id:
                changed[call] = now = compose(step, port)
                self._calls[node_id, name] = port, now
        for chain in self.arrivals.values():
            chain.swap(changed)

    def tail(self, step: Step) -> Any:
        """The end of a synchronous node's input: what its adapters hold, then what it holds."""
        if step.timers is not None:
            step.timers.clear()
        return tail_of(self._own_tail(step), step)

    def _own_tail(self, step: Step) -> Any:
        held = [(port, adapter.finish()) for port, adapter in step.adapters.items()]
        if step.outer is None and not any(items for _, items in held):
            return step.node.finish()
        return self._tail(step, held)

    def _tail(self, step: Step, held: list[tuple[str, list[Data]]]) -> Iterator[Any]:
        failed: BaseException | None = None
        for port, items in held:
            call = self.arrivals[step.id, port].calls[0]  # the adapter has nothing to do any more
            try:
                yield from each_output((call, item) for item in items)
            except Exception as error:
                failed = failed or error
        if step.outer is not None:
            try:
                yield from outputs_of(step.outer.finish())
            except Exception as error:
                failed = failed or error
        yield from outputs_of(step.node.finish())
        if failed is not None:
            raise failed

    def hand_over(self) -> None:
        """Another wiring has these steps now."""
        self.steps = {}

    def __del__(self) -> None:
        """Cut the links: freed by following them, a long graph would overflow the C stack.

        Pyodide has room for some two thousand nodes.
        """
        for step in self.steps.values():
            step.routes = {}
        for chain in self.arrivals.values():
            chain.link = None
            chain.links = ()

    def _joinable(self, step: Step, follower: Edge | None) -> Chain | None:
        """The chain that can be called in one loop with this step, if there is one."""
        links = step.routes.get(step.default, ())
        if follower is None or len(step.routes) != 1 or len(links) != 1:
            return None
        if len(self._plan.graph.incoming(follower.target)) != 1:
            return None
        if inspect.isgeneratorfunction(step.node.process):
            return None
        chain = links[0].chain
        return chain if chain is not None and len(chain.steps) < MAX_CHAIN else None
