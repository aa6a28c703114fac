"""The inside of a child process: it runs one asynchronous function, and ends with it."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import cast

from remotemedia_native.process import log_lines, main_module
from remotemedia_native.process.control import Control
from remotemedia_native.shm.loop import BellLoop

Entry = Callable[[Control], Awaitable[object]]


def find_entry(entry: str) -> Entry:
    """The function of ``package.module:function``."""
    module, _, name = entry.partition(":")
    return cast(Entry, getattr(importlib.import_module(module), name))


def run(fd: int, entry: str, first: Mapping[str, object]) -> None:
    """Run the entry until it returns, the parent is gone, or SIGTERM cancels it."""
    log_lines.install(cast(int, first["log_level"]))
    main_module.remember(cast("dict[str, str]", first["main"]))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    with asyncio.Runner(loop_factory=BellLoop) as runner:
        was_told = runner.run(_run(fd, entry, cast(int, first["max_message"])))
    if was_told:
        # Cleaned up; to the parent we died of what was sent.
        sys.stdout.flush()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)


async def _run(fd: int, entry: str, max_message: int) -> bool:
    """Whether SIGTERM was what ended it."""
    control = Control(socket.socket(fileno=fd), max_message=max_message)
    task = asyncio.ensure_future(find_entry(entry)(control))
    told: list[str] = []

    def end(why: str) -> None:
        told.append(why)
        task.cancel()

    control.on_closed = lambda _: end("closed")
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end, "SIGTERM")
    try:
        await task
    except asyncio.CancelledError:
        if not told:
            raise
    finally:
        control.close()
    return "SIGTERM" in told
