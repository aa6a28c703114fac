"""Nodes that the session tests are made of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import ClassVar

import numpy as np

import remotemedia as rm
from remotemedia.clock import sleep


class Log:
    """What happened, in order; shared by the nodes of one test."""

    lines: ClassVar[list[str]] = []


class Traced(rm.Node):
    """Text in, the same text out; writes every call of its life into `Log`."""

    class Params(rm.Params, frozen=True):
        name: str = ""

    input_caps = "text"
    output_caps = "text"

    def open(self, ctx: rm.Context) -> None:
        Log.lines.append(f"open {ctx.node}")

    def process(self, text: rm.Text) -> rm.Text:
        Log.lines.append(f"{self.params.name} {text.text}")
        return text

    def finish(self) -> rm.Text:
        Log.lines.append(f"finish {self.params.name}")
        return rm.Text(f"tail of {self.params.name}")

    def close(self) -> None:
        Log.lines.append(f"close {self.params.name}")

    def reset(self) -> None:
        Log.lines.append(f"reset {self.params.name}")


@rm.node("TestRepeat", input_caps="text", output_caps="text")
def repeat(text: rm.Text, *, times: int = 2) -> Iterator[rm.Text]:
    """Emits the text several times, numbered; logs when each item is computed."""
    for number in range(times):
        Log.lines.append(f"compute {text.text}.{number}")
        yield rm.Text(f"{text.text}.{number}")


@rm.node("TestList", input_caps="text", output_caps="text")
def as_list(text: rm.Text) -> list[rm.Text]:
    """Emits two texts at once."""
    return [rm.Text(f"{text.text}a"), rm.Text(f"{text.text}b")]


@rm.node("TestOdd", input_caps="text", output_caps={"odd": "text", "even": "text"})
def odd_even(text: rm.Text) -> rm.Emit | None:
    """Sorts numbers by parity; drops zero."""
    number = int(text.text)
    if number == 0:
        return None
    return rm.Emit("odd" if number % 2 else "even", text)


@rm.node("TestFail", input_caps="text", output_caps="text")
def fail(text: rm.Text, *, on: str = "bad") -> rm.Text:
    """Raises on one text."""
    if text.text == on:
        raise ZeroDivisionError("no such luck")
    return text


@rm.node("TestFailLate", input_caps="text", output_caps="text")
def fail_late(text: rm.Text) -> Iterator[rm.Text]:
    """Emits one text, then raises."""
    yield text
    raise ZeroDivisionError("after the first")


@rm.node("TestWrong", input_caps="text", output_caps="text")
def wrong(text: rm.Text) -> object:
    """Returns what is no data."""
    return {
        "str": "hello",
        "bytes": b"hello",
        "dict": {"a": 1},
        "array": np.zeros(3),
        "number": 7,
        "in a list": [text, "hello"],
        "port": rm.Emit("nowhere", text),
        "class": rm.Text,
    }[text.text]


class Two(rm.Node):
    """Two inputs; tells by which one a text came."""

    input_caps: ClassVar = {"left": "text", "right": "text"}
    output_caps = "text"

    def process(self, text: rm.Text, port: str) -> rm.Text:
        return rm.Text(f"{port} {text.text}")


class Slow(rm.Node):
    """Async: hands a text on after a delay."""

    class Params(rm.Params, frozen=True):
        delay_ms: int = 10
        stubborn: bool = False

    input_caps = "text"
    output_caps = "text"

    def open(self, ctx: rm.Context) -> None:
        self.clock = ctx.clock
        self.calls = 0

    async def process(self, text: rm.Text) -> rm.Text:
        self.calls += 1
        try:
            await sleep(self.clock, self.params.delay_ms * 1000)
        except asyncio.CancelledError:
            Log.lines.append(f"cancelled {text.text}")
            if not self.params.stubborn:
                raise
            await sleep(self.clock, 3_600_000_000)
        return text

    async def finish(self) -> rm.Text:
        return rm.Text("slow tail")

    def reset(self) -> None:
        Log.lines.append("reset slow")


@rm.node("TestStream", input_caps="text", output_caps="text")
async def stream(text: rm.Text, *, times: int = 3) -> AsyncIterator[rm.Text]:
    """Async generator."""
    for number in range(times):
        yield rm.Text(f"{text.text}.{number}")


@rm.node("TestForgiving", input_caps="text", output_caps="text")
async def forgiving(text: rm.Text) -> rm.Text:
    """Takes its cancellation for an answer, and answers."""
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        Log.lines.append(f"cancelled {text.text}")
    return text


class Count(rm.Node):
    """A source: emits numbers."""

    class Params(rm.Params, frozen=True):
        count: int = 3
        fail: bool = False

    input_caps: ClassVar = {}
    output_caps = "text"

    def produce(self) -> Iterator[rm.Text]:
        for number in range(self.params.count):
            yield rm.Text(str(number))
        if self.params.fail:
            raise ZeroDivisionError("source broke")


class Ticks(rm.Node):
    """An async source: one text per 20 ms."""

    class Params(rm.Params, frozen=True):
        count: int = 3

    input_caps: ClassVar = {}
    output_caps = "text"

    def open(self, ctx: rm.Context) -> None:
        self.clock = ctx.clock

    async def produce(self) -> AsyncIterator[rm.Text]:
        for number in range(self.params.count):
            await sleep(self.clock, 20_000)
            yield rm.Text(str(number))


for _name, _cls in {
    "TestTraced": Traced,
    "TestTwo": Two,
    "TestSlow": Slow,
    "TestCount": Count,
    "TestTicks": Ticks,
}.items():
    rm.node(_name)(_cls)


def pipeline(nodes: str, *edges: str, **params: dict[str, object]) -> rm.Pipeline:
    """``pipeline("a:TestRepeat b:PassThrough", "a b", a={"times": 3})``."""
    built = rm.Pipeline()
    for item in nodes.split():
        node_id, _, node_type = item.partition(":")
        built.add(node_type, id=node_id, **params.get(node_id, {}))
    for edge in edges:
        source, target = edge.split()
        built.connect(source, target)
    return built


def texts(*values: str) -> list[rm.Text]:
    """Texts to send."""
    return [rm.Text(value) for value in values]


def seen(packets: object) -> list[tuple[str, str, int, int]]:
    """(node, text, sequence, sub_sequence) of packets."""
    return [
        (packet.node, packet.data.text, packet.sequence, packet.sub_sequence)
        for packet in packets  # type: ignore[attr-defined]
    ]
