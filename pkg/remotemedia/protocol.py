"""Messages between a client and a session that runs elsewhere: in a worker, behind a socket.

Structured messages are JSON, told apart by ``type``; names are in camelCase, as their first reader
is JavaScript. Media never travels in them: a packet is a wire frame (`remotemedia.wire`) beside the
message, or by itself. `scripts/generate_protocol.py` makes the TypeScript of this file.
"""

from __future__ import annotations

import inspect
import traceback as traceback_module
from typing import Annotated, Any, TypeVar

import msgspec

from remotemedia.errors import ManifestError, RemoteMediaError, format_path
from remotemedia.manifest import Policy
from remotemedia.metrics import Metrics
from remotemedia.plan import Plan
from remotemedia.session.call import State


class Message(msgspec.Struct, frozen=True, rename="camel", tag_field="type"):
    """Base of all messages."""


# -- what a client asks; every request is answered by `Done` or `Failed` with its id ---------------


class Load(Message, frozen=True, tag="load"):
    """Load and plan a manifest. The result is a `GraphInfo`.

    Attributes
    ----------
    id : int
        Of the request.
    manifest : object
        An object, or YAML or JSON text.
    name : str
        What errors call it.
    """

    id: int
    manifest: dict[str, Any] | str
    name: str = "manifest"


class RecordOptions(msgspec.Struct, frozen=True, rename="camel"):
    """What is recorded of a session.

    Attributes
    ----------
    recording : str
        What the client calls it.
    taps : tuple of str
        Ports inside of it that are recorded as well: ``"node:port"``.
    max_bytes : int
        Where it ends by itself.
    """

    recording: str
    taps: tuple[str, ...] = ()
    max_bytes: int = 2**26


class Start(Message, frozen=True, tag="start"):
    """Open a session.

    Attributes
    ----------
    max_latency_ms : float or None
        Older audio and video is dropped, ms.
    policy : Policy or None
        Of nodes that the manifest gives none.
    record : RecordOptions or None
        Record all of it, from before its nodes are opened.
    monitor : bool
        Watch the audio and video that is sent: `Metrics.streams`, and ``alert`` events.
    """

    id: int
    max_latency_ms: Annotated[float, msgspec.Meta(gt=0)] | None = None
    policy: Policy | None = None
    record: RecordOptions | None = None
    monitor: bool = False


class Stop(Message, frozen=True, tag="stop"):
    """Close the session; what is in flight is dropped."""

    id: int


class Finish(Message, frozen=True, tag="finish"):
    """End of input; `Ended` follows when all tails are out."""

    id: int


class Interrupt(Message, frozen=True, tag="interrupt"):
    """Drop what is in flight. The result is an `Interrupted`.

    Attributes
    ----------
    from_ : str or None
        Only what is in this node and behind it.
    fade_ms : float
        What is played is faded out for so long instead of being cut off, ms.
    """

    id: int
    from_: str | None = msgspec.field(default=None, name="from")
    fade_ms: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = 0


class Send(Message, frozen=True, tag="send"):
    """Send the data of the wire frame beside it. The result is its sequence number.

    Attributes
    ----------
    to : str or None
        ``"node"`` or ``"node:port"``.
    """

    id: int
    to: str | None = None


class Read(Message, frozen=True, tag="read"):
    """Allow so many more packets to be sent to the client. The result is None.

    Attributes
    ----------
    packets : int
        How many more; 0 when nobody reads any longer.
    subscription : str or None
        Of this one, instead of what comes out.
    """

    id: int
    packets: int
    subscription: str | None = None


class GetMetrics(Message, frozen=True, tag="metrics"):
    """Ask for counts and latencies. The result is a `Metrics`."""

    id: int


class SetNode(Message, frozen=True, tag="setNode"):
    """Switch a node of the running session. The result is None."""

    id: int
    node: str
    state: State


class SetParams(Message, frozen=True, tag="setParams"):
    """Change parameters of a node while it runs. The result is all that it has now."""

    id: int
    node: str
    params: dict[str, Any]


class Apply(Message, frozen=True, tag="apply"):
    """Run another manifest from now on, without a stop. The result is a `GraphInfo`."""

    id: int
    manifest: dict[str, Any] | str
    name: str = "manifest"


class Publish(Message, frozen=True, tag="publish"):
    """Put the data of the wire frame beside it in at a port, of either side. The result is None."""

    id: int
    place: str


class Subscribe(Message, frozen=True, tag="subscribe"):
    """See what passes a port: as many packets as `Read` allows. The result is None.

    Attributes
    ----------
    subscription : str
        What the client calls it.
    place : str
        ``"node"`` or ``"node:port"``.
    capacity : int
        Packets that wait for the client; it misses the oldest of more.
    """

    id: int
    subscription: str
    place: str
    capacity: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 1_024


class Unsubscribe(Message, frozen=True, tag="unsubscribe"):
    """See no more. The result is None."""

    id: int
    subscription: str


class StartRecording(Message, frozen=True, tag="startRecording"):
    """Record the session from now on, what goes in and comes out. The result is None."""

    id: int
    options: RecordOptions


class StopRecording(Message, frozen=True, tag="stopRecording"):
    """Complete a recording. The result is None; all of its bytes were sent before."""

    id: int
    recording: str


Request = (
    Load
    | Start
    | Stop
    | Finish
    | Interrupt
    | Send
    | Read
    | GetMetrics
    | SetNode
    | SetParams
    | Apply
    | Publish
    | Subscribe
    | Unsubscribe
    | StartRecording
    | StopRecording
)


# -- what a session answers and tells --------------------------------------------------------------


class ProblemInfo(msgspec.Struct, frozen=True, rename="camel"):
    """One thing wrong with a manifest, with its place, both counted from 1."""

    message: str
    line: int | None
    column: int | None
    path: str


class ErrorInfo(msgspec.Struct, frozen=True, rename="camel"):
    """An error, to be rebuilt on the other side.

    Attributes
    ----------
    code : str
        That of the class in `remotemedia.errors`; ``internal`` for an error that is none of ours.
    traceback : str
        For people; empty where it would tell nothing.
    problems : tuple of ProblemInfo
        Of a manifest.
    """

    code: str
    message: str
    node: str | None = None
    port: str | None = None
    traceback: str = ""
    problems: tuple[ProblemInfo, ...] = ()


class Done(Message, frozen=True, tag="done"):
    """A request was carried out."""

    id: int
    result: Any = None


class Failed(Message, frozen=True, tag="failed"):
    """A request was refused."""

    id: int
    error: ErrorInfo


class Happened(Message, frozen=True, tag="event"):
    """Something happened in the session: see `remotemedia.session.failure.Event`."""

    kind: str
    node: str | None
    port: str | None
    sequence: int
    error: ErrorInfo | None
    message: str = ""
    fraction: float | None = None


class Ended(Message, frozen=True, tag="ended"):
    """No more packets come: all tails are out, or the session broke."""

    error: ErrorInfo | None = None


Answer = Done | Failed | Happened | Ended


# -- what `interrupt` answers ----------------------------------------------------------------------


class Interrupted(msgspec.Struct, frozen=True, rename="camel"):
    """What an interrupt dropped.

    Attributes
    ----------
    generation : int
        What comes out of the nodes is of this generation, or of a later one.
    nodes : list of str
        Those that were interrupted.
    """

    generation: int
    nodes: list[str]


# -- what `load` answers ---------------------------------------------------------------------------


class NodeInfo(msgspec.Struct, frozen=True, rename="camel"):
    """One node of a graph.

    Attributes
    ----------
    summary : str
        First line of its documentation.
    inputs, outputs : dict of str to str
        Port → caps in text form.
    """

    id: str
    node_type: str
    summary: str
    params: dict[str, Any]
    inputs: dict[str, str]
    outputs: dict[str, str]
    is_output: bool


class EdgeInfo(msgspec.Struct, frozen=True, rename="camel"):
    """One edge: ``"node:port"`` at both ends, and the caps of what it carries."""

    source: str = msgspec.field(name="from")
    target: str = msgspec.field(name="to")
    caps: str


class GraphInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A loaded manifest, for people and for clients.

    Attributes
    ----------
    nodes : list of NodeInfo
        In topological order.
    entries, outlets : list of str
        ``"node:port"`` of where data goes that names no node, and of what comes out.
    warnings : list of ProblemInfo
        What was accepted but has no effect here.
    """

    name: str
    description: str
    nodes: list[NodeInfo]
    edges: list[EdgeInfo]
    entries: list[str]
    outlets: list[str]
    mermaid: str
    warnings: list[ProblemInfo]


T = TypeVar("T")


def decode(text: str | bytes, kind: type[T]) -> T:
    """Read a message of a type or union.

    Raises
    ------
    msgspec.ValidationError, msgspec.DecodeError
        It is no such message.
    """
    return msgspec.json.decode(text, type=kind)


def encode(message: Message) -> str:
    """A message as JSON text."""
    return msgspec.json.encode(message).decode()


def error_info(error: BaseException, traceback: str = "") -> ErrorInfo:
    """An error as it crosses.

    Parameters
    ----------
    error : BaseException
        Any; the traceback of one that is none of ours is taken with it.
    traceback : str
        Text to take instead.
    """
    if not isinstance(error, RemoteMediaError):
        text = traceback or "".join(traceback_module.format_exception(error))
        return ErrorInfo("internal", f"{type(error).__name__}: {error}", traceback=text)
    problems: tuple[ProblemInfo, ...] = ()
    if isinstance(error, ManifestError):
        problems = tuple(map(problem_info, error.problems))
    if not traceback and error.__cause__ is not None:
        traceback = "".join(traceback_module.format_exception(error.__cause__))
    return ErrorInfo(error.code, str(error), error.node, error.port, traceback, problems)


def problem_info(problem: Any) -> ProblemInfo:
    """A `Problem` as it crosses."""
    return ProblemInfo(problem.message, problem.line, problem.column, format_path(problem.path))


def graph_info(
    plan: Plan, name: str, description: str, mermaid: str, warnings: list[ProblemInfo]
) -> GraphInfo:
    """What a client is told of a plan."""
    graph = plan.graph
    return GraphInfo(
        name=name,
        description=description,
        nodes=[_node_info(plan, node_id) for node_id in graph.order],
        edges=[
            EdgeInfo(
                source=f"{edge.source}:{edge.source_port}",
                target=f"{edge.target}:{edge.target_port}",
                caps=str(plan.formats.outputs[edge.source, edge.source_port]),
            )
            for edge in graph.edges
        ],
        entries=[f"{node}:{port}" for node, port in plan.entries],
        outlets=[f"{node}:{port}" for node, port in outlets_in_order(plan)],
        mermaid=mermaid,
        warnings=warnings,
    )


def _node_info(plan: Plan, node_id: str) -> NodeInfo:
    node = plan.graph.nodes[node_id]
    documentation = inspect.getdoc(node.cls) or ""
    return NodeInfo(
        id=node_id,
        node_type=node.node_type,
        summary=documentation.partition("\n")[0],
        params=msgspec.to_builtins(node.params),
        inputs={port: str(caps) for port, caps in node.inputs.items()},
        outputs={port: str(caps) for port, caps in node.outputs.items()},
        is_output=node.spec.is_output_node,
    )


def outlets_in_order(plan: Plan) -> list[tuple[str, str]]:
    """The outlets of a plan as (node, port): nodes in topological order, ports as declared."""
    return [
        (node, port)
        for node in plan.graph.order
        for port in plan.graph.nodes[node].outputs
        if (node, port) in plan.outlets
    ]


TYPESCRIPT = (Answer, Interrupted, GraphInfo, Metrics)
"""What the TypeScript is made of, with everything that these refer to."""
