"""The graph: order, ends, cycles, ports, and every problem at its place."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotemedia.caps import Caps, parse_caps
from remotemedia.data import Data
from remotemedia.errors import ManifestError
from remotemedia.graph import Graph, load, requirements
from remotemedia.manifest import (
    Connection,
    Manifest,
    NodeSpec,
    ProcessOptions,
    Queue,
    load_manifest,
)
from remotemedia.manifest.limits import MAX_PROBLEMS
from remotemedia.node import Node, NodeParams
from remotemedia.registry import Registry


class Pass(Node):
    class Params(NodeParams):
        level: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1
        mode: str = "a"

    aliases: ClassVar = {"amount": "level"}
    backends = ("numpy", "soxr")


class Split(Node):
    input_caps: ClassVar = {"main": "audio", "side": "json"}
    output_caps: ClassVar = {"left": "audio(channels=1)", "right": "audio(channels=1)"}


class Ports(Node):
    """As many inputs as its parameters say."""

    class Params(NodeParams):
        count: int

    @classmethod
    def input_ports(cls, params: NodeParams) -> dict[str, Caps]:
        assert isinstance(params, cls.Params)
        return {f"in{index}": parse_caps("any") for index in range(params.count)}


class Tone(Node):
    output_caps = "audio"

    def produce(self) -> list[Data]:
        return []


class Mixed(Node):
    input_caps = "control"

    def produce(self) -> list[Data]:
        return []


class Sink(Node):
    output_caps: ClassVar = {}


class Heavy(Node):
    requires = ("no_such_package",)


class Ordered(Node):
    class Params(NodeParams):
        low: int = 0
        high: int = 1

        def __post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("low is above high")


@pytest.fixture(scope="module")
def registry() -> Registry:
    registry = Registry({}, {"OldPass": "Pass"})
    for cls in (Pass, Split, Ports, Tone, Mixed, Sink, Heavy, Ordered):
        registry.add(cls.__name__, cls)
    return registry


def manifest(nodes: str | Sequence[NodeSpec], edges: str = "") -> Manifest:
    """``"a b:Sink"`` and ``"a>b a:left>b"``."""
    if isinstance(nodes, str):
        nodes = [
            NodeSpec(id=name, node_type=kind or "Pass")
            for name, _, kind in (item.partition(":") for item in nodes.split())
        ]
    pairs = [edge.split(">") for edge in edges.split()]
    connections = [Connection(source=source, target=target) for source, target in pairs]
    return Manifest(nodes=tuple(nodes), connections=tuple(connections))


def problems(registry: Registry, source: Manifest) -> list[str]:
    with pytest.raises(ManifestError) as error:
        Graph.build(source, registry)
    return list(map(str, error.value.problems))


# -- what a graph tells -------------------------------------------------------------------------


def test_graph(registry: Registry) -> None:
    queue = Queue(capacity=3)
    nodes = [
        NodeSpec(id="out", node_type="Sink"),
        NodeSpec(id="split", node_type="Split"),
        NodeSpec(id="mic", node_type="OldPass", params={"amount": 0.5}, backend="soxr"),
        NodeSpec(id="alone", node_type="Tone"),
    ]
    connections = (
        Connection(source="split:right", target="out"),
        Connection(source="mic", target="split", queue=queue),
        Connection(source="mic:out", target="split:side"),
    )
    graph = Graph.build(Manifest(nodes=tuple(nodes), connections=connections), registry)
    assert list(graph.nodes) == ["out", "split", "mic", "alone"]
    assert graph.order == ("mic", "split", "out", "alone")
    assert graph.sources == ("mic", "alone")
    assert graph.sinks == ("out", "alone")
    assert list(map(str, graph.edges)) == [
        "split:right → out:in",
        "mic:out → split:main",
        "mic:out → split:side",
    ]
    assert graph.edges[1].queue is queue
    assert graph.edges[1].path == ("connections", 1)
    assert graph.outgoing("mic") == graph.edges[1:]
    assert graph.incoming("out") == graph.edges[:1]
    assert graph.incoming("mic") == ()
    assert graph.outgoing("out") == ()
    mic = graph.nodes["mic"]
    assert (mic.id, mic.node_type, mic.cls, mic.index) == ("mic", "Pass", Pass, 2)
    assert mic.params == Pass.Params(level=0.5)
    assert mic.spec is nodes[2]
    assert list(mic.inputs) == ["in"]
    assert {port: str(caps) for port, caps in graph.nodes["split"].inputs.items()} == {
        "main": "audio",
        "side": "json",
    }
    assert graph.nodes["alone"].inputs == {}
    assert graph.nodes["out"].outputs == {}


def test_ties_are_broken_by_the_manifest(registry: Registry) -> None:
    edges = "a>z b>z z>y z>x y>w x>w"
    assert Graph.build(manifest("z y x w b a", edges), registry).order == tuple("bazyxw")
    assert Graph.build(manifest("a b x y z w", edges), registry).order == tuple("abzxyw")
    assert Graph.build(manifest("c b a"), registry).order == ("c", "b", "a")


def test_diamond_and_fan(registry: Registry) -> None:
    graph = Graph.build(manifest("a b c d", "a>b a>c b>d c>d a>d"), registry)
    assert graph.order == ("a", "b", "c", "d")
    assert [edge.source for edge in graph.incoming("d")] == ["b", "c", "a"]


@given(st.data())
def test_order_is_topological_and_greedy(registry: Registry, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    rank = data.draw(st.permutations(range(count)))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    edges = {
        (a, b) if rank[a] < rank[b] else (b, a)
        for a, b in data.draw(st.lists(pairs, max_size=30))
        if a != b
    }
    text = " ".join(f"n{a}>n{b}" for a, b in sorted(edges))
    graph = Graph.build(manifest(" ".join(f"n{i}" for i in range(count)), text), registry)
    # The definition, in quadratic time: of what is ready, the first of the manifest.
    left, expected = list(range(count)), []
    while left:
        node = next(n for n in left if not any(a in left and b == n for a, b in edges))
        left.remove(node)
        expected.append(f"n{node}")
    assert list(graph.order) == expected


def test_ports_that_depend_on_parameters(registry: Registry) -> None:
    nodes = [
        NodeSpec(id="a", node_type="Pass"),
        NodeSpec(id="two", node_type="Ports", params={"count": 2}),
        NodeSpec(id="none", node_type="Ports", params={"count": 0}),
        NodeSpec(id="m", node_type="Mixed"),
    ]
    graph = Graph.build(manifest(nodes, "a>two:in1 a>two a>m"), registry)
    assert [edge.target_port for edge in graph.edges] == ["in1", "in0", "in"]
    assert problems(registry, manifest(nodes, "a>two:in2 a>none")) == [
        "connections[0].to: 'two' has no input 'in2', its inputs: in0, in1; did you mean 'in1'?",
        "connections[1].to: 'none' is a source: nothing goes into it",
    ]


# -- problems -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "edges", "expected"),
    [
        ("", "", ["nodes: a pipeline has at least one node"]),
        ("a a", "", ["nodes[1].id: id 'a' is that of nodes[0] too"]),
        (
            "a b a a",
            "",
            [
                "nodes[2].id: id 'a' is that of nodes[0] too",
                "nodes[3].id: id 'a' is that of nodes[0] too",
            ],
        ),
        ("a", "a>a", ["connections[0]: 'a' is connected to itself"]),
        ("a b", "a>b a:out>b:in", ["connections[1]: a:out → b:in is connections[0] again"]),
        ("a b:Split", "a>b a>b:side", []),
        (
            "alpha b",
            "alpa>b",
            ["connections[0].from: there is no node 'alpa'; did you mean 'alpha'?"],
        ),
        (
            "alpha b",
            "alpha>c alpha>d:x",
            ["connections[0].to: there is no node 'c'", "connections[1].to: there is no node 'd'"],
        ),
        (
            "a b",
            "x>y",
            [
                "connections[0].from: there is no node 'x'",
                "connections[0].to: there is no node 'y'",
            ],
        ),
        (
            "a s:Split",
            "a>s:mian",
            [
                "connections[0].to: 's' has no input 'mian', its inputs: main, side; "
                "did you mean 'main'?"
            ],
        ),
        (
            "a s:Split",
            "s:lef>a",
            [
                "connections[0].from: 's' has no output 'lef', its outputs: left, right; "
                "did you mean 'left'?"
            ],
        ),
        ("a b", "a:>b", ["connections[0].from: 'a' has no output '', its output: out"]),
        ("a t:Tone", "a>t", ["connections[0].to: 't' is a source: nothing goes into it"]),
        ("a s:Sink", "s>a", ["connections[0].from: 's' is a sink: nothing leaves it"]),
        ("a b c", "a>b b>c c>a", ["connections[2]: cycle: a → b → c → a"]),
        ("a b c d", "d>a a>b b>a b>c", ["connections[2]: cycle: a → b → a"]),
        (
            "a b c d",
            "c>d d>c a>b b>a",
            ["connections[3]: cycle: a → b → a", "connections[1]: cycle: c → d → c"],
        ),
        (
            "a b c",
            "a>b b>a b>c c>b",
            ["connections[1]: cycle: a → b → a", "connections[3]: cycle: b → c → b"],
        ),
    ],
)
def test_edges(registry: Registry, nodes: str, edges: str, expected: list[str]) -> None:
    source = manifest(nodes, edges)
    if expected:
        assert problems(registry, source) == expected
    else:
        assert len(Graph.build(source, registry).edges) == len(source.connections)


def test_long_cycles_are_abbreviated(registry: Registry) -> None:
    names = [f"n{index}" for index in range(40)]
    edges = " ".join(f"{a}>{b}" for a, b in zip(names, names[1:] + names[:1], strict=True))
    (problem,) = problems(registry, manifest(" ".join(names), edges))
    assert problem == (
        "connections[39]: cycle: n0 → n1 → n2 → n3 → n4 → n5 → n6 → n7 → n8 → n9 → n10 → "
        "(28 more) → n39 → n0"
    )


def test_cycles_are_found_in_any_order(registry: Registry) -> None:
    edges = ["x>y", "y>z", "z>x", "a>x", "z>b"]
    for seed in range(10):
        random.Random(seed).shuffle(edges)
        (problem,) = problems(registry, manifest("a b x y z", " ".join(edges)))
        assert problem.endswith("cycle: x → y → z → x")


@pytest.mark.parametrize("node_id", ["", "a b", "a:b", "é", "a" * 65, "a\n"])
def test_ids_of_manifests_made_in_code(registry: Registry, node_id: str) -> None:
    (problem,) = problems(registry, manifest([NodeSpec(id=node_id, node_type="Pass")]))
    assert problem.startswith("nodes[0].id: expected 1 to 64 letters, digits, '_', '.' or '-', got")


def test_options_of_a_shared_process(registry: Registry) -> None:
    text = """\
version: v1
nodes:
  - {id: a, node_type: Pass, executor: process, process_group: g, process: {threads: 2}}
  - {id: b, node_type: Pass, executor: process, process_group: g}
  - {id: c, node_type: Pass, executor: process, process_group: g, process: {threads: 2}}
  - {id: d, node_type: Pass, executor: process, process: {threads: 3}}
  - {id: e, node_type: Pass, executor: inline, process_group: g, process: {threads: 3}}
"""
    load(text, registry=registry)
    last = (
        "  - {id: f, node_type: Pass, executor: process, process_group: g, process: {threads: 1}}"
    )
    with pytest.raises(ManifestError) as caught:
        load(text + last, registry=registry)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (8, last.index("process: {") + 1)
    assert str(problem.message) == (
        "'f' shares the process of 'a', whose options are others: give them to one of the two"
    )


def test_options_of_processes_that_were_made_in_code(registry: Registry) -> None:
    options = ProcessOptions(threads=0)
    nodes = (NodeSpec(id="a", node_type="Pass", process=options),)
    with pytest.raises(ManifestError, match=r"nodes\[0\].process.threads: expected .*>= 1"):
        Graph.build(Manifest(nodes=nodes), registry)


def test_nodes(registry: Registry) -> None:
    nodes = [
        NodeSpec(id="a", node_type="Pas"),
        NodeSpec(id="b", node_type="OldPas", executor="proces"),
        NodeSpec(id="c", node_type="${KIND:-Pass}"),
        NodeSpec(id="d", node_type="Heavy"),
        NodeSpec(id="e", node_type="Pass", params={"level": 2, "mod": 1, "mode": 3}, backend="sox"),
        NodeSpec(id="f", node_type="Pass", params={"amount": 1, "level": 1}, executor="cloud"),
        NodeSpec(id="g", node_type="Ports"),
        NodeSpec(id="h", node_type="Sink", backend="numpy"),
        NodeSpec(id="i", node_type="Ordered", params={"low": 3}),
    ]
    assert problems(registry, manifest(nodes, "a>b b:x>e:y")) == [
        "nodes[0].node_type: unknown node_type 'Pas'; did you mean 'Pass'?",
        "nodes[1].node_type: unknown node_type 'OldPas'; did you mean 'OldPass'?",
        "nodes[1].executor: unknown executor 'proces'; did you mean 'process'?",
        "nodes[2].node_type: unknown node_type '${KIND:-Pass}': variables are not substituted in "
        "a manifest; write the name itself",
        "nodes[3].node_type: node_type 'Heavy' needs no_such_package: "
        "pip install 'no_such_package'",
        "nodes[4].params.level: expected a number <= 1.0, got 2",
        "nodes[4].params.mod: unknown field 'mod' of Pass; did you mean 'mode'?",
        "nodes[4].params.mode: expected text, got 3: write it in quotes",
        "nodes[4].backend: node_type 'Pass' has no backend 'sox'; did you mean 'soxr'? "
        "(it has: numpy, soxr)",
        "nodes[5].params.level: 'level' is 'amount' given again",
        "nodes[5].executor: unknown executor 'cloud' "
        "(there are: auto, inline, process, ray, remote, worker)",
        "nodes[6].params: 'count' of Ports is missing",
        "nodes[7].backend: node_type 'Sink' has no backend 'numpy' (it has: none)",
        "nodes[8].params: low is above high, got a mapping",
    ]


def test_all_problems_of_text_structure_and_graph_at_once(registry: Registry) -> None:
    text = """\
version: v1
nodes:
- {id: a, node_type: Pass, params: {level: .inf}}
- {id: b, node_type: Pas, polcy: {}}
- {node_type: Pass}
- {id: d, node_type: Pass, params: {level: 1, level: 2}}
connections:
- {from: a, to: b}
- {from: a, to: nobody}
- {from: d, to: a}
- {from: a, to: d}
"""
    with pytest.raises(ManifestError) as error:
        load(text, registry=registry)
    assert list(map(str, error.value.problems)) == [
        "3:44: inf is no number that a manifest can hold",
        "4:22: unknown node_type 'Pas'; did you mean 'Pass'?",
        "4:27: unknown field 'polcy' of node; did you mean 'policy'?",
        "5:3: 'id' of node is missing",
        "6:47: 'level' is given twice",
        "10:3: cycle: a → d → a",
    ]
    # Who 'nobody' is cannot be told while there is a node without an id.


def test_graph_of_a_loaded_manifest_is_located(registry: Registry) -> None:
    text = "version: v1\nnodes:\n- {id: a, nodeType: Pass, config: {mod: 1}}\n"
    with pytest.raises(ManifestError) as error:
        load(text, registry=registry, name="x.yaml")
    assert str(error.value) == (
        "x.yaml: 1 problem\n  3:36: unknown field 'mod' of Pass; did you mean 'mode'?"
    )
    loaded, graph = load(text.replace("mod:", "level:"), registry=registry)
    assert graph.nodes["a"].params == Pass.Params(level=1)
    assert graph.nodes["a"].spec is loaded.nodes[0]


def test_too_many_problems(registry: Registry) -> None:
    nodes = " ".join(f"n{index}:Nothing{index}" for index in range(300))
    found = problems(registry, manifest(nodes, "x>y " * 300))
    assert len(found) == MAX_PROBLEMS + 1
    assert found[-1] == "manifest: more than 100 problems; the rest is not shown"
    edges = " ".join(f"n{index}>n{index ^ 1}" for index in range(300))
    many = problems(registry, manifest(" ".join(f"n{index}" for index in range(300)), edges))
    assert len(many) == MAX_PROBLEMS + 1


def test_chain_of_ten_thousand(registry: Registry) -> None:
    names = [f"n{index}" for index in range(10_000)]
    edges = " ".join(f"{a}>{b}" for a, b in itertools.pairwise(names))
    graph = Graph.build(manifest(" ".join(names), edges), registry)
    assert graph.order == tuple(names)
    assert graph.sources == ("n0",)
    assert graph.sinks == ("n9999",)


NEEDS = """version: v1
nodes:
  - {id: a, node_type: Heavy}
  - {id: b, node_type: Torn}
  - {id: c, node_type: Nowhere}
  - {id: d, node_type: HeavyToo, params: {no: 1}}
  - {id: e, node_type: Heavy}
  - {id: f, node_type: Pass}
connections: [{from: a, to: z}]
"""


def test_requirements_of_what_is_not_installed() -> None:
    own = Registry({"Torn": "no_such_module_at_all:Torn"}, {"HeavyToo": "Heavier"})
    own.add("Heavy", type("Heavy", (Pass,), {"requires": ("no-such-b>=2", "numpy")}))
    own.add("Heavier", type("Heavier", (Pass,), {"requires": ("no-such-a", "no-such-b>=2")}))
    own.add("Pass", Pass)
    expected = ("no-such-a", "no-such-b>=2", "numpy")
    assert requirements(load_manifest(NEEDS), own) == expected
    assert requirements(NEEDS, own) == expected
    broken = NEEDS.replace("id: c, node_type", "id: c, what")
    assert requirements(broken, own) == expected
    assert requirements({"version": "v1", "nodes": [{"id": "a", "node_type": "Pass"}]}, own) == ()
    with pytest.raises(ManifestError):
        requirements("{", own)


def test_requirements_of_built_in_nodes() -> None:
    nodes = (NodeSpec(id="a", node_type="IIRFilter"), NodeSpec(id="b", node_type="Gain"))
    assert requirements(Manifest(nodes=nodes)) == ("scipy>=1.11",)
    assert requirements(Manifest(nodes=nodes[1:])) == ()
