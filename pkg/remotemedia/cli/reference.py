"""The reference of a node type, made of what its class declares."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from remotemedia.errors import RemoteMediaError, UnavailableError
from remotemedia.node import Node, NodeParams, is_async, is_source
from remotemedia.registry import Registry

WIDTH = 100


class Parameter(msgspec.Struct, frozen=True):
    """One parameter: its type with the range, default as JSON, meaning, and other names."""

    name: str
    type: str
    required: bool
    default: object
    description: str
    aliases: list[str]


class Reference(msgspec.Struct, frozen=True):
    """What there is to know of a node type.

    Attributes
    ----------
    name, group : str
        The type, and the folder or package that it is from.
    summary, description : str
        First line of the docstring, and all of it.
    kind : str
        ``sync``, ``async`` or ``source``.
    inputs, outputs : dict of str to str
        Port → caps in text form; of parameters with their defaults.
    unavailable : str or None
        Why it cannot work on this machine, and the fix.
    """

    name: str
    group: str
    summary: str
    description: str = ""
    kind: str = "sync"
    capabilities: str = ""
    params: list[Parameter] = []
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    aliases: list[str] = []
    backends: list[str] = []
    requires: list[str] = []
    unavailable: str | None = None

    def lines(self, bold: Callable[[str], str]) -> list[str]:
        """For people."""
        lines = [f"{bold(self.name)} ({self.group})", ""]
        if self.unavailable is not None:
            lines += [f"Not available here: {self.unavailable}", ""]
        lines += self.description.splitlines()
        if self.params:
            lines += ["", bold("Parameters")]
        for param in self.params:
            default = "required" if param.required else f"default {_json(param.default)}"
            lines.append(f"  {param.name}: {param.type}, {default}")
            text = param.description
            if param.aliases:
                text = f"{text} Also: {', '.join(param.aliases)}.".strip()
            lines += textwrap.wrap(text, WIDTH, initial_indent="      ", subsequent_indent="      ")
        for title, ports in (("Inputs", self.inputs), ("Outputs", self.outputs)):
            if self.unavailable is None:
                lines += ["", bold(title)]
                lines += [f"  {port}: {caps}" for port, caps in ports.items()] or ["  none"]
        for title, names in (
            ("Backends", self.backends),
            ("Other names", self.aliases),
            ("Needs", self.requires),
        ):
            if names:
                lines += ["", bold(title), f"  {', '.join(names)}"]
        return lines


def describe(registry: Registry, name: str) -> Reference:
    """The reference of a node type or alias.

    Raises
    ------
    UnknownNodeTypeError
        With the nearest name that does exist.
    """
    info = registry.info(name)
    aliases = registry.aliases_of(info.name)
    parts = info.target.split(":")[0].split(".")
    group = parts[2] if parts[:2] == ["remotemedia", "nodes"] else info.origin
    try:
        cls = registry.find(info.name)
    except UnavailableError as error:
        reason = str(error)
        return Reference(info.name, group, reason, aliases=aliases, unavailable=reason)
    text = inspect.cleandoc(cls.__doc__ or "")
    inputs, outputs = _ports(cls)
    return Reference(
        name=info.name,
        group=group,
        summary=" ".join(text.partition("\n\n")[0].split()),
        description=text,
        kind="source" if is_source(cls) else "async" if is_async(cls) else "sync",
        capabilities=cls.capabilities,
        params=parameters(cls),
        inputs=inputs,
        outputs=outputs,
        aliases=aliases,
        backends=list(cls.backends),
        requires=list(cls.requires),
    )


def parameters(cls: type[Node]) -> list[Parameter]:
    """The parameters of a node class, in the order of declaration."""
    (reference,), parts = msgspec.json.schema_components(
        [cls.Params], schema_hook=lambda kind: {"description": "Any value."}
    )
    schema = parts[reference["$ref"].rpartition("/")[2]]
    required = schema.get("required", [])
    found = []
    for name, field in schema["properties"].items():
        found.append(
            Parameter(
                name=name,
                type=_type(field, parts),
                required=name in required,
                default=field.get("default"),
                description=_description(field),
                aliases=sorted(alias for alias, target in cls.aliases.items() if target == name),
            )
        )
    return found


def _ports(cls: type[Node]) -> tuple[dict[str, str], dict[str, str]]:
    """Ports with the caps that they have by default."""
    params: NodeParams | None
    try:
        params = cls.Params()
    except TypeError:  # a parameter is required
        params = None
    both = []
    for ports in (cls.input_ports, cls.output_ports):
        try:
            both.append({port: str(caps) for port, caps in ports(params).items()})  # type: ignore[arg-type]
        except (RemoteMediaError, AttributeError, AssertionError):
            both.append({"*": "depends on the parameters"})
    if is_source(cls) and "input_caps" not in cls.__dict__:
        both[0] = {}
    return both[0], both[1]


def _type(field: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    """A JSON Schema type in words: ``integer 8000..192000``."""
    if "$ref" in field:
        return _type(parts[field["$ref"].rpartition("/")[2]], parts)
    if "anyOf" in field:
        return " or ".join(_type(one, parts) for one in field["anyOf"])
    if "enum" in field:
        return " or ".join(map(_json, field["enum"]))
    kind = field.get("type", "any")
    if kind == "array":
        items = field.get("items")
        inner = f" of {_type(items, parts)}" if isinstance(items, dict) else ""
        return f"list{inner}"
    low = field.get("minimum", field.get("exclusiveMinimum"))
    high = field.get("maximum", field.get("exclusiveMaximum"))
    if low is None and high is None:
        return str(kind)
    if high is None:
        return f"{kind} {'>' if 'exclusiveMinimum' in field else '≥'} {low}"
    if low is None:
        return f"{kind} {'<' if 'exclusiveMaximum' in field else '≤'} {high}"
    return f"{kind} {low}..{high}"


def _description(field: Mapping[str, Any]) -> str:
    parts = [field, *field.get("anyOf", [])]
    return next((part["description"] for part in parts if "description" in part), "")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
