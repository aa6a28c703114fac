"""Inline: policies of a synchronous node, which is called directly.

It can't be pre-empted: that it took too long is found out afterwards. Its result is lost then, as
that of a node that is cut off would be; it is not called again for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from remotemedia.data import DATA_TYPES, Data
from remotemedia.node import Pause
from remotemedia.session.failure import FAILURES
from remotemedia.session.policies.policed import Call, Policed
from remotemedia.session.results import outputs_of

_DONE = object()


class InlinePolicy(Policed):
    """Wraps synchronous calls.

    Attributes
    ----------
    measure : callable
        The profiling clock, s.
    """

    measure: Callable[[], float] = staticmethod(perf_counter)

    def wrap(self, call: Call) -> Call:
        """The call under the policy.

        Real-time path: what is not asked for is not there; a call that is quick and goes well
        costs two clock readings and a few comparisons.
        """
        measure, breaker = self.measure, self.breaker
        limit = self.limit_us / 1e6 if self.limit_us is not None else float("inf")

        def policed(data: Data) -> Any:
            if breaker is not None and not breaker.calm and not breaker.allows():
                return self.refuse(data)
            then = measure()
            try:
                result = call(data)
            except FAILURES as error:
                return self._after(error, call, data, 1)
            elapsed = measure() - then
            if result.__class__ not in DATA_TYPES and hasattr(result, "__next__"):
                return self._each(result, call, data)
            if elapsed > limit:
                late = self.too_late(elapsed * 1e6)
                self.count_failure(late)
                return self.give_up(late, data)
            if breaker is not None and not breaker.calm:
                breaker.succeeded()
            return result

        return policed

    def _after(self, error: BaseException, call: Call, data: Data, attempt: int) -> Any:
        """What comes of an item that the node failed on."""
        self.count_failure(error)
        delay_us = self.delay_us(attempt, error)
        if delay_us is None:
            return self.give_up(error, data)
        return self._again(call, data, attempt, delay_us)

    def _again(self, call: Call, data: Data, attempt: int, delay_us: int) -> Iterator[Any]:
        """Call again until it goes well or there is nothing left to try."""
        while True:
            if delay_us:
                yield Pause(delay_us)
            if self.breaker is not None and not self.breaker.allows():
                yield from outputs_of(self.refuse(data))
                return
            attempt += 1
            try:
                result = call(data)
            except FAILURES as error:
                self.count_failure(error)
                wait = self.delay_us(attempt, error)
                if wait is None:
                    yield from outputs_of(self.give_up(error, data))
                    return
                delay_us = wait
                continue
            if hasattr(result, "__next__"):
                yield from self._each(result, call, data, attempt)
                return
            if self.breaker is not None:
                self.breaker.succeeded()
            yield from outputs_of(result)
            return

    def _each(
        self, items: Iterator[Any], call: Call, data: Data, attempt: int = 1
    ) -> Iterator[Any]:
        """The items of a generator; its time-out is for each of them.

        Once one is out, a failure can only end it: what is out cannot be taken back.
        """
        measure = self.measure
        emitted = False
        settled = False
        try:
            while True:
                then = measure()
                try:
                    item = next(items, _DONE)
                except FAILURES as error:
                    settled = True
                    if not emitted:
                        yield from outputs_of(self._after(error, call, data, attempt))
                        return
                    self.count_failure(error)
                    raise
                elapsed_us = (measure() - then) * 1e6
                if self.limit_us is not None and elapsed_us > self.limit_us:
                    settled = True
                    late = self.too_late(elapsed_us)
                    self.count_failure(late)
                    if emitted:
                        raise late
                    yield from outputs_of(self.give_up(late, data))
                    return
                if item is _DONE:
                    settled = True
                    break
                emitted = emitted or item.__class__ is not Pause
                yield item
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()
            if not settled and self.breaker is not None:
                self.breaker.given_up()
        if self.breaker is not None:
            self.breaker.succeeded()
