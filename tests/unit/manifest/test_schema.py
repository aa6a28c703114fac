"""The JSON Schema says what the loader accepts."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar

import jsonschema
import msgspec
import pytest

from remotemedia.errors import ManifestError
from remotemedia.graph import Graph
from remotemedia.manifest import json_schema, load_manifest
from remotemedia.node import Node, NodeParams
from remotemedia.registry import Registry


class Tone(Node):
    """Makes a tone
    of one frequency.

    Not shown.
    """

    class Params(NodeParams):
        frequency: Annotated[float, msgspec.Meta(gt=0, description="Frequency, Hz.")]
        shape: str = "sine"

    aliases: ClassVar = {"freq": "frequency", "waveform": "shape"}
    backends = ("numpy", "table")


class Bare(Node):
    pass


class Heavy(Node):
    requires = ("no_such_package>=1",)


@pytest.fixture
def registry() -> Registry:
    registry = Registry(
        {"Missing": "no_such_module:Missing"}, {"ToneNode": "Tone", "OldTone": "Tone"}
    )
    for cls in (Tone, Bare, Heavy):
        registry.add(cls.__name__, cls)
    return registry


@pytest.fixture
def schema(registry: Registry) -> dict[str, Any]:
    return json_schema(registry)


def document(node: dict[str, object], **rest: object) -> dict[str, object]:
    return {"version": "v1", "nodes": [{"id": "a", **node}], **rest}


VALID = [
    document({"node_type": "Tone", "params": {"frequency": 440}}),
    document({"node_type": "ToneNode", "params": {"freq": 440.5, "waveform": "saw"}}),
    document({"node_type": "Tone", "params": {"frequency": 1}, "backend": "table"}),
    document({"node_type": "Bare"}),
    document({"node_type": "Bare", "params": {}, "executor": "process", "policy": {"retry": {}}}),
    document({"node_type": "Bare", "executor": "mine-from-a-plugin"}),
    document({"node_type": "Bare", "executor": "process", "process": {"env": {"_A1": "x=1"}}}),
    document({"node_type": "Bare", "executor": "process", "process": {"env": {"PATHS": ""}}}),
    document(
        {"node_type": "Bare", "policy": {"restart": {"hang_timeout_ms": None, "factor": 1}}},
    ),
    document({"node_type": "Bare"}, metadata={"name": "x", "mine": [1]}),
    document(
        {"node_type": "Bare"},
        connections=[{"from": "a:out", "to": "b", "queue": {"capacity": 3, "overflow": "latest"}}],
    ),
]
INVALID = [
    document({"node_type": "Tone", "params": {"frequency": 0}}),
    document({"node_type": "Tone", "params": {}}),
    document({"node_type": "Tone"}),
    document({"node_type": "Tone", "params": {"frequency": 440, "loud": True}}),
    document({"node_type": "OldTone", "params": {"frequency": "a"}}),
    document({"node_type": "Tone", "params": {"frequency": 440}, "backend": "gpu"}),
    document({"node_type": "Bare", "params": {"x": 1}}),
    document({"node_type": "Bare", "polices": {}}),
    document({"node_type": "Bare", "backend": "numpy"}),
    document({"node_type": "Nothing"}),
    document({"node_type": "Bare", "id": "a b"}),
    document({"node_type": "Bare", "id": "a\n"}),
    document({"node_type": "Bare", "policy": {"on_error": "explode"}}),
    document({"node_type": "Bare", "policy": {"restart": {"strategy": "all"}}}),
    document({"node_type": "Bare", "process": {"threads": 0}}),
    document({"node_type": "Bare", "process": {"env": {"LD_PRELOAD": "x.so"}}}),
    document({"node_type": "Bare", "process": {"env": {"PATH": "/tmp"}}}),
    document({"node_type": "Bare", "process": {"env": {"PYTHONPATH": "/tmp"}}}),
    document({"node_type": "Bare", "process": {"env": {"A=B": ""}}}),
    document({"node_type": "Bare", "process": {"env": {"A": "\0"}}}),
    document({"node_type": "Bare"}, connections=[{"from": "a"}]),
    document({"node_type": "Bare"}, edges=[]),
    {"version": "v2", "nodes": [{"id": "a", "node_type": "Bare"}]},
    {"nodes": [{"id": "a", "node_type": "Bare"}]},
    {"version": "v1", "nodes": []},
    {"version": "v1"},
]


@pytest.mark.parametrize("manifest", VALID)
def test_valid(manifest: dict[str, object], schema: dict[str, Any], registry: Registry) -> None:
    jsonschema.validate(manifest, schema, jsonschema.Draft202012Validator)
    load_manifest(manifest)
    if "executor" not in str(manifest) and "connections" not in manifest:
        Graph.build(load_manifest(manifest), registry)


@pytest.mark.parametrize("manifest", INVALID)
def test_invalid(manifest: dict[str, object], schema: dict[str, Any], registry: Registry) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(manifest, schema, jsonschema.Draft202012Validator)
    with pytest.raises(ManifestError):
        Graph.build(load_manifest(manifest), registry)


def test_it_is_a_schema(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    json.dumps(schema)


def test_an_editor_finds_types_and_parameters(schema: dict[str, Any]) -> None:
    choices = schema["$defs"]["NodeSpec"]["properties"]["node_type"]["oneOf"]
    described = {choice["const"]: choice["description"] for choice in choices}
    ours = ("EspeakTTS", "SpeechToText")  # plugins of this very distribution
    others = [name for name in described if name not in ours]
    assert others == ["Bare", "Heavy", "Missing", "Tone", "OldTone", "ToneNode"]
    assert described["Tone"] == "Makes a tone of one frequency."
    assert described["ToneNode"] == "Another name of Tone."
    assert described["Heavy"].startswith("Not available on this host: node_type 'Heavy' needs")
    assert "pip install" in described["Heavy"]
    assert "no_such_module" in described["Missing"]
    params = schema["$defs"]["Tone.Params"]
    assert params["properties"]["frequency"] == {
        "type": "number",
        "exclusiveMinimum": 0,
        "description": "Frequency, Hz.",
    }
    assert params["properties"]["freq"] == {
        "$ref": "#/$defs/Tone.Params/properties/frequency",
        "deprecated": True,
    }
    rules = schema["$defs"]["NodeSpec"]["allOf"]
    named = [rule["if"]["properties"]["node_type"]["enum"] for rule in rules]
    assert [names for names in named if names[0] not in ours] == [
        ["Bare"],
        ["Tone", "OldTone", "ToneNode"],
    ]


def test_nodes_of_this_installation() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    manifest = load_manifest(
        "version: v1\nnodes: [{id: a, node_type: Gain, params: {gain_db: -6}}]\n"
    )
    jsonschema.validate(manifest.to_dict(), schema, jsonschema.Draft202012Validator)
