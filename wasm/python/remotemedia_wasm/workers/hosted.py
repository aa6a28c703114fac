"""Hosted: one node in the worker that it runs in."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from typing import Any

import msgspec

from remotemedia import wire
from remotemedia.caps import Caps, parse_caps
from remotemedia.clock import Clock
from remotemedia.data import DATA_TYPES, Packet
from remotemedia.errors import NodeOutputError
from remotemedia.node import Context, Emit, Node
from remotemedia.session.call import process_of
from remotemedia.session.chain import Step
from remotemedia.session.failure import FAILURES
from remotemedia.session.island import describe_output, iterate
from remotemedia.session.life import open_node
from remotemedia.session.results import items_of
from remotemedia.session.unit import turn
from remotemedia_wasm.workers import messages as m
from remotemedia_wasm.workers.faults import to_fault

Say = Callable[[m.Said, bytes | None], None]
_OTHER = 0  # the number of what is done that is no call


class HostedNode:
    """Does what the session tells of one node, in that order; never two things at once.

    What a synchronous node returns at once is posted before `take` returns: no task, no turn.

    Parameters
    ----------
    node : Node
        The node, made.
    told : Make
        What it is.
    say : callable
        Posts to the session.
    clock : Clock
        What the node is given.
    """

    def __init__(self, node: Node, told: m.Make, say: Say, clock: Clock) -> None:
        self._id = told.node
        self._node = node
        self._type = type(node).__name__
        self._say = say
        self._clock = clock
        self._limit = told.limit
        self._step = Step(told.node, node, [])
        several = len(told.ports) > 1
        self._process = {port: process_of(node, port, several) for port in told.ports}
        self._waiting: deque[tuple[m.Told, bytes]] = deque()
        self._running: dict[int, asyncio.Task[None]] = {}
        self._sources: dict[int, asyncio.Task[None]] = {}  # what runs beside all else
        self._taken: dict[int, int] = {}  # of calls that give several items
        self._resting: asyncio.Future[None] | None = None
        self._generation = 0
        self._timers = 0

    def take(self, told: m.Told, frame: bytes) -> None:
        """Do it, or note it."""
        if isinstance(told, m.Cut):
            self._cut(told.number)
        elif isinstance(told, m.Took):
            if told.number in self._taken:
                self._taken[told.number] = told.count
                self._go_on()
        elif self._sources and isinstance(told, m.Reset | m.Update):
            self._do(told, frame)  # a source is not waited for
        else:
            self._waiting.append((told, frame))
            self._work()

    def _work(self) -> None:
        while self._waiting:
            is_call = isinstance(self._waiting[0][0], m.Call)
            busy = len(self._running)
            if busy >= (self._limit if is_call else 1) or _OTHER in self._running:
                return
            self._do(*self._waiting.popleft())

    def _do(self, told: m.Told, frame: bytes) -> None:
        try:
            if isinstance(told, m.Call):
                self._call(told, frame)
            elif isinstance(told, m.Reset):
                self._generation = told.generation
                self._node.reset()
            elif isinstance(told, m.Update):
                self._node.update(params_of(self._node, told.params))
            elif isinstance(told, m.Reconfigure):
                self._node.reconfigure(self._context(told.inputs, told.outputs))
            elif isinstance(told, m.Open):
                self._run(_OTHER, self._open(told))
            elif isinstance(told, m.Close):
                self._run(_OTHER, self._close())
        except FAILURES as error:
            self._say(m.Failed(self._id, self._fault(error)), None)

    # -- calls -------------------------------------------------------------------------------

    def _call(self, told: m.Call, frame: bytes) -> None:
        number = told.number
        try:
            result = self._begin(told, frame)
            kind = result.__class__
            if result is None:
                self._say(m.Done(number), None)
            elif kind in DATA_TYPES or kind is Emit:
                self._post(result, number, is_last=True)
            elif (kind is list or kind is tuple) and len(result) <= m.WINDOW:
                for item in result:
                    self._post(item, number)
                self._say(m.Done(number), None)
            else:
                running = self._sources if told.work == "produce" else self._running
                self._run(number, self._give(number, result), running)
        except FAILURES as error:
            self._say(m.Done(number, self._fault(error)), None)

    def _begin(self, told: m.Call, frame: bytes) -> Any:
        node: Any = self._node
        if told.work == "process":
            packet: Any = wire.decode(frame)[2]
            return self._process[told.text](packet.data)
        if told.work == "joined":
            packets: list[Any] = [wire.decode(each)[2] for each in wire.split(frame)]
            return node.process_joined({packet.port: packet.data for packet in packets})
        if told.work == "wake":
            return node.wake(told.text)
        return node.finish() if told.work == "finish" else node.produce()

    async def _give(self, number: int, result: Any) -> None:
        """Post the items of a result, as many ahead as the session lets it."""
        self._taken[number] = 0
        given = 0
        fault: m.Fault | None = None
        try:
            async with aclosing(self._items(result)) as items:
                async for item in items:
                    while given - self._taken[number] >= m.WINDOW:
                        await self._rest()
                    self._post(item, number)
                    given += 1
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or not task.cancelling():
                fault = self._fault(error)
        except FAILURES as error:
            fault = self._fault(error)
        finally:
            del self._taken[number]
        self._say(m.Done(number, fault), None)

    async def _items(self, result: Any) -> AsyncGenerator[Any]:
        if inspect.isasyncgen(result) or inspect.isawaitable(result):
            async with aclosing(items_of(result)) as items:
                async for item in items:
                    yield item
        elif hasattr(result, "__aiter__"):
            async for item in result:
                yield item
        else:
            outputs = iterate(result)
            if outputs is None:
                raise NodeOutputError(describe_output(self._step, result), node=self._id)
            try:
                for item in outputs:
                    yield item
                    await turn()  # for what has come meanwhile, such as a cut
            finally:
                close = getattr(outputs, "close", None)
                if close is not None:
                    close()

    def _post(self, item: Any, number: int, *, is_last: bool = False) -> None:
        port = ""
        if item.__class__ is Emit:
            port, item = item
        if item.__class__ not in DATA_TYPES:
            raise NodeOutputError(describe_output(self._step, item), node=self._id)
        frame = wire.encode(Packet(item, self._id, str(port)))
        self._say(m.Item(number, is_last, self._generation), frame)

    def _cut(self, number: int) -> None:
        task = self._running.get(number) or self._sources.get(number)
        if task is not None:
            task.cancel()
            return
        for each in self._waiting:
            if isinstance(each[0], m.Call) and each[0].number == number:
                self._waiting.remove(each)
                self._say(m.Done(number), None)
                return

    def _run(
        self, number: int, work: Any, running: dict[int, asyncio.Task[None]] | None = None
    ) -> None:
        running = self._running if running is None else running
        task = asyncio.get_running_loop().create_task(work)
        running[number] = task

        def over(_: object) -> None:
            del running[number]
            self._work()

        task.add_done_callback(over)

    async def _rest(self) -> None:
        if self._resting is None or self._resting.done():
            self._resting = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._resting)

    def _go_on(self) -> None:
        if self._resting is not None and not self._resting.done():
            self._resting.set_result(None)

    # -- life --------------------------------------------------------------------------------

    async def _open(self, told: m.Open) -> None:
        try:
            await open_node(self._id, self._node, self._context(told.inputs, told.outputs))
            found = self._node.actual_formats()
            actual = {port: str(caps) for port, caps in found.items()} if found else None
            self._say(m.Opened(self._id, actual), None)
        except Exception as error:
            self._say(m.Opened(self._id, None, self._fault(error)), None)

    async def _close(self) -> None:
        fault: m.Fault | None = None
        for task in list(self._sources.values()):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        try:
            waiting = self._node.close()
            if inspect.isawaitable(waiting):
                await waiting
        except Exception as error:
            fault = self._fault(error)
        self._say(m.Closed(self._id, fault), None)

    def _context(self, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> Context:
        ports = _caps(inputs), _caps(outputs)
        return Context(self._id, self._clock, *ports, self._set_timer, self._progress, is_live=True)

    def _progress(self, message: str, fraction: float | None = None) -> None:
        self._say(m.Progress(self._id, message, fraction), None)

    def _set_timer(self, delay_us: int, token: str = "") -> SessionTimer:
        self._timers += 1
        self._say(m.SetTimer(self._id, self._timers, delay_us, token), None)
        return SessionTimer(self._id, self._timers, self._say)

    def _fault(self, error: BaseException) -> m.Fault:
        return to_fault(self._id, self._type, error)


class SessionTimer:
    """A timer that runs in the session."""

    def __init__(self, node: str, number: int, say: Say) -> None:
        self._told = m.CancelTimer(node, number)
        self._say = say

    def cancel(self) -> None:
        """Keep it from waking the node; without effect once it has run out."""
        self._say(self._told, None)


def params_of(node: Node, plain: dict[str, Any]) -> Any:
    """The parameters of a node, of their plain form."""
    return msgspec.convert(plain, type(node).Params)


def _caps(texts: Mapping[str, str]) -> dict[str, Caps]:
    return {port: parse_caps(text) for port, text in texts.items()}
