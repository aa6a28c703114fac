"""Outputs: how a client reads what a session gives."""

from __future__ import annotations

from collections.abc import AsyncIterator

from remotemedia.data import Packet
from remotemedia.session.budget import Budget
from remotemedia.session.inbox import Inbox


class Outputs(AsyncIterator[Packet]):
    """Reads what waits for the client. No generator: one that is left behind needs no closing."""

    __slots__ = ("_budget", "_inbox")

    def __init__(self, inbox: Inbox, budget: Budget | None) -> None:
        self._inbox = inbox
        self._budget = budget

    def __aiter__(self) -> Outputs:
        return self

    def poll(self) -> Packet | None:
        """The next packet, if one waits."""
        budget = self._budget
        while (boundary := self._inbox.oldest()) is not None:
            packet = boundary.take() if budget is None else budget.take(boundary)
            if packet is not None:
                return packet
        return None

    async def __anext__(self) -> Packet:
        budget = self._budget
        while (boundary := self._inbox.oldest() or await self._inbox.next()) is not None:
            packet = boundary.take() if budget is None else budget.take(boundary)
            if packet is not None:
                return packet
        raise StopAsyncIteration
