"""Observers: who is told of everything that enters and leaves a session, such as a recorder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from remotemedia.data import Packet

Detach = Callable[[], None]
Failed = Callable[[Exception], None]


class Observer(Protocol):
    """Called on the data path, so that it must be quick. An error ends its watch, nothing else."""

    def sent(self, packets: Sequence[Packet]) -> None:
        """What one `Session.send` puts in: a packet for each input port that takes it."""

    def received(self, packet: Packet) -> None:
        """What is put in front of the client, before it is read."""

    def interrupted(self, generation: int, from_node: str | None) -> None:
        """What was in flight is gone; all that comes is of this generation."""

    def finished(self) -> None:
        """The client has ended its input."""


class Observers:
    """Those of one session.

    Parameters
    ----------
    failed : callable
        Told of what one raised; it is asked no more.

    Attributes
    ----------
    watching : list of Observer
    """

    __slots__ = ("_failed", "watching")

    def __init__(self, failed: Failed) -> None:
        self._failed = failed
        self.watching: list[Observer] = []

    def add(self, observer: Observer) -> Detach:
        """Tell this one, too; gives what ends it."""
        self.watching = [*self.watching, observer]
        return lambda: self._remove(observer)

    def sent(self, packets: Sequence[Packet]) -> None:
        """See `Observer`."""
        self._tell(lambda observer: observer.sent(packets))

    def received(self, packet: Packet) -> None:
        """See `Observer`."""
        self._tell(lambda observer: observer.received(packet))

    def interrupted(self, generation: int, from_node: str | None) -> None:
        """See `Observer`."""
        self._tell(lambda observer: observer.interrupted(generation, from_node))

    def finished(self) -> None:
        """See `Observer`."""
        self._tell(lambda observer: observer.finished())

    def _tell(self, what: Callable[[Observer], None]) -> None:
        for observer in self.watching:
            try:
                what(observer)
            except Exception as error:
                self._remove(observer)
                self._failed(error)

    def _remove(self, observer: Observer) -> None:
        self.watching = [other for other in self.watching if other is not observer]


Tap = Callable[[Packet], None]
"""Told of each item of one port."""
