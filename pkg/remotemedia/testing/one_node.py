"""OneNode: a session of one node, fed and read at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from remotemedia.clock import Clock, sleep
from remotemedia.data import Data, Packet
from remotemedia.errors import AddressError, FormatError, RemoteMediaError
from remotemedia.node import is_source
from remotemedia.session.failure import Event
from remotemedia.session.guard import describe
from remotemedia.session.session import Session
from remotemedia.testing.clock import VirtualClock
from remotemedia.testing.given import Given, Interrupt, Pause
from remotemedia.testing.node_result import NodeResult
from remotemedia.testing.summary import summary


class OneNode:
    """One node in its session; used once.

    Parameters
    ----------
    session : Session
        Of a graph of one node, not opened.
    clock : Clock
        Its clock.
    strict : bool
        Whether the first item that the node fails on ends the run with that error.
    """

    def __init__(self, session: Session, clock: Clock, strict: bool) -> None:
        self.session = session
        self.clock = clock
        self.strict = strict
        (self.node,) = session.plan.graph.nodes.values()
        self.packets: list[Packet] = []
        self.sent: list[str] = []
        """By sequence number: the input, in words."""

    async def run(self, given: Iterable[Given], real_time: bool, limit: int | None) -> NodeResult:
        """Lead it through its life; parameters and errors as those of `run_node`."""
        session = self.session
        if self.strict:
            session.fail_on_error()
        events: list[Event] = []
        try:
            async with session:
                await self._stream(given, real_time, limit)
        finally:  # an error that is raised is one of these, and gets its note, too
            while (event := await session.next_event()) is not None:
                if event.error is not None:
                    event.error.add_note(f"run_node: {self._place(event.error, event.sequence)}")
                events.append(event)
        result = NodeResult(
            self.node.node_type, tuple(self.node.outputs), self.packets, events, session.metrics()
        )
        if self.strict and result.errors:  # when it was closed
            raise result.errors[0]
        return result

    async def _stream(self, given: Iterable[Given], real_time: bool, limit: int | None) -> None:
        """Feed, and read at the same time."""
        feeder = asyncio.get_running_loop().create_task(self._feed(given, real_time))
        try:
            async for packet in self.session.outputs():
                self._check(packet)
                self.packets.append(packet)
                if len(self.packets) == limit:
                    return
            await feeder
        finally:
            feeder.cancel()
            await asyncio.wait([feeder])

    async def _feed(self, given: Iterable[Given], real_time: bool) -> None:
        try:
            await self._give(given, real_time)
        except Exception:
            await self.session.aclose()  # so that reading ends
            raise

    async def _give(self, given: Iterable[Given], real_time: bool) -> None:
        offset_us: int | None = None  # of the session clock against media time
        for number, item in enumerate(given):
            if isinstance(item, Pause):
                await sleep(self.clock, item.delay_us)
                if isinstance(self.clock, VirtualClock):
                    await self.clock.idle()
                continue
            if isinstance(item, Interrupt):
                await self.session.interrupt()
                continue
            try:
                data, to = self._addressed(item)
                pts_us = data.pts_us
                if real_time and pts_us is not None:
                    now_us = self.clock.now_us()
                    offset_us = now_us - pts_us if offset_us is None else offset_us
                    if offset_us + pts_us > now_us:
                        await sleep(self.clock, offset_us + pts_us - now_us)
                self.sent.append(f"input {number}, {summary(data)}")
                await self.session.send(data, to)
            except RemoteMediaError as error:
                what = summary(item) if isinstance(item, Data) else repr(item)
                error.add_note(f"run_node: given as input {number}, {what:.200}")
                raise
        await self.session.finish()

    def _addressed(self, item: object) -> tuple[Data, str]:
        """Data, and the ``"node:port"`` that it is for."""
        node_id, ports = self.node.id, self.node.inputs
        if isinstance(item, tuple) and len(item) == 2:  # an Emit is one
            port, data = item
        elif len(ports) > 1:
            raise AddressError(
                f"{node_id} has the input ports {', '.join(ports)}: "
                f"give ('{next(iter(ports))}', data)",
                node=node_id,
            )
        else:
            port, data = next(iter(ports), ""), item
        if not isinstance(data, Data):
            raise AddressError(
                f"{node_id} is given data, ('port', data), Pause or Interrupt, not {data!r:.100}",
                node=node_id,
            )
        return data, f"{node_id}:{port}"

    def _check(self, packet: Packet) -> None:
        """See that an output has the format that the node declares."""
        declared = self.session.plan.formats.outputs[packet.node, packet.port]
        if not declared.accepts(packet.data):
            error = FormatError(
                f"{packet.node}:{packet.port} is declared as {declared}, "
                f"but gave {describe(packet.data)}",
                node=packet.node,
                port=packet.port,
            )
            error.add_note(f"run_node: it gave {summary(packet.data)}")
            raise error

    def _place(self, error: BaseException, sequence: int) -> str:
        """Where a node failed, in words."""
        cls = self.node.cls
        for name in ("open", "finish", "close", "wake"):
            if _raised_in(error, getattr(cls, name, None)):
                return f"raised in {name}()"
        if is_source(cls):
            return f"raised after {sequence} outputs"
        if sequence >= len(self.sent):
            return "raised before any input"
        last = " (the last), or after it" if sequence == len(self.sent) - 1 else ""
        return f"raised at {self.sent[sequence]}{last}"


def _raised_in(error: BaseException, method: object) -> bool:
    """Whether the error, or what caused it, came out of this method."""
    code = getattr(method, "__code__", None)
    cause: BaseException | None = error
    while cause is not None and code is not None:
        trace = cause.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code is code:
                return True
            trace = trace.tb_next
        cause = cause.__cause__
    return False
