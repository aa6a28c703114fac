"""Run: what comes out of a finite input, in which order, and what is counted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.errors import (
    AddressError,
    AsyncGraphError,
    FormatError,
    NodeError,
    NodeOutputError,
)
from session_nodes import Log, pipeline, seen, texts


@pytest.fixture(autouse=True)
def _log() -> None:
    Log.lines = []


def test_a_chain_hands_each_item_on() -> None:
    p = pipeline("a:PassThrough b:PassThrough c:PassThrough", "a b", "b c")
    assert seen(p.run(texts("x", "y"))) == [("c", "x", 0, 0), ("c", "y", 1, 0)]


def test_one_object_is_shared_by_a_fan_out() -> None:
    p = pipeline("a:PassThrough b:PassThrough c:PassThrough", "a b", "a c")
    (text,) = texts("x")
    assert [packet.data for packet in p.run([text])] == [text, text]
    assert all(packet.data is text for packet in p.run([text]))


def test_branches_run_depth_first_in_written_order() -> None:
    p = pipeline(
        "r:TestRepeat a:TestTraced b:TestTraced c:TestTraced",
        "r b",
        "r a",
        "b c",
        a={"name": "a"},
        b={"name": "b"},
        c={"name": "c"},
    )
    packets = p.run(texts("x"))
    assert seen([next(packets)]) == [("c", "x.0", 0, 0)]
    # The first output is out before the branch beside it runs and the second item is computed.
    assert Log.lines == ["open a", "open b", "open c", "compute x.0", "b x.0", "c x.0"]
    rest = [packet for packet in packets if "tail" not in packet.data.text]
    assert seen(rest) == [("a", "x.0", 0, 0), ("c", "x.1", 0, 1), ("a", "x.1", 0, 1)]
    work = [line for line in Log.lines if " x" in line]
    assert work == [
        "compute x.0",
        "b x.0",
        "c x.0",
        "a x.0",
        "compute x.1",
        "b x.1",
        "c x.1",
        "a x.1",
    ]


def test_items_of_a_list_in_the_middle_of_a_chain() -> None:
    p = pipeline("a:PassThrough l:TestList m:TestList z:PassThrough", "a l", "l m", "m z")
    assert seen(p.run(texts("x"))) == [
        ("z", "xaa", 0, 0),
        ("z", "xab", 0, 1),
        ("z", "xba", 0, 2),
        ("z", "xbb", 0, 3),
    ]


def test_named_ports_and_dropped_items() -> None:
    p = pipeline("s:TestOdd o:PassThrough", "s:odd o")
    assert seen(p.run(texts("0", "1", "2", "3"))) == [
        ("o", "1", 1, 0),
        ("s", "2", 2, 0),
        ("o", "3", 3, 0),
    ]
    assert [packet.port for packet in p.run(texts("1", "2"))] == ["out", "even"]


def test_several_inputs_by_port() -> None:
    p = pipeline("a:TestRepeat t:TestTwo", "a t:right", "a t:left")
    assert [packet.data.text for packet in p.run(texts("x"))] == [
        "right x.0",
        "left x.0",
        "right x.1",
        "left x.1",
    ]


def test_fan_in_is_packet_wise_and_numbers_what_stems_from_one_send() -> None:
    p = pipeline("a:PassThrough b:PassThrough c:TestList d:PassThrough", "a b", "a c", "b d", "c d")
    assert seen(p.run(texts("x"))) == [("d", "x", 0, 0), ("d", "xa", 0, 1), ("d", "xb", 0, 2)]


def test_output_nodes_reach_the_client_though_they_are_connected() -> None:
    p = rm.Pipeline()
    p.add("PassThrough", id="a", is_output_node=True)
    p.add("PassThrough", id="b")
    p.connect("a", "b")
    assert seen(p.run(texts("x"))) == [("a", "x", 0, 0), ("b", "x", 0, 0)]


def test_life_in_topological_order_and_tails_pass_downstream() -> None:
    p = pipeline("b:TestTraced a:TestTraced", "a b", a={"name": "a"}, b={"name": "b"})
    assert seen(p.run(texts("x"))) == [
        ("b", "x", 0, 0),
        ("b", "tail of a", 0, 1),
        ("b", "tail of b", 0, 2),
    ]
    assert Log.lines == [
        "open a",
        "open b",
        "a x",
        "b x",
        "finish a",
        "b tail of a",
        "finish b",
        "close a",
        "close b",
    ]


def test_nodes_are_closed_when_the_caller_stops_early() -> None:
    p = pipeline("a:TestTraced", a={"name": "a"})
    packets = p.run(texts("x", "y"))
    next(packets)
    packets.close()
    assert Log.lines == ["open a", "a x", "close a"]


def test_a_source_needs_no_input() -> None:
    p = pipeline("s:TestCount a:PassThrough", "s a")
    assert seen(p.run()) == [("a", "0", 0, 0), ("a", "1", 1, 0), ("a", "2", 2, 0)]


def test_several_sources_take_turns() -> None:
    p = pipeline("s:TestCount t:TestCount a:PassThrough", "s a", "t a", t={"count": 2})
    assert [packet.data.text for packet in p.run()] == ["0", "0", "1", "1", "2"]


def test_sending_to_one_node() -> None:
    p = pipeline("a:TestList b:PassThrough", "a b")
    assert seen(p.run(texts("x"), to="b")) == [("b", "x", 0, 0)]
    metrics = p.run(texts("x", "y"), to="b")
    list(metrics)
    edges = {(edge.source, edge.target): edge.delivered for edge in metrics.metrics().edges}
    assert edges == {("a:out", "b:in"): 0, ("client", "b:in"): 2, ("b:out", "client"): 2}


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("bb", "there is no node 'bb' (nodes: a, s)"),
        ("a:inn", "'a' (PassThrough) has no input port 'inn'; did you mean 'in'?"),
        ("s", "'s' (TestCount) is a source: nothing can be sent to it"),
    ],
)
def test_wrong_addresses(to: str, message: str) -> None:
    with pytest.raises(AddressError) as caught:
        pipeline("a:PassThrough s:TestCount").run(to=to)
    assert str(caught.value) == message


def test_by_default_every_entry_that_accepts_the_type() -> None:
    p = pipeline("t:TestRepeat g:Gain any:PassThrough")
    assert [packet.node for packet in p.run(texts("x"))] == ["t", "t", "any"]
    assert [packet.node for packet in p.run([rm.Audio(np.zeros(4), 8000)])] == ["g", "any"]


def test_input_that_nothing_accepts() -> None:
    p = pipeline("g:Gain")
    with pytest.raises(AddressError, match="nothing here accepts text: g:in accepts audio"):
        list(p.run(texts("x")))
    with pytest.raises(AddressError, match="a str cannot be sent: wrap it"):
        list(p.run(["x"]))  # type: ignore[list-item]
    with pytest.raises(FormatError, match=r"insert AudioFormatConvert \{format: F32\}"):
        list(p.run([rm.Audio(np.zeros(4, np.int16), 8000)]))


def test_skipping_bad_input_keeps_the_good() -> None:
    run = pipeline("g:PassThrough f:TestFail", "g f").run(
        [*texts("a", "bad"), "no data", *texts("b")],  # type: ignore[list-item]
        on_error="skip",
    )
    assert seen(run) == [("f", "a", 0, 0), ("f", "b", 3, 0)]
    assert [(event.node, event.sequence, event.error.code) for event in run.events] == [
        ("f", 1, "node"),
        (None, 2, "address"),
    ]
    assert "ZeroDivisionError: no such luck" in run.events[0].traceback
    nodes = {node.node: (node.count, node.errors) for node in run.metrics().nodes}
    assert nodes == {"g": (3, 0), "f": (3, 1)}


def test_a_failing_node_raises_with_its_name() -> None:
    with pytest.raises(NodeError) as caught:
        list(pipeline("g:PassThrough f:TestFail", "g f").run(texts("bad")))
    assert str(caught.value) == "node 'f' (fail) raised ZeroDivisionError: no such luck"
    assert caught.value.node == "f"
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_what_was_emitted_before_a_failure_stays_emitted() -> None:
    run = pipeline("f:TestFailLate z:PassThrough", "f z").run(texts("a", "b"), on_error="skip")
    assert seen(run) == [("z", "a", 0, 0), ("z", "b", 1, 0)]
    assert [(event.node, event.sequence) for event in run.events] == [("f", 0), ("f", 1)]
    nodes = {node.node: (node.count, node.errors) for node in run.metrics().nodes}
    assert nodes == {"f": (2, 2), "z": (2, 0)}


def test_a_failing_branch_leaves_the_others_alone() -> None:
    p = pipeline("a:PassThrough f:TestFail b:PassThrough", "a f", "a b")
    run = p.run(texts("bad", "good"), on_error="skip")
    assert seen(run) == [("b", "bad", 0, 0), ("f", "good", 1, 0), ("b", "good", 1, 0)]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("str", "emitted a str, not data: wrap it: Text(...)"),
        ("bytes", "emitted a bytes, not data: wrap it: Binary(...)"),
        ("dict", "emitted a dict, not data: wrap it: Json(...)"),
        ("array", "emitted a ndarray, not data: wrap it: Audio(samples, sample_rate)"),
        ("number", "emitted a int, not data: return None, a Data, an Emit"),
        ("in a list", "emitted a str, not data: wrap it: Text(...)"),
        ("port", "emitted on port 'nowhere'; its output ports are out"),
        ("class", "not data"),
    ],
)
def test_outputs_that_are_no_data(kind: str, message: str) -> None:
    with pytest.raises(NodeOutputError) as caught:
        list(pipeline("w:TestWrong").run(texts(kind)))
    assert str(caught.value).startswith("node 'w' (wrong) emitted")
    assert message in str(caught.value)


def test_data_of_a_wrong_format_from_a_foreign_node_is_refused_where_it_arrives() -> None:
    @rm.node("TestLiar", input_caps="text", output_caps="audio(format=F32)")
    def liar(text: rm.Text) -> rm.Data:
        return text

    with pytest.raises(FormatError) as caught:
        list(pipeline("w:TestLiar g:Gain", "w g").run(texts("x")))
    assert str(caught.value) == "g:in accepts audio(format=F32), but was given text"


def test_an_async_graph_is_refused_and_arun_named() -> None:
    with pytest.raises(AsyncGraphError, match=r"node 's' is async.*pipeline\.arun"):
        pipeline("s:TestSlow").run(texts("x"))


def test_an_open_that_fails_closes_what_was_opened() -> None:
    @rm.node("TestNoOpen")
    class NoOpen(rm.Node):
        def open(self, ctx: rm.Context) -> None:
            raise OSError("no device")

    with pytest.raises(NodeError, match=r"node 'b' .* raised OSError: no device"):
        list(pipeline("a:TestTraced b:TestNoOpen", "a b", a={"name": "a"}).run(texts("x")))
    assert Log.lines == ["open a", "close a"]


def test_counts_on_every_node_and_edge() -> None:
    p = pipeline("a:PassThrough l:TestList f:TestFail z:PassThrough", "a l", "l f", "f z", "a z")
    p2 = p.run(texts("x", "y"), on_error="skip")
    list(p2)
    metrics = p2.metrics()
    assert {node.node: node.count for node in metrics.nodes} == {"a": 2, "l": 2, "f": 4, "z": 6}
    edges = {(edge.source, edge.target): edge.delivered for edge in metrics.edges}
    assert edges == {
        ("a:out", "l:in"): 2,
        ("l:out", "f:in"): 4,
        ("f:out", "z:in"): 4,
        ("a:out", "z:in"): 2,
        ("client", "a:in"): 2,
        ("z:out", "client"): 6,
    }
    assert all(edge.entered == edge.delivered for edge in metrics.edges)
    assert all(node.latency.max_us >= node.latency.p50_us > 0 for node in metrics.nodes)


def test_latency_is_that_of_the_profiling_clock() -> None:
    """Every reading of this clock is one ms after the one before."""
    from remotemedia.session.run import Run

    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.001
        return now

    p = pipeline("a:PassThrough b:PassThrough r:TestRepeat", "a b", "b r")
    run = Run(p.plan(), texts(*"x" * 5000), clock=clock)
    assert len(list(run)) == 10000
    nodes = {node.node: node for node in run.metrics().nodes}
    assert {name: node.count for name, node in nodes.items()} == {"a": 5000, "b": 5000, "r": 5000}
    assert nodes["a"].latency.max_us == pytest.approx(1000)
    assert nodes["b"].latency.p50_us == pytest.approx(1000, rel=0.032)
    # Two items and the end: three times asked, each between two readings.
    assert nodes["r"].latency.max_us == pytest.approx(3000)


def test_a_long_chain_needs_no_recursion() -> None:
    count = 3000
    p = rm.Pipeline.load(
        {
            "version": "v1",
            "nodes": [{"id": f"n{i}", "node_type": "PassThrough"} for i in range(count)],
            "connections": [{"from": f"n{i}", "to": f"n{i + 1}"} for i in range(count - 1)],
        }
    )
    run = p.run(texts("x", "y"))
    assert seen(run) == [(f"n{count - 1}", "x", 0, 0), (f"n{count - 1}", "y", 1, 0)]
    assert {node.count for node in run.metrics().nodes} == {2}


def test_a_queue_needs_no_event_loop_in_a_run() -> None:
    from remotemedia.manifest import Queue

    p = rm.Pipeline()
    p.add("TestList", id="a")
    p.add("PassThrough", id="b")
    p.connect("a", "b", queue=Queue(capacity=1, overflow="drop_oldest"))
    assert [packet.data.text for packet in p.run(texts("x"))] == ["xa", "xb"]


def test_every_run_is_the_same() -> None:
    p = pipeline("r:TestRepeat a:TestList b:PassThrough z:PassThrough", "r a", "r b", "b z", "a z")
    first = seen(p.run(texts("x", "y", "z")))
    assert all(seen(p.run(texts("x", "y", "z"))) == first for _ in range(5))


def test_a_generator_without_end_does_not_fill_the_memory() -> None:
    @rm.node("TestForever", input_caps="text", output_caps="text")
    def forever(text: rm.Text) -> Iterator[rm.Text]:
        while True:
            yield text

    run = pipeline("f:TestForever a:PassThrough b:PassThrough", "f a", "a b").run(texts("x"))
    for _ in range(20_000):
        next(run)
    kept = sum(len(chain.stamps) for chain in run._island._chains)
    run.close()
    assert kept <= 3 * 2048


def test_on_error_is_one_of_two_words() -> None:
    with pytest.raises(rm.RemoteMediaError, match="on_error is 'raise' or 'skip', not 'ignore'"):
        pipeline("a:PassThrough").run(on_error="ignore")  # type: ignore[arg-type]
