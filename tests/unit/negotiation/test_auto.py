"""Converters that are inserted, and formats that a manifest adds, in whole pipelines."""

from __future__ import annotations

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.errors import CapsMismatchError
from remotemedia.testing import VirtualClock, signals

AT_16K = {"in": "audio(sample_rate=16000, channels=1, format=F32)"}


def manifest(auto: bool = True, **more: object) -> dict[str, object]:
    return {
        "version": "v1",
        "metadata": {"name": "m", "auto_negotiate": auto},
        "nodes": [
            {"id": "stereo", "node_type": "ChannelMix", "params": {"channels": 2}},
            {"id": "at48k", "node_type": "AudioResample", "params": {"target_rate": 48000}},
            {"id": "level", "node_type": "AudioLevel", "media_capabilities": {"inputs": AT_16K}},
        ],
        "connections": [
            {"from": "stereo", "to": "at48k"},
            {"from": "at48k", "to": "level", "queue": {"capacity": 4}},
        ],
        **more,
    }


def tone(rate: int, seconds: float) -> rm.Audio:
    return signals.tone(1000, seconds, sample_rate=rate).replace(pts_us=None)


def test_inserted_nodes_are_in_the_plan_the_diagram_and_the_metrics() -> None:
    p = rm.Pipeline.load(manifest())
    assert p.validate() == ()
    plan = p.plan()
    inserted = ["level.ChannelMix", "level.AudioResample"]
    assert [node for node in plan.graph.nodes if node not in p.graph.nodes] == inserted
    assert all(node in p.to_mermaid() for node in inserted)
    run = p.run([tone(44100, 1.0)])
    (report,) = [packet.data.value for packet in run if packet.data.value["kind"] == "final"]  # type: ignore[attr-defined]
    assert report["end_sample"] == 16000
    assert len(report["channel_rms"]) == 1
    # ChannelMix from mono to stereo and back scales nothing: a sine of amplitude 0.5.
    assert report["rms"] == pytest.approx(0.5 / np.sqrt(2), rel=1e-3)
    assert {node.node for node in run.metrics().nodes} == set(plan.graph.nodes)
    assert "inserted: about" in plan.graph.nodes["level.AudioResample"].spec.description


def test_what_is_saved_needs_no_negotiation_any_more() -> None:
    saved = rm.Pipeline.load(manifest()).with_converters().to_yaml()
    again = rm.Pipeline.load(saved)
    assert again.with_converters() is again
    assert again.validate() == ()
    (first,) = [c for c in again.manifest.connections if c.queue is not None]
    assert (first.source, first.target) == ("at48k", "level.ChannelMix")


def test_without_auto_negotiate_nothing_is_inserted_unless_asked_for() -> None:
    p = rm.Pipeline.load(manifest(auto=False))
    with pytest.raises(CapsMismatchError, match=r"insert ChannelMix \{channels: 1\}, then Audio"):
        p.plan()
    assert len(p.with_converters().plan().graph.nodes) == 5


def test_what_no_converter_can_mend_is_still_an_error() -> None:
    p = rm.Pipeline.load(manifest())
    p.add("Calculator", id="calculator")
    p.connect("at48k", "calculator")
    with pytest.raises(CapsMismatchError, match="another media type") as raised:
        p.plan()
    assert "level" not in str(raised.value)
    with pytest.raises(rm.ManifestError, match="another media type"):
        p.validate()


async def test_a_session(clock: VirtualClock) -> None:
    p = rm.Pipeline.load(manifest())
    blocks = [tone(44100, 0.5), tone(44100, 0.5)]
    reports = [packet.data.value async for packet in p.arun(blocks, clock=clock)]  # type: ignore[attr-defined]
    assert reports[-1]["end_sample"] == 16000


def test_one_converter_before_a_fan_out_rather_than_two_behind_it() -> None:
    p = rm.Pipeline.load(
        {
            "version": "v1",
            "nodes": [
                {"id": "at48k", "node_type": "AudioResample", "params": {"target_rate": 48000}},
                {"id": "pass", "node_type": "PassThrough"},
                *(
                    {"id": n, "node_type": "AudioLevel", "media_capabilities": {"inputs": AT_16K}}
                    for n in ("a", "b")
                ),
            ],
            "connections": [
                {"from": "at48k", "to": "pass"},
                {"from": "pass", "to": "a"},
                {"from": "pass", "to": "b"},
            ],
        }
    )
    (inserted,) = [
        node for node in p.with_converters().graph.nodes.values() if node.id not in p.graph.nodes
    ]
    assert (inserted.id, inserted.node_type) == ("pass.AudioResample", "AudioResample")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"inputs": {"ni": "audio"}}, r"there is no port 'ni'.* \(ports: in\)"),
        ({"inputs": {"in": "audio(chanels=1)"}}, "did you mean 'channels'"),
        ({"inputs": {"in": {"type": "vidio"}}}, "did you mean 'video'"),
        ({"inputs": {"in": {"type": "audio", "channels": {"min": 1}}}}, "a range is {min: …, max"),
        (
            {"inputs": {"in": {"type": "audio", "channels": None}}, "outputs": {"out": "text"}},
            "text leaves nothing of what the node declares, json",
        ),
        ({"inputs": {"in": "audio(sample_rate=1000)"}}, "leaves nothing of what the node declares"),
    ],
)
def test_formats_in_the_manifest_that_cannot_be(override: object, message: str) -> None:
    node = {"id": "level", "node_type": "AudioLevel", "media_capabilities": override}
    with pytest.raises(rm.ManifestError, match=message):
        rm.Pipeline.load({"version": "v1", "nodes": [node]})


@pytest.mark.parametrize(
    "caps",
    [
        "audio(sample_rate=8000..48000, channels=1)",
        {"type": "audio", "sample_rate": {"min": 8000, "max": 48000}, "channels": 1},
        {"audio": {"sample_rate": {"min": 8000, "max": 48000}, "channels": [1], "format": None}},
    ],
)
@pytest.mark.parametrize("port", ["in", "default"])
def test_formats_in_the_manifest(caps: object, port: str) -> None:
    node = {"id": "n", "node_type": "AudioLevel", "media_capabilities": {"inputs": {port: caps}}}
    graph = rm.Pipeline.load({"version": "v1", "nodes": [node]}).graph
    assert str(graph.nodes["n"].inputs["in"]) == (
        "audio(sample_rate=8000..48000, channels=1, format=F32)"
    )
