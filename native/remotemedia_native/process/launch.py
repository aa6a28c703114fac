"""Starts child processes, hears what they write, knows at once when they end, and ends them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from remotemedia_native.process import boot, main_module
from remotemedia_native.process.control import MAX_MESSAGE, Control, pair
from remotemedia_native.process.errors import ProcessError
from remotemedia_native.process.exit import Exit
from remotemedia_native.process.output import Log, Output, logger

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "REMOTEMEDIA_THREADS",  # for what has no variable of its own, as onnxruntime
)
"""Environment variables that say how many threads a library may use."""

MIN_MESSAGE = 2**20  # bytes; for what a child is told first

_HELD_BACK = {signal.SIGUSR2, signal.SIGINT}
"""Signals that would kill a child that is not ready for them yet."""


class ChildProcess:
    """A process that was started; everything about it happens on the loop that started it.

    Attributes
    ----------
    pid : int
        Its process id.
    control : Control
        Speaks to it. Closed when the child has ended, after its last words.
    exited : asyncio.Future of Exit
        Done once the child is gone, all that it wrote was read, and nothing of it is left. Not to
        be cancelled: wait for it with `asyncio.wait` or `asyncio.shield`.
    """

    def __init__(self, process: subprocess.Popen[bytes], control: Control, name: str) -> None:
        self.pid = process.pid
        self.control = control
        self._process = process
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[Exit] = self._loop.create_future()
        self._why = ""
        self._log = Log(name, self._loop.time)
        self._outputs = [
            Output(stream, lambda line, level=level: self._log.take(level, line))  # type: ignore[misc]
            for stream, level in (
                (process.stdout, logging.INFO),
                (process.stderr, logging.WARNING),
            )
            if stream is not None
        ]
        self._pidfd: int | None = None
        try:
            self._pidfd = os.pidfd_open(process.pid)
        except (AttributeError, OSError):  # not on this system
            threading.Thread(target=self._wait, name=f"wait for {name}", daemon=True).start()
        else:
            self._loop.add_reader(self._pidfd, self._ended)

    @property
    def name(self) -> str:
        """In front of what it writes; may be set."""
        return self._log.name

    @name.setter
    def name(self, name: str) -> None:
        self._log.name = name

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended, asked of the system: `exited` needs a turn of the loop."""
        return self._process.poll() is None

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The last lines that it wrote and logged."""
        return tuple(self._log.last)

    @property
    def dump(self) -> tuple[str, ...]:
        """The first lines that it wrote since `dump_stack`."""
        return tuple(self._log.dump)

    def dump_stack(self) -> None:
        """Let it write the stacks of all its threads to stderr, whatever it does just now.

        They are in `dump` some milliseconds later; of a process that is stopped, never.
        """
        self._log.dump.clear()
        self._send(signal.SIGUSR2)

    def kill(self, why: str = "") -> None:
        """End it without its consent.

        Parameters
        ----------
        why : str
            Put in the words of its `Exit`.
        """
        if not self.exited.done():
            self._why = self._why or why
            self._send(signal.SIGKILL)

    async def terminate(self, deadline_s: float, why: str = "") -> Exit:
        """Ask it to end with SIGTERM, and kill it if it has not ended within `deadline_s`.

        The function that it runs is cancelled. If this call is cancelled, it is killed at once.
        `why` is put in the words of its `Exit`.
        """
        if not self.exited.done():
            self._why = self._why or why
        self._send(signal.SIGTERM)
        self._send(signal.SIGCONT)  # a stopped process would not notice
        try:
            await asyncio.wait([self.exited], timeout=deadline_s)
            self.kill(f"it did not end within {deadline_s:g} s of SIGTERM")
            await asyncio.wait([self.exited])
        except asyncio.CancelledError:
            self.kill("it was not to be waited for")
            raise
        return self.exited.result()

    def _send(self, number: signal.Signals) -> None:
        # Until it is reaped, which happens only here, the pid is its own.
        self._process.send_signal(number)

    def _wait(self) -> None:
        """In a thread."""
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        else:  # macOS
            self._process.wait()
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._ended)

    def _ended(self) -> None:
        code = self._process.poll()
        if code is None or self.exited.done():
            return
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
        for output in self._outputs:
            output.close()
        self._log.tell_hidden()
        # Before its last words are handed over: whoever hears them may ask.
        self.exited.set_result(Exit.of(code, self.last_lines, self._why))
        try:
            self.control.poll()
        finally:
            self.control.close()


def launch(
    entry: str,
    *,
    name: str,
    environment: Mapping[str, str] | None = None,
    threads: int = 1,
    max_message: int = MAX_MESSAGE,
) -> ChildProcess:
    """Start a process: a new Python, never a fork of this one.

    It can import what this process can, ignores Ctrl-C, and dies with this process; on Linux, with
    the thread that called this, which is to be the one that runs the loop until the child is gone.

    Parameters
    ----------
    entry : str
        ``package.module:function``, an async function that is called there with a `Control`.
    name : str
        In front of what it writes to stdout and stderr and logs, which goes to the logger
        ``remotemedia.process``.
    environment : mapping, optional
        Variables besides those of this process, or in their place.
    threads : int
        For the libraries that would otherwise use all processors.
    max_message : int
        Largest control message, bytes; at least 1 MiB.

    Raises
    ------
    ProcessError
        There can be no more processes or open files, or this is no place to start one.
    """
    if os.name != "posix":
        raise ProcessError("processes of nodes need Linux or macOS: use 'executor: inline'")
    if main_module.is_loading():
        raise ProcessError(
            "a process is started by the main file of the program, which is just being run once "
            "more for one of its processes: put this under `if __name__ == '__main__':`"
        )
    if not sys.executable:
        raise ProcessError("a Python inside of another program cannot start itself again")
    max_message = max(max_message, MIN_MESSAGE)
    first = {
        "path": [str(path) or str(Path.cwd()) for path in sys.path],
        "log_level": logger.getEffectiveLevel(),
        "main": main_module.reference(),
        "max_message": max_message,
    }
    ends: Sequence[socket.socket] = ()
    try:
        near, far = ends = pair()
        with _held_back():
            process = subprocess.Popen(
                [*_interpreter(), boot.__file__, str(far.fileno()), str(os.getpid()), entry],
                env=_environment(environment or {}, threads),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                pass_fds=[far.fileno()],
                process_group=0,  # Ctrl-C of a terminal goes to its whole group
            )
    except (OSError, ValueError) as error:  # the latter: a variable with a zero in it
        for end in ends:
            end.close()
        raise ProcessError(
            f"process {name!r} cannot be started: {error}: see ulimit -u, ulimit -n and the memory "
            "of this host, or put several nodes in one process_group"
        ) from error
    far.close()
    child = ChildProcess(process, Control(near, max_message=max_message), name)
    child.control.send(json.dumps(first).encode())
    return child


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """Children inherit what a thread holds back, and let it through when they are ready."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _interpreter() -> list[str]:
    # As it runs here; but -P, or the folder of boot.py would be where modules are looked for first.
    given = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [sys.executable, *given, *(() if "-P" in given else ("-P",))]


def _environment(given: Mapping[str, str], threads: int) -> dict[str, str]:
    return {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads)), **given}
