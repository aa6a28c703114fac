"""What the worker's JavaScript imports: the bridge on Pyodide's own objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from js import Uint8Array
from pyodide.ffi import create_proxy

from remotemedia_wasm import hang
from remotemedia_wasm.bridge import Bridge
from remotemedia_wasm.ends import Host
from remotemedia_wasm.loop import install


def boot(host: Host) -> Any:
    """Install the event loop and make the bridge; gives the function that takes messages.

    Parameters
    ----------
    host : Host
        The worker's object.
    """
    loop = install(suspendable=False)  # a node that sleeps must not let the session re-enter
    hang.install()

    def make_wake(callback: Callable[[], None]) -> Any:
        return create_proxy(lambda: loop.enter(callback))

    bridge = Bridge(host, make_wake, to_js)
    return create_proxy(lambda text, beside=None: loop.enter(bridge.receive, text, beside))


def to_js(content: bytes) -> Any:
    """A `Uint8Array` of its own, which can be transferred."""
    array = Uint8Array.new(len(content))
    array.assign(content)
    return array
