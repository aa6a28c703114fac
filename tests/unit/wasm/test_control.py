"""What the page does to a session while it runs, and the options that it starts it with."""

from __future__ import annotations

from typing import Any

import numpy as np

import remotemedia as rm
from page_ends import GAIN, frame, idle, running
from remotemedia import protocol
from remotemedia.clock import sleep
from remotemedia.manifest import CircuitBreaker, Policy
from remotemedia.testing import VirtualClock

ONE = rm.Audio(np.ones((1, 4), np.float32), 48_000)
TEXTS = {
    "version": "v1",
    "nodes": [{"id": "first", "node_type": "PassThrough"}, {"id": "next", "node_type": "PageX"}],
    "connections": [{"from": "first", "to": "next"}],
}
SOURCE = """
import remotemedia as rm

@rm.node("PageX", input_caps="text", output_caps="text")
def times(text: rm.Text, *, times: int = 2) -> rm.Text:
    if text.text == "bad":
        raise ValueError("bad")
    return text.replace(text=text.text * times)
"""


def loudness(page_: Any) -> list[float]:
    """Of the blocks of ones that came out, rounded."""
    return [round(float(packet.data.samples[0, 0]), 3) for packet in page_.packets]


async def test_a_node_is_bypassed_and_disabled() -> None:
    page_ = await running()
    await page_.did(protocol.Read, packets=9)
    for state in ("bypass", "disabled", "enabled"):
        await page_.did(protocol.Send, frame(ONE))
        await page_.did(protocol.SetNode, node="louder", state=state)
    await page_.did(protocol.Send, frame(ONE))
    assert loudness(page_) == [1.995, 1, 1.995]
    error = await page_.refused(protocol.SetNode, node="lauder", state="bypass")
    assert "did you mean 'louder'" in error.message
    assert (await page_.refused(protocol.SetNode, node="louder", state="off")).code == "params"
    assert [event.message for event in page_.events()] == [
        "louder is bypass",
        "louder is disabled",
        "louder is enabled",
    ]
    assert [(event.kind, event.error) for event in page_.events()] == [("changed", None)] * 3


async def test_parameters_change_between_two_packets_and_outlive_a_restart() -> None:
    page_ = await running()
    await page_.did(protocol.Read, packets=9)
    await page_.did(protocol.Send, frame(ONE))
    params = await page_.did(protocol.SetParams, node="louder", params={"gain_db": -6})
    assert params == {"gain_db": -6}
    await page_.did(protocol.Send, frame(ONE))
    assert loudness(page_) == [1.995, 0.501]
    await page_.did(protocol.Stop)
    await page_.did(protocol.Start)
    await page_.did(protocol.Read, packets=9)
    await page_.did(protocol.Send, frame(ONE))
    assert loudness(page_)[2:] == [0.501]
    error = await page_.refused(protocol.SetParams, node="louder", params={"gain_db": "much"})
    assert (error.code, error.node) == ("params", "louder")


async def test_another_manifest_is_applied_and_a_wrong_one_changes_nothing() -> None:
    page_ = await running()
    await page_.did(protocol.Read, packets=9)
    two = {
        "version": "v1",
        "nodes": [*GAIN["nodes"], {"id": "more", "node_type": "Gain", "params": {"gain_db": 6}}],
        "connections": [{"from": "louder", "to": "more"}],
    }
    graph = await page_.did(protocol.Apply, manifest=two)
    assert [node["id"] for node in graph["nodes"]] == ["louder", "more"]
    assert graph["outlets"] == ["more:out"]
    wrong = {"version": "v1", "nodes": [{"id": "louder", "node_type": "Gian"}]}
    assert (await page_.refused(protocol.Apply, manifest=wrong)).code == "manifest"
    await page_.did(protocol.Send, frame(ONE))
    assert loudness(page_) == [round(10 ** (12 / 20), 3)]
    assert [(packet.node, packet.port) for packet in page_.packets] == [("more", "out")]
    await page_.did(protocol.Stop)
    await page_.did(protocol.Start)  # what was applied
    await page_.did(protocol.Read, packets=9)
    await page_.did(protocol.Send, frame(ONE))
    assert page_.packets[-1].node == "more"


async def test_data_is_put_in_at_either_side() -> None:
    page_ = await running(TEXTS, source=SOURCE)
    await page_.did(protocol.Read, packets=9)
    await page_.did(protocol.Publish, frame(rm.Text("a")), place="next:in")
    await page_.did(protocol.Publish, frame(rm.Text("b")), place="first:out")
    await page_.did(protocol.Publish, frame(rm.Text("c")), place="next:out")
    await idle()
    assert [packet.data.text for packet in page_.packets] == ["aa", "bb", "c"]
    error = await page_.refused(protocol.Publish, frame(ONE), place="next:in")
    assert "next:in" in error.message
    assert (await page_.refused(protocol.Publish, place="next:in")).code == "session"


async def test_a_subscription_is_read_as_far_as_it_is_allowed() -> None:
    page_ = await running(TEXTS, source=SOURCE)
    await page_.did(protocol.Subscribe, subscription="s", place="first:out", capacity=4)
    for number in range(3):
        await page_.did(protocol.Send, frame(rm.Text(str(number))))
    assert page_.seen == {}
    await page_.did(protocol.Read, packets=2, subscription="s")
    assert [packet.data.text for packet in page_.seen["s"]] == ["0", "1"]
    assert [(one.node, one.port) for one in page_.seen["s"]] == [("first", "out")] * 2
    assert page_.packets == []  # that is another matter
    for number in range(3, 9):  # four wait: the oldest is missed, and it is told once
        await page_.did(protocol.Send, frame(rm.Text(str(number))))
    await page_.did(protocol.Read, packets=9, subscription="s")
    assert [packet.data.text for packet in page_.seen["s"]] == ["0", "1", "5", "6", "7", "8"]
    (event,) = page_.events()
    assert (event.kind, event.error, event.node) == ("lagged", None, "first")
    error = await page_.refused(protocol.Subscribe, subscription="s", place="first")
    assert "there is a subscription 's' already" in error.message
    await page_.did(protocol.Unsubscribe, subscription="s")
    await page_.did(protocol.Send, frame(rm.Text("later")))
    await page_.did(protocol.Read, packets=9, subscription="s")
    assert len(page_.seen["s"]) == 6
    error = await page_.refused(protocol.Subscribe, subscription="t", place="first:uot")
    assert "first" in error.message


async def test_subscriptions_end_with_the_session_and_leave_no_task() -> None:
    page_ = await running(TEXTS, source=SOURCE)
    await page_.did(protocol.Subscribe, subscription="s", place="first:out")
    await page_.did(protocol.Stop)
    await idle()
    assert page_.bridge._live.tasks == set()
    await page_.did(protocol.Start)
    await page_.did(protocol.Subscribe, subscription="s", place="next:out")
    await page_.did(protocol.Read, packets=1, subscription="s")
    await page_.did(protocol.Send, frame(rm.Text("x")))
    assert [packet.data.text for packet in page_.seen["s"]] == ["xx"]


async def test_the_policy_of_the_session_is_that_of_nodes_without_one(clock: VirtualClock) -> None:
    policy = Policy(circuit_breaker=CircuitBreaker(failures=2, reset_ms=1_000))
    page_ = await running(TEXTS, clock, SOURCE, policy=policy)
    await page_.did(protocol.Read, packets=9)
    for _ in range(2):
        await page_.did(protocol.Send, frame(rm.Text("bad")))
    opened = [event for event in page_.events() if event.kind == "breaker"]
    assert [(event.node, event.error) for event in opened] == [("next", None)]
    assert "open" in opened[0].message
    await page_.did(protocol.Send, frame(rm.Text("good")))
    assert page_.packets == []
    await sleep(clock, 1_000_001)
    await page_.did(protocol.Send, frame(rm.Text("good")))
    assert [packet.data.text for packet in page_.packets] == ["goodgood"]


async def test_options_that_are_wrong_are_refused() -> None:
    page_ = await running()
    await page_.did(protocol.Stop)
    page_.bridge.receive('{"type": "start", "id": 900, "policy": {"timout_ms": 3}}')
    assert "timout_ms" in page_.answered(900).error.message
    error = await page_.refused(protocol.Start, max_latency_ms=-3)
    assert (error.code, "$.maxLatencyMs" in error.message) == ("params", True)
    page_.bridge.receive('{"type": "no such", "id": 901}')
    assert page_.answered(901).error.code == "params"
    await page_.did(protocol.Start)


async def test_audio_that_is_late_is_dropped(clock: VirtualClock) -> None:
    page_ = await running(clock=clock, max_latency_ms=100)
    for milliseconds in (0, 150, 0):  # nobody reads; what waits here is the session's
        await sleep(clock, milliseconds * 1000 + 1)
        await page_.did(protocol.Send, frame(ONE))
    await page_.did(protocol.Read, packets=9)
    assert len(page_.packets) == 3  # it was in front of the client within the budget
    source = (
        "import remotemedia as rm\n"
        "@rm.node('PageSlow')\n"
        "class Slow(rm.Node):\n"
        "    input_caps = output_caps = 'audio'\n"
        "    def open(self, ctx): self.clock = ctx.clock\n"
        "    async def process(self, audio):\n"
        "        from remotemedia.clock import sleep\n"
        "        await sleep(self.clock, 60_000)\n"
        "        return audio\n"
    )
    manifest = {"version": "v1", "nodes": [{"id": "slow", "node_type": "PageSlow"}]}
    page_ = await running(manifest, clock, source, max_latency_ms=100)
    await page_.did(protocol.Read, packets=9)
    for _ in range(5):
        await page_.did(protocol.Send, frame(ONE))
    await sleep(clock, 1_000_000)
    await idle()
    # The second begins at 60 ms and is 120 ms old when it is out; the others never begin.
    metrics = await page_.did(protocol.GetMetrics)
    late = sum(edge["dropped"].get("late", 0) for edge in metrics["edges"])
    assert len(page_.packets) + late == 5
    assert late >= 3


async def test_metrics_have_latencies_of_the_session_and_the_health_of_streams(
    clock: VirtualClock,
) -> None:
    page_ = await running(clock=clock, monitor=True)
    await page_.did(protocol.Read, packets=99)
    for number in range(60):
        audio = rm.Audio(np.zeros((1, 480), np.float32), 48_000, number * 10_000)
        await page_.did(protocol.Send, frame(audio))
        await sleep(clock, 10_000)
    metrics = await page_.did(protocol.GetMetrics)
    assert metrics["session"]["end_to_end"]["count"] == 60
    assert metrics["session"]["first_output"]["count"] >= 1
    (stream,) = metrics["streams"]
    assert (stream["stream"], stream["samples"], stream["alerts"]) == ("louder:in", 60, 0)
    jump = rm.Audio(np.zeros((1, 480), np.float32), 48_000, 600_000)
    await sleep(clock, 700_000)
    await page_.did(protocol.Send, frame(jump))
    alerts = [event for event in page_.events() if event.kind == "alert"]
    assert [event.error for event in alerts] == [None] * len(alerts)
    assert "stream louder:in: LEAD_JUMP" in alerts[0].message
    await page_.did(protocol.Stop)
    metrics = await page_.did(protocol.GetMetrics)
    assert (metrics["session"], metrics["streams"]) == (None, [])
