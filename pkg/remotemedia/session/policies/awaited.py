"""Awaited: policies of an async node, which can be cut off."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable
from typing import Any

from remotemedia.clock import deadline
from remotemedia.data import Data
from remotemedia.errors import NodeTimeoutError
from remotemedia.node import Pause
from remotemedia.session.policies.policed import Call, Policed
from remotemedia.session.results import is_cut_off, items_of, outputs_of

_DONE = object()


class AwaitedPolicy(Policed):
    """Wraps calls that are awaited: each becomes an async generator of its items."""

    def wrap(self, call: Call) -> Call:
        """The call under the policy."""
        is_one = inspect.iscoroutinefunction(inspect.unwrap(call))

        async def policed(data: Data) -> AsyncIterator[Any]:
            attempt = 0
            while True:
                if self.breaker is not None and not self.breaker.allows():
                    for item in outputs_of(self.refuse(data)):
                        yield item
                    return
                attempt += 1
                emitted = False
                settled = False
                items = None if is_one else items_of(call(data))
                try:
                    if items is None:
                        for item in outputs_of(await self._in_time(call(data))):
                            emitted = True
                            yield item
                    else:
                        while (item := await self._in_time(anext(items, _DONE))) is not _DONE:
                            emitted = True
                            yield item
                    settled = True
                    if self.breaker is not None:
                        self.breaker.succeeded()
                    return
                except Exception as error:
                    settled = True
                    self.count_failure(error)
                    delay_us = None if emitted or is_cut_off() else self.delay_us(attempt, error)
                    if delay_us is None:
                        if emitted:
                            raise
                        for item in outputs_of(self.give_up(error, data)):
                            yield item
                        return
                finally:
                    if not settled and self.breaker is not None:
                        self.breaker.given_up()
                    if items is not None:
                        await items.aclose()
                yield Pause(delay_us)  # whoever calls gives others their turn meanwhile

        return policed

    async def _in_time(self, waiting: Awaitable[Any]) -> Any:
        """What is waited for, if it comes within the time-out."""
        if self.limit_us is None:
            return await waiting
        limit = deadline(self.clock, self.limit_us)
        try:
            async with limit:
                item = await waiting
        except TimeoutError as error:
            if not limit.expired:
                raise  # the node's own
            raise self._cut_off() from error
        if limit.expired:  # the node took its cancellation for an answer
            raise self._cut_off()
        return item

    def _cut_off(self) -> NodeTimeoutError:
        return NodeTimeoutError(
            f"node {self.node!r} was cut off after {self.policy.timeout_ms:g} ms (its timeout_ms)",
            node=self.node,
        )
