"""Nodes for the fuzz of sessions: they do what a random number says, and watch how they are called.

A node notes what breaks the contract of `remotemedia.node`: two calls at once, a call after
`close`, a second `finish`, a `reset` or a `close` during a call. What it raises on purpose is
`PlannedError`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import remotemedia as rm
from remotemedia.clock import sleep

FOREVER_MS = 10**9


class PlannedError(Exception):
    """Raised on purpose."""


class Book:
    """What happened in one round; the nodes of the round share it."""

    wrong: ClassVar[list[str]] = []
    opened: ClassVar[list[Watched]] = []
    calls: ClassVar[int] = 0
    measured_s: ClassVar[float] = 0.0

    @classmethod
    def begin(cls) -> None:
        """A new round."""
        cls.wrong, cls.opened, cls.calls, cls.measured_s = [], [], 0, 0.0

    @classmethod
    def note(cls, node: Watched, what: str) -> None:
        """Something is wrong."""
        cls.wrong.append(f"{type(node).__name__} {node.name}: {what}")


class Watched(rm.Node):
    """The base: open, close and the watch."""

    class Params(rm.Params, frozen=True):
        seed: int = 0
        limit: int = 1  # calls at once
        delay_ms: int = 0
        fails: float = 0.1
        several: float = 0.2
        refuses: bool = False  # to open
        pace: int = 0  # may change while it runs

    live_params = ("pace",)
    is_source = False

    def open(self, ctx: rm.Context) -> None:
        self.name = ctx.node
        if self.params.refuses:
            raise PlannedError("will not open")
        self.ctx, self.clock = ctx, ctx.clock
        self.rng = random.Random(self.params.seed)
        self.busy = 0
        self.closed = 0
        self.finished = False
        Book.opened.append(self)

    @contextmanager
    def call(self, what: str = "process") -> Iterator[None]:
        """A call; some end with `PlannedError`."""
        Book.calls += 1
        if self.closed:
            Book.note(self, f"{what} after close")
        limit = self.params.limit if what in ("process", "wake") else 1
        if self.busy >= limit:
            Book.note(self, f"{what} during {self.busy} calls, allowed are {limit}")
        if self.finished:
            Book.note(self, f"{what} after finish")
        self.finished = what == "finish"
        self.busy += 1
        try:
            yield
        finally:
            self.busy -= 1

    def made(self, data: rm.Data) -> list[Any]:
        """What comes of an item: mostly itself."""
        drawn = self.rng.random()
        if drawn < self.params.fails:
            raise PlannedError("no such luck")
        if drawn < self.params.fails + 0.05:
            return []
        if drawn > 1 - self.params.several:
            return [data, data]
        if drawn > 0.6:
            Book.measured_s += self.rng.random() * 0.04
        return [data]

    def tail(self) -> rm.Text | None:
        return rm.Text("tail") if self.rng.random() < 0.5 else None

    def finish(self) -> Any:
        with self.call("finish"):
            if self.rng.random() < self.params.fails:
                raise PlannedError("no tail")
            return self.tail()

    def reset(self) -> None:
        self.finished = False
        if self.busy and not self.is_source:
            Book.note(self, "reset during a call")
        if self.closed:
            Book.note(self, "reset after close")
        if self.rng.random() < self.params.fails / 2:
            raise PlannedError("no reset")

    def update(self, params: Any) -> None:
        if self.busy and not self.is_source:
            Book.note(self, "update during a call")
        super().update(params)

    def close(self) -> Any:
        if self.busy:
            Book.note(self, f"close during {self.busy} calls")
        self.closed += 1
        if self.rng.random() < self.params.fails:
            raise PlannedError("no close")


@rm.node("FuzzPlain")
class Plain(Watched):
    """Synchronous: gives nothing, an item, a list, a tuple, an `Emit` or an iterator."""

    def process(self, data: rm.Data) -> Any:
        with self.call():
            items = self.made(data)
        shapes = [items, tuple(items), iter(items), [rm.Emit("out", item) for item in items]]
        if len(items) == 1:
            shapes += [items[0], items[0], items[0], rm.Emit("out", items[0])]
        return self.rng.choice(shapes) if items else self.rng.choice([None, []])


@rm.node("FuzzItems")
class Items(Watched):
    """A generator; may fail behind its first item."""

    def process(self, data: rm.Data) -> Iterator[rm.Data]:
        with self.call():
            for item in self.made(data):
                yield item
                if self.rng.random() < self.params.fails / 2:
                    raise PlannedError("behind an item")


@rm.node("FuzzWatching")
class Watching(Plain):
    """Wants to know of other formats."""

    def reconfigure(self, ctx: rm.Context) -> None:
        if self.busy:
            Book.note(self, "reconfigure during a call")


@rm.node("FuzzRate")
class Rate(Plain):
    """Takes 16 kHz; what else comes is refused, or converted."""

    input_caps = "audio(sample_rate=16000, channels=1, format=F32)"


@rm.node("FuzzFork", output_caps={"out": "any", "other": "any"})
class Fork(Watched):
    """Two outputs."""

    def process(self, data: rm.Data) -> Any:
        with self.call():
            return [rm.Emit(self.rng.choice(["out", "other"]), item) for item in self.made(data)]


class TimerBase(Watched):
    """Sets timers."""

    def note_time(self) -> None:
        if self.rng.random() < 0.5:
            timer = self.ctx.set_timer(self.rng.randint(0, 30_000), str(self.rng.random()))
            if self.rng.random() < 0.2:
                timer.cancel()


@rm.node("FuzzTimer")
class TimerNode(TimerBase):
    """Emits an item when it comes, and something when it is woken."""

    def process(self, data: rm.Data) -> Any:
        with self.call():
            self.note_time()
            return self.made(data)

    def wake(self, token: str) -> Any:
        with self.call("wake"):
            return self.made(rm.Text(token))


class Awaited(Watched):
    """The base of async nodes."""

    async def pass_time(self) -> None:
        delay_us = self.params.delay_ms * 1000
        if delay_us or self.rng.random() < 0.5:
            await sleep(self.clock, delay_us)

    async def finish(self) -> Any:
        with self.call("finish"):
            await self.pass_time()
            if self.rng.random() < self.params.fails:
                raise PlannedError("no tail")
            return self.tail()


@rm.node("FuzzAsync")
class Async(Awaited):
    """A coroutine."""

    async def process(self, data: rm.Data) -> Any:
        with self.call():
            await self.pass_time()
            items = self.made(data)
            return items[0] if len(items) == 1 else items


@rm.node("FuzzStream")
class Stream(Awaited):
    """An async generator."""

    async def process(self, data: rm.Data) -> AsyncIterator[rm.Data]:
        with self.call():
            for item in self.made(data):
                await self.pass_time()
                yield item


@rm.node("FuzzAsyncTimer")
class AsyncTimer(TimerBase, Awaited):
    """Async, with timers."""

    async def process(self, data: rm.Data) -> Any:
        with self.call():
            self.note_time()
            await self.pass_time()
            return self.made(data)

    async def wake(self, token: str) -> Any:
        with self.call("wake"):
            await self.pass_time()
            return self.made(rm.Text(token))


@rm.node("FuzzForgiving")
class Forgiving(Awaited):
    """Takes its cancellation for an answer, and answers: at once, later, or with an error."""

    async def process(self, data: rm.Data) -> Any:
        with self.call():
            try:
                await sleep(self.clock, self.params.delay_ms * 1000)
            except asyncio.CancelledError:
                await sleep(self.clock, self.rng.choice([0, 1_000]))
            return self.made(data)

    async def finish(self) -> Any:
        return None

    async def close(self) -> None:
        await sleep(self.clock, 1_000)
        super().close()


@rm.node("FuzzTwo", input_caps={"in": "any", "side": "any"})
class Two(Watched):
    """Two inputs."""

    def process(self, data: rm.Data, port: str) -> Any:
        with self.call():
            return self.made(data)


@rm.node("FuzzTwoJoined")
class TwoJoined(Two):
    """Two inputs, taken together."""

    def process_joined(self, items: Mapping[str, rm.Data]) -> Any:
        with self.call():
            return self.made(next(iter(items.values())))


@rm.node("FuzzTwoAsync", input_caps={"in": "any", "side": "any"})
class TwoAsync(Awaited):
    """Two inputs, async."""

    async def process(self, data: rm.Data, port: str) -> Any:
        with self.call():
            await self.pass_time()
            return self.made(data)


@rm.node("FuzzTwoAsyncJoined")
class TwoAsyncJoined(TwoAsync):
    """Two inputs, async, taken together."""

    async def process_joined(self, items: Mapping[str, rm.Data]) -> Any:
        with self.call():
            await self.pass_time()
            return self.made(next(iter(items.values())))


@rm.node("FuzzSource", input_caps={})
class Source(Watched):
    """A synchronous source."""

    is_source = True

    def produce(self) -> Iterator[rm.Data]:
        with self.call():
            for number in range(self.rng.randint(0, 30)):
                yield rm.Text(str(number), pts_us=number * 20_000)
            if self.rng.random() < self.params.fails:
                raise PlannedError("broke")


@rm.node("FuzzTicks", input_caps={})
class Ticks(Awaited):
    """An async source, which cleans up."""

    is_source = True

    async def produce(self) -> AsyncIterator[rm.Data]:
        with self.call():
            try:
                for number in range(self.rng.randint(0, 30)):
                    await self.pass_time()
                    yield rm.Text(str(number), pts_us=number * 20_000)
            finally:
                await sleep(self.clock, 0)


SYNC = ("PassThrough", "FuzzPlain", "FuzzItems", "FuzzWatching", "FuzzRate", "FuzzTimer")
ASYNC = ("FuzzAsync", "FuzzStream", "FuzzAsyncTimer", "FuzzForgiving")
TWO = ("FuzzTwo", "FuzzTwoJoined", "FuzzTwoAsync", "FuzzTwoAsyncJoined")
SOURCES = ("FuzzSource", "FuzzTicks")
FORKS = ("FuzzFork",)
KINDS = (*SYNC, *ASYNC, *TWO, *FORKS, *SOURCES)
