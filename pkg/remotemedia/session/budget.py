"""Budget: how old media may become on its way through a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from remotemedia.clock import Clock
from remotemedia.data import Audio, Packet, Video
from remotemedia.errors import SessionError
from remotemedia.plan import Plan
from remotemedia.session.boundary import Boundary

CatchUpKind = Literal["drop", "compress"]
"""What is done before media are too old, see `Session`."""
CATCH_UP: tuple[str, ...] = get_args(CatchUpKind)

_MEDIA = (Audio, Video)
_LIVE = tuple(kind.media for kind in _MEDIA)


def live_nodes(plan: Plan) -> set[str]:
    """Nodes whose media stem from media that were sent, or from a source, as they came."""
    formats, entries = plan.formats.inputs, set(plan.entries)
    found: set[str] = set()
    for node in plan.graph.order:
        if plan.placements[node].is_source:
            found.add(node)
            continue
        fed = {edge.target_port for edge in plan.graph.incoming(node) if edge.source in found}
        for port in plan.graph.nodes[node].inputs:
            accepted = formats[node, port].formats
            is_media = accepted is None or any(
                each.media in ("audio", "video") for each in accepted
            )
            if is_media and (port in fed or (node, port) in entries):
                found.add(node)
    return found


class Budget:
    """Drops audio and video that is older than the latency budget, wherever it is next taken.

    So after a stall, of whatever length, what comes is live again at once. Text, events and control
    are kept: they are few, and what depends on them would go wrong without. So is what is not live:
    media that a node makes of something else, such as the speech of a text, which may take long to
    be thought of and longer to be heard (see `live_nodes`).

    Parameters
    ----------
    max_us : int
        The budget: from when the client sent it, µs.
    clock : Clock
        The session clock.
    """

    __slots__ = ("_clock", "max_us")

    def __init__(self, max_us: int, clock: Clock) -> None:
        self.max_us = max_us
        self._clock = clock

    def age_us(self, boundary: Boundary) -> int:
        """Of the first packet that waits there, µs."""
        return self._clock.wall_us() - boundary.packets[0].timestamp_us

    def drops(self, boundary: Boundary) -> bool:
        """Drop the first packet that waits there if it is too old."""
        packet = boundary.packets[0]
        if (
            not (boundary.live and isinstance(packet.data, _MEDIA))
            or self.age_us(boundary) <= self.max_us
        ):
            return False
        boundary.remove(packet, "late")
        return True

    def take(self, boundary: Boundary) -> Packet | None:
        """The first packet that waits there, for the client; None: look for another one."""
        return None if self.drops(boundary) else self._give(boundary)

    def _give(self, boundary: Boundary) -> Packet | None:
        return boundary.take()


def make_budget(
    max_latency_ms: float | None,
    catch_up: str,
    clock: Clock,
    told: Callable[[str, str, str, str], None],
) -> Budget | None:
    """The budget that a session is given; None if there is none.

    Raises
    ------
    SessionError
        It is no time, or there is no such way to catch up.
    """
    if catch_up not in CATCH_UP or (catch_up == "compress" and max_latency_ms is None):
        raise SessionError(
            f"catch_up={catch_up!r} and max_latency_ms={max_latency_ms}: catch_up is one of "
            f"{', '.join(CATCH_UP)}, and 'compress' needs a max_latency_ms, such as 500"
        )
    if max_latency_ms is None:
        return None
    if not max_latency_ms > 0:
        raise SessionError(f"max_latency_ms is more than 0, not {max_latency_ms!r}")
    max_us = round(max_latency_ms * 1000)
    if catch_up == "drop":
        return Budget(max_us, clock)
    from remotemedia.session.catch_up import CatchUp

    return CatchUp(max_us, clock, told)
