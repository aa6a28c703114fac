"""Restarts: whether and when what has died is started anew, and what else is started with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from remotemedia.clock import Clock
from remotemedia.graph import Graph
from remotemedia.manifest import Restart


class Restarts:
    """The restarts of one process or worker.

    Parameters
    ----------
    policy : Restart
        When, how often, how soon.
    clock : Clock
        The session clock.

    Attributes
    ----------
    verdict : str
        Why it is not started again, in words; empty until then.
    """

    __slots__ = ("_clock", "_ends_us", "_policy", "_unsettled", "verdict")

    def __init__(self, policy: Restart, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._ends_us: deque[int] = deque(maxlen=policy.max_restarts + 1)
        self._unsettled = 0
        self.verdict = ""

    def after(self, failed: bool) -> int | None:
        """It has ended, failing or not: the wait until it is started again, µs.

        None gives it up for good; `verdict` says why.
        """
        policy, now_us = self._policy, self._clock.now_us()
        if policy.when == "never" or (policy.when == "on_failure" and not failed):
            self.verdict = f"restart is {policy.when}"
            return None
        ends = self._ends_us
        ends.append(now_us)
        while ends[0] <= now_us - policy.window_ms * 1000:
            ends.popleft()
        if len(ends) > policy.max_restarts:
            times = "once" if len(ends) == 1 else f"{len(ends)} times"
            self.verdict = (
                f"ended {times} within {policy.window_ms / 1000:g} s; "
                f"max_restarts is {policy.max_restarts}"
            )
            return None
        growth = float(policy.factor) ** min(self._unsettled, 64)
        self._unsettled += 1
        return round(min(policy.delay_ms * growth, policy.max_delay_ms) * 1000)

    def settled(self) -> None:
        """It has run well: the next wait is as short as the first."""
        self._unsettled = 0


def also_restarted(graph: Graph, nodes: Iterable[str], strategy: str) -> tuple[str, ...]:
    """The other nodes to start anew when some are; in topological order."""
    if strategy == "one_for_one":
        return ()
    started = set(nodes)
    reached = set(started)
    for node in graph.order:
        if node in reached:
            reached.update(edge.target for edge in graph.outgoing(node))
    return tuple(node for node in graph.order if node in reached - started)
