"""What models the nodes of a graph compute with, and by what."""

from __future__ import annotations

from collections.abc import Mapping

from remotemedia.graph import Graph
from remotemedia.models.catalog import CATALOG
from remotemedia.node import Node
from remotemedia.nodes.models.model_node import ModelNode
from remotemedia_wasm import messages as page


def models_of(graph: Graph, opened: Mapping[str, Node]) -> page.ModelList:
    """One entry for each model of each node that computes with some.

    Parameters
    ----------
    graph : Graph
    opened : mapping of str to Node
        Those that run, by id. One in a worker of its own is none that computes here: of it is told
        what it will ask for, but not what runs it.
    """
    found = []
    for node_id in graph.order:
        node = graph.nodes[node_id]
        if not issubclass(node.cls, ModelNode):
            continue
        made = opened.get(node_id)
        if not isinstance(made, ModelNode):
            made = node.cls(node.params)
        ran_by = [(model.backend, model.provider) for model in made.models[:1]] or [("", "")]
        for reference in (made.model_reference, *made.further_models):
            known = CATALOG.get(reference)
            about = (known.size, known.licence, known.description) if known else (0, "", "")
            found.append(page.ModelInfo(node_id, reference, *about, *ran_by[0]))
    return page.ModelList(tuple(found))
