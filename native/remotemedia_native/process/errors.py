"""What can go wrong with a process."""

from __future__ import annotations

from collections.abc import Iterable

from remotemedia.errors import NodeError, RemoteMediaError


class ProcessError(RemoteMediaError):
    """A process that cannot be started, spoken to or watched."""

    code = "process"


class ControlMessageTooLargeError(ProcessError):
    """A message that is larger than the control socket takes."""

    code = "control_message_too_large"


class ControlFullError(ProcessError):
    """The other process does not read its messages, and no more of them may wait."""

    code = "control_full"


class ProcessDiedError(NodeError):
    """A process of nodes that has died, hung or taken too much; says how, and its last lines.

    Parameters
    ----------
    headline : str
        What has happened, in one line.
    node : str, optional
        One of its nodes.
    last_lines : iterable of str
        What it wrote last.
    """

    code = "process_died"

    def __init__(
        self,
        headline: str,
        *,
        node: str | None = None,
        port: str | None = None,
        last_lines: Iterable[str] = (),
    ) -> None:
        self.headline = headline
        self.last_lines = tuple(line for line in last_lines if line.strip())[-20:]
        lines = "".join(f"\n    {line}" for line in self.last_lines)
        super().__init__(
            f"{headline}; its last lines:{lines}" if lines else headline, node=node, port=port
        )
