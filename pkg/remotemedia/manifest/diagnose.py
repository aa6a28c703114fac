"""Finds all that is wrong with a value that msgspec refused; msgspec tells the first only."""

from __future__ import annotations

import enum
import re
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from remotemedia.manifest.findings import Findings
from remotemedia.manifest.tree import Path, show

_NAMES = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "null",
}
_AT = re.compile(r"(?s)(.*) - at `(?:key in )?\$(.*)`$")
_GOT = re.compile(r", got `\w+`$")
_QUOTED = re.compile(r"`([^`]+)`")
_STEP = re.compile(r"\[(\d+)\]|\.([^.\[]+)")

RIGHT_NAMES = {
    "manifest": {"edges": "connections", "links": "connections", "graph": "nodes"},
    "node": {"type": "node_type", "class": "node_type", "name": "id", "parameters": "params"},
    "connection": {"source": "from", "target": "to", "src": "from", "dst": "to"},
}
"""What people write, by the part of the manifest → the field that they mean."""


def diagnose(value: object, kind: Any, path: Path, findings: Findings) -> None:
    """Note every problem that keeps `value` from being a `kind`."""
    try:
        msgspec.convert(value, kind)
        return
    except msgspec.ValidationError as error:
        message = str(error)
    before = len(findings.problems)
    bare, metadata = _bare(kind)
    origin, arguments = get_origin(bare), get_args(bare)
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        diagnose_struct(value, bare, path, findings)
    elif origin is Literal or (isinstance(bare, type) and issubclass(bare, enum.Enum)):
        members = arguments if origin is Literal else [member.value for member in bare]
        choices = [choice for choice in members if isinstance(choice, str)]
        hint = findings.nearest(value, choices) if isinstance(value, str) else ""
        accepted = ", ".join(map(show, members))
        findings.add(f"expected one of {accepted}; got {show(value)}{hint}", path)
    elif origin in (list, tuple) and isinstance(value, list) and _is_array(bare):
        for index, item in enumerate(value):
            diagnose(item, arguments[0], (*path, index), findings)
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            diagnose(key, arguments[0], (*path, key), findings)
            diagnose(item, arguments[1], (*path, key), findings)
    if len(findings.problems) == before:
        described = metadata.description if metadata else None
        _translate(message, described, value, path, findings)


def diagnose_struct(
    value: object,
    kind: type[msgspec.Struct],
    path: Path,
    findings: Findings,
    what: str = "",
    rename: Callable[[str], str] = str,
) -> None:
    """Note every unknown, missing and wrong field.

    Parameters
    ----------
    value : object
        Plain values.
    kind : type
        What it should become.
    path : tuple
        Where the value is.
    findings : Findings
        What the problems are added to.
    what : str, optional
        What messages call it: ``"node_type 'Gain'"``.
    rename : callable, optional
        From the name that the value uses to the name of the field.
    """
    if not isinstance(value, dict):
        findings.add(f"expected a mapping, got {show(value)}", path)
        return
    before = len(findings.problems)
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    given: dict[str, str] = {}
    for name, item in value.items():
        field = fields.get(rename(name))
        if field is None:
            _unknown(name, what, list(fields), (*path, name), findings)
        elif field.encode_name in given:
            first = given[field.encode_name]
            findings.add(f"{show(name)} is {show(first)} given again", (*path, name), at_key=True)
        else:
            given[field.encode_name] = name
            diagnose(item, field.type, (*path, name), findings)
    for name, field in fields.items():
        if field.required and name not in given:
            of = f" of {what}" if what else ""
            findings.add(f"{show(name)}{of} is missing", path)
    if len(findings.problems) > before:
        return
    try:  # something about the whole: a __post_init__, a tag
        msgspec.convert({rename(name): item for name, item in value.items()}, kind)
    except msgspec.ValidationError as error:
        _translate(str(error), None, value, path, findings)


def _unknown(name: str, what: str, known: list[str], path: Path, findings: Findings) -> None:
    right = RIGHT_NAMES.get(what or "manifest", {}).get(name)
    if right:
        hint = f"; it is called {right!r}"
    elif name == "<<":
        hint = "; merge keys are not part of YAML 1.2: write the fields out"
    else:
        hint = findings.nearest(name, known)
        if not hint:
            hint = f"; known are {', '.join(known)}" if known else "; there are none"
    of = f" of {what}" if what else ""
    findings.add(f"unknown field {show(name)}{of}{hint}", path, at_key=True)


def _translate(
    message: str, described: str | None, value: object, path: Path, findings: Findings
) -> None:
    """Note msgspec's message in words, at its place, with the value that was given."""
    located = _AT.fullmatch(message)
    if located:
        message = located[1]
        for index, name in _STEP.findall(located[2]):
            step: int | str = int(index) if index else name
            try:
                value = value[step]  # type: ignore[index]
            except (KeyError, IndexError, TypeError):
                break
            path = (*path, step)
    if "matching regex" in message:
        message = f"expected {described or message.partition('matching ')[2]}"
    if not located or "[...]" not in located[2]:  # else it is not about `value`, but in it
        message = _GOT.sub("", message)
    message = _QUOTED.sub(
        lambda match: " or ".join(_NAMES.get(name, name) for name in match[1].split(" | ")),
        message,
    )
    if ", got " not in message and not message.startswith("Invalid "):
        message += f", got {show(value)}{_remedy(message, value)}"
    findings.add(message[:1].lower() + message[1:], path)


def _remedy(message: str, value: object) -> str:
    """What to write where YAML reads something else than people mean."""
    if message.endswith("true or false") and isinstance(value, str):
        meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(value.lower())
        return f": write {meant}" if meant else ""
    if message.lower() == "expected text":
        return ": write it in quotes" if isinstance(value, (bool, int, float)) else ""
    return ""


def _bare(kind: Any) -> tuple[Any, msgspec.Meta | None]:
    """A type without `Annotated` and ``| None``, and its constraints."""
    metadata = None
    while True:
        if get_origin(kind) is Annotated:
            found = [item for item in kind.__metadata__ if isinstance(item, msgspec.Meta)]
            metadata = metadata or next(iter(found), None)
            kind = kind.__origin__
        elif get_origin(kind) in (Union, types.UnionType):
            members = [item for item in get_args(kind) if item is not type(None)]
            if len(members) > 1:
                return kind, metadata
            kind = members[0]
        else:
            return kind, metadata


def _is_array(kind: Any) -> bool:
    arguments = get_args(kind)
    return len(arguments) == 1 or arguments[1:] == (Ellipsis,)
