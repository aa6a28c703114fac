"""Children that wait to be needed."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from remotemedia_native.process.launch import ChildProcess
from remotemedia_native.process.spares import Key, Spares

DEADLINE_S = 30
SOON_S = 0.01
NEVER_S = 1000.0


@pytest.fixture(autouse=True)
def children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent / "children")


@asynccontextmanager
async def spares(refill_s: float = NEVER_S) -> AsyncIterator[Spares]:
    gc.collect()  # a file that an earlier test let go of may be in a cycle
    fds = os.listdir("/proc/self/fd")
    made = Spares(refill_s)
    try:
        yield made
    finally:
        await made.aclose()
    assert set(os.listdir("/proc/self/fd")) <= set(fds)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.002)


async def ask(child: ChildProcess, message: bytes) -> bytes:
    heard: list[bytes] = []
    child.control.on_message = lambda message, fds: heard.append(message)
    assert child.control.send(message)
    await until(lambda: heard)
    return heard[0]


async def end(child: ChildProcess) -> None:
    child.control.send(b"end")
    await asyncio.shield(child.exited)


def pid_of_spare(made: Spares, key: Key) -> int:
    return made._children[key].pid


async def test_a_spare_is_taken_and_replaced() -> None:
    async with spares(SOON_S) as made:
        key = Key((("MINE", "yes"),), 2, ("wave",))
        made.prepare(key)
        made.prepare(key)
        assert not made.is_ready(key)
        await until(lambda: made.is_ready(key))
        pid = pid_of_spare(made, key)
        child = made.take(key, "process_children:answer", "mine")
        assert (child.pid, child.name) == (pid, "mine")
        assert not made.is_ready(key)
        found = json.loads(await ask(child, b"do report"))
        assert found["environment"]["MINE"] == "yes"
        assert found["environment"]["OMP_NUM_THREADS"] == "2"
        await until(lambda: made.is_ready(key))
        assert pid_of_spare(made, key) != pid
        await end(child)


async def test_without_a_spare_one_is_launched() -> None:
    async with spares() as made:
        key = Key()
        child = made.take(key, "process_children:answer", "mine")
        assert await ask(child, b"hello") == b"hello"
        await end(child)
        made.prepare(key)
        other = made.take(key, "process_children:answer", "mine")  # the spare still boots
        assert other.pid != pid_of_spare(made, key)
        await until(lambda: made.is_ready(key))
        assert not made.is_ready(Key(threads=2))
        await end(other)


async def test_messages_that_follow_at_once_are_for_the_function() -> None:
    async with spares() as made:
        made.prepare(Key())
        await until(lambda: made.is_ready(Key()))
        child = made.take(Key(), "process_children:answer", "mine")
        heard: list[bytes] = []
        child.control.on_message = lambda message, fds: heard.append(message)
        for number in range(5):
            child.control.send(b"%d" % number)
        await until(lambda: len(heard) == 5)
        assert heard == [b"0", b"1", b"2", b"3", b"4"]
        await end(child)


async def test_a_dead_spare_is_not_given() -> None:
    async with spares(SOON_S) as made:
        made.prepare(Key())
        await until(lambda: made.is_ready(Key()))
        pid = pid_of_spare(made, Key())
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # without a turn of the loop
        assert not made.is_ready(Key())
        child = made.take(Key(), "process_children:nothing", "mine")
        assert child.pid != pid
        assert (await asyncio.shield(child.exited)).code == 0
        await until(lambda: made.is_ready(Key()))


async def test_one_that_dies_waiting_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    async with spares(SOON_S) as made:
        made.prepare(Key())
        await until(lambda: made.is_ready(Key()))
        pid = pid_of_spare(made, Key())
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not made.is_ready(Key()))
        await until(lambda: made.is_ready(Key()))
        assert pid_of_spare(made, Key()) != pid
        assert "a spare was killed by SIGKILL" in caplog.text


async def test_a_module_that_fails_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with spares() as made:
        key = Key(modules=("no_such_module",))
        made.prepare(key)
        await until(lambda: made.is_ready(key))
        await until(lambda: "no_such_module cannot be imported ahead" in caplog.text)


async def test_one_that_cannot_boot_is_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async with spares(SOON_S) as made:
        key = Key(modules=("process_children_crash",))
        made.prepare(key)
        await until(lambda: "a spare exited with code 9" in caplog.text)
        await asyncio.sleep(SOON_S * 5)
        assert not made._children


async def test_after_the_end_none_is_kept() -> None:
    async with spares(SOON_S) as made:
        made.prepare(Key())
    child = made.take(Key(), "process_children:nothing", "mine")
    assert (await asyncio.shield(child.exited)).code == 0
    made.prepare(Key())
    assert not made._children
