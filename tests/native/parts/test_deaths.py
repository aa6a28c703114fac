"""What becomes of what waits in a process that dies."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import remotemedia as rm
from native.parts import part_nodes  # noqa: F401 - registers its nodes

Texts = dict[str, list[str]]


class Life:
    """A session that is led from outside; counts what must add up when it ends."""

    def __init__(self, pipeline: rm.Pipeline) -> None:
        self.session = pipeline.session()
        self.got: Texts = defaultdict(list)
        self.events: list[rm.Event] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Life:
        await self.session.open()
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._listen())]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.aclose()
        await asyncio.wait(self._tasks)

    async def _read(self) -> None:
        async for packet in self.session.outputs():
            assert isinstance(packet.data, rm.Text)
            self.got[packet.node].append(packet.data.text)

    async def _listen(self) -> None:
        async for event in self.session.events():
            self.events.append(event)

    async def send(self, *texts: str, to: str | None = None) -> None:
        for text in texts:
            await self.session.send(rm.Text(text), to)

    async def until(self, kind: str, words: str = "") -> None:
        while not any(e.kind == kind and words in e.message for e in self.events):
            await asyncio.sleep(0.005)

    async def end(self) -> Texts:
        await self.session.finish()
        await asyncio.wait_for(asyncio.shield(self._tasks[0]), 20)
        for edge in self.session.metrics().edges:
            assert edge.in_flight == 0, edge
            assert edge.entered == edge.delivered + sum(edge.dropped.values()), edge
        return self.got

    @property
    def lost(self) -> list[int]:
        return [e.sequence for e in self.events if "an item is lost" in e.message]


def mortal(name: str, path: Path, delay_ms: float = 0, **spec: object) -> dict[str, object]:
    params: object = spec.pop("params", {})
    assert isinstance(params, dict)
    restart = {"delay_ms": delay_ms, **spec.pop("restart", {})}  # type: ignore[dict-item]
    return {
        "id": name,
        "node_type": "TestMortal",
        "params": {"file": str(path / name), **params},
        "policy": {"restart": restart},
        **spec,
    }


def graph(*nodes: dict[str, object], edges: tuple[tuple[str, str], ...] = ()) -> rm.Pipeline:
    return rm.Pipeline.load(
        {
            "version": "v1",
            "nodes": [{"executor": "process", **node} for node in nodes],
            "connections": [{"from": a, "to": b} for a, b in edges],
        }
    )


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        await asyncio.wait_for(main(), 40)

    asyncio.run(within())


@pytest.mark.parametrize("kind", ["ring", "iceoryx2"])
def test_what_waits_is_given_to_the_heir(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts, too, of which nothing is viewed in shared memory."""
    monkeypatch.setenv("REMOTEMEDIA_SHM", kind)

    async def main() -> None:
        async with Life(graph(mortal("m", tmp_path))) as life:
            await life.send("die", *map(str, range(15)))
            await life.until("restart", "runs again")
            got = await life.end()
            assert got == {"m": [*map(str, range(15)), "tail"]}
            assert life.lost == [0]

    run(main)


def test_each_node_is_given_its_own(tmp_path: Path) -> None:
    """One message for two nodes of a process: only what had not begun is given again."""

    async def main() -> None:
        pipeline = graph(
            {"id": "p", "node_type": "TestLoud", "params": {"marks": 0}},
            mortal("slow", tmp_path, process_group="g", params={"slow_ms": 20}),
            {"id": "fast", "node_type": "TestLater", "process_group": "g"},
            edges=(("p", "fast"), ("p", "slow")),
        )
        async with Life(pipeline) as life:
            await life.send("0", "die", "1", "2", "3")
            got = await life.end()
            assert len(got["fast"]) == len(set(got["fast"])), "nothing twice"
            assert set(got["slow"]) >= {"0", "1", "2", "3", "tail"}
            missing = {"0l", "diel", "1l", "2l", "3l"} - set(got["fast"])
            assert len(life.lost) == 1 + len(missing)

    run(main)


def test_an_interrupt_while_nobody_is_there(tmp_path: Path) -> None:
    async def main() -> None:
        async with Life(graph(mortal("m", tmp_path, 300))) as life:
            await life.send("die", *map(str, range(8)))
            await life.until("restart", "in 300 ms")
            await life.session.interrupt()
            await life.send("new")
            got = await life.end()
            assert got == {"m": ["new", "tail"]}
            edge = next(e for e in life.session.metrics().edges if e.target == "m:in")
            assert edge.dropped == {"interrupt": 8}

    run(main)


def test_an_heir_that_does_not_open_loses_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with Life(graph(mortal("m", tmp_path, 20, params={"bad_opens": 1}))) as life:
            await life.send("die", *map(str, range(8)))
            await life.until("restart", "runs again")
            got = await life.end()
            assert got == {"m": [*map(str, range(8)), "tail"]}
            assert life.lost == [0]

    run(main)


def test_a_dead_branch_does_not_hold_up_a_live_one(tmp_path: Path) -> None:
    async def main() -> None:
        pipeline = graph(
            {"id": "many", "node_type": "TestMany"},
            mortal("dead", tmp_path, restart={"when": "never"}),
            {"id": "live", "node_type": "TestTail"},
            edges=(("many", "dead"), ("many", "live")),
        )
        async with Life(pipeline) as life:
            await life.send("die", to="dead")
            await life.until("error", "an item is lost")
            await life.send("a", "b")
            got = await life.end()
            assert len(got["live"]) == 201
            assert "dead" not in got
            edge = next(e for e in life.session.metrics().edges if e.source == "many:out")
            assert edge.dropped == {"process_died": 200}

    run(main)


def test_the_end_of_input_comes_after_what_waits_to_be_sent(tmp_path: Path) -> None:
    async def main() -> None:
        async with Life(graph(mortal("m", tmp_path, params={"slow_ms": 5}))) as life:
            sends = [asyncio.create_task(life.send(str(n))) for n in range(60)]
            await asyncio.sleep(0.05)
            got = await life.end()
            await asyncio.gather(*sends)
            assert got == {"m": [*map(str, range(60)), "tail"]}

    run(main)


def test_those_behind_are_started_anew_once(tmp_path: Path) -> None:
    async def main() -> None:
        rest = {"strategy": "rest_for_one", "max_restarts": 1}
        names = ("a", "b", "c")
        pipeline = graph(
            *(mortal(name, tmp_path, restart=rest) for name in names),
            edges=(("a", "b"), ("b", "c")),
        )
        async with Life(pipeline) as life:
            await life.send("die")
            for name in names:
                await life.until("restart", f"node '{name}' runs again")
            await life.send("x")
            got = await life.end()
            assert got["c"] == ["x", "tail", "tail", "tail"]
            assert [(tmp_path / name).read_text().split() for name in names] == [["open"] * 2] * 3

    run(main)


def test_too_many_readers_are_named() -> None:
    consumers = [{"id": f"c{n}", "node_type": "TestLoud"} for n in range(64)]
    edges = tuple(("p", f"c{n}") for n in range(64))
    pipeline = graph({"id": "p", "node_type": "TestLoud"}, *consumers, edges=edges)
    with pytest.raises(rm.RemoteMediaError, match=r"node 'p'.*65 processes.*process_group"):
        pipeline.session()
