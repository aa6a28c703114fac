"""Bells of the other processes of a session, rung at once or held back for a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import perf_counter

from remotemedia_native.shm.bell import Bell

# To wake another process may take 25 µs of this one, so bells are held back while there is more
# to do, but not for longer than this.
HOLD_S = 200e-6


class Bells:
    """Rings others.

    Parameters
    ----------
    bells : mapping of part to Bell
        Whose they are; may change.

    Attributes
    ----------
    held : dict of str or None
        The parts whose bells are to be rung a bit later, for more than one reason.
    """

    __slots__ = ("_bells", "_since", "held")

    def __init__(self, bells: Mapping[str, Bell]) -> None:
        self._bells = bells
        self._since = 0.0
        self.held: dict[str, None] | None = None

    def ring(self, part: str) -> None:
        """Wake a process, unless bells are held back."""
        if self.held is not None:
            self.held[part] = None
            return
        bell = self._bells.get(part)
        if bell is not None:
            bell.ring()

    def ring_in_turn(self, part: str) -> None:
        """Wake a process at once; but all that follow in this turn of the loop, at its end.

        Whoever sends much without waiting wakes nobody more often than that, or every `HOLD_S`.
        """
        if self.held is None:
            self.ring(part)
            self.hold()
            self._since = perf_counter()
            asyncio.get_running_loop().call_soon(self.ring_held)
            return
        self.held[part] = None
        if self._since and perf_counter() - self._since > HOLD_S:
            self.ring_held()
            self.held = {}
            self._since = perf_counter()

    def hold(self) -> None:
        """Ring none until `ring_held`: there is more to do."""
        if self.held is None:
            self.held = {}
            self._since = 0.0

    def ring_held(self) -> None:
        """Ring those that were held back."""
        held, self.held = self.held, None
        if held:
            for part in held:
                self.ring(part)
