"""Outlets: which port a speaker or recorder means, and what is known of it before data flows."""

from __future__ import annotations

from remotemedia.caps import Caps, Exact
from remotemedia.errors import AddressError, nearest
from remotemedia.plan import Plan
from remotemedia.protocol import outlets_in_order

Port = tuple[str, str]
"""Node id and port."""


def audio_outlet(plan: Plan, address: str | None) -> Port:
    """The outlet that an address means; without one, the only port that audio comes out of."""
    outlets = outlets_in_order(plan)
    carrying = [port for port in outlets if carries_audio(plan.formats.outputs[port])]
    names = ", ".join(f"{node}:{port}" for node, port in carrying) or "none"
    if address is None:
        if len(carrying) != 1:
            raise AddressError(
                f"say which audio: from one of {names}"
                if carrying
                else "no audio comes out of this pipeline: connect nothing to its port, or set "
                "is_output_node: true"
            )
        return carrying[0]
    node, _, port = address.partition(":")
    matching = [each for each in outlets if each[0] == node and port in ("", each[1])]
    audible = [each for each in matching if each in carrying]
    if audible:
        return audible[0]
    if matching:
        raise AddressError(f"no audio comes out of {address} (audio: {names})", node=node)
    hint = nearest(address, [f"{node}:{port}" for node, port in outlets])
    known = plan.graph.nodes
    if node in known and (not port or port in known[node].outputs):
        raise AddressError(
            f"{address} does not come out: it is connected; set is_output_node: true on "
            f"{node!r} to hear it as well (audio that comes out: {names})",
            node=node,
        )
    raise AddressError(f"no output port {address!r}{hint} (audio that comes out: {names})")


def is_reached(plan: Plan, nodes: set[str], target: str) -> bool:
    """Whether audio that enters these nodes may reach another over edges that carry audio."""
    reached = set(nodes)
    for node in plan.graph.order:
        if node not in reached and any(
            edge.source in reached
            and carries_audio(plan.formats.outputs[edge.source, edge.source_port])
            for edge in plan.graph.incoming(node)
        ):
            reached.add(node)
    return target in reached


def carries_audio(caps: Caps) -> bool:
    """Whether audio may have these caps."""
    return caps.formats is None or any(item.media == "audio" for item in caps.formats)


def fixed(caps: Caps, field: str) -> int | None:
    """The one value that a field of audio has in these caps."""
    values = {
        constraint.value if isinstance(constraint := item.get(field), Exact) else None
        for item in caps.formats or ()
        if item.media == "audio"
    }
    value = values.pop() if len(values) == 1 else None
    return value if isinstance(value, int) else None
