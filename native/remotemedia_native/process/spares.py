"""Spares: children that have booted and imported what they will need, and wait for their function.

Starting Python and importing numpy is most of what a restart takes.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import sys
from typing import NamedTuple

from remotemedia_native.process.child import find_entry
from remotemedia_native.process.control import MAX_MESSAGE, Control
from remotemedia_native.process.errors import ProcessError
from remotemedia_native.process.launch import ChildProcess, launch

REFILL_S = 0.5
"""Time from the taking of a spare to the start of the next, which is not to slow the taker down."""

_ALWAYS = ("numpy", "remotemedia")
_READY = b"ready"

logger = logging.getLogger("remotemedia.process")


class Key(NamedTuple):
    """What a spare is good for.

    Attributes
    ----------
    environment : tuple of (str, str)
        As for `launch`, sorted.
    threads : int
        As for `launch`.
    modules : tuple of str
        To be imported besides numpy and remotemedia.
    max_message : int
        As for `launch`, bytes.
    """

    environment: tuple[tuple[str, str], ...] = ()
    threads: int = 1
    modules: tuple[str, ...] = ()
    max_message: int = MAX_MESSAGE


class Spares:
    """Keeps at most one child ready per key; on one loop, and until `aclose`.

    Parameters
    ----------
    refill_s : float
        Time after which what was taken is replaced, s.
    """

    def __init__(self, refill_s: float = REFILL_S) -> None:
        self._refill_s = refill_s
        self._children: dict[Key, ChildProcess] = {}  # that boot, or are ready
        self._ready: set[Key] = set()
        self._refills: dict[Key, asyncio.TimerHandle] = {}
        self._loop = asyncio.get_running_loop()
        self._closed = False

    def is_ready(self, key: Key) -> bool:
        """Whether a spare waits to be taken."""
        return key in self._ready and self._children[key].is_alive

    def prepare(self, key: Key) -> None:
        """Start a spare, unless there is one. It is ready some time later.

        Raises
        ------
        ProcessError
            No process can be started.
        """
        if self._closed or key in self._children:
            return
        if refill := self._refills.pop(key, None):
            refill.cancel()
        child = _launch(f"{__name__}:wait", "spare", key)
        child.control.on_message = lambda *_: self._ready.add(key)
        child.control.send(json.dumps([*_ALWAYS, *key.modules]).encode())
        self._children[key] = child
        child.exited.add_done_callback(lambda _: self._died(key, child))

    def take(self, key: Key, entry: str, name: str) -> ChildProcess:
        """A child that runs `entry`: the spare if one is ready, else a new one.

        Raises
        ------
        ProcessError
            There is none, and no process can be started.
        """
        if not self._closed and key not in self._refills:
            self._refills[key] = self._loop.call_later(self._refill_s, self._refill, key)
        if self.is_ready(key):
            child = self._children.pop(key)
            self._ready.remove(key)
            child.control.on_message = None
            child.name = name
            if child.control.send(json.dumps([entry, sys.path]).encode()):
                return child
        return _launch(entry, name, key)

    def _refill(self, key: Key) -> None:
        del self._refills[key]
        try:
            self.prepare(key)
        except ProcessError as error:
            logger.warning("no spare: %s", error)

    def _died(self, key: Key, child: ChildProcess) -> None:
        if self._children.get(key) is not child:
            return  # it was taken
        del self._children[key]
        if not self._closed:
            logger.warning("a spare %s", child.exited.result().describe())
        # One that dies before it is ready would do so again.
        if key in self._ready and not self._closed and key not in self._refills:
            self._refills[key] = self._loop.call_later(self._refill_s, self._refill, key)
        self._ready.discard(key)

    async def aclose(self) -> None:
        """End all that were not taken; returns when they are gone."""
        self._closed = True
        for refill in self._refills.values():
            refill.cancel()
        self._refills.clear()
        children = list(self._children.values())
        for child in children:
            child.kill("it was not needed any more")
        if children:
            await asyncio.wait([child.exited for child in children])


def _launch(entry: str, name: str, key: Key) -> ChildProcess:
    return launch(
        entry,
        name=name,
        environment=dict(key.environment),
        threads=key.threads,
        max_message=key.max_message,
    )


async def wait(control: Control) -> None:
    """In the child: import, say so, and run what comes."""
    for module in json.loads(await _next(control)):
        try:
            importlib.import_module(module)
        except Exception as error:  # told again when it is needed
            logger.warning("%s cannot be imported ahead: %r", module, error)
    heard = _next(control)
    control.send(_READY)
    entry, path = json.loads(await heard)
    sys.path[:] = path
    await find_entry(entry)(control)


def _next(control: Control) -> asyncio.Future[bytes]:
    """The next message; those after it are not read yet."""
    future = asyncio.get_running_loop().create_future()

    def take(message: bytes, _: list[int]) -> None:
        control.on_message = None
        future.set_result(message)

    control.on_message = take
    return future
