"""What the children of the tests run."""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import os
import signal
import sys
import time

import process_children_dependency

from remotemedia_native.process import main_module
from remotemedia_native.process.control import Control
from remotemedia_native.process.launch import ChildProcess, launch

DO: dict[str, object] = {}


async def answer(control: Control) -> None:
    """Give back each message, until told to end; `do NAME` does a thing."""
    ended = asyncio.get_running_loop().create_future()

    def take(message: bytes, fds: list[int]) -> None:
        for fd in fds:
            os.write(fd, message)
            os.close(fd)
        if message == b"end":
            ended.set_result(None)
        elif message.startswith(b"do "):
            globals()[message[3:].decode()](control)
        else:
            control.send(message)

    control.on_message = take
    await ended


def report(control: Control) -> None:
    variables = {name: value for name, value in os.environ.items() if "THREADS" in name}
    variables["MINE"] = os.environ.get("MINE", "")
    control.send(
        json.dumps(
            {
                "arguments": sys.argv[1:],
                "parent": os.getppid(),
                "environment": variables,
                "ignores_sigint": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
                "group": os.getpgid(0),
                "fds": sorted(map(int, os.listdir("/proc/self/fd"))),
                "dependency": process_children_dependency.VALUE,
            }
        ).encode()
    )


def segfault(control: Control) -> None:
    ctypes.string_at(0)


def leave(control: Control) -> None:
    control.send(b"last words")
    sys.stdout.write("goodbye\n")
    os._exit(7)


def flood(control: Control) -> None:
    for start in range(0, 100_000, 100):
        sys.stderr.write("".join(f"line {number}\n" for number in range(start, start + 100)))
    control.send(b"flooded")


def long_line(control: Control) -> None:
    sys.stdout.write("x" * 1_000_000 + "\n")
    sys.stdout.write("no end of line")
    sys.stdout.flush()
    control.send(b"written")


def log(control: Control) -> None:
    try:
        raise ValueError("deep inside")
    except ValueError:
        logging.getLogger("my.node").exception("two\nlines")
    sys.stderr.write("unfinished")
    sys.stderr.flush()
    logging.getLogger("my.node").warning("%s after it", "a record")
    logging.getLogger("my.node").info("not asked for")
    control.send(b"logged")


def spin_here(control: Control) -> None:
    control.send(b"spins")
    while True:
        pass


def hang_in_c(control: Control) -> None:
    control.send(b"hangs")
    while True:  # signals interrupt it
        ctypes.PyDLL(None).sleep(1000)  # holds the GIL


def ignore_sigterm(control: Control) -> None:
    asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    control.send(b"ignores")


def eat_memory(control: Control) -> None:
    DO["memory"] = bytearray(os.urandom(1000) * 200_000)
    control.send(b"eaten")


def find_in_main(control: Control) -> None:
    try:
        found = main_module.find("__main__")
        control.send(f"{found.Mine.__name__} of {found.Mine.__module__}: {found.VALUE}".encode())
    except Exception as error:
        control.send(str(error).encode())


async def clean_up(control: Control) -> None:
    control.on_message = lambda message, fds: None
    control.send(b"ready")
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await asyncio.sleep(0.01)
        sys.stdout.write("cleaned up\n")


async def raise_error(control: Control) -> None:
    raise ValueError("no such model")


async def nothing(control: Control) -> None:
    """Ends at once."""


async def parent(control: Control) -> None:
    """Has children of its own, says who they are, and goes on."""
    entries = ("answer", "hang", "hang_in_c_at_once")
    children = [launch(f"process_children:{entry}", name=entry) for entry in entries]
    control.on_message = lambda message, fds: None
    for child in children:
        asyncio.get_running_loop().create_task(heard_of(child, control))
    await asyncio.get_running_loop().create_future()


async def heard_of(child: ChildProcess, control: Control) -> None:
    heard = asyncio.get_running_loop().create_future()
    child.control.on_message = lambda message, fds: heard.done() or heard.set_result(message)
    child.control.send(b"hello")
    await heard
    control.send(str(child.pid).encode())


async def hang(control: Control) -> None:
    control.send(b"hangs")
    while True:
        time.sleep(1)


async def hang_in_c_at_once(control: Control) -> None:
    hang_in_c(control)
