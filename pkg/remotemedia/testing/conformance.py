"""Conformance: what every node keeps to, ours and yours.

::

    @pytest.mark.parametrize("name", ["MyNode"])
    async def test_my_node(name, clock):
        await check_node(default_registry().find(name), clock, inputs=[Text("x")])
"""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from remotemedia.caps import Caps, Constraint, Exact, Format, OneOf, Range
from remotemedia.clock import Clock
from remotemedia.data import (
    DATA_TYPES,
    Audio,
    Binary,
    Control,
    Data,
    File,
    Image,
    Json,
    Tensor,
    Text,
    Video,
)
from remotemedia.data.formats import AUDIO_DTYPES
from remotemedia.node import Context, Emit, Node, is_source

_USUAL: dict[str, tuple[Any, ...]] = {
    "sample_rate": (16_000, 8_000, 11_025, 22_050, 44_100, 48_000, 96_000),
    "channels": (2, 1, 3, 6, 8),
    "format": ("F32", "I16", "I32", "U8"),
}
_SHORT = 6  # blocks, of those that a stream has
_BLOCKS = 15
_BLOCK_MS = 200


class ConformanceError(AssertionError):
    """A node does not keep to the contract."""


async def check_node(
    cls: type[Node], clock: Clock, *, params: Any = None, inputs: Sequence[Data] | None = None
) -> list[Data]:
    """Lead a node through its life; gives what it emitted.

    Parameters
    ----------
    cls : type of Node
        The node.
    clock : Clock
        The session clock that it is given.
    params : Params, optional
        Its parameters; by default the defaults.
    inputs : sequence of Data, optional
        What it is given, each at the first input whose caps accept it; by default some data that
        the caps of its first input accept.

    Raises
    ------
    ConformanceError
        It changed its input, emitted what it does not declare or what is no data, left an array
        writable, or gave other results after `reset` than when it was opened.
    """
    params = cls.Params() if params is None else params
    ports = cls.input_ports(params)
    accepted = next(iter(ports.values()), Caps(()))
    given = list(sample_data(accepted) if inputs is None else inputs)
    _require(is_source(cls) or bool(given), cls, "accepts nothing that could be tried")
    for item in given:
        taken = any(caps.accepts(item) for caps in ports.values())
        _require(taken, cls, f"is to be tried with {item}, which it refuses")
    formats = cls.output_formats(params, dict.fromkeys(ports, accepted) if ports else {})
    node = cls(params)
    copies = [
        item.replace(**{name: array.copy() for name, array in _arrays(item).items()})
        for item in given
    ]
    await _await(node.open(Context("node", clock, ports, formats)))
    try:
        first = await _stream(node, given, ports)
        node.reset()
        second = await _stream(node, given, ports)
    finally:
        await _await(node.close())
    for item, copy in zip(given, copies, strict=True):
        _require(item.equals(copy), cls, "changed its input")
    _check_outputs(cls, first, cls.output_ports(params))
    _require(
        len(first) == len(second)
        and all(a[0] == b[0] and a[1].equals(b[1]) for a, b in zip(first, second, strict=True)),
        cls,
        "gives other results after reset() than when it was opened",
    )
    return [item for _, item in first]


async def check_formats(cls: type[Node], clock: Clock, *, params: Any = None) -> int:
    """Give a node all that it claims to accept, and see that it gives what it claims.

    Every field of the caps of its first input is tried at the ends and at usual values in between.

    Returns
    -------
    int
        How many formats were tried.

    Raises
    ------
    ConformanceError
        It refused a format that it accepts, or gave one that `output_formats` does not say.
    """
    params = cls.Params() if params is None else params
    ports = cls.input_ports(params)
    port, accepted = next(iter(ports.items()), ("", Caps(())))
    tried = sample_formats(accepted)
    for format_ in tried:
        node = cls(params)
        given = {**ports, port: Caps((format_,))}
        says = cls.output_formats(params, given)
        await _await(node.open(Context("node", clock, given, says)))
        try:
            items = _SAMPLES[format_.media](format_)[:_SHORT]
            outputs = await _stream(node, items, given)
        except Exception as error:
            raise ConformanceError(f"{cls.__name__} refused {format_}: {error!r}") from error
        finally:
            await _await(node.close())
        for place, item in outputs:
            found = says.get(place, cls.output_ports(params)[place])
            kind = item.caps_fields()
            _require(
                found.accepts(item),
                cls,
                f"was given {format_} and says that {place} is {found}, but gave {kind}",
            )
    return len(tried)


def sample_formats(caps: Caps) -> list[Format]:
    """Formats with one value per field, at the ends of what the caps accept and in between."""
    if caps.formats is None:
        return [Format("text"), *sample_formats(Caps((Format("audio"),)))]
    found: dict[Format, None] = {}
    for item in caps.formats:
        if item.media != "audio":
            found[item] = None
            continue
        options = {
            name: [value for value in usual if constraint is None or constraint.accepts(value)]
            + _ends(constraint)
            for name, usual in _USUAL.items()
            for constraint in [item.get(name)]
        }
        base = {name: Exact(values[0]) for name, values in options.items()}
        for name, values in options.items():
            for value in values:
                found[item.with_fields({**base, name: Exact(value)})] = None
    return list(found)


def _ends(constraint: Constraint | None) -> list[Any]:
    if isinstance(constraint, Exact):
        return [constraint.value]
    if isinstance(constraint, OneOf):
        return list(constraint.values)
    return [constraint.low, constraint.high] if isinstance(constraint, Range) else []


def sample_data(caps: Caps) -> list[Data]:
    """Some data that the caps accept: a short stream of the first format."""
    if caps.formats is None:
        return [Text("One. Two!"), Json({"a": 1})]
    return _SAMPLES[caps.formats[0].media](caps.formats[0]) if caps.formats else []


def example_nodes(cls: type[Node]) -> list[str]:
    """The example nodes of a class docstring, each the text of one entry of ``nodes:``."""
    _, _, examples = inspect.cleandoc(cls.__doc__ or "").partition("Examples\n--------")
    return [line.strip() for line in re.findall(r"^ +- \{id: .*\}$", examples, re.MULTILINE)]


def undescribed_params(cls: type[Node]) -> list[str]:
    """Parameters whose JSON Schema has no description."""
    schema = msgspec.json.schema(cls.Params)
    definitions: Mapping[str, Any] = schema.get("$defs", {})
    top = definitions.get(cls.Params.__name__, schema)
    return [
        name
        for name, field in top.get("properties", {}).items()
        if not any("description" in part for part in [field, *field.get("anyOf", [])])
    ]


async def _stream(
    node: Node, given: Iterable[Data], ports: Mapping[str, Caps]
) -> list[tuple[str, Data]]:
    outputs: list[tuple[str, Data]] = []
    default = next(iter(type(node).output_ports(node.params)), "")

    async def take(result: Any) -> None:
        async for item in _items(result):
            place, value = item if isinstance(item, Emit) else (default, item)
            if value.__class__ not in DATA_TYPES:
                raise ConformanceError(f"{type(node).__name__} emitted {value!r:.100}, no data")
            outputs.append((place, value))

    if is_source(node):
        await take(node.produce())  # type: ignore[attr-defined]
    for item in given:
        port = next(port for port, caps in ports.items() if caps.accepts(item))
        await take(node.process(item, port) if len(ports) > 1 else node.process(item))  # type: ignore[call-arg]
    await take(node.finish())
    return outputs


async def _items(result: Any) -> AsyncIterator[Any]:
    if inspect.isawaitable(result):
        result = await result
    if hasattr(result, "__aiter__"):
        async for item in result:
            yield item
    elif result is not None:
        single = isinstance(result, Emit) or result.__class__ in DATA_TYPES
        for item in (result,) if single else result:
            yield item


async def _await(result: Any) -> None:
    if result is not None:
        await result


def _check_outputs(
    cls: type[Node], outputs: Iterable[tuple[str, Data]], ports: Mapping[str, Caps]
) -> None:
    for port, item in outputs:
        if port not in ports:
            raise ConformanceError(f"{cls.__name__} emitted on port {port!r}, which it has not")
        kind = type(item).__name__
        _require(ports[port].accepts(item), cls, f"declares {port} as {ports[port]}, not {kind}")
        for name, array in _arrays(item).items():
            good = array.flags.c_contiguous and not array.flags.writeable
            _require(good, cls, f"emitted {kind}.{name} that is writable or not C-contiguous")
        checked = item.replace()
        _require(checked.equals(item), cls, f"emitted {kind} that its own check would change")


def _arrays(item: Data) -> dict[str, np.ndarray[Any, Any]]:
    fields = {name: getattr(item, name) for name in item.__struct_fields__}
    return {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}


def _require(condition: bool, cls: type[Node], problem: str) -> None:
    if not condition:
        raise ConformanceError(f"{cls.__name__} {problem}")


def _pick(constraint: Constraint | None, usual: Any) -> Any:
    """The usual value if the constraint accepts it, else one that it does accept."""
    if constraint is None or constraint.accepts(usual):
        return usual
    if isinstance(constraint, Exact):
        return constraint.value
    if isinstance(constraint, OneOf):
        return constraint.values[0]
    return constraint.low if isinstance(constraint, Range) else usual


def _audio(format_: Format) -> list[Data]:
    rate = _pick(format_.get("sample_rate"), 16_000)
    channels = _pick(format_.get("channels"), 2)
    name = _pick(format_.get("format"), "F32")
    frames = rate * _BLOCK_MS // 1000
    # One second each of quiet, loud and quiet noise: something to detect, whatever is detected.
    third = frames * _BLOCKS // 3
    loud = np.repeat([0.001, 0.3, 0.001], third) * np.random.default_rng(1).uniform(
        -1, 1, 3 * third
    )
    full = {"F32": 1, "I16": 2**15 - 1, "I32": 2**31 - 1, "U8": 127}[name]
    samples = (loud * full + (128 if name == "U8" else 0)).astype(AUDIO_DTYPES[name])
    blocks = np.split(np.tile(samples, (channels, 1)), _BLOCKS, axis=1)
    return [
        Audio(block, rate, index * _BLOCK_MS * 1000, "stream", {"kept": True})
        for index, block in enumerate(blocks)
    ]


def _video(format_: Format) -> list[Data]:
    width, height = _pick(format_.get("width"), 4), _pick(format_.get("height"), 2)
    pixels = np.zeros(width * height * 3, np.uint8)
    return [Video(pixels, width, height, frame_number=n, pts_us=n * 40_000) for n in range(3)]


_SAMPLES: dict[str, Any] = {
    "audio": _audio,
    "video": _video,
    "text": lambda _: [Text(text) for text in ("One sen", "tence. Ano", "ther! The", " end")],
    "json": lambda _: [Json({"a": 1}), Json([1, 2.5, None])],
    "tensor": lambda _: [Tensor(np.arange(6, dtype=np.float32).reshape(2, 3))],
    "image": lambda _: [Image(b"\0" * 6, "RAW", 2, 1, "RGB24")],
    "binary": lambda _: [Binary(b"bytes")],
    "file": lambda _: [File("/tmp/a.wav", mime_type="audio/wav")],
    "control": lambda _: [Control("Ping")],
}
