"""Proxy: what stands in the session for a node that runs in a worker."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from remotemedia import wire
from remotemedia.caps import Caps
from remotemedia.clock import Timer
from remotemedia.data import Data, Packet
from remotemedia.graph import GraphNode
from remotemedia.node import INPUT, Context, Node, is_source
from remotemedia_wasm.workers import messages as m

if TYPE_CHECKING:
    from remotemedia_wasm.workers.node_worker import NodeWorker


class WorkerNode(Node):
    """An async node whose work is done in a worker.

    Parameters
    ----------
    node : GraphNode
        The node that it stands for.
    worker : NodeWorker
        Who does its work.
    """

    def __init__(self, node: GraphNode, worker: NodeWorker) -> None:
        super().__init__(Node.Params())
        self.id = node.id
        self.params = node.params
        self.capabilities = node.cls.capabilities  # type: ignore[misc]
        self.context: Context | None = None
        self.generation = 0
        self._node = node
        self._worker = worker
        self._actual: dict[str, str] | None = None
        self._timers: dict[int, Timer] = {}

    # -- what the session calls --------------------------------------------------------------

    async def open(self, ctx: Context) -> None:
        """Wait until the node is open there."""
        self.context = ctx
        self._actual = await self._worker.open(self)

    def actual_formats(self) -> dict[str, str | Caps] | None:
        """What the node has found there."""
        return {**self._actual} if self._actual is not None else None

    async def process(self, data: Any, port: str = INPUT) -> Any:
        """What comes of an item there, as it comes."""
        call = self._worker.call(self.id, "process", port, self._frame({port: data}))
        try:
            while (item := await call.next()) is not None:
                yield item
        finally:
            call.close()

    def finish(self) -> Any:
        """The tail."""
        return self._items("finish")

    def reset(self) -> None:
        """Forget the stream there, before anything else is done."""
        self.generation += 1
        self._drop_timers()
        self._worker.reset(self)

    def update(self, params: Any) -> None:
        """New parameters, for the node there."""
        self.params = params
        self._worker.tell(m.Update(self.id, self.plain_params()))

    async def close(self) -> None:
        """Wait until the node is closed there."""
        self._drop_timers()
        await self._worker.close(self)

    async def _items(self, work: m.Work, text: str = "", frame: bytes | None = None) -> Any:
        call = self._worker.call(self.id, work, text, frame)
        try:
            while (item := await call.next()) is not None:
                yield item
        finally:
            call.close()

    # -- timers ------------------------------------------------------------------------------

    def set_timer(self, told: m.SetTimer) -> None:
        """The node there has set a timer: it runs here."""
        if self.context is not None:
            token = f"{told.timer}:{told.token}"  # so that it is known which one has run out
            self._timers[told.timer] = self.context.set_timer(told.delay_us, token)

    def cancel_timer(self, number: int) -> None:
        """It wants it no more."""
        timer = self._timers.pop(number, None)
        if timer is not None:
            timer.cancel()

    def _drop_timers(self) -> None:
        for number in list(self._timers):
            self.cancel_timer(number)

    def begin_anew(self) -> None:
        """The node there is another one, which knows nothing of what was."""
        self._drop_timers()

    # -- what the worker is told -------------------------------------------------------------

    def made(self, limit: int) -> m.Make:
        """How to make the node."""
        node = self._node
        return m.Make(
            node.id,
            node.node_type,
            self.plain_params(),
            node.spec.backend,
            tuple(node.inputs),
            limit,
        )

    def opened(self) -> m.Open | None:
        """How to open it; None as long as it need not be."""
        told = self.context
        if told is None:
            return None
        return m.Open(self.id, texts(told.inputs), texts(told.outputs))

    def plain_params(self) -> dict[str, Any]:
        """Its parameters as plain data."""
        plain: dict[str, Any] = msgspec.to_builtins(self.params)
        return plain

    def _frame(self, items: Mapping[str, Data]) -> bytes:
        frames = [wire.encode(Packet(data, self.id, port)) for port, data in items.items()]
        frame = frames[0] if len(frames) == 1 else b"".join(frames)
        self._worker.check_size(self.id, len(frame))
        return frame


def proxy_class(cls: type[Node]) -> type[WorkerNode]:
    """A class of proxies that can what this class of nodes can."""
    body: dict[str, Any] = {"input_caps": cls.input_caps, "output_caps": cls.output_caps}
    if cls.wake is not Node.wake:
        body["wake"] = _wake
    if cls.process_joined is not Node.process_joined:
        body["process_joined"] = _process_joined
    if cls.reconfigure is not Node.reconfigure:
        body["reconfigure"] = _reconfigure
    if is_source(cls):
        body["produce"] = _produce
    return type(cls.__name__, (WorkerNode,), body)


async def _wake(self: WorkerNode, token: str) -> AsyncGenerator[Any]:
    number, _, own = token.partition(":")
    self.cancel_timer(int(number))
    async for item in self._items("wake", own):
        yield item


async def _process_joined(self: WorkerNode, items: Mapping[str, Data]) -> AsyncGenerator[Any]:
    async for item in self._items("joined", "", self._frame(items)):
        yield item


async def _produce(self: WorkerNode) -> AsyncGenerator[Any]:
    async for item in self._items("produce"):
        yield item


def _reconfigure(self: WorkerNode, ctx: Context) -> None:
    self.context = ctx
    self._worker.tell(m.Reconfigure(self.id, texts(ctx.inputs), texts(ctx.outputs)))


def texts(ports: Mapping[str, Caps]) -> dict[str, str]:
    """Caps in text form, by port."""
    return {port: str(caps) for port, caps in ports.items()}
