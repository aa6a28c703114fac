"""What a session measured, as plain data."""

from __future__ import annotations

import msgspec

from remotemedia.metrics.latency import Timing


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
    latency : Timing
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
    latency: Timing
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
    wait : Timing or None
        How long those that were delivered had waited in its queue; None where there is none.
    compressed_us : int
        Media time of its delivered audio that the client did not get, as the session caught up by
        playing faster, µs.
    """

    source: str
    target: str
    entered: int
    delivered: int
    dropped: dict[str, int]
    in_flight: int
    max_depth: int
    wait: Timing | None = None
    compressed_us: int = 0


class SessionMetrics(msgspec.Struct, frozen=True):
    """A live session as its client meets it.

    Both count from the `send` that a packet stems from to when the packet stood ready for the
    client: what the client then takes to fetch it is the `wait` of the edge to it.

    Attributes
    ----------
    end_to_end : Timing
        Of all packets.
    first_output : Timing
        Of the first packet that stems from each send.
    """

    end_to_end: Timing
    first_output: Timing


class StreamMetrics(msgspec.Struct, frozen=True):
    """The health of one media stream, see `remotemedia.session.drift.StreamHealth`.

    Attributes
    ----------
    stream : str
        Its name.
    samples : int
        Blocks or frames seen.
    discontinuities : int
        How often its media time jumped.
    lead_ms : float
        How far arrival has fallen behind media time since the last discontinuity.
    slope_ms_per_s : float
        How fast that grows.
    skew_ms : float or None
        How far it is behind its partner.
    interval_ms, cadence : float
        Mean time between arrivals; their standard deviation as a part of it.
    frozen_ms : float
        For how long its content has been the same.
    health : float
        0 to 1.
    alerts : int
        `StreamAlert` bits that are set.
    """

    stream: str
    samples: int
    discontinuities: int
    lead_ms: float
    slope_ms_per_s: float
    skew_ms: float | None
    interval_ms: float
    cadence: float
    frozen_ms: float
    health: float
    alerts: int


class Metrics(msgspec.Struct, frozen=True):
    """One snapshot: nodes in topological order, edges as written; `session` of a live one only."""

    nodes: tuple[NodeMetrics, ...]
    edges: tuple[EdgeMetrics, ...]
    session: SessionMetrics | None = None
    streams: tuple[StreamMetrics, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """As JSON-like data."""
        result: dict[str, object] = msgspec.to_builtins(self)
        return result

    def to_json(self) -> str:
        """As JSON text."""
        return msgspec.json.encode(self).decode()
