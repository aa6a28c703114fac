"""The control bus of a live session: look in, put in, decide, switch, and change the graph."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from remotemedia.data import Data
from remotemedia.errors import ParamsError, SessionError
from remotemedia.negotiation.handing_on import handing_on
from remotemedia.node import make_params, parameter_name
from remotemedia.session.address import known_node, misfit
from remotemedia.session.call import State
from remotemedia.session.intercept import Handler, Interceptor
from remotemedia.session.observer import Detach
from remotemedia.session.subscription import CAPACITY, Subscription
from remotemedia.session.tap import check_here, find_port, origin_packets

if TYPE_CHECKING:
    from remotemedia.pipeline import Pipeline
    from remotemedia.plan import Plan
    from remotemedia.session.session import Session

DEADLINE_MS = 50


class Bus:
    """What may be done to a session while it runs; `Session.bus` is it.

    Places are ``"node"`` or ``"node:port"``: an output port, or an input port of that name if there
    is no such output.

    Parameters
    ----------
    session : Session
        The session.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._subscriptions: list[Subscription] = []
        self._editing = asyncio.Lock()
        self._editor: asyncio.Task[Any] | None = None

    def subscribe(self, place: str, *, capacity: int = CAPACITY) -> Subscription:
        """See every packet at a port, without slowing it down; iterate over what this gives.

        Parameters
        ----------
        place : str
            Where.
        capacity : int
            Packets that wait for the subscriber. One who is slower misses the oldest: `skipped`
            counts them, and an event ``lagged`` tells.

        Raises
        ------
        AddressError
            There is no such node or port.
        SessionClosedError
            There is nothing to see any more.
        """
        session = self._session
        session.check_not_closed()
        node = place.partition(":")[0]
        subscription = Subscription(
            place, capacity, lambda words: session.tell("lagged", words, node)
        )
        detach = session.tap(place, subscription.show)

        def leave() -> None:
            detach()
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

        subscription.detach = leave
        self._subscriptions.append(subscription)
        return subscription

    async def publish(self, place: str, data: Data) -> None:
        """Put data in at a port: into an input port, or behind an output port.

        Waits while the node is busy. `Control` data pass ahead of what waits there.

        Raises
        ------
        AddressError, FormatError
            There is no such port, or it does not take that format.
        """
        node_id, port, is_output = find_port(self._session.plan, place)
        if is_output:
            await self._session.emit(node_id, port, data)
        else:
            await self._session.send(data, f"{node_id}:{port}")

    def intercept(
        self, place: str, handler: Handler, *, deadline_ms: float = DEADLINE_MS
    ) -> Detach:
        """Decide of every item at a port whether it passes; gives what ends it.

        Parameters
        ----------
        place : str
            Where.
        handler : callable
            Is given the packet; gives its data (it passes), other data (they pass in its place)
            or None (it is dropped). May be async. If it raises, or gives what the port does not
            carry, an event tells, and the item passes.
        deadline_ms : float
            An item passes whose answer takes longer.

        Raises
        ------
        AddressError
            There is no such node or port.
        SessionError
            The node runs elsewhere.
        """
        session, router = self._session, self._session.router
        node_id, port, is_output = find_port(session.plan, place)
        check_here(session.plan, node_id, "intercept")
        step = router.steps[node_id]
        filters = step.output_filters if is_output else step.input_filters
        interceptor = Interceptor(
            handler,
            round(deadline_ms * 1000),
            session.clock,
            origin_packets(router, node_id, port),
            lambda data: misfit(session.plan, node_id, port, is_output, data),
            session.on_observer_failed,
        )
        filters[port] = (*filters.get(port, ()), interceptor)
        router.recompose(node_id)

        def detach() -> None:
            filters[port] = tuple(each for each in filters.get(port, ()) if each is not interceptor)
            if not filters[port]:
                del filters[port]
            router.recompose(node_id)

        return detach

    def set_state(self, node: str, state: State) -> None:
        """Switch a node: ``enabled``, ``bypass`` (its input goes on) or ``disabled`` (it is lost).

        Its timers ring all the same, but nothing comes of what it says then.

        Raises
        ------
        AddressError
            There is no such node.
        SessionError
            What it is given cannot go on in its place: the formats differ.
        """
        session = self._session
        known = known_node(session.plan, node)
        if state not in ("enabled", "bypass", "disabled"):
            raise SessionError(f"state is 'enabled', 'bypass' or 'disabled', not {state!r}")
        if state == "bypass" and not known.inputs:
            raise SessionError(
                f"{node!r} ({known.node_type}) cannot be bypassed: it is a source", node=node
            )
        if state == "bypass":
            why, unsure = handing_on(session.plan.graph, session.plan.formats, node)
            if unsure:
                (target, port), *_ = sorted(unsure)
                why = f"not all that it may be given is accepted by {target}:{port}"
            if why:
                raise SessionError(
                    f"{node!r} ({known.node_type}) cannot be bypassed: {why}", node=node
                )
        step = session.router.steps[node]
        if step.state != state:
            step.state = state
            session.router.recompose(node)
            if step.outer is not None and state == "enabled":
                step.outer.resume()
            session.tell("changed", f"{node} is {state}", node)

    async def set_params(self, node: str, **params: object) -> None:
        """Change parameters of a node while it runs, between two items.

        Raises
        ------
        ParamsError
            A value that is not accepted; or the parameter is none of the node's `live_params`.
        """
        known = known_node(self._session.plan, node)
        cls = known.cls
        named = {parameter_name(cls, name): value for name, value in params.items()}
        make_params(cls, {**msgspec.to_builtins(known.params), **named}, node)
        fixed = [name for name in named if name not in cls.live_params]
        if fixed:
            allowed = ", ".join(cls.live_params) or "none"
            raise ParamsError(
                f"{node!r} ({known.node_type}) cannot change {', '.join(fixed)} while it runs "
                f"(it can: {allowed}): replace the node, by `async with bus.edit() as pipeline: "
                f"pipeline.set_params({node!r}, …)`",
                node=node,
            )
        session = self._session
        await session.alter(lambda: session.pipeline().copy().set_params(node, **named))

    @asynccontextmanager
    async def edit(self) -> AsyncIterator[Pipeline]:
        """Change the graph: ``async with bus.edit() as pipeline: pipeline.add(…)``.

        What was changed takes effect at the end of the block, all at once; see `apply`. Of
        several at a time, each begins when the one before it has ended.

        Raises
        ------
        SessionError
            `apply` or `set_params` changed the graph since the block began: nothing was done. Or
            this block is within another one.
        """
        task = asyncio.current_task()
        if task is self._editor:
            raise SessionError("an edit within an edit: change the pipeline of the outer one")
        async with self._editing:
            self._editor = task
            try:
                base = self._session.pipeline()
                edited = base.copy()
                yield edited
            finally:
                self._editor = None

            def put_in_place() -> Pipeline:
                if self._session.pipeline() is not base:
                    raise SessionError("the graph was changed meanwhile: edit it as it is now")
                return edited

            await self._session.alter(put_in_place)

    async def apply(self, pipeline: Pipeline) -> None:
        """Run another pipeline from now on; see `Session.apply`."""
        await self._session.apply(pipeline)

    def exchanged(self, plan: Plan) -> None:
        """Another plan runs: there is nothing to see of nodes that it has not."""
        for subscription in list(self._subscriptions):
            if subscription.place.partition(":")[0] not in plan.graph.nodes:
                subscription.close()

    def end(self) -> None:
        """The session is closed."""
        for subscription in self._subscriptions:
            subscription.end()
