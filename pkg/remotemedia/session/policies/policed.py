"""Policed: what policies know and count of one node, however it is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from remotemedia.clock import Clock
from remotemedia.data import Data
from remotemedia.errors import CircuitOpenError, NodeTimeoutError, RemoteMediaError
from remotemedia.manifest import Policy
from remotemedia.session.policies.breaker import Breaker
from remotemedia.session.policies.retry import Backoff

Call = Callable[[Data], Any]
Input = Data | dict[str, Data]
"""Of a call: an item, or those of several ports that belong together."""


class Policed:
    """The base of the two kinds of call: see `policies.inline` and `policies.awaited`.

    Parameters
    ----------
    node : str
        Its id.
    policy : Policy
        The policy of the node.
    clock : Clock
        The session clock.
    failed : callable
        Told of what the node raised although its dependents get something instead.
    told : callable
        Told in words of what is no error, and its kind.

    Attributes
    ----------
    retries, timeouts, refused : int
        Calls made again; that took too long; that an open breaker kept from being made.
    """

    def __init__(
        self,
        node: str,
        policy: Policy,
        clock: Clock,
        failed: Callable[[BaseException], None],
        told: Callable[[str, str], None],
    ) -> None:
        self.node = node
        self.policy = policy
        self.clock = clock
        self.retries = 0
        self.timeouts = 0
        self.refused = 0
        self.limit_us = round(policy.timeout_ms * 1000) if policy.timeout_ms else None
        self.breaker: Breaker | None = None
        if policy.circuit_breaker is not None:
            self.breaker = Breaker(
                policy.circuit_breaker, clock, lambda words: told("breaker", f"{node}: {words}")
            )
        self.backoff = Backoff(policy.retry, node) if policy.retry is not None else None
        self._failed = failed

    @property
    def state(self) -> str:
        """Of the breaker: ``closed``, ``open`` or ``half_open``; empty if there is none."""
        return self.breaker.state if self.breaker is not None else ""

    def wrap(self, call: Call) -> Call:
        """The call under the policy."""
        raise NotImplementedError

    def count_failure(self, error: BaseException) -> None:
        """A call failed."""
        if isinstance(error, NodeTimeoutError):
            self.timeouts += 1
        if self.breaker is not None:
            self.breaker.failed()

    def delay_us(self, attempt: int, error: BaseException) -> int | None:
        """The wait before the next call; None if none is to be made."""
        if self.backoff is None:
            return None
        delay_us = self.backoff.delay_us(attempt, error)
        if delay_us is not None:
            self.retries += 1
        return delay_us

    def too_late(self, elapsed_us: float) -> NodeTimeoutError:
        """The error of a call that took too long."""
        return NodeTimeoutError(
            f"node {self.node!r} took {elapsed_us / 1000:g} ms; its timeout_ms is "
            f"{self.policy.timeout_ms:g}",
            node=self.node,
        )

    def refuse(self, data: Input) -> Data | list[Data] | None:
        """What the dependents of the node get while its breaker is open."""
        self.refused += 1
        if self.policy.on_error == "fail_session":
            raise self.closed_off()
        return _handed_on(data) if self.policy.on_error == "passthrough" else None

    def closed_off(self) -> RemoteMediaError:
        """The error of a call that the breaker kept from being made."""
        return CircuitOpenError(
            f"node {self.node!r} is not called: its circuit breaker is open", node=self.node
        )

    def give_up(self, error: BaseException, data: Input) -> Data | list[Data]:
        """What the dependents get of an item that the node failed on for good; or raise."""
        if self.policy.on_error != "passthrough":
            raise error
        self._failed(error)
        return _handed_on(data)


def _handed_on(data: Input) -> Data | list[Data]:
    return list(data.values()) if isinstance(data, dict) else data


def has_effect(policy: Policy) -> bool:
    """Whether a policy asks for more than what is done anyhow."""
    return (
        policy.timeout_ms is not None
        or policy.retry is not None
        or policy.circuit_breaker is not None
        or policy.on_error == "passthrough"
    )
