"""The manifest: a pipeline as data.

The structs are the whole model: what the loader accepts, what `to_dict` writes and what the JSON
Schema describes. They hold the fields of the reference system's ``v1`` manifests and ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Literal, Self

import msgspec
from msgspec import Meta

from remotemedia.errors import Problem

if TYPE_CHECKING:
    from remotemedia.manifest.document import Document

VERSION = "v1"
"""The only version there is."""

ID_PATTERN = r"^[A-Za-z0-9_.-]{1,64}(?![\s\S])"
_END_PATTERN = r"^[A-Za-z0-9_.-]{1,64}(:[A-Za-z0-9_.-]{1,64})?(?![\s\S])"
# `$` would also match before a final newline, hence the look-ahead.

Id = Annotated[
    str, Meta(pattern=ID_PATTERN, description="1 to 64 letters, digits, '_', '.' or '-'")
]
End = Annotated[str, Meta(pattern=_END_PATTERN, description="'node' or 'node:port'")]
Name = Annotated[str, Meta(min_length=1, max_length=256, description="a name")]

# Those that make programs load other code stay out: manifests may come from strangers.
_Variable = Annotated[
    str,
    Meta(
        pattern=r"^(?!LD_|DYLD_|PYTHON|OPENSSL_|GCONV_|PATH(?![A-Za-z0-9_]))[A-Za-z_][A-Za-z0-9_]{0,127}(?![\s\S])",
        description="the name of a variable that does not make programs load other code",
    ),
]
_Setting = Annotated[
    str, Meta(pattern=r"^[^\x00]{0,32768}(?![\s\S])", description="text without NUL")
]

AUTO = "auto"
"""The executor that the node type is for: inline for most."""

EXECUTORS = (AUTO, "inline", "process", "worker", "remote", "ray")
"""The executors of DESIGN.md; plugins may bring more."""

Overflow = Literal["block", "drop_oldest", "drop_newest", "latest", "coalesce"]
Milliseconds = Annotated[float, Meta(gt=0, le=86_400_000)]
Attempts = Annotated[int, Meta(ge=1, le=1000)]


class Model(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Base of all parts of a manifest."""


def default_of(field: msgspec.structs.FieldInfo) -> object:
    """The value of a field that is left out; `msgspec.NODEFAULT` if it cannot be."""
    factory = field.default_factory
    return field.default if factory is msgspec.NODEFAULT else factory()


class Metadata(Model, frozen=True):
    """What people want to know of a pipeline, and how to negotiate.

    Other keys are kept in `extra`: metadata belongs to its author.
    """

    name: str = ""
    description: str = ""
    auto_negotiate: Annotated[
        bool, Meta(description="Insert the converters that make mismatched formats fit.")
    ] = False
    created_at: str = ""
    author: str = ""
    version: str = ""
    license: str = ""
    extra: dict[str, object] = {}


class Retry(Model, frozen=True):
    """Try again when a node fails."""

    attempts: Annotated[Attempts, Meta(description="Calls in all, the first included.")] = 3
    backoff: Literal["fixed", "exponential"] = "exponential"
    delay_ms: Annotated[Milliseconds, Meta(description="Wait before the second call, ms.")] = 100
    factor: Annotated[float, Meta(ge=1, le=100, description="Growth of the wait.")] = 2
    max_delay_ms: Annotated[Milliseconds, Meta(description="Longest wait, ms.")] = 30_000
    jitter: Annotated[
        float, Meta(ge=0, le=1, description="Random part of each wait: 0.1 is ±10 %.")
    ] = 0
    errors: Annotated[
        tuple[Name, ...],
        Meta(description="Kinds that are worth it: class names, or codes of ours. Empty: all."),
    ] = ()


class CircuitBreaker(Model, frozen=True):
    """Stop calling a node that keeps failing, and try it again later."""

    failures: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Failures in a row that open it.")
    ] = 5
    reset_ms: Annotated[Milliseconds, Meta(description="Time until one call is tried, ms.")] = (
        30_000
    )
    probes: Annotated[
        int, Meta(ge=1, le=1000, description="Calls that must succeed then, one by one.")
    ] = 1


class Restart(Model, frozen=True):
    """Start a node anew when its process dies or hangs."""

    when: Literal["never", "on_failure", "always"] = "on_failure"
    max_restarts: Annotated[int, Meta(ge=0, le=1_000_000)] = 3
    window_ms: Annotated[
        Milliseconds, Meta(description="Time in which `max_restarts` are counted, ms.")
    ] = 60_000
    delay_ms: Annotated[
        float, Meta(ge=0, le=86_400_000, description="Wait before the first restart, ms.")
    ] = 100
    factor: Annotated[float, Meta(ge=1, le=100, description="Growth of the wait.")] = 2
    max_delay_ms: Annotated[Milliseconds, Meta(description="Longest wait, ms.")] = 30_000
    strategy: Annotated[
        Literal["one_for_one", "rest_for_one"],
        Meta(description="rest_for_one: the nodes downstream are started anew, too."),
    ] = "one_for_one"
    redeliver: Annotated[
        bool,
        Meta(description="Items in flight are given again, for nodes that do no harm twice."),
    ] = False
    hang_timeout_ms: Annotated[
        Milliseconds | None,
        Meta(description="Longest time with work and without progress, ms; null: any."),
    ] = 30_000
    spare: Annotated[bool, Meta(description="Another process is kept ready.")] = True


class ProcessOptions(Model, frozen=True):
    """The process of a node; nodes of one `process_group` share one."""

    memory_limit_mb: (
        Annotated[float, Meta(gt=0, description="Memory at which it is killed, MiB.")] | None
    ) = None
    threads: Annotated[
        int, Meta(ge=1, le=1024, description="For libraries that would use all processors.")
    ] = 1
    env: Annotated[
        dict[_Variable, _Setting], Meta(description="Environment variables besides the parent's.")
    ] = {}
    start_timeout_ms: Annotated[
        Milliseconds, Meta(description="Longest time until it is ready, models loaded, ms.")
    ] = 300_000
    max_message_mb: Annotated[
        float, Meta(gt=0, le=2048, description="Largest item in or out, MiB.")
    ] = 64


class Batch(Model, frozen=True):
    """Hand a node several items at once, as one, or directly one after the other."""

    max_items: Annotated[int, Meta(ge=1, le=65_536, description="As many at most.")] = 8
    min_items: Annotated[
        int, Meta(ge=1, le=65_536, description="As many are waited for, for `max_wait_ms`.")
    ] = 1
    max_wait_ms: Annotated[
        float, Meta(ge=0, le=86_400_000, description="How long the first item waits, ms.")
    ] = 10
    merge: Annotated[
        Literal["concatenate", "separate"],
        Meta(description="Audio and text that go on become one item; or each stays by itself."),
    ] = "concatenate"


class Join(Model, frozen=True):
    """Which items of several input ports belong together."""

    mode: Annotated[
        Literal["any", "zip", "latest", "align"],
        Meta(
            description="any: each item by itself. zip: the n-th of each. latest: with each item, "
            "the newest of the others. align: those of one media time."
        ),
    ] = "any"
    tolerance_ms: Annotated[
        float, Meta(ge=0, le=3_600_000, description="align: how far times may differ, ms.")
    ] = 20
    timeout_ms: Annotated[
        Milliseconds | None,
        Meta(description="How long an item waits for a port that is silent, ms."),
    ] = None
    capacity: Annotated[
        int, Meta(ge=1, le=65_536, description="Items that wait per port; then the oldest is lost.")
    ] = 64


class Policy(Model, frozen=True):
    """What to do when a node is slow or fails."""

    timeout_ms: Annotated[
        Milliseconds | None,
        Meta(description="Longest call, ms. A synchronous node is found out afterwards."),
    ] = None
    retry: Retry | None = None
    circuit_breaker: CircuitBreaker | None = None
    restart: Restart | None = None
    batch: Batch | None = None
    join: Join | None = None
    max_concurrency: Annotated[
        int, Meta(ge=1, le=1024, description="Calls of an async node at once.")
    ] = 1
    ordered: Annotated[
        bool, Meta(description="Results come in the order of the inputs, whichever is done first.")
    ] = True
    on_error: Annotated[
        Literal["drop", "passthrough", "fail_session"],
        Meta(
            description="drop: the item is lost for its dependents. "
            "passthrough: they get the input instead. fail_session: the session ends."
        ),
    ] = "drop"


class MediaCapabilities(Model, frozen=True):
    """Formats by port, beyond those that the node declares; text form or a mapping of fields."""

    inputs: dict[str, str | dict[str, object]] = {}
    outputs: dict[str, str | dict[str, object]] = {}


class Gpu(Model, frozen=True):
    """A GPU that a node wants."""

    type: str = ""
    min_memory_gb: Annotated[float, Meta(ge=0)] | None = None
    required: bool = True


class Cpu(Model, frozen=True):
    """The processor that a node wants."""

    cores: Annotated[int, Meta(ge=1)] | None = None
    arch: str | None = None


class Capabilities(Model, frozen=True):
    """What a node wants of its host."""

    gpu: Gpu | None = None
    cpu: Cpu | None = None
    memory_gb: Annotated[float, Meta(ge=0)] | None = None


class Execution(Model, frozen=True):
    """Where the reference system would like a node to run."""

    placement: Literal["local", "remote", "prefer_local", "prefer_remote", "auto"] = "auto"
    reason: str | None = None
    fallback: object = None


class NodeSpec(Model, frozen=True):
    """One node of a manifest."""

    id: Id
    node_type: Annotated[Name, Meta(description="What the node is; see: remotemedia nodes")]
    params: Annotated[dict[str, object], Meta(description="Parameters of the node.")] = {}
    executor: Annotated[
        Name, Meta(description="Where the node runs; auto: inline, or as its type is made for.")
    ] = AUTO
    backend: Annotated[Name, Meta(description="What the node computes with.")] | None = None
    policy: Policy | None = None
    media_capabilities: MediaCapabilities | None = None
    is_output_node: Annotated[
        bool, Meta(description="Its outputs go to the client even if they are connected.")
    ] = False
    is_streaming: bool = False
    host: Annotated[str, Meta(description="Address of a remote executor.")] | None = None
    process_group: (
        Annotated[Name, Meta(description="Process nodes of the same group share a process.")] | None
    ) = None
    process: ProcessOptions | None = None
    python_deps: Annotated[
        tuple[str, ...], Meta(description="Packages to install in the node's own process.")
    ] = ()
    capabilities: Capabilities | None = None
    runtime_hint: Literal["rust_python", "cpython", "cpython_wasm", "auto"] | None = None
    execution: Execution | None = None
    docker: dict[str, object] | None = None
    fast_path: bool = False
    description: str = ""
    comment: str = ""


class Queue(Model, frozen=True):
    """The queue of an edge; an edge that has one is a boundary."""

    capacity: Annotated[int, Meta(ge=1, le=1_048_576, description="Packets.")] = 16
    capacity_bytes: Annotated[int, Meta(ge=1, description="Bytes of their data.")] | None = None
    capacity_ms: Annotated[Milliseconds, Meta(description="Media time, ms.")] | None = None
    high: (
        Annotated[int, Meta(ge=1, le=1_048_576, description="Packets at which an event tells.")]
        | None
    ) = None
    low: (
        Annotated[
            int, Meta(ge=0, le=1_048_576, description="Packets at which one tells that it is over.")
        ]
        | None
    ) = None
    overflow: Annotated[
        Overflow,
        Meta(
            description="What happens when the queue is full; block loses nothing, coalesce merges "
            "audio and text."
        ),
    ] = "block"

    @property
    def needs_counting(self) -> bool:
        """Whether more than the number of packets has to be watched."""
        limits = self.capacity_bytes, self.capacity_ms, self.high
        return self.overflow == "coalesce" or any(limit is not None for limit in limits)


class Connection(Model, frozen=True):
    """One edge of a manifest: ``{from: "a:port", to: "b"}``."""

    source: End = msgspec.field(name="from")
    target: End = msgspec.field(name="to")
    queue: Queue | None = None
    type: str | None = None
    params: dict[str, object] = {}
    description: str = ""
    comment: str = ""

    @property
    def source_node(self) -> str:
        """Id of the node that the edge leaves."""
        return self.source.partition(":")[0]

    @property
    def source_port(self) -> str | None:
        """Port that the edge leaves; None for the first one."""
        return self.source.partition(":")[2] or None

    @property
    def target_node(self) -> str:
        """Id of the node that the edge enters."""
        return self.target.partition(":")[0]

    @property
    def target_port(self) -> str | None:
        """Port that the edge enters; None for the first one."""
        return self.target.partition(":")[2] or None


class PythonEnv(Model, frozen=True):
    """The managed Python environment of the reference system."""

    python_version: str | None = None
    scope: str | None = None
    extra_deps: tuple[str, ...] = ()


class Manifest(Model, frozen=True, dict=True):
    """A pipeline as data.

    Made by `load_manifest`, or in code; only the former has `warnings` and knows the lines of its
    text. Two manifests are equal when their content is, wherever it came from.
    """

    version: Annotated[str, Meta(description="Always v1.")] = VERSION
    metadata: Metadata = Metadata()
    nodes: tuple[NodeSpec, ...] = ()
    connections: tuple[Connection, ...] = ()
    python_env: PythonEnv | None = None
    runtime: dict[str, object] = {}
    config: dict[str, object] = {}
    defaults: dict[str, object] = {}

    # The struct's `__dict__` takes no part in equality, conversion and the schema.

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is accepted but has no effect, each with its place."""
        found: tuple[Problem, ...] = self.__dict__.get("warnings", ())
        return found

    @property
    def source(self) -> str:
        """What the manifest was loaded from: a file name, or ``manifest``."""
        document: Document | None = self.__dict__.get("document")
        return document.name if document else "manifest"

    def locate(self, problems: Iterable[Problem]) -> list[Problem]:
        """The problems with line and column, in the order of the text.

        Without a text to point into they come back as they are.
        """
        document: Document | None = self.__dict__.get("document")
        return document.locate(problems) if document else list(problems)

    def attach(self, document: Document, warnings: Iterable[Problem]) -> Self:
        """Note the document that the manifest came from."""
        self.__dict__["document"] = document
        self.__dict__["warnings"] = tuple(warnings)
        return self

    def to_dict(self) -> dict[str, object]:
        """Plain values, defaults left out; `load_manifest` makes an equal manifest of them."""
        from remotemedia.manifest.writer import to_dict

        return to_dict(self)

    def to_yaml(self) -> str:
        """YAML 1.2 that readers of YAML 1.1 read alike."""
        from remotemedia.manifest.writer import to_yaml

        return to_yaml(self)

    def to_json(self) -> str:
        """JSON, indented."""
        from remotemedia.manifest.writer import to_json

        return to_json(self)
