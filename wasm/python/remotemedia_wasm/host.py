"""The event loop of JavaScript, as the scheduler sees it."""

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
        Called when the stack was switched away, by `run_sync`, while what `watch` began still ran.
    suspendable : bool
        Let `run_sync` work inside the calls, where the browser can switch stacks. Pyodide then puts
        one more message in front of each call.
    """

    def __init__(
        self,
        on_message: Callable[[], None],
        on_timeout: Callable[[], None],
        on_suspended: Callable[[], None],
        suspendable: bool,
    ) -> None:
        self.suspendable = suspendable and hasattr(WebAssembly, "Suspending")
        self._closed = False
        self._channel = MessageChannel.new()
        # Each message goes the other way than the last: Node takes up to 1000 messages from one
        # port before anything else has its turn.
        first, second = self._channel.port1, self._channel.port2
        self._post, self._answer = first.postMessage, second.postMessage
        self._next = self._post

        def at_first(_event: Any = None) -> None:
            self._next = self._post
            call(on_message)

        def at_second(_event: Any = None) -> None:
            self._next = self._answer
            call(on_message)

        def call(what: Callable[[], None]) -> None:
            if not self._closed:  # else this was under way already
                what()

        first.onmessage = self._entry(at_first)
        second.onmessage = self._entry(at_second)
        self._on_time = self._entry(lambda: call(on_timeout))
        self._on_suspended = create_proxy(lambda: call(on_suspended))

    def _entry(self, function: Callable[..., None]) -> Any:
        proxy = create_proxy(function)
        return proxy.callPromising.bind(proxy) if self.suspendable else proxy

    def watch(self) -> None:
        """Have `on_suspended` called if Python is suspended before it returns to JavaScript.

        Where it returns, `on_suspended` may be called right after.
        """
        # A microtask runs when JavaScript's stack is empty, whatever the reason.
        if can_run_sync():
            queueMicrotask(self._on_suspended)

    def post(self) -> None:
        """Send one message."""
        self._next(None)

    def set_timeout(self, ms: int) -> object:
        """Start a timeout, ms; gives what `clear_timeout` takes."""
        timeout: object = setTimeout(self._on_time, ms)
        return timeout

    def clear_timeout(self, timeout: object) -> None:
        """Take a timeout back."""
        clearTimeout(timeout)

    def close(self) -> None:
        """Call nothing any more."""
        # The proxies are left to JavaScript's collector: a call of one may be under way.
        self._closed = True
        for port in (self._channel.port1, self._channel.port2):
            port.onmessage = None
            port.close()
