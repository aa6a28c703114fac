"""Figures: the metrics of a session whose nodes have counted in several processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from remotemedia.metrics import EdgeMetrics, Metrics, NodeMetrics
from remotemedia.plan import Plan
from remotemedia.session.report import CLIENT, edge_ends
from remotemedia_native.process.crossing import Crossing
from remotemedia_native.process.ledger import DROPPED, GONE, SENT, Ledger
from remotemedia_native.process.messages import Counted
from remotemedia_native.process.routes import HERE, End, Route, Routes

DIED = "process_died"
Ends = tuple[str, str]


class Figures:
    """Puts together what was counted.

    Counts of edges come from the ledger, and are of this moment; reasons and latencies are those
    that the processes have reported last, not longer ago than 0.1 s. What a process had counted of
    its calls when it died is kept.

    Parameters
    ----------
    plan : Plan
    routes : Routes
    ledger : Ledger
    """

    def __init__(self, plan: Plan, routes: Routes, ledger: Ledger) -> None:
        self._plan = plan
        self._routes = routes
        self._ledger = ledger
        self._before: dict[str, list[Counted]] = {}
        self._closed: dict[int, int] = {}  # by lane: what was still under way

    def close(self) -> None:
        """All has ended: what is still on its way to a process is lost."""
        words = self._ledger.words
        for route in self._routes.routes:
            for end in route.ends:
                base = self._ledger.lane(end.lane)
                left = words[base + SENT] - words[base + GONE]
                if end.part != HERE and left > 0:
                    self._closed[end.lane] = left
                    words[base + GONE] += left
                    words[base + DROPPED] += left

    def keep(self, part: str, counted: Counted | None) -> None:
        """A process has died that had counted this."""
        if counted is not None:
            self._before.setdefault(part, []).append(counted)

    def merged(
        self,
        metrics: Metrics,
        counted: Mapping[str, Counted | None],
        crossings: Mapping[int, Crossing],
    ) -> Metrics:
        """The metrics of the session, with those of the parts in their places."""
        reports = {
            part: [*self._before.get(part, []), *([now] if now is not None else [])]
            for part, now in counted.items()
        }
        nodes = {each.node: each for part in reports.values() for each in _nodes(part)}
        edges = self._edges(reports, crossings)
        for part, all_ in reports.items():
            inner = {(e.source, e.target): e for each in all_ for e in each.edges}
            for edge in self._plan.graph.edges:
                ends = edge_ends(edge)
                if ends in inner and self._plan.placements[edge.source].part == part:
                    edges[ends] = _sum([e for each in all_ for e in each.edges], ends)
        return msgspec.structs.replace(
            metrics,
            nodes=tuple(_with(node, nodes.get(node.node)) for node in metrics.nodes),
            edges=tuple(edges.get((edge.source, edge.target), edge) for edge in metrics.edges),
        )

    def _edges(
        self, reports: Mapping[str, list[Counted]], crossings: Mapping[int, Crossing]
    ) -> dict[Ends, EdgeMetrics]:
        found: dict[Ends, EdgeMetrics] = {}
        lanes = {
            each.lane: [e.edge for c in part for e in c.lanes if e.lane == each.lane]
            for part in reports.values()
            for now in part
            for each in now.lanes
        }
        for route in self._routes.routes:
            crossing = crossings.get(route.number)
            for end in route.ends:
                if end.part == HERE:
                    continue
                here = (
                    (crossing.waiting, crossing.dropped)
                    if crossing is not None
                    else _of_route(reports.get(route.part, []), route)
                )
                found[_ends(route, end)] = self._edge(route, end, lanes.get(end.lane, []), *here)
        return found

    def _edge(
        self,
        route: Route,
        end: End,
        told: list[EdgeMetrics],
        waiting: int,
        lost: Mapping[str, int],
    ) -> EdgeMetrics:
        words, base = self._ledger.words, self._ledger.lane(end.lane)
        gone = words[base + DROPPED]
        delivered = words[base + GONE] - gone
        sent = max(words[base + SENT], delivered + gone)
        reasons: dict[str, int] = {}
        for each in told:
            for reason, count in each.dropped.items():
                reasons[reason] = reasons.get(reason, 0) + count
        closed = self._closed.get(end.lane, 0)
        if closed:
            reasons["close"] = reasons.get("close", 0) + closed
        unknown = gone - sum(reasons.values())
        if unknown > 0:
            reasons[DIED] = reasons.get(DIED, 0) + unknown
        elif unknown < 0:
            gone -= unknown
        for reason, count in lost.items():
            reasons[reason] = reasons.get(reason, 0) + count
        lost_here = sum(lost.values())
        source, target = _ends(route, end)
        return EdgeMetrics(
            source,
            target,
            sent + waiting + lost_here,
            delivered,
            reasons,
            sent + waiting - delivered - gone,
            max((each.max_depth for each in told), default=0),
            told[-1].wait if told else None,
            sum(each.compressed_us for each in told),
        )


def arriving(edge: EdgeMetrics, ledger: Ledger, lane: int, arrived: int) -> EdgeMetrics:
    """An edge that ends in the session: with what is on its way."""
    sent = ledger.words[ledger.lane(lane) + SENT]
    under_way = max(0, sent - arrived)
    return msgspec.structs.replace(
        edge, entered=edge.entered + under_way, in_flight=edge.in_flight + under_way
    )


def _ends(route: Route, end: End) -> Ends:
    source = CLIENT if route.is_entry else f"{route.node}:{route.port}"
    return source, f"{end.node}:{end.port}"


def _of_route(reports: Iterable[Counted], route: Route) -> tuple[int, dict[str, int]]:
    """What the sender of a route has told: what still waits there, and what was lost."""
    waiting, lost = 0, dict[str, int]()
    for each in reports:
        for counts in each.routes:
            if counts.route == route.number:
                waiting = counts.waiting
                for reason, count in counts.dropped.items():
                    lost[reason] = lost.get(reason, 0) + count
    return waiting, lost


def _with(here: NodeMetrics, there: NodeMetrics | None) -> NodeMetrics:
    """What a process has counted of a node, with the errors that were found here."""
    if there is None:
        return here
    return msgspec.structs.replace(there, errors=there.errors + here.errors)


def _nodes(reports: list[Counted]) -> list[NodeMetrics]:
    """The nodes of a part, with what processes before had counted."""
    if not reports:
        return []
    now = {node.node: node for node in reports[-1].nodes}
    for each in reports[:-1]:
        for node in each.nodes:
            last = now.get(node.node)
            if last is not None:
                now[node.node] = msgspec.structs.replace(
                    last,
                    count=last.count + node.count,
                    errors=last.errors + node.errors,
                    retries=last.retries + node.retries,
                    timeouts=last.timeouts + node.timeouts,
                    refused=last.refused + node.refused,
                )
    return list(now.values())


def _sum(edges: Iterable[EdgeMetrics], ends: Ends) -> EdgeMetrics:
    """An edge within a part, over all processes that have run it."""
    entered = delivered = 0
    dropped: dict[str, int] = {}
    last: EdgeMetrics | None = None
    held = 0
    for edge in edges:
        if (edge.source, edge.target) != ends:
            continue
        if last is not None and last.in_flight:
            dropped[DIED] = dropped.get(DIED, 0) + last.in_flight
        entered += edge.entered
        delivered += edge.delivered
        held = max(held, edge.max_depth)
        for reason, count in edge.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + count
        last = edge
    assert last is not None  # noqa: S101
    return msgspec.structs.replace(
        last, entered=entered, delivered=delivered, dropped=dropped, max_depth=held
    )
