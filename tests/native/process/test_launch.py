"""Children: started, heard, ended; with real processes."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from remotemedia_native.process import launch as launching
from remotemedia_native.process.errors import ControlMessageTooLargeError, ProcessError
from remotemedia_native.process.launch import ChildProcess, launch

DEADLINE_S = 30


@pytest.fixture(autouse=True)
def children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent / "children")


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    gc.collect()  # a file that an earlier test let go of may be in a cycle
    fds = os.listdir("/proc/self/fd")
    yield
    assert set(os.listdir("/proc/self/fd")) <= set(fds)
    with pytest.raises(ChildProcessError):  # no child at all, dead or alive
        os.waitpid(-1, os.WNOHANG)


class Talk:
    """Speaks to a child that runs `answer`, or something alike."""

    def __init__(self, entry: str = "answer", **options: object) -> None:
        self.child = launch(f"process_children:{entry}", name="a", **options)  # type: ignore[arg-type]
        self.got: asyncio.Queue[bytes] = asyncio.Queue()
        self.closed: list[str] = []
        self.child.control.on_message = lambda message, fds: self.got.put_nowait(message)
        self.child.control.on_closed = self.closed.append

    async def hear(self) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            return await self.got.get()

    async def ask(self, message: bytes) -> bytes:
        assert self.child.control.send(message)
        return await self.hear()

    async def end(self) -> launching.Exit:
        self.child.control.send(b"end")
        return await ended(self.child)


async def ended(child: ChildProcess) -> launching.Exit:
    async with asyncio.timeout(DEADLINE_S):
        return await asyncio.shield(child.exited)


async def test_it_answers_and_ends() -> None:
    talk = Talk()
    assert await talk.ask(b"hello") == b"hello"
    read, write = os.pipe()
    talk.child.control.send(b"through a pipe", [write])
    os.close(write)
    assert await talk.hear() == b"through a pipe"
    assert os.read(read, 100) == b"through a pipe"
    os.close(read)
    exit_ = await talk.end()
    assert exit_ == (0, None, (), "")
    assert exit_.describe() == "exited with code 0"
    assert talk.closed == [""]
    assert not talk.child.control.send(b"x")
    talk.child.kill()  # does nothing
    assert await talk.child.terminate(1) == exit_


async def test_where_it_runs() -> None:
    talk = Talk(environment={"MINE": "x y", "MKL_NUM_THREADS": "4"}, threads=3)
    found = json.loads(await talk.ask(b"do report"))
    await talk.end()
    fd, parent, entry = found["arguments"]
    assert (int(parent), entry) == (os.getpid(), "process_children:answer")
    assert found["parent"] == os.getpid()
    expected = dict.fromkeys(launching.THREAD_VARIABLES, "3")
    expected |= {"MINE": "x y", "MKL_NUM_THREADS": "4"}
    assert found["environment"].items() >= expected.items()
    assert found["ignores_sigint"]
    assert found["group"] == talk.child.pid
    assert found["dependency"] == 42
    # stdin, stdout, stderr, the socket, epoll, the loop's own pair, and the folder that is read
    assert len(found["fds"]) == 8
    assert int(fd) in found["fds"]


@pytest.mark.parametrize(
    ("action", "name", "words"),
    [("segfault", "SIGSEGV", "was killed by SIGSEGV"), ("leave", None, "exited with code 7")],
)
async def test_how_it_ended(action: str, name: str | None, words: str) -> None:
    talk = Talk()
    talk.child.control.send(f"do {action}".encode())
    exit_ = await ended(talk.child)
    assert exit_.signal_name == name
    assert exit_.describe() == words
    if name:
        assert "Fatal Python error: Segmentation fault" in exit_.last_lines
        assert any("in segfault" in line for line in exit_.last_lines)
    else:
        assert exit_.last_lines == ("goodbye",)
        assert talk.got.get_nowait() == b"last words"


async def test_an_error_of_the_function_is_told() -> None:
    exit_ = await ended(launch("process_children:raise_error", name="a"))
    assert exit_.code == 1
    assert exit_.last_lines[-1] == "ValueError: no such model"
    exit_ = await ended(launch("no_such_module:f", name="a"))
    assert exit_.last_lines[-1] == "ModuleNotFoundError: No module named 'no_such_module'"


async def test_killed_by_somebody_and_by_us() -> None:
    talk = Talk()
    await talk.ask(b"up")
    os.kill(talk.child.pid, signal.SIGKILL)
    exit_ = await ended(talk.child)
    assert exit_.describe() == "was killed by SIGKILL: out of memory?"
    talk = Talk()
    talk.child.kill("it was in the way")  # while it starts
    exit_ = await ended(talk.child)
    assert exit_.describe() == "was killed by SIGKILL: it was in the way"


async def test_sigterm_cancels_the_function() -> None:
    talk = Talk("clean_up")
    assert await talk.hear() == b"ready"
    exit_ = await talk.child.terminate(DEADLINE_S)
    assert exit_ == (None, "SIGTERM", ("cleaned up",), "")


async def test_the_closed_socket_ends_it() -> None:
    talk = Talk("clean_up")
    assert await talk.hear() == b"ready"
    talk.child.control.close()
    assert await ended(talk.child) == (0, None, ("cleaned up",), "")


@pytest.mark.parametrize("action", ["ignore_sigterm", "spin_here", "hang_in_c"])
async def test_who_ignores_sigterm_is_killed(action: str) -> None:
    talk = Talk()
    await talk.ask(f"do {action}".encode())
    exit_ = await talk.child.terminate(0.2)
    assert exit_.describe() == "was killed by SIGKILL: it did not end within 0.2 s of SIGTERM"


async def test_a_stopped_process_ends_by_sigterm() -> None:
    talk = Talk("clean_up")
    await talk.hear()
    os.kill(talk.child.pid, signal.SIGSTOP)
    assert (await talk.child.terminate(DEADLINE_S)).signal_name == "SIGTERM"


async def test_who_stops_waiting_kills() -> None:
    talk = Talk()
    await talk.ask(b"do ignore_sigterm")
    task = asyncio.create_task(talk.child.terminate(DEADLINE_S))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await ended(talk.child)).signal_name == "SIGKILL"


@pytest.mark.parametrize("action", ["spin_here", "hang_in_c"])
async def test_the_stack_of_a_process_that_hangs(action: str) -> None:
    talk = Talk()
    await talk.ask(f"do {action}".encode())
    talk.child.dump_stack()
    async with asyncio.timeout(DEADLINE_S):
        while not any(f"in {action}" in line for line in talk.child.last_lines):
            await asyncio.sleep(0.01)
    talk.child.kill()
    await ended(talk.child)


async def test_signals_while_it_starts_do_not_kill() -> None:
    talk = Talk()
    for _ in range(50):
        talk.child.dump_stack()
        os.kill(talk.child.pid, signal.SIGINT)
        await asyncio.sleep(0.002)
    assert await talk.ask(b"still here") == b"still here"
    assert (await talk.end()).code == 0


async def test_lines_and_records_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "remotemedia.process")
    talk = Talk()
    talk.child.name = "vad"
    assert await talk.ask(b"do log") == b"logged"
    exit_ = await talk.end()
    first, second, third = caplog.records
    assert {record.name for record in caplog.records} == {"remotemedia.process"}
    assert first.levelno == logging.ERROR
    assert first.getMessage().startswith("vad: my.node: two\nlines\nTraceback (most recent")
    assert first.getMessage().endswith("ValueError: deep inside")
    assert (second.levelno, second.getMessage()) == (logging.WARNING, "vad: unfinished")
    assert third.getMessage() == "vad: my.node: a record after it"
    assert exit_.last_lines[1:] == ("unfinished", "my.node: a record after it")


async def test_a_flood_of_lines(caplog: pytest.LogCaptureFixture) -> None:
    talk = Talk()
    assert await talk.ask(b"do flood") == b"flooded"
    exit_ = await talk.end()
    assert exit_.last_lines == tuple(f"line {number}" for number in range(99_960, 100_000))
    texts = [record.getMessage() for record in caplog.records]
    hidden = sum(int(text.split()[1]) for text in texts if text.endswith("too many to show"))
    assert hidden > 0
    assert hidden + sum(text.startswith("a: line ") for text in texts) == 100_000


async def test_lines_that_are_too_long(caplog: pytest.LogCaptureFixture) -> None:
    talk = Talk()
    assert await talk.ask(b"do long_line") == b"written"
    exit_ = await talk.end()
    assert exit_.last_lines[-1] == "no end of line"
    assert 2 <= len(exit_.last_lines) <= 40
    assert {len(line) for line in exit_.last_lines[:-1]} <= {4096, 1_000_000 % 65_536}


async def test_twenty_children_leave_nothing() -> None:
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    children = [launch("process_children:nothing", name=str(number)) for number in range(20)]
    for child in children:
        assert (await ended(child)).code == 0
    assert len(os.listdir("/proc/self/fd")) <= before


async def test_without_pidfd_a_thread_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int) -> int:
        raise OSError("not here")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    talk = Talk()
    assert await talk.ask(b"hello") == b"hello"
    assert (await talk.end()).code == 0


async def test_variables_that_cannot_be() -> None:
    with pytest.raises(ProcessError, match="'a' cannot be started: embedded null byte"):
        launch("process_children:answer", name="a", environment={"A": "\0"})


async def test_the_limit_of_messages_holds_at_both_ends() -> None:
    talk = Talk(max_message=1)  # which is less than what it has to be told first
    big = bytes(launching.MIN_MESSAGE)
    assert await talk.ask(big) == big
    with pytest.raises(ControlMessageTooLargeError, match=r"limit of 1,048,576"):
        talk.child.control.send(big + b"x")
    assert (await talk.end()).code == 0


async def test_no_more_files(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    gc.collect()
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 2, limits[1]))
    try:
        with pytest.raises(ProcessError, match=r"'a' cannot be started: .*Too many open files"):
            launch("process_children:answer", name="a")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_children_die_with_a_parent_that_is_killed() -> None:
    talk = Talk("parent")
    pids = [int(await talk.hear()) for _ in range(3)]
    assert all(is_alive(pid) for pid in pids)
    talk.child.kill()
    started = time.monotonic()
    await ended(talk.child)
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < started + 2
        await asyncio.sleep(0.005)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


MAIN = """
import asyncio, sys
from remotemedia_native.process.launch import launch
sys.path.append({children!r})

class Mine:
    pass

VALUE = 6

async def main():
    child = launch("process_children:answer", name="a")
    heard = asyncio.get_running_loop().create_future()
    child.control.on_message = lambda message, fds: heard.set_result(message)
    child.control.send(b"do find_in_main")
    print((await heard).decode())
    child.control.send(b"end")
    await child.exited

{guard}
    asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["file", "module"])
async def test_classes_of_the_main_file(tmp_path: Path, how: str) -> None:
    text = MAIN.format(children=sys.path[0], guard="if __name__ == '__main__':")
    assert await run_main(tmp_path, how, text) == "Mine of __mp_main__: 6"


async def test_main_file_without_guard(tmp_path: Path) -> None:
    text = MAIN.format(children=sys.path[0], guard="if True:")
    said = await run_main(tmp_path, "file", text)
    assert "main.py fails when a node's process runs it once more" in said
    assert "under `if __name__ == '__main__':`, or the class in a file of its own" in said


async def test_main_file_that_starts_processes(tmp_path: Path) -> None:
    text = MAIN.format(children=sys.path[0], guard="if True:\n    launch('a:b', name='b')\nif 0:")
    text = text.replace("    launch(", "    asyncio.get_event_loop_policy()\n    launch(", 1)
    text = text.replace("if True:", "if __name__ == '__mp_main__':") + "\nasyncio.run(main())"
    said = await run_main(tmp_path, "file", text)
    assert "a process is started by the main file of the program" in said


async def test_main_that_was_typed_in(tmp_path: Path) -> None:
    text = MAIN.format(children=sys.path[0], guard="if True:")
    said = await run_main(tmp_path, "text", text)
    assert "given with -c: put the node's class in a file that can be imported" in said


async def run_main(folder: Path, how: str, text: str) -> str:
    package = folder / "pack"
    package.mkdir()
    file = package / "main.py"
    file.write_text(text)
    arguments = {"file": [str(file)], "module": ["-m", "pack.main"], "text": ["-c", text]}[how]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(DEADLINE_S):
        said, _ = await process.communicate()
    return said.decode().strip()
