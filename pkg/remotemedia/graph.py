"""The graph: the validated nodes and edges of a manifest."""

from __future__ import annotations

import contextlib
import heapq
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from remotemedia.caps import Caps, read_caps
from remotemedia.errors import CapsError, ManifestError, UnavailableError, UnknownNodeTypeError
from remotemedia.manifest.diagnose import diagnose, diagnose_struct
from remotemedia.manifest.document import Source
from remotemedia.manifest.findings import Findings
from remotemedia.manifest.loader import draft
from remotemedia.manifest.model import (
    AUTO,
    EXECUTORS,
    ID_PATTERN,
    Connection,
    Manifest,
    NodeSpec,
    Policy,
    ProcessOptions,
    Queue,
)
from remotemedia.manifest.tree import Path, show
from remotemedia.node import Node, NodeParams, is_source, parameter_name
from remotemedia.registry import Registry, default_registry, entry_points

EXECUTOR_GROUP = "remotemedia.executors"
_ID = re.compile(ID_PATTERN)
_SHOWN = 12  # ids of a cycle that a message names


class GraphNode(msgspec.Struct, frozen=True, eq=False):
    """One node, checked.

    Attributes
    ----------
    id : str
        Its id in the manifest.
    node_type : str
        Its canonical type: aliases are resolved.
    cls : type of Node
        What implements it.
    params : NodeParams
        Its parameters, checked.
    spec : NodeSpec
        Its entry in the manifest.
    index : int
        Its place in the manifest.
    inputs, outputs : mapping of str to Caps
        Its ports, in the order of declaration, and what they are declared to carry.
    """

    id: str
    node_type: str
    cls: type[Node]
    params: NodeParams
    spec: NodeSpec
    index: int
    inputs: Mapping[str, Caps]
    outputs: Mapping[str, Caps]

    @property
    def executor(self) -> str:
        """Where it is to run: as the manifest says, or else its type."""
        given = self.spec.executor
        return self.cls.default_executor if given == AUTO else given


class Edge(msgspec.Struct, frozen=True, eq=False):
    """One edge, from an output port to an input port.

    Attributes
    ----------
    source, source_port, target, target_port : str
        Its ends; ports that the manifest leaves out are filled in.
    queue : Queue or None
        Given in the manifest.
    path : tuple
        Its entry in the manifest, for `Manifest.locate`.
    """

    source: str
    source_port: str
    target: str
    target_port: str
    queue: Queue | None
    path: Path

    def __str__(self) -> str:
        return f"{self.source}:{self.source_port} → {self.target}:{self.target_port}"


class Graph(msgspec.Struct, frozen=True, eq=False):
    """Validated nodes and edges.

    Attributes
    ----------
    nodes : mapping of str to GraphNode
        By id, in the order of the manifest.
    edges : tuple of Edge
        In the order of the manifest.
    order : tuple of str
        Topological; the manifest's order breaks ties.
    sources, sinks : tuple of str
        Nodes without incoming and without outgoing edges, in the order of the manifest.
    """

    nodes: Mapping[str, GraphNode]
    edges: tuple[Edge, ...]
    order: tuple[str, ...]
    sources: tuple[str, ...]
    sinks: tuple[str, ...]
    _outgoing: Mapping[str, tuple[Edge, ...]]
    _incoming: Mapping[str, tuple[Edge, ...]]

    @staticmethod
    def build(manifest: Manifest, registry: Registry | None = None) -> Graph:
        """Check a manifest against the registry.

        Raises
        ------
        ManifestError
            With every problem; each has line and column if the manifest was loaded from text.
        """
        findings = Findings()
        graph = _Checker(manifest.nodes, manifest.connections, registry, findings).graph()
        if findings.problems:
            raise ManifestError(findings.report(manifest.locate), manifest.source)
        return graph

    def outgoing(self, node: str) -> tuple[Edge, ...]:
        """Edges that leave a node, in the order of the manifest."""
        return self._outgoing.get(node, ())

    def incoming(self, node: str) -> tuple[Edge, ...]:
        """Edges that enter a node, in the order of the manifest."""
        return self._incoming.get(node, ())


def load(
    source: Source, *, name: str | None = None, registry: Registry | None = None
) -> tuple[Manifest, Graph]:
    """Load a manifest and check it against the registry.

    Raises
    ------
    ManifestError
        With every problem of the text, its structure, the node types, parameters and edges.
    """
    found = draft(source, name=name)
    graph = _Checker(found.nodes, found.connections, registry, found.findings).graph()
    return found.finish(), graph


def requirements(manifest: Manifest | Source, registry: Registry | None = None) -> tuple[str, ...]:
    """The packages beyond the core that the nodes of a manifest need, installed here or not.

    For who has to install them first, as a page does: until then `load` and `Graph.build` report
    those nodes as unavailable. Anything else that is wrong, such as an unknown node type, is left
    for them to report.

    Returns
    -------
    tuple of str
        Requirements such as ``"scipy>=1.11"``, sorted, each once.

    Raises
    ------
    ManifestError
        It cannot be read at all.
    """
    registry = registry or default_registry()
    nodes = manifest.nodes if isinstance(manifest, Manifest) else draft(manifest).nodes
    found: set[str] = set()
    for node_type in {spec.node_type for spec in nodes if spec is not None}:
        with contextlib.suppress(UnknownNodeTypeError, UnavailableError):
            found.update(registry.requirements(node_type))
    return tuple(sorted(found))


class _Checker:
    """Looks for everything that keeps nodes and connections from being a graph.

    Entries that are None were found to be broken before; they keep the others' indices right.
    """

    def __init__(
        self,
        nodes: Sequence[NodeSpec | None],
        connections: Sequence[Connection | None],
        registry: Registry | None,
        findings: Findings,
    ) -> None:
        self.specs = nodes
        self.connections = connections
        self.types = NodeTypes(registry or default_registry(), findings)
        self.findings = findings
        self.broken = bool(findings.problems)
        self._seen: dict[tuple[str, str, str, str], Path] = {}
        self.ids: dict[str, int] = {}
        self.groups: dict[str, tuple[str, ProcessOptions]] = {}
        self.nodes: dict[str, GraphNode] = {}
        self.edges: list[Edge] = []

    def graph(self) -> Graph:
        """The graph; of no use when there are findings."""
        if not self.specs and not self.broken:
            self.findings.add("a pipeline has at least one node", ("nodes",))
        for index, spec in enumerate(self.specs):
            if spec is not None and not self.findings.full:
                self._check_node(index, spec)
        outgoing: dict[str, list[Edge]] = defaultdict(list)
        incoming: dict[str, list[Edge]] = defaultdict(list)
        for index, connection in enumerate(self.connections):
            if connection is None or self.findings.full:
                continue
            edge = self._check_connection(connection, ("connections", index))
            if edge is not None:
                self.edges.append(edge)
                outgoing[edge.source].append(edge)
                incoming[edge.target].append(edge)
        order = self._order(outgoing, incoming)
        return Graph(
            nodes=self.nodes,
            edges=tuple(self.edges),
            order=tuple(order),
            sources=tuple(node for node in self.nodes if node not in incoming),
            sinks=tuple(node for node in self.nodes if node not in outgoing),
            _outgoing={node: tuple(edges) for node, edges in outgoing.items()},
            _incoming={node: tuple(edges) for node, edges in incoming.items()},
        )

    def _check_node(self, index: int, spec: NodeSpec) -> None:
        path: Path = ("nodes", index)
        if not _ID.match(spec.id):
            message = f"expected 1 to 64 letters, digits, '_', '.' or '-', got {show(spec.id)}"
            self.findings.add(message, (*path, "id"))
        first = self.ids.setdefault(spec.id, index)
        if first != index:
            self.findings.add(f"id {show(spec.id)} is that of nodes[{first}] too", (*path, "id"))
        if spec.policy is not None:
            self._check_part(spec.policy, (*path, "policy"))
        node = self.types.check(spec, index)
        if spec.process is not None:
            self._check_part(spec.process, (*path, "process"))
            if node is not None and node.executor == "process":
                self._check_group(spec, spec.process, (*path, "process"))
        if node is not None and first == index:
            self.nodes[spec.id] = node

    def _check_group(self, spec: NodeSpec, options: ProcessOptions, path: Path) -> None:
        """Nodes of one process have its options in common; one of them may give them."""
        if spec.process_group is None:
            return
        first, given = self.groups.setdefault(spec.process_group, (spec.id, options))
        if options != given:
            self.findings.add(
                f"{show(spec.id)} shares the process of {show(first)}, whose options are others: "
                "give them to one of the two",
                path,
                at_key=True,
            )

    def _check_part(self, part: Policy | ProcessOptions | Queue, path: Path) -> None:
        """What was made in code may hold anything."""
        diagnose(msgspec.to_builtins(part), type(part), path, self.findings)

    def _check_connection(self, connection: Connection, path: Path) -> Edge | None:
        if connection.queue is not None:
            self._check_part(connection.queue, (*path, "queue"))
        source = self._check_end(connection.source, (*path, "from"), "output")
        target = self._check_end(connection.target, (*path, "to"), "input")
        if source is None or target is None:
            return None
        edge = Edge(*source, *target, connection.queue, path)
        if edge.source == edge.target:
            self.findings.add(f"{edge.source!r} is connected to itself", path)
            return None
        ends = (edge.source, edge.source_port, edge.target, edge.target_port)
        first = self._seen.setdefault(ends, path)
        if first is not path:
            self.findings.add(f"{edge} is connections[{first[1]}] again", path)
            return None
        return edge

    def _check_end(self, end: str, path: Path, side: str) -> tuple[str, str] | None:
        """Node and port of one end; the port is empty when the node itself has problems."""
        node_id, colon, port = end.partition(":")
        if node_id not in self.ids:
            if not (self.broken and None in self.specs):
                hint = self.findings.nearest(node_id, list(self.ids))
                self.findings.add(f"there is no node {show(node_id)}{hint}", path)
            return None
        node = self.nodes.get(node_id)
        if node is None:
            return node_id, port
        ports = node.inputs if side == "input" else node.outputs
        if not ports:
            kind = "source: nothing goes into it" if side == "input" else "sink: nothing leaves it"
            self.findings.add(f"{node_id!r} is a {kind}", path)
            return None
        if not colon:
            return node_id, next(iter(ports))
        if port not in ports:
            hint = self.findings.nearest(port, list(ports))
            names = ", ".join(ports)
            plural = "s" if len(ports) > 1 else ""
            self.findings.add(
                f"{node_id!r} has no {side} {show(port)}, its {side}{plural}: {names}{hint}", path
            )
            return None
        return node_id, port

    def _order(
        self, outgoing: Mapping[str, list[Edge]], incoming: Mapping[str, list[Edge]]
    ) -> list[str]:
        """Kahn's algorithm; the node that comes first in the manifest goes first."""
        waiting = {node: len(incoming.get(node, ())) for node in self.ids}
        ready = [self.ids[node] for node, count in waiting.items() if count == 0]
        heapq.heapify(ready)
        names = {index: node for node, index in self.ids.items()}
        order: list[str] = []
        while len(order) < len(waiting):
            while ready:
                node = names[heapq.heappop(ready)]
                order.append(node)
                for edge in outgoing.get(node, ()):
                    waiting[edge.target] -= 1
                    if waiting[edge.target] == 0:
                        heapq.heappush(ready, self.ids[edge.target])
            if len(order) == len(waiting) or self.findings.full:
                break
            # What is left is in a cycle or behind one. Cut it open and go on, to find the others.
            edge = self._report_cycle(waiting, incoming)
            waiting[edge.target] = 0
            heapq.heappush(ready, self.ids[edge.target])
        return order

    def _report_cycle(self, waiting: dict[str, int], incoming: Mapping[str, list[Edge]]) -> Edge:
        """Report one cycle among the nodes that still wait; returns the edge that closes it."""
        # Every waiting node has a waiting predecessor, so going backwards must meet itself.
        node = next(node for node, count in waiting.items() if count > 0)
        seen: dict[str, int] = {}
        walk: list[Edge] = []
        while node not in seen:
            seen[node] = len(walk)
            edge = next(edge for edge in incoming[node] if waiting[edge.source] > 0)
            walk.append(edge)
            node = edge.source
        cycle = walk[seen[node] :][::-1]  # forwards
        start = min(range(len(cycle)), key=lambda index: self.ids[cycle[index].source])
        cycle = cycle[start:] + cycle[:start]
        ids = [edge.source for edge in cycle]
        if len(ids) > _SHOWN:
            ids = [*ids[: _SHOWN - 1], f"({len(ids) - _SHOWN} more)", ids[-1]]
        closing = cycle[-1]
        self.findings.add(f"cycle: {' → '.join([*ids, closing.target])}", closing.path)
        return closing


class NodeTypes:
    """Checks nodes against the registry, each type looked up once."""

    def __init__(self, registry: Registry, findings: Findings) -> None:
        self.registry = registry
        self.findings = findings
        self._classes: dict[str, type[Node] | str] = {}
        self._ports: dict[type[Node], tuple[dict[str, Caps], dict[str, Caps]]] = {}
        self._executors = set(EXECUTORS)
        self._plugins_known = False

    def check(self, spec: NodeSpec, index: int) -> GraphNode | None:
        """The node of a manifest's entry; None when it has problems."""
        path: Path = ("nodes", index)
        before = len(self.findings.problems)
        cls = self._find(spec.node_type)
        if isinstance(cls, str):
            self.findings.add(cls, (*path, "node_type"))
            self._check_executor(spec.executor, (*path, "executor"))
            return None
        params = self._check_params(cls, spec, (*path, "params"))
        self._check_executor(spec.executor, (*path, "executor"))
        if spec.backend is not None and spec.backend not in cls.backends:
            hint = self.findings.nearest(spec.backend, cls.backends)
            known = ", ".join(cls.backends) or "none"
            self.findings.add(
                f"node_type {spec.node_type!r} has no backend {show(spec.backend)}{hint} "
                f"(it has: {known})",
                (*path, "backend"),
            )
        if params is None or len(self.findings.problems) > before:
            return None
        inputs, outputs = self._ports_of(cls, params)
        override = spec.media_capabilities
        if override is not None:
            place: Path = (*path, "media_capabilities")
            inputs = self._narrowed(inputs, override.inputs, (*place, "inputs"))
            outputs = self._narrowed(outputs, override.outputs, (*place, "outputs"))
            if len(self.findings.problems) > before:
                return None
        name = self.registry.canonical(spec.node_type)
        return GraphNode(spec.id, name, cls, params, spec, index, inputs, outputs)

    def _narrowed(
        self, declared: dict[str, Caps], override: Mapping[str, object], path: Path
    ) -> dict[str, Caps]:
        """Ports within what the manifest says of them."""
        found = dict(declared)
        for name, value in override.items():
            port = name
            if name == "default" and declared and name not in declared:  # the reference's word
                port = next(iter(declared))
            if port not in declared:
                hint = self.findings.nearest(name, list(declared))
                known = ", ".join(declared) or "none"
                self.findings.add(
                    f"there is no port {show(name)}{hint} (ports: {known})", (*path, name)
                )
                continue
            try:
                caps = read_caps(value)
            except CapsError as error:
                self.findings.add(str(error), (*path, name))
                continue
            both = found[port].intersect(caps)
            if both is None:
                self.findings.add(
                    f"{caps} leaves nothing of what the node declares, {found[port]}",
                    (*path, name),
                )
                continue
            found[port] = both
        return found

    def _find(self, name: str) -> type[Node] | str:
        found = self._classes.get(name)
        if found is None:
            try:
                found = self.registry.find(name)
            except (UnknownNodeTypeError, UnavailableError) as error:
                found = str(error)
                if "${" in name:
                    found = (
                        f"unknown node_type {show(name)}: variables are not substituted in a "
                        "manifest; write the name itself"
                    )
            self._classes[name] = found
        return found

    def _check_params(self, cls: type[Node], spec: NodeSpec, path: Path) -> NodeParams | None:
        params = spec.params
        named = {parameter_name(cls, name): value for name, value in params.items()}
        if len(named) == len(params):
            try:
                return msgspec.convert(named, cls.Params)
            except msgspec.ValidationError:
                pass
        diagnose_struct(
            params,
            cls.Params,
            path,
            self.findings,
            spec.node_type,
            lambda name: parameter_name(cls, name),
        )
        return None

    def _check_executor(self, name: str, path: Path) -> None:
        if name in self._executors:
            return
        if not self._plugins_known:
            self._plugins_known = True
            self._executors.update(point.name for point in entry_points(EXECUTOR_GROUP))
        if name not in self._executors:
            known = sorted(self._executors)
            hint = self.findings.nearest(name, known) or f" (there are: {', '.join(known)})"
            self.findings.add(f"unknown executor {show(name)}{hint}", path)

    def _ports_of(
        self, cls: type[Node], params: NodeParams
    ) -> tuple[dict[str, Caps], dict[str, Caps]]:
        found = self._ports.get(cls)
        if found is None:
            found = cls.input_ports(params), cls.output_ports(params)
            if is_source(cls) and "input_caps" not in cls.__dict__:
                found = {}, found[1]  # nothing was declared
            inherited = (
                getattr(cls.input_ports, "__func__", None) is Node.input_ports.__func__  # type: ignore[attr-defined]
                and getattr(cls.output_ports, "__func__", None) is Node.output_ports.__func__  # type: ignore[attr-defined]
            )
            if inherited:  # then ports do not depend on parameters
                self._ports[cls] = found
        return found
