"""The JavaScript objects that Python holds; docs/design/web.md describes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class View(Protocol):
    """A typed array of JavaScript."""

    byteLength: int  # noqa: N815 - JavaScript's name

    def assign_to(self, buffer: Any) -> None:
        """Copy into a Python buffer of the same size."""

    def assign(self, buffer: Any) -> None:
        """Copy from a Python buffer of the same size."""

    def subarray(self, start: int, end: int) -> View:
        """A part of it, not copied."""

    def to_bytes(self) -> bytes:
        """A copy."""


class BlockReader(Protocol):
    """Where captured samples come from."""

    channels: int
    sampleRate: int  # noqa: N815
    blockFrames: int  # noqa: N815
    staging: View
    lost: int

    def take(self) -> int:
        """Copy the next block into `staging`; its frames, 0 not there yet, -1 ended.

        Bit 30 is set where frames were lost in front of it: `lost` says how many.
        """

    def arm(self, wake: Callable[[], None]) -> None:
        """Call `wake` once, when `take` would not give 0."""

    def close(self) -> None:
        """No wake after this."""


class BlockWriter(Protocol):
    """Where samples go to be played."""

    channels: int
    sampleRate: int  # noqa: N815
    maxFrames: int  # noqa: N815
    staging: View

    def room(self) -> int:
        """Frames that fit now."""

    def put(self, frames: int, channels: int) -> int:
        """Take frames out of `staging`; how many."""

    def arm(self, wake: Callable[[], None], frames: int) -> None:
        """Call `wake` once, when `room` gives so many frames."""

    def clear(self, fade: int) -> None:
        """Interrupt: drop what waits, once so many frames of it were faded out."""

    def end(self) -> None:
        """No more will come."""

    def close(self) -> None:
        """No wake after this."""


class Host(Protocol):
    """The worker."""

    def answer(self, text: str, attachment: Any = None) -> None:
        """Post a message of `remotemedia.protocol`."""

    def packet(self, frame: Any, subscription: str | None) -> None:
        """Post a wire frame; of a subscription, or of what comes out."""

    def recorded(self, recording: str, content: Any) -> None:
        """Post the next part of a recording."""
