"""Adapter: converters that come and go in front of a port, as what reaches it changes its format.

Negotiation inserts converters where it knows before the start that they are needed. What only
live data tell (a client's device, a node that finds out its format once it runs) is adapted here:
if a block is not accepted, the cheapest converters are put before the port; when another format
comes, their tail goes out first, and they are exchanged or taken away. So nothing is lost, and
nothing reaches the node in a wrong format. What no converter can mend is refused, block by block,
with the error that names the fix.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from remotemedia.caps import Caps
from remotemedia.clock import SystemClock
from remotemedia.data import DATA_TYPES, Data
from remotemedia.negotiation.converters import Chain, Converters
from remotemedia.node import INPUT, OUTPUT, Context, Emit, Node, make_params
from remotemedia.registry import default_registry
from remotemedia.session.flow import flow
from remotemedia.session.guard import describe, make_guard, refuse

Call = Callable[[Data], Any]


class Adapter:
    """Stands before one input port.

    Parameters
    ----------
    node, port : str
        Which.
    caps : Caps
        What the port accepts.

    Attributes
    ----------
    chain : Chain
        The converters that are there now.
    """

    def __init__(self, node: str, port: str, caps: Caps) -> None:
        self.chain: Chain = ()
        self._node = node
        self._port = port
        self._caps = caps
        self._accepts = make_guard(caps)
        self._nodes: list[Node] = []
        self._given: Caps | None = None  # what the converters are for

    def fits(self, data: Data) -> bool:
        """Whether there is nothing to do: the block is accepted, and no converters are there."""
        return not self._nodes and self._accepts(data)

    def feed(self, data: Data) -> list[Data]:
        """What goes on in the place of a block, in a format that is accepted.

        Raises
        ------
        FormatError
            No converter can make it acceptable.
        """
        if self._accepts(data):
            return [*self.finish(), data]
        given = describe(data)
        if given == self._given:
            return flow([data], self._nodes)
        chain = find_chain(given, self._caps)
        if chain is None:
            raise refuse(data, self._caps, self._node, self._port)
        tail = self.finish()
        self.chain, self._given = chain, given
        for step in chain:
            cls = default_registry().find(step.node_type)
            node = cls(make_params(cls, step.params))
            context = Context(
                f"{self._node}.{step.node_type}",
                SystemClock(),
                {INPUT: given},
                {OUTPUT: Caps((step.made,))},
            )
            node.open(context)
            self._nodes.append(node)
        return [*tail, *flow([data], self._nodes)]

    def finish(self) -> list[Data]:
        """What the converters still hold; then they are gone."""
        nodes, self._nodes = self._nodes, []
        self.chain, self._given = (), None
        return flow([], nodes, tails=True) if nodes else []

    def reset(self) -> None:
        """Forget the stream."""
        self._nodes, self.chain, self._given = [], (), None


def find_chain(given: Caps, accepted: Caps) -> Chain | None:
    """The cheapest converters from one format to another; None if there are none."""
    found = Converters().cheapest(given.formats[0], accepted) if given.formats else None
    return found[1] if found is not None else None


def adapted(call: Call, adapter: Adapter) -> Call:
    """The call of a port behind its adapter.

    What converters make of one block may be none or several: then the results come one after the
    other, as those of a generator.
    """
    if inspect.iscoroutinefunction(inspect.unwrap(call)):
        return lambda data: (
            call(data) if adapter.fits(data) else _each_awaited(adapter.feed(data), call)
        )
    if inspect.isasyncgenfunction(inspect.unwrap(call)):
        return lambda data: (
            call(data) if adapter.fits(data) else _each_streamed(adapter.feed(data), call)
        )
    return lambda data: call(data) if adapter.fits(data) else _each(adapter.feed(data), call)


def _each(items: list[Data], call: Call) -> Iterator[Any]:
    for item in items:
        yield from outputs_of(call(item))


async def _each_awaited(items: list[Data], call: Call) -> AsyncIterator[Any]:
    for item in items:
        for output in outputs_of(await call(item)):
            yield output


async def _each_streamed(items: list[Data], call: Call) -> AsyncIterator[Any]:
    for item in items:
        async for output in call(item):
            yield output


def outputs_of(result: Any) -> Any:
    """What a call returned, to be iterated over; what it must not return is passed on as it is."""
    if result is None:
        return ()
    if result.__class__ in DATA_TYPES or result.__class__ is Emit:
        return (result,)
    is_items = hasattr(result, "__iter__") and not isinstance(result, (str, bytes, dict))
    return result if is_items else (result,)
