"""Checked-in manifests: the reference system's form loads, broken ones give every problem."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from remotemedia.errors import ManifestError
from remotemedia.graph import load
from remotemedia.manifest import NodeSpec, load_manifest

GOLDEN = Path(__file__).parents[2] / "golden" / "manifest"
WARNINGS = json.loads((GOLDEN / "reference" / "warnings.json").read_text("utf-8"))
BROKEN = sorted(path.name for path in (GOLDEN / "broken").iterdir() if path.suffix != ".expected")


@pytest.fixture(params=["libyaml", "python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("name", WARNINGS)
def test_reference(name: str) -> None:
    manifest = load_manifest(GOLDEN / "reference" / name)
    found = list(map(str, manifest.warnings))
    assert len(found) == len(WARNINGS[name])
    for warning, expected in zip(found, WARNINGS[name], strict=True):
        assert warning.startswith(expected)
    for text in (manifest.to_yaml(), manifest.to_json()):
        again = load_manifest(text)
        assert again == manifest
        assert again.to_yaml() == manifest.to_yaml()


def test_reference_values_are_kept() -> None:
    manifest = load_manifest(GOLDEN / "reference" / "agent.yaml")
    assert manifest.metadata.name == "voice-agent"
    assert manifest.metadata.description == "A voice agent over two processes"
    assert manifest.config == {"sample_rate": 24000}
    assert manifest.defaults == {"executor": "multiprocess"}
    chunker, lfm, tts = manifest.nodes
    assert chunker == NodeSpec(
        id="input_chunker",
        node_type="AudioChunkerNode",
        description="Frames for the VAD",
        is_streaming=True,
    )
    assert lfm.executor == "process"
    assert lfm.params == {"hf_repo": "LiquidAI/LFM2-Audio-1.5B", "device": None}
    assert lfm.docker is not None
    assert lfm.docker["volumes"] == [
        {"host": "/tmp/cache", "container": "/cache", "read_only": False}
    ]
    assert tts.node_type == "${TTS_NODE:-KokoroTTSNode}"  # never substituted
    second = manifest.connections[1]
    assert (second.source_node, second.source_port) == ("lfm2_audio", "text")
    assert (second.target_node, second.target_port) == ("tts", "in")
    assert manifest.connections[0].source_port is None
    assert manifest.connections[0].target_port is None

    speech = load_manifest(GOLDEN / "reference" / "speech.json")
    assert speech.nodes[0].node_type == "FastResampleNode"
    assert speech.nodes[0].is_streaming
    assert speech.nodes[2].capabilities is not None
    assert speech.nodes[2].capabilities.gpu is not None
    assert speech.nodes[2].capabilities.gpu.min_memory_gb == 4
    assert speech.python_env is not None
    assert speech.python_env.extra_deps == ("numpy",)

    package = load_manifest(GOLDEN / "reference" / "package.json")
    assert package.metadata.extra == {"tags": ["demo"]}
    assert package.metadata.version == "0.2.0"
    assert package.nodes[1].params == {}


def test_reference_node_types_are_for_the_registry() -> None:
    with pytest.raises(ManifestError) as error:
        load(GOLDEN / "reference" / "minimal.yaml")
    (problem,) = error.value.problems
    assert (problem.line, problem.column) == (6, 16)
    assert problem.message.startswith("unknown node_type 'Echo'")


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("name", BROKEN)
def test_broken(name: str) -> None:
    path = GOLDEN / "broken" / name
    with pytest.raises(ManifestError) as error:
        load(path)
    expected = path.with_suffix(".expected").read_text("utf-8").splitlines()
    assert list(map(str, error.value.problems)) == expected
    assert error.value.source == str(path)


def test_issue_example() -> None:
    first = "version: v1\nnodes:\n  - id: a\n    node_type: Gain\n\n"
    text = first + "  - id: b\n    node_type: AudioResampl\n"
    with pytest.raises(ManifestError) as error:
        load(text)
    assert str(error.value.problems[0]) == (
        "7:16: unknown node_type 'AudioResampl'; did you mean 'AudioResample'?"
    )
