"""Diagrams of graphs."""

from __future__ import annotations

import re

import pytest

from remotemedia import diagram
from remotemedia.pipeline import Pipeline

MANIFEST = """\
version: v1
nodes:
  - {id: mono, node_type: ChannelMix, params: {channels: 1}}
  - {id: to16k, node_type: RustResampleNode}
  - {id: vad, node_type: EnergyVAD, description: 'finds "speech" <b>&\\ #1'}
  - {id: level, node_type: AudioLevel}
connections:
  - {from: mono, to: to16k}
  - {from: to16k, to: vad, queue: {capacity: 4, overflow: drop_oldest}}
  - {from: "vad:audio", to: level}
"""


def graph():  # type: ignore[no-untyped-def]
    return Pipeline.load(MANIFEST).graph


def test_mermaid() -> None:
    assert diagram.mermaid(graph()) == (
        "flowchart LR\n"
        '    n0(["mono<br/>ChannelMix"])\n'
        '    n1["to16k<br/>AudioResample"]\n'
        '    n2["vad<br/>EnergyVAD<br/>finds #34;speech#34; #60;b#62;#38;#92; #35;1"]\n'
        '    n3[["level<br/>AudioLevel"]]\n'
        '    n0 -->|"audio(sample_rate=8000..192000, channels=1, format=F32)"| n1\n'
        '    n1 ==>|"audio(sample_rate=16000, channels=1, format=F32)'
        '<br/>queue 4, drop_oldest"| n2\n'
        '    n2 -->|"audio to in<br/>audio(sample_rate=16000, channels=1, format=F32)"| n3\n'
    )


def test_pipeline_draws_itself() -> None:
    assert Pipeline.load(MANIFEST).to_mermaid() == diagram.mermaid(graph())


def test_dot() -> None:
    text = diagram.dot(graph())
    assert text.startswith("digraph pipeline {\n    rankdir=LR;\n")
    assert '    "vad" [label="vad\\nEnergyVAD\\nfinds \\"speech\\" <b>&amp;\\\\ #1"];\n' in text
    assert '    "level" [label="level\\nAudioLevel", peripheries=2];\n' in text
    assert (
        '    "to16k" -> "vad" [label="audio(sample_rate=16000, channels=1, format=F32)'
        '\\nqueue 4, drop_oldest", style=bold];\n'
    ) in text
    assert text.endswith("}\n")


def test_data() -> None:
    data = diagram.to_dict(graph())
    assert data["order"] == ["mono", "to16k", "vad", "level"]
    assert data["sources"] == ["mono"]
    assert data["sinks"] == ["level"]
    assert data["nodes"][2] == {  # type: ignore[index]
        "id": "vad",
        "node_type": "EnergyVAD",
        "executor": "inline",
        "description": 'finds "speech" <b>&\\ #1',
        "params": {},
        "inputs": {"in": "audio(sample_rate=16000, channels=1, format=F32)"},
        "outputs": {
            "segments": "json",
            "audio": "audio(sample_rate=16000, channels=1, format=F32)",
        },
    }
    assert data["edges"][1] == {  # type: ignore[index]
        "from": "to16k:out",
        "to": "vad:in",
        "format": "audio(sample_rate=16000, channels=1, format=F32)",
        "reasoning": [
            "to16k:out (AudioResample) produces audio(sample_rate=16000, format=F32)",
            "to16k (AudioResample) keeps to out = in except sample_rate: "
            "audio(sample_rate=16000, channels=1, format=F32)",
        ],
        "queue": {"capacity": 4, "overflow": "drop_oldest"},
    }


@pytest.mark.parametrize(
    "text", ['"]; click n0 href "javascript:alert(1)"', "a\nb\x00%%{init}%%", "x" * 999]
)
def test_descriptions_cannot_break_out(text: str) -> None:
    pipeline = Pipeline.load(
        {
            "version": "v1",
            "nodes": [{"id": "a", "node_type": "PassThrough", "description": text}],
        }
    )
    line = diagram.mermaid(pipeline.graph).splitlines()[1]
    assert re.fullmatch(r'    n0\(\["[^"\n%{}<>\x00]*"\]\)', line.replace("<br/>", " "))
    assert len(line) < 200
    label = re.search(r"label=(.*)\];", diagram.dot(pipeline.graph))
    assert label is not None
    assert re.fullmatch(r'"(?:[^"\\\n]|\\.)*", peripheries=2|"(?:[^"\\\n]|\\.)*"', label[1])
