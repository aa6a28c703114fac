"""What can go wrong with a process."""

from __future__ import annotations

from remotemedia.errors import ProcessDiedError, RemoteMediaError

__all__ = [
    "ControlFullError",
    "ControlMessageTooLargeError",
    "ProcessDiedError",
    "ProcessError",
]


class ProcessError(RemoteMediaError):
    """A process that cannot be started, spoken to or watched."""

    code = "process"


class ControlMessageTooLargeError(ProcessError):
    """A message that is larger than the control socket takes."""

    code = "control_message_too_large"


class ControlFullError(ProcessError):
    """The other process does not read its messages, and no more of them may wait."""

    code = "control_full"
