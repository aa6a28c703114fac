"""Alerts: bits that are set and cleared with hysteresis."""

from __future__ import annotations

from remotemedia.errors import RemoteMediaError


class Alerts:
    """A set of alerts, each a bit: those of an `enum.IntFlag`, as a rule.

    Parameters
    ----------
    raise_after : int
        An alert is raised when its condition held in so many updates in a row, at least 1.
    clear_after : int
        It is cleared when the condition did not hold in so many in a row, at least 1.
    at_once : int
        Bits that are raised by a single update.

    Attributes
    ----------
    active : int
        Bits of the alerts that are raised.

    Examples
    --------
    >>> alerts = Alerts(raise_after=2, clear_after=3)
    >>> [alerts.update(4) for _ in range(3)], alerts.active
    ([0, 4, 0], 4)
    """

    __slots__ = ("_at_once", "_clear_after", "_counts", "_raise_after", "active")

    def __init__(self, raise_after: int = 5, clear_after: int = 10, at_once: int = 0) -> None:
        if raise_after < 1 or clear_after < 1:
            raise RemoteMediaError(
                f"raise_after and clear_after count updates: at least 1, not {raise_after} and "
                f"{clear_after}"
            )
        self._raise_after = raise_after
        self._clear_after = clear_after
        self._at_once = at_once
        self._counts: dict[int, int] = {}  # updates in a row that spoke against what a bit is
        self.active = 0

    def update(self, conditions: int) -> int:
        """Take in which conditions hold now; the bits of the alerts that this changed."""
        against = conditions ^ self.active
        counts = self._counts
        if not against:
            if counts:
                counts.clear()
            return 0
        changed = 0
        for bit in [bit for bit in counts if not bit & against]:
            del counts[bit]
        while against:
            bit = against & -against
            against ^= bit
            count = counts.get(bit, 0) + 1
            if count >= self._needed(bit):
                changed |= bit
                counts.pop(bit, None)
            else:
                counts[bit] = count
        self.active ^= changed
        return changed

    def reset(self) -> int:
        """Clear all at once; the bits of those that were raised."""
        changed, self.active = self.active, 0
        self._counts.clear()
        return changed

    def _needed(self, bit: int) -> int:
        if bit & self.active:
            return self._clear_after
        return 1 if bit & self._at_once else self._raise_after
