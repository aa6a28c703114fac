"""Results: what calls of nodes give, as items one after the other."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from typing import Any

from remotemedia.data import DATA_TYPES
from remotemedia.node import Emit

Call = Callable[[Any], Any]
Given = tuple[Call, Any]
"""A call, and what it is given."""


def is_cut_off() -> bool:
    """Whether the task is cancelled, even if the node took that for an answer: call it no more."""
    import asyncio

    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def is_awaited(call: Call) -> bool:
    """Whether a call, in what was put around it, is a coroutine or an async generator."""
    inner = inspect.unwrap(call)
    return inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner)


def each_output(steps: Iterable[Given]) -> Iterator[Any]:
    """The outputs of calls one after the other; one that fails does not take the others along."""
    failed: BaseException | None = None
    for call, given in steps:
        try:
            yield from outputs_of(call(given))
        except Exception as error:
            failed = failed or error
    if failed is not None:
        raise failed


async def each_awaited(steps: Iterable[Given]) -> AsyncGenerator[Any]:
    """`each_output` of calls that are awaited."""
    failed: BaseException | None = None
    for call, given in steps:
        try:
            async with aclosing(items_of(call(given))) as outputs:
                async for output in outputs:
                    yield output
        except Exception as error:
            failed = failed or error
        if is_cut_off():
            break
    if failed is not None:
        raise failed


async def items_of(result: Any) -> AsyncGenerator[Any]:
    """The items of what a call gave that is awaited: those of a generator, which is closed."""
    if inspect.isasyncgen(result):
        async with aclosing(result):
            async for item in result:
                yield item
        return
    for item in outputs_of(await result):
        yield item


def outputs_of(result: Any) -> Any:
    """What a call returned, to be iterated over; what it must not return is passed on as it is."""
    if result is None:
        return ()
    if result.__class__ in DATA_TYPES or result.__class__ is Emit:
        return (result,)
    is_items = hasattr(result, "__iter__") and not isinstance(result, (str, bytes, dict))
    return result if is_items else (result,)
