"""Trouble with a child that is alive."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from remotemedia.clock import SystemClock, sleep
from remotemedia.testing import VirtualClock
from remotemedia_native.process.launch import ChildProcess, launch
from remotemedia_native.process.vitals import Vitals, start_time, vitals
from remotemedia_native.process.watch import Watch

DEADLINE_S = 30
MIB = 2**20


class Fake:
    """A child without a process; notes what is done to it, and when."""

    pid = 7
    is_alive = True
    dump = ("in spin",)

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.done: list[tuple[object, ...]] = []
        self.told: list[tuple[str, tuple[str, ...]]] = []
        self.count = 0
        self.busy = False
        self.vitals: Vitals | None = Vitals(10 * MIB, stopped=False)

    def note(self, *what: object) -> None:
        self.done.append((self.clock.now_us(), *what))

    def dump_stack(self) -> None:
        self.note("dump")

    def kill(self, why: str = "") -> None:
        self.note("kill", why)

    async def terminate(self, deadline_s: float, why: str = "") -> object:
        self.note("terminate", deadline_s, why)
        return None

    def watch(self, memory_limit: int | None = None, hang_timeout_us: int | None = None) -> Watch:
        return Watch(
            self,
            self.clock,
            lambda words, dump: self.told.append((words, dump)),
            memory_limit=memory_limit,
            hang_timeout_us=hang_timeout_us,
            progress=lambda: (self.count, self.busy),
            look=lambda pid: self.vitals,
        )


@pytest.fixture
def fake(clock: VirtualClock) -> Fake:
    return Fake(clock)


def test_memory_over_the_limit(fake: Fake) -> None:
    async def go() -> None:
        fake.watch(memory_limit=256 * MIB)
        fake.vitals = Vitals(256 * MIB, stopped=False)
        await sleep(fake.clock, 1_000_000)
        assert not fake.done
        fake.vitals = Vitals(512 * MIB, stopped=False)
        await sleep(fake.clock, 1_000_000)

    fake.clock.run(go())
    words = "uses 512 MiB of the 256 MiB that memory_limit_mb allows"
    assert fake.done == [(1_100_000, "kill", f"it {words}")]
    assert fake.told == [(words, ())]


def test_no_progress(fake: Fake) -> None:
    async def go() -> None:
        fake.watch(hang_timeout_us=1_000_000)
        await sleep(fake.clock, 5_000_000)  # with nothing to do
        fake.busy = True
        for _ in range(30):  # it does something every 0.9 s
            await sleep(fake.clock, 900_000)
            fake.count += 1
        assert not fake.done
        await sleep(fake.clock, 5_000_000)

    fake.clock.run(go())
    began_us = 5_000_000 + 30 * 900_000
    words = "made no progress for 1 s, longer than hang_timeout_ms allows"
    (dumped_us, dump), (ended_us, *ended) = fake.done
    assert dump == "dump"
    assert began_us + 1_000_000 <= dumped_us <= began_us + 1_100_000
    assert ended_us == dumped_us + 200_000
    assert ended == ["terminate", 2.0, f"it {words}"]
    assert fake.told == [(words, ("in spin",))]


def test_progress_at_the_last_moment(fake: Fake) -> None:
    async def go() -> None:
        fake.watch(hang_timeout_us=1_000_000)
        fake.busy = True
        while not fake.done:
            await sleep(fake.clock, 50_000)
        fake.count += 1
        fake.busy = False
        await sleep(fake.clock, 10_000_000)

    fake.clock.run(go())
    assert [what[1] for what in fake.done] == ["dump"]
    assert not fake.told


def test_a_stopped_child_hangs_even_without_work(fake: Fake) -> None:
    async def go() -> None:
        fake.watch(hang_timeout_us=500_000)
        fake.vitals = Vitals(MIB, stopped=True)
        await sleep(fake.clock, 2_000_000)

    fake.clock.run(go())
    said = "has been stopped by a signal for 0.5 s, longer than hang_timeout_ms allows"
    assert [words for words, _ in fake.told] == [said]


def test_time_in_which_the_parent_stood_still_does_not_count(fake: Fake) -> None:
    async def go() -> None:
        watch = fake.watch(hang_timeout_us=1_000_000)
        fake.busy = True
        await sleep(fake.clock, 300_000)
        fake.clock._jump(fake.clock.now_us() + 60_000_000)
        await sleep(fake.clock, 400_000)
        watch.close()
        await sleep(fake.clock, 5_000_000)

    fake.clock.run(go())
    assert not fake.done


@pytest.mark.parametrize("dead_us", [500_000, 1_150_000])
def test_the_dead_do_not_hang(fake: Fake, dead_us: int) -> None:
    async def go() -> None:
        fake.watch(memory_limit=1000 * MIB, hang_timeout_us=1_000_000)
        fake.busy = True
        await sleep(fake.clock, dead_us)
        fake.is_alive = False
        await sleep(fake.clock, 5_000_000)

    fake.clock.run(go())
    assert not fake.told


def test_what_cannot_be_looked_at_or_has_no_limit(fake: Fake) -> None:
    async def go() -> None:
        fake.vitals = None
        fake.busy = True
        fake.watch(memory_limit=1)
        fake.watch()
        await sleep(fake.clock, 100_000_000)

    fake.clock.run(go())
    assert not fake.done


# Real processes.


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ChildProcess]:
    monkeypatch.syspath_prepend(Path(__file__).parent / "children")

    def start(action: str) -> ChildProcess:
        child = launch("process_children:answer", name="a")
        child.control.on_message = lambda message, fds: None
        child.control.send(action.encode())
        return child

    return start


async def ended(child: ChildProcess) -> str:
    async with asyncio.timeout(DEADLINE_S):
        return (await asyncio.shield(child.exited)).describe()


async def test_a_child_that_eats_memory(child: Callable[[str], ChildProcess]) -> None:
    told: list[str] = []
    eater = child("do eat_memory")
    Watch(eater, SystemClock(), lambda words, _: told.append(words), memory_limit=128 * MIB)
    assert await ended(eater) == f"was killed by SIGKILL: it {told[0]}"
    assert told[0].endswith("of the 128 MiB that memory_limit_mb allows")


@pytest.mark.parametrize("action", ["spin_here", "hang_in_c"])
async def test_a_child_that_hangs(action: str, child: Callable[[str], ChildProcess]) -> None:
    told: list[tuple[str, tuple[str, ...]]] = []
    spinner = child(f"do {action}")
    heard: list[bytes] = []
    spinner.control.on_message = lambda message, fds: heard.append(message)
    while not heard:
        await asyncio.sleep(0.01)
    Watch(
        spinner,
        SystemClock(),
        lambda *what: told.append(what),
        hang_timeout_us=200_000,
        progress=lambda: (0, True),
    )
    assert "it made no progress for 0." in await ended(spinner)
    ((_, dump),) = told
    assert any(f"in {action}" in line for line in dump)


async def test_a_child_that_is_stopped(child: Callable[[str], ChildProcess]) -> None:
    told: list[str] = []
    sleeper = child("hello")
    heard: list[bytes] = []
    sleeper.control.on_message = lambda message, fds: heard.append(message)
    while not heard:
        await asyncio.sleep(0.01)
    os.kill(sleeper.pid, signal.SIGSTOP)
    Watch(sleeper, SystemClock(), lambda words, _: told.append(words), hang_timeout_us=200_000)
    assert (await ended(sleeper)).startswith("was killed by SIGTERM: it has been stopped")
    assert len(told) == 1


def test_vitals_of_real_processes() -> None:
    import psutil

    own = vitals(os.getpid())
    assert own is not None
    assert own.resident == pytest.approx(psutil.Process().memory_info().rss, rel=0.05)
    assert not own.stopped
    started = start_time(os.getpid())
    assert started is not None
    assert started / os.sysconf("SC_CLK_TCK") + psutil.boot_time() == pytest.approx(
        psutil.Process().create_time(), abs=1.5
    )
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    assert vitals(process.pid) is not None
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert start_time(process.pid) is None  # a zombie owns nothing
    process.wait()
    assert start_time(process.pid) is None
    assert vitals(process.pid) is None
