"""Every registered node keeps to the contract; every data type and executor is in its table."""

import inspect
from pathlib import Path

import msgspec
import numpy as np
import pytest

import remotemedia as rm
from onnx_writer import doubling
from remotemedia.caps import parse_caps
from remotemedia.data import Audio, Json
from remotemedia.node import Node, broken_contract, make_params
from remotemedia.registry import default_registry
from remotemedia.testing.conformance import (
    ConformanceError,
    check_formats,
    check_node,
    example_nodes,
    sample_data,
    undescribed_params,
)

REGISTRY = default_registry()
BUILT_IN = [name for name in REGISTRY.names() if REGISTRY.info(name).origin == "built-in"]
SPOKEN = [
    Json({"event": "start", "start_us": 900_000}, stream_id="stream"),
    Json({"event": "end", "start_us": 900_000, "end_us": 2_100_000}, stream_id="stream"),
    *sample_data(parse_caps("audio(format=F32)")),
]
SPEECH = np.load(Path(__file__).parents[2] / "golden/nodes/analysis/speech.npy").astype(np.float32)
TALK = [
    Audio(SPEECH[None, start : start + 3_000] / 32768, 8_000, stream_id="stream")
    for start in range(0, len(SPEECH), 3_000)
]
WORDS = [("It", 0, 300), ("was", 300, 600), ("the", 700, 900), ("best.", 900, 1500)]
SAID = [
    Json(
        {
            "event": "final",
            "segment": segment,
            "text": "It was the best.",
            "start_us": segment * 2_000_000,
            "end_us": segment * 2_000_000 + 1_500_000,
            "words": [
                {
                    "text": f" {word}",
                    "start_us": segment * 2_000_000 + start * 1000,
                    "end_us": segment * 2_000_000 + end * 1000,
                    "probability": 0.9,
                }
                for word, start, end in WORDS
            ],
        },
        stream_id="stream",
    )
    for segment in (1, 2)
]
ASKED = [
    Json({"event": "start", "start_us": 900_000}, stream_id="stream"),
    Json({"event": "end", "start_us": 900_000, "end_us": 2_100_000}, stream_id="stream"),
    *sample_data(parse_caps("audio(sample_rate=16000, format=F32)")),
]
INPUTS = {
    "Captions": SAID,
    "SileroVAD": TALK,
    "AudioBufferAccumulator": SPOKEN,
    "SpeculativeAudioCommit": SPOKEN,
    "TurnDetector": ASKED,
    "Calculator": [
        Json({"operation": "add", "operands": [1, 2]}),
        Json({"operation": "multiply", "operands": [3, 0.5]}),
    ],
}
"""Where caps do not say all that a node wants."""


@pytest.fixture(scope="module", autouse=True)
def _model(tmp_path_factory):
    """The model that has to be named: ``y = x + x``, on windows of 10 ms."""
    model = tmp_path_factory.mktemp("models") / "m.onnx"
    model.write_bytes(doubling(("n",)))
    PARAMS["OnnxNode"] = {"model": str(model)}


PARAMS = {"WakeWord": {"threshold": 0.0}}  # any sound is the word


def defaults(cls):
    """A node's default parameters, with those that have none."""
    return make_params(cls, PARAMS.get(cls.__name__, {}))


def example_params(cls):
    """The parameters of each example, checked as a manifest's are."""
    for text in example_nodes(cls):
        pipeline = rm.Pipeline.load(f"version: v1\nnodes:\n  {text}\nconnections: []\n")
        (node,) = pipeline.graph.nodes.values()
        if node.cls is cls:  # an example may show what stands before it
            given = PARAMS.get(cls.__name__, {})
            yield msgspec.structs.replace(node.params, **given)


@pytest.mark.parametrize("name", BUILT_IN)
class TestEveryNode:
    def test_is_declared_well(self, name):
        cls = REGISTRY.find(name)
        assert broken_contract(cls) == ""
        assert cls.__name__ == name
        assert "Latency" in cls.__doc__
        assert undescribed_params(cls) == []
        assert cls.Params.__struct_config__.frozen
        assert set(cls.aliases.values()) <= set(cls.Params.__struct_fields__)

    def test_has_examples_that_load(self, name):
        assert list(example_params(REGISTRY.find(name)))

    async def test_lives_with_default_parameters(self, name, clock):
        cls = REGISTRY.find(name)
        assert await check_node(cls, clock, params=defaults(cls), inputs=INPUTS.get(name))

    async def test_lives_with_the_parameters_of_its_examples(self, name, clock):
        cls = REGISTRY.find(name)
        for params in example_params(cls):
            assert await check_node(cls, clock, params=params, inputs=INPUTS.get(name))

    async def test_nothing_in_nothing_out_but_a_tail(self, name, clock):
        cls = REGISTRY.find(name)
        node = cls(defaults(cls))
        tail = node.finish()
        if inspect.isasyncgen(tail):
            assert [each async for each in tail] == []
        else:
            assert list((await tail if inspect.isawaitable(tail) else tail) or ()) == []

    async def test_fan_out_shares_one_object(self, name):
        if not REGISTRY.find(name).output_ports(defaults(REGISTRY.find(name))):
            return
        pipeline = rm.Pipeline()
        pipeline.add(name, id="node", **PARAMS.get(name, {}))
        pipeline.add("PassThrough", id="a")
        pipeline.add("PassThrough", id="b")
        pipeline.connect("node", "a").connect("node", "b")
        cls = REGISTRY.find(name)
        caps = next(iter(cls.input_ports(defaults(cls)).values()))
        received = {"a": [], "b": []}
        async for packet in pipeline.arun(INPUTS.get(name) or sample_data(caps)):
            if packet.node in received:
                received[packet.node].append(packet.data)
        assert received["a"]
        assert all(a is b for a, b in zip(received["a"], received["b"], strict=True))


@pytest.mark.parametrize("name", [name for name in BUILT_IN if INPUTS.get(name, SPOKEN) is SPOKEN])
async def test_every_node_gives_what_it_says_for_all_that_it_accepts(name, clock):
    cls = REGISTRY.find(name)
    tried = [
        await check_formats(cls, clock, params=params)
        for params in (defaults(cls), *example_params(cls))
    ]
    audio = any(
        item.media == "audio" for item in cls.input_ports(defaults(cls))["in"].formats or ()
    )
    fixed = name == "OnnxNode"  # its parameters say the one format
    assert min(tried) >= (5 if audio and not fixed else 1), tried


# -- the suite finds what it is for --------------------------------------------------------------


class Bad(Node):
    input_caps = "audio(format=F32)"
    output_caps = "audio"

    def process(self, audio):
        return audio


class Changes(Bad):
    def process(self, audio):
        audio.samples.setflags(write=True)
        audio.samples[:] = 1
        audio.samples.setflags(write=False)


class Lies(Bad):
    def process(self, audio):
        return rm.Text("x")


class Bare(Bad):
    def process(self, audio):
        return [audio.samples]


class Writable(Bad):
    def process(self, audio):
        return rm.Audio.unchecked(np.zeros((1, 2), np.float32), 8000)


class Remembers(Bad):
    count = 0

    def process(self, audio):
        self.count += 1
        return audio.replace(pts_us=self.count)


class Narrow(Bad):
    """Accepts more than it can do."""

    def process(self, audio):
        if audio.channels > 2:
            raise ValueError("too many")
        return audio


class Mono(Bad):
    """Says that it keeps the format."""

    capabilities = "passthrough"

    def process(self, audio):
        return audio.with_samples(audio.samples[:1].copy())


@pytest.mark.parametrize(
    ("cls", "problem"),
    [
        (Narrow, "Narrow refused audio(sample_rate=16000, channels=3, format=F32): ValueError"),
        (Mono, "channels=2, format=F32), but gave {'sample_rate': 16000, 'channels': 1"),
    ],
)
async def test_formats_that_are_not_as_declared(cls, problem, clock):
    with pytest.raises(ConformanceError) as raised:
        await check_formats(cls, clock)
    assert problem in str(raised.value)


class NoPort(Bad):
    def process(self, audio):
        return rm.Emit("side", audio)


@pytest.mark.parametrize(
    ("cls", "problem"),
    [
        (Changes, "Changes changed its input"),
        (Lies, "Lies declares out as audio, not Text"),
        (Bare, "Bare emitted array"),
        (Writable, "Writable emitted Audio.samples that is writable or not C-contiguous"),
        (Remembers, "Remembers gives other results after reset() than when it was opened"),
        (NoPort, "NoPort emitted on port 'side', which it has not"),
    ],
)
async def test_breaches_are_found(cls, problem, clock):
    with pytest.raises(ConformanceError) as caught:
        await check_node(cls, clock)
    assert str(caught.value).startswith(problem)
