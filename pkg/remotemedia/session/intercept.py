"""Intercept: somebody decides of each item at a port whether it passes, as what, or not at all."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
)
from contextlib import aclosing
from typing import Any

from remotemedia.clock import Clock, deadline
from remotemedia.data import DATA_TYPES, Data, Packet
from remotemedia.errors import FormatError, SessionError
from remotemedia.node import Emit, Pause
from remotemedia.session.policies.policed import Call
from remotemedia.session.results import is_awaited, items_of, outputs_of

Handler = Callable[[Packet], Data | Awaitable[Data | None] | None]
"""Gives what passes in the place of a packet's data: these, others, or None. May be async."""


class Interceptor:
    """Asks a handler, within a deadline; whoever does not answer in time lets the item pass.

    Parameters
    ----------
    handler : callable
        Decides.
    deadline_us : int
        How long an item waits for the answer, µs.
    clock : Clock
        The session clock.
    packet : callable
        Makes the packet that the handler is shown.
    misfit : callable
        Tells what is wrong with data that are to pass in the place of others.
    failed : callable
        Told of what the handler raised; the item passes.

    Attributes
    ----------
    passed, replaced, dropped, late : int
        What became of the items; the late ones passed.
    """

    def __init__(
        self,
        handler: Handler,
        deadline_us: int,
        clock: Clock,
        packet: Callable[[Data], Packet],
        misfit: Callable[[Data], FormatError | None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._handler = handler
        self._deadline_us = deadline_us
        self._clock = clock
        self._packet = packet
        self._misfit = misfit
        self._failed = failed
        self.passed = self.replaced = self.dropped = self.late = 0

    def before(self, call: Call) -> Call:
        """The call of a port, with what passes."""
        if is_awaited(call):

            async def awaited(data: Data) -> AsyncIterator[Any]:
                passing = await self._answer(data)
                if passing is not None:
                    async with aclosing(items_of(call(passing))) as items:
                        async for item in items:
                            yield item

            return awaited

        def asked(data: Data) -> Iterator[Any]:
            passing = yield from self._ask(data)
            if passing is not None:
                yield from outputs_of(call(passing))

        return asked

    def behind(self, call: Call, port: str, default: str) -> Call:
        """The call of a node, of whose output port only what passes gets out."""
        if is_awaited(call):

            async def awaited(data: Data) -> AsyncIterator[Any]:
                items = self.each_awaited(items_of(call(data)), port, default)
                async with aclosing(items):
                    async for item in items:
                        yield item

            return awaited
        return lambda data: self.each(call(data), port, default)

    def each(self, result: Any, port: str, default: str) -> Iterator[Any]:
        """What passes of what a node returned."""
        for item in outputs_of(result):
            data = _of_port(item, port, default)
            if data is None:
                yield item
                continue
            passing = yield from self._ask(data)
            if passing is not None:
                yield Emit(port, passing)

    async def each_awaited(
        self, items: AsyncGenerator[Any], port: str, default: str
    ) -> AsyncGenerator[Any]:
        """What passes of what an async node emits."""
        async with aclosing(items):
            async for item in items:
                data = _of_port(item, port, default)
                if data is None:
                    yield item
                    continue
                passing = await self._answer(data)
                if passing is not None:
                    yield Emit(port, passing)

    def _ask(self, data: Data) -> Generator[Any, None, Data | None]:
        """Emits pauses until the answer is there."""
        try:
            answer: Any = self._handler(self._packet(data))
        except Exception as error:
            return self._raised(error, data)
        if not inspect.isawaitable(answer):
            return self._judge(answer, data)
        task = asyncio.ensure_future(answer)
        try:
            if not task.done():
                yield Pause(self._deadline_us, task)
            if not task.done():
                self.late += 1
                return data
        finally:
            task.cancel()
        return self._result(task, data)

    async def _answer(self, data: Data) -> Data | None:
        try:
            answer: Any = self._handler(self._packet(data))
            if inspect.isawaitable(answer):
                limit = deadline(self._clock, self._deadline_us)
                try:
                    async with limit:
                        answer = await answer
                except TimeoutError:
                    if not limit.expired:
                        raise
                if limit.expired:
                    self.late += 1
                    return data
        except Exception as error:
            return self._raised(error, data)
        return self._judge(answer, data)

    def _result(self, task: asyncio.Future[Any], data: Data) -> Data | None:
        error = None if task.cancelled() else task.exception()
        if error is None and not task.cancelled():
            return self._judge(task.result(), data)
        return self._raised(error or SessionError("the handler was cancelled"), data)

    def _judge(self, answer: object, data: Data) -> Data | None:
        if answer is None:
            self.dropped += 1
            return None
        if answer is data:
            self.passed += 1
            return data
        if not isinstance(answer, Data) or answer.__class__ not in DATA_TYPES:
            wrong = f"it gave a {type(answer).__name__}: give data, or None to drop the item"
            return self._raised(SessionError(wrong), data)
        misfit = self._misfit(answer)
        if misfit is not None:
            return self._raised(misfit, data)
        self.replaced += 1
        return answer

    def _raised(self, error: BaseException, data: Data) -> Data:
        failed = SessionError(f"the handler of an intercept failed: {error}")
        failed.__cause__ = error
        self._failed(failed)
        self.passed += 1
        return data


def _of_port(item: Any, port: str, default: str) -> Data | None:
    if item.__class__ is Pause:
        return None
    name, data = item if item.__class__ is Emit else (default, item)
    return data if name == port and data.__class__ in DATA_TYPES else None
