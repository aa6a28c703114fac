"""The node contract: what a node declares, and what the session calls, in which order.

Life of a node, never two calls at once (but of `process`, if its policy has `max_concurrency`)::

    open(ctx) → process(data)* → finish() → close()
                 reset() after an interrupt, reconfigure(ctx) when a format changes
                 wake(token) when a timer has run out, update(params) when some change

`close` runs if and only if `open` succeeded.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, get_args

import msgspec

from remotemedia.caps import Caps, Format, Relation, parse_caps, parse_relation
from remotemedia.clock import Clock, Timer
from remotemedia.data import Data
from remotemedia.errors import (
    AsyncGraphError,
    CapsSyntaxError,
    NodeError,
    ParamsError,
    nearest,
)

INPUT = "in"
OUTPUT = "out"

Behaviour = Literal["static", "configured", "passthrough", "adaptive", "runtime_discovered"]
"""How the formats of a node come about; see `Node.capabilities`."""


class NodeParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the parameters of a node.

    Fields carry unit, range and meaning by ``Annotated[float, msgspec.Meta(ge=…, description=…)]``;
    they become the JSON Schema, the node reference and the forms of the UI.
    """


class Emit(NamedTuple):
    """One output on a named port, for nodes with several."""

    port: str
    data: Data


class Pause:
    """Emitted by a generator that goes on later: whoever runs it waits, then asks for more.

    Only where graphs are live (`Context.is_live`) may it depend on `until`. What comes after the
    item that is worked on waits behind it; an interrupt drops it, and closes the generator.

    Attributes
    ----------
    delay_us : int or None
        Of the session's time; None: until `until` is done.
    until : Awaited or None
        Ends it before.
    """

    __slots__ = ("delay_us", "until")

    def __init__(self, delay_us: int | None, until: Awaited | None = None) -> None:
        self.delay_us = delay_us
        self.until = until


Output = Data | Emit
Result = Output | Iterable[Output] | None
"""What a synchronous `process` may return."""
AsyncResult = Awaitable[Result] | AsyncIterator[Output]
"""What an ``async def process`` gives."""


class Awaited(Protocol):
    """What somebody waits for: a future of asyncio, for example."""

    def add_done_callback(self, callback: Callable[[Any], object], /) -> object:
        """Have this called once it is done: with it, in the thread of the event loop."""


class ConversionCost(NamedTuple):
    """What a converter costs.

    Attributes
    ----------
    us_per_s : float
        Computing time per second of media, µs; about, to compare converters with each other.
    delay_ms : float
        Time by which its output comes later.
    quality : str
        What is lost, for people.
    """

    us_per_s: float
    delay_ms: float = 0.0
    quality: str = ""


def _no_progress(message: str, fraction: float | None = None) -> None:
    """Nobody wants to know."""


def _no_timers(delay_us: int, token: str = "") -> Timer:
    raise AsyncGraphError(
        "a node sets a timer: it must have a wake() method, and its graph needs an event loop "
        "(use 'async for packet in pipeline.arun(inputs)')"
    )


class Context(msgspec.Struct, frozen=True):
    """What a node is told when it opens.

    Attributes
    ----------
    node : str
        Its id.
    clock : Clock
        The session clock: for timers and deadlines, never `time` or `asyncio.sleep`.
    inputs, outputs : mapping of port to Caps
        The negotiated format of each port; what nothing constrains is left open.
    set_timer : callable
        ``set_timer(delay_us, token="")``: have `Node.wake` called with the token once so much of
        the session's time has passed. Gives what cancels it; an interrupt cancels all.
    progress : callable
        ``progress(message, fraction=None)``: tell how far it is with what takes long, such as
        loading a model; 0 to 1. The session has an event ``progress`` of it.
    is_live : bool
        Whether there is an event loop: the graph is a session's, or in a process of its own.
    """

    node: str
    clock: Clock
    inputs: Mapping[str, Caps]
    outputs: Mapping[str, Caps]
    set_timer: Callable[..., Timer] = _no_timers
    progress: Callable[..., None] = _no_progress
    is_live: bool = False


class Node:
    """Base of all nodes.

    A subclass declares caps and `Params`, and implements `process` (or `produce`, for a source).
    `process` takes ``(self, data)`` where there is one input port and ``(self, data, port)`` where
    there are several. It returns None, one `Data`, an `Emit`, or an iterable of these; as a
    generator each item flows on before the next is computed. ``async def`` makes an async node,
    which runs beside the others behind a bounded queue.

    Parameters
    ----------
    params : Params, optional
        An instance of the class's `Params`; or give its fields as keywords.
    """

    Params: ClassVar[type[NodeParams]] = NodeParams
    """The class of the parameters: a nested ``class Params(rm.Params)``."""
    input_caps: ClassVar[str | Mapping[str, str]] = "any"
    """Caps of the input, or of each input port by name, in text form. A source has ``{}``."""
    output_caps: ClassVar[str | Mapping[str, str]] = "any"
    """Caps of the output, or of each output port by name, in text form. A sink has ``{}``."""
    capabilities: ClassVar[Behaviour] = "static"
    """``static``: outputs are as declared. ``configured``: `output_formats` derives them from
    params. ``passthrough``: outputs have the format of the input. ``adaptive``: the node can
    produce whatever its consumers want, within what it declares. ``runtime_discovered``: known
    once open."""
    relations: ClassVar[tuple[str, ...]] = ()
    """How the formats of the ports depend on each other, in the text form of
    `remotemedia.caps.relation`: ``("out = in except sample_rate",)``. A ``passthrough`` node needs
    none: its outputs have the format of its first input where their media types allow it."""
    converts: ClassVar[Mapping[str, str]] = {}
    """Field of the format → the parameter that sets it, for a node that changes just that field
    and takes any value of it: negotiation may then insert the node. A plugin also lists its node
    type in the entry point group ``remotemedia.converters``."""
    default_executor: ClassVar[str] = "inline"
    """Where the node runs if the manifest does not say: ``process`` for one that computes for so
    long at a time that others would have to wait. Where there is no such executor, in a page, and
    in a run without an event loop it runs inline all the same."""
    requires: ClassVar[tuple[str, ...]] = ()
    """Packages beyond the core that the node imports, as requirements (``"scipy>=1.11"``)."""
    backends: ClassVar[tuple[str, ...]] = ()
    """What the node can compute with; the first is the default and works in both worlds."""
    aliases: ClassVar[Mapping[str, str]] = {}
    """Other accepted names of parameters → the parameter."""
    live_params: ClassVar[tuple[str, ...]] = ()
    """Parameters that may change while the node runs, by `update`; formats depend on none."""

    params: Any
    backend: str | None = None

    def __init__(self, params: NodeParams | None = None, **fields: object) -> None:
        if params is None:
            params = make_params(type(self), fields)
        elif fields or not isinstance(params, self.Params):
            kind = type(params).__qualname__
            raise ParamsError(
                f"{type(self).__name__} takes an instance of its Params or their fields as "
                f"keywords, not {kind}{' and keywords' if fields else ''}"
            )
        self.params = params

    # -- formats -----------------------------------------------------------------------------

    @classmethod
    def input_ports(cls, params: NodeParams) -> dict[str, Caps]:
        """Input ports and what they accept, given the parameters."""
        return _ports(cls, "input_caps", INPUT)

    @classmethod
    def output_ports(cls, params: NodeParams) -> dict[str, Caps]:
        """Output ports and what they may produce, given the parameters."""
        return _ports(cls, "output_caps", OUTPUT)

    @classmethod
    def port_relations(cls, params: NodeParams) -> tuple[Relation, ...]:
        """How the formats of the ports depend on each other, given the parameters."""
        if cls.relations:
            return tuple(map(parse_relation, cls.relations))
        inputs = cls.input_ports(params)
        if cls.capabilities != "passthrough" or not inputs:
            return ()
        first, accepted = next(iter(inputs.items()))
        return tuple(
            Relation(port, first)
            for port, caps in cls.output_ports(params).items()
            if caps.intersect(accepted) is not None
        )

    @classmethod
    def output_formats(cls, params: NodeParams, inputs: Mapping[str, Caps]) -> dict[str, Caps]:
        """What the output ports produce when the inputs have these formats.

        The default follows `port_relations`, within what is declared. Only a node whose outputs
        follow no such rule overrides it; formats are then not traced back through it.
        """
        found = cls.output_ports(params)
        for relation in cls.port_relations(params):
            given = inputs.get(relation.other)
            if given is not None and relation.port in found:
                declared = found[relation.port]
                found[relation.port] = relation.apply(declared, given) or declared
        return found

    @classmethod
    def conversion_cost(cls, params: NodeParams, given: Format, made: Format) -> ConversionCost:
        """What it costs to make one format of another, for a node that `converts`."""
        return ConversionCost(1_000.0)

    # -- life --------------------------------------------------------------------------------

    def open(self, ctx: Context) -> Awaitable[None] | None:
        """Get ready. May be ``async`` on an async node."""

    def actual_formats(self) -> Mapping[str, str | Caps] | None:
        """What the output ports really produce, for a ``runtime_discovered`` node.

        Asked for once `open` has succeeded, before anything behind it is opened. None, or a port
        left out: that shows with the first data.
        """
        return None

    def process(self, data: Any) -> Any:
        """One input → what comes of it."""
        raise NotImplementedError(f"{type(self).__name__} has no process()")

    def process_joined(self, items: Mapping[str, Data]) -> Any:
        """One item of each of several input ports that belong together (``policy: {join: …}``).

        In place of `process`, for a node that has it; a port that has gone silent is left out.
        """
        raise NotImplementedError(f"{type(self).__name__} has no process_joined()")

    def wake(self, token: str) -> Any:
        """A timer set by ``ctx.set_timer`` has run out: return or yield, as from `process`.

        Called between two items. Only a live session has timers.
        """
        raise NotImplementedError(f"{type(self).__name__} sets timers, but has no wake()")

    def update(self, params: Any) -> None:
        """Take new parameters between two items; they differ in `live_params` only."""
        self.params = params

    def finish(self) -> Any:
        """End of input: return or yield the tail, as from `process`."""

    def close(self) -> Awaitable[None] | None:
        """Let go of what `open` took."""

    def reset(self) -> None:
        """Forget the stream (after an interrupt), as if just opened."""

    def reconfigure(self, ctx: Context) -> None:
        """The next item has another format than the one before it, as `ctx` says.

        Called in front of that item; the tail of the old format may still be emitted by `process`.
        """


def is_async(node: Node | type[Node]) -> bool:
    """Whether the node needs an event loop."""
    return _is_async_function(node.process) or _is_async_function(getattr(node, "produce", None))


def _is_async_function(method: object) -> bool:
    return inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)


def is_source(node: Node | type[Node]) -> bool:
    """Whether the node produces by itself."""
    return hasattr(node, "produce")


def broken_contract(cls: object) -> str:
    """What keeps `cls` from being a node; empty when nothing does."""
    if not (isinstance(cls, type) and issubclass(cls, Node)):
        return "it is no subclass of remotemedia.Node"
    if not is_async(cls):
        for name in ("open", "finish", "close", "wake", "process_joined"):
            if _is_async_function(getattr(cls, name)):
                return f"its {name}() is async, so its process() must be 'async def' too"
    for name in ("reset", "reconfigure", "update"):
        if _is_async_function(getattr(cls, name)):
            return f"its {name}() is async: it is called directly, so it cannot wait"
    if cls.capabilities not in get_args(Behaviour):
        known = ", ".join(get_args(Behaviour))
        return f"its capabilities are {cls.capabilities!r}, not one of {known}"
    for name in ("relations", "requires", "backends", "live_params"):
        if not isinstance(getattr(cls, name), (tuple, list)):
            return f"its {name} are {getattr(cls, name)!r}: write a tuple, ('…',)"
    return ""


def make_params(
    cls: type[Node], fields: Mapping[str, object], node: str | None = None
) -> NodeParams:
    """Build a node's parameters from plain values.

    Accepts camelCase and the node's aliases for the names.

    Raises
    ------
    ParamsError
        With the field, what was given and what is accepted.
    """
    known = cls.Params.__struct_fields__
    named: dict[str, object] = {}
    for given, value in fields.items():
        name = parameter_name(cls, given)
        if name not in known:
            hint = nearest(given, known) or f" (it has: {', '.join(known) or 'none'})"
            raise ParamsError(f"{cls.__name__} has no parameter {given!r}{hint}", node=node)
        if name in named:
            raise ParamsError(
                f"{cls.__name__}: parameter {name!r} is given twice, once as {given!r}", node=node
            )
        named[name] = value
    try:
        return msgspec.convert(named, cls.Params)
    except msgspec.ValidationError as error:
        raise ParamsError(f"{cls.__name__}: {_explained(error, named)}", node=node) from None


def _explained(error: msgspec.ValidationError, given: Mapping[str, object]) -> str:
    """``parameter target_rate: expected `int` >= 8000, given 5``, of what msgspec says."""
    reason, _, path = str(error).partition(" - at `$.")
    if not path:
        return reason.replace("Object missing required field", "there is no parameter")
    path = path.rstrip("`")
    value = given.get(re.split(r"[.\[]", path)[0])
    return f"parameter {path}: {reason[:1].lower()}{reason[1:]}, given {value!r:.100}"


def parameter_name(cls: type[Node], name: str) -> str:
    """The parameter that `name` means: itself, an alias, or its camelCase."""
    known = cls.Params.__struct_fields__
    if name in known:
        return name
    if name in cls.aliases:
        return cls.aliases[name]
    snake = "".join(f"_{char.lower()}" if char.isupper() else char for char in name)
    return snake if snake in known else cls.aliases.get(snake, name)


# -- the short form ------------------------------------------------------------------------------


class FunctionNode(Node):
    """A node made of one function; its keyword-only arguments are the parameters."""

    function: ClassVar[Callable[..., Any]]

    def __init__(self, params: NodeParams | None = None, **fields: object) -> None:
        super().__init__(params, **fields)
        self.update(self.params)

    def update(self, params: Any) -> None:
        """Other arguments, from the next call on."""
        self.params = params
        self._arguments = msgspec.structs.asdict(params)


def function_node(function: Callable[..., Any]) -> type[Node]:
    """Make a node class of a function, a generator, a coroutine or an async generator."""
    name = f"node function {function.__name__}"
    try:
        signature = inspect.signature(function, eval_str=True)
    except NameError as error:
        raise NodeError(f"{name}: {error}: its annotations are read when it is defined") from error
    fields: list[Any] = []
    positional = 0
    for argument in signature.parameters.values():
        if argument.kind is argument.KEYWORD_ONLY:
            kind = object if argument.annotation is argument.empty else argument.annotation
            required = argument.default is argument.empty
            fields.append(
                (argument.name, kind) if required else (argument.name, kind, argument.default)
            )
        elif argument.kind in (argument.POSITIONAL_ONLY, argument.POSITIONAL_OR_KEYWORD):
            positional += 1
            if argument.default is not argument.empty:
                raise NodeError(f"{name}: parameter {argument.name!r} has to stand after a '*'")
        else:
            raise NodeError(f"{name}: *args and **kwargs are no parameters of a node")
    if positional not in (1, 2):
        raise NodeError(
            f"{name} takes (data) or (data, port), then its parameters after a '*'; "
            f"it takes {positional} positional arguments"
        )
    params = msgspec.defstruct(
        "Params", fields, bases=(NodeParams,), frozen=True, kw_only=True, forbid_unknown_fields=True
    )
    body: dict[str, Any] = {
        "function": staticmethod(function),
        "Params": params,
        "live_params": params.__struct_fields__,
        "process": _process_method(function, bool(fields)),
        "__doc__": function.__doc__,
        "__module__": function.__module__,
        "__qualname__": function.__qualname__,
    }
    return types.new_class(function.__name__, (FunctionNode,), exec_body=lambda ns: ns.update(body))


def _process_method(function: Callable[..., Any], has_params: bool) -> Callable[..., Any]:
    if inspect.isasyncgenfunction(function):

        async def stream(self: FunctionNode, *data: Any) -> AsyncIterator[Any]:
            items = function(*data, **self._arguments)
            try:
                async for item in items:
                    yield item
            finally:
                await items.aclose()

        return stream
    if inspect.iscoroutinefunction(function):

        async def wait(self: FunctionNode, *data: Any) -> Any:
            return await function(*data, **self._arguments)

        return wait
    if has_params:
        return lambda self, *data: function(*data, **self._arguments)
    return lambda self, *data: function(*data)


def _ports(cls: type[Node], attribute: str, default: str) -> dict[str, Caps]:
    declared: object = getattr(cls, attribute)
    if isinstance(declared, str):
        declared = {default: declared}
    if not isinstance(declared, Mapping):
        raise NodeError(
            f"{attribute} of {cls.__name__} must be caps in text form or a mapping of port to "
            f"caps, not {declared!r:.100}"
        )
    ports: dict[str, Caps] = {}
    for port, text in declared.items():
        try:
            ports[port] = parse_caps(text)
        except CapsSyntaxError as error:
            where = f"{attribute} of {cls.__name__}, port {port!r}"
            raise CapsSyntaxError(f"{where}: {error.reason}", text, error.column) from None
    return ports
