"""Crew: all workers of nodes of one session, and those that are kept ready."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any

from remotemedia.clock import Clock, Timer
from remotemedia.errors import ProcessDiedError
from remotemedia.executors.restart import also_restarted
from remotemedia.graph import GraphNode
from remotemedia.manifest import Policy, ProcessOptions, Restart
from remotemedia.metrics import Metrics
from remotemedia.node import Node
from remotemedia.session.chain import Step
from remotemedia.session.parts import Surroundings
from remotemedia_wasm import page_source
from remotemedia_wasm.workers import messages as m
from remotemedia_wasm.workers.ends import Launch
from remotemedia_wasm.workers.node_worker import NodeWorker
from remotemedia_wasm.workers.proxy import proxy_class
from remotemedia_wasm.workers.running import RunningWorker

CLOSE_SHARE = 0.6  # of the close time-out, after which workers are ended without being asked
REFILL_US = 500_000  # from when a spare was taken, so that its successor does not slow it down


class Crew:
    """All that runs the nodes of a session that are in workers.

    To the session each of them is an async node: queues, policies and taps are its own.

    Parameters
    ----------
    around : Surroundings
        The session.
    launch : Launch
        Starts workers.
    to_bytes : callable
        Makes bytes of a frame that came.
    """

    def __init__(
        self, around: Surroundings, launch: Launch, to_bytes: Callable[[Any], bytes]
    ) -> None:
        self.clock: Clock = around.clock
        self.to_bytes = to_bytes
        self._around = around
        self._launch = launch
        self._workers: dict[str, NodeWorker] = {}  # by process_group, or node id
        self._known: dict[str, GraphNode] = {}
        self._spares: dict[m.Setup, RunningWorker] = {}
        self._refills: dict[m.Setup, Timer] = {}
        self._is_stopping = False
        self._late: Timer | None = None

    # -- what the session asks for -----------------------------------------------------------

    def node(self, node: GraphNode) -> Node:
        """What stands for a node."""
        group = node.spec.process_group
        name = node.id if group is None else f"@{group}"
        worker = self._workers.get(name)
        if worker is None or not worker.nodes:
            restart = self._policy_of(node).restart or Restart()
            worker = NodeWorker(self, restart, node.spec.process or ProcessOptions())
            self._workers[name] = worker
        self._known[node.id] = node
        proxy = proxy_class(node.cls)(node, worker)
        worker.add(proxy)
        return proxy

    async def start(self) -> None:
        """Start all workers: they boot at the same time."""
        for worker in self._workers.values():
            worker.begin()

    def finish(self) -> None:
        """The session's queues tell."""

    def drop(self, nodes: Set[str], generation: int) -> None:
        """The session cancels the calls."""

    def merged(self, metrics: Metrics) -> Metrics:
        """What was counted at the proxies."""
        return metrics

    def stop(self) -> None:
        """Begin to end all workers."""
        if self._is_stopping:
            return
        self._is_stopping = True
        for refill in self._refills.values():
            refill.cancel()
        for spare in self._spares.values():
            spare.terminate()
        self._spares.clear()
        for worker in self._workers.values():
            worker.begin_to_close()
        within_us = round(self._around.close_timeout_us * CLOSE_SHARE)
        self._late = self.clock.call_later(within_us, self._end_late)

    async def close(self) -> None:
        """Leave nothing behind."""
        self.stop()
        if self._late is not None:
            self._late.cancel()
        self._terminate()

    def _end_late(self) -> None:
        within_s = self._around.close_timeout_us * CLOSE_SHARE / 1e6
        for worker in self._workers.values():
            if worker.is_closing:
                first = next(iter(worker.nodes), "")
                words = f"{worker.words} did not close within {within_s:.1f} s and was ended"
                self.fail(first, ProcessDiedError(words, node=first))
        self._terminate()

    def _terminate(self) -> None:
        for worker in self._workers.values():
            worker.terminate()

    # -- what workers ask for ----------------------------------------------------------------

    def take(self, worker: NodeWorker) -> RunningWorker:
        """A worker that runs: the spare if there is one, else a new one."""
        setup = self._setup(worker)
        # If a spare still boots, it is ahead of a new one all the same.
        return self._spares.pop(setup, None) or RunningWorker(self._launch, setup)

    def keep_spare(self, worker: NodeWorker) -> None:
        """Keep a worker ready that could take the place of this one."""
        setup, restart = self._setup(worker), worker.restart
        if (
            self._is_stopping
            or not restart.spare
            or restart.when == "never"
            or setup in self._spares
            or setup in self._refills
        ):
            return
        self._refills[setup] = self.clock.call_later(REFILL_US, lambda: self._refill(setup))

    def _refill(self, setup: m.Setup) -> None:
        del self._refills[setup]
        self._spares[setup] = spare = RunningWorker(self._launch, setup)
        spare.on_ended = lambda _: self._lost(setup, spare)

    def _lost(self, setup: m.Setup, spare: RunningWorker) -> None:
        """A spare has died; the next is made when one is needed."""
        if self._spares.get(setup) is spare:
            del self._spares[setup]
        self._around.hooks.told("progress", f"a spare worker {spare.ended}", "", "")

    def limit_of(self, node_id: str) -> int:
        """How many calls of a node may run at once."""
        return self._policy_of(self._known[node_id]).max_concurrency

    def restart_behind(self, worker: NodeWorker) -> None:
        """Start those anew that are behind a worker, if its policy says so."""
        behind = set(also_restarted(self._around.plan.graph, worker.nodes, worker.restart.strategy))
        for other in list(self._workers.values()):
            if other is not worker and behind & set(other.nodes):
                other.restart_with(worker)

    def tell(self, kind: str, message: str, node: str) -> None:
        """An event that is no error."""
        if not self._is_stopping:
            self._around.hooks.told(kind, message, node, "")

    def fail(self, node_id: str, error: Exception) -> None:
        """Something is wrong with a node, but with no item of it."""
        step = Step(node_id, Node(), [])
        self._around.hooks.handled(step, error, 0)

    def broken(self, error: Exception) -> None:
        """The session cannot go on."""
        self._around.hooks.broken(error)

    # -- inside ------------------------------------------------------------------------------

    def _policy_of(self, node: GraphNode) -> Policy:
        return node.spec.policy or self._around.policy

    def _setup(self, worker: NodeWorker) -> m.Setup:
        """What a worker needs: of what the page has brought, only where a node may be of that."""
        nodes = [self._known[node_id] for node_id in worker.nodes]
        packages = {name for node in nodes for name in (*node.cls.requires, *node.spec.python_deps)}
        is_own = any(not node.cls.__module__.startswith("remotemedia.") for node in nodes)
        source, installs = page_source.brought() if is_own else ("", ())
        if installs:
            packages.add("micropip")
        environment = sorted(worker.options.env.items())
        return m.Setup(tuple(sorted(packages)), tuple(environment), installs, source)
