"""Timers: what wakes a node although nothing arrives."""

from __future__ import annotations

from collections.abc import Callable

from remotemedia.clock import Clock, Timer
from remotemedia.errors import SessionError

WAKE = "\0wake"
"""The input port of what a timer puts in; no manifest can name it."""
OUT = "\0out:"
"""Before the name of an output port: the input port of what is put in behind it."""
JOIN = "\0join"
"""The token of the timer of a join, which is not the node's own."""
MAX_TIMERS = 1_024  # of one node, that have not run out


class Timers:
    """The timers of one node.

    Parameters
    ----------
    node : str
        Its id.
    clock : Clock
        The session clock.
    ring : callable
        Called with the token of a timer that has run out, from the event loop.
    held : bool
        Whether those that run out wait for `release`: the node is not there yet.
    """

    def __init__(
        self, node: str, clock: Clock, ring: Callable[[str], None], held: bool = False
    ) -> None:
        self._node = node
        self._clock = clock
        self._ring = ring
        self._set: dict[_NodeTimer, Timer] = {}
        self._held: list[str] | None = [] if held else None

    def set(self, delay_us: int, token: str = "") -> Timer:
        """Have the node woken with a token after so much of the session's time."""
        if len(self._set) >= MAX_TIMERS:
            raise SessionError(
                f"node {self._node!r} has {MAX_TIMERS:,} timers that have not run out, and sets "
                "one more: cancel what is no longer wanted",
                node=self._node,
            )
        timer = _NodeTimer(self._set)

        def fire() -> None:
            del self._set[timer]
            if self._held is None:
                self._ring(token)
            else:
                self._held.append(token)

        self._set[timer] = self._clock.call_later(delay_us, fire)
        return timer

    def release(self) -> None:
        """The node is there now."""
        for token in self._held or ():
            self._ring(token)
        self._held = None

    def clear(self) -> None:
        """Cancel all."""
        if self._held:
            self._held.clear()
        for timer in list(self._set):
            timer.cancel()


class _NodeTimer:
    __slots__ = ("_all",)

    def __init__(self, others: dict[_NodeTimer, Timer]) -> None:
        self._all = others

    def cancel(self) -> None:
        """Keep it from waking the node; without effect once it has run out."""
        timer = self._all.pop(self, None)
        if timer is not None:
            timer.cancel()
