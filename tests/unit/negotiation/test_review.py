"""Faults that a review found, each as it was found."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.caps import parse_caps, read_caps
from remotemedia.errors import CapsError, FormatError, NodeError
from remotemedia.graph import Graph
from remotemedia.negotiation import Change, negotiate
from remotemedia.negotiation.apply import new_ids


def load(nodes: list[dict[str, object]], *edges: str, auto: bool = False) -> rm.Pipeline:
    connections = [dict(zip(("from", "to"), edge.split(), strict=True)) for edge in edges]
    metadata = {"auto_negotiate": auto}
    return rm.Pipeline.load(
        {"version": "v1", "metadata": metadata, "nodes": nodes, "connections": connections}
    )


def node(name: str, node_type: str, caps: str = "", **params: object) -> dict[str, object]:
    found: dict[str, object] = {"id": name, "node_type": node_type, "params": params}
    if caps:
        found["media_capabilities"] = {"inputs": {"in": caps}}
    return found


@rm.node("ReviewLiar", input_caps="audio", output_caps="audio(sample_rate=16000)")
def liar(audio: rm.Audio) -> rm.Audio:
    """Says 16 kHz, gives what comes."""
    return audio


@pytest.mark.parametrize("auto", [False, True])
@pytest.mark.parametrize("between", [[], ["PassThrough"], ["PassThrough", "Gain"]])
def test_nobody_is_believed_at_second_hand(auto: bool, between: list[str]) -> None:
    nodes = [node("liar", "ReviewLiar")]
    nodes += [node(f"b{n}", kind) for n, kind in enumerate(between)]
    nodes.append(node("chunk", "AudioChunker", "audio(sample_rate=16000)", chunk_ms=20))
    names = [str(one["id"]) for one in nodes]
    edges = [f"{a} {b}" for a, b in pairwise(names)]
    run = load(nodes, *edges, auto=auto).run([rm.Audio(np.zeros(48000, np.float32), 48000)])
    if auto:
        assert sum(packet.data.frames for packet in run) == 16000  # type: ignore[attr-defined]
    else:
        with pytest.raises(FormatError, match="chunk:in accepts audio"):
            list(run)


def test_converters_on_the_way_bring_what_they_need() -> None:
    """One consumer wants integers, the other a rate: only what is converted has to be F32."""
    p = load(
        [
            node("p", "PassThrough"),
            node("q", "AudioChunker", "audio(format=I16, sample_rate=48000)", chunk_ms=20),
            node("r", "AudioChunker", "audio(sample_rate=44100)", chunk_ms=20),
        ],
        "p q",
        "p r",
        auto=True,
    )
    assert p.with_converters().validate() == ()
    out = {"q": 0, "r": 0}
    for packet in p.run([rm.Audio(np.zeros(48000, np.float32), 48000)]):
        out[packet.node] += packet.data.frames  # type: ignore[attr-defined]
    assert out == {"q": 48000, "r": 44100}


def test_what_does_not_help_is_not_suggested() -> None:
    p = load(
        [
            node("i", "AudioFormatConvert", format="I16"),
            node("p", "PassThrough"),
            node("g", "Gain"),
            node("t", "TextCollector"),
        ],
        "i p",
        "p g",
        "p t",
    )
    gain, text = negotiate(p.graph).problems
    assert [str(fix) for fix in gain.fixes] == [
        "insert AudioFormatConvert {format: F32} between p:out and g:in"
    ]
    assert text.message.endswith("another media type")
    assert text.fixes == ()


def test_many_faults_take_no_longer_than_they_must() -> None:
    nodes, edges = [], []
    for n in range(1000):
        if n % 2:
            nodes.append(node(f"n{n}", "AudioResample", target_rate=48000))
        else:
            nodes.append(node(f"n{n}", "PassThrough", "audio(sample_rate=44100)"))
        if n:
            edges.append(f"n{n - 1} n{n}")
    graph = load(nodes, *edges).graph
    problems = negotiate(graph).problems
    assert len(problems) == 499
    assert all(problem.fixes for problem in problems)
    assert any(isinstance(problem.fixes[0], Change) for problem in problems)


def test_a_failure_in_a_branch_is_that_of_its_node() -> None:
    @rm.node("ReviewTwice", input_caps="text", output_caps="text")
    def twice(text: rm.Text) -> list[rm.Text]:
        return [text, text]

    @rm.node("ReviewBad", input_caps="text", output_caps="text")
    def bad(text: rm.Text) -> rm.Text:
        raise ValueError("no")

    for kind in ("ReviewTwice", "PassThrough"):
        p = load(
            [
                node("g", kind),
                node("a", "PassThrough"),
                node("bad", "ReviewBad"),
                node("d", "PassThrough"),
            ],
            "g a",
            "a bad",
            "a d",
        )
        with pytest.raises(NodeError, match=r"node 'bad' \(bad\) raised ValueError: no"):
            list(p.run([rm.Text("x")]))


class Interleaved(rm.Node):
    """Wants what no audio of ours is."""

    input_caps = "audio(sample_rate=8000, layout=interleaved)"
    output_caps = "audio"

    def process(self, audio: rm.Audio) -> rm.Audio:
        return audio


class Wav(rm.Node):
    """Wants to know the type."""

    input_caps = "binary(mime_type=audio/wav)"
    output_caps = "binary"

    def process(self, data: rm.Binary) -> rm.Binary:
        return data


rm.registry.default_registry().add("ReviewInterleaved", Interleaved)
rm.registry.default_registry().add("ReviewWav", Wav)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("ReviewInterleaved", rm.Audio(np.zeros(4, np.float32), 8000)),
        ("ReviewInterleaved", rm.Audio(np.zeros(480, np.float32), 48000)),
        ("ReviewWav", rm.Binary(b"x")),
    ],
)
@pytest.mark.parametrize("auto", [False, True])
def test_what_no_format_tells_is_refused_all_the_same(kind: str, data: rm.Data, auto: bool) -> None:
    with pytest.raises(FormatError):
        list(load([node("n", kind)], auto=auto).run([data]))
    behind = load([node("p", "PassThrough"), node("n", kind)], "p n", auto=auto)
    with pytest.raises(FormatError):
        list(behind.run([data]))


class Odd(rm.Node):
    """Its rule is broken, in one of several ways."""

    input_caps: ClassVar = "audio"
    output_caps: ClassVar = "audio"
    gives: ClassVar[object] = None

    @classmethod
    def output_formats(cls, params, inputs):
        return 1 / 0 if cls.gives == "raises" else cls.gives


rm.registry.default_registry().add("ReviewOdd", Odd)


@pytest.mark.parametrize("gives", ["raises", None, {"out": "audio"}, 3])
def test_broken_rules_of_nodes_are_named(gives: object) -> None:
    Odd.gives = gives
    with pytest.raises(CapsError, match=r"node 'odd' \(ReviewOdd\): its output_formats\(\)"):
        load([node("odd", "ReviewOdd")]).plan()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"type": "tensor", "shape": [1, "n", "?"]}, "tensor(shape=(1, n, ?))"),
        (
            {"type": "tensor", "shape": "(1, n)", "dtype": "float32"},
            "tensor(shape=(1, n), dtype=float32)",
        ),
        ({"type": "any"}, "any"),
        ({"audio": {"format": ["F32", "I16"]}}, "audio(format=[F32, I16])"),
    ],
)
def test_caps_as_plain_data(given: object, text: str) -> None:
    assert read_caps(given) == parse_caps(text)


@pytest.mark.parametrize("given", [{"type": ["audio"]}, {"type": None}, [], 3, {"audio": 3}, {}])
def test_what_is_no_caps(given: object) -> None:
    with pytest.raises(CapsError):
        read_caps(given)


def test_ids_of_many_converters_stay_within_the_bound() -> None:
    taken: set[str] = set()
    ids = [new_ids("x" * 64, ["AudioResample"], taken)[0] for _ in range(1200)]
    assert len(set(ids)) == 1200
    assert max(map(len, ids)) <= 64
    Graph.build(
        rm.Manifest(nodes=tuple(rm.manifest.NodeSpec(id=i, node_type="PassThrough") for i in ids))
    )


def test_a_node_of_source_that_has_no_module() -> None:
    space: dict[str, object] = {"rm": rm, "__name__": None}
    exec(  # noqa: S102 - as a notebook or a page does
        "@rm.node('ReviewNameless', input_caps='audio', output_caps='audio(sample_rate=16000)')\n"
        "def nameless(audio):\n    return audio\n",
        space,
    )
    p = load(
        [node("n", "ReviewNameless"), node("c", "AudioLevel", "audio(sample_rate=16000)")], "n c"
    )
    assert p.plan().formats.unproven == {("c", "in")}
