"""The plan: islands, outlets, entries, placements."""

import itertools
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotemedia.errors import CapsMismatchError
from remotemedia.graph import Graph, load
from remotemedia.manifest import Connection, Manifest, NodeSpec, Queue
from remotemedia.manifest.policy_effects import policy_warnings
from remotemedia.node import Node
from remotemedia.plan import compile_plan
from remotemedia.registry import Registry


class Sync(Node):
    def process(self, data):
        return data


class Async(Node):
    async def process(self, data):
        return data


class Source(Node):
    def produce(self):
        return []


class AsyncSource(Node):
    async def produce(self):
        yield


class Sink(Node):
    output_caps: ClassVar = {}

    def process(self, data): ...


class Split(Node):
    output_caps: ClassVar = {"left": "any", "right": "any"}

    def process(self, data): ...


class Join(Node):
    input_caps: ClassVar = {"a": "any", "b": "any"}

    def process(self, data, port): ...


class Speak(Node):
    output_caps = "text"

    def process(self, data): ...


class Hear(Node):
    input_caps = "audio"

    def process(self, data): ...


REGISTRY = Registry({}, {})
for cls in (Sync, Async, Source, AsyncSource, Sink, Split, Join, Speak, Hear):
    REGISTRY.add(cls.__name__, cls)


def plan(nodes, edges="", outputs="", executor=None):
    """``"a b:Async"``; ``"a>b"`` is a direct edge and ``"a>>b"`` one with a queue."""
    specs = [
        NodeSpec(
            id=name,
            node_type=kind or "Sync",
            is_output_node=name in outputs.split(),
            executor="process" if name == executor else "inline",
        )
        for name, _, kind in (item.partition(":") for item in nodes.split())
    ]
    connections = []
    for edge in edges.split():
        source, target = edge.split(">>" if ">>" in edge else ">")
        queue = Queue(capacity=4) if ">>" in edge else None
        connections.append(Connection(source=source, target=target, queue=queue))
    manifest = Manifest(nodes=tuple(specs), connections=tuple(connections))
    return compile_plan(Graph.build(manifest, REGISTRY))


def islands(*args, **kwargs):
    return [" ".join(island) for island in plan(*args, **kwargs).islands]


@pytest.mark.parametrize(
    ("nodes", "edges", "expected"),
    [
        ("a", "", ["a"]),
        ("a b", "", ["a", "b"]),
        ("a b c", "a>b b>c", ["a b c"]),
        ("c b a", "a>b b>c", ["a b c"]),
        ("a b c d", "a>b c>d", ["a b", "c d"]),
        ("a b c", "a>b a>c", ["a b c"]),
        ("a b c", "a>c b>c", ["a b c"]),
        # An explicit queue is a boundary.
        ("a b", "a>>b", ["a", "b"]),
        ("a b c d", "a>b b>>c c>d", ["a b", "c d"]),
        # An async node stands alone.
        ("a b:Async c", "a>b b>c", ["a", "b", "c"]),
        ("a b:Async c:Async d", "a>b b>c c>d", ["a", "b", "c", "d"]),
        ("a:Async b c", "a>b a>c", ["a", "b", "c"]),
        ("a:Async b c d", "a>b a>c b>d c>d", ["a", "b c d"]),
        # A source stands alone.
        ("s:Source a b", "s>a a>b", ["s", "a b"]),
        # Around an async node: a to d must not be one island, which would wait for itself.
        ("a b:Async c d", "a>b b>d a>c c>d", ["a c", "b", "d"]),
        ("a b:Async c", "a>b b>c a>c", ["a", "b", "c"]),
        # As between two ports of one node.
        ("a:Split b", "a:left>b a:right>>b", ["a", "b"]),
        # The queue on one way makes a boundary of the other way too.
        ("a b c", "a>>b b>c a>c", ["a", "b c"]),
        ("a b c", "a>b b>>c a>c", ["a b", "c"]),
        # Two async branches join: the islands behind both are of one level.
        ("a x:Async y:Async b c d", "a>x a>y x>b y>c b>d c>d", ["a", "x", "y", "b c d"]),
        # A long and a short way.
        ("a x:Async y:Async b c", "a>x x>y y>b a>c c>b", ["a c", "x", "y", "b"]),
    ],
)
def test_islands_by_hand(nodes, edges, expected):
    assert islands(nodes, edges) == expected


def test_a_node_elsewhere_stands_alone():
    made = plan("a b c", "a>b b>c", executor="b")
    assert made.islands == (("a",), ("b",), ("c",))
    assert made.placements["b"].executor == "process"
    assert made.placements["b"].is_async
    assert not made.placements["b"].in_island
    assert made.async_nodes == ["b"]


def test_placements():
    made = plan("a b:Async s:Source t:AsyncSource", "")
    found = {
        name: (place.is_async, place.is_source, place.in_island)
        for name, place in made.placements.items()
    }
    assert found == {
        "a": (False, False, True),
        "b": (True, False, False),
        "s": (False, True, False),
        "t": (True, True, False),
    }
    assert made.async_nodes == ["b", "t"]


@pytest.mark.parametrize(
    ("nodes", "edges", "outputs", "expected"),
    [
        ("a b", "a>b", "", {"b:out"}),
        ("a b", "a>b", "a", {"a:out", "b:out"}),
        ("a:Split b", "a:left>b", "", {"a:right", "b:out"}),
        ("a:Split b", "a:left>b", "a", {"a:left", "a:right", "b:out"}),
        ("a b:Sink", "a>b", "", set()),
        ("a b:Sink", "a>b", "a b", {"a:out"}),
        ("a b c", "a>b", "", {"b:out", "c:out"}),
    ],
)
def test_outlets(nodes, edges, outputs, expected):
    assert {f"{node}:{port}" for node, port in plan(nodes, edges, outputs).outlets} == expected


@pytest.mark.parametrize(
    ("nodes", "edges", "expected"),
    [
        ("a b", "a>b", ["a:in"]),
        ("b a", "", ["b:in", "a:in"]),
        ("s:Source a", "s>a", []),
        ("s:Source a", "", ["a:in"]),
        ("j:Join", "", ["j:a", "j:b"]),
        ("a j:Join", "a>j:a", ["a:in"]),
    ],
)
def test_entries(nodes, edges, expected):
    assert [f"{node}:{port}" for node, port in plan(nodes, edges).entries] == expected


def test_formats_that_do_not_fit_are_all_named():
    with pytest.raises(CapsMismatchError) as caught:
        plan("a:Speak b:Hear c:Hear", "a>b a>c")
    lines = str(caught.value).splitlines()
    assert [line.split(" accepts")[0] for line in lines] == [
        "a:out (Speak) produces text, but b:in (Hear)",
        "a:out (Speak) produces text, but c:in (Hear)",
    ]


def test_a_plan_is_immutable():
    with pytest.raises(AttributeError, match="immutable"):
        plan("a").islands = ()


# -- the property that lets islands wait: none waits for itself --------------------------------


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 9))
    kinds = [draw(st.sampled_from(["Sync", "Sync", "Sync", "Async"])) for _ in range(count)]
    order = draw(st.permutations(range(count)))  # the manifest need not be in topological order
    edges = [
        (source, target, draw(st.sampled_from([">", ">", ">>"])))
        for source in range(count)
        for target in range(source + 1, count)
        if draw(st.integers(0, 3)) == 0
    ]
    nodes = " ".join(f"n{index}:{kinds[index]}" for index in order)
    return nodes, kinds, edges, " ".join(f"n{a}{mark}n{b}" for a, b, mark in edges)


@given(graphs())
def test_islands_of_any_graph(drawn):
    nodes, kinds, edges, text = drawn
    found = plan(nodes, text).islands
    home = {int(name[1:]): index for index, island in enumerate(found) for name in island}

    # Every node is in one island.
    assert sorted(name for island in found for name in island) == sorted(
        f"n{index}" for index in range(len(kinds))
    )
    # Async nodes are alone.
    for island in found:
        if any(kinds[int(name[1:])] == "Async" for name in island):
            assert len(island) == 1
    # No queue is inside an island, and edges lead to later islands: so there is no cycle.
    for source, target, mark in edges:
        if home[source] == home[target]:
            assert mark == ">"
        else:
            assert home[source] < home[target]
    # An island is connected by its own edges.
    for index, island in enumerate(found):
        reached, waiting = set(), [int(island[0][1:])]
        while waiting:
            node = waiting.pop()
            if node not in reached:
                reached.add(node)
                ends = [(a, b) for a, b, _ in edges if home[a] == home[b] == index]
                waiting += [b for a, b in ends if a == node] + [a for a, b in ends if b == node]
        assert len(reached) == len(island)


@given(graphs())
def test_no_boundary_without_need(drawn):
    nodes, kinds, edges, text = drawn
    if "Async" in kinds or any(mark == ">>" for *_, mark in edges):
        return
    found = plan(nodes, text).islands
    # All synchronous, no queue: the islands are the connected parts of the graph.
    home = {int(name[1:]): index for index, island in enumerate(found) for name in island}
    assert all(home[source] == home[target] for source, target, _ in edges)


def placed(*nodes, executor="process"):
    """The plan of nodes in a row, some of which an executor runs in parts."""
    registry = Registry({}, {})
    for cls in (Sync, Async, Source):
        registry.add(cls.__name__, cls)
    specs = [
        NodeSpec(id=name, node_type=kind, executor=where, process_group=group)
        for name, kind, where, group in nodes
    ]
    names = [spec.id for spec in specs]
    edges = [Connection(source=a, target=b) for a, b in itertools.pairwise(names)]
    manifest = Manifest(nodes=tuple(specs), connections=tuple(edges))
    return compile_plan(Graph.build(manifest, registry), in_parts=lambda name: name == executor)


def test_parts():
    made = placed(
        ("a", "Sync", "inline", None),
        ("b", "Sync", "process", "g"),
        ("c", "Sync", "process", "g"),
        ("d", "Async", "process", "g"),
        ("e", "Sync", "process", None),
        ("g", "Sync", "process", None),
        ("h", "Sync", "process", None),
    )
    assert made.parts == {"@g": ("b", "c", "d"), "e": ("e",), "g": ("g",), "h": ("h",)}
    # Nodes of one part call each other; an async one stands alone there, too.
    assert made.islands == (("a",), ("b", "c"), ("d",), ("e",), ("g",), ("h",))
    assert made.async_nodes == ["b", "c", "d", "e", "g", "h"]
    assert not made.placements["b"].is_async
    assert made.placements["a"].part == ""


def test_a_proxy_is_an_async_node_and_no_part():
    made = placed(("a", "Sync", "remote", "g"), ("b", "Sync", "remote", "g"))
    assert made.parts == {}
    assert made.placements["a"].is_async
    assert made.islands == (("a",), ("b",))


def test_a_worker_is_a_process():
    made = placed(("a", "Sync", "worker", None), executor="worker")
    assert made.placements["a"].executor == "process"
    assert made.placements["a"].part == "a"


def test_a_worker_is_a_process_in_another_word():
    spec = NodeSpec(id="w", node_type="PassThrough", executor="worker")
    graph = Graph.build(Manifest(nodes=(spec,)))
    for in_parts, part in ((lambda _: True, "w"), (lambda _: False, "")):
        placement = compile_plan(graph, in_parts=in_parts).placements["w"]
        assert (placement.executor, placement.part) == ("process", part)
        assert placement.is_async is not bool(part)


class Heavy(Sync):
    default_executor = "process"


@pytest.mark.parametrize(
    ("where", "here", "by_default", "part"),
    [
        ("auto", True, True, "n"),
        ("auto", True, False, ""),  # a page, or a run without an event loop
        ("auto", False, True, ""),  # a host without processes
        ("inline", True, True, ""),
        ("process", True, False, "n"),
    ],
)
def test_a_node_type_says_where_it_runs_by_default(where, here, by_default, part):
    registry = Registry({}, {})
    registry.add("Heavy", Heavy)
    graph = Graph.build(
        Manifest(nodes=(NodeSpec(id="n", node_type="Heavy", executor=where),)), registry
    )
    made = compile_plan(graph, in_parts=lambda name: here, by_default=by_default)
    placement = made.placements["n"]
    assert placement.part == part
    assert placement.executor == ("process" if part else "inline")
    assert made.async_nodes == (["n"] if part else [])


@pytest.mark.parametrize(
    ("node_type", "where", "warned"),
    [
        ("Heavy", "auto", False),
        ("Heavy", "process", False),
        ("Heavy", "inline", True),
        ("Sync", "auto", True),
        ("Sync", "process", False),
    ],
)
def test_options_of_a_process_have_an_effect_where_there_is_one(node_type, where, warned):
    registry = Registry({}, {})
    registry.add("Heavy", Heavy)
    registry.add("Sync", Sync)
    text = (
        f"{{version: v1, nodes: [{{id: n, node_type: {node_type}, executor: {where}, "
        "process: {threads: 2}}]}"
    )
    manifest, graph = load(text, registry=registry)
    found = [str(each) for each in (*manifest.warnings, *policy_warnings(graph))]
    expected = ["process has no effect here: it is for nodes with executor: process"]
    assert [each.partition(": ")[2] or each for each in found] == expected * warned
