"""Packet: data with its place in the stream."""

from __future__ import annotations

import msgspec

from remotemedia.data.base import Data


class Packet(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Data plus where it came from and its place in the stream.

    Attributes
    ----------
    data : Data
        The value.
    node, port : str
        The output port that emitted it, or the input port that it was sent to.
    sequence : int
        Number of the client's send that it stems from, counted from 0.
    sub_sequence : int
        Number among the outputs of that port which stem from the same send, counted from 0.
    timestamp_us : int
        When that send entered the session, µs of UTC.
    generation : int
        Counts the interrupts of the session; a packet of an older generation is stale.
    """

    data: Data
    node: str
    port: str = "out"
    sequence: int = 0
    sub_sequence: int = 0
    timestamp_us: int = 0
    generation: int = 0
