"""Runs tests of what needs JavaScript's own event loop, inside Pyodide: in Node or in a browser.

A test is a function ``async def test_*()`` of a module, without arguments. pytest cannot run it: it
does not return to JavaScript before it is done.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import traceback
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from js import clearTimeout, setTimeout
from pyodide.ffi import create_proxy

from remotemedia_wasm.loop import install, uninstall

TIMEOUT_S = 60
Test = Callable[[], Coroutine[Any, Any, None]]


async def run_all(
    modules: tuple[str, ...] = ("test_loop",),
    only: tuple[str, ...] = (),
    doing: Callable[[str], object] = lambda name: None,
    given: dict[str, Any] | None = None,
    suspendable: bool = True,
) -> dict[str, Any]:
    """Run tests, each on a loop that is installed for it.

    Parameters
    ----------
    modules : tuple of str
        Where the tests are.
    only : tuple of str
        Run only those whose names contain one of these.
    doing : callable
        Told the name of each test before it runs, for whoever watches: what hangs without giving
        JavaScript its turn can be ended only from outside.
    given : dict, optional
        What tests are given from outside, by name; it becomes the attribute ``GIVEN`` of modules
        that have one.
    suspendable : bool
        How the loop is installed.

    Returns
    -------
    dict
        ``passed`` and ``failed``, how many; ``failures``, the traceback by name; ``names``.
    """
    failures: dict[str, str] = {}
    names: list[str] = []
    for module_name in modules:
        module = importlib.import_module(module_name)
        if given is not None and hasattr(module, "GIVEN"):
            module.GIVEN.update(given)
        for name, test in tests_of(module):
            if only and not any(part in name for part in only):
                continue
            names.append(name)
            doing(name)
            install(suspendable=suspendable)
            try:
                await within(TIMEOUT_S, test)
            except BaseException:
                failures[name] = traceback.format_exc()
            finally:
                uninstall()
    return {
        "passed": len(names) - len(failures),
        "failed": len(failures),
        "failures": failures,
        "names": names,
    }


def tests_of(module: Any) -> Iterator[tuple[str, Test]]:
    """The tests of a module, in the order in which they are written."""
    for name, value in list(vars(module).items()):
        if name.startswith("test_"):
            assert inspect.iscoroutinefunction(value), f"{name} is not async"
            yield name, value


async def within(seconds: float, test: Test) -> None:
    """Run a test; a timer of JavaScript's own ends it, for it is the loop's that are tested."""
    task = asyncio.ensure_future(test())
    ended = False

    def end() -> None:
        nonlocal ended
        ended = True
        task.cancel()

    proxy = create_proxy(end)
    timeout = setTimeout(proxy, seconds * 1000)
    try:
        await task
    except asyncio.CancelledError:
        if ended:
            raise TimeoutError(f"not done within {seconds} s") from None
        raise
    finally:
        clearTimeout(timeout)
        proxy.destroy()


def summary(result: dict[str, Any]) -> str:
    """What happened, for people."""
    lines = [f"{name} FAILED\n{why}" for name, why in result["failures"].items()]
    return "\n".join([*lines, f"{result['passed']} passed, {result['failed']} failed"])
