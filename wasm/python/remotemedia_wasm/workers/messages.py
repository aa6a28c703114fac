"""What a session and the workers of its nodes say to each other.

Each message is JSON text, with the wire frame of an item beside it where there is one. The worker
does what it is told in the order in which it is told, node by node; only a `Cut` goes ahead.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from remotemedia.protocol import ErrorInfo

Work = Literal["process", "joined", "wake", "finish", "produce"]
"""What a node is called for; the names are those of `remotemedia.Node`, but for ``joined``."""

WINDOW = 16
"""Items of one call that may be under way before the session has taken one."""


class Message(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of all."""


class Fault(Message, frozen=True):
    """An error.

    Attributes
    ----------
    info : ErrorInfo
    kinds : tuple of str
        The names of its class and of those that this is derived from, for an error that is none of
        ours: a policy may name them.
    """

    info: ErrorInfo
    kinds: tuple[str, ...] = ()


# -- the session tells -----------------------------------------------------------------------------


class Setup(Message, frozen=True):
    """The first message: what the nodes will find. Two workers with the same are alike.

    Attributes
    ----------
    packages : tuple of str
        Requirements: of Pyodide's distribution, or else of its index.
    environment : tuple of (str, str)
        Variables.
    installs : tuple of (packages, index_urls)
        What the page has had micropip install.
    source : str
        What the page has had run.
    """

    packages: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    installs: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()
    source: str = ""


class Make(Message, frozen=True):
    """Make a node.

    Attributes
    ----------
    limit : int
        Calls that may run at once.
    """

    node: str
    node_type: str
    params: dict[str, Any]
    backend: str | None
    ports: tuple[str, ...]
    limit: int = 1


class Open(Message, frozen=True):
    """Open it with these formats, by port. The answer is `Opened`."""

    node: str
    inputs: dict[str, str]
    outputs: dict[str, str]


class Call(Message, frozen=True):
    """Call it. The answer is an `Item` for each that comes of it, then `Done`, unless one is last.

    Attributes
    ----------
    text : str
        The input port, or the token of a timer.
    """

    node: str
    number: int
    work: Work
    text: str = ""


class Took(Message, frozen=True):
    """So many items of a call were taken, in all."""

    node: str
    number: int
    count: int


class Cut(Message, frozen=True):
    """End a call, or do not begin it: whatever still comes of it is stale."""

    node: str
    number: int


class Reset(Message, frozen=True):
    """Forget the stream. What a source gives out from then on is of this generation."""

    node: str
    generation: int


class Reconfigure(Message, frozen=True):
    """The next item has another format."""

    node: str
    inputs: dict[str, str]
    outputs: dict[str, str]


class Update(Message, frozen=True):
    """Take new parameters."""

    node: str
    params: dict[str, Any]


class Close(Message, frozen=True):
    """Close it. The answer is `Closed`."""

    node: str


class Ping(Message, frozen=True):
    """Say something: a `Pong`."""


Told = Setup | Make | Open | Call | Took | Cut | Reset | Reconfigure | Update | Close | Ping


# -- a worker says ---------------------------------------------------------------------------------


class Ready(Message, frozen=True):
    """It is set up, or cannot be."""

    fault: Fault | None = None


class Opened(Message, frozen=True):
    """A node is open, with the formats that it has found; or is not."""

    node: str
    actual: dict[str, str] | None = None
    fault: Fault | None = None


class Item(Message, frozen=True):
    """What a call gave: the wire frame beside it, whose packet names the port."""

    number: int
    is_last: bool = False
    generation: int = 0


class Done(Message, frozen=True):
    """A call is over; also of one that was cut off."""

    number: int
    fault: Fault | None = None


class SetTimer(Message, frozen=True):
    """Have a node woken after so much of the session's time."""

    node: str
    timer: int
    delay_us: int
    token: str


class Progress(Message, frozen=True):
    """How far a node is with what takes long."""

    node: str
    text: str
    fraction: float | None


class CancelTimer(Message, frozen=True):
    """Do not wake it after all."""

    node: str
    timer: int


class Failed(Message, frozen=True):
    """A node raised where no item is concerned."""

    node: str
    fault: Fault


class Closed(Message, frozen=True):
    """A node is closed."""

    node: str
    fault: Fault | None = None


class Pong(Message, frozen=True):
    """It is alive; the size of its memory, bytes."""

    memory: int


class Line(Message, frozen=True):
    """A line that Python wrote, or a step of its start."""

    text: str
    kind: Literal["out", "err", "progress"] = "out"


Said = (
    Ready | Opened | Item | Done | SetTimer | Progress | CancelTimer | Failed | Closed | Pong | Line
)

_encoder = msgspec.json.Encoder()
_told: msgspec.json.Decoder[Told] = msgspec.json.Decoder(Told)
_said: msgspec.json.Decoder[Said] = msgspec.json.Decoder(Said)


def encode(message: Message) -> str:
    """A message as text."""
    return _encoder.encode(message).decode()


def read_told(text: str) -> Told:
    """What the session tells."""
    return _told.decode(text)


def read_said(text: str) -> Said:
    """What a worker says."""
    return _said.decode(text)
