"""Sessions cut off at random points: they always end, leave no task, and their counters add up."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

import remotemedia as rm
from remotemedia.clock import sleep
from remotemedia.errors import SessionError
from remotemedia.manifest import Queue
from remotemedia.testing import VirtualClock
from session_nodes import Log, texts

ENDLESS = "TestForgiving"  # answers when it is cancelled, and only then
ROUNDS = 60  # per seed; bench/ has the long run


def random_pipeline(rng: random.Random) -> rm.Pipeline:
    """A random acyclic graph of synchronous, streaming, failing and slow nodes, with queues."""
    p = rm.Pipeline()
    kinds = [
        "PassThrough",
        "TestList",
        "TestRepeat",
        "TestSlow",
        "TestStream",
        "TestFail",
        "TestForgiving",
    ]
    count = rng.randint(1, 7)
    for number in range(count):
        kind = rng.choice(kinds)
        params: dict[str, object] = {"delay_ms": rng.randint(0, 20)} if kind == "TestSlow" else {}
        p.add(kind, id=f"n{number}", is_output_node=rng.random() < 0.2, **params)
    for target in range(1, count):
        for source in rng.sample(range(target), rng.randint(0, min(2, target))):
            queue = None
            if rng.random() < 0.3:
                overflow = rng.choice(["block", "drop_oldest", "drop_newest", "latest"])
                queue = Queue(capacity=rng.randint(1, 4), overflow=overflow)  # type: ignore[arg-type]
            p.connect(f"n{source}", f"n{target}", queue=queue)
    return p


async def one_round(rng: random.Random, clock: VirtualClock) -> None:
    p = random_pipeline(rng)
    session = p.session(clock=clock, close_timeout_ms=1000)
    await session.open()
    feeder = asyncio.ensure_future(feed(session, rng.randint(0, 60)))
    reader = asyncio.ensure_future(read(session)) if rng.random() < 0.8 else None
    await sleep(clock, rng.randint(0, 200) * 500)
    beside = asyncio.ensure_future(interrupt(session)) if rng.random() < 0.3 else None
    for _ in range(rng.randint(0, 3)):
        await session.interrupt()
        await sleep(clock, rng.randint(0, 20) * 500)
    if rng.random() < 0.3 and not feeder.done():
        feeder.cancel()
    ends = all(node.node_type != ENDLESS for node in p.manifest.nodes)
    if ends and rng.random() < 0.5 and reader is not None:
        await asyncio.wait([feeder])
        await asyncio.wait_for(reader, None)
    begin = clock.now_us()
    await session.aclose()
    assert clock.now_us() - begin <= 1_000_000
    feeder.cancel()
    await asyncio.wait([feeder, *([beside] if beside else [])])
    if reader is not None:
        await reader
    assert asyncio.all_tasks() == {asyncio.current_task()}
    for edge in session.metrics().edges:
        assert edge.in_flight == 0, edge
        assert edge.entered == edge.delivered + sum(edge.dropped.values()), edge


async def interrupt(session: rm.Session) -> None:
    with contextlib.suppress(SessionError):  # closed meanwhile
        await session.interrupt()


async def feed(session: rm.Session, count: int) -> None:
    try:
        for number, text in enumerate(texts(*map(str, range(count)))):
            await session.send(rm.Text("bad") if number % 7 == 3 else text)
        await session.finish()
    except SessionError:
        pass  # closed meanwhile
    except asyncio.CancelledError:
        if session.is_open:
            await session.finish()
        raise


async def read(session: rm.Session) -> None:
    generation = 0
    async for packet in session.outputs():
        assert packet.generation >= generation  # nothing stale after an interrupt
        generation = packet.generation


@pytest.mark.parametrize("seed", range(8))
def test_cut_off_anywhere(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(ROUNDS):
        Log.lines = []
        clock = VirtualClock()
        clock.run(one_round(rng, clock))
