"""Change: from the pipeline that runs to another one, without a stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from remotemedia.clock import Timer, deadline
from remotemedia.graph import GraphNode
from remotemedia.node import Context, Node
from remotemedia.plan import Plan
from remotemedia.session.call import sets_timers
from remotemedia.session.exchange import Exchange, shape
from remotemedia.session.life import context, create_nodes, discover, open_node
from remotemedia.session.parts import check_unchanged, find_parts

if TYPE_CHECKING:
    from remotemedia.pipeline import Pipeline
    from remotemedia.session.session import Session


async def change(session: Session, pipeline: Pipeline) -> None:
    """See `Session.apply`."""
    plan = session.planned(pipeline.plan())
    before = session.plan
    check_unchanged(before, plan, shape)
    renewed, updated = _compare(before, plan)
    made = [node for node in plan.graph.order if node in renewed or node not in before.graph.nodes]
    more = find_parts(session.around.with_plan(plan), session.parts)
    session.parts.update(more)
    for parts in more.values():
        await parts.start()
    new = create_nodes(plan, made, session.parts)
    opened: dict[str, Node] = {}
    told: dict[str, Context] = {}
    try:
        for node_id in made:
            node = new[node_id]
            told[node_id] = context(
                plan, node_id, session.clock, _set_timer(session, node_id, node), session.tell
            )
            await open_node(node_id, node, told[node_id])
            opened[node_id] = node
            plan = discover(plan, node_id, node)
        session.check_not_closed()
    except BaseException:
        await _give_up(session, opened)
        raise
    gone = {
        node_id: node
        for node_id, node in session.cast.nodes.items()
        if node_id in renewed or node_id not in plan.graph.nodes
    }
    exchange = Exchange(session.router, plan, renewed, updated)
    try:
        await _quiesce(session, exchange)
        session.check_not_closed()
        nodes = {**{k: v for k, v in session.cast.nodes.items() if k not in gone}, **new}
        exchange.carry_out(nodes)
    except BaseException:
        exchange.start()
        await _give_up(session, opened)
        raise
    exchange.start()
    session.exchanged(pipeline, plan, nodes, new, gone)
    for node_id, context_of in told.items():
        session.router.steps[node_id].context = context_of
    for node_id in updated:
        session.cast.update(node_id, plan.graph.nodes[node_id].params)
    session.tell("changed", _words(before, plan, renewed, updated), "")
    await session.cast.close(gone)


async def _give_up(session: Session, opened: dict[str, Node]) -> None:
    """Nothing changes: what was opened for it is closed."""
    for timers in session.router.timers.values():
        timers.clear()
    session.router.timers.clear()
    await session.cast.close(opened)


def _set_timer(session: Session, node_id: str, node: Node) -> Callable[..., Timer] | None:
    """What sets timers of a node that is not there yet."""
    if not sets_timers(node):
        return None
    timers = session.router.timers[node_id] = session.router.make_timers(node_id, held=True)
    return timers.set


async def _quiesce(session: Session, exchange: Exchange) -> None:
    """Wait until what changes stands between two packets.

    Work that takes longer than the time-out is cut off, and so are tails that do.
    """
    for is_last in (False, False, True):
        limit = deadline(session.clock, session.close_timeout_us)
        try:
            async with limit:
                await exchange.quiesce(tails=not is_last)
            return
        except TimeoutError as error:
            if not limit.expired:
                raise
            if is_last:
                raise session.hung("the change of the graph", error) from error
        try:
            async with deadline(session.clock, session.close_timeout_us):
                await session.router.interrupt(exchange.nodes)
        except TimeoutError as error:
            raise session.hung("the change of the graph", error) from error


def _compare(before: Plan, plan: Plan) -> tuple[set[str], set[str]]:
    """Nodes of both plans that must be made anew, and those that only get new parameters."""
    renewed: set[str] = set()
    updated: set[str] = set()
    for node_id, new in plan.graph.nodes.items():
        old = before.graph.nodes.get(node_id)
        if old is None:
            continue
        if _setting(old) != _setting(new) or _made(before, old) != _made(plan, new):
            renewed.add(node_id)
        elif old.params != new.params:
            differing = {
                name
                for name in new.params.__struct_fields__
                if getattr(old.params, name) != getattr(new.params, name)
            }
            (updated if differing <= set(new.cls.live_params) else renewed).add(node_id)
    return renewed, updated


def _setting(node: GraphNode) -> object:
    """All that a node is, apart from its parameters."""
    spec = msgspec.structs.replace(node.spec, params={}, is_output_node=False, description="")
    return node.cls, msgspec.structs.replace(spec, comment="")


def _made(plan: Plan, node: GraphNode) -> object:
    """What an adaptive node was opened for; others take formats as they come."""
    if node.cls.capabilities != "adaptive":
        return None
    return [str(plan.formats.outputs[node.id, port]) for port in node.outputs]


def _words(before: Plan, plan: Plan, renewed: set[str], updated: set[str]) -> str:
    """What was changed, for people."""
    old, new = before.graph.nodes, plan.graph.nodes
    parts = [
        ("added", [node for node in new if node not in old]),
        ("removed", [node for node in old if node not in new]),
        ("made anew", sorted(renewed)),
        ("new parameters", sorted(updated)),
    ]
    said = [f"{what}: {', '.join(names)}" for what, names in parts if names]
    return "the graph was changed; " + ("; ".join(said) or "connections only")
