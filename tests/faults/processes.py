"""Kills processes, stops sessions and opens them, over and over, and counts what is wrong.

    .venv/bin/python tests/faults/processes.py kill 1000 [--seed 1]

``kill``: node processes, at random, under 50 packets a second. ``parents``: whole programs.
``sessions``: opened, used and closed. ``stops``: closed at random moments. ``barge-in``:
interrupted at random moments. Each prints what it did, and ends with ``wrong: 0`` if all was well.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import itertools
import logging
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import remotemedia as rm
from native.parts import part_nodes  # noqa: F401 - registers its nodes
from remotemedia.errors import RemoteMediaError
from remotemedia_native.process.parts import ProcessParts

SHM = Path("/dev/shm")
BLOCK = 960
PERIOD_S = 0.02
STOP_S = 2.0
NODES = ("a1", "a2", "b1", "b2", "bystander")
wrong: Counter[str] = Counter()


def graph(*nodes: dict[str, object], edges: tuple[tuple[str, str], ...] = ()) -> rm.Pipeline:
    restart = {"delay_ms": 0, "max_restarts": 1_000_000, "window_ms": 1000}
    common: dict[str, object] = {"executor": "process", "policy": {"restart": restart}}
    return rm.Pipeline.load(
        {
            "version": "v1",
            "nodes": [{**common, **node} for node in nodes],
            "connections": [{"from": a, "to": b} for a, b in edges],
        }
    )


def chain(count: int) -> rm.Pipeline:
    names = [f"n{i}" for i in range(count)]
    nodes: list[dict[str, object]] = [{"id": name, "node_type": "Gain"} for name in names]
    return graph(*nodes, edges=tuple(itertools.pairwise(names)))


def parts_of(session: rm.Session) -> ProcessParts:
    parts = session.parts["process"]
    assert isinstance(parts, ProcessParts)
    return parts


def our_files(pid: int) -> list[str]:
    prefix = f"rm_{pid}_"
    return [file.name for file in SHM.iterdir() if file.name.startswith(prefix)]


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


# -- node processes ------------------------------------------------------------------------------


async def kill(count: int, seed: int) -> None:
    """Kill node processes of two branches of a session, each with a node behind it."""
    rng = random.Random(seed)
    pipeline = graph(
        *({"id": name, "node_type": "TestHalfBusy"} for name in NODES),
        edges=(("a1", "a2"), ("b1", "b2")),
    )
    sent: list[float] = []
    got: dict[str, list[int]] = {"a2": [], "b2": [], "bystander": []}
    lost: dict[str, list[int]] = {"a": [], "b": []}
    killed: dict[str, float] = {}
    detected: list[float] = []
    again: list[float] = []
    first_after: dict[str, float] = {}
    kills = 0

    async with pipeline.session() as session:
        parts = parts_of(session)

        async def feed() -> None:
            block = rm.Audio(np.zeros(BLOCK, np.float32), 48_000)
            due = time.perf_counter()
            while kills < count or first_after:
                sent.append(time.perf_counter())
                await session.send(block)
                due += PERIOD_S
                await asyncio.sleep(max(0, due - time.perf_counter()))
            await session.finish()

        async def read() -> None:
            async for packet in session.outputs():
                got[packet.node].append(packet.sequence)
                branch = packet.node[0]
                since = first_after.get(branch)
                if since is not None and sent[packet.sequence] > since:
                    again.append(time.perf_counter() - since)
                    del first_after[branch]

        async def listen() -> None:
            async for event in session.events():
                if event.kind == "error" and event.node is not None:
                    if "an item is lost" in event.message:
                        lost[event.node[0]].append(event.sequence)
                    elif event.node in killed:
                        detected.append(time.perf_counter() - killed.pop(event.node))

        async def strike() -> None:
            nonlocal kills
            while kills < count:
                await asyncio.sleep(rng.uniform(1.1, 1.3))  # until there is a spare process again
                name = rng.choice(["a1", "a2", "b1", "b2"])
                child = parts.parts[name].child
                if child is None or child.exited.done():
                    continue
                killed[name] = first_after[name[0]] = time.perf_counter()
                os.kill(child.pid, signal.SIGKILL)
                kills += 1

        listening = asyncio.create_task(listen())
        await asyncio.sleep(1.5)
        await asyncio.gather(feed(), read(), strike())
    await listening
    everything = set(range(len(sent)))
    for branch, node in (("a", "a2"), ("b", "b2")):
        wrong["twice"] += len(got[node]) - len(set(got[node]))
        missing = everything - set(got[node])
        wrong["lost and not reported"] += len(missing - set(lost[branch]))
        wrong["reported and not lost"] += len(set(lost[branch]) - missing)
    wrong["lost on the other branch"] += len(everything - set(got["bystander"]))
    print(f"kills: {kills}, packets sent: {len(sent)}, lost: {sum(map(len, lost.values()))}")
    for name, values in (("detected", detected), ("output again", again)):
        print(
            f"{name}, ms: n {len(values)}, p50 {1e3 * statistics.median(values):.1f}, "
            f"p99 {1e3 * percentile(values, 0.99):.1f}, max {1e3 * max(values):.1f}"
        )


# -- parents -------------------------------------------------------------------------------------

VICTIM = """
import asyncio, sys
sys.path[:0] = {path!r}
from faults.processes import chain, use
asyncio.run(use(chain(3), 1000))
"""


async def use(pipeline: rm.Pipeline, packets: int, pause_s: float = 0.002) -> int:
    """A session at work; how many packets came out."""
    found = 0

    async def read(session: rm.Session) -> None:
        nonlocal found
        async for _ in session.outputs():
            found += 1

    async with pipeline.session() as session:
        reading = asyncio.create_task(read(session))
        for _ in range(packets):
            await session.send(rm.Audio(np.zeros(BLOCK, np.float32), 48_000))
            if pause_s:
                await asyncio.sleep(pause_s)
        await session.finish()
        await reading
    return found


def below(pid: int) -> list[int]:
    """The processes that a process has started, and those that these have."""
    found = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *below(child)]
    except OSError:
        pass
    return found


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def parents(count: int, seed: int) -> None:
    """Kill programs with a session of three processes and a spare one."""
    rng = random.Random(seed)
    code = VICTIM.format(path=[str(Path(__file__).parents[1]), *sys.path])
    children = files = 0

    async def one() -> None:
        nonlocal children, files
        victim = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
        await asyncio.sleep(rng.uniform(0.2, 2.0))
        started = below(victim.pid)
        children += len(started)
        victim.kill()
        victim.wait()
        files += len(our_files(victim.pid))
        victims.append(victim.pid)
        await asyncio.sleep(2)
        wrong["children that live"] += sum(lives(pid) for pid in started)

    victims: list[int] = []
    left = count
    while left:
        together = min(4, left)
        await asyncio.gather(*(one() for _ in range(together)))
        left -= together
    await use(chain(1), 1)  # cleans up
    wrong["files that are left"] += sum(len(our_files(pid)) for pid in victims)
    print(f"parents killed: {count}, their children: {children}, files they left: {files}")


# -- sessions ------------------------------------------------------------------------------------


async def sessions(count: int, seed: int) -> None:
    """Open, use and close."""
    figures = []
    begin = time.perf_counter()
    for number in range(count):
        wrong["packets that are missing"] += 3 - await use(chain(2), 3, 0)
        if number % max(1, count // 10) == 0 or number == count - 1:
            figures.append((number + 1, open_files(), len(our_files(os.getpid())), resident_mb()))
    for number, files, shared, memory in figures:
        print(f"after {number}: {files} open files, {shared} in /dev/shm, {memory:.1f} MiB")
    wrong["open files"] += max(0, figures[-1][1] - figures[0][1])
    wrong["in /dev/shm"] += figures[-1][2]
    tenth = figures[1] if len(figures) > 2 else figures[0]
    growth = (figures[-1][3] - tenth[3]) / max(1, figures[-1][0] - tenth[0])
    print(f"sessions: {count} in {time.perf_counter() - begin:.0f} s, growth {growth:.4f} MiB each")
    wrong["memory"] += growth > 0.01


async def stops(count: int, seed: int) -> None:
    """Close at random moments: while it starts, works, is interrupted, restarts, finishes."""
    rng = random.Random(seed)
    took: list[float] = []
    moments: Counter[str] = Counter()
    files = open_files()
    for number in range(count):
        moment = ("start", "work", "interrupt", "restart", "finish")[number % 5]
        moments[moment] += 1
        session = chain(2).session()
        background: set[asyncio.Task[None]] = set()

        def also(work: Awaitable[None], tasks: set[asyncio.Task[None]] = background) -> None:
            async def run() -> None:
                with contextlib.suppress(RemoteMediaError):
                    await work

            tasks.add(asyncio.create_task(run()))

        async def send(session: rm.Session = session) -> None:
            while True:
                await session.send(rm.Audio(np.zeros(BLOCK, np.float32), 48_000))

        opening = asyncio.create_task(session.open())
        if moment == "start":
            await asyncio.sleep(rng.uniform(0, 0.6))
            if not opening.done():
                opening.cancel()
        else:
            await opening
            also(send())
            await asyncio.sleep(rng.uniform(0, 0.05))
            if moment == "interrupt":
                also(session.interrupt())
            if moment == "finish":
                also(session.finish())
            if moment == "restart":
                child = parts_of(session).parts["n0"].child
                assert child is not None
                child.kill()
            await asyncio.sleep(rng.uniform(0, 0.05))
        begin = time.perf_counter()
        await session.aclose()
        took.append(time.perf_counter() - begin)
        await asyncio.wait([opening])
        for task in background:
            task.cancel()
        if background:
            await asyncio.wait(background)
        wrong["tasks left"] += len(asyncio.all_tasks()) - 1
        wrong["processes left"] += len(below(os.getpid()))
        wrong["files in /dev/shm"] += len(our_files(os.getpid()))
        del session
    gc.collect()
    wrong["open files"] += max(0, open_files() - files - 2)
    wrong["too slow"] += sum(each > STOP_S for each in took)
    print(f"stops: {count} ({', '.join(f'{k} {v}' for k, v in moments.items())})")
    print(
        f"a stop took, ms: p50 {1e3 * statistics.median(took):.0f}, "
        f"p99 {1e3 * percentile(took, 0.99):.0f}, max {1e3 * max(took):.0f}"
    )


async def barge_in(count: int, seed: int) -> None:
    """Interrupt speech at random moments, of a synchronous and of an async generator."""
    for kind in ("TestSpeak", "TestSpeakAsync"):
        rng = random.Random(seed)
        pipeline = graph(
            {"id": "speak", "node_type": kind},
            {"id": "gain", "node_type": "Gain"},
            edges=(("speak", "gain"),),
        )
        oldest = stale = heard = 0
        took: list[float] = []

        async with pipeline.session() as session:

            async def listen(session: rm.Session = session) -> None:
                nonlocal stale, heard
                async for packet in session.outputs():
                    assert isinstance(packet.data, rm.Audio)
                    heard += 1
                    stale += int(packet.data.samples[0, 0] < oldest)  # noqa: B023 - of now

            listening = asyncio.create_task(listen())
            for number in range(count):
                await session.send(rm.Text(str(number)))
                await asyncio.sleep(rng.random() * 0.02)
                begin = time.perf_counter()
                await session.interrupt()
                took.append(time.perf_counter() - begin)
                oldest = number + 1
            await session.finish()
            await listening
        wrong["stale packets"] += stale
        wrong["p99 over 20 ms"] += percentile(took, 0.99) > 0.02
        print(
            f"{kind}: interrupts {count}, heard {heard}, stale {stale}; a call took, ms: "
            f"p50 {1e3 * statistics.median(took):.2f}, p99 {1e3 * percentile(took, 0.99):.2f}, "
            f"max {1e3 * max(took):.2f}"
        )


WORK: dict[str, Callable[[int, int], Awaitable[None]]] = {
    "kill": kill,
    "parents": parents,
    "sessions": sessions,
    "stops": stops,
    "barge-in": barge_in,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=WORK)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for name in ("remotemedia.process", "remotemedia.session"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, seed {options.seed}")
    asyncio.run(WORK[options.what](options.count, options.seed))
    found = {name: number for name, number in wrong.items() if number}
    print(f"wrong: {sum(found.values())}", *(f"{k}: {v}" for k, v in found.items()))
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main())
