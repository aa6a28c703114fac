"""The page's event loop, as the scheduler sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from js import MessageChannel, WebAssembly, clearTimeout, queueMicrotask, setTimeout
from pyodide.ffi import can_run_sync, create_proxy


class PageHost:
    """Messages and timeouts of the worker, or of the page's main thread.

    Parameters
    ----------
    on_message, on_timeout : callable
        What a posted message and a timeout that is over call.
    on_suspended : callable
        Called when Python's stack was switched away inside `on_message` or `on_timeout`.
    """

    def __init__(
        self,
        on_message: Callable[[], None],
        on_timeout: Callable[[], None],
        on_suspended: Callable[[], None],
    ) -> None:
        self._channel = MessageChannel.new()
        self._ports = self._channel.port1, self._channel.port2
        self._sends = self._ports[0].postMessage, self._ports[1].postMessage
        self._send = self._sends[0]
        self._suspended = create_proxy(lambda: on_suspended())
        self._proxies = [self._suspended]

        # Each message goes the other way: Node takes up to 1000 messages from one port
        # before anything else has its turn.
        def at_first(_event: Any = None) -> None:
            self._send = self._sends[0]
            self._watch()
            on_message()

        def at_second(_event: Any = None) -> None:
            self._send = self._sends[1]
            self._watch()
            on_message()

        def on_time() -> None:
            self._watch()
            on_timeout()

        self._ports[0].onmessage = self._entry(at_first)
        self._ports[1].onmessage = self._entry(at_second)
        self._on_time = self._entry(on_time)

    def _entry(self, function: Callable[..., None]) -> Any:
        proxy = create_proxy(function)
        self._proxies.append(proxy)
        if not hasattr(WebAssembly, "Suspending"):
            return proxy
        return proxy.callPromising.bind(proxy)

    def _watch(self) -> None:
        # Microtasks run when the stack of JavaScript is empty: that Python's turn has not ended
        # by then means that it is suspended.
        if can_run_sync():
            queueMicrotask(self._suspended)

    def post(self) -> None:
        """Send one message."""
        self._send(None)

    def set_timeout(self, ms: int) -> object:
        """Start a timeout, ms; gives what `clear_timeout` takes."""
        timeout: object = setTimeout(self._on_time, ms)
        return timeout

    def clear_timeout(self, timeout: object) -> None:
        """Take a timeout back."""
        clearTimeout(timeout)

    def close(self) -> None:
        """No call comes after this."""
        for port in self._ports:
            port.onmessage = None
            port.close()
        for proxy in self._proxies:
            proxy.destroy()
