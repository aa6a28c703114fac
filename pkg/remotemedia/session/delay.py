"""Delay: how long packets take through a session."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from remotemedia.data import Packet
from remotemedia.metrics import Histogram, SessionMetrics, add_rows, table_of
from remotemedia.session.outlet import Outlet

_ROWS = 4 * 1024  # readings that are sorted into the histograms at a time


class Delay:
    """The end-to-end latency of a session and that of first outputs.

    Measured when a packet is put in front of the client: when that reads it is the client's own
    affair, and the wait on the edge to it tells. What a source emits counts from then, and so do
    tails.

    Parameters
    ----------
    clock : callable
        The profiling clock, s: by it the windows move.
    wall : callable
        The clock of `Packet.timestamp_us`, µs: by it the latency is measured.
    several : bool
        Whether packets come by more than one output port.
    """

    __slots__ = ("_first", "_rows", "_sends", "_several", "_total", "_wall", "clock")

    def __init__(self, clock: Callable[[], float], wall: Callable[[], int], several: bool) -> None:
        self.clock = clock
        self._wall = wall
        self._several = several
        self._sends = Outlet("", "")  # numbers what stems from one send, whatever the port
        self._total = Histogram()
        self._first = Histogram()
        self._rows: list[float] = []

    def note(self, packet: Packet, now: float) -> None:
        """A packet is ready for the client; `now` is the profiling clock's."""
        number = packet.sub_sequence
        if self._several and not number:
            number = self._sends.number(packet.sequence)
        rows = self._rows
        rows += (now, self._wall(), packet.timestamp_us, number)
        if len(rows) >= _ROWS:
            self._fold()

    def metrics(self) -> SessionMetrics:
        """So far."""
        self._fold()
        now = self.clock()
        return SessionMetrics(self._total.timing(now), self._first.timing(now))

    def _fold(self) -> None:
        table = table_of(self._rows, 4)
        table = table[table[:, 2] > 0]
        ready, wall, sent, number = table.T
        took = (wall - sent) / 1e6
        first = number == 0
        if first.all():  # as a rule
            add_rows([self._total, self._first], np.stack([took, took]), ready)
            return
        add_rows([self._total], took[np.newaxis].copy(), ready)
        add_rows([self._first], took[np.newaxis, first], ready[first])
