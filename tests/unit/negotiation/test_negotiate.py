"""What declared formats say about each edge before anything runs."""

import random
from typing import ClassVar

import pytest

from remotemedia.caps import parse_caps
from remotemedia.errors import NegotiationLimitError
from remotemedia.graph import Graph
from remotemedia.manifest import Connection, Manifest, NodeSpec
from remotemedia.negotiation import negotiate
from remotemedia.node import Node
from remotemedia.registry import Registry


def kind(name, inputs, outputs, capabilities="static", ours=True, relations=()):
    body = {
        "relations": relations,
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
    kind("Pass", "any", "any", "passthrough"),
    kind("Sink", "audio", {}),
    kind("Through", "audio", "audio", "passthrough"),
    kind("Words", "text", "text"),
    kind("Theirs", "audio", "audio(sample_rate=16000, format=F32)", ours=False),
    kind("Flexible", "audio", "audio(sample_rate=8000..96000)", "adaptive"),
    kind("Listed", "audio", "audio(sample_rate=[44100, 24000, 8000])", "adaptive"),
    kind("At16k", "audio(sample_rate=16000)", {}),
    kind("At48k", "audio(sample_rate=48000)", {}),
    kind("Upto24k", "audio(sample_rate=8000..24000)", {}),
    kind("Found", "audio", "audio(sample_rate=[16000, 48000])", "runtime_discovered"),
    kind(
        "Third",
        "audio(format=F32)",
        "audio(format=F32)",
        relations=("out.sample_rate = in.sample_rate / 3", "out = in except sample_rate"),
    ),
    kind(
        "Mixer",
        {"left": "audio", "right": "audio"},
        "audio",
        relations=("right = left", "out = left"),
    ),
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
        return negotiate(Graph.build(Manifest(nodes=nodes, connections=connections), registry))

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
    formats = check("mic>s rate>s", mic="Mic", rate="To16k", s="Sink")
    assert formats.problems == ()
    assert str(formats.inputs["s", "in"]) == (
        "audio(sample_rate=48000, channels=2, format=F32) | audio(sample_rate=16000, format=F32)"
    )
    assert check("mic>a x>a", mic="Mic", x="Any", a="Any").inputs["a", "in"].is_any


def test_what_hands_its_format_on_is_fed_one_format(check):
    (problem,) = check("mic>t rate>t", mic="Mic", rate="To16k", t="Through").problems
    assert problem.message == (
        "rate:out → t:in: t:in (Through) hands the format on, so all that is connected to it has "
        "to have the same, but mic:out (Mic) produces audio(sample_rate=48000, channels=2, "
        "format=F32), and rate:out (To16k) produces audio(sample_rate=16000, format=F32): "
        "sample_rate is 16000 but must be 48000; "
        "insert AudioResample {target_rate: 48000} between them"
    )
    assert problem.path == ("connections", 1)


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
    outputs = negotiate(Graph.build(Manifest(nodes=nodes), registry)).outputs
    assert {port: str(caps) for (_, port), caps in outputs.items()} == {
        "a": "text(format=plain)",
        "b": "json",
    }


def carried(formats):
    return {str(edge): str(caps) for edge, caps in formats.edges.items()}


def test_a_node_that_adapts_takes_what_all_its_consumers_accept(check):
    formats = check("mic>f f>a f>b", mic="Mic", f="Flexible", a="Upto24k", b="Vad")
    assert formats.problems == ()
    assert carried(formats)["f:out → a:in"].startswith("audio(sample_rate=16000")
    assert formats.unproven == frozenset()


def test_what_two_consumers_accept_can_contradict_each_other(check):
    (problem,) = check("mic>f f>a f>b", mic="Mic", f="Flexible", a="At16k", b="At48k").problems
    assert problem.message == (
        "f:out → b:in: f:out has one format for all that it is connected to, but a:in (At16k) "
        "accepts audio(sample_rate=16000), and b:in (At48k) accepts audio(sample_rate=48000): "
        "sample_rate is 16000 but must be 48000; "
        "insert AudioResample {target_rate: 48000} between them"
    )
    assert problem.path == ("connections", 2)


def test_nodes_that_keep_the_format_stand_between_without_harm(check):
    """The reference system does not solve this: passthrough between adaptive and static."""
    formats = check(
        "mic>f f>t t>u u>vad", mic="Mic", f="Flexible", t="Through", u="Through", vad="Vad"
    )
    assert formats.problems == ()
    assert str(formats.outputs["f", "out"]) == ("audio(sample_rate=16000, channels=2, format=F32)")


def test_what_is_nearest_to_the_input_is_chosen(check):
    def chosen(kind, **more):
        edges = "mic>f f>t" if not more else "mic>f f>t t>c"
        return str(check(edges, mic="Mic", f=kind, t="Through", **more).outputs["f", "out"])

    assert chosen("Flexible").startswith("audio(sample_rate=48000, channels=2")
    assert chosen("Flexible", c="Upto24k").startswith("audio(sample_rate=24000")
    assert chosen("Listed").startswith("audio(sample_rate=44100")  # nothing above 48000
    assert chosen("Listed", c="Upto24k").startswith("audio(sample_rate=24000")


def test_rates_in_proportion_both_ways(check):
    formats = check("mic>t t>vad", mic="Mic", t="Third", vad="Vad")
    assert formats.problems == ()
    assert str(formats.outputs["t", "out"]) == "audio(sample_rate=16000, channels=2, format=F32)"
    backwards = check("t>vad", t="Third", vad="Vad")
    assert str(backwards.inputs["t", "in"]) == "audio(sample_rate=48000, format=F32)"
    (problem,) = check("mic>t t>c", mic="Mic", t="Third", c="At48k").problems
    assert "produces audio(sample_rate=16000" in problem.message


def test_inputs_that_have_to_be_alike(check):
    assert check("mic>m:left x>m:right", mic="Mic", x="Any", m="Mixer").problems == ()
    (problem,) = check("mic>m:left r>m:right", mic="Mic", r="To16k", m="Mixer").problems
    assert "mic:out (Mic) produces audio(sample_rate=48000" in problem.message
    assert "r:out (To16k) produces audio(sample_rate=16000" in problem.message


def test_several_media_types_may_meet_where_the_format_is_kept(check):
    formats = check("vad:segments>a mic>a", vad="Vad", mic="Mic", a="Pass")
    assert formats.problems == ()
    assert {item.media for item in formats.outputs["a", "out"].formats} == {"json", "audio"}


def test_what_is_found_out_only_at_run_time_is_checked(check):
    formats = check("mic>f f>a", mic="Mic", f="Found", a="At16k")
    assert formats.problems == ()
    assert formats.unproven == {("a", "in")}
    (problem,) = check("f>a f>b", f="Found", a="At16k", b="At48k").problems
    assert problem.path == ("connections", 1)


def test_every_edge_says_why(check):
    formats = check("mic>f f>t t>vad", mic="Mic", f="Flexible", t="Through", vad="Vad")
    last = formats.explain([*formats.edges][-1])
    assert (last.edge, last.format) == (
        "t:out → vad:in",
        "audio(sample_rate=16000, channels=2, format=F32)",
    )
    assert last.steps == (
        "f:out (Flexible) can produce audio(sample_rate=8000..96000)",
        "vad:in (Vad) accepts audio(sample_rate=16000, format=F32)",
        "f:out (Flexible) adapts: audio(sample_rate=16000, channels=2, format=F32) is chosen, "
        "nearest to audio(sample_rate=48000, channels=2, format=F32) that it is fed",
    )


def test_the_order_in_the_manifest_changes_nothing(check):
    kinds = {"mic": "Mic", "f": "Flexible", "t": "Through", "a": "Upto24k", "vad": "Vad"}
    edges = ["mic>f", "f>t", "t>a", "t>vad"]
    expected = carried(check(" ".join(edges), **kinds))
    for turn in range(len(edges)):
        turned = [*edges[turn:], *edges[:turn]]
        names = dict([*list(kinds.items())[turn:], *list(kinds.items())[:turn]])
        assert carried(check(" ".join(turned), **names)) == expected


def test_too_many_alternatives_are_refused_within_the_bound():
    many = " | ".join(f"audio(sample_rate={8000 + n})" for n in range(60))
    other = " | ".join(f"audio(channels=[{n + 1}, {n + 2}])" for n in range(60))
    registry = Registry({}, {})
    keeps = "out = in except format"
    registry.add("A", kind("A", "any", many))
    registry.add("B", kind("B", "audio", other, relations=(keeps,)))
    nodes = (NodeSpec(id="a", node_type="A"), NodeSpec(id="b", node_type="B"))
    manifest = Manifest(nodes=nodes, connections=(Connection(source="a", target="b"),))
    with pytest.raises(NegotiationLimitError, match="more than 256 alternative formats"):
        negotiate(Graph.build(manifest, registry))


def test_products_of_alternatives_are_bounded_all_along_a_chain():
    """Each of 60 nodes offers six sets that overlap with all others: products without end."""
    rng = random.Random(0)
    registry = Registry({}, {})
    nodes = []
    for n in range(60):
        fields = {"sample_rate": range(8000, 8040), "channels": range(1, 41)}
        many = " | ".join(
            f"audio({field}={sorted(rng.sample(pool, 30))})"
            for field, pool in fields.items()
            for _ in range(3)
        )
        registry.add(f"N{n}", kind(f"N{n}", many, many, "passthrough"))
        nodes.append(NodeSpec(id=f"n{n}", node_type=f"N{n}"))
    connections = [Connection(source=f"n{n}", target=f"n{n + 1}") for n in range(59)]
    manifest = Manifest(nodes=tuple(nodes), connections=tuple(connections))
    with pytest.raises(NegotiationLimitError, match="declare fewer alternatives"):
        negotiate(Graph.build(manifest, registry))
