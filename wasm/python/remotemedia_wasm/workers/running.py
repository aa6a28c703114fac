"""Running: one worker that was started, from its boot to its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from remotemedia.errors import ProcessDiedError
from remotemedia_wasm.workers import messages as m
from remotemedia_wasm.workers.ends import Launch
from remotemedia_wasm.workers.faults import from_fault

LAST_LINES = 40  # a crash with its traceback is some thirty


class RunningWorker:
    """A worker that runs, or has ended.

    Parameters
    ----------
    launch : Launch
        Starts it.
    setup : Setup
        What is in it.

    Attributes
    ----------
    ended : str or None
        How it has ended, in words that have it as their subject.
    on_said : callable or None
        Told of what it says, and the frame beside it.
    on_ended : callable or None
        Told of its end, however it came about, but for `terminate`.
    """

    def __init__(self, launch: Launch, setup: m.Setup) -> None:
        self.ended: str | None = None
        self.on_said: Callable[[m.Said, Any], None] | None = None
        self.on_ended: Callable[[RunningWorker], None] | None = None
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._end = launch(setup.packages, self._hear, self._die)
        self.tell(setup)

    def tell(self, told: m.Message, frame: bytes | None = None) -> None:
        """Tell it something; nobody hears it any more once it has ended."""
        if self.ended is None:
            self._end.post(m.encode(told), frame)

    def end(self, why: str) -> None:
        """End it at once; `on_ended` is told before this returns.

        Parameters
        ----------
        why : str
            In words that have it as their subject.
        """
        if self.ended is None:
            self._end.terminate()
            self._die(why)

    def terminate(self) -> None:
        """End it at once, and tell nobody."""
        self.on_ended = None
        self.end("was not needed any more")

    def died(self, whose: str, node: str) -> ProcessDiedError:
        """The error of its end.

        Parameters
        ----------
        whose : str
            What it is, for people.
        """
        return ProcessDiedError(f"{whose} {self.ended}", node=node, last_lines=self._lines)

    def _hear(self, text: str, frame: Any) -> None:
        if self.ended is not None:
            return
        said = m.read_said(text)
        if isinstance(said, m.Line):
            if said.kind != "progress":
                self._lines.append(said.text)
        elif isinstance(said, m.Ready) and said.fault is not None:
            self._end.terminate()
            self._die(f"cannot be set up: {from_fault(said.fault).message}")
            return
        if self.on_said is not None:
            self.on_said(said, frame)

    def _die(self, why: str) -> None:
        if self.ended is None:
            self.ended = why
            if self.on_ended is not None:
                self.on_ended(self)
