"""How a child ended."""

from __future__ import annotations

import signal
from typing import NamedTuple


class Exit(NamedTuple):
    """How a child ended, and its last words.

    Attributes
    ----------
    code : int or None
        What it gave to exit; None if a signal ended it.
    signal_name : str or None
        ``SIGSEGV``, for example.
    last_lines : tuple of str
        The last that it wrote to stderr, stdout and logs.
    why : str
        Why we killed it; empty if we did not.
    """

    code: int | None
    signal_name: str | None
    last_lines: tuple[str, ...] = ()
    why: str = ""

    @classmethod
    def of(cls, returncode: int, last_lines: tuple[str, ...] = (), why: str = "") -> Exit:
        """Of what `subprocess` calls the return code, negative for signals."""
        if returncode >= 0:
            return cls(returncode, None, last_lines, why)
        try:
            name = signal.Signals(-returncode).name
        except ValueError:  # most real-time signals have none
            name = f"signal {-returncode}"
        return cls(None, name, last_lines, why)

    def describe(self) -> str:
        """In words: ``was killed by SIGSEGV``, ``exited with code 3``."""
        if self.signal_name is None:
            said = f"exited with code {self.code}"
        else:
            said = f"was killed by {self.signal_name}"
        if self.why:
            return f"{said}: {self.why}"
        return f"{said}: out of memory?" if self.signal_name == "SIGKILL" else said
