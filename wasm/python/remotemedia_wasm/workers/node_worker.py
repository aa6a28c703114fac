"""Node worker: one worker of a session and its nodes, over all its restarts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from remotemedia import wire
from remotemedia.clock import Timer
from remotemedia.errors import DataError, ProcessDiedError, RemoteMediaError
from remotemedia.executors.restart import Restarts
from remotemedia.manifest import ProcessOptions, Restart
from remotemedia_wasm.workers import messages as m
from remotemedia_wasm.workers.calls import WorkerCall
from remotemedia_wasm.workers.faults import from_fault
from remotemedia_wasm.workers.proxy import WorkerNode
from remotemedia_wasm.workers.running import RunningWorker
from remotemedia_wasm.workers.watch import MIB, Watch

if TYPE_CHECKING:
    from remotemedia_wasm.workers.crew import Crew

STEADY_US = 5_000_000  # after which a worker that was started anew counts as well


class NodeWorker:
    """A worker, its nodes, and what they are called for.

    Parameters
    ----------
    crew : Crew
        Those of the session.
    restart : Restart
        How it is started anew.
    options : ProcessOptions
        What it may take.

    Attributes
    ----------
    nodes : dict of node id to WorkerNode
        Those that it runs.
    """

    def __init__(self, crew: Crew, restart: Restart, options: ProcessOptions) -> None:
        self.restart = restart
        self.options = options
        self.nodes: dict[str, WorkerNode] = {}
        self._crew = crew
        self._running: RunningWorker | None = None
        self._calls: dict[int, WorkerCall] = {}
        self._ending: set[int] = set()  # calls that were cut off and are not over there
        self._number = 0
        self._opening: dict[str, asyncio.Future[dict[str, str] | None]] = {}
        self._closing: dict[str, asyncio.Future[None]] = {}
        self._wanted: set[str] = set()  # nodes that are to be open
        self._open: set[str] = set()  # those that are
        self._restarts = Restarts(restart, crew.clock)
        self._verdict: ProcessDiedError | None = None  # it is not started again
        self._is_started = False
        self._is_heir = False
        self._timers: dict[str, Timer] = {}
        hang_ms, limit_mb = restart.hang_timeout_ms, options.memory_limit_mb
        self._watch = Watch(
            crew.clock,
            lambda: self.tell(m.Ping()),
            self._end,
            hang_timeout_us=None if hang_ms is None else round(hang_ms * 1000),
            memory_limit=None if limit_mb is None else round(limit_mb * MIB),
        )

    # -- what proxies ask for ----------------------------------------------------------------

    async def open(self, node: WorkerNode) -> dict[str, str] | None:
        """Wait until a node is open; gives the formats that it has found.

        Raises
        ------
        RemoteMediaError
            It cannot be opened, or the worker has died.
        """
        self.begin()
        future: asyncio.Future[dict[str, str] | None] = asyncio.get_running_loop().create_future()
        self._opening[node.id] = future
        self._wanted.add(node.id)
        self._limit_start()
        self.tell(node.opened())
        try:
            return await future
        except BaseException:
            self._forget(node.id)
            raise

    def call(
        self, node_id: str, work: m.Work, text: str = "", frame: bytes | None = None
    ) -> WorkerCall:
        """Begin a call; it is made when there is a worker."""
        self._number += 1
        told = m.Call(node_id, self._number, work, text)
        call = WorkerCall(told, frame, self.tell, self._cut)
        if self._verdict is not None:
            call.end(self._verdict if work != "finish" else None)
            return call
        self._calls[self._number] = call
        if self._is_up:
            self._send(call)
        return call

    def reset(self, node: WorkerNode) -> None:
        """Forget the stream of a node."""
        for call in self._calls.values():
            if call.told.node == node.id:
                call.drop(node.generation)
        self.tell(m.Reset(node.id, node.generation))

    async def close(self, node: WorkerNode) -> None:
        """Wait until a node is closed; with the last, the worker ends."""
        try:
            if node.id in self._open:
                await self._close(node.id)
        finally:
            self._forget(node.id)

    def tell(self, told: m.Message | None, frame: bytes | None = None) -> None:
        """Tell the worker something, if there is one."""
        if self._running is not None and told is not None:
            self._running.tell(told, frame)

    def check_size(self, node_id: str, size: int) -> None:
        """Refuse what is too large.

        Raises
        ------
        DataError
            It is.
        """
        limit_mb = self.options.max_message_mb
        if size > limit_mb * MIB:
            raise DataError(
                f"an item of {size / MIB:.1f} MiB is larger than the {limit_mb:g} MiB that "
                f"max_message_mb of the process of node {node_id!r} allows",
                node=node_id,
            )

    # -- life --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the worker, unless there is one."""
        if self._running is None and self._verdict is None:
            self._launch()

    def begin_to_close(self) -> None:
        """The session ends: have all nodes closed, each in its turn."""
        self._watch.close()
        self._stop_timers()
        for call in list(self._calls.values()):
            call.close()
        self._fail_opening(ProcessDiedError(f"{self.words} was ended with the session"))
        for node_id in self._open:
            self._close(node_id)

    def terminate(self) -> None:
        """End the worker, and start no other."""
        self._watch.close()
        self._stop_timers()
        self._verdict = self._verdict or ProcessDiedError(f"{self.words} has ended")
        if self._running is not None:
            self._running.terminate()
            self._running = None
        self._open.clear()
        self._fail_opening(self._verdict)
        for call in self._calls.values():
            call.end(self._verdict)
        self._calls.clear()
        for future in self._closing.values():
            if not future.done():
                future.set_result(None)

    def restart_with(self, other: NodeWorker) -> None:
        """Start anew, because another one has died (``rest_for_one``)."""
        self._end(f"is started anew with {other.words}")

    @property
    def is_closing(self) -> bool:
        """Whether it is waited for until a node is closed."""
        return any(not future.done() for future in self._closing.values())

    @property
    def words(self) -> str:
        """What it is, for people."""
        names = ", ".join(map(repr, list(self.nodes)[:3])) + (", …" if len(self.nodes) > 3 else "")
        return f"the worker of node{'s' if len(self.nodes) > 1 else ''} {names}"

    def _launch(self) -> None:
        crew = self._crew
        self._running = running = crew.take(self)
        running.on_said = self._hear
        running.on_ended = self._died
        for node in self.nodes.values():
            running.tell(node.made(crew.limit_of(node.id)))
            if node.id in self._wanted:
                self.tell(node.opened())
        self._limit_start()

    def _limit_start(self) -> None:
        if "start" not in self._timers:
            within_us = round(self.options.start_timeout_ms * 1000)
            self._timers["start"] = self._crew.clock.call_later(within_us, self._too_late)

    def add(self, node: WorkerNode) -> None:
        """One more node."""
        self.nodes[node.id] = node
        self.tell(node.made(self._crew.limit_of(node.id)))

    def _too_late(self) -> None:
        within_s = self.options.start_timeout_ms / 1000
        self._end(
            f"did not open its nodes within {within_s:g} s (process: {{start_timeout_ms: …}})"
        )

    @property
    def _is_up(self) -> bool:
        """Whether all nodes are open that are to be."""
        return self._open >= self._wanted

    def _forget(self, node_id: str) -> None:
        """A node is no more."""
        self.nodes.pop(node_id, None)
        self._wanted.discard(node_id)
        self._open.discard(node_id)
        if not self.nodes:
            self.terminate()
        elif self._is_up:
            self._go_on()

    def _close(self, node_id: str) -> asyncio.Future[None]:
        future = self._closing.get(node_id)
        if future is None:
            future = self._closing[node_id] = asyncio.get_running_loop().create_future()
            self.tell(m.Close(node_id))
        return future

    def _end(self, why: str) -> None:
        if self._running is not None:
            self._running.end(why)

    # -- what the worker says ----------------------------------------------------------------

    def _hear(self, said: m.Said, frame: Any) -> None:
        self._watch.heard()
        if isinstance(said, m.Item):
            self._take(said, frame)
        elif isinstance(said, m.Done):
            self._over(said.number, said.fault)
        elif isinstance(said, m.SetTimer):
            if (node := self.nodes.get(said.node)) is not None:
                node.set_timer(said)
        elif isinstance(said, m.Progress):
            node = self.nodes.get(said.node)
            if node is not None and node.context is not None:
                node.context.progress(said.text, said.fraction)
        elif isinstance(said, m.CancelTimer):
            if (node := self.nodes.get(said.node)) is not None:
                node.cancel_timer(said.timer)
        elif isinstance(said, m.Opened):
            self._opened(said)
        elif isinstance(said, m.Closed):
            self._closed(said)
        elif isinstance(said, m.Failed):
            self._crew.fail(said.node, from_fault(said.fault))
        elif isinstance(said, m.Pong):
            self._watch.measured(said.memory)
        elif isinstance(said, m.Line) and said.kind == "progress":
            self._crew.tell("progress", f"{self.words}: {said.text}", next(iter(self.nodes), ""))

    def _take(self, said: m.Item, frame: Any) -> None:
        call = self._calls.get(said.number)
        if call is not None:
            try:
                content = self._crew.to_bytes(frame)
                self.check_size(call.told.node, len(content))
                packet: Any = wire.decode(content)[2]
                call.put(packet, said.generation)
            except RemoteMediaError as error:
                self._crew.fail(call.told.node, error)
        if said.is_last:
            self._over(said.number, None)

    def _over(self, number: int, fault: m.Fault | None) -> None:
        self._ending.discard(number)
        call = self._calls.pop(number, None)
        if call is not None:
            call.end(from_fault(fault) if fault is not None else None)

    def _opened(self, said: m.Opened) -> None:
        future = self._opening.pop(said.node, None)
        if said.fault is not None:
            error = from_fault(said.fault)
            if future is not None:
                _settle(future, error)
            else:  # an heir
                self._crew.fail(said.node, error)
                self._end(f"could not open node {said.node!r} again: {error}")
            return
        self._open.add(said.node)
        if future is not None:
            _settle(future, said.actual)
        if not self._is_up:
            return
        self._stop_timer("start")
        self._is_started = self._is_started or self._open >= self.nodes.keys()
        if self._is_heir:
            self._crew.tell("restart", f"{self.words} runs again", said.node)
            self._timers["steady"] = self._crew.clock.call_later(STEADY_US, self._restarts.settled)
        self._is_heir = False
        self._go_on()
        if self._is_started:
            self._crew.keep_spare(self)

    def _go_on(self) -> None:
        """Make the calls that have waited."""
        for number in sorted(self._calls):
            if not self._calls[number].is_sent:
                self._send(self._calls[number])

    def _closed(self, said: m.Closed) -> None:
        self._open.discard(said.node)
        if said.fault is not None:
            self._crew.fail(said.node, from_fault(said.fault))
        future = self._closing.get(said.node)
        if future is not None and not future.done():
            future.set_result(None)

    # -- calls -------------------------------------------------------------------------------

    def _send(self, call: WorkerCall) -> None:
        call.is_sent = True
        self.tell(call.told, call.frame)
        if not self.restart.redeliver:
            call.frame = None
        self._watch.begin(self._is_busy)

    def _is_busy(self) -> bool:
        return bool(self._ending) or any(call.is_sent for call in self._calls.values())

    def _cut(self, call: WorkerCall) -> None:
        """Nobody waits for a call any more."""
        number = call.told.number
        self._calls.pop(number, None)
        if call.is_sent and self._running is not None:
            self._ending.add(number)
            self.tell(m.Cut(call.told.node, number))

    # -- death -------------------------------------------------------------------------------

    def _died(self, running: RunningWorker) -> None:
        crew, first = self._crew, next(iter(self.nodes), "")
        error = running.died(self.words, first)
        self._running = None
        self._watch.close()
        self._stop_timers()
        self._open.clear()
        self._ending.clear()
        for future in self._closing.values():
            if not future.done():
                future.set_result(None)
        if not self._is_started:
            self._verdict = error
            self._fail_opening(error)
            return
        for node in self.nodes.values():
            node.begin_anew()
        delay_us = self._restarts.after(failed=True)
        crew.fail(first, error)
        self._lose(error)
        if delay_us is None:
            self._give_up(error)
            return
        crew.tell(
            "restart", f"{error.headline}; it is started again in {delay_us / 1000:g} ms", first
        )
        crew.restart_behind(self)
        self._is_heir = True
        self._timers["restart"] = crew.clock.call_later(delay_us, self._launch)

    def _lose(self, error: ProcessDiedError) -> None:
        """What was being worked on is lost, or is given to an heir; a source begins anew."""
        for number, call in list(self._calls.items()):
            if not call.is_sent or self.restart.redeliver or call.told.work == "produce":
                call.begin_anew()
                continue
            del self._calls[number]
            call.end(
                ProcessDiedError(
                    f"an item is lost that was being worked on: {error.headline}",
                    node=call.told.node,
                )
            )

    def _give_up(self, error: ProcessDiedError) -> None:
        self._verdict = ProcessDiedError(
            f"{error.headline}, and is not started again: {self._restarts.verdict}", node=error.node
        )
        for call in self._calls.values():
            call.end(self._verdict)
        self._calls.clear()
        self._fail_opening(self._verdict)
        if self.restart.when != "never":
            self._crew.broken(
                ProcessDiedError(
                    f"{error.headline}; it {self._restarts.verdict}",
                    node=error.node,
                    last_lines=error.last_lines,
                )
            )

    def _fail_opening(self, error: RemoteMediaError) -> None:
        opening, self._opening = self._opening, {}
        for future in opening.values():
            _settle(future, error)

    def _stop_timer(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _stop_timers(self) -> None:
        for name in list(self._timers):
            self._stop_timer(name)


def _settle(future: asyncio.Future[Any], result: object) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
        future.exception()  # who asked may be gone
    else:
        future.set_result(result)
