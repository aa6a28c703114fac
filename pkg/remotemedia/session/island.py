"""Island: connected synchronous nodes, run by plain calls.

An item runs on through the island depth-first, in the order in which the connections are written,
before the node that emitted it is asked for its next one. What leaves the island is handed to the
driver one item at a time, and nothing happens in between: so a driver can wait for room behind the
island, or a generator can yield to its caller, at any item, and nothing is buffered and nothing is
lost. A driver takes an item in `deliver`, in the middle of the run; where it cannot, the run
stops: `push` and `advance` return the item, and what is left to do waits in `stack`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from time import perf_counter
from types import GeneratorType
from typing import Any

import numpy as np

from remotemedia.data import DATA_TYPES, Data
from remotemedia.errors import NodeOutputError
from remotemedia.node import Emit, Pause
from remotemedia.session.chain import FOLD_ROWS, Chain, Link, Step
from remotemedia.session.failure import FAILURES

Delivery = tuple[Link, Any]
"""An item and the link by which it leaves the island; or `PAUSED` and a `Pause`."""
Failure = Callable[[Step, BaseException], None]
"""Called with what a node raised, after its item was dropped."""
Deliver = Callable[[Link, Data], bool]
"""Takes an item that leaves the island by a link; False if it cannot now."""

_DONE = object()

PAUSED = Link()
"""Stands for the link of what is no item but a `Pause`: the driver waits, then goes on."""

MAX_READINGS = 1 << 20  # of the clock, that wait to be folded: 32 MiB of them
MAX_NESTED = 16  # branches in branches that are run by calls of calls; deeper ones by the stack


class _Fan:
    """An item on its way to several links."""

    __slots__ = ("data", "links", "next")

    def __init__(self, links: tuple[Link, ...], data: Data, begin: int = 0) -> None:
        self.links = links
        self.data = data
        self.next = begin


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
    deliver : callable, optional
        Takes what leaves the island; by default all of it is returned.

    Attributes
    ----------
    stack : list
        What is left to do: empty once all is done.
    rows : int
        Passes after which the readings of a chain are folded; a power of two.
    """

    def __init__(
        self,
        on_failure: Failure,
        clock: Callable[[], float] = perf_counter,
        deliver: Deliver | None = None,
    ) -> None:
        self._on_failure = on_failure
        self._deliver = deliver or _deliver_later
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

    def push(self, chain: Chain, data: Data, nested: int = 0) -> Delivery | None:
        """Run one item through a chain, and on.

        All is done when this returns, unless it returns an item or there is more in `stack` than
        before: `advance` goes on.

        Real-time path: allocates what the nodes allocate and one clock reading per node.
        """
        clock = self.clock
        kind: type = data.__class__
        while True:
            stamp = chain.stamp
            stamp(clock())
            plain = True
            try:
                for call in chain.calls:
                    data = call(data)
                    stamp(clock())
                    if data.__class__ is not kind:  # cheaper than a look into the set each time
                        kind = data.__class__
                        if kind not in DATA_TYPES:
                            plain = False
                            break
            except FAILURES as error:
                self.failed(chain, error)
                return None
            # Outside of the `try`: what a node further on raises is not this chain's.
            if not plain:
                return self.take(chain, data, nested)
            link = chain.link
            if link is None:
                return self._spread(chain.links, data, nested)
            if link.chain is None:
                return None if self._deliver(link, data) else (link, data)
            chain = link.chain

    def follow(self, chain: Chain, data: Data) -> Delivery | None:
        """Run an item on that came out of the end of a chain."""
        link = chain.link
        if link is None:
            return self._spread(chain.links, data, 0)
        return (link, data) if link.chain is None else self.push(link.chain, data)

    def failed(self, chain: Chain, error: BaseException) -> None:
        """A call in a chain raised: the clock readings tell which."""
        position = chain.position
        chain.end_row(position)
        self._fail(chain.steps[position], error)

    def take(self, chain: Chain, result: Any, nested: int = 0) -> Delivery | None:
        """Go on with what is no plain item: the last clock reading tells which call gave it."""
        done = chain.position
        last = done == len(chain.calls)
        if result is None:
            if last:
                chain.barren += 1
            else:
                chain.end_row(done)
            return None
        step, kind = chain.steps[done - 1], result.__class__
        if kind is Emit:
            result = (result,)
        elif kind is not list and kind is not tuple:
            self._begin(chain, done, result)
            return None
        if last:
            chain.barren += 1
            return self._run_list(step, result, None, nested)
        chain.end_row(done)
        return self._run_list(step, result, chain.suffix(done), nested)

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
                if link.chain is not None:
                    delivery = self.push(link.chain, frame.data)
                elif not self._deliver(link, frame.data):
                    return link, frame.data
                else:
                    continue
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

    def drop(self, nodes: Set[str] | None = None) -> None:
        """Forget the items in flight (after an interrupt); of some nodes, or of all."""
        frames, kept = self.stack[:], []
        self.stack.clear()
        while frames:
            frame = frames.pop()
            source = frame.step.id if isinstance(frame, _Items) else frame.links[0].source
            if nodes is not None and source not in nodes:
                kept.append(frame)
            elif isinstance(frame, _Items):
                self._close(frame)
        self.stack[:0] = reversed(kept)  # what closing one has started stays behind them

    # -- what is not one item in, one item out -----------------------------------------------

    def _spread(self, links: tuple[Link, ...], data: Data, nested: int) -> Delivery | None:
        """Run an item on by several links; what is left when that stops goes on the stack."""
        stack = self.stack
        if nested >= MAX_NESTED:
            stack.append(_Fan(links, data))
            return None
        depth = len(stack)
        for count, link in enumerate(links, 1):
            link.count += 1
            if link.chain is None:
                if self._deliver(link, data):
                    continue
                delivery: Delivery | None = (link, data)
            else:
                delivery = self.push(link.chain, data, nested + 1)
                if delivery is None and len(stack) == depth:
                    continue
            if count < len(links):
                stack.insert(depth, _Fan(links, data, count))
            return delivery
        return None

    def _run_list(
        self, step: Step, items: Sequence[Any], rest: Chain | None, nested: int
    ) -> Delivery | None:
        """Run the items of a list on, as `_spread` does."""
        stack = self.stack
        if nested >= MAX_NESTED:
            stack.append(_Items(step, iter(items), rest, timed=False))
            return None
        depth = len(stack)
        for count, item in enumerate(items, 1):
            links = self._links(step, item)
            if links is None:
                return None
            data = item[1] if item.__class__ is Emit else item
            if rest is not None:
                delivery = self.push(rest, data, nested + 1)
            else:
                delivery = self._spread(links, data, nested)
            if delivery is not None or len(stack) != depth:
                if count < len(items):
                    stack.insert(depth, _Items(step, iter(items[count:]), rest, timed=False))
                return delivery
        return None

    def _begin(self, chain: Chain, done: int, result: Any) -> None:
        """What a node returned is to be iterated over: a generator, as a rule."""
        step = chain.steps[done - 1]
        try:
            items = iterate(result)
        except FAILURES as error:
            chain.end_row(done - 1)
            self._fail(step, error)
            return
        timed = items is result
        chain.end_row(done - 1 if timed or items is None else done)
        step.unrecorded += timed  # until it ends
        rest = chain.suffix(done) if done < len(chain.calls) else None
        self._start(step, result, items, rest, timed)

    def _links(self, step: Step, item: Any) -> tuple[Link, ...] | None:
        """Where an item goes that a node emitted; None if it broke the contract, which is told."""
        self._emitted += 1
        if not self._emitted & (self.rows - 1):  # a generator without end must not fill the memory
            self.fold()
        port: Any = step.default  # whatever a node says
        if item.__class__ is Emit:
            port, item = item
        links = step.routes.get(port) if isinstance(port, str) else None
        if links is not None and item.__class__ in DATA_TYPES:
            return links
        message = describe_output(step, item) if links is not None else no_such_port(step, port)
        wrong = NodeOutputError(message, node=step.id, port=str(port))
        self._fail(step, wrong, recorded=True)
        return None

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
                now = clock()
                step.latency.record(now - frame.elapsed, now)
            return None
        if item.__class__ is Pause:
            return PAUSED, item
        links = self._links(step, item)
        if links is None:
            self.stack.pop()
            self._close(frame)
            return None
        if item.__class__ is Emit:
            item = item[1]
        if frame.rest is not None:
            return self.push(frame.rest, item)
        return self._spread(links, item, 0)

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


def _deliver_later(link: Link, data: Data) -> bool:
    return False


def iterate(result: Any) -> Iterator[Any] | None:
    """An iterator over what a node returned; None when that is nothing that a node may return."""
    kind = result.__class__
    items: Iterator[Any]
    if kind is GeneratorType:  # as a rule
        items = result
        return items
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
