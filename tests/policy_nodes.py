"""Nodes that fail and dawdle as they are told, for the tests of policies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import ClassVar

import remotemedia as rm
from remotemedia.clock import sleep


class Script:
    """What the next calls do: ``ok``, ``fail``, or a number of ms to take; shared by one test."""

    steps: ClassVar[list[str]] = []
    calls: ClassVar[list[tuple[str, int]]] = []
    measured_s: ClassVar[float] = 0.0

    @classmethod
    def set(cls, *steps: str) -> None:
        cls.steps, cls.calls, cls.measured_s = list(steps), [], 0.0

    @classmethod
    def next(cls, text: str, now_us: int) -> str:
        cls.calls.append((text, now_us))
        return cls.steps.pop(0) if cls.steps else "ok"

    @classmethod
    def measure(cls) -> float:
        """A profiling clock that moves only when a synchronous node takes time."""
        return cls.measured_s


class _Scripted(rm.Node):
    input_caps = "text"
    output_caps = "text"

    def open(self, ctx: rm.Context) -> None:
        self.clock = ctx.clock

    def act(self, text: rm.Text) -> None:
        step = Script.next(text.text, self.clock.now_us())
        if step == "fail":
            raise ConnectionError("no such luck")
        if step == "wrong":
            raise ValueError("not this")
        if step != "ok":
            Script.measured_s += int(step) / 1000


@rm.node("TestScripted")
class Scripted(_Scripted):
    """Synchronous: one text out."""

    def process(self, text: rm.Text) -> rm.Text:
        self.act(text)
        return rm.Text(text.text + "!")


@rm.node("TestScriptedItems")
class ScriptedItems(_Scripted):
    """A generator: the script is asked before each of two items."""

    def process(self, text: rm.Text) -> Iterator[rm.Text]:
        for number in range(2):
            self.act(text)
            yield rm.Text(f"{text.text}.{number}")


class _Awaited(_Scripted):
    async def wait(self, text: rm.Text) -> None:
        step = Script.next(text.text, self.clock.now_us())
        if step == "fail":
            raise ConnectionError("no such luck")
        if step not in ("ok", "wrong"):
            await sleep(self.clock, int(step) * 1000)


@rm.node("TestScriptedAsync")
class ScriptedAsync(_Awaited):
    """A coroutine: one text out."""

    async def process(self, text: rm.Text) -> rm.Text:
        await self.wait(text)
        return rm.Text(text.text + "!")


@rm.node("TestScriptedStream")
class ScriptedStream(_Awaited):
    """An async generator: the script is asked before each of two items."""

    async def process(self, text: rm.Text) -> AsyncIterator[rm.Text]:
        for number in range(2):
            await self.wait(text)
            yield rm.Text(f"{text.text}.{number}")


@rm.node("TestSlowAny")
class SlowAny(rm.Node):
    """Async: hands anything on after 10 ms."""

    def open(self, ctx: rm.Context) -> None:
        self.clock = ctx.clock

    async def process(self, data: rm.Data) -> rm.Data:
        await sleep(self.clock, 10_000)
        return data


@rm.node("TestForwardSlow")
class ForwardSlow(rm.Node):
    """Async: hands a text on after 1 ms; no tail."""

    input_caps = "text"
    output_caps = "text"

    def open(self, ctx: rm.Context) -> None:
        self.clock = ctx.clock

    async def process(self, text: rm.Text) -> rm.Text:
        await sleep(self.clock, 1_000)
        return text
