"""Pipeline: building, loading, checking."""

from __future__ import annotations

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.errors import CapsMismatchError, ManifestError, UnavailableError
from remotemedia.manifest import Queue

MISMATCH = """\
version: v1
nodes:
  - {id: to16k, node_type: AudioResample, params: {target_rate: 16000}}
  - {id: words, node_type: TextCollector}
  - {id: mono, node_type: ChannelMix, params: {channels: 1}}
  - {id: wide, node_type: TestStereoOnly}
connections:
  - {from: to16k, to: words}
  - {from: to16k, to: mono}
  - {from: mono, to: wide}
"""


@rm.node("TestStereoOnly", input_caps="audio(channels=2, format=I16)", output_caps="audio")
def stereo_only(audio: rm.Audio) -> rm.Audio:
    """Takes nothing but 16-bit stereo."""
    return audio


def test_building_by_hand_is_loading_the_manifest_it_makes() -> None:
    built = rm.Pipeline()
    assert built.add("Gain", gain_db=-6.0) == "gain"
    assert built.add("Gain") == "gain-2"
    assert built.add("AudioLevel", id="level", is_output_node=True) == "level"
    built.connect("gain", "gain-2").connect("gain-2", "level", queue=Queue(capacity=4))
    loaded = rm.Pipeline.load(built.to_dict())
    assert loaded.manifest == built.manifest
    assert rm.Pipeline.load(built.to_yaml()).manifest == built.manifest
    assert loaded.graph.order == built.graph.order == ("gain", "gain-2", "level")
    assert loaded.graph.nodes["gain"].params.gain_db == -6.0


def test_what_is_wrong_is_said_when_the_graph_is_needed() -> None:
    built = rm.Pipeline()
    built.add("Gain", id="a", gain=3)
    built.add("Gian", id="b")
    built.connect("a", "c")
    with pytest.raises(ManifestError) as caught:
        built.graph  # noqa: B018
    text = str(caught.value)
    assert "did you mean 'gain_db'?" in text
    assert "unknown node_type 'Gian'; did you mean 'Gain'?" in text
    assert "'c'" in text
    assert len(caught.value.problems) == 3


def test_every_edge_that_cannot_work_is_named_with_its_line_and_its_fix() -> None:
    with pytest.raises(ManifestError) as caught:
        rm.Pipeline.load(MISMATCH).validate()
    first, second = caught.value.problems
    assert (first.line, second.line) == (8, 10)
    assert first.message.startswith("to16k:out (AudioResample) produces audio(sample_rate=16000")
    assert "but words:in (TextCollector) accepts text: another media type" in first.message
    assert second.message.endswith(
        "but wide:in (TestStereoOnly) accepts audio(channels=2, format=I16): "
        "channels is 1 but must be 2, format is F32 but must be I16; "
        "its format comes from to16k:out (AudioResample), through mono; "
        "insert ChannelMix {channels: 2}, then AudioFormatConvert {format: I16} between them"
    )


def test_a_plan_of_formats_that_do_not_fit_is_refused() -> None:
    with pytest.raises(CapsMismatchError, match="TextCollector"):
        rm.Pipeline.load(MISMATCH).plan()


def test_an_executor_that_is_not_here_is_named() -> None:
    p = rm.Pipeline()
    p.add("Gain", id="g", executor="remote")
    p.plan()
    (warning,) = p.validate()
    assert warning.path == ("nodes", 0, "executor")
    assert warning.message.startswith("does not run here: executor 'remote' comes with")
    with pytest.raises(UnavailableError, match="node 'g': executor 'remote' comes with"):
        p.session()


def test_formats_are_known_before_data_flows() -> None:
    p = rm.Pipeline()
    p.add("AudioResample", id="r", target_rate=16000)
    p.add("ChannelMix", id="m", channels=1)
    p.add("Gain", id="g")
    p.connect("r", "m").connect("m", "g")
    formats = p.plan().formats
    assert str(formats.inputs["g", "in"]) == "audio(sample_rate=16000, channels=1, format=F32)"
    # The client may send more channels than ChannelMix takes; what reaches the gain is certain.
    assert formats.unproven == {("m", "in")}


def test_a_pipeline_runs_again_and_again() -> None:
    p = rm.Pipeline()
    p.add("Gain", gain_db=20.0)
    for _ in range(2):
        (packet,) = p.run([rm.Audio(np.full(4, 0.1), 8000)])
        np.testing.assert_allclose(packet.data.samples, 1.0, rtol=1e-6)  # type: ignore[attr-defined]


def test_mermaid() -> None:
    p = rm.Pipeline()
    p.add("Gain", id="a")
    p.add("Gain", id="b")
    p.connect("a", "b")
    assert p.to_mermaid().startswith(("flowchart", "graph"))
