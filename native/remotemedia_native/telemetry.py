"""Telemetry: a live session as OpenTelemetry spans. Needs the extra ``telemetry``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from remotemedia.clock import Clock
from remotemedia.data import Packet
from remotemedia.errors import UnavailableError

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

OPEN_SENDS = 64  # of which outputs are waited for


class Spans:
    """An observer of a session: a span for each send, and below it one for each output.

    The span of a send begins with it and ends with the last packet that stems from it; which is the
    last is not known before a later one is `open_sends` ahead, the session is interrupted, or
    `close` is called, and not before that it is exported. It is a child of the span that is current
    where `send` was called, and has an event for each input port that the data entered. The span of
    an output reaches from the send to the packet that stood ready for the client. What stems from
    no send (a source's items) makes no span.

    Parameters
    ----------
    clock : Clock
        The session's.
    tracer : Tracer, optional
        By default that of ``remotemedia`` from the global provider.
    open_sends : int
        How many sends may wait for more outputs.

    Attributes
    ----------
    late : int
        Packets that came when the span of their send had ended.

    Raises
    ------
    UnavailableError
        OpenTelemetry is not installed.

    Examples
    --------
    ::

        spans = Spans(session.clock)
        detach = session.observe(spans)
        ...
        detach()
        spans.close()
    """

    def __init__(
        self, clock: Clock, tracer: Tracer | None = None, open_sends: int = OPEN_SENDS
    ) -> None:
        try:
            from opentelemetry import trace
        except ImportError as error:
            raise UnavailableError(
                f"spans need OpenTelemetry, which cannot be imported ({error}): "
                "pip install 'remotemedia[telemetry]'"
            ) from error
        self.late = 0
        self._trace = trace
        self._tracer = tracer or trace.get_tracer("remotemedia")
        self._clock = clock
        self._most = open_sends
        self._open: dict[int, _Send] = {}

    def sent(self, packets: Sequence[Packet]) -> None:
        """One send put these in, one for each entry."""
        first = packets[0]
        at_ns = first.timestamp_us * 1000
        span = self._tracer.start_span(
            "remotemedia.send",
            attributes={
                "remotemedia.sequence": first.sequence,
                "remotemedia.generation": first.generation,
                **_described(first),
            },
            start_time=at_ns,
        )
        for packet in packets:
            span.add_event("enter", {"remotemedia.port": f"{packet.node}:{packet.port}"}, at_ns)
        self._open[first.sequence] = _Send(span, at_ns)
        while len(self._open) > self._most:
            self._open.pop(next(iter(self._open))).end()

    def received(self, packet: Packet) -> None:
        """A packet stands ready for the client."""
        if not packet.timestamp_us:
            return
        send = self._open.get(packet.sequence)
        if send is None:
            self.late += 1
            return
        send.last_ns = now_ns = self._clock.wall_us() * 1000
        child = self._tracer.start_span(
            "remotemedia.output",
            self._trace.set_span_in_context(send.span),
            attributes={
                "remotemedia.port": f"{packet.node}:{packet.port}",
                "remotemedia.sub_sequence": packet.sub_sequence,
                **_described(packet),
            },
            start_time=send.began_ns,
        )
        child.end(now_ns)

    def interrupted(self, generation: int, from_node: str | None) -> None:
        """What is in flight was dropped: all, or what is behind a node."""
        now_ns = self._clock.wall_us() * 1000
        told: dict[str, str | int] = {"remotemedia.generation": generation}
        if from_node is not None:
            told["remotemedia.from_node"] = from_node
        for send in self._open.values():
            send.span.add_event("interrupt", told, now_ns)
            send.last_ns = now_ns
        if from_node is None:
            self.close()

    def finished(self) -> None:
        """No more input comes; the tails do, and belong to the last send."""

    def close(self) -> None:
        """End the spans that are open."""
        while self._open:
            self._open.pop(next(iter(self._open))).end()


class _Send:
    """A send whose outputs are waited for."""

    __slots__ = ("began_ns", "last_ns", "span")

    def __init__(self, span: Span, began_ns: int) -> None:
        self.span = span
        self.began_ns = self.last_ns = began_ns

    def end(self) -> None:
        self.span.end(self.last_ns)


def _described(packet: Packet) -> dict[str, str | int]:
    data = packet.data
    told: dict[str, str | int] = {"remotemedia.data": type(data).__name__}
    if data.pts_us is not None:
        told["remotemedia.pts_us"] = data.pts_us
    return told
