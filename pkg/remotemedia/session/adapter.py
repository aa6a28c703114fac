"""Adapter: converters that come and go in front of a port, as what reaches it changes its format.

Negotiation inserts converters where it knows before the start that they are needed. What only
live data tell (a client's device, a node that finds out its format once it runs) is adapted here:
if a block is not accepted, the cheapest converters are put before the port; when another format
comes, their tail goes out first, and they are exchanged or taken away. So nothing is lost, and
nothing reaches the node in a wrong format. What no converter can mend is refused, block by block,
with the error that names the fix.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from remotemedia.caps import Caps
from remotemedia.clock import Clock
from remotemedia.data import Audio, Data
from remotemedia.errors import DataError
from remotemedia.negotiation.converters import Chain, Conversion, Converters
from remotemedia.node import INPUT, OUTPUT, Context, Node, make_params
from remotemedia.registry import default_registry
from remotemedia.session.flow import flow
from remotemedia.session.guard import describe, make_guard, refuse
from remotemedia.session.results import each_awaited, each_output, is_awaited

Call = Callable[[Data], Any]


MAX_STREAMS = (
    4096  # that are converted at one port; a sender that makes up ids must not fill memory
)


class _Converted:
    """One stream that is not accepted as it is, and what is done to it."""

    __slots__ = ("chain", "key", "nodes")

    def __init__(self, chain: Chain, key: object, nodes: list[Node]) -> None:
        self.chain = chain
        self.key = key
        self.nodes = nodes


class Adapter:
    """Stands before one input port. Streams (`stream_id`) are adapted each by itself.

    Parameters
    ----------
    node, port : str
        Which.
    caps : Caps
        What the port accepts.
    clock : callable
        Gives the session clock.
    """

    def __init__(self, node: str, port: str, caps: Caps, clock: Callable[[], Clock]) -> None:
        self._node = node
        self._port = port
        self._caps = caps
        self._clock = clock
        self._accepts = make_guard(caps)
        self._streams: dict[str | None, _Converted] = {}

    @property
    def chains(self) -> dict[str | None, Chain]:
        """The converters that are there now, by stream."""
        return {stream: converted.chain for stream, converted in self._streams.items()}

    def fits(self, data: Data) -> bool:
        """Whether there is nothing to do: the block is accepted, and no converters are there."""
        return not self._streams and self._accepts(data)

    def feed(self, data: Data) -> list[Data]:
        """What goes on in the place of a block, in a format that is accepted.

        Raises
        ------
        FormatError
            No converter can make it acceptable.
        """
        stream = data.stream_id
        known = self._streams.get(stream)
        if known is not None and known.key == _key(data):
            return self._made(flow([data], known.nodes), data)
        if self._accepts(data):
            return [*self._end(stream), data]
        given = describe(data)
        chain = find_chain(given, self._caps)
        if chain is None:
            raise refuse(data, self._caps, self._node, self._port)
        if known is not None and _same(known.chain, chain):
            known.key = _key(data)  # converters take whatever comes, and go on in time
            return self._made(flow([data], known.nodes), data)
        tail = self._end(stream)
        if len(self._streams) >= MAX_STREAMS:
            raise DataError(
                f"{self._node}:{self._port} converts {MAX_STREAMS} streams already, and "
                f"{stream!r} would be one more: end the session, or interrupt it"
            )
        nodes = [self._make(step, given) for step in chain]
        self._streams[stream] = _Converted(chain, _key(data), nodes)
        return [*tail, *self._made(flow([data], nodes), data)]

    def _made(self, items: list[Data], data: Data) -> list[Data]:
        """What converters made, if it is accepted: a format does not tell all that may matter."""
        if all(map(self._accepts, items)):
            return items
        self._end(data.stream_id)
        raise refuse(data, self._caps, self._node, self._port)

    def finish(self) -> list[Data]:
        """What the converters still hold; then they are gone."""
        return [item for stream in list(self._streams) for item in self._end(stream)]

    def reset(self) -> None:
        """Forget all streams, and close their converters."""
        while self._streams:
            _, forgotten = self._streams.popitem()
            _close(forgotten.nodes)

    def _end(self, stream: str | None) -> list[Data]:
        ended = self._streams.pop(stream, None)
        if ended is None:
            return []
        try:
            return flow([], ended.nodes, tails=True)
        finally:
            _close(ended.nodes)

    def _make(self, step: Conversion, given: Caps) -> Node:
        cls = default_registry().find(step.node_type)
        node = cls(make_params(cls, step.params))
        made = Caps((step.made,))
        name = f"{self._node}.{step.node_type}"
        node.open(Context(name, self._clock(), {INPUT: given}, {OUTPUT: made}))
        return node


def _close(nodes: list[Node]) -> None:
    for node in nodes:
        node.close()  # converters are synchronous


def _key(data: Data) -> object:
    """What is the same as long as the format is."""
    if data.__class__ is Audio:
        samples = data.samples
        return data.sample_rate, samples.dtype, len(samples)
    return describe(data)


def _same(a: Chain, b: Chain) -> bool:
    """Whether two chains are the same nodes with the same parameters."""
    return [(step.node_type, step.params) for step in a] == [
        (step.node_type, step.params) for step in b
    ]


def find_chain(given: Caps, accepted: Caps) -> Chain | None:
    """The cheapest converters from a format that is refused to one that is not; None: none do."""
    found = Converters().cheapest(given.formats[0], accepted) if given.formats else None
    # An empty one: it is refused for something that no format tells.
    return found[1] or None if found is not None else None


def adapted(call: Call, adapter: Adapter) -> Call:
    """The call of a port behind its adapter.

    What converters make of one block may be none or several: then the results come one after the
    other, as those of a generator.
    """
    each = each_awaited if is_awaited(call) else each_output

    def adapting(data: Data) -> Any:
        return (
            call(data) if adapter.fits(data) else each((call, item) for item in adapter.feed(data))
        )

    adapting.__wrapped__ = call  # type: ignore[attr-defined]
    return adapting
