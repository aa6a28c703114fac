"""What declared formats say about each edge before anything runs."""

from typing import ClassVar

import pytest

from remotemedia.caps import parse_caps
from remotemedia.graph import Graph
from remotemedia.manifest import Connection, Manifest, NodeSpec
from remotemedia.negotiation import check_declared
from remotemedia.node import Node
from remotemedia.registry import Registry


def kind(name, inputs, outputs, capabilities="static", ours=True):
    body = {
        "input_caps": inputs,
        "output_caps": outputs,
        "capabilities": capabilities,
        "process": lambda self, data, port="in": data,
        "__module__": "remotemedia.test" if ours else "elsewhere",
    }
    return type(name, (Node,), body)


KINDS = [
    kind("Mic", "audio", "audio(sample_rate=48000, channels=2, format=F32)"),
    kind("To16k", "audio(format=F32)", "audio(sample_rate=16000, format=F32)"),
    kind("Vad", "audio(sample_rate=16000, format=F32)", {"segments": "json", "audio": "audio"}),
    kind("Any", "any", "any"),
    kind("Through", "audio", "audio", "passthrough"),
    kind("Words", "text", "text"),
    kind("Theirs", "audio", "audio(sample_rate=16000, format=F32)", ours=False),
    kind("Two", {"left": "audio", "right": "text"}, "audio"),
]


@pytest.fixture(scope="module")
def registry():
    registry = Registry({}, {})
    for cls in KINDS:
        registry.add(cls.__name__, cls)
    return registry


@pytest.fixture
def check(registry):
    def run(edges, **types):
        nodes = tuple(NodeSpec(id=name, node_type=type_) for name, type_ in types.items())
        pairs = [edge.split(">") for edge in edges.split()]
        connections = tuple(Connection(source=a, target=b) for a, b in pairs)
        return check_declared(Graph.build(Manifest(nodes=nodes, connections=connections), registry))

    return run


def test_what_fits_is_proven(check):
    formats = check("mic>rate rate>vad", mic="Mic", rate="To16k", vad="Vad")
    assert formats.problems == ()
    assert formats.unproven == frozenset()
    assert str(formats.inputs["rate", "in"]) == "audio(sample_rate=48000, channels=2, format=F32)"
    assert str(formats.inputs["vad", "in"]) == "audio(sample_rate=16000, format=F32)"
    assert str(formats.outputs["vad", "segments"]) == "json"
    assert str(formats.inputs["mic", "in"]) == "audio"  # nothing feeds it: what it accepts


def test_a_mismatch_names_both_sides_the_field_and_the_converter(check):
    (problem,) = check("mic>vad", mic="Mic", vad="Vad").problems
    assert problem.message == (
        "mic:out (Mic) produces audio(sample_rate=48000, channels=2, format=F32), "
        "but vad:in (Vad) accepts audio(sample_rate=16000, format=F32): "
        "sample_rate is 48000 but must be 16000; "
        "insert AudioResample {target_rate: 16000} between them"
    )
    assert problem.path == ("connections", 0)


def test_a_mismatch_that_nothing_fixes(check):
    (problem,) = check("vad:segments>words", vad="Vad", words="Words").problems
    assert problem.message == (
        "vad:segments (Vad) produces json, but words:in (Words) accepts text: another media type"
    )


def test_all_mismatches_are_found(check):
    problems = check("mic>words mic>vad words>vad", mic="Mic", vad="Vad", words="Words").problems
    assert sorted(problem.path for problem in problems) == [
        ("connections", 0),
        ("connections", 1),
        ("connections", 2),
    ]


def test_what_may_not_fit_is_unproven(check):
    assert check("a>vad", a="Any", vad="Vad").unproven == {("vad", "in")}
    assert check("mic>a", mic="Mic", a="Any").unproven == frozenset()


def test_the_word_of_a_node_from_elsewhere_is_checked(check):
    formats = check("t>vad", t="Theirs", vad="Vad")
    assert formats.problems == ()
    assert formats.unproven == {("vad", "in")}


def test_passthrough_hands_the_format_on(check):
    formats = check("mic>t t>vad", mic="Mic", t="Through", vad="Vad")
    assert formats.outputs["t", "out"] == parse_caps(
        "audio(sample_rate=48000, channels=2, format=F32)"
    )
    (problem,) = formats.problems
    assert problem.message.startswith("t:out (Through) produces audio(sample_rate=48000")


def test_fan_in_carries_either(check):
    formats = check("mic>t rate>t", mic="Mic", rate="To16k", t="Through")
    assert str(formats.inputs["t", "in"]) == (
        "audio(sample_rate=48000, channels=2, format=F32) | audio(sample_rate=16000, format=F32)"
    )
    assert check("mic>a x>a", mic="Mic", x="Any", a="Any").inputs["a", "in"].is_any


def test_each_port_by_itself(check):
    formats = check("mic>two:left a>two:right", mic="Mic", a="Any", two="Two")
    assert formats.problems == ()
    assert formats.unproven == {("two", "right")}


class Odd(Node):
    input_caps: ClassVar = "any"
    output_caps: ClassVar = {"a": "text", "b": "json"}

    @classmethod
    def output_formats(cls, params, inputs):
        return {"a": parse_caps("text(format=plain)"), "no_such_port": parse_caps("any")}


def test_ports_that_output_formats_leaves_out_are_as_declared():
    registry = Registry({}, {})
    registry.add("Odd", Odd)
    nodes = (NodeSpec(id="o", node_type="Odd"),)
    outputs = check_declared(Graph.build(Manifest(nodes=nodes), registry)).outputs
    assert {port: str(caps) for (_, port), caps in outputs.items()} == {
        "a": "text(format=plain)",
        "b": "json",
    }
