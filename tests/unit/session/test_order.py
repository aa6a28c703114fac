"""Random synchronous graphs: order, numbers and counts, against a recursion over the graph."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import remotemedia as rm
from remotemedia.testing import VirtualClock

KINDS = ("one", "none", "list", "tuple", "generator", "emit", "emits", "stream of emits")
INPUTS = 6

Item = tuple[str, str]  # port and text
Seen = tuple[str, str, str, int, int]


def items_of(kind: str, text: str) -> list[Item]:
    """What a node of this kind makes of a text; it differs from text to text."""
    number = sum(map(ord, text))
    out = [("a", f"{text}{n}") for n in range(number % 4)]
    if kind == "one":
        return [("a", f"{text}+")]
    if kind == "none":
        return out[:1]
    if kind == "emit":
        return [("ab"[number % 2], f"{text}!")]
    if kind in ("emits", "stream of emits"):
        return [("ab"[(number + n) % 2], one) for n, (_, one) in enumerate(out)]
    return out


class Shaped(rm.Node):
    """Gives `items_of` in the shape of its kind."""

    class Params(rm.Params, frozen=True):
        kind: str = "one"

    input_caps = "text"
    output_caps = {"a": "text", "b": "text"}  # noqa: RUF012

    def process(self, data: rm.Text) -> Any:
        kind = self.params.kind
        items = items_of(kind, data.text)
        emits = [rm.Emit(port, rm.Text(text)) for port, text in items]
        texts = [rm.Text(text) for _, text in items]
        shapes: dict[str, Callable[[], Any]] = {
            "one": lambda: texts[0],
            "none": lambda: texts[0] if texts else None,
            "list": lambda: texts,
            "tuple": lambda: tuple(texts),
            "generator": lambda: (text for text in texts),
            "emit": lambda: emits[0],
            "emits": lambda: emits,
            "stream of emits": lambda: iter(emits),
        }
        return shapes[kind]()


class ShapedOne(Shaped):
    """The same with one output port, so that it can stand in a chain."""

    output_caps = "text"


rm.registry.default_registry().add("TestShaped", Shaped)
rm.registry.default_registry().add("TestShapedOne", ShapedOne)


class Drawn:
    """A random graph, as the pipeline has it and as plain lists."""

    def __init__(self, rng: random.Random, count: int) -> None:
        self.pipeline = rm.Pipeline()
        self.kinds: dict[str, str] = {}
        self.edges: list[tuple[str, str, str]] = []  # source, port, target
        for n in range(count):
            single = rng.random() < 0.6
            kind = rng.choice(KINDS[:5] if single else KINDS)
            self.kinds[f"n{n}"] = kind
            node_type = "TestShapedOne" if single else "TestShaped"
            self.pipeline.add(node_type, id=f"n{n}", kind=kind)
        edges = []
        for n in range(1, count):
            for source in rng.sample(range(n), min(n, rng.choice((1, 1, 1, 2)))):
                one = self.pipeline.manifest.nodes[source].node_type == "TestShapedOne"
                edges.append((f"n{source}", "out" if one else rng.choice("ab"), f"n{n}"))
        rng.shuffle(edges)
        for source, port, target in edges:
            self.pipeline.connect(f"{source}:{port}", target)
        self.edges = edges
        self.calls: Counter[str] = Counter()
        self.passed: Counter[tuple[str, str, str]] = Counter()

    def expected(self, texts: list[str]) -> list[Seen]:
        found: list[Seen] = []
        numbers: Counter[tuple[str, str, int]] = Counter()

        def visit(node: str, text: str, sequence: int) -> None:
            self.calls[node] += 1
            one = self.pipeline.manifest.nodes[int(node[1:])].node_type == "TestShapedOne"
            for name, item in items_of(self.kinds[node], text):
                port = "out" if one else name
                targets = [edge for edge in self.edges if edge[:2] == (node, port)]
                if not targets:
                    number = numbers[node, port, sequence]
                    numbers[node, port, sequence] += 1
                    found.append((node, port, item, sequence, number))
                for edge in targets:
                    self.passed[edge] += 1
                    visit(edge[2], item, sequence)

        for sequence, text in enumerate(texts):
            visit("n0", text, sequence)
        return found


def seen(packets: list[rm.Packet]) -> list[Seen]:
    return [
        (each.node, each.port, each.data.text, each.sequence, each.sub_sequence)  # type: ignore[attr-defined]
        for each in packets
    ]


def assert_counts(drawn: Drawn, metrics: rm.Metrics) -> None:
    assert {node.node: node.count for node in metrics.nodes} == {
        name: drawn.calls[name] for name in drawn.kinds
    }
    for source, port, target in drawn.edges:
        (edge,) = [
            each
            for each in metrics.edges
            if (each.source, each.target) == (f"{source}:{port}", f"{target}:in")
        ]
        assert edge.entered == edge.delivered == drawn.passed[source, port, target]


def texts() -> list[str]:
    return [chr(ord("a") + n) for n in range(INPUTS)]


@pytest.mark.parametrize("seed", range(60))
def test_a_run(seed: int) -> None:
    rng = random.Random(seed)
    drawn = Drawn(rng, rng.randint(1, 9))
    expected = drawn.expected(texts())
    run = drawn.pipeline.run([rm.Text(text) for text in texts()], to="n0")
    assert seen(list(run)) == expected
    assert_counts(drawn, run.metrics())


@pytest.mark.parametrize("capacity", [1, 3, 256])
@pytest.mark.parametrize("seed", range(30))
async def test_a_session(
    seed: int, capacity: int, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With little room it stops and goes on in the middle of lists, branches and generators."""
    monkeypatch.setattr("remotemedia.session.router.CLIENT_CAPACITY", capacity)
    rng = random.Random(1000 + seed)
    drawn = Drawn(rng, rng.randint(1, 9))
    expected = drawn.expected(texts())
    async with drawn.pipeline.session(clock=clock) as session:
        given = [rm.Text(text) for text in texts()]
        packets = [packet async for packet in session.stream(given, to="n0")]
        assert seen(packets) == expected
        assert_counts(drawn, session.metrics())


def test_branches_in_branches_deeper_than_calls_can_be_nested() -> None:
    """A spine of nodes with two branches and a list each; the leaves come in written order."""
    depth = 300
    p = rm.Pipeline()
    for n in range(depth):
        p.add("TestShapedOne", id=f"n{n}", kind="tuple" if n % 50 == 0 else "one")
        p.add("PassThrough", id=f"leaf{n}")
    for n in range(depth):
        p.connect(f"n{n}", f"leaf{n}")
        if n + 1 < depth:
            p.connect(f"n{n}", f"n{n + 1}")
    walked: list[tuple[str, str]] = []

    def walk(first: int, text: str) -> Iterator[tuple[int, str]]:
        """Items that are at node `first`, and what is left to do after them, without recursion."""
        waiting = [(first, text)]
        while waiting:
            n, now = waiting.pop()
            if n == depth:
                continue
            kind = "tuple" if n % 50 == 0 else "one"
            made = [item for _, item in items_of(kind, now)]
            if len(made) > 1:  # each is led to its end before the next
                for item in made:
                    yield (n, item)
                    yield from walk(n + 1, item)
                continue
            for item in made:
                yield (n, item)
                waiting.append((n + 1, item))

    for n, item in walk(0, "c"):
        walked.append((f"leaf{n}", item))
    assert len(walked) > depth
    packets = p.run([rm.Text("c")])
    assert [(each.node, each.data.text) for each in packets] == walked  # type: ignore[attr-defined]
