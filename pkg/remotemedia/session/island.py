"""Island: connected synchronous nodes, run by plain calls.

An item runs on through the island depth-first, in the order in which the connections are written,
before the node that emitted it is asked for its next one. What leaves the island is handed to the
driver one item at a time (`push` and `advance` return it), and nothing happens in between: so a
driver can wait for room behind the island, or a generator can yield to its caller, at any item,
and nothing is buffered and nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import Any

import numpy as np

from remotemedia.data import DATA_TYPES, Data
from remotemedia.errors import NodeOutputError
from remotemedia.node import Emit
from remotemedia.session.chain import FOLD_ROWS, Chain, Link, Step
from remotemedia.session.failure import FAILURES

Delivery = tuple[Link, Data]
"""An item and the link by which it leaves the island."""
Failure = Callable[[Step, BaseException], None]
"""Called with what a node raised, after its item was dropped."""

_DONE = object()

MAX_READINGS = 1 << 20  # of the clock, that wait to be folded: 32 MiB of them


class _Fan:
    """An item on its way to several links."""

    __slots__ = ("data", "links", "next")

    def __init__(self, links: tuple[Link, ...], data: Data) -> None:
        self.links = links
        self.data = data
        self.next = 0


class _Items:
    """What a node emits one by one: a generator that is running, or a list.

    `rest` is the rest of the chain that the node stands in; None where its links lead on.
    """

    __slots__ = ("elapsed", "items", "rest", "step", "timed")

    def __init__(self, step: Step, items: Iterator[Any], rest: Chain | None, timed: bool) -> None:
        self.step = step
        self.items = items
        self.rest = rest
        self.timed = timed
        self.elapsed = 0.0


class Island:
    """Runs items through chains.

    Parameters
    ----------
    on_failure : callable
        Told of every item that a node failed on.
    clock : callable
        The profiling clock, s.

    Attributes
    ----------
    rows : int
        Passes after which the readings of a chain are folded; a power of two.
    """

    def __init__(self, on_failure: Failure, clock: Callable[[], float] = perf_counter) -> None:
        self._on_failure = on_failure
        self.clock = clock
        self.stack: list[_Fan | _Items] = []
        self.rows = FOLD_ROWS
        self._chains: list[Chain] = []
        self._emitted = 0

    def watch(self, chains: Iterable[Chain]) -> None:
        """Fold the readings of these chains: all that are ever pushed into."""
        self._chains = list(chains)
        rows = MAX_READINGS // max(1, 2 * len(self._chains))  # of a node: before it and after it
        self.rows = min(FOLD_ROWS, max(64, 1 << rows.bit_length() - 1))

    def push(self, chain: Chain, data: Data) -> Delivery | None:
        """Run one item through a chain, and on, until an item leaves the island.

        Real-time path: allocates what the nodes allocate and one clock reading per node.
        """
        clock = self.clock
        kind: type = data.__class__
        while True:
            stamp = chain.stamp
            stamp(clock())
            try:
                for call in chain.calls:
                    data = call(data)
                    stamp(clock())
                    if data.__class__ is not kind:  # cheaper than a look into the set each time
                        kind = data.__class__
                        if kind not in DATA_TYPES:
                            break
                else:
                    link = chain.link
                    if link is None:
                        self._spread(chain.links, data)
                        return None
                    if link.chain is None:
                        return link, data
                    chain = link.chain
                    continue
            except FAILURES as error:
                self.failed(chain, error)
                return None
            self.take(chain, data)
            return None

    def follow(self, chain: Chain, data: Data) -> Delivery | None:
        """Run an item on that came out of the end of a chain."""
        link = chain.link
        if link is None:
            self._spread(chain.links, data)
            return None
        return (link, data) if link.chain is None else self.push(link.chain, data)

    def failed(self, chain: Chain, error: BaseException) -> None:
        """A call in a chain raised: the clock readings tell which."""
        position = chain.position
        chain.end_row(position)
        self._fail(chain.steps[position], error)

    def take(self, chain: Chain, result: Any) -> None:
        """A call in a chain gave no plain item: the last clock reading tells which."""
        position = chain.position - 1
        step = chain.steps[position]
        if result is None:
            if position + 1 < len(chain.calls):
                chain.end_row(position + 1)
            else:
                chain.barren += 1
            return
        if result.__class__ is Emit and position + 1 == len(chain.calls):
            port: Any = result[0]  # whatever a node says
            item = result[1]
            links = step.routes.get(port) if isinstance(port, str) else None
            if links is not None and item.__class__ in DATA_TYPES:  # one item: nothing to iterate
                chain.end_row(position + 1)
                self._spread(links, item)
                return
        try:
            items = iterate(result)
        except FAILURES as error:
            chain.end_row(position)
            self._fail(step, error)
            return
        timed = items is result
        chain.end_row(position if timed or items is None else position + 1)
        step.unrecorded += timed  # until it ends
        rest = chain.suffix(position + 1) if position + 1 < len(chain.calls) else None
        self._start(step, result, items, rest, timed)

    def advance(self) -> Delivery | None:
        """Go on until the next item leaves the island; None when all is done."""
        stack = self.stack
        while stack:
            frame = stack[-1]
            if frame.__class__ is _Fan:
                assert isinstance(frame, _Fan)  # noqa: S101 - for the type checker
                link = frame.links[frame.next]
                frame.next += 1
                if frame.next == len(frame.links):
                    stack.pop()
                link.count += 1
                if link.chain is None:
                    return link, frame.data
                delivery = self.push(link.chain, frame.data)
            else:
                assert isinstance(frame, _Items)  # noqa: S101 - for the type checker
                delivery = self._next_item(frame)
            if delivery is not None:
                return delivery
        return None

    def emit(self, step: Step, result: Any) -> None:
        """Let what a node returned outside `process` (its tail, a source's items) flow on."""
        if result is not None:
            try:
                items = iterate(result)
            except FAILURES as error:
                self._fail(step, error, recorded=True)
                return
            self._start(step, result, items, None, timed=False, recorded=True)

    def fold(self, rows: int | None = None) -> None:
        """Bound the memory of the clock readings; between items only."""
        for chain in self._chains:
            chain.fold(rows or self.rows)

    def drop(self) -> None:
        """Forget all items in flight (after an interrupt)."""
        while self.stack:
            frame = self.stack.pop()
            if isinstance(frame, _Items):
                self._close(frame)

    # -- what is not one item in, one item out -----------------------------------------------

    def _start(
        self,
        step: Step,
        result: Any,
        items: Iterator[Any] | None,
        rest: Chain | None,
        timed: bool,
        recorded: bool = False,
    ) -> None:
        if items is None:
            self._fail(step, NodeOutputError(describe_output(step, result), node=step.id), recorded)
        else:
            self.stack.append(_Items(step, items, rest, timed))

    def _next_item(self, frame: _Items) -> Delivery | None:
        clock, step = self.clock, frame.step
        then = clock()
        item: Any
        try:
            item = next(frame.items, _DONE)
        except FAILURES as error:
            self.stack.pop()
            self._fail(step, error, recorded=True)
            return None
        frame.elapsed += clock() - then
        if item is _DONE:
            self.stack.pop()
            if frame.timed:
                step.unrecorded -= 1
                step.latency.record(frame.elapsed)
            return None
        port: Any = step.default
        if item.__class__ is Emit:
            port, item = item
        self._emitted += 1
        if not self._emitted & (self.rows - 1):  # a generator without end must not fill the memory
            self.fold()
        links = step.routes.get(port) if isinstance(port, str) else None
        if links is None or item.__class__ not in DATA_TYPES:
            self.stack.pop()
            self._close(frame)
            message = describe_output(step, item) if links is not None else no_such_port(step, port)
            wrong = NodeOutputError(message, node=step.id, port=str(port))
            self._fail(step, wrong, recorded=True)
            return None
        if frame.rest is not None:
            return self.push(frame.rest, item)
        self._spread(links, item)
        return None

    def _spread(self, links: tuple[Link, ...], data: Data) -> None:
        if links:
            self.stack.append(_Fan(links, data))

    def _close(self, frame: _Items) -> None:
        close = getattr(frame.items, "close", None)
        if close is not None:
            try:
                close()
            except FAILURES as error:
                self._fail(frame.step, error, recorded=True)

    def _fail(self, step: Step, error: BaseException, recorded: bool = False) -> None:
        step.errors += 1
        step.unrecorded += not recorded
        self._on_failure(step, error)


def iterate(result: Any) -> Iterator[Any] | None:
    """An iterator over what a node returned; None when that is nothing that a node may return."""
    kind = result.__class__
    items: Iterator[Any]
    if kind is list or kind is tuple:
        items = iter(result)
        return items
    if kind in DATA_TYPES or kind is Emit:
        return iter((result,))
    if isinstance(result, (str, bytes, bytearray, dict, np.ndarray)):
        return None
    return iter(result) if isinstance(result, Iterable) else None


def describe_output(step: Step, value: object) -> str:
    """What is wrong with something that a node emitted, and what to do."""
    kind = type(value).__name__
    hints = {
        "str": "wrap it: Text(...)",
        "bytes": "wrap it: Binary(...)",
        "dict": "wrap it: Json(...)",
        "ndarray": "wrap it: Audio(samples, sample_rate) or Tensor(...)",
        "coroutine": "a synchronous method returned a coroutine: declare it 'async def'",
        "async_generator": "a synchronous method returned an async generator: 'async def' it",
    }
    hint = hints.get(kind, "return None, a Data, an Emit(port, data), or an iterable of these")
    return f"node {step.id!r} ({type(step.node).__name__}) emitted a {kind}, not data: {hint}"


def no_such_port(step: Step, port: object) -> str:
    """What is wrong with the port that a node emitted on."""
    return (
        f"node {step.id!r} ({type(step.node).__name__}) emitted on port {port!r}; "
        f"its output ports are {', '.join(step.routes) or 'none'}"
    )
