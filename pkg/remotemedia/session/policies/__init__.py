"""Policies: what is done when a node is slow or fails. What is not used costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from remotemedia.clock import Clock
from remotemedia.manifest import Policy
from remotemedia.node import is_async
from remotemedia.session.chain import Step
from remotemedia.session.policies.awaited import AwaitedPolicy
from remotemedia.session.policies.inline import InlinePolicy
from remotemedia.session.policies.join import Joined, Joiner
from remotemedia.session.policies.policed import has_effect


def set_policy(
    step: Step,
    policy: Policy,
    ports: Sequence[str],
    clock: Clock,
    failed: Callable[[BaseException], None],
    told: Callable[[str, str], None],
    measure: Callable[[], float],
) -> None:
    """Put a policy around the calls of a node; see `Policed` and `Joined`."""
    join = policy.join
    if join is not None and join.mode != "any" and len(ports) > 1:
        step.outer = Joined(Joiner(join, ports, step.dropped), clock)
    if not has_effect(policy):
        return
    if is_async(step.node):
        step.policy = AwaitedPolicy(step.id, policy, clock, failed, told)
    else:
        step.policy = inline = InlinePolicy(step.id, policy, clock, failed, told)
        inline.measure = measure
