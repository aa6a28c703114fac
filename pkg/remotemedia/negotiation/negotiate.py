"""Negotiation: what every port of a graph carries, and why.

1. *Forward*, edge by edge from the sources down: edges whose two ends share nothing are found
   where a reader looks for them, each by itself.
2. *Jointly*: ports that carry the same format are one variable (an output port and all that it
   feeds through nodes that keep the format), tied to others by the relations of nodes. All that
   is accepted anywhere narrows them, in both directions, to a fixpoint; see `solve`.
3. *Choice*: what an adaptive node may choose is fixed, nearest to what it is fed.
4. *Promise*, forward again: which inputs may still be given what they do not accept, so that
   items have to be checked while running.

Rules. An output port carries one format, the same on all its connections. Several connections
into one input port may carry different ones, unless a relation of the node involves that port:
then they have to be the same, if they can be of one media type at all. A range or a list that a
node declares for an output is what may come; it fits if some of it is accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from remotemedia.caps import ANY, Caps, Format, Relation
from remotemedia.errors import Problem
from remotemedia.graph import Edge, Graph, GraphNode
from remotemedia.negotiation.cells import (
    Cell,
    Port,
    cell_of,
    follows_inputs,
    is_opaque,
    is_trusted,
    output_formats_of,
)
from remotemedia.negotiation.fixate import nearest_format
from remotemedia.negotiation.solve import Conflict, Tie, bounded, incidence, narrow, solve
from remotemedia.negotiation.suggestion import differences
from remotemedia.negotiation.trouble import Trouble, mismatch
from remotemedia.negotiation.union_find import merge, root

_VERBS = {"adaptive": "can produce", "runtime_discovered": "may produce"}


class Claim(NamedTuple):
    """One demand on what a port carries.

    Attributes
    ----------
    text : str
        ``vad:in (EnergyVAD) accepts``
    caps : Caps
    edge : Edge or None
        The connection by which the demand reaches the port; None for the port's own.
    """

    text: str
    caps: Caps
    edge: Edge | None

    def __str__(self) -> str:
        return f"{self.text} {self.caps}"


class Reasoning(msgspec.Struct, frozen=True):
    """How the format of one edge came about.

    Attributes
    ----------
    edge : str
        ``mic:out → vad:in``
    format : str
        What it carries.
    steps : tuple of str
        What narrowed it, in order.
    """

    edge: str
    format: str
    steps: tuple[str, ...]


class Formats(msgspec.Struct, frozen=True, eq=False):
    """What every port carries.

    Attributes
    ----------
    inputs, outputs : mapping of (node, port) to Caps
        As far as it is known before data flows.
    edges : mapping of Edge to Caps
        What each edge carries.
    unproven : frozenset of (node, port)
        Inputs that may be given what they do not accept, so that each item has to be checked.
    problems : tuple of Problem
        Edges that can never work.
    explain : callable
        Tells how the format of an edge came about.
    """

    inputs: Mapping[Port, Caps]
    outputs: Mapping[Port, Caps]
    edges: Mapping[Edge, Caps]
    unproven: frozenset[Port]
    problems: tuple[Problem, ...]
    explain: Callable[[Edge], Reasoning]


class Negotiation:
    """One negotiation; `run` it once.

    Parameters
    ----------
    graph : Graph
        What is wired.
    converted : mapping of Edge to Caps
        What comes out of converters that were to stand in these connections.
    """

    def __init__(self, graph: Graph, converted: Mapping[Edge, Caps] | None = None) -> None:
        self.graph = graph
        self.converted = converted or {}
        self.troubles: list[Trouble] = []
        self.bad: set[Edge] = set()
        self.relations: dict[str, tuple[Relation, ...]] = {}
        self.mixed: set[str] = set()  # nodes with a port that is fed several media types
        self.chosen: dict[Port, Caps] = {}
        self.notes: dict[int, list[str]] = {}  # of a variable: what was chosen, and why
        self._parent: dict[Cell, Cell] = {}
        self.claims: list[list[Claim]] = []
        self.ties: list[Tie] = []
        self.domains: list[Caps] = []
        self.index: dict[Cell, int] = {}

    def run(self) -> Formats:
        """Everything but the fixes: `troubles` has what does not fit."""
        produced = self._forward(report=True)
        self._unite(produced)
        self.ties = self._tie()
        self._solve(self.ties)
        self._choose(self.ties)
        if self.chosen or not all(map(is_trusted, self.graph.nodes.values())):
            produced = self._forward(report=False)
        return self._formats(produced)

    # -- forward -----------------------------------------------------------------------------

    def _forward(self, report: bool) -> dict[Port, Caps]:
        """What the output ports produce, as far as it follows from what is before them."""
        graph = self.graph
        produced: dict[Port, Caps] = {}
        for node_id in graph.order:
            node = graph.nodes[node_id]
            arriving: dict[str, list[Caps]] = {port: [] for port in node.inputs}
            for edge in graph.incoming(node_id):
                if edge in self.bad:
                    continue
                given = self.converted.get(edge, produced[edge.source, edge.source_port])
                accepted = node.inputs[edge.target_port]
                both = given.intersect(accepted)
                if not report and not is_trusted(graph.nodes[edge.source]):
                    both = accepted  # all that the check at that port makes sure of
                if both is not None:
                    arriving[edge.target_port].append(bounded(both))
                elif report:
                    self.bad.add(edge)
                    self.troubles.append(mismatch(graph, edge, given, accepted))
            formats: Mapping[str, Caps] = {}
            if follows_inputs(node):
                formats = output_formats_of(
                    node, {port: _union(arriving[port], caps) for port, caps in node.inputs.items()}
                )
            for port, declared in node.outputs.items():
                found = formats.get(port, declared)
                if formats and found is not declared:
                    found = bounded(found.intersect(declared) or found)  # by an override, too
                produced[node_id, port] = self.chosen.get((node_id, port), found)
        return produced

    # -- jointly -----------------------------------------------------------------------------

    def _unite(self, produced: Mapping[Port, Caps]) -> None:
        """One variable for all ports that carry the same format, and all claims on it."""
        graph = self.graph
        for node_id in graph.order:
            node = graph.nodes[node_id]
            relations = self._relations_of(node, produced)
            self.relations[node_id] = relations
            tied = {relation.other for relation in relations} | {
                relation.port for relation in relations
            }
            for edge in graph.incoming(node_id):
                if edge in self.bad or edge in self.converted:
                    continue
                if edge.target_port in tied:
                    merge(
                        self._parent,
                        (edge.source, edge.source_port, True),
                        (node_id, edge.target_port, False),
                    )
            for relation in relations:
                if relation.is_identity:
                    merge(self._parent, cell_of(node, relation.other), cell_of(node, relation.port))
        for node_id in graph.order:
            node = graph.nodes[node_id]
            for port, caps in node.inputs.items():
                text = f"{node_id}:{port} ({node.node_type}) accepts"
                for edge in graph.incoming(node_id):
                    if edge.target_port != port or edge in self.bad:
                        continue
                    if edge in self.converted:
                        made = self.converted[edge].intersect(caps) or caps
                        self._claim((node_id, port, False), Claim(text, made, None))
                    else:
                        source = (edge.source, edge.source_port, True)
                        self._claim(source, Claim(text, caps, edge))
                if not any(edge.target_port == port for edge in graph.incoming(node_id)):
                    self._claim((node_id, port, False), Claim(text, caps, None))
            behaviour = node.cls.capabilities
            for port, declared in node.outputs.items():
                caps = declared
                if is_opaque(node) or node_id in self.mixed:
                    caps = produced[node_id, port]
                text = f"{node_id}:{port} ({node.node_type}) {_VERBS.get(behaviour, 'produces')}"
                self._claim((node_id, port, True), Claim(text, caps, None))

    def _relations_of(self, node: GraphNode, produced: Mapping[Port, Caps]) -> tuple[Relation, ...]:
        """The relations of a node, without those of a port that is fed several media types."""
        if is_opaque(node):
            return ()
        relations = node.cls.port_relations(node.params)
        if not relations:
            return ()
        mixed = set()
        for port in {relation.other for relation in relations} & set(node.inputs):
            common: set[str] | None = None
            for edge in self.graph.incoming(node.id):
                if edge.target_port != port or edge in self.bad:
                    continue
                given = produced[edge.source, edge.source_port].intersect(node.inputs[port])
                if given is not None and given.formats is not None:
                    media = {item.media for item in given.formats}
                    common = media if common is None else common & media
            if common is not None and not common:
                mixed.add(port)
        if mixed:
            self.mixed.add(node.id)
        return tuple(relation for relation in relations if relation.other not in mixed)

    def _variable(self, cell: Cell) -> int:
        place = root(self._parent, cell)
        found = self.index.get(place)
        if found is None:
            found = self.index[place] = len(self.domains)
            self.domains.append(ANY)
            self.claims.append([])
        return found

    def _claim(self, cell: Cell, claim: Claim) -> None:
        """Narrow a variable by a demand; one that leaves nothing is a problem, and is let go."""
        variable = self._variable(cell)
        before = self.domains[variable]
        after = before.intersect(claim.caps)
        if after is None:
            self._clash(variable, cell, claim)
            return
        self.claims[variable].append(claim)
        self.domains[variable] = bounded(after)

    def _clash(self, variable: int, cell: Cell, claim: Claim) -> None:
        claims = self.claims[variable]
        other = next((one for one in claims if one.caps.intersect(claim.caps) is None), claims[-1])
        edge = claim.edge or next(
            (each for each in self.graph.outgoing(cell[0]) if each.source_port == cell[1]), None
        )
        if edge is None:
            node = self.graph.nodes[cell[0]]
            message = f"{node.id} ({node.node_type}) keeps the format, but {other}, and {claim}"
            self.troubles.append(Trouble(message, None, cell, ("nodes", node.index)))
            return
        if edge is claim.edge:
            produced, accepted = other.caps, claim.caps
            why = f"{edge.source}:{edge.source_port} has one format for all that it is connected to"
        else:
            produced, accepted = claim.caps, other.caps
            target = self.graph.nodes[edge.target]
            why = (
                f"{edge.target}:{edge.target_port} ({target.node_type}) hands the format on, "
                "so all that is connected to it has to have the same"
            )
        self.bad.add(edge)
        message = f"{edge}: {why}, but {other}, and {claim}: {differences(produced, accepted)}"
        source: Cell = (edge.source, edge.source_port, True)
        self.troubles.append(Trouble(message, edge, source, edge.path, produced, accepted))

    def _tie(self) -> list[Tie]:
        ties = []
        for node_id, relations in self.relations.items():
            node = self.graph.nodes[node_id]
            for relation in relations:
                if not relation.is_identity:
                    a = self._variable(cell_of(node, relation.port))
                    b = self._variable(cell_of(node, relation.other))
                    ties.append(Tie(a, b, relation, node_id))
        return ties

    def _solve(self, ties: list[Tie]) -> None:
        """Narrow by the ties; one that cannot be satisfied is a problem, and is let go."""
        while True:
            domains = list(self.domains)
            conflict = solve(domains, ties)
            if conflict is None:
                self.domains = domains
                return
            self._contradiction(ties.pop(conflict.tie), conflict)

    def _contradiction(self, tie: Tie, conflict: Conflict) -> None:
        node = self.graph.nodes[tie.node]
        relation = tie.relation
        sides = {tie.a: relation.port, tie.b: relation.other}
        narrowed = sides[conflict.narrowed]
        other = relation.other if narrowed == relation.port else relation.port
        edges = [
            edge
            for edge in (*self.graph.incoming(node.id), *self.graph.outgoing(node.id))
            if edge not in self.bad
        ]
        where = edges[0].path if edges else ("nodes", node.index)
        message = (
            f"{node.id} ({node.node_type}) keeps to {relation}, but {node.id}:{narrowed} can "
            f"only be {conflict.domain} and {node.id}:{other} only {conflict.other}"
        )
        self.troubles.append(Trouble(message, None, cell_of(node, relation.port), where))

    # -- choice ------------------------------------------------------------------------------

    def _choose(self, ties: Sequence[Tie]) -> None:
        graph = self.graph
        of = incidence(ties)
        for node_id in graph.order:
            node = graph.nodes[node_id]
            if node.cls.capabilities != "adaptive":
                continue
            fed = self._fed(node)
            for port in node.outputs:
                variable = self._variable((node_id, port, True))
                domain = self.domains[variable]
                if domain.formats is None:
                    continue
                for choice in nearest_format(domain.formats, fed):
                    attempt = list(self.domains)
                    attempt[variable] = Caps((choice,))
                    if narrow(attempt, ties, [variable], of) is None:
                        self.domains = attempt
                        break
                self.chosen[node_id, port] = self.domains[variable]
                near = f", nearest to {fed} that it is fed" if fed else ""
                self.notes.setdefault(variable, []).append(
                    f"{node_id}:{port} ({node.node_type}) adapts: "
                    f"{self.domains[variable]} is chosen{near}"
                )

    def _fed(self, node: GraphNode) -> Format | None:
        """What the first input of a node is fed, if that is one format."""
        for edge in self.graph.incoming(node.id):
            if edge.target_port != next(iter(node.inputs)) or edge in self.bad:
                continue
            given = self.domains[self._variable((edge.source, edge.source_port, True))]
            if given.formats is not None and len(given.formats) == 1:
                return given.formats[0]
        return None

    # -- result ------------------------------------------------------------------------------

    def _formats(self, promised: Mapping[Port, Caps]) -> Formats:
        graph = self.graph
        inputs: dict[Port, Caps] = {}
        outputs: dict[Port, Caps] = {}
        edges: dict[Edge, Caps] = {}
        unproven: set[Port] = set()
        for node_id in graph.order:
            node = graph.nodes[node_id]
            for port, accepted in node.inputs.items():
                carried = []
                for edge in graph.incoming(node_id):
                    if edge.target_port != port:
                        continue
                    given = promised[edge.source, edge.source_port]
                    if edge in self.bad:
                        edges[edge] = given
                        continue
                    cell = (edge.source, edge.source_port, True)
                    edges[edge] = self._domain(cell).intersect(accepted) or accepted
                    carried.append(edges[edge])
                    trusted = is_trusted(graph.nodes[edge.source])
                    if not (trusted and given.is_subset(accepted)):
                        unproven.add((node_id, port))
                if carried:
                    inputs[node_id, port] = _union(carried, accepted)
                else:
                    inputs[node_id, port] = self._domain((node_id, port, False), accepted)
            for port in node.outputs:
                outputs[node_id, port] = self._domain((node_id, port, True))
        return Formats(
            inputs,
            outputs,
            edges,
            frozenset(unproven),
            (),
            lambda edge: self._reasoning(edge, edges[edge]),
        )

    def _domain(self, cell: Cell, default: Caps = ANY) -> Caps:
        place = root(self._parent, cell)
        return self.domains[self.index[place]] if place in self.index else default

    def _reasoning(self, edge: Edge, carried: Caps) -> Reasoning:
        variable = self._variable((edge.source, edge.source_port, True))
        so_far, steps = ANY, []
        for claim in self.claims[variable]:
            narrowed = so_far.intersect(claim.caps) or so_far
            if narrowed != so_far:
                steps.append(str(claim))
            so_far = narrowed
        for tie in self.ties:
            if variable in (tie.a, tie.b):
                back = variable == tie.b
                other = self.domains[tie.a if back else tie.b]
                narrowed = tie.relation.apply(so_far, other, back) or so_far
                if narrowed != so_far:
                    node = self.graph.nodes[tie.node]
                    steps.append(
                        f"{node.id} ({node.node_type}) keeps to {tie.relation}: {narrowed}"
                    )
                so_far = narrowed
        steps += self.notes.get(variable, [])
        return Reasoning(str(edge), str(carried), tuple(steps))


def _union(carried: Iterable[Caps], accepted: Caps) -> Caps:
    formats: list[Format] = []
    for caps in carried:
        if caps.formats is None:
            return ANY
        formats.extend(caps.formats)
    return Caps(tuple(dict.fromkeys(formats))) if formats else accepted
