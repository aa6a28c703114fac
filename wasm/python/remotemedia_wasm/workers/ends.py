"""The mechanism of workers: what a page has, and what tests have in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

Heard = Callable[[str, Any], None]
"""Told of a message of a worker, and of the frame beside it: None, or what `bytes_of` reads."""
Ended = Callable[[str], None]
"""Told once, in words that have the worker as their subject, that it has ended by itself."""


class WorkerEnd(Protocol):
    """The session's end of a worker that was started."""

    def post(self, text: str, frame: bytes | None = None) -> None:
        """Send a message; it waits until the worker has booted."""

    def terminate(self) -> None:
        """End it at once, whatever it does; nothing is heard of it any more."""


class Launch(Protocol):
    """Starts workers."""

    def __call__(self, packages: tuple[str, ...], heard: Heard, ended: Ended) -> WorkerEnd:
        """Start one, with packages of Pyodide's distribution in it."""


class NodeHost(Protocol):
    """The worker of nodes, as the Python in it sees it."""

    def say(self, text: str, frame: Any = None) -> None:
        """Post a message to the session."""

    def memoryBytes(self) -> int:  # noqa: N802 - JavaScript's name
        """The size of WebAssembly's memory."""
