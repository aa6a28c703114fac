"""Every error of RemoteMedia, in one tree.

::

    RemoteMediaError
    ├── ManifestError            the manifest has problems; all of them, each with its place
    ├── EditError                the text of a manifest that cannot be edited in place
    ├── UnknownNodeTypeError     no node of that name; names the nearest
    ├── UnavailableError         known, but not on this host; names the install command
    ├── ParamsError              parameters that a node refuses
    ├── CapsError                media formats
    │   ├── CapsSyntaxError      the text form of caps, with the column
    │   ├── CapsMismatchError    two ends of an edge that share no format
    │   ├── NegotiationLimitError  so many alternatives that formats do not settle
    │   └── FormatError          live data outside the caps of the port that it reached
    ├── DataError                a value that no data type accepts
    ├── WireError                bytes that are no valid frame; names field and offset
    ├── MediaFileError           a media file that cannot be read; says why, and how to convert it
    ├── ModelError               a model that is broken, does not fit, hangs or fails
    │   └── ModelNotFoundError   a model that is not on this host; says how to get it
    ├── RecordingError           a recording that cannot be read or written; says where and why
    ├── NodeError                a node raised, or broke the contract
    │   ├── NodeOutputError      a node returned something that is not data
    │   ├── NodeTimeoutError     a call took longer than the policy of the node allows
    │   ├── CircuitOpenError     a node that keeps failing is not called for a while
    │   └── ProcessDiedError     the process or worker of a node has died, hung or taken too much
    ├── AsyncGraphError          `run` was called on a graph that needs an event loop
    └── SessionError             a live session
        ├── SessionClosedError   you closed it
        ├── SessionFinishedError you finished its input, then sent more
        ├── SessionFailedError   it broke; `__cause__` is why
        └── AddressError         no such node or port, or it does not accept that type
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from itertools import islice


class RemoteMediaError(Exception):
    """Base of all errors raised on purpose by RemoteMedia.

    Parameters
    ----------
    message : str
        What is wrong, where, and what to do about it.
    node : str, optional
        Id of the node concerned.
    port : str, optional
        Port of that node.
    """

    code = "error"

    def __init__(self, message: str, *, node: str | None = None, port: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.node = node
        self.port = port

    def to_dict(self) -> dict[str, str | None]:
        """The form in which an error crosses a worker or a socket."""
        return {"code": self.code, "message": str(self), "node": self.node, "port": self.port}


class Problem:
    """One thing wrong with a manifest, or worth a warning.

    Parameters
    ----------
    message : str
        What is wrong and what would be right.
    path : tuple of str or int
        Where in the document: ``("nodes", 3, "params", "gain_db")``.
    line, column : int, optional
        The same place in the text, both counted from 1.
    at_key : bool
        Whether the place is the name of the field, not its value.
    fixes : sequence of object
        What would mend it, as data: `remotemedia.negotiation.Suggestion`.
    """

    __slots__ = ("at_key", "column", "fixes", "line", "message", "path")

    def __init__(
        self,
        message: str,
        path: Sequence[str | int] = (),
        line: int | None = None,
        column: int | None = None,
        at_key: bool = False,
        fixes: Sequence[object] = (),
    ) -> None:
        self.fixes = tuple(fixes)
        self.message = message
        self.path = tuple(path)
        self.line = line
        self.column = column
        self.at_key = at_key

    @property
    def where(self) -> str:
        """``"7:16"``, or the path where there is no text to point into."""
        if self.line is not None:
            return f"{self.line}:{self.column}"
        return format_path(self.path)

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"

    def __repr__(self) -> str:
        return f"Problem({self.message!r}, {self.path!r}, {self.line!r}, {self.column!r})"


def format_path(path: Sequence[str | int]) -> str:
    """``nodes[3].params.gain_db``"""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "manifest"


class ManifestError(RemoteMediaError):
    """A manifest that cannot be used; `problems` lists everything that is wrong with it."""

    code = "manifest"

    def __init__(self, problems: Iterable[Problem], source: str = "manifest") -> None:
        self.problems = tuple(problems)
        self.source = source
        count = len(self.problems)
        head = f"{source}: {count} problem{'s' if count != 1 else ''}"
        super().__init__("\n".join([head, *(f"  {problem}" for problem in self.problems)]))


class EditError(RemoteMediaError):
    """The text of a manifest that cannot be edited in place."""

    code = "edit"


class UnknownNodeTypeError(RemoteMediaError):
    """No registered node has that name."""

    code = "unknown_node_type"


class UnavailableError(RemoteMediaError):
    """A node, executor or backend that exists but cannot work on this host."""

    code = "unavailable"


class ParamsError(RemoteMediaError):
    """Parameters outside what the node accepts."""

    code = "params"


class CapsError(RemoteMediaError):
    """Media formats that are malformed or do not fit."""

    code = "caps"


class CapsSyntaxError(CapsError):
    """The text form of caps cannot be read; `column` counts from 1."""

    code = "caps_syntax"

    def __init__(self, message: str, text: str, column: int) -> None:
        super().__init__(f"column {column} of {text!r}: {message}")
        self.reason = message
        self.text = text
        self.column = column


class CapsMismatchError(CapsError):
    """The two ends of an edge share no format."""

    code = "caps_mismatch"


class NegotiationLimitError(CapsError):
    """So many alternatives that formats were not settled within the bound."""

    code = "negotiation_limit"


class FormatError(CapsError):
    """Data reached a port that does not accept its format."""

    code = "format"


class DataError(RemoteMediaError, ValueError):
    """A value that the data type does not accept."""

    code = "data"


class WireError(RemoteMediaError, ValueError):
    """Bytes that are not a valid frame.

    Parameters
    ----------
    message : str
        What is wrong.
    field : str
        The field of the frame.
    offset : int
        Where that field starts, in bytes from the start of the frame.
    """

    code = "wire"

    def __init__(self, message: str, field: str, offset: int) -> None:
        super().__init__(f"{field} at byte {offset}: {message}")
        self.field = field
        self.offset = offset


class MediaFileError(RemoteMediaError):
    """A media file that cannot be read."""

    code = "media_file"


class ModelError(RemoteMediaError):
    """A model that is broken, does not fit what it is given, hung or failed."""

    code = "model_error"


class ModelNotFoundError(ModelError):
    """A model that was not found; says where it was looked for and how to get it."""

    code = "model_not_found"


class RecordingError(RemoteMediaError):
    """A recording that cannot be read, or not be written any further."""

    code = "recording"


class NodeError(RemoteMediaError):
    """A node raised; the exception is `__cause__`."""

    code = "node"


class NodeOutputError(NodeError):
    """A node returned something that is not data."""

    code = "node_output"


class NodeTimeoutError(NodeError):
    """A call took longer than ``policy.timeout_ms``."""

    code = "node_timeout"


class CircuitOpenError(NodeError):
    """A node was not called, because it keeps failing: ``policy.circuit_breaker``."""

    code = "circuit_open"


class ProcessDiedError(NodeError):
    """A process or worker of nodes that has died or was ended; says how, and its last lines.

    Parameters
    ----------
    headline : str
        What has happened, in one line.
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


class AsyncGraphError(RemoteMediaError):
    """`run` was called on a graph that needs an event loop."""

    code = "async_graph"


class SessionError(RemoteMediaError):
    """A live session cannot do what was asked."""

    code = "session"


class SessionClosedError(SessionError):
    """The session was closed by its owner."""

    code = "session_closed"


class SessionFinishedError(SessionError):
    """Data was sent after `finish`."""

    code = "session_finished"


class SessionFailedError(SessionError):
    """The session broke; `__cause__` says why."""

    code = "session_failed"


class AddressError(SessionError):
    """No such node or port in the session, or it does not accept that type."""

    code = "address"


class RemoteTracebackError(Exception):
    """Stands for what was raised in another process or worker: its text is the traceback there."""

    def __str__(self) -> str:
        return f"\n{super().__str__()}"


def rebuilt(
    code: str, message: str, node: str | None, port: str | None, traceback: str
) -> RemoteMediaError:
    """An error that was raised in another process or worker, to be raised again here."""
    kinds = [RemoteMediaError]
    for each in kinds:  # grows meanwhile
        kinds += each.__subclasses__()
    kind = next((each for each in kinds if each.code == code), NodeError)
    try:
        error = kind(message, node=node, port=port)
    except TypeError:  # one that wants more than that
        error = NodeError(message, node=node, port=port)
    error.code = code
    error.__cause__ = RemoteTracebackError(traceback)
    return error


def nearest(name: str, candidates: Iterable[str]) -> str:
    """``"; did you mean 'AudioResample'?"`` for the closest candidate, else an empty string.

    At most 4,096 candidates are compared, so that a huge manifest cannot make an error expensive.
    """
    folded = {candidate.lower(): candidate for candidate in islice(candidates, 4096)}
    wanted = name.lower()[:128]
    match = [candidate for candidate in folded if len(wanted) > 2 and wanted in candidate]
    if len(match) != 1:  # else "rate" would be nearer to "format" than to "sample_rate"
        match = difflib.get_close_matches(wanted, folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[match[0]]!r}?" if match else ""
