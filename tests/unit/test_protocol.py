"""Messages between a client and a session."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

import remotemedia as rm
from remotemedia import protocol
from remotemedia.errors import ManifestError, NodeError, Problem

REQUESTS: Any = protocol.Request
ANSWERS: Any = protocol.Answer


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type":"load","id":1,"manifest":{"a":[1]}}', protocol.Load(1, {"a": [1]})),
        ('{"type":"load","id":1,"manifest":"x","name":"n"}', protocol.Load(1, "x", "n")),
        ('{"type":"start","id":2}', protocol.Start(2)),
        ('{"type":"send","id":3,"to":"a:in"}', protocol.Send(3, "a:in")),
        ('{"type":"read","id":4,"packets":0}', protocol.Read(4, 0)),
        ('{"type":"metrics","id":5}', protocol.GetMetrics(5)),
    ],
)
def test_requests_are_read(text: str, message: protocol.Message) -> None:
    assert protocol.decode(text, REQUESTS) == message


@pytest.mark.parametrize(
    "text",
    ['{"type":"lode","id":1}', '{"type":"start"}', '{"type":"start","id":"1"}', "[]", "{"],
)
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(msgspec.MsgspecError):
        protocol.decode(text, REQUESTS)


def test_answers_are_written_in_camel_case() -> None:
    info = protocol.ErrorInfo("node", "broke", "a", "in", "Traceback", ())
    text = protocol.encode(protocol.Happened("error", "a", None, 3, info, "broke"))
    assert json.loads(text) == {
        "type": "event",
        "kind": "error",
        "node": "a",
        "port": None,
        "sequence": 3,
        "error": {
            "code": "node",
            "message": "broke",
            "node": "a",
            "port": "in",
            "traceback": "Traceback",
            "problems": [],
        },
        "message": "broke",
        "fraction": None,
    }
    assert protocol.decode(text, ANSWERS).error == info


def test_an_error_of_ours_keeps_code_node_and_port() -> None:
    info = protocol.error_info(NodeError("broke", node="a", port="in"))
    assert (info.code, info.message, info.node, info.port) == ("node", "broke", "a", "in")
    assert info.traceback == ""


def test_the_cause_of_an_error_is_its_traceback() -> None:
    def fail() -> None:
        try:
            raise ZeroDivisionError("why")
        except ZeroDivisionError as error:
            raise NodeError("broke") from error

    with pytest.raises(NodeError) as caught:
        fail()
    assert "ZeroDivisionError: why" in protocol.error_info(caught.value).traceback


def test_any_other_error_is_internal_and_brings_its_traceback() -> None:
    info = protocol.error_info(KeyError("x"))
    assert (info.code, info.message) == ("internal", "KeyError: 'x'")
    assert "KeyError" in info.traceback


def test_all_problems_of_a_manifest_cross_with_their_places() -> None:
    error = ManifestError([Problem("bad", ("nodes", 3, "params"), 7, 9), Problem("worse")])
    assert protocol.error_info(error).problems == (
        protocol.ProblemInfo("bad", 7, 9, "nodes[3].params"),
        protocol.ProblemInfo("worse", None, None, "manifest"),
    )


def test_graph_info_tells_edges_with_their_formats() -> None:
    pipeline = rm.Pipeline()
    pipeline.add("AudioResample", id="r", target_rate=16000)
    pipeline.add("EnergyVAD", id="vad", is_output_node=True)
    pipeline.add("AudioLevel", id="level")
    pipeline.connect("r", "vad").connect("vad:audio", "level")
    info = protocol.graph_info(pipeline.plan(), "n", "d", "", [])
    assert [(edge.source, edge.target) for edge in info.edges] == [
        ("r:out", "vad:in"),
        ("vad:audio", "level:in"),
    ]
    assert all("sample_rate=16000" in edge.caps for edge in info.edges)
    assert info.outlets == ["vad:segments", "vad:audio", "level:out"]
    assert [node.is_output for node in info.nodes] == [False, True, False]
    written = json.loads(msgspec.json.encode(info))
    assert written["edges"][0].keys() == {"from", "to", "caps"}
