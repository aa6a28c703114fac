"""Diagrams: a graph as Mermaid, as Graphviz dot, or as plain data.

Ids are safe by the manifest's rules; node types, formats and what a plugin declares are escaped.
"""

from __future__ import annotations

import re

from remotemedia.caps import Caps
from remotemedia.graph import Edge, Graph
from remotemedia.negotiation import negotiate

_SHAPES = {"source": ("([", "])"), "sink": ("[[", "]]"), "inner": ("[", "]")}
_UNSAFE = re.compile(r"[^A-Za-z0-9 _.,:;=/()\[\]*+-]")
_LONGEST = 120  # characters of a label


def mermaid(graph: Graph) -> str:
    """A Mermaid flow chart, with the format on every edge."""
    formats = negotiate(graph)
    names = {node_id: f"n{index}" for index, node_id in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for node_id in graph.nodes:
        before, after = _SHAPES[_role(graph, node_id)]
        label = "<br/>".join(map(_mermaid_text, _label(graph, node_id)))
        lines.append(f'    {names[node_id]}{before}"{label}"{after}')
    for edge in graph.edges:
        carried = formats.edges[edge]
        arrow = "==>" if edge.queue is not None else "-->"
        label = "<br/>".join(map(_mermaid_text, _edge_label(edge, carried)))
        lines.append(f'    {names[edge.source]} {arrow}|"{label}"| {names[edge.target]}')
    return "\n".join(lines) + "\n"


def dot(graph: Graph) -> str:
    """A Graphviz digraph, with the format on every edge."""
    formats = negotiate(graph)
    lines = [
        "digraph pipeline {",
        "    rankdir=LR;",
        '    node [shape=box, fontname="sans-serif"];',
    ]
    lines.append('    edge [fontname="sans-serif", fontsize=10];')
    for node_id in graph.nodes:
        label = _dot_text(_label(graph, node_id))
        style = ", peripheries=2" if _role(graph, node_id) == "sink" else ""
        lines.append(f'    "{node_id}" [label={label}{style}];')
    for edge in graph.edges:
        carried = formats.edges[edge]
        label = _dot_text(_edge_label(edge, carried))
        style = ", style=bold" if edge.queue is not None else ""
        lines.append(f'    "{edge.source}" -> "{edge.target}" [label={label}{style}];')
    return "\n".join([*lines, "}"]) + "\n"


def to_dict(graph: Graph) -> dict[str, object]:
    """Nodes with their ports, edges with their formats, and the order, as JSON-like data."""
    formats = negotiate(graph)
    nodes = [
        {
            "id": node_id,
            "node_type": node.node_type,
            "executor": node.executor,
            "description": node.spec.description,
            "params": node.spec.params,
            "inputs": {port: str(formats.inputs[node_id, port]) for port in node.inputs},
            "outputs": {port: str(formats.outputs[node_id, port]) for port in node.outputs},
        }
        for node_id, node in graph.nodes.items()
    ]
    edges = [
        {
            "from": f"{edge.source}:{edge.source_port}",
            "to": f"{edge.target}:{edge.target_port}",
            "format": str(formats.edges[edge]),
            "reasoning": list(formats.explain(edge).steps),
            "queue": None
            if edge.queue is None
            else {"capacity": edge.queue.capacity, "overflow": edge.queue.overflow},
        }
        for edge in graph.edges
    ]
    return {
        "nodes": nodes,
        "edges": edges,
        "order": list(graph.order),
        "sources": list(graph.sources),
        "sinks": list(graph.sinks),
    }


def explanation(graph: Graph) -> str:
    """For every edge what it carries, and what narrowed that to it, line by line."""
    formats = negotiate(graph)
    lines = []
    for edge in graph.edges:
        reasoning = formats.explain(edge)
        lines.append(f"{reasoning.edge}: {reasoning.format}")
        lines += [f"    {step}" for step in reasoning.steps]
    lines += [f"problem: {problem.message}" for problem in formats.problems]
    return "\n".join(lines) + "\n"


def _role(graph: Graph, node_id: str) -> str:
    if not graph.incoming(node_id):
        return "source"
    return "inner" if graph.outgoing(node_id) else "sink"


def _label(graph: Graph, node_id: str) -> list[str]:
    node = graph.nodes[node_id]
    lines = [node_id, node.node_type]
    if node.executor != "inline":
        lines.append(f"executor: {node.executor}")
    if node.spec.description:
        lines.append(node.spec.description)
    return lines


def _edge_label(edge: Edge, carried: Caps) -> list[str]:
    lines = [str(carried)]
    if (edge.source_port, edge.target_port) != ("out", "in"):
        lines.insert(0, f"{edge.source_port} to {edge.target_port}")
    if edge.queue is not None:
        lines.append(f"queue {edge.queue.capacity}, {edge.queue.overflow}")
    return lines


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _mermaid_text(text: str) -> str:
    """What Mermaid shows as this very text: everything it could read as syntax by its number."""
    return _UNSAFE.sub(lambda found: f"#{ord(found[0])};", _short(text))


def _dot_text(lines: list[str]) -> str:
    """A quoted string; Graphviz also reads ``&amp;`` and its like in it."""
    escapes = str.maketrans({"\\": "\\\\", '"': '\\"', "&": "&amp;"})
    return '"' + "\\n".join(_short(line).translate(escapes) for line in lines) + '"'
