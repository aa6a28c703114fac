"""Part: one process of a session, from its start to its end, over all its restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from remotemedia.errors import RemoteMediaError
from remotemedia.executors.restart import Restarts
from remotemedia.manifest import Restart
from remotemedia.node import Context
from remotemedia.session.chain import Step
from remotemedia_native.process import messages as m
from remotemedia_native.process.description import plain_params
from remotemedia_native.process.errors import ProcessDiedError
from remotemedia_native.process.exit import Exit
from remotemedia_native.process.faults import from_fault
from remotemedia_native.process.launch import ChildProcess

if TYPE_CHECKING:
    from remotemedia_native.process.parts import ProcessParts

ENTRY = "remotemedia_native.process.part_host:host"
KILL_SHARE = 0.6  # of the close time-out, after which a process is made to end
STEADY_S = 5.0  # after which a process that was started anew counts as well


class Part:
    """One part, and the process that runs it.

    Parameters
    ----------
    name : str
        Of the part.
    number : int
        Its place in the ledger.
    members : tuple of str
        Its nodes, in topological order.
    session : ProcessParts
        Whose it is.

    Attributes
    ----------
    child : ChildProcess or None
        The process that runs it now.
    counted : Counted or None
        What that has said last of what it has counted.
    is_dead : bool
        Whether it is not started again.
    """

    def __init__(
        self, name: str, number: int, members: tuple[str, ...], session: ProcessParts
    ) -> None:
        self.name = name
        self.number = number
        self.members = members
        self.child: ChildProcess | None = None
        self.counted: m.Counted | None = None
        self.is_dead = False
        self.is_ready = False
        self.again: dict[str, m.Again] = {}
        self.params: dict[str, object] = {}
        self.states: dict[str, m.SetState] = {}
        self._session = session
        self._restarts = Restarts(self.restart, session.clock)
        self._opened: dict[str, asyncio.Future[dict[str, str] | None]] = {}
        self._ended: dict[str, asyncio.Future[None]] = {}
        self._is_started = False
        self._is_stopping = False
        self._has_closed = False
        self._settled = 0
        self._settling: list[asyncio.Future[None]] = []
        self._gone: asyncio.Future[None] | None = None
        self._timers: list[Any] = []
        self._task: asyncio.Task[None] | None = None
        self._steady: Any = None
        self._starting: Any = None
        self._is_started_with: Part | None = None

    @property
    def name_for_logs(self) -> str:
        """What stands before the lines that its process writes."""
        return brief(self.members)

    @property
    def restart(self) -> Restart:
        """How its process is started anew: as the first of its nodes says that says something."""
        for node_id in self.members:
            policy = self._session.policy_of(node_id)
            if policy.restart is not None:
                return policy.restart
        return Restart()

    # -- life --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the process, and tell it what it runs."""
        loop = asyncio.get_running_loop()
        self._gone = loop.create_future()
        for node_id in self.members:
            self._opened[node_id] = loop.create_future()
            self._ended[node_id] = loop.create_future()
        self._launch(is_restart=False)

    def _launch(self, *, is_restart: bool) -> None:
        session = self._session
        self.child = child = session.launch(self)
        self.is_ready = False
        child.control.on_message = lambda message, fds: self._hear(child, message)
        child.exited.add_done_callback(lambda exited: self._died(child, exited.result()))
        host, fds = session.describe(self, is_restart=is_restart)
        self._tell(host, fds)
        for node_id, params in self.params.items():
            self._tell(m.Update(node_id, plain_params(node_id, params)))
        for state in self.states.values():
            self._tell(state)
        session.watch(self, child)

    async def open(self, node_id: str, told: Context) -> dict[str, str] | None:
        """Wait until a node is open; gives its actual formats.

        Raises
        ------
        RemoteMediaError
            It could not be opened, or the process has died.
        """
        self._tell(
            m.Open(
                node_id,
                {port: str(caps) for port, caps in told.inputs.items()},
                {port: str(caps) for port, caps in told.outputs.items()},
            )
        )
        return await asyncio.shield(self._opened[node_id])

    def limit_start(self, within_us: int) -> None:
        """Make its process end unless its nodes are open in time."""
        child = self.child

        def too_late() -> None:
            if child is not None and child is self.child and not self.is_ready:
                child.dump_stack()
                child.kill(
                    f"its nodes were not open within {within_us / 1e6:g} s "
                    "(process: {start_timeout_ms: …})"
                )

        self._starting = self._session.clock.call_later(within_us, too_late)

    def start(self) -> None:
        """All nodes of the session are open."""
        if not self._is_started:
            self._is_started = True
            self._tell(m.Start())
            self._session.keep_spares()

    async def ended(self, nodes: Iterable[str]) -> None:
        """Wait until some nodes are through with all that they had to do."""
        for node_id in list(nodes):
            await asyncio.shield(self._ended[node_id])

    def stop(self) -> None:
        """Begin to end."""
        if self._is_stopping or self._gone is None:
            return
        self._is_stopping = True
        for timer in self._timers:
            timer.cancel()
        if self._steady is not None:
            self._steady.cancel()
        for future in self._opened.values():
            if not future.done():
                future.cancel()
        self._wake_settling()
        if self.child is None or self.child.exited.done():
            self._end()
            return
        self._tell(m.Close())
        self._task = asyncio.get_running_loop().create_task(self._make_end(self.child))

    async def _make_end(self, child: ChildProcess) -> None:
        within_s = self._session.close_timeout_s * KILL_SHARE
        await asyncio.wait([child.exited], timeout=within_s)
        if not child.exited.done():
            child.dump_stack()
            await child.terminate(self._session.close_timeout_s * (1 - KILL_SHARE) / 4)
            self._session.fail(
                self.members[0],
                ProcessDiedError(
                    f"{self.words} did not close within {within_s:.1f} s and was killed",
                    node=self.members[0],
                    last_lines=child.last_lines,
                ),
            )

    async def closed(self) -> None:
        """Wait until its process is gone."""
        if self._gone is not None:
            self.stop()
            await asyncio.shield(self._gone)

    # -- what it is told ---------------------------------------------------------------------

    def update(self, node_id: str, params: object) -> None:
        """New parameters of a node."""
        self.params[node_id] = params
        self._tell(m.Update(node_id, plain_params(node_id, params)))

    def set_state(self, step: Step) -> None:
        """The state of a node has changed, or who looks at its ports."""
        state = m.SetState(step.id, step.state, list(step.input_taps), list(step.output_taps))
        self.states[step.id] = state
        self._tell(state)

    def interrupt(self, nodes: list[str], generation: int) -> None:
        """Drop what is in flight in some nodes."""
        if self.child is None or self.child.exited.done():
            self._settled = generation
            return
        self._tell(m.Interrupt(generation, nodes))

    async def settled(self, generation: int, within_s: float) -> None:
        """Wait until an interrupt has settled, for some time at most."""
        if self._settled >= generation or self.is_dead:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._settling.append(waiter)
        await asyncio.wait([waiter], timeout=within_s)
        if waiter in self._settling:
            self._settling.remove(waiter)

    def _wake_settling(self) -> None:
        waiters, self._settling = self._settling, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _tell(self, told: m.Told, fds: Iterable[int] = ()) -> None:
        child = self.child
        if child is not None and not child.control.closed:
            child.control.send(m.encode(told), list(fds))
            self._session.count_told(self)

    def poll(self) -> None:
        """Hear what it has said already."""
        if self.child is not None and not self.child.control.closed:
            self.child.control.poll()

    # -- what it says ------------------------------------------------------------------------

    def _hear(self, child: ChildProcess, message: bytes) -> None:
        if child is not self.child:
            return
        said = m.decode_said(message)
        session = self._session
        if isinstance(said, m.Counted):
            self.counted = said
            for node_id in said.ended:
                self._set_ended(node_id)
        elif isinstance(said, m.Settled):
            self._settled = max(self._settled, said.generation)
            self._wake_settling()
        elif isinstance(said, m.Happened):
            session.happened(said)
        elif isinstance(said, m.Ready):
            if said.fault is not None:
                self._could_not_open(from_fault(said.fault))
        elif isinstance(said, m.Opened):
            self._on_opened(said)
        elif isinstance(said, m.Broken):
            session.broken(from_fault(said.fault))
        elif isinstance(said, m.Closed):
            self._has_closed = True

    def _on_opened(self, said: m.Opened) -> None:
        if said.fault is not None:
            self._could_not_open(from_fault(said.fault), said.node)
            return
        future = self._opened[said.node]
        if not future.done():
            future.set_result(said.actual)
        if said.node == self.members[-1]:
            self.is_ready = True
            self._stop_timer()
            if self._is_started:
                self._session.tell("restart", f"{self.words} runs again", said.node)
                loop = asyncio.get_running_loop()
                self._steady = loop.call_later(STEADY_S, self._restarts.settled)

    def _could_not_open(self, error: RemoteMediaError, node_id: str | None = None) -> None:
        if self._is_started:  # an heir
            self._session.fail(node_id or self.members[0], error)
            if self.child is not None:
                self.child.kill(f"could not be opened again: {error}")
            return
        for future in self._opened.values():
            if not future.done():
                future.set_exception(error)
                future.exception()  # it is asked for, or the session closes before

    # -- death -------------------------------------------------------------------------------

    @property
    def words(self) -> str:
        """What it is, for people."""
        names = brief(list(map(repr, self.members)))
        return f"the process of {'nodes' if len(self.members) > 1 else 'node'} {names}"

    def _died(self, child: ChildProcess, how: Exit) -> None:
        if child is not self.child:
            return
        session = self._session
        if self._steady is not None:
            self._steady.cancel()
        session.unwatch(self)
        self._stop_timer()
        if self._is_stopping:
            if not self._has_closed and how.code != 0 and not how.why:
                session.fail(
                    self.members[0],
                    ProcessDiedError(
                        f"{self.words} {how.describe()} while it closed",
                        node=self.members[0],
                        last_lines=how.last_lines,
                    ),
                )
            self._end()
            return
        self._settled = session.generation
        self._wake_settling()
        error = ProcessDiedError(
            f"{self.words} {how.describe()}", node=self.members[0], last_lines=how.last_lines
        )
        if not self._is_started:
            self._could_not_open(error)
            return
        session.look()  # all that it has sent before
        lost = session.take_stock(self)
        failed = how.code != 0
        other, self._is_started_with = self._is_started_with, None
        session.died(self, error, lost)
        if all(future.done() for future in self._ended.values()):
            self.is_dead = True  # it had nothing more to do
            session.end_routes(self)
            return
        if other is not None:
            session.tell("restart", f"{error.headline}; it is started again now", self.members[0])
            self._restart()
            return
        delay_us = self._restarts.after(failed)
        if delay_us is None:
            self._give_up(error, failed)
            return
        session.tell(
            "restart",
            f"{error.headline}; it is started again in {delay_us / 1000:g} ms",
            self.members[0],
        )
        session.also_restart(self)
        self._timers.append(session.clock.call_later(delay_us, self._restart))

    def restart_with(self, other: Part) -> None:
        """End, and start again, because another part has died (``rest_for_one``)."""
        if self._is_started_with is None and self.child is not None and self.child.is_alive:
            self._is_started_with = other
            self.child.kill(f"is started anew with {other.words}")

    def _restart(self) -> None:
        if self._is_stopping:
            return
        try:
            self._launch(is_restart=True)
        except RemoteMediaError as error:
            self._give_up(ProcessDiedError(str(error), node=self.members[0]), True)

    def _give_up(self, error: ProcessDiedError, failed: bool) -> None:
        self.is_dead = True
        self._wake_settling()
        for node_id in self.members:
            self._set_ended(node_id)
        if failed and self.restart.when != "never":
            self._session.broken(
                ProcessDiedError(
                    f"{error.headline}; it {self._restarts.verdict}",
                    node=self.members[0],
                    last_lines=error.last_lines,
                )
            )
        else:
            self._session.bury(self)

    def _stop_timer(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None

    def _set_ended(self, node_id: str) -> None:
        future = self._ended.get(node_id)
        if future is not None and not future.done():
            future.set_result(None)

    def _end(self) -> None:
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        for node_id in self.members:
            self._set_ended(node_id)


def brief(names: Sequence[str]) -> str:
    """The first names of many."""
    return ", ".join([*names[:3], "…"] if len(names) > 3 else names)
