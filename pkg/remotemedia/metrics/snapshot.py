"""What a session measured, as plain data."""

from __future__ import annotations

import msgspec

from remotemedia.metrics.histogram import Latency


class NodeMetrics(msgspec.Struct, frozen=True):
    """One node.

    Attributes
    ----------
    node, node_type : str
        Its id and type.
    count : int
        Items that it was given.
    errors : int
        Calls that raised or broke the contract.
    latency : Latency
        Of its calls; a generator counts the time spent inside it until it ends.
    retries, timeouts, refused : int
        By its policy: calls made again, that took too long, that an open breaker kept from being
        made.
    dropped : dict of str to int
        Items that were lost at it, by reason: ``late``, ``unmatched`` and ``join_full`` by its
        join (``out_of_order`` ones were put in their place), ``disabled``.
    breaker : str
        ``closed``, ``open`` or ``half_open``; empty if it has none.
    state : str
        ``enabled``, ``bypass`` or ``disabled``.
    """

    node: str
    node_type: str
    count: int
    errors: int
    latency: Latency
    retries: int = 0
    timeouts: int = 0
    refused: int = 0
    breaker: str = ""
    dropped: dict[str, int] = {}
    state: str = "enabled"


class EdgeMetrics(msgspec.Struct, frozen=True):
    """One edge, from an output port to an input port or to the client.

    ``entered = delivered + sum(dropped) + in_flight``, always.

    Attributes
    ----------
    source, target : str
        ``node:port``; ``client`` for the two ends of the session.
    entered, delivered : int
        Items that were put into the edge, and that came out of it.
    dropped : dict of str to int
        Items that were lost, by reason: ``drop_oldest``, ``drop_newest``, ``latest``,
        ``interrupt``, ``cancelled``, ``failed``, ``close``.
    in_flight : int
        Items waiting in it now.
    max_depth : int
        The most that ever waited.
    """

    source: str
    target: str
    entered: int
    delivered: int
    dropped: dict[str, int]
    in_flight: int
    max_depth: int


class Metrics(msgspec.Struct, frozen=True):
    """One snapshot of a session: its nodes in topological order, its edges as written."""

    nodes: tuple[NodeMetrics, ...]
    edges: tuple[EdgeMetrics, ...]

    def to_dict(self) -> dict[str, object]:
        """As JSON-like data."""
        result: dict[str, object] = msgspec.to_builtins(self)
        return result
