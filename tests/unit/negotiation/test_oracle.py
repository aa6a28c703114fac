"""Random graphs: the solver against a search through all concrete formats.

The oracle has formats as plain tuples, takes what nodes declare from the lists that the graphs
are drawn from, and shares nothing with the solver but the text form that both are written in. Of
every part so many graphs are drawn as REMOTEMEDIA_INSTANCES says; 1000 for ten thousand in all.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from itertools import pairwise

import pytest

from declared_nodes import declare
from remotemedia.graph import Graph
from remotemedia.manifest import Connection, Manifest, NodeSpec
from remotemedia.negotiation import negotiate
from remotemedia.node import Node
from remotemedia.registry import Registry

PARTS = 10
INSTANCES = int(
    os.environ.get("REMOTEMEDIA_INSTANCES", 20 if sys.platform == "emscripten" else 100)
)
SEED = 20_261_124

RATES = [500 * 2**k for k in range(11)]
CHANNELS = [1, 2]
TEXT = ("text", 0, 0)
ALL = [("audio", rate, channels) for rate in RATES for channels in CHANNELS] + [TEXT]

Concrete = tuple[str, int, int]
Item = tuple[str, Callable[[Concrete], bool]]


def draw_item(rng: random.Random) -> Item:
    """One audio format in text form, and the same as a test."""
    fields, tests = [], []
    kind = rng.random()
    if kind < 0.4:
        rate = rng.choice((8000, 16000, 32000))
        fields.append(f"sample_rate={rate}")
        tests.append(lambda f: f[1] == rate)
    elif kind < 0.6:
        rates = rng.sample((8000, 16000, 32000), 2)
        fields.append(f"sample_rate=[{rates[0]}, {rates[1]}]")
        tests.append(lambda f: f[1] in rates)
    elif kind < 0.75:
        low, high = rng.choice(((8000, 16000), (16000, 32000), (4000, 64000)))
        fields.append(f"sample_rate={low}..{high}")
        tests.append(lambda f: low <= f[1] <= high)
    if rng.random() < 0.3:
        channels = rng.choice(CHANNELS)
        fields.append(f"channels={channels}")
        tests.append(lambda f: f[2] == channels)
    text = f"audio({', '.join(fields)})" if fields else "audio"
    return text, lambda f: f[0] == "audio" and all(test(f) for test in tests)


def draw_caps(rng: random.Random, with_text: bool) -> Item:
    items = [draw_item(rng) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    if with_text and rng.random() < 0.4:
        items.insert(rng.randint(0, len(items)), ("text", lambda f: f == TEXT))
        if rng.random() < 0.3:
            items = [item for item in items if item[0] == "text"]
    tests = [test for _, test in items]
    return " | ".join(text for text, _ in items), lambda f: any(test(f) for test in tests)


class Drawn:
    """A node type: what it declares, and its relations as pairs of ports and a test."""

    def __init__(self, rng: random.Random, with_text: bool) -> None:
        ins = ["in"] if rng.random() < 0.7 else ["left", "right"]
        outs = ["out"] if rng.random() < 0.8 else ["out", "side"]
        self.inputs = {port: draw_caps(rng, with_text) for port in ins}
        self.outputs = {port: draw_caps(rng, with_text) for port in outs}
        self.capabilities = "static"
        self.relations: list[str] = []
        self.tests: list[tuple[str, str, Callable[[Concrete, Concrete], bool]]] = []
        kind = rng.choice(("static", "passthrough", "adaptive", "tied", "tied", "tied"))
        first = ins[0]
        if kind in ("static", "adaptive"):
            self.capabilities = kind
        elif kind == "passthrough":
            self.capabilities = kind
            for port, (_, test) in self.outputs.items():
                if any(test(f) and self.inputs[first][1](f) for f in ALL):
                    self.tests.append((port, first, lambda a, b: a == b))
        else:
            for _ in range(rng.choice((1, 1, 2))):
                self._draw_relation(rng, ins, outs)

    def _draw_relation(self, rng: random.Random, ins: list[str], outs: list[str]) -> None:
        port, other = rng.choice(outs), rng.choice(ins)
        if len(ins) == 2 and rng.random() < 0.3:
            port, other = "right", "left"
        kind = rng.randrange(4)
        if kind == 0:
            self.relations.append(f"{port} = {other}")
            self.tests.append((port, other, lambda a, b: a == b))
        elif kind == 1:
            self.relations.append(f"{port} = {other} except sample_rate")
            self.tests.append((port, other, lambda a, b: (a[0], a[2]) == (b[0], b[2])))
        elif kind == 2:
            self.relations.append(f"{port}.channels = {other}.channels")
            self.tests.append((port, other, lambda a, b: TEXT in (a, b) or a[2] == b[2]))
        else:
            times, text = rng.choice(((2.0, "* 2"), (0.5, "/ 2"), (4.0, "* 4")))
            self.relations.append(f"{port}.sample_rate = {other}.sample_rate {text}")
            self.tests.append((port, other, lambda a, b: TEXT in (a, b) or a[1] == b[1] * times))

    def make(self, name: str) -> type[Node]:
        inputs = {port: text for port, (text, _) in self.inputs.items()}
        outputs = {port: text for port, (text, _) in self.outputs.items()}
        return declare(name, inputs, outputs, self.capabilities, self.relations)

    @property
    def tied(self) -> set[str]:
        return {port for a, b, _ in self.tests for port in (a, b)}


class Instance:
    def __init__(self, rng: random.Random) -> None:
        with_text = rng.random() < 0.4
        count = rng.randint(2, 5)
        self.kinds = [Drawn(rng, with_text) for _ in range(count)]
        self.edges: list[tuple[int, str, int, str]] = []
        taken = set()
        for target in range(1, count):
            for port in self.kinds[target].inputs:
                most = 1 if with_text and port in self.kinds[target].tied else 2
                for _ in range(rng.randint(0 if target > 1 else 1, most)):
                    source = rng.randrange(target)
                    edge = (source, rng.choice([*self.kinds[source].outputs]), target, port)
                    if edge not in taken:
                        taken.add(edge)
                        self.edges.append(edge)

    def graph(self) -> Graph:
        registry = Registry({}, {})
        nodes = []
        for number, kind in enumerate(self.kinds):
            registry.add(f"K{number}", kind.make(f"K{number}"))
            nodes.append(NodeSpec(id=f"n{number}", node_type=f"K{number}"))
        connections = tuple(
            Connection(source=f"n{a}:{p}", target=f"n{b}:{q}") for a, p, b, q in self.edges
        )
        return Graph.build(Manifest(nodes=tuple(nodes), connections=connections), registry)

    def satisfiable(self) -> bool:
        """Whether each output port, and each input port that nothing feeds, can have a format."""
        slots: list[tuple[int, str, bool]] = []
        domains: list[list[Concrete]] = []
        for number, kind in enumerate(self.kinds):
            for port, (_, test) in kind.inputs.items():
                if port in kind.tied and not self.sources(number, port):
                    slots.append((number, port, False))
                    domains.append([f for f in ALL if test(f)])
            for port, (_, test) in kind.outputs.items():
                takers = [
                    self.kinds[b].inputs[q][1]
                    for a, p, b, q in self.edges
                    if (a, p) == (number, port)
                ]
                slots.append((number, port, True))
                domains.append([f for f in ALL if test(f) and all(t(f) for t in takers)])
        places = {slot: index for index, slot in enumerate(slots)}
        rules: list[list[tuple[int, Callable[[Concrete, Concrete], bool], bool]]] = [
            [] for _ in slots
        ]
        for number, kind in enumerate(self.kinds):
            for a, b, test in kind.tests:
                for one in self.ends(places, number, a):
                    for other in self.ends(places, number, b):
                        if one > other:
                            rules[one].append((other, test, False))
                        else:
                            rules[other].append((one, test, True))
            for port in kind.tied & set(kind.inputs):
                several = sorted(self.ends(places, number, port))
                for one, other in pairwise(several):
                    rules[other].append((one, lambda x, y: x == y, False))
        chosen: list[Concrete] = []

        def search() -> bool:
            at = len(chosen)
            if at == len(slots):
                return True
            for option in domains[at]:
                if all(
                    test(chosen[other], option) if swap else test(option, chosen[other])
                    for other, test, swap in rules[at]
                    if other != at
                ) and all(test(option, option) for other, test, _ in rules[at] if other == at):
                    chosen.append(option)
                    if search():
                        return True
                    chosen.pop()
            return False

        return search()

    def sources(self, number: int, port: str) -> list[tuple[int, str]]:
        return [(a, p) for a, p, b, q in self.edges if (b, q) == (number, port)]

    def ends(self, places: dict[tuple[int, str, bool], int], number: int, port: str) -> list[int]:
        """What stands for a port: the outputs that feed it, or itself."""
        if port in self.kinds[number].outputs:
            return [places[number, port, True]]
        fed = self.sources(number, port)
        if not fed:
            return [places[number, port, False]]
        return [places[a, p, True] for a, p in dict.fromkeys(fed)]


@pytest.mark.parametrize("part", range(PARTS))
def test_the_verdict_is_that_of_an_exhaustive_search(part: int) -> None:
    wrong, possible = [], 0
    for number in range(part * INSTANCES, (part + 1) * INSTANCES):
        instance = Instance(random.Random(SEED + number))
        expected = instance.satisfiable()
        possible += expected
        if (not negotiate(instance.graph()).problems) != expected:
            wrong.append(number)
    assert wrong == []
    assert 0 < possible < INSTANCES  # both verdicts are drawn
