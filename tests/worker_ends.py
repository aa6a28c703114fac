"""Workers of nodes in memory: both ends in this program, messages in order between them."""

from __future__ import annotations

import asyncio
from typing import Any

from remotemedia.clock import Clock
from remotemedia_wasm.workers.ends import Ended, Heard
from remotemedia_wasm.workers.inside import Inside


class MemoryWorker:
    """One worker; a test may stop it, or end it."""

    def __init__(
        self, launcher: MemoryLaunch, packages: tuple[str, ...], heard: Heard, ended: Ended
    ) -> None:
        self.packages = packages
        self.told: list[str] = []
        self.frozen = self.over = False
        self.memory = 10_000_000
        self._heard, self._ended = heard, ended
        self._held: list[tuple[str, bytes | None]] = []
        self._loop = asyncio.get_running_loop()
        self._inside = Inside(self, [], bytes, bytes, launcher.clock)

    # -- the session's end

    def post(self, text: str, frame: bytes | None = None) -> None:
        self._loop.call_soon(self._arrive, text, frame)

    def terminate(self) -> None:
        self.over = True

    def _arrive(self, text: str, frame: bytes | None) -> None:
        if self.over:
            return
        if self.frozen:
            self._held.append((text, frame))
            return
        self.told.append(text)
        self._inside.receive(text, frame)

    # -- the worker's end

    def say(self, text: str, frame: bytes | None = None) -> None:
        self._loop.call_soon(self._leave, text, frame)

    def memoryBytes(self) -> int:  # noqa: N802
        return self.memory

    def _leave(self, text: str, frame: Any) -> None:
        if not self.over:
            self._heard(text, frame)

    # -- the test's

    def die(self, why: str) -> None:
        """It is gone, as the browser tells."""
        self.over = True
        self._ended(why)

    def freeze(self) -> None:
        """It does nothing any more: `while True`."""
        self.frozen = True

    def thaw(self) -> None:
        """It goes on."""
        self.frozen = False
        held, self._held = self._held, []
        for each in held:
            self._arrive(*each)


class MemoryLaunch:
    """Starts them, and knows all."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.kind = MemoryWorker
        self.all: list[MemoryWorker] = []

    def __call__(self, packages: tuple[str, ...], heard: Heard, ended: Ended) -> MemoryWorker:
        worker = self.kind(self, packages, heard, ended)
        self.all.append(worker)
        return worker

    @property
    def alive(self) -> list[MemoryWorker]:
        return [worker for worker in self.all if not worker.over]
