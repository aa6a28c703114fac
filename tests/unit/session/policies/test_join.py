"""Which items of several ports belong together."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

import remotemedia as rm
from remotemedia.clock import sleep
from remotemedia.manifest import Join, Policy
from remotemedia.session.policies.join import Joiner
from remotemedia.testing import VirtualClock


def joiner(**settings: Any) -> tuple[Joiner, dict[str, int]]:
    dropped: dict[str, int] = {}
    return Joiner(Join(**settings), ["l", "r"], dropped), dropped


def item(value: int) -> rm.Json:
    return rm.Json(value, pts_us=value * 1000)


def put(joined: Joiner, *steps: tuple[str, int], now_us: int = 0) -> list[str]:
    """``l1 r1`` for each set."""
    sets = [found for port, value in steps for found in joined.put(port, item(value), now_us)]
    return shown(sets)


def shown(sets: list[dict[str, Any]]) -> list[str]:
    return [" ".join(f"{port}{data.value}" for port, data in items.items()) for items in sets]


def test_zip() -> None:
    joined, dropped = joiner(mode="zip")
    assert put(joined, ("l", 1), ("l", 2), ("r", 9), ("l", 3), ("r", 7)) == ["l1 r9", "l2 r7"]
    assert shown(joined.rest()) == ["l3"]
    assert dropped == {}


def test_latest() -> None:
    joined, _ = joiner(mode="latest")
    assert put(joined, ("l", 1), ("l", 2), ("r", 5), ("l", 3), ("r", 6)) == [
        "l2 r5",
        "l3 r5",
        "l3 r6",
    ]


def test_align() -> None:
    joined, dropped = joiner(mode="align", tolerance_ms=5)
    steps = [("l", 0), ("r", 4), ("l", 20), ("l", 40), ("r", 36), ("r", 61), ("l", 60)]
    assert put(joined, *steps) == ["l0 r4", "l40 r36", "l60 r61"]
    assert dropped == {"unmatched": 1}  # l20


def test_late_and_out_of_order_are_counted_and_poison_nothing() -> None:
    joined, dropped = joiner(mode="align", tolerance_ms=5)
    assert put(joined, ("l", 100), ("r", 100)) == ["l100 r100"]
    assert put(joined, ("l", 50), ("r", 90)) == []  # before what is done
    assert dropped == {"late": 2}
    assert put(joined, ("l", 140), ("l", 120), ("r", 120), ("r", 140)) == [
        "l120 r120",
        "l140 r140",
    ]
    assert dropped == {"late": 2, "out_of_order": 1}


def test_a_silent_port() -> None:
    for mode in ("zip", "align"):
        joined, dropped = joiner(mode=mode, timeout_ms=100)
        assert put(joined, ("l", 10), now_us=0) == []
        assert joined.due_us() == 100_000
        assert put(joined, ("l", 20), now_us=60_000) == []
        assert shown(joined.expired(99_999)) == []
        assert shown(joined.expired(100_000)) == ["l10"]
        assert joined.due_us() == 160_000
        assert put(joined, ("r", 20), now_us=110_000) == ["l20 r20"]
        assert joined.due_us() is None
        assert dropped == {}


def test_memory_is_bounded() -> None:
    joined, dropped = joiner(mode="zip", capacity=4)
    put(joined, *(("l", n) for n in range(100)))
    assert dropped == {"join_full": 96}
    assert put(joined, ("r", 0)) == ["l96 r0"]


@pytest.mark.parametrize("seed", range(20))
def test_aligned_like_a_search_through_all(seed: int) -> None:
    """Two streams with jitter and losses, each in order, however they come in between."""
    rng = random.Random(seed)
    streams = {
        port: [n * 20 + rng.randint(-4, 4) for n in range(50) if rng.random() < 0.85]
        for port in "lr"
    }
    # In order each, mixed at random.
    steps = [(port, n) for port, times in streams.items() for n in range(len(times))]
    order = sorted(steps, key=lambda step: (step[1] + rng.random() * 8, step[0]))
    order.sort(key=lambda step: step[1])
    joined, dropped = joiner(mode="align", tolerance_ms=8, capacity=1000)
    found = put(joined, *((port, streams[port][n]) for port, n in order))
    nearest = {
        left: right for left in streams["l"] for right in streams["r"] if abs(left - right) <= 8
    }
    assert found == [f"l{left} r{right}" for left, right in nearest.items()]
    rest = shown(joined.rest())
    matched = 2 * len(found) + sum(len(each.split()) for each in rest)
    assert matched + dropped.get("unmatched", 0) == len(steps)


# -- in a session --------------------------------------------------------------------------------


class Pair(rm.Node):
    """Takes what belongs together."""

    input_caps: ClassVar = {"left": "json", "right": "json"}
    output_caps = "json"

    def process_joined(self, items: Mapping[str, rm.Json]) -> rm.Json:
        return rm.Json({port: data.value for port, data in items.items()})


@rm.node("TestPairAsync")
class PairAsync(Pair):
    """The same, async."""

    async def process(self, data: rm.Json, port: str) -> None:
        raise AssertionError("not called")

    async def process_joined(self, items: Mapping[str, rm.Json]) -> rm.Json:  # type: ignore[override]
        return rm.Json({port: data.value for port, data in items.items()})


@rm.node("TestPort")
class PortOf(Pair):
    """Takes one item after the other; tells by which port it came."""

    process_joined = rm.Node.process_joined  # type: ignore[assignment]

    def process(self, data: rm.Json, port: str) -> rm.Json:
        return rm.Json(f"{port}{data.value}")


rm.node("TestPair")(Pair)


def graph(kind: str, **join: Any) -> rm.Pipeline:
    p = rm.Pipeline()
    p.add(kind, id="n", policy=Policy(join=Join(**join)))
    p.add("PassThrough", id="after")
    return p.connect("n", "after")


async def live(
    p: rm.Pipeline, clock: VirtualClock, *steps: tuple[str, int]
) -> list[tuple[Any, int]]:
    times: list[int] = []
    async with p.session(clock=clock) as s:
        s.tap("after", lambda packet: times.append(clock.now_us() // 1000))
        for port, value in steps:
            await s.send(item(value), f"n:{port}")
            await sleep(clock, 10_000)
        await sleep(clock, 500_000)
        await s.finish()
        got = [packet.data.value async for packet in s.outputs()]
        s.metrics()
    return list(zip(got, times, strict=True))


@pytest.mark.parametrize("kind", ["TestPair", "TestPairAsync"])
async def test_a_node_gets_a_set(kind: str, clock: VirtualClock) -> None:
    steps = [("left", 1), ("left", 2), ("right", 1), ("right", 2), ("left", 3)]
    got = await live(graph(kind, mode="align"), clock, *steps)
    assert got == [
        ({"left": 1, "right": 1}, 20),
        ({"left": 2, "right": 2}, 30),
        ({"left": 3}, 550),  # at the end
    ]


@pytest.mark.parametrize("kind", ["TestPair", "TestPairAsync"])
async def test_a_silent_port_is_waited_for_no_longer(kind: str, clock: VirtualClock) -> None:
    got = await live(graph(kind, mode="zip", timeout_ms=100), clock, ("left", 1), ("left", 2))
    assert got == [({"left": 1}, 100), ({"left": 2}, 110)]


async def test_a_node_without_gets_the_items_one_after_the_other(clock: VirtualClock) -> None:
    got = await live(graph("TestPort", mode="zip"), clock, ("right", 1), ("right", 2), ("left", 5))
    assert [value for value, _ in got] == ["left5", "right1", "right2"]
    assert [at for _, at in got] == [20, 20, 530]


async def test_what_has_no_time_is_an_error_of_that_item(clock: VirtualClock) -> None:
    async with graph("TestPair", mode="align").session(clock=clock) as s:
        await s.send(rm.Json(1), "n:left")
        event = await anext(s.events())
        assert "an item at 'left' has no pts_us" in event.message
        await s.send(item(1), "n:left")
        await s.send(item(1), "n:right")
        assert (await anext(s.outputs())).data.value == {"left": 1, "right": 1}


async def test_what_is_lost_is_in_the_metrics(clock: VirtualClock) -> None:
    p = graph("TestPair", mode="align", tolerance_ms=1)
    async with p.session(clock=clock) as s:
        for port, value in [("left", 1), ("right", 9), ("left", 9), ("left", 2)]:
            await s.send(item(value), f"n:{port}")
        await sleep(clock, 1_000)
        (node,) = [node for node in s.metrics().nodes if node.node == "n"]
    assert node.dropped == {"unmatched": 1, "late": 1}


def test_a_run_joins_too() -> None:
    p = rm.Pipeline()
    p.add("PassThrough", id="a")
    p.add("TestPair", id="n", policy=Policy(join=Join(mode="zip", timeout_ms=1)))
    p.connect("a", "n:left").connect("a", "n:right")
    got = [packet.data.value for packet in p.run([item(1), item(2)])]
    assert got == [{"left": 1, "right": 1}, {"left": 2, "right": 2}]


async def test_an_interrupt_forgets_what_waits(clock: VirtualClock) -> None:
    async with graph("TestPair", mode="zip", timeout_ms=50).session(clock=clock) as s:
        await s.send(item(1), "n:left")
        await sleep(clock, 1_000)
        await s.interrupt()
        await sleep(clock, 100_000)
        await s.send(item(2), "n:left")
        await s.send(item(3), "n:right")
        assert (await anext(s.outputs())).data.value == {"left": 2, "right": 3}
