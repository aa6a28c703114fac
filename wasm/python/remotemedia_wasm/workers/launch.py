"""Launch: workers of nodes, started by the worker of the session."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import remotemedia_host
from pyodide.ffi import create_proxy, to_js

from remotemedia_wasm.worker import to_js as frame_to_js
from remotemedia_wasm.workers.ends import Ended, Heard


class PageWorker:
    """A Web Worker, and what calls Python when it says something."""

    def __init__(self, packages: tuple[str, ...], heard: Heard, ended: Ended) -> None:
        self._loop = loop = cast(Any, asyncio.get_running_loop())
        self._proxies = [
            create_proxy(lambda text, frame=None: loop.enter(heard, text, frame)),
            create_proxy(lambda why: loop.enter(ended, why)),
        ]
        self._end = remotemedia_host.launch(to_js(list(packages)), *self._proxies)

    def post(self, text: str, frame: bytes | None = None) -> None:
        """Send a message."""
        if frame is None:
            self._end.post(text)
        else:
            self._end.post(text, frame_to_js(frame))

    def terminate(self) -> None:
        """End it at once."""
        self._end.terminate()
        for proxy in self._proxies:
            self._loop.call_soon(proxy.destroy)  # it may be what calls this
        self._proxies.clear()


def to_bytes(frame: Any) -> bytes:
    """What came beside a message."""
    content: bytes = frame.to_bytes()
    return content
