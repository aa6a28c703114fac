"""One round of the fuzz of sessions: a random graph runs, is played with, and is ended anywhere.

What must hold, whatever was drawn: every call returns; no task is left; no error that is not
planned; the counters of every edge add up and nothing is in flight at the end; the client sees
nothing stale after an interrupt; no node is called twice at once, and each is closed once if it was
opened; the numbers of packets are unique.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np

import remotemedia as rm
from fuzz.session_graphs import Drawing, is_valid
from fuzz.session_nodes import Book, PlannedError
from remotemedia.clock import sleep
from remotemedia.errors import (
    AddressError,
    CapsMismatchError,
    FormatError,
    NodeError,
    NodeTimeoutError,
    ParamsError,
    SessionError,
    SessionFailedError,
)
from remotemedia.session.session import Session
from remotemedia.testing import VirtualClock

CLOSE_MS = 1_000
LIMITS_US = {"interrupt": 100_000, "aclose": 1_000_000, "edit": 30_000_000, "rest": 3_600_000_000}
"""How long calls may take, of the session's time."""
REFUSED = (
    SessionError,
    AddressError,
    FormatError,
    NodeError,
    CapsMismatchError,
    ParamsError,
    rm.ManifestError,
)
ENDS = ("finish", "finish", "interrupt", "close", "cancel", "cancel the closing")
EXPECTED = (PlannedError, NodeTimeoutError)
BLOCK = np.zeros((1, 160), np.float32)


class BrokenError(AssertionError):
    """Something that must hold did not."""


class Round:
    """One round.

    Parameters
    ----------
    seed : int
        The same round for the same seed.
    drawn : Counter
        Counts what was drawn.
    """

    def __init__(self, seed: int, drawn: Counter[str]) -> None:
        self.rng = random.Random(seed)
        self.drawn = drawn
        self.clock = VirtualClock()
        self.drawing = Drawing(self.rng, drawn)
        self.end = ""
        self.packets: list[rm.Packet] = []
        self._floors: dict[str, int] = {}
        self._floor = 0
        self._interrupts = 0
        self._sent = 0
        self._numbers: set[tuple[str, str, int, int]] = set()
        self._detach: list[Callable[[], None]] = []

    def run(self) -> None:
        """Play.

        Raises
        ------
        Exception
            Something did not hold.
        """
        Book.begin()
        pipeline = self.drawing.pipeline()
        while not is_valid(pipeline):
            self.drawn["graphs that cannot be"] += 1
            pipeline = self.drawing.pipeline()
        rng = self.rng
        policy = self.drawing.policy(of_all=True) if rng.random() < 0.2 else None
        self.session = Session(
            pipeline.plan(),
            clock=self.clock,
            profiling_clock=lambda: self.clock.now_us() / 1e6 + Book.measured_s,
            close_timeout_ms=CLOSE_MS,
            policy=policy,
            max_latency_ms=rng.choice((5, 50)) if rng.random() < 0.15 else None,
            pipeline=pipeline,
        )
        self.clock.run(self._play(), limit_us=3 * 3_600_000_000)
        self.drawn["calls of nodes"] += Book.calls
        self.drawn["packets received"] += len(self.packets)
        self._check_nodes()

    # -- what happens ------------------------------------------------------------------------

    async def _play(self) -> None:
        session, rng, clock = self.session, self.rng, self.clock
        begin = asyncio.ensure_future
        await session.open()
        reader = begin(self._read()) if rng.random() < 0.85 else None
        feeder = begin(self._feed())
        beside = [begin(self._act()) for _ in range(rng.randint(0, 4))]
        everything = [feeder, *beside, *([reader] if reader else [])]
        await sleep(clock, rng.randint(0, 300) * 500)
        self.end = end = rng.choice(
            ("finish", "finish", "interrupt", "close", "cancel", "cancel the closing")
        )
        self.drawn[f"end {end}"] += 1
        if end == "finish":
            await self._refused(session.finish())
            if reader is not None and not self.drawing.endless and rng.random() < 0.8:
                self.drawn["read to the end"] += 1
                await self._within("rest", asyncio.wait([reader]))
        elif end == "interrupt":
            await self._refused(self._interrupt(None))
        elif end == "cancel":
            for task in rng.sample(everything, rng.randint(1, len(everything))):
                task.cancel()
        elif end == "cancel the closing":
            closing = begin(session.aclose())
            for _ in range(rng.randint(0, 4)):
                await sleep(clock, 0)
            closing.cancel()
            await asyncio.wait([closing])
        await self._within("aclose", session.aclose())
        await self._within("rest", asyncio.wait(everything))
        for task in everything:
            if not task.cancelled():
                task.result()
        await clock.idle()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        require(not left, f"tasks are left: {left}")
        await self._check_events()
        self._check_edges(at_end=True)

    async def _feed(self) -> None:
        """Send."""
        rng = self.rng
        to = None
        for _ in range(rng.randint(0, 60)):
            if rng.random() < 0.3:
                await sleep(self.clock, rng.randint(0, 20) * 500)
            if rng.random() < 0.1:
                nodes = self.session.plan.graph.nodes
                to = rng.choice([None, *nodes])
            if rng.random() < 0.2:
                await self._refused(self._offer(to))
            elif not await self._refused(self.session.send(self._data(), to)):
                to = None
        if rng.random() < 0.25:
            await self._refused(self.session.finish())

    async def _offer(self, to: str | None) -> None:
        self.session.offer(self._data(), to)

    def _data(self) -> rm.Data:
        """Mostly text; audio; control."""
        rng = self.rng
        drawn = rng.random()
        pts_us = self._sent * 20_000 + rng.choice((0, 0, 0, 30_000, -50_000))
        self._sent += 1
        if drawn < 0.6:
            return rm.Text(str(self._sent), pts_us=pts_us if rng.random() < 0.8 else None)
        if drawn < 0.9:
            rate = rng.choice((8_000, 8_000, 16_000))
            return rm.Audio(BLOCK, rate, pts_us=pts_us if rng.random() < 0.8 else None)
        self.drawn["control"] += 1
        if drawn < 0.95:
            first = pts_us - rng.randint(0, 200_000)
            return rm.CancelSpeculation(first, first + rng.randint(1, 300_000)).to_control()
        return rm.BatchHint(4).to_control() if drawn < 0.98 else rm.Control("Odd", {"a": 1})

    async def _read(self) -> None:
        """Read, at some pace, and look at every packet."""
        rng = self.rng
        pause = rng.choice((0.0, 0.0, 0.1, 0.7))
        try:
            async for packet in self.session.outputs():
                self._look_at(packet)
                if rng.random() < pause:
                    await sleep(self.clock, rng.randint(0, 20_000))
        except SessionFailedError:
            self._check_failure()
            self.drawn["sessions that broke as they should"] += 1

    def _look_at(self, packet: rm.Packet) -> None:
        floor = max(self._floor, self._floors.get(packet.node, 0))
        require(packet.generation >= floor, f"stale after interrupt {floor}: {packet}")
        number = packet.node, packet.port, packet.sequence, packet.sub_sequence
        require(number not in self._numbers, f"this number came before: {number}")
        self._numbers.add(number)
        self.packets.append(packet)

    # -- what is done beside -----------------------------------------------------------------

    async def _act(self) -> None:
        actions: dict[str, Callable[[], Awaitable[object]]] = {
            "interrupt": lambda: self._interrupt(None),
            "interrupt from": lambda: self._interrupt(self._node()),
            "tap": self._tap,
            "subscribe": self._subscribe,
            "intercept": self._intercept,
            "publish": lambda: self.session.bus.publish(self._place(), self._data()),
            "set_state": self._set_state,
            "set_params": lambda: self._within(
                "edit", self.session.bus.set_params(self._node(), pace=1)
            ),
            "edit": self._edit,
            "observe": self._observe,
            "metrics": self._look,
            "detach": self._let_go,
        }
        for _ in range(self.rng.randint(1, 8)):
            await sleep(self.clock, self.rng.randint(0, 30) * 500)
            name = self.rng.choice(list(actions))
            self.drawn[name] += 1
            await self._refused(actions[name]())

    def _node(self) -> str:
        return self.rng.choice(list(self.session.plan.graph.nodes))

    def _place(self) -> str:
        node = self.session.plan.graph.nodes[self._node()]
        return f"{node.id}:{self.rng.choice([*node.inputs, *node.outputs])}"

    async def _interrupt(self, node: str | None) -> None:
        session = self.session
        self._interrupts += 1
        before = session.plan
        try:
            await self._within("interrupt", session.interrupt(node), self._interrupts)
        except SessionFailedError:
            self._check_failure()
            raise
        finally:
            self._interrupts -= 1
        if node is None:
            self._floor = session.generation
        elif session.plan is before:
            for each in _reached(before, node):
                self._floors[each] = session.generation

    async def _tap(self) -> None:
        raises = self.rng.random() < 0.1

        def tap(packet: rm.Packet) -> None:
            if raises:
                raise PlannedError("a tap")

        self._detach.append(self.session.tap(self._place(), tap))

    async def _subscribe(self) -> None:
        subscription = self.session.bus.subscribe(self._place(), capacity=self.rng.randint(1, 4))
        self._detach.append(subscription.close)
        if self.rng.random() < 0.5:
            async for _packet in subscription:
                await sleep(self.clock, self.rng.randint(0, 3_000))
                if self.rng.random() < 0.2:
                    break
        if self.rng.random() < 0.5:
            subscription.close()

    async def _intercept(self) -> None:
        rng, kind = self.rng, self.rng.choice(("pass", "drop", "replace", "raise", "wait", "odd"))

        def decide(packet: rm.Packet) -> Any:
            if kind == "raise":
                raise PlannedError("an intercept")
            return {"drop": None, "replace": rm.Text("other"), "odd": 7}.get(kind, packet.data)

        async def wait(packet: rm.Packet) -> Any:
            await sleep(self.clock, rng.randint(0, 40_000))
            if rng.random() < 0.1:
                raise PlannedError("an intercept")
            return rng.choice((None, packet.data, packet.data))

        handler = wait if kind == "wait" else decide
        place = self._place()
        self._detach.append(
            self.session.bus.intercept(place, handler, deadline_ms=rng.choice((1, 20)))
        )

    async def _set_state(self) -> None:
        state: Any = self.rng.choice(("enabled", "enabled", "bypass", "disabled"))
        self.session.bus.set_state(self._node(), state)

    async def _edit(self) -> None:
        async def edit() -> None:
            async with self.session.bus.edit() as pipeline:
                self.drawing.edit(pipeline)

        await self._within("edit", edit())
        self.drawn["edits carried out"] += 1

    async def _observe(self) -> None:
        self._detach.append(self.session.observe(_Observer(self.rng.random() < 0.2)))

    async def _look(self) -> None:
        self._check_edges(at_end=False)

    async def _let_go(self) -> None:
        if self._detach:
            self._detach.pop(self.rng.randrange(len(self._detach)))()

    # -- what must hold ----------------------------------------------------------------------

    async def _refused(self, call: Awaitable[object]) -> bool:
        """Make a call that may be refused; whether it was not."""
        try:
            await call
        except REFUSED as error:
            self.drawn[f"refused: {type(error).__name__}"] += 1
            if isinstance(error, SessionFailedError):
                self._check_failure()
            return False
        return True

    async def _within(self, what: str, call: Awaitable[object], times: int = 1) -> None:
        then = self.clock.now_us()
        try:
            await call
        finally:
            took = self.clock.now_us() - then
            require(took <= times * LIMITS_US[what], f"{what} took {took} µs")

    def _check_failure(self) -> None:
        """The session broke, and may only because of a node whose policy wants that."""
        error = self.session._failure
        planned = self.drawing.may_fail and isinstance(error, rm.RemoteMediaError)
        if not planned:
            raise BrokenError(f"the session broke: {error!r}") from error

    async def _check_events(self) -> None:
        async for event in self.session.events():
            error: BaseException | None = event.error
            while error is not None and not isinstance(error, EXPECTED):
                require(isinstance(error, rm.RemoteMediaError), f"not planned: {event.traceback}")
                error = error.__cause__

    def _check_edges(self, at_end: bool) -> None:
        for edge in self.session.metrics().edges:
            known = edge.delivered + sum(edge.dropped.values()) + edge.in_flight
            require(edge.entered == known and edge.in_flight >= 0, f"does not add up: {edge}")
            require(min(edge.entered, edge.delivered) >= 0, f"less than nothing: {edge}")
            require(not at_end or edge.in_flight == 0, f"something is left: {edge}")

    def _check_nodes(self) -> None:
        require(not Book.wrong, "; ".join(Book.wrong))
        for node in Book.opened:
            require(node.closed == 1, f"{type(node).__name__} {node.name} closed {node.closed} ×")


class _Observer:
    def __init__(self, raises: bool) -> None:
        self._raises = raises

    def _seen(self) -> None:
        if self._raises:
            raise PlannedError("an observer")

    def sent(self, packets: object) -> None:
        self._seen()

    def received(self, packet: object) -> None:
        self._seen()

    def interrupted(self, generation: int, from_node: str | None) -> None:
        self._seen()

    def finished(self) -> None:
        self._seen()


def require(holds: bool, what: str) -> None:
    """Fail unless it holds.

    Raises
    ------
    BrokenError
        It does not.
    """
    if not holds:
        raise BrokenError(what)


def _reached(plan: rm.Plan, from_node: str) -> set[str]:
    found = {from_node}
    for node in plan.graph.order:
        if any(edge.source in found for edge in plan.graph.incoming(node)):
            found.add(node)
    return found
