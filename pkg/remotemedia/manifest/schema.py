"""JSON Schema of manifests, for editors: completes node types and their parameters."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from remotemedia.errors import UnavailableError
from remotemedia.manifest import limits
from remotemedia.manifest.model import EXECUTORS, VERSION, Manifest
from remotemedia.node import Node, NodeParams
from remotemedia.registry import Registry, default_registry

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = "#/$defs/{name}"

Schema = dict[str, Any]


def json_schema(registry: Registry | None = None) -> Schema:
    """JSON Schema (2020-12) of manifests with all nodes of a registry.

    It describes the form that `Manifest.to_dict` writes; what the loader takes besides (camelCase
    names, ``config`` for ``params``, ``multiprocess``) is not offered to authors. Nodes that
    cannot be loaded on this host are listed, their parameters are left open.
    """
    registry = registry or default_registry()
    _, definitions = msgspec.json.schema_components(
        [Manifest], schema_hook=_any, ref_template=_REFERENCE
    )
    manifest = definitions.pop("Manifest")
    _complete_model(manifest, definitions)
    choices: list[Schema] = []
    rules: list[Schema] = []
    for name in registry.names():
        names = [name, *registry.aliases_of(name)]
        try:
            cls = registry.find(name)
        except UnavailableError as error:
            choices += _choices(names, f"Not available on this host: {error}")
            continue
        choices += _choices(names, _summary(cls))
        rules.append(_rule(names, cls, definitions))
    node = definitions["NodeSpec"]
    node["properties"]["node_type"] |= {"oneOf": choices}
    node["allOf"] = rules
    schema = {"$schema": DIALECT, "title": "RemoteMedia manifest", **manifest, "$defs": definitions}
    _tidy_descriptions(schema)
    return schema


def _complete_model(manifest: Schema, definitions: dict[str, Schema]) -> None:
    """What the loader checks beyond the types of the model."""
    manifest.pop("title")
    manifest["properties"]["version"] = {"const": VERSION, "description": "Always v1."}
    manifest["properties"]["nodes"] |= {"minItems": 1, "maxItems": limits.MAX_NODES}
    manifest["properties"]["nodes"].pop("default", None)
    manifest["required"] = ["version", "nodes"]
    metadata = definitions["Metadata"]
    del metadata["properties"]["extra"]
    metadata["additionalProperties"] = True
    # Plugins bring more executors: these are offered, any name is valid.
    executor = definitions["NodeSpec"]["properties"]["executor"]
    executor["anyOf"] = [{"enum": list(EXECUTORS)}, {"type": executor.pop("type")}]


def _choices(names: list[str], description: str) -> list[Schema]:
    canonical, *aliases = names
    return [
        {"const": canonical, "description": description},
        *(
            {"const": alias, "description": f"Another name of {canonical}.", "deprecated": True}
            for alias in aliases
        ),
    ]


def _rule(names: list[str], cls: type[Node], definitions: dict[str, Schema]) -> Schema:
    """If a node has one of these types, then its parameters are those of the class."""
    name = names[0]
    (reference,), parts = msgspec.json.schema_components(
        [cls.Params], schema_hook=_any, ref_template=f"#/$defs/{name}.{{name}}"
    )
    definitions |= {f"{name}.{part}": schema for part, schema in parts.items()}
    params = definitions[reference["$ref"].removeprefix("#/$defs/")]
    params["title"] = f"Parameters of {name}"
    if cls.Params is NodeParams:
        params.pop("description", None)  # that of the base class says nothing of this node
    required = params.pop("required", [])
    for alias, field in cls.aliases.items():
        params["properties"].setdefault(
            alias,
            {"$ref": f"{reference['$ref']}/properties/{field}", "deprecated": True},
        )
    if required:
        params["allOf"] = [_one_of_names(field, cls) for field in required]
    properties: Schema = {"params": reference}
    properties["backend"] = {"enum": [*cls.backends, None]}
    rule: Schema = {"properties": properties}
    if required:
        rule["required"] = ["params"]
    condition = {"properties": {"node_type": {"enum": names}}, "required": ["node_type"]}
    return {"if": condition, "then": rule}


def _one_of_names(field: str, cls: type[Node]) -> Schema:
    names = [field, *(alias for alias, target in cls.aliases.items() if target == field)]
    return {"anyOf": [{"required": [name]} for name in names]}


def _any(kind: type) -> Schema:
    """The schema of what msgspec has none for; an empty one it does not take."""
    return {"description": "Any value."}


def _summary(cls: type[Node]) -> str:
    """The first paragraph of the documentation, on one line."""
    return _first_paragraph(cls.__doc__ or "")


def _first_paragraph(text: str) -> str:
    return " ".join(inspect.cleandoc(text).partition("\n\n")[0].split())


def _tidy_descriptions(schema: object) -> None:
    """Docstrings become one line, as an editor shows them."""
    if isinstance(schema, dict):
        if isinstance(schema.get("description"), str):
            schema["description"] = _first_paragraph(schema["description"])
        for part in schema.values():
            _tidy_descriptions(part)
    elif isinstance(schema, list):
        for part in schema:
            _tidy_descriptions(part)
