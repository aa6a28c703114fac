"""What is written loads as what it was, also by readers of YAML 1.1."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from remotemedia.errors import DataError
from remotemedia.manifest import (
    Batch,
    CircuitBreaker,
    Connection,
    Manifest,
    MediaCapabilities,
    Metadata,
    NodeSpec,
    Policy,
    ProcessOptions,
    Queue,
    Restart,
    Retry,
    load_manifest,
)
from remotemedia.manifest.model import Capabilities, Cpu, Execution, Gpu, PythonEnv

# Texts that some reader of YAML would take for something else.
TRAPS = [
    *"no on y N ~ null Null true .nan .inf -.INF 1:30 190:20:30 2001-12-14 1_000 0b1 0o17".split(),
    *"0x1F 017 1e3 .5 5. +1 -0 << = - ? : # & * &a *a !a | > @ ` % {a} [a] a: a:b #a".split(),
    *(
        "",
        " ",
        "a: b",
        "a #b",
        "- a",
        "'",
        '"',
        "\\",
        "\t",
        "a\n",
        "\na",
        " a\nb",
        "a \nb",
        "a\n\n",
    ),
    *(
        "é",
        "😀",
        "\x85",
        "a\x85b",
        "\u2028",
        "\x00",
        "\x7f",
        "\ufeff",
        "\r",
        "a\r\nb",
        "\n",
        "\n\n",
    ),
]

texts = st.sampled_from(TRAPS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
numbers = st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
mappings = st.dictionaries(texts, plain, max_size=4)
ids = st.from_regex(r"\A[A-Za-z0-9_.-]{1,64}\Z", fullmatch=True) | st.sampled_from(
    ["no", "1", "1e3", "0o17", "-", "...", "---", "null", "1.5", "0x1f"]
)
ends = ids | st.tuples(ids, ids).map(":".join)
names = texts.filter(bool)
milliseconds = st.floats(0.001, 86_400_000)


def some(**fields: st.SearchStrategy[object]) -> dict[str, st.SearchStrategy[object]]:
    return fields


policies = st.builds(
    Policy,
    timeout_ms=st.none() | milliseconds,
    retry=st.none()
    | st.builds(
        Retry, attempts=st.integers(1, 1000), backoff=st.sampled_from(["fixed", "exponential"])
    ),
    circuit_breaker=st.none() | st.builds(CircuitBreaker, failures=st.integers(1, 9)),
    restart=st.none()
    | st.builds(
        Restart,
        when=st.sampled_from(["never", "on_failure", "always"]),
        strategy=st.sampled_from(["one_for_one", "rest_for_one"]),
        hang_timeout_ms=st.none() | milliseconds,
        spare=st.booleans(),
    ),
    batch=st.none() | st.builds(Batch, max_items=st.integers(1, 99), max_wait_ms=milliseconds),
    on_error=st.sampled_from(["drop", "passthrough", "fail_session"]),
)
nodes = st.builds(
    NodeSpec,
    id=ids,
    node_type=names,
    params=mappings,
    executor=st.sampled_from(["inline", "process", "worker", "no"]),
    backend=st.none() | names,
    policy=st.none() | policies,
    media_capabilities=st.none()
    | st.builds(MediaCapabilities, inputs=st.dictionaries(texts, texts | mappings, max_size=2)),
    is_output_node=st.booleans(),
    is_streaming=st.booleans(),
    host=st.none() | texts,
    process_group=st.none() | names,
    process=st.none()
    | st.builds(
        ProcessOptions,
        memory_limit_mb=st.none() | st.floats(1, 1e6),
        env=st.dictionaries(
            st.sampled_from(["A", "no", "_x1"]), texts.filter(lambda t: "\0" not in t)
        ),
    ),
    python_deps=st.lists(texts, max_size=2).map(tuple),
    capabilities=st.none()
    | st.builds(
        Capabilities,
        gpu=st.none() | st.builds(Gpu, required=st.booleans()),
        cpu=st.none() | st.builds(Cpu, arch=st.none() | texts),
    ),
    runtime_hint=st.none() | st.sampled_from(["cpython", "auto"]),
    execution=st.none()
    | st.builds(Execution, placement=st.sampled_from(["local", "auto"]), fallback=plain),
    docker=st.none() | mappings,
    fast_path=st.booleans(),
    description=texts,
    comment=texts,
)
connections = st.builds(
    Connection,
    source=ends,
    target=ends,
    queue=st.none()
    | st.builds(Queue, capacity=st.integers(1, 99), overflow=st.sampled_from(["block", "latest"])),
    type=st.none() | texts,
    params=mappings,
)
FIELDS = {field.encode_name for field in msgspec.structs.fields(Metadata)} - {"extra"}
extras = mappings.map(
    lambda extra: {k: v for k, v in extra.items() if k not in FIELDS and v is not None}
)
manifests = st.builds(
    Manifest,
    metadata=st.builds(Metadata, name=texts, auto_negotiate=st.booleans(), extra=extras),
    nodes=st.lists(nodes, min_size=1, max_size=3).map(tuple),
    connections=st.lists(connections, max_size=3).map(tuple),
    python_env=st.none() | st.builds(PythonEnv, extra_deps=st.lists(texts, max_size=2).map(tuple)),
    config=mappings,
)


@settings(max_examples=50)
@given(manifests)
def test_round_trip(manifest: Manifest) -> None:
    assert load_manifest(manifest.to_dict()) == manifest
    assert load_manifest(manifest.to_json()) == manifest
    text = manifest.to_yaml()
    assert load_manifest(text) == manifest
    # PyYAML's own loader reads YAML 1.1; NaN and the like cannot occur.
    assert yaml.safe_load(text) == manifest.to_dict()


@pytest.mark.parametrize("text", TRAPS)
def test_traps_survive_both_versions_of_yaml(text: str) -> None:
    manifest = Manifest(
        nodes=(NodeSpec(id="a", node_type="A", params={"x": text, "y": {text: 1}}),)
    )
    written = manifest.to_yaml()
    assert yaml.safe_load(written)["nodes"][0]["params"] == {"x": text, "y": {text: 1}}
    assert load_manifest(written) == manifest


def test_form() -> None:
    manifest = Manifest(
        metadata=Metadata(name="speech", extra={"rating": 5}),
        nodes=(
            NodeSpec(
                id="gain", node_type="Gain", params={"gain_db": -6.0}, policy=Policy(retry=Retry())
            ),
            NodeSpec(id="no", node_type="PassThrough", python_deps=("a", "b")),
        ),
        connections=(Connection(source="gain", target="no:in", queue=Queue(capacity=4)),),
    )
    assert manifest.to_dict() == {
        "version": "v1",
        "metadata": {"name": "speech", "rating": 5},
        "nodes": [
            {
                "id": "gain",
                "node_type": "Gain",
                "params": {"gain_db": -6.0},
                "policy": {"retry": {}},
            },
            {"id": "no", "node_type": "PassThrough", "python_deps": ["a", "b"]},
        ],
        "connections": [{"from": "gain", "to": "no:in", "queue": {"capacity": 4}}],
    }
    assert (
        manifest.to_yaml()
        == """\
version: v1
metadata: {name: speech, rating: 5}
nodes:
- id: gain
  node_type: Gain
  params: {gain_db: -6.0}
  policy:
    retry: {}
- id: 'no'
  node_type: PassThrough
  python_deps: [a, b]
connections:
- from: gain
  to: no:in
  queue: {capacity: 4}
"""
    )
    assert json.loads(manifest.to_json()) == manifest.to_dict()
    assert manifest.to_json().startswith('{\n  "version": "v1",\n')


def test_long_texts_are_readable() -> None:
    prompt = "You are a helpful assistant.\nAnswer briefly.\n"
    manifest = Manifest(nodes=(NodeSpec(id="a", node_type="A", params={"prompt": prompt}),))
    assert "prompt: |\n      You are a helpful assistant.\n      Answer" in manifest.to_yaml()


def test_shared_parts_are_written_out() -> None:
    shared = {"a": [1, 2]}
    specs = [NodeSpec(id=name, node_type="A", params=shared) for name in "ab"]
    text = Manifest(nodes=tuple(specs)).to_yaml()
    assert "&" not in text
    assert "*" not in text


@pytest.mark.parametrize("value", [b"x", {1}, np.zeros(2), object(), np.int64(3)])
def test_values_without_a_form(value: object) -> None:
    manifest = Manifest(nodes=(NodeSpec(id="a", node_type="A", params={"x": [value]}),))
    with pytest.raises(DataError, match="has no place in a manifest"):
        manifest.to_dict()


def test_subclasses_are_written_as_what_they_are_made_of() -> None:
    manifest = Manifest(nodes=(NodeSpec(id="a", node_type="A", params={"x": np.float64(0.5)}),))
    assert load_manifest(manifest.to_yaml()) == manifest
    assert type(manifest.to_dict()["nodes"][0]["params"]["x"]) is float  # type: ignore[index, call-overload]
