"""What only a page and its own worker say to each other, beside `remotemedia.protocol`."""

from __future__ import annotations

from typing import Any

import msgspec

from remotemedia.protocol import Message, Request


class Define(Message, frozen=True, tag="define"):
    """Run Python source of the page, which may define nodes. The result is None."""

    id: int
    source: str


class Requirements(Message, frozen=True, tag="requirements"):
    """Ask what the nodes of a manifest need. The result is `Needs`."""

    id: int
    manifest: dict[str, Any] | str
    name: str = "manifest"


class Needs(msgspec.Struct, frozen=True):
    """What has to be there before a manifest is loaded.

    Attributes
    ----------
    packages : tuple of str
        Requirements.
    parts : tuple of str
        Of this package what not every page loads: ``workers`` for nodes in workers of their own,
        ``models`` for nodes that compute with models.
    """

    packages: tuple[str, ...]
    parts: tuple[str, ...]


class GetModels(Message, frozen=True, tag="models"):
    """Ask what models the nodes of the graph compute with. The result is a `ModelList`."""

    id: int


class ModelInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A model of a node, which may have several.

    Attributes
    ----------
    model : str
        What the node asks for: a name, a path or a URL.
    bytes : int
        Of all its files; 0 if that is not known.
    licence, description : str
        Empty if it is no model that is known by name.
    backend, provider : str
        What runs it, and on what: ``onnxruntime-web``, ``wasm``. Empty until it is open.
    """

    node: str
    model: str
    bytes: int = 0
    licence: str = ""
    description: str = ""
    backend: str = ""
    provider: str = ""


class ModelList(msgspec.Struct, frozen=True):
    """What `GetModels` asks for, in the order of the graph."""

    models: tuple[ModelInfo, ...]


class Install(Message, frozen=True, tag="install"):
    """Install packages with micropip. The result is None.

    Attributes
    ----------
    packages : tuple of str
        Requirements, or addresses of wheels.
    index_urls : tuple of str
        Instead of micropip's own.
    """

    id: int
    packages: tuple[str, ...]
    index_urls: tuple[str, ...] = ()


class AttachReader(Message, frozen=True, tag="attachReader"):
    """Feed the graph from the `BlockReader` beside the message.

    Attributes
    ----------
    connection : str
        What the page calls it.
    to : str or None
        ``"node"`` or ``"node:port"``.
    """

    id: int
    connection: str
    to: str | None = None


class AttachWriter(Message, frozen=True, tag="attachWriter"):
    """Play what comes out of a port through the `BlockWriter` beside the message.

    Attributes
    ----------
    from_ : str or None
        ``"node"`` or ``"node:port"``; by default the only audio that comes out.
    live : bool
        What does not fit is lost; else the graph waits for room.
    """

    id: int
    connection: str
    from_: str | None = msgspec.field(default=None, name="from")
    live: bool = False


class AttachRecorder(Message, frozen=True, tag="attachRecorder"):
    """Collect what comes out of a port as a WAV file, until it is detached.

    Attributes
    ----------
    encoding : str or None
        A `remotemedia.wav.Encoding`; by default 32-bit float.
    """

    id: int
    connection: str
    from_: str | None = msgspec.field(default=None, name="from")
    encoding: str | None = None


class PlayFile(Message, frozen=True, tag="playFile"):
    """Send the audio beside the message block by block, as quickly as the graph takes it.

    The result comes when all of it went in: its length, s.

    Attributes
    ----------
    sample_rate : int
        Of planar float32 samples, Hz; 0 if the bytes are a WAV file.
    channels : int
        Of the samples.
    block_ms : float
        Length of a block, ms.
    """

    id: int
    connection: str
    to: str | None = None
    sample_rate: int = 0
    channels: int = 1
    block_ms: float = 20


class Detach(Message, frozen=True, tag="detach"):
    """End a connection. The result is None; the bytes of a recording come beside it.

    Attributes
    ----------
    drain : bool
        What is still in the ring of a source that has ended goes into the graph first.
    """

    id: int
    connection: str
    drain: bool = False


class Formats(Message, frozen=True, tag="formats"):
    """Ask for the format of a port that comes out. The result is a `PortFormat`."""

    id: int
    from_: str | None = msgspec.field(default=None, name="from")


class PortFormat(msgspec.Struct, frozen=True, rename="camel"):
    """What is known of an outlet before data flows; None where nothing fixes it.

    Attributes
    ----------
    live : bool
        Whether audio that is fed in real time reaches it as audio all the way.
    """

    at: str
    sample_rate: int | None
    channels: int | None
    live: bool


PageRequest = (
    Request
    | Define
    | Requirements
    | GetModels
    | Install
    | AttachReader
    | AttachWriter
    | AttachRecorder
    | PlayFile
    | Detach
    | Formats
)

TYPESCRIPT = (PortFormat, Needs, ModelList)
