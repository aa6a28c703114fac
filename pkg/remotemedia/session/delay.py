"""Delay: how long packets take through a session."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from remotemedia.metrics import Histogram, SessionMetrics, add_rows, table_of
from remotemedia.session.outlet import Outlet

FULL = 4 * 1024  # readings that are sorted into the histograms at a time


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

    Attributes
    ----------
    rows : list of float
        Of each packet that has become ready for the client: the profiling clock and the wall clock
        then, when it was sent, and its number among what stems from that send. `ClientBoundary`
        adds to it, and calls `fold` once it is `FULL`.
    """

    __slots__ = ("_first", "_total", "clock", "number", "rows", "several", "wall")

    def __init__(self, clock: Callable[[], float], wall: Callable[[], int], several: bool) -> None:
        self.clock = clock
        self.wall = wall
        self.several = several
        self.number = Outlet("", "").number  # of what stems from one send, whatever the port
        self._total = Histogram()
        self._first = Histogram()
        self.rows: list[float] = []

    def metrics(self) -> SessionMetrics:
        """So far."""
        self.fold()
        now = self.clock()
        return SessionMetrics(self._total.timing(now), self._first.timing(now))

    def fold(self) -> None:
        """Sort `rows` into the histograms."""
        table = table_of(self.rows, 4)
        table = table[table[:, 2] > 0]
        ready, wall, sent, number = table.T
        took = (wall - sent) / 1e6
        first = number == 0
        if first.all():  # as a rule
            add_rows([self._total, self._first], np.stack([took, took]), ready)
            return
        add_rows([self._total], took[np.newaxis].copy(), ready)
        add_rows([self._first], took[np.newaxis, first], ready[first])
