"""Settings of policies and queues without effect, and those that cannot work."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import policy_nodes  # noqa: F401 - registers
import remotemedia as rm
import session_nodes  # noqa: F401 - registers
from remotemedia.errors import CapsMismatchError, ManifestError, SessionError
from remotemedia.graph import Graph
from remotemedia.manifest import Policy, load_manifest
from remotemedia.manifest.policy_effects import policy_warnings
from remotemedia.testing import VirtualClock


def warnings(node_type: str, **policy: Any) -> list[str]:
    nodes = [{"id": "n", "node_type": node_type, "policy": policy}]
    pipeline = rm.Pipeline.load({"version": "v1", "nodes": nodes})
    return [f"{'.'.join(map(str, each.path))}: {each.message}" for each in pipeline.validate()]


@pytest.mark.parametrize(
    ("node_type", "policy", "path", "why"),
    [
        ("PassThrough", {"max_concurrency": 4}, "max_concurrency", "a synchronous node"),
        ("PassThrough", {"ordered": False}, "ordered", "a synchronous node"),
        ("PassThrough", {"join": {"mode": "zip"}}, "join", "the node has one input"),
        ("PassThrough", {"restart": {}}, "restart", "an inline node"),
        ("PassThrough", {"batch": {"max_items": 1}}, "batch", "each item goes by itself"),
        ("PassThrough", {"batch": {"min_items": 9}}, "batch.min_items", "is handed max_items"),
        ("TestTwo", {"join": {"mode": "zip", "tolerance_ms": 9}}, "join.tolerance_ms", "align"),
        ("TestTwo", {"join": {"mode": "latest", "timeout_ms": 9}}, "join.timeout_ms", "zip"),
        ("TestCount", {"batch": {}}, "batch", "a source is given nothing"),
        ("TestCount", {"timeout_ms": 5}, "timeout_ms", "a source is given nothing"),
        ("TestTicks", {"on_error": "passthrough"}, "on_error", "a source is given nothing"),
    ],
)
def test_warnings(node_type: str, policy: dict[str, Any], path: str, why: str) -> None:
    (message,) = warnings(node_type, **policy)
    assert message.startswith(f"nodes.0.policy.{path}: policy {path} has no effect here: ")
    assert why in message


@pytest.mark.parametrize(
    ("node_type", "policy"),
    [
        ("TestSlow", {"max_concurrency": 4, "ordered": False, "timeout_ms": 5, "retry": {}}),
        ("TestTwo", {"join": {"mode": "align", "tolerance_ms": 9, "timeout_ms": 9}}),
        ("PassThrough", {"batch": {"min_items": 8}, "on_error": "passthrough"}),
        ("TestCount", {"on_error": "fail_session"}),
    ],
)
def test_no_warnings(node_type: str, policy: dict[str, Any]) -> None:
    assert warnings(node_type, **policy) == []


def test_restarts_that_never_happen() -> None:
    restart = {"when": "never", "factor": 3, "hang_timeout_ms": 5, "spare": False}
    node = {"id": "n", "node_type": "PassThrough", "executor": "process"}
    text = {"version": "v1", "nodes": [{**node, "policy": {"restart": restart}}]}
    graph = Graph.build(load_manifest(text))
    assert [(each.path[3:], each.message) for each in policy_warnings(graph)] == [
        (
            ("restart", name),
            f"policy restart.{name} has no effect here: when: never starts nothing anew",
        )
        for name in ("factor", "spare")
    ]


@pytest.mark.parametrize(
    ("queue", "message"),
    [
        ("{low: 2}", "queue low has no effect here: without a high mark"),
        ("{high: 4, low: 4}", "queue low has no effect here: the queue is below it"),
        ("{high: 17}", "queue high has no effect here: the queue holds no more"),
        ("{high: 4, low: 0}", ""),
    ],
)
def test_queues(queue: str, message: str) -> None:
    text = f"""\
version: v1
nodes: [{{id: a, node_type: PassThrough}}, {{id: b, node_type: PassThrough}}]
connections:
  - from: a
    to: b
    queue: {queue}
"""
    found = rm.Pipeline.load(text).validate()
    assert [each.message.startswith(message) for each in found] == [True] * bool(message)
    assert all(each.line == 6 for each in found)


def test_a_warning_is_given_once() -> None:
    nodes = [
        {"id": str(n), "node_type": "PassThrough", "policy": {"max_concurrency": 2}}
        for n in range(30)
    ]
    (warning,) = rm.Pipeline.load({"version": "v1", "nodes": nodes}).validate()
    assert warning.message.endswith("(30 times)")


# -- what goes on in the place of an output ------------------------------------------------------

RESAMPLED = """\
version: v1
nodes:
  - id: to16k
    node_type: AudioResample
    params: {target_rate: 16000}
    policy: {on_error: passthrough}
    media_capabilities: {inputs: {in: audio(sample_rate=48000)}}
  - {id: vad, node_type: TestWants16k}
connections:
  - {from: to16k, to: vad}
"""


@rm.node("TestWants16k", input_caps="audio(sample_rate=16000)", output_caps="audio")
def wants(audio: rm.Audio) -> rm.Audio:
    """Takes one rate only."""
    return audio


@rm.node("TestFailsAudio", input_caps="audio", output_caps="audio(sample_rate=16000)")
def fails(audio: rm.Audio) -> rm.Audio:
    """Says that it makes 16 kHz, and fails."""
    raise ZeroDivisionError("no such luck")


def test_what_cannot_be_passed_through_is_refused() -> None:
    pipeline = rm.Pipeline.load(RESAMPLED)
    with pytest.raises(ManifestError, match=r"6:\d+.*cannot work for 'to16k'.*vad:in accepts"):
        pipeline.validate()
    with pytest.raises(CapsMismatchError, match="a policy with on_error: drop"):
        pipeline.plan()


def test_what_a_session_says_of_all_nodes_is_looked_at_too() -> None:
    pipeline = rm.Pipeline.load(RESAMPLED.replace("    policy: {on_error: passthrough}\n", ""))
    with pytest.raises(CapsMismatchError, match="cannot work for 'to16k'"):
        pipeline.session(policy=Policy(on_error="passthrough"))
    own = RESAMPLED.replace("passthrough", "drop")
    rm.Pipeline.load(own).session(policy=Policy(on_error="passthrough"))


async def test_what_may_not_fit_is_looked_at(clock: VirtualClock) -> None:
    text = RESAMPLED.replace("AudioResample", "TestFailsAudio").replace(
        "    params: {target_rate: 16000}\n", ""
    )
    pipeline = rm.Pipeline.load(text.replace("(sample_rate=48000)", ""))
    pipeline.validate()
    async with pipeline.session(clock=clock) as s:
        for rate in (48000, 16000):
            await s.send(rm.Audio(np.zeros(160, np.float32), rate))
        await s.finish()
        assert [packet.data.sample_rate async for packet in s.outputs()] == [16000]
    errors = [event.message async for event in s.events() if event.node == "vad"]
    assert len(errors) == 1
    assert "but was given" in errors[0]


async def test_what_may_not_fit_is_not_bypassed(clock: VirtualClock) -> None:
    text = RESAMPLED.replace("    policy: {on_error: passthrough}\n", "")
    for pipeline, why in [
        (rm.Pipeline.load(text), "vad:in accepts"),
        (rm.Pipeline.load(text.replace("(sample_rate=48000)", "")), "not all that"),
    ]:
        async with pipeline.session(clock=clock) as s:
            with pytest.raises(SessionError, match=f"cannot be bypassed: .*{why}"):
                s.bus.set_state("to16k", "bypass")
