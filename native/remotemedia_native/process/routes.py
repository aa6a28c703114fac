"""Routes: what crosses from one process of a session to others, worked out once from the plan.

A *route* begins where packets leave a process: at an output port there, or, in the session itself,
at an edge to a node elsewhere or at what the client sends to it. It ends in the queues of one or
more processes. Each end has a lane of the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from remotemedia.errors import SessionError
from remotemedia.graph import Edge
from remotemedia.manifest import Policy, Queue
from remotemedia.plan import Plan
from remotemedia.session.boundary import CAPACITY, CLIENT_CAPACITY, MAX_AHEAD
from remotemedia.session.report import CLIENT

HERE = ""
"""The part that is the session itself."""
WORKED_ON = 64  # items that an entry of the ledger is kept for besides those that wait
MAX_READERS = 63  # of a topic


class End(msgspec.Struct, frozen=True):
    """Where a route leads to.

    Attributes
    ----------
    part : str
        Whose queue it is; empty for the session.
    node, port : str
        Whom the queue is for: a node's input port, or the client.
    lane : int
        Its number in the ledger.
    capacity : int
        Packets that it holds.
    is_lossless : bool
        Whether the sender waits when it is full.
    """

    part: str
    node: str
    port: str
    lane: int
    capacity: int
    is_lossless: bool = True


class Route(msgspec.Struct, frozen=True):
    """One route.

    Attributes
    ----------
    number : int
    part : str
        From where it comes; empty for the session.
    node, port : str
        What its packets come from, as they say themselves: an output port; of what the client
        sends, the input port that it is for.
    ends : tuple of End
    is_entry : bool
        Whether it carries what the client sends.
    """

    number: int
    part: str
    node: str
    port: str
    ends: tuple[End, ...]
    is_entry: bool = False


class Routes(msgspec.Struct, frozen=True):
    """All routes of a plan, and the sizes of the lanes.

    Attributes
    ----------
    routes : tuple of Route
        By their numbers.
    lanes : tuple of int
        How many items each lane may hold.
    inner : dict of str to int
        Lanes of queues within a part, by the name of the edge.
    inner_parts : dict of str to str
        Which part that is.
    """

    routes: tuple[Route, ...]
    lanes: tuple[int, ...]
    inner: dict[str, int]
    inner_parts: dict[str, str]

    def readers(self, part: str) -> list[str]:
        """Who reads what a part sends: the session first."""
        return readers_of(self.routes, part)

    def places(self) -> list[tuple[str, str]]:
        """Of each route the node and port that its packets come from."""
        return [(route.node, route.port) for route in self.routes]


def readers_of(routes: Iterable[Route], part: str) -> list[str]:
    """Who reads what a part sends: the session first. A reader's place is its number."""
    found = {end.part for route in routes if route.part == part for end in route.ends}
    return sorted(found | {HERE})


def find_routes(plan: Plan, policy: Policy) -> Routes:
    """The routes of a plan; `policy` is that of nodes that have none."""
    return _Finder(plan, policy).find()


def edge_name(edge: Edge) -> str:
    """What names an edge in a description."""
    return f"{edge.source}:{edge.source_port}>{edge.target}:{edge.target_port}"


class _Finder:
    def __init__(self, plan: Plan, policy: Policy) -> None:
        self._plan = plan
        self._default = policy
        self._routes: list[Route] = []
        self._lanes: list[int] = []
        self._inner: dict[str, int] = {}
        self._inner_parts: dict[str, str] = {}

    def find(self) -> Routes:
        plan = self._plan
        for node_id in plan.graph.order:
            part = plan.placements[node_id].part
            for port in plan.graph.nodes[node_id].outputs:
                if part:
                    self._from_part(node_id, port, part)
                else:
                    self._from_session(node_id, port)
            if part:
                for port in plan.graph.nodes[node_id].inputs:
                    capacity = self._capacity(node_id)
                    end = End(part, node_id, port, self._lane(capacity, node_id), capacity)
                    self._add(HERE, node_id, port, [end], is_entry=True)
        routes = Routes(tuple(self._routes), tuple(self._lanes), self._inner, self._inner_parts)
        for part in self._plan.parts:
            count = len(routes.readers(part))
            if count > MAX_READERS:
                node = self._plan.parts[part][0]
                raise SessionError(
                    f"what node {node!r} gives goes to {count} processes; one topic has at most "
                    f"{MAX_READERS} readers: put several of those in one process_group",
                    node=node,
                )
        return routes

    def _from_part(self, node_id: str, port: str, part: str) -> None:
        ends: list[End] = []
        if (node_id, port) in self._plan.outlets:
            lane = self._lane(CLIENT_CAPACITY)
            ends.append(End(HERE, CLIENT, port, lane, CLIENT_CAPACITY))
        for edge in self._edges(node_id, port):
            target = self._plan.placements[edge.target].part
            if target != part:
                ends.append(self._end(edge, target))
            else:
                capacity = self._capacity(edge.target, edge.queue)
                self._inner[edge_name(edge)] = self._lane(capacity, edge.target)
                self._inner_parts[edge_name(edge)] = part
        if ends:
            self._add(part, node_id, port, ends)

    def _from_session(self, node_id: str, port: str) -> None:
        for edge in self._edges(node_id, port):
            target = self._plan.placements[edge.target].part
            if target:
                self._add(HERE, node_id, port, [self._end(edge, target)])

    def _edges(self, node_id: str, port: str) -> Iterator[Edge]:
        for edge in self._plan.graph.outgoing(node_id):
            if edge.source_port == port:
                yield edge

    def _end(self, edge: Edge, part: str) -> End:
        queue, capacity = edge.queue, self._capacity(edge.target, edge.queue)
        is_lossless = queue is None or queue.overflow == "block"
        lane = self._lane(capacity, edge.target)
        return End(part, edge.target, edge.target_port, lane, capacity, is_lossless)

    def _lane(self, capacity: int, node_id: str = "") -> int:
        begun = 4 * self._policy(node_id).max_concurrency if node_id else 0
        self._lanes.append(capacity + MAX_AHEAD + WORKED_ON + begun)
        return len(self._lanes) - 1

    def _capacity(self, node_id: str, queue: Queue | None = None) -> int:
        if queue is not None:
            return queue.capacity
        batch = self._policy(node_id).batch
        return CAPACITY if batch is None else max(CAPACITY, 2 * batch.max_items)

    def _policy(self, node_id: str) -> Policy:
        return self._plan.graph.nodes[node_id].spec.policy or self._default

    def _add(
        self, part: str, node: str, port: str, ends: list[End], is_entry: bool = False
    ) -> None:
        self._routes.append(Route(len(self._routes), part, node, port, tuple(ends), is_entry))
