"""The seven things that the reference system gets wrong (reference-system.md §1.9), done right."""

from __future__ import annotations

import subprocess
import sys
from typing import ClassVar

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.negotiation import negotiate
from remotemedia.registry import default_registry


class Wide(rm.Node):
    """Can produce any rate."""

    input_caps = "audio"
    output_caps = "audio(sample_rate=8000..96000, format=F32)"
    capabilities = "adaptive"

    def process(self, audio: rm.Audio) -> rm.Audio:
        return audio


class TwoPorts(rm.Node):
    """Its second ports matter, too."""

    input_caps: ClassVar = {"voice": "audio(sample_rate=16000)", "music": "audio(channels=2)"}
    output_caps: ClassVar = {"voice": "audio(sample_rate=16000)", "music": "audio(channels=2)"}

    def process(self, audio: rm.Audio, port: str) -> rm.Emit:
        return rm.Emit(port, audio)


default_registry().add("DefectWide", Wide)
default_registry().add("DefectTwoPorts", TwoPorts)


def at(rate: str) -> dict[str, object]:
    return {"inputs": {"in": f"audio(sample_rate={rate})"}}


def load(nodes: dict[str, object], *edges: str, **metadata: object) -> rm.Pipeline:
    specs = []
    for name, what in nodes.items():
        node_type, *rest = what if isinstance(what, tuple) else (what,)
        more = rest[0] if rest else {}
        key = "media_capabilities" if "inputs" in more else "params"
        specs.append({"id": name, "node_type": node_type, key: more})
    connections = [dict(zip(("from", "to"), edge.split(), strict=True)) for edge in edges]
    manifest = {
        "version": "v1",
        "metadata": metadata,
        "nodes": specs,
        "connections": connections,
    }
    return rm.Pipeline.load(manifest)


@pytest.mark.skipif(sys.platform == "emscripten", reason="one process")
def test_1_the_same_answer_in_every_process() -> None:
    """There the topological order comes from a hash map and differs between runs."""
    program = (
        "import remotemedia as rm\n"
        "p = rm.Pipeline()\n"
        "for n in ('b', 'a', 'd', 'c'): p.add('PassThrough', id=n)\n"
        "p.add('AudioResample', id='x', target_rate=16000)\n"
        "for e in ('b x', 'a x', 'x d', 'x c'): p.connect(*e.split())\n"
        "plan = p.plan()\n"
        "print(plan.graph.order, *(str(r) for r in plan.explain()))\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in range(4)
    }
    assert len(said) == 1
    assert said.pop().startswith("('b', 'a', 'x', 'd', 'c')")


def test_2_passthrough_between_adaptive_and_static() -> None:
    p = load(
        {
            "wide": "DefectWide",
            "pass": "PassThrough",
            "gain": "Gain",
            "end": ("AudioLevel", at("16000")),
        },
        "wide pass",
        "pass gain",
        "gain end",
    )
    assert p.validate() == ()
    assert "sample_rate=16000" in str(p.plan().formats.outputs["wide", "out"])


def test_3_fan_out_is_one_joint_constraint() -> None:
    nodes = {"wide": "DefectWide", "a": ("AudioLevel", at("8000..24000"))}
    fits = load({**nodes, "b": ("AudioLevel", at("[44100, 22050]"))}, "wide a", "wide b")
    assert "sample_rate=22050" in str(fits.plan().formats.outputs["wide", "out"])
    clash = load({**nodes, "b": ("AudioLevel", at("44100"))}, "wide a", "wide b")
    (problem,) = negotiate(clash.graph).problems
    assert "wide:out has one format for all that it is connected to" in problem.message
    assert problem.message.endswith("insert AudioResample {target_rate: 44100} between them")


def test_4_every_port_by_its_name() -> None:
    """There only the port ``default`` is looked at."""
    nodes = {"two": "DefectTwoPorts", "mono": ("ChannelMix", {"channels": 1})}
    (problem,) = negotiate(load(nodes, "mono two:music").graph).problems
    assert problem.message.startswith("mono:out (ChannelMix) produces audio(channels=1")
    assert "two:music (DefectTwoPorts) accepts audio(channels=2)" in problem.message
    assert negotiate(load(nodes, "mono two:voice").graph).problems == ()
    (problem,) = negotiate(
        load({**nodes, "end": ("AudioLevel", at("48000"))}, "two:voice end").graph
    ).problems
    assert "two:voice (DefectTwoPorts) produces audio(sample_rate=16000)" in problem.message


def test_5_a_choice_is_made_for_a_reason() -> None:
    """There hints are never passed, and a range becomes its lower bound."""
    nodes = {
        "cd": ("AudioResample", {"target_rate": 44100}),
        "wide": "DefectWide",
        "end": ("AudioLevel", at("8000..48000")),
    }
    plan = load(nodes, "cd wide", "wide end").plan()
    assert "sample_rate=44100" in str(plan.formats.outputs["wide", "out"])
    assert "nearest to audio(sample_rate=44100" in plan.explain()[1].steps[-1]


def test_6_every_built_in_node_declares_its_formats() -> None:
    """There seven nodes do. That it is true is tested in tests/unit/nodes/test_conformance.py."""
    registry = default_registry()
    undeclared = [
        name
        for name in registry.names()
        if registry.info(name).origin == "built-in"
        and registry.find(name).input_caps is rm.Node.input_caps
        and "input_ports" not in vars(registry.find(name))
    ]
    assert undeclared == ["PassThrough"]  # which takes anything


def test_7_auto_negotiate_is_read_and_inserts_nodes_that_exist() -> None:
    nodes = {"int16": ("AudioFormatConvert", {"format": "I16"}), "end": ("AudioLevel", at("8000"))}
    p = load(nodes, "int16 end", auto_negotiate=True)
    added = [node for node in p.plan().graph.nodes.values() if node.id not in p.graph.nodes]
    assert [node.node_type for node in added] == ["AudioFormatConvert"]
    assert "I16" not in str(p.plan().formats.inputs["end", "in"])
    reports = [
        packet.data.value  # type: ignore[attr-defined]
        for packet in p.run([rm.Audio(np.full(48000, 0.25, np.float32), 48000)])
    ]
    # What the client sends has another rate: adapted where it arrives.
    assert reports[-1]["end_sample"] == 8000
    assert reports[-1]["rms"] == pytest.approx(0.25, rel=2e-2)
    named = {
        name
        for problem in negotiate(p.graph).problems
        for fix in problem.fixes
        for name in [step.node_type for step in getattr(fix, "steps", ())]
    }
    assert all(default_registry().find(name).converts for name in named)


def test_the_way_that_a_value_came_is_told() -> None:
    p = load(
        {
            "cd": ("AudioResample", {"target_rate": 44100}),
            "gain": "Gain",
            "mono": ("ChannelMix", {"channels": 1}),
            "end": ("AudioLevel", at("16000")),
        },
        "cd gain",
        "gain mono",
        "mono end",
    )
    (problem,) = negotiate(p.graph).problems
    assert problem.message == (
        "mono:out (ChannelMix) produces audio(sample_rate=44100, channels=1, format=F32), but "
        "end:in (AudioLevel) accepts audio(sample_rate=16000, format=F32), as its "
        "media_capabilities say: sample_rate is 44100 but must be 16000; its sample_rate comes "
        "from cd:out (AudioResample), through gain, mono; "
        "insert AudioResample {target_rate: 16000} between them"
    )
