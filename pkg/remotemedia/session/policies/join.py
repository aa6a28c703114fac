"""Join: which items of several input ports belong together.

``zip`` pairs the n-th of each port, ``latest`` each item with the newest of the others, ``align``
those whose media times differ by no more than the tolerance. What comes too late, or has nothing to
go with, is counted and lost; nothing waits without bound, and nothing that is out of order keeps
the rest from going on.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import Any

from remotemedia.clock import Clock, Timer
from remotemedia.data import Data
from remotemedia.errors import DataError
from remotemedia.manifest import Join
from remotemedia.node import Node
from remotemedia.session.policies.policed import Call
from remotemedia.session.results import each_awaited, each_output, is_awaited

Items = dict[str, Data]
"""By port: those that belong together."""
Entry = tuple[int, Data]
"""An item that waits, and its number."""


class Joiner:
    """Finds what belongs together. Plain bookkeeping: it is told the time.

    Parameters
    ----------
    settings : Join
        The policy.
    ports : sequence of str
        The input ports.
    dropped : dict of str to int
        Where it counts what is lost, by reason: ``late``, ``unmatched``, ``join_full``; and
        ``out_of_order``, what was put back in its place.
    """

    def __init__(self, settings: Join, ports: Sequence[str], dropped: dict[str, int]) -> None:
        self._settings = settings
        self._waiting: dict[str, deque[Entry]] = {port: deque() for port in ports}
        self._newest: Items = {}
        self._arrivals: deque[tuple[int, int]] = deque()  # time and number, if there is a time-out
        self._numbers: set[int] = set()  # of what waits
        self._dropped = dropped
        self._number = 0
        self._done_us: int | None = None
        self._tolerance_us = round(settings.tolerance_ms * 1000)
        self._timeout_us = round((settings.timeout_ms or 0) * 1000)

    def put(self, port: str, data: Data, now_us: int) -> list[Items]:
        """The sets that an item completes.

        Raises
        ------
        DataError
            It has no time, and they are aligned by time.
        """
        mode = self._settings.mode
        if mode == "latest":
            self._newest[port] = data
            whole = len(self._newest) == len(self._waiting)
            return [{name: self._newest[name] for name in self._waiting}] if whole else []
        if mode == "align":
            if data.pts_us is None:
                raise DataError(f"an item at {port!r} has no pts_us: they are joined by media time")
            if self._done_us is not None and data.pts_us < self._done_us - self._tolerance_us:
                self._count("late")
                return self.expired(now_us)
        queue = self._waiting[port]
        if len(queue) >= self._settings.capacity:
            self._take(port)
            self._count("join_full")
        self._number += 1
        self._numbers.add(self._number)
        if self._timeout_us:
            self._arrivals.append((now_us, self._number))
        entry = (self._number, data)
        if mode == "align" and queue and _time(entry) < _time(queue[-1]):
            self._count("out_of_order")
            insort(queue, entry, key=_time)
        else:
            queue.append(entry)
        return [*self.expired(now_us), *self._complete()]

    def expired(self, now_us: int) -> list[Items]:
        """The sets that are waited for no longer, without the ports that are silent."""
        if not self._timeout_us:
            return []
        found = []
        while (since_us := self._oldest_us()) is not None and now_us - since_us >= self._timeout_us:
            found += self._complete()
            if self._oldest_us() == since_us:
                found.append(self._pop_partial())
        return found

    def due_us(self) -> int | None:
        """When the next set will be waited for no longer; None if nothing waits."""
        since_us = self._oldest_us() if self._timeout_us else None
        return None if since_us is None else since_us + self._timeout_us

    def rest(self) -> list[Items]:
        """At the end: what still waits, without those that it waits for."""
        found = self._complete()
        while any(self._waiting.values()):
            found.append(self._pop_partial())
        return found

    def reset(self) -> None:
        """Forget all."""
        for queue in self._waiting.values():
            queue.clear()
        self._arrivals.clear()
        self._numbers.clear()
        self._newest.clear()
        self._done_us = None

    def _complete(self) -> list[Items]:
        queues = self._waiting
        found: list[Items] = []
        while all(queues.values()):
            if self._settings.mode == "align":
                times = {port: _time(queue[0]) for port, queue in queues.items()}
                first = min(times, key=times.__getitem__)
                if max(times.values()) - times[first] > self._tolerance_us:
                    self._take(first)
                    self._count("unmatched")
                    continue
                self._done_us = times[first]
            found.append({port: self._take(port) for port in queues})
        return found

    def _pop_partial(self) -> Items:
        """The oldest set, of the ports that have something for it."""
        heads = {port: _time(queue[0]) for port, queue in self._waiting.items() if queue}
        if self._settings.mode == "align":
            self._done_us = first_us = min(heads.values())
            limit_us = first_us + self._tolerance_us
            heads = {port: time_us for port, time_us in heads.items() if time_us <= limit_us}
        return {port: self._take(port) for port in heads}

    def _take(self, port: str) -> Data:
        number, data = self._waiting[port].popleft()
        self._numbers.remove(number)
        return data

    def _oldest_us(self) -> int | None:
        """Since when the item waits that has waited longest."""
        arrivals = self._arrivals
        while arrivals and arrivals[0][1] not in self._numbers:
            arrivals.popleft()
        return arrivals[0][0] if arrivals else None

    def _count(self, reason: str) -> None:
        self._dropped[reason] = self._dropped.get(reason, 0) + 1


def _time(entry: Entry) -> int:
    return entry[1].pts_us or 0


class Joined:
    """What stands around the calls of a node whose inputs are joined.

    The node gets each set by `process_joined`; one that has none gets the items of a set one after
    the other.

    Parameters
    ----------
    joiner : Joiner
        Finds the sets.
    clock : Clock
        The session clock.

    Attributes
    ----------
    wake_at : callable or None
        Has `expire` called after so many µs; without it, time-outs are found with the next item.
    """

    def __init__(self, joiner: Joiner, clock: Clock) -> None:
        self._joiner = joiner
        self._clock = clock
        self.wake_at: Callable[[int], Timer] | None = None
        self._timer: Timer | None = None
        self._calls: dict[str, Call] = {}
        self._together: Call | None = None

    def wrap(self, call: Call, port: str, together: Call | None) -> Call:
        """The call of a port.

        Parameters
        ----------
        call : callable
            What the node does with one item of it.
        together : callable or None
            What it does with a set.
        """
        self._calls[port] = call
        self._together = together
        if not is_awaited(call):
            return lambda data: self._each(self._put(port, data))

        async def joined(data: Data) -> AsyncIterator[Any]:
            async with aclosing(each_awaited(self._steps(self._put(port, data)))) as items:
                async for item in items:
                    yield item

        return joined

    def expire(self) -> Any:
        """The set that was waited for has not come."""
        self._timer = None
        sets = self._joiner.expired(self._clock.now_us())
        self._set_timer()
        return self._run(sets)

    def finish(self) -> Any:
        """What still waits at the end of the input."""
        return self._run(self._joiner.rest())

    def reset(self) -> None:
        """Forget all."""
        self._joiner.reset()
        self._timer = None  # it was cancelled with the others of the node

    def resume(self) -> None:
        """The node is at work again; while it was not, the timer may have run out in vain."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._set_timer()

    def _put(self, port: str, data: Data) -> list[Items]:
        sets = self._joiner.put(port, data, self._clock.now_us())
        self._set_timer()
        return sets

    def _set_timer(self) -> None:
        due_us = self._joiner.due_us()
        if due_us is not None and self._timer is None and self.wake_at is not None:
            self._timer = self.wake_at(max(0, due_us - self._clock.now_us()))

    def _run(self, sets: list[Items]) -> Any:
        awaited = any(map(is_awaited, self._calls.values()))
        return each_awaited(self._steps(sets)) if awaited else self._each(sets)

    def _steps(self, sets: list[Items]) -> Iterator[tuple[Call, Any]]:
        for items in sets:
            if self._together is not None:
                yield self._together, items
            else:
                yield from ((self._calls[port], data) for port, data in items.items())

    def _each(self, sets: list[Items]) -> Any:
        steps = list(self._steps(sets))
        if not steps:
            return None
        if len(steps) == 1:
            call, data = steps[0]
            return call(data)
        return each_output(steps)


def has_process_joined(node: Node) -> bool:
    """Whether a node takes what belongs together at once."""
    return type(node).process_joined is not Node.process_joined
