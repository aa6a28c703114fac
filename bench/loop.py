"""What a switch of tasks costs on the loop of the browser's worker.

The same work in turns on the batched loop, on the loop that Pyodide brings (the peer), and on
asyncio's own loop, which cannot wait for JavaScript (the floor). All inside Pyodide under Node, in
one run. Times are per step, the median over rounds.

- *sleep(0)*: one task, a switch each. *50 tasks*: the same, in turns.
- *queue*: to another task and back by two queues: two switches, and what the queues do.
- *future*: a future that a callback sets.
- *enter*: JavaScript calls, a task takes what the entry put; until the call has returned. On the
  stock loop: until the task has it.
- *timer*: what ``sleep(0.001)`` takes beyond 1 ms. It is negative where it comes back too early.

    .venv/bin/python bench/loop.py
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from harness.report import REPOSITORY, Report, machine, quartiles, ratios, versions

# In Node, where the stock loop takes 10-12 µs per switch; in Chromium it takes 25-31, ours 3.
MIN_RATIO = 2.5
MAX_OVER_FLOOR = 1.4  # what a look at the clock after each callback costs: 0.3 µs
STEPS = 600
TASKS, TURNS = 50, 60
TIMERS = 12

Work = Callable[[], Awaitable[float]]


async def sleeps() -> float:
    """Seconds per ``sleep(0)``."""
    began = perf_counter()
    for _ in range(STEPS):
        await asyncio.sleep(0)
    return (perf_counter() - began) / STEPS


async def fifty() -> float:
    """Seconds per switch among 50 tasks."""

    async def step() -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)

    began = perf_counter()
    await asyncio.gather(*(step() for _ in range(TASKS)))
    return (perf_counter() - began) / (TASKS * TURNS)


async def queues() -> float:
    """Seconds per round trip."""
    there: asyncio.Queue[int] = asyncio.Queue()
    back: asyncio.Queue[int] = asyncio.Queue()

    async def echo() -> None:
        while True:
            await back.put(await there.get())

    task = asyncio.ensure_future(echo())
    began = perf_counter()
    for number in range(STEPS):
        await there.put(number)
        await back.get()
    seconds = (perf_counter() - began) / STEPS
    task.cancel()
    await asyncio.wait([task])
    return seconds


async def futures() -> float:
    """Seconds per future."""
    loop = asyncio.get_running_loop()
    began = perf_counter()
    for _ in range(STEPS):
        future = loop.create_future()
        loop.call_soon(future.set_result, None)
        await future
    return (perf_counter() - began) / STEPS


async def entries() -> float:
    """Seconds from an entry to the task that it wakes, and back."""
    from js import setTimeout
    from pyodide.ffi import create_proxy

    loop = asyncio.get_running_loop()
    enter: Any = getattr(loop, "enter", None)
    queue: asyncio.Queue[float] = asyncio.Queue()
    times: list[float] = []
    done = loop.create_future()

    async def take() -> None:
        while True:
            began = await queue.get()
            if enter is None:
                times.append(perf_counter() - began)

    def put() -> None:
        queue.put_nowait(perf_counter())

    def entry() -> None:
        if enter is None:
            put()
        else:
            began = perf_counter()
            enter(put)
            times.append(perf_counter() - began)
        if len(times) < STEPS // 6:
            setTimeout(proxy, 0)
        else:
            loop.call_soon(done.set_result, None)

    proxy = create_proxy(entry)
    task = asyncio.ensure_future(take())
    setTimeout(proxy, 0)
    await done
    task.cancel()
    await asyncio.wait([task])
    proxy.destroy()
    return median(times)


async def timers() -> float:
    """Seconds that a sleep of 1 ms takes more."""
    times: list[float] = []
    for _ in range(TIMERS):
        began = perf_counter()
        await asyncio.sleep(0.001)
        times.append(perf_counter() - began - 0.001)
    return median(times)


WORK: dict[str, Work] = {
    "sleep(0)": sleeps,
    "50 tasks": fifty,
    "queue": queues,
    "future": futures,
    "enter": entries,
    "timer": timers,
}
ON_ASYNCIOS = ("sleep(0)", "50 tasks", "queue", "future")


class BareLoop(asyncio.BaseEventLoop):
    """asyncio's own loop, less all that it could wait for."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = self

    def select(self, timeout: float | None) -> list[Any]:
        """What the loop calls to wait."""
        return []

    def _process_events(self, events: list[Any]) -> None:
        pass

    def __del__(self) -> None:
        """Say nothing: there is nothing to close."""


async def on_asyncios(work: Work) -> float:
    """Do it on asyncio's own loop: from a callback, for in a task no other loop may run."""
    outer = asyncio.get_running_loop()
    result: asyncio.Future[float] = outer.create_future()

    def run() -> None:
        asyncio._set_running_loop(None)
        try:
            work_of: Any = work()
            seconds: float = BareLoop().run_until_complete(work_of)
        finally:
            asyncio._set_running_loop(outer)
        result.set_result(seconds)

    outer.call_soon(run)
    return await result


async def on_batched(work: Work) -> float:
    """Do it on ours."""
    from remotemedia_wasm.loop import install, uninstall

    install()
    try:
        await asyncio.sleep(0)
        return await work()
    finally:
        uninstall()


async def on_stock(work: Work) -> float:
    """Do it on Pyodide's own."""
    return await work()


LOOPS: dict[str, Callable[[Work], Coroutine[Any, Any, float]]] = {
    "batched": on_batched,
    "stock": on_stock,
    "asyncio's": on_asyncios,
}


async def take_rounds(rounds: int) -> dict[str, dict[str, list[float]]]:
    """Seconds by work and loop; all take turns, forwards and backwards."""
    found: dict[str, dict[str, list[float]]] = {name: {} for name in WORK}
    for number in range(rounds + 1):
        for name, work in WORK.items():
            loops = [*LOOPS] if name in ON_ASYNCIOS else [*LOOPS][:2]
            for loop in reversed(loops) if number % 2 else loops:
                seconds = await LOOPS[loop](work)
                if number:  # the first warms up
                    found[name].setdefault(loop, []).append(seconds)
    return found


async def inside_pyodide(arguments: Sequence[str]) -> int:
    """Measure and report; what `main` asks for."""
    (rounds,) = map(int, arguments)
    report = Report(
        "loop",
        versions=versions("numpy", "msgspec"),
        n=f"{rounds} rounds of {STEPS} steps, {TASKS} tasks of {TURNS}, {TIMERS} timers",
    )
    found = await take_rounds(rounds)
    microseconds = {
        name: {loop: quartiles([s * 1e6 for s in seconds]) for loop, seconds in loops.items()}
        for name, loops in found.items()
    }
    quicker = {
        name: ratios(loops["batched"], loops["stock"])
        for name, loops in found.items()
        if name != "timer"
    }
    floors = {
        name: ratios(found[name]["asyncio's"], found[name]["batched"]) for name in ON_ASYNCIOS
    }
    rows = []
    for name, loops in microseconds.items():
        cells = [
            f"{loops[loop]['p50']:.2f} ({loops[loop]['p25']:.2f}-{loops[loop]['p75']:.2f})"
            if loop in loops
            else "-"
            for loop in LOOPS
        ]
        ratio = f"{quicker[name]['p50']:.1f}" if name in quicker else "-"
        floor = f"{floors[name]['p50']:.2f}" if name in floors else "-"
        rows.append([name, *cells, ratio, floor])
    report.table(["µs, p50 (p25-p75)", *LOOPS, "stock/batched", "batched/asyncio's"], rows)
    report.body |= {"us": microseconds, "stock_to_batched": quicker, "batched_to_asyncios": floors}
    for name in ("sleep(0)", "50 tasks"):
        over = floors[name]["p50"]
        report.claim(f"{name}: times of asyncio's own loop", over, at_most=MAX_OVER_FLOOR)
    for name in ("sleep(0)", "50 tasks", "queue"):
        report.claim(f"{name}: times quicker than stock", quicker[name]["p50"], MIN_RATIO)
    early = min(found["timer"]["batched"]) * 1e6
    report.claim("sleep(0.001) is not early", early, at_least=0, unit=" µs")
    return report.end(Path("/out/json"))


def main() -> int:
    """Run inside Pyodide; exit code 1 if a claim is not met."""
    from harness.build import build_wheel, output_of

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    options = parser.parse_args()
    wheel = build_wheel()
    dist = output_of(sys.executable, REPOSITORY / "scripts" / "pyodide_dist.py")
    host = {**machine(), "node": output_of("node", "--version")}
    print("Pyodide under Node:", ", ".join(f"{key} {value}" for key, value in host.items()))
    runner = REPOSITORY / "bench" / "harness" / "pyodide_async.mjs"
    with tempfile.TemporaryDirectory() as out:
        command = ["node", runner, dist, wheel, out, "loop.py", str(options.rounds)]
        status = subprocess.call(command)
        file = Path(out) / "json"
        if options.json and file.is_file():
            body = {**json.loads(file.read_text()), "host": host}
            options.json.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
