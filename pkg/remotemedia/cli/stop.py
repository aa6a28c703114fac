"""Stop: Ctrl-C ends the input, so that everything that was read still comes out."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Self

from remotemedia.cli.terminal import is_terminal

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM") if hasattr(signal, name))


class Stop:
    """Notes the first SIGINT or SIGTERM; the second one raises `KeyboardInterrupt` at once.

    Attributes
    ----------
    number : int
        The signal; 0 while there was none.
    """

    def __init__(self) -> None:
        self.number = 0
        self._waiting = False
        self._previous: dict[int, object] = {}
        self._listener: Callable[[], object] | None = None

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            # Only the main thread of a process may do this; elsewhere Ctrl-C stays what it is.
            with contextlib.suppress(ValueError, OSError):
                self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            with contextlib.suppress(ValueError, OSError, TypeError):
                signal.signal(number, handler)  # type: ignore[arg-type]

    @property
    def exit_code(self) -> int:
        """What the shell is told: 128 and the signal."""
        return 128 + self.number

    @contextlib.contextmanager
    def waiting(self) -> Iterator[bool]:
        """Around something that may take for ever: a signal gets it out of there.

        Yields
        ------
        bool
            Whether to begin at all.
        """
        self._waiting = True
        try:
            # A signal before the line above was noted; one after it is raised here.
            yield not self.number
        except KeyboardInterrupt:
            if not self.number:
                raise
        finally:
            self._waiting = False

    def listen(self, listener: Callable[[], object] | None) -> None:
        """Call this at the signal, too."""
        self._listener = listener
        if self.number and listener is not None:
            listener()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.number:
            raise KeyboardInterrupt
        self.number = number
        if number == signal.SIGINT and is_terminal(sys.stderr):
            # Not by `print`: the signal may have come in the middle of one.
            with contextlib.suppress(OSError, ValueError):
                os.write(sys.stderr.fileno(), b"\r\x1b[Kstopping (Ctrl-C again: at once)\n")
        if self._listener is not None:
            self._listener()
        if self._waiting:
            raise KeyboardInterrupt
