"""What the client is told of a session, beside its packets."""

from __future__ import annotations

import traceback

import msgspec

from remotemedia.errors import NodeError, RemoteMediaError

FAILURES = (Exception, GeneratorExit)
"""What a synchronous call may raise that concerns its item alone. Nobody closes a call, so that a
`GeneratorExit`, too, is the node's own; `KeyboardInterrupt` and the like are not."""


class Event(msgspec.Struct, frozen=True, eq=False):
    """Something that happened in a session.

    Attributes
    ----------
    kind : str
        ``error``: a node failed on an item, which was dropped for what depends on it.
        ``breaker``: a circuit breaker opened or closed. ``queue``: a queue rose to its high mark
        or fell to its low one. ``alert``: an alert was raised or cleared. ``lagged``: a
        subscriber was too slow. ``changed``: the graph, or a node of it, was changed.
        ``catch_up``: audio begins to be played faster for the client, or has caught up.
        ``progress``: how far a node is with what takes long. ``restart``: the process or worker
        of a node has died and is started again, or runs again.
    node, port : str, optional
        Where.
    sequence : int
        Number of the client's send that it stems from.
    error : RemoteMediaError, optional
        What was raised; a node's own exception is its `__cause__`. Of an ``error`` always.
    traceback : str
        Text of the traceback, for people.
    message : str
        What happened, in words.
    fraction : float, optional
        Of a ``progress``: how much is done, 0 to 1, where that is known.
    """

    kind: str
    node: str | None
    port: str | None
    sequence: int
    error: RemoteMediaError | None
    traceback: str = ""
    message: str = ""
    fraction: float | None = None


def node_error(node_id: str, type_name: str, error: BaseException) -> RemoteMediaError:
    """`error` as one of ours: itself, or a `NodeError` that is caused by it."""
    if isinstance(error, RemoteMediaError):
        if error.node is None:
            error.node = node_id
        return error
    wrapped = NodeError(
        f"node {node_id!r} ({type_name}) raised {type(error).__name__}: {error}", node=node_id
    )
    wrapped.__cause__ = error
    return wrapped


def error_event(
    node_id: str, type_name: str, error: BaseException, sequence: int, port: str | None = None
) -> Event:
    """The event of a failed item."""
    ours = node_error(node_id, type_name, error)
    text = "".join(traceback.format_exception(error))
    return Event("error", node_id, ours.port or port, sequence, ours, text, str(ours))


def notice(
    kind: str,
    message: str,
    node: str | None = None,
    port: str | None = None,
    fraction: float | None = None,
) -> Event:
    """An event that is no error."""
    return Event(kind, node, port, 0, None, "", message, fraction)
