"""What Python waits for at an end of a ring."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

MakeWake = Callable[[Callable[[], None]], Any]
"""Makes of a Python function one that JavaScript calls, until it is destroyed."""


class RingSignal:
    """Lets one task sleep until JavaScript wakes it.

    Parameters
    ----------
    make_wake : callable
        See `MakeWake`.
    """

    __slots__ = ("_waiting", "_wake")

    def __init__(self, make_wake: MakeWake) -> None:
        self._wake = make_wake(self._on_wake)
        self._waiting: asyncio.Future[None] | None = None

    async def wait(self, arm: Callable[..., None], *arguments: int) -> None:
        """Give an end of a ring the function that wakes, and sleep until it was called."""
        self._waiting = asyncio.get_running_loop().create_future()
        arm(self._wake, *arguments)
        await self._waiting

    def close(self) -> None:
        """Wake no more; who still waits is cancelled."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._wake.destroy()

    def _on_wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
