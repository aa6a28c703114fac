"""Random graphs: the converters that are inserted, against a search through all assignments.

As in test_oracle, the oracle has formats as plain tuples. What its two converters cost is written
down twice, here and in the nodes below.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from typing import ClassVar

import pytest

from declared_nodes import declare
from remotemedia.caps import Exact
from remotemedia.graph import Graph
from remotemedia.manifest import Connection, Manifest, NodeSpec
from remotemedia.negotiation import Insertion, converters_for, negotiate
from remotemedia.negotiation.converters import Converters
from remotemedia.node import ConversionCost, Node, NodeParams
from remotemedia.nodes.audio.converter import Converter
from remotemedia.registry import Registry

PARTS = 10
INSTANCES = int(
    os.environ.get("REMOTEMEDIA_INSTANCES", 20 if sys.platform == "emscripten" else 100)
)
SEED = 424_242

Concrete = tuple[int, int]  # rate, channels
ALL: list[Concrete] = [(rate, channels) for rate in (8000, 16000, 32000) for channels in (1, 2)]
RATE_US, MIX_US = 300.0, 70.0
NEVER = 1e9


class Rate(Converter):
    class Params(NodeParams, frozen=True):
        rate: int = 8000

    input_caps = "audio(sample_rate=8000..32000)"
    output_caps = "audio(sample_rate=8000..32000)"
    converts: ClassVar = {"sample_rate": "rate"}

    @classmethod
    def sets(cls, params):
        return {"sample_rate": Exact(params.rate)}

    @classmethod
    def conversion_cost(cls, params, given, made):
        return ConversionCost(300.0)


class Mix(Converter):
    class Params(NodeParams, frozen=True):
        n: int = 1

    input_caps = "audio(channels=1..2)"
    output_caps = "audio(channels=1..2)"
    converts: ClassVar = {"channels": "n"}

    @classmethod
    def sets(cls, params):
        return {"channels": Exact(params.n)}

    @classmethod
    def conversion_cost(cls, params, given, made):
        return ConversionCost(70.0)


def way(given: Concrete, wanted: Concrete) -> float:
    return RATE_US * (given[0] != wanted[0]) + MIX_US * (given[1] != wanted[1])


def draw_caps(rng: random.Random) -> tuple[str, list[Concrete]]:
    texts, found = [], []
    for _ in range(rng.choice((1, 1, 1, 2))):
        fields, fits = [], ALL
        if rng.random() < 0.75:
            rates = rng.sample((8000, 16000, 32000), rng.choice((1, 1, 2)))
            if len(rates) == 2 and rng.random() < 0.5:
                rates = sorted(rates)
                fields.append(f"sample_rate={rates[0]}..{rates[1]}")
                fits = [f for f in fits if rates[0] <= f[0] <= rates[1]]
            else:
                fields.append(f"sample_rate=[{', '.join(map(str, rates))}]")
                fits = [f for f in fits if f[0] in rates]
        if rng.random() < 0.4:
            channels = rng.choice((1, 2))
            fields.append(f"channels={channels}")
            fits = [f for f in fits if f[1] == channels]
        texts.append(f"audio({', '.join(fields)})" if fields else "audio")
        found += [f for f in fits if f not in found]
    return " | ".join(texts), found


Test = Callable[[Concrete, Concrete], bool]


class Drawn:
    def __init__(self, rng: random.Random) -> None:
        ins = ["in"] if rng.random() < 0.75 else ["left", "right"]
        self.inputs = {port: draw_caps(rng) for port in ins}
        self.outputs = {port: draw_caps(rng) for port in ["out"]}
        self.capabilities = rng.choice(("static", "static", "adaptive", "passthrough", "tied"))
        self.relations: list[str] = []
        self.tests: list[tuple[str, str, Test]] = []
        if self.capabilities == "passthrough":
            if set(self.inputs[ins[0]][1]) & set(self.outputs["out"][1]):
                self.tests.append(("out", ins[0], lambda a, b: a == b))
            else:
                self.capabilities = "static"
        elif self.capabilities == "tied":
            self.capabilities = "static"
            kind = rng.randrange(4)
            if kind == 0:
                self.relations.append(f"out = {ins[0]} except sample_rate")
                self.tests.append(("out", ins[0], lambda a, b: a[1] == b[1]))
            elif kind == 1:
                self.relations.append(f"out.sample_rate = {ins[0]}.sample_rate")
                self.tests.append(("out", ins[0], lambda a, b: a[0] == b[0]))
            elif kind == 2 and len(ins) == 2:
                self.relations.append("right.sample_rate = left.sample_rate")
                self.tests.append(("right", "left", lambda a, b: a[0] == b[0]))
            else:
                self.relations.append(f"out = {ins[0]}")
                self.tests.append(("out", ins[0], lambda a, b: a == b))

    def make(self, name: str) -> type[Node]:
        inputs = {port: text for port, (text, _) in self.inputs.items()}
        outputs = {port: text for port, (text, _) in self.outputs.items()}
        return declare(name, inputs, outputs, self.capabilities, self.relations)

    @property
    def tied(self) -> set[str]:
        return {port for a, b, _ in self.tests for port in (a, b)} & set(self.inputs)


class Instance:
    def __init__(self, rng: random.Random) -> None:
        count = rng.randint(2, 5)
        self.kinds = [Drawn(rng) for _ in range(count)]
        self.edges: list[tuple[int, int, str]] = []
        for target in range(1, count):
            for port in self.kinds[target].inputs:
                for _ in range(rng.choice((1, 1, 1, 2))):
                    edge = (rng.randrange(target), target, port)
                    if edge not in self.edges:
                        self.edges.append(edge)
        self.registry = Registry({}, {})
        self.registry.add("Rate", Rate)
        self.registry.add("Mix", Mix)
        for number, kind in enumerate(self.kinds):
            self.registry.add(f"K{number}", kind.make(f"K{number}"))

    def graph(self, insertions: tuple[Insertion, ...] = ()) -> Graph:
        nodes = [NodeSpec(id=f"n{n}", node_type=f"K{n}") for n in range(len(self.kinds))]
        chains = {
            (one.edge.source, one.edge.target, one.edge.target_port): one.chain
            for one in insertions
        }
        connections = []
        for a, b, q in self.edges:
            before = f"n{a}"
            for step in chains.get((f"n{a}", f"n{b}", q), ()):
                name = f"c{len(nodes)}"
                nodes.append(NodeSpec(id=name, node_type=step.node_type, params=step.params))
                connections.append(Connection(source=before, target=name))
                before = name
            connections.append(Connection(source=before, target=f"n{b}:{q}"))
        manifest = Manifest(nodes=tuple(nodes), connections=tuple(connections))
        return Graph.build(manifest, self.registry)

    def optimum(self) -> float:
        """The least that converters have to cost; `NEVER` if there is no way."""
        steps: list[tuple[int, str]] = []  # a tied input, or the output, of each node in turn
        for number, kind in enumerate(self.kinds):
            steps += [(number, port) for port in kind.inputs if port in kind.tied]
            steps.append((number, "out"))
        chosen: dict[tuple[int, str], Concrete] = {}
        best = NEVER

        def options(step: tuple[int, str]) -> list[tuple[float, Concrete]]:
            number, port = step
            kind = self.kinds[number]
            found = []
            for option in (kind.outputs if port == "out" else kind.inputs)[port][1]:
                if not all(
                    test(option, chosen[number, b])
                    if a == port
                    else test(chosen[number, a], option)
                    for a, b, test in kind.tests
                    if port in (a, b) and {(number, a), (number, b)} - {step} <= chosen.keys()
                ):
                    continue
                price = 0.0
                if port == "out":
                    for _, target, q in [edge for edge in self.edges if edge[0] == number]:
                        if q not in self.kinds[target].tied:
                            goals = self.kinds[target].inputs[q][1]
                            price += min((way(option, goal) for goal in goals), default=NEVER)
                else:
                    for source, _, _ in [edge for edge in self.edges if edge[1:] == step]:
                        price += way(chosen[source, "out"], option)
                found.append((price, option))
            return sorted(found)

        def search(at: int, price: float) -> None:
            nonlocal best
            if at == len(steps):
                best = min(best, price)
                return
            for more, option in options(steps[at]):
                if price + more >= best:
                    break
                chosen[steps[at]] = option
                search(at + 1, price + more)
                del chosen[steps[at]]

        search(0, 0.0)
        return best


@pytest.mark.parametrize("part", range(PARTS))
def test_no_cheaper_converters_would_do(part: int) -> None:
    wrong, inserted = [], 0
    for number in range(part * INSTANCES, (part + 1) * INSTANCES):
        instance = Instance(random.Random(SEED + number))
        converters = Converters(instance.registry)
        insertions = converters_for(instance.graph(), converters)
        left = negotiate(instance.graph(insertions), converters).problems
        price = sum(step.cost.us_per_s for one in insertions for step in one.chain)
        optimum = instance.optimum()
        inserted += bool(insertions)
        if bool(left) != (optimum == NEVER) or (not left and price > optimum):
            wrong.append((number, price, optimum, len(left)))
    assert wrong == []
    assert inserted > INSTANCES / 4
