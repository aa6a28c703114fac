"""Async units: the tasks of a live session that run an async node or a source."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Set
from contextlib import aclosing
from typing import Any

from remotemedia.data import DATA_TYPES, Data, Packet
from remotemedia.errors import NodeOutputError
from remotemedia.node import Emit, Pause
from remotemedia.session.boundary import Boundary
from remotemedia.session.inbox import Inbox
from remotemedia.session.island import describe_output, iterate, no_such_port
from remotemedia.session.unit import Hooks, Unit, turn
from remotemedia.session.wiring import Wiring


class AsyncUnit(Unit):
    """Runs one async node, one call at a time."""

    def __init__(self, wiring: Wiring, inbox: Inbox, hooks: Hooks) -> None:
        super().__init__(wiring, inbox, hooks)
        (self.step,) = wiring.steps.values()
        self._in_call = False
        self._cut: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Work until the input has ended and the tail is out."""
        budget = self._hooks.budget
        while (boundary := self.inbox.oldest() or await self.inbox.next()) is not None:
            if budget is not None and budget.drops(boundary):
                continue
            packet, target = self._take(boundary)
            (call,) = self.wiring.arrivals[target].calls
            self._in_call = True
            await self._process(call, packet)
            if self._cut is not None or self.stopped:
                raise asyncio.CancelledError  # the node took its cancellation for an answer
            self._in_call = False
        if not self.inbox.paused:
            await self.end_nodes({self.step.id})
            self.ended = True

    async def end_nodes(self, nodes: Set[str]) -> None:
        """Let the tail out."""
        self._in_call = True
        await self._tail()
        self._in_call = False

    def drop(self, nodes: Set[str]) -> None:
        """Cancel the call in flight."""
        super().drop(nodes)
        if self.step.id not in nodes or self._cut is not None:
            return
        if self._in_call and self.task is not None and not self.task.done():
            self._cut = self.task
            self.task.cancel()
        else:
            self._forget(nodes)

    async def settle(self) -> None:
        """Wait until the call has ended."""
        if self._cut is not None:
            await asyncio.wait([self._cut])

    def _on_done(self, task: asyncio.Task[None]) -> None:
        super()._on_done(task)
        if task is self._cut:  # forget the stream, and go on with the next packet
            self._cut = None
            self._forget({self.step.id})
            if task.cancelled():
                self._in_call = False
                self.start()

    async def _process(
        self, call: Callable[[Data], Any], packet: Packet, data: Data | None = None
    ) -> None:
        """Call the node on the data of a packet, or on others that stem from it."""
        step, clock = self.step, self._hooks.clock
        elapsed = 0.0
        then = clock()
        try:
            result = call(packet.data if data is None else data)
            if inspect.isasyncgen(result):
                try:
                    async for item in result:
                        elapsed += clock() - then
                        if item.__class__ is Pause:
                            await self._nap(item)
                        else:
                            await self._emit(item, packet)
                        then = clock()
                finally:
                    await result.aclose()
                elapsed += clock() - then
            else:
                result = await result
                elapsed = clock() - then
                await self._emit_all(result, packet)
        except (Exception, asyncio.CancelledError) as error:
            if self._is_cancelled(error):
                raise
            step.errors += 1
            step.unrecorded += not elapsed
            self.packet = packet
            self._fail(step, error)
            if not elapsed:
                return
        now = clock()
        step.latency.record(now - elapsed, now)

    async def _tail(self) -> None:
        step = self.step
        if step.timers is not None:
            step.timers.clear()
        try:
            for port, adapter in step.adapters.items():
                for item in adapter.finish():
                    (call,) = self.wiring.arrivals[step.id, port].calls
                    await self._process(call, self._tail_origin(), item)
            items = self._tail_items()
            for name, filters in step.output_filters.items():
                for each in filters:
                    items = each.each_awaited(items, name, step.default)
            async with aclosing(items):
                async for item in items:
                    if item.__class__ is Pause:
                        await self._nap(item)
                    else:
                        await self._emit(item, self._tail_origin())
        except (Exception, asyncio.CancelledError) as error:
            if self._is_cancelled(error):
                raise
            step.errors += 1
            self._fail(step, error)

    async def _tail_items(self) -> AsyncGenerator[Any]:
        step = self.step
        if step.outer is not None:
            async with aclosing(step.outer.finish()) as joined:
                async for item in joined:
                    yield item
        result = step.node.finish()
        if inspect.isasyncgen(result):
            async with aclosing(result):
                async for item in result:
                    yield item
            return
        if hasattr(result, "__aiter__"):
            async for item in result:
                yield item
            return
        if inspect.isawaitable(result):
            result = await result
        items = () if result is None else iterate(result)
        if items is None:
            raise NodeOutputError(describe_output(step, result), node=step.id)
        for item in items:
            yield item

    def _is_cancelled(self, error: BaseException) -> bool:
        """Whether the unit is; else the node met a cancellation in its own affairs: a failure."""
        cancelled = isinstance(error, asyncio.CancelledError)
        return cancelled and self.task is not None and self.task.cancelling() > 0

    async def _emit_all(self, result: Any, origin: Packet) -> None:
        if result is None:
            return
        if result.__class__ in DATA_TYPES or result.__class__ is Emit:
            await self._emit(result, origin)
        elif (items := iterate(result)) is not None:
            for item in items:
                await self._emit(item, origin)
        else:
            raise NodeOutputError(describe_output(self.step, result), node=self.step.id)

    async def _emit(self, item: Any, origin: Packet) -> None:
        step = self.step
        self.packet = origin  # of several calls at once, that which emits
        port: str = step.default
        if item.__class__ is Emit:
            port, item = item.port, item.data
        links = step.routes.get(port)
        if links is None:
            raise NodeOutputError(no_such_port(step, port), node=step.id, port=str(port))
        if item.__class__ not in DATA_TYPES:
            raise NodeOutputError(describe_output(step, item), node=step.id, port=port)
        for tap in step.output_taps.get(port, ()):
            tap(item)
        for link in links:
            link.count += 1
            await self._send(link, item, origin)


class SourceUnit(AsyncUnit):
    """Runs a source; `Packet.sequence` counts its items."""

    async def run(self) -> None:
        """Emit until the source ends, then its tail."""
        await self._produce()
        await self._tail()
        self.ended = True

    async def pause(self, draining: list[Boundary]) -> None:
        """A source is not paused: it is stopped when it is taken out."""

    @property
    def is_quiet(self) -> bool:
        """Whatever it does."""
        return True

    async def let_out(self, nodes: Set[str]) -> None:
        """Stop the source."""
        if nodes and self.task is not None and not self.task.done():
            self.task.cancel()
            await asyncio.wait([self.task])

    def drop(self, nodes: Set[str]) -> None:
        """What the source emits from now on is of the new generation; it is not stopped."""
        Unit.drop(self, nodes)
        self._forget(nodes)

    async def emit(self, port: str, origin: Packet) -> None:
        """Put a packet's data in behind an output port, as if the source had emitted them."""
        async with aclosing(self._filtered(Emit(port, origin.data))) as items:
            async for item in items:
                await self._emit(item, origin)

    async def _produce(self) -> None:
        clock, step = self._hooks.clock, self.step
        items = _items_of(step.node)
        passing = self._passing(items)
        sequence = 0
        try:
            then = clock()
            async for item in passing:
                step.latency.record(then, clock())
                now_us = self._hooks.timer.wall_us()
                self.packet = Packet(
                    item, step.id, step.default, sequence, 0, now_us, self.generation
                )
                await self._emit(item, self.packet)
                sequence += 1
                then = clock()
        except (Exception, asyncio.CancelledError) as error:
            if self._is_cancelled(error):
                raise
            step.errors += 1
            self._fail(step, error)
        finally:
            await passing.aclose()
            await items.aclose()

    async def _passing(self, items: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        """What of the source's items is let through."""
        step = self.step
        async for item in items:
            if step.state == "disabled":
                step.dropped["disabled"] = step.dropped.get("disabled", 0) + 1
                await turn()  # it may never wait by itself
                continue
            if not step.output_filters:
                yield item
                continue
            async with aclosing(self._filtered(item)) as passing:
                async for decided in passing:
                    yield decided

    def _filtered(self, item: Any) -> AsyncGenerator[Any]:
        passing = _one(item)
        for name, filters in self.step.output_filters.items():
            for each in filters:
                passing = each.each_awaited(passing, name, self.step.default)
        return passing


async def _one(item: Any) -> AsyncGenerator[Any]:
    yield item


async def _items_of(source: Any) -> AsyncGenerator[Any]:
    """Items of a synchronous or asynchronous source; a synchronous one gives others a turn."""
    items = source.produce()
    if not hasattr(items, "__aiter__"):
        try:
            for item in items:
                yield item
                await turn()
        finally:
            if hasattr(items, "close"):
                items.close()
    elif hasattr(items, "aclose"):
        async with aclosing(items):  # its clean-up is over before the node is closed
            async for item in items:
                yield item
    else:
        async for item in items:
            yield item
