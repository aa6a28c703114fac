"""Control: what the page does to the session while it runs."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from remotemedia import protocol, wire
from remotemedia.data import Data, Packet
from remotemedia.errors import SessionError
from remotemedia.pipeline import Pipeline
from remotemedia.session.inbox import wait_in, wake_all
from remotemedia.session.subscription import Subscription
from remotemedia_wasm.ends import View
from remotemedia_wasm.live import Handlers, Live
from remotemedia_wasm.page_source import as_source, describe


class Control:
    """The control bus of the session, for its page.

    Parameters
    ----------
    live : Live
        The session.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._views: dict[str, _View] = {}

    @property
    def handlers(self) -> Handlers:
        """What it carries out."""
        return {
            protocol.SetNode: self._set_node,
            protocol.SetParams: self._set_params,
            protocol.Apply: self._apply,
            protocol.Publish: self._publish,
            protocol.Subscribe: self._subscribe,
            protocol.Unsubscribe: self._unsubscribe,
        }

    def allow(self, request: protocol.Read) -> None:
        """The page takes more packets of a subscription."""
        found = self._views.get(request.subscription or "")
        if found is not None:  # else it has just ended
            found.allow(request.packets)

    def close(self) -> None:
        """The session has ended."""
        for name in list(self._views):
            self._close(name)

    async def _set_node(self, request: protocol.SetNode, _: object) -> None:
        self._live.open_session().bus.set_state(request.node, request.state)

    async def _set_params(self, request: protocol.SetParams, _: object) -> Any:
        session = self._live.open_session()
        await session.bus.set_params(request.node, **request.params)
        self._live.pipeline = session.pipeline()
        return msgspec.to_builtins(session.plan.graph.nodes[request.node].params)

    async def _apply(self, request: protocol.Apply, _: object) -> protocol.GraphInfo:
        session = self._live.open_session()
        pipeline = Pipeline.load(as_source(request.manifest), name=request.name)
        warnings = pipeline.validate()
        await session.apply(pipeline)
        self._live.pipeline = pipeline
        return describe(pipeline, session.plan, request.name, warnings)

    async def _publish(self, request: protocol.Publish, frame: View | None) -> None:
        await self._live.open_session().bus.publish(request.place, data_of(frame))

    async def _subscribe(self, request: protocol.Subscribe, _: object) -> None:
        bus = self._live.open_session().bus
        if request.subscription in self._views:
            raise SessionError(f"there is a subscription {request.subscription!r} already")
        subscription = bus.subscribe(request.place, capacity=request.capacity)
        view = _View(subscription)
        task = self._live.spawn(view.run(self._live, request.subscription))
        view.task = task
        self._views[request.subscription] = view

    async def _unsubscribe(self, request: protocol.Unsubscribe, _: object) -> None:
        self._close(request.subscription)

    def _close(self, name: str) -> None:
        view = self._views.pop(name, None)
        if view is not None:
            view.close()


class _View:
    """A subscription on its way to the page, which says how many packets it takes."""

    def __init__(self, subscription: Subscription) -> None:
        self.task: asyncio.Task[None] | None = None
        self._subscription = subscription
        self._credit = 0
        self._waiters: list[asyncio.Future[None]] = []

    def allow(self, packets: int) -> None:
        self._credit += packets
        wake_all(self._waiters)

    async def run(self, live: Live, name: str) -> None:
        while True:
            while not self._credit:
                await wait_in(self._waiters)
            packet = await anext(self._subscription, None)
            if packet is None:
                break
            self._credit -= 1
            live.post(packet, name)

    def close(self) -> None:
        self._subscription.close()
        if self.task is not None:
            self.task.cancel()


def data_of(frame: View | None) -> Data:
    """The data in the wire frame beside a message."""
    if frame is None:
        raise SessionError("there is no frame beside the message")
    _session, _time, item = wire.decode(frame.to_bytes())
    if not isinstance(item, Packet):
        raise SessionError("an end of input cannot be sent: use finish()")
    return item.data
