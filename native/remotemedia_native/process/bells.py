"""Bells of the other processes of a session, rung at once or held back for a moment."""

from __future__ import annotations

from collections.abc import Mapping

from remotemedia_native.shm.bell import Bell


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

    __slots__ = ("_bells", "held")

    def __init__(self, bells: Mapping[str, Bell]) -> None:
        self._bells = bells
        self.held: dict[str, None] | None = None

    def ring(self, part: str) -> None:
        """Wake a process, unless bells are held back."""
        if self.held is not None:
            self.held[part] = None
            return
        bell = self._bells.get(part)
        if bell is not None:
            bell.ring()

    def hold(self) -> None:
        """Ring none until `ring_held`: there is more to do."""
        if self.held is None:
            self.held = {}

    def ring_held(self) -> None:
        """Ring those that were held back."""
        held, self.held = self.held, None
        if held:
            for part in held:
                self.ring(part)
