"""What a session and the processes of its parts say to each other, beside the packets.

msgpack over the control socket, in order; every message is one of these.
"""

from __future__ import annotations

import msgspec

from remotemedia.metrics import EdgeMetrics, NodeMetrics
from remotemedia_native.process.routes import Route
from remotemedia_native.shm.base import TopicSpec


class NodeEntry(msgspec.Struct, frozen=True):
    """A node of a part.

    Attributes
    ----------
    id, node_type : str
    module, name : str
        Where its class is.
    params : dict
        As plain data.
    spec : dict
        Its entry in the manifest.
    inputs, outputs : dict of str to str
        Its ports and what they are declared to carry, as text.
    carried_in, carried_out : dict of str to str
        What was negotiated.
    """

    id: str
    node_type: str
    module: str
    name: str
    params: dict[str, object]
    spec: dict[str, object]
    inputs: dict[str, str]
    outputs: dict[str, str]
    carried_in: dict[str, str]
    carried_out: dict[str, str]


class EdgeEntry(msgspec.Struct, frozen=True):
    """An edge that begins or ends in a part."""

    source: str
    source_port: str
    target: str
    target_port: str
    queue: dict[str, object] | None


class Held(msgspec.Struct, frozen=True):
    """An item that a dead process had not begun, or is to begin again."""

    message: int
    lane: int
    sequence: int


class Again(msgspec.Struct, frozen=True):
    """What the heir of a dead process finds in a topic: what its predecessor had taken already.

    Attributes
    ----------
    taken : int
        Messages before this number were.
    held : tuple of Held
        Those of them that it is to be given again, and in which lanes.
    """

    taken: int = 0
    held: tuple[Held, ...] = ()


class Inlet(msgspec.Struct, frozen=True):
    """A topic that a part reads.

    Attributes
    ----------
    part : str
        Who writes it.
    topic : TopicSpec
    reader : int
        The number of the reader.
    lane : int
        Of the ledger, in which the messages that were taken in are counted.
    again : Again
    """

    part: str
    topic: TopicSpec
    reader: int
    lane: int
    again: Again = Again()


class Host(msgspec.Struct, frozen=True, tag="host"):
    """To a process: run this part. Descriptors: the ledger, then the bells in order.

    Attributes
    ----------
    part : str
    session : str
    number : int
        Of the part in the ledger.
    nodes : list of NodeEntry
        In topological order.
    islands : list of lists of str
    edges : list of EdgeEntry
    outlets, entries, unproven : list of (str, str)
    auto : bool
    routes : list of Route
        All of the session.
    lanes : list of int
        Sizes.
    inner : dict of str to int
    inlets : list of Inlet
    outlet : TopicSpec
        What it writes.
    bells : list of str
        The parts that the bells belong to.
    generation : int
    policy : dict
        Of nodes that have none.
    live : list of str
        Nodes whose media are live.
    max_latency_ms : float or None
    close_timeout_us : int
    is_eager : bool
        Whether it opens its nodes without being asked.
    is_restart : bool
        Whether another process has run it before.
    ended : list of int
        Lanes by which nothing more will come.
    is_finished : bool
        Whether the client sends no more.
    cuts : dict of str to int
        By node: what goes there, or comes from there, and is of an older generation, is stale.
    parts : int
        How many there are.
    """

    part: str
    session: str
    number: int
    nodes: list[NodeEntry]
    islands: list[list[str]]
    edges: list[EdgeEntry]
    outlets: list[tuple[str, str]]
    entries: list[tuple[str, str]]
    unproven: list[tuple[str, str]]
    auto: bool
    routes: list[Route]
    lanes: list[int]
    inner: dict[str, int]
    inlets: list[Inlet]
    outlet: TopicSpec
    bells: list[str]
    generation: int
    policy: dict[str, object]
    live: list[str]
    max_latency_ms: float | None
    close_timeout_us: int
    is_eager: bool
    parts: int
    is_restart: bool = False
    ended: list[int] = []
    is_finished: bool = False
    cuts: dict[str, int] = {}


class Open(msgspec.Struct, frozen=True, tag="open"):
    """To a process: open a node, whose ports carry this."""

    node: str
    inputs: dict[str, str]
    outputs: dict[str, str]


class Start(msgspec.Struct, frozen=True, tag="start"):
    """To a process: all nodes of the session are open; work."""


class Interrupt(msgspec.Struct, frozen=True, tag="interrupt"):
    """To a process: drop what is in flight in some nodes; answered by `Settled`."""

    generation: int
    nodes: list[str]


class SetState(msgspec.Struct, frozen=True, tag="set_state"):
    """To a process: what a node does with what it is given, and which ports somebody looks at."""

    node: str
    state: str
    input_taps: list[str]
    output_taps: list[str]


class Update(msgspec.Struct, frozen=True, tag="update"):
    """To a process: new parameters of a node."""

    node: str
    params: dict[str, object]


class Close(msgspec.Struct, frozen=True, tag="close"):
    """To a process: close all nodes and end; answered by `Closed`."""


class Fault(msgspec.Struct, frozen=True):
    """An error that crosses: what is needed to raise it again."""

    code: str
    message: str
    node: str | None
    port: str | None
    traceback: str


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """From a process: a node is open, or could not be opened.

    Attributes
    ----------
    node : str
    actual : dict of str to str, optional
        What a ``runtime_discovered`` node found.
    fault : Fault or None
    """

    node: str
    actual: dict[str, str] | None = None
    fault: Fault | None = None


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """From a process: it has made its nodes; or why it could not."""

    fault: Fault | None = None


class Settled(msgspec.Struct, frozen=True, tag="settled"):
    """From a process: what an interrupt cut off has ended."""

    generation: int


class Happened(msgspec.Struct, frozen=True, tag="happened"):
    """From a process: an event; with a fault, a node has failed on an item.

    Attributes
    ----------
    is_handled : bool
        Whether the item goes on by the policy of the node.
    fraction : float, optional
        How far a node is, 0 to 1.
    """

    kind: str
    node: str
    port: str
    sequence: int
    message: str
    fault: Fault | None = None
    is_handled: bool = False
    fraction: float | None = None


class Broken(msgspec.Struct, frozen=True, tag="broken"):
    """From a process: its session cannot go on."""

    fault: Fault


class LaneCounts(msgspec.Struct, frozen=True):
    """What a process has counted of a lane that ends there."""

    lane: int
    edge: EdgeMetrics


class RouteCounts(msgspec.Struct, frozen=True):
    """What a process has lost on a route that begins there."""

    route: int
    waiting: int
    dropped: dict[str, int]


class Counted(msgspec.Struct, frozen=True, tag="counted"):
    """From a process: what it has counted so far."""

    nodes: list[NodeMetrics]
    edges: list[EdgeMetrics]
    lanes: list[LaneCounts]
    routes: list[RouteCounts]
    ended: list[str]


class Closed(msgspec.Struct, frozen=True, tag="closed"):
    """From a process: all is closed."""


Told = Host | Open | Start | Interrupt | SetState | Update | Close
Said = Ready | Opened | Settled | Happened | Broken | Counted | Closed

encode = msgspec.msgpack.Encoder().encode
decode_told = msgspec.msgpack.Decoder(Told).decode
decode_said = msgspec.msgpack.Decoder(Said).decode
