"""Outputs leave one by one, between the runs of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.data import Json, Text
from remotemedia.errors import NodeError
from remotemedia.node import Context, Emit
from remotemedia.nodes.models.streaming_model_node import Stream, StreamingModelNode
from remotemedia.testing import run_node


class Doubling:
    """A model that doubles a number; it says when it is run."""

    backend = provider = "none"
    inputs = outputs = ()

    def __init__(self) -> None:
        self.said: list[str] = []

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        self.said.append(f"run {feeds['x'][0]}")
        if feeds["x"][0] < 0:
            raise ValueError("negative")
        return {"y": feeds["x"] * 2}

    async def arun(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        return self.run(feeds)

    def close(self) -> None:
        self.said.append("close")


class Doubler(StreamingModelNode):
    """Doubles each number of a text, and at the end the count of them."""

    input_caps = "text"
    output_caps = {"out": "text", "seen": "json"}  # noqa: RUF012

    def open(self, ctx: Context) -> None:
        self.models = (Doubling(),)
        self.count = 0

    def work(self, data: Text) -> Stream:
        for word in data.text.split():
            self.count += 1
            outputs = yield self.model, {"x": np.array([int(word)])}
            self.model.said.append(f"out {outputs['y'][0]}")
            yield Emit("seen", Json(word))
            yield Text(str(outputs["y"][0]))

    def tail(self) -> Stream:
        outputs = yield self.model, {"x": np.array([self.count])}
        yield Text(f"{outputs['y'][0]} in all")


class Silent(Doubler):
    """Runs nothing."""

    def work(self, data: Text) -> Stream:
        return
        yield

    tail = StreamingModelNode.tail


def test_outputs_and_runs_take_turns() -> None:
    node = Doubler()
    outputs = run_node(node, [Text("3 4"), Text("5")]).data
    texts = [each.text for each in outputs if isinstance(each, Text)]
    assert texts == ["6", "8", "10", "6 in all"]
    assert [each.value for each in outputs if isinstance(each, rm.Json)] == ["3", "4", "5"]
    said = ["run 3", "out 6", "run 4", "out 8", "run 5", "out 10", "run 3", "close"]
    assert node.models[0].said == said


def test_nothing_comes_of_nothing() -> None:
    assert run_node(Silent, [Text("3")]).data == []


def test_a_run_that_fails_ends_the_stream() -> None:
    with pytest.raises(NodeError, match="negative"):
        run_node(Doubler, [Text("3 -1 4")])
