"""Taps: who is shown what passes a port, without being on its way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from remotemedia.data import Data, Packet
from remotemedia.errors import AddressError, SessionError, nearest
from remotemedia.plan import Plan
from remotemedia.session.address import known_node
from remotemedia.session.observer import Detach, Failed, Tap
from remotemedia.session.outlet import Outlet

if TYPE_CHECKING:
    from remotemedia.session.router import Router


def find_port(plan: Plan, place: str) -> tuple[str, str, bool]:
    """Node id, port, and whether it is an output, of ``"node"`` or ``"node:port"``.

    Raises
    ------
    AddressError
        There is no such node or port.
    """
    node_id, _, port = place.partition(":")
    node = known_node(plan, node_id)
    outputs, inputs = list(node.outputs), list(node.inputs)
    if not port:
        return (node_id, outputs[0], True) if outputs else (node_id, inputs[0], False)
    if port in outputs or port in inputs:
        return node_id, port, port in outputs
    known = [*outputs, *inputs]
    hint = nearest(port, known) or f" (ports: {', '.join(known)})"
    raise AddressError(f"{node_id!r} ({node.node_type}) has no port {port!r}{hint}", node=node_id)


def check_here(plan: Plan, node_id: str, what: str) -> None:
    """Refuse what can only be done to nodes that run in the session itself.

    Raises
    ------
    SessionError
        It runs elsewhere.
    """
    if plan.placements[node_id].part:
        raise SessionError(
            f"cannot {what} {node_id!r}, which runs elsewhere: do it at the node before or behind "
            "it that runs here, or put a PassThrough there",
            node=node_id,
        )


def origin_packets(router: Router, node_id: str, port: str) -> Callable[[Data], Packet]:
    """Makes packets of the data at a port, which stem from what the node works on."""
    number = Outlet(node_id, port).number

    def packet(data: Data) -> Packet:
        unit = router.unit_of(node_id)
        origin = unit.origin
        sequence = origin.sequence if origin is not None else 0
        timestamp_us = origin.timestamp_us if origin is not None else 0
        count = number(sequence)
        return Packet(data, node_id, port, sequence, count, timestamp_us, unit.generation)

    return packet


def add_tap(router: Router, place: str, tap: Tap, failed: Failed) -> Detach:
    """Show somebody every item at a port; gives what ends it."""
    node_id, port, is_output = find_port(router.plan, place)
    step = router.steps[node_id]
    taps = step.output_taps if is_output else step.input_taps
    packet = origin_packets(router, node_id, port)

    def show(data: Data) -> None:
        try:
            tap(packet(data))
        except Exception as error:
            detach()
            failed(error)

    def set_taps(now: tuple[Callable[[Data], None], ...]) -> None:
        if now:
            taps[port] = now
        else:
            taps.pop(port, None)
        router.recompose(node_id)

    def detach() -> None:
        set_taps(tuple(other for other in taps.get(port, ()) if other is not show))

    set_taps((*taps.get(port, ()), show))
    return detach
