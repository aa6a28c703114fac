"""Cast: the nodes of a session, and the life of each."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from remotemedia.clock import Clock, deadline
from remotemedia.node import Context, Node
from remotemedia.session.life import open_node

Told = Callable[[str, Node, Exception], None]
"""Told of what a node raised when nothing of it can be done any more."""


class Cast:
    """Those that are there, and those of them that are open.

    Parameters
    ----------
    nodes : dict of node id to Node
        In topological order.
    clock : Clock
        The session clock.
    timeout_us : int
        Within which a node has to close.
    failed : callable
        Told of what one raises when it closes, or takes new parameters.
    """

    def __init__(self, nodes: dict[str, Node], clock: Clock, timeout_us: int, failed: Told) -> None:
        self.nodes = nodes
        self._opened: dict[str, Node] = {}
        self._clock = clock
        self._timeout_us = timeout_us
        self._failed = failed

    async def open(self, node_id: str, told: Context) -> Node:
        """Open a node; gives it.

        Raises
        ------
        RemoteMediaError
            What it raised.
        """
        node = self.nodes[node_id]
        await open_node(node_id, node, told)
        self._opened[node_id] = node
        return node

    def exchanged(
        self, nodes: dict[str, Node], opened: dict[str, Node], gone: dict[str, Node]
    ) -> None:
        """Others are there now; those that are gone are closed by whoever exchanged them."""
        self.nodes = nodes
        for node_id in gone:
            self._opened.pop(node_id, None)
        self._opened.update(opened)

    def update(self, node_id: str, params: object) -> None:
        """Give a node new parameters; what it raises is told."""
        node = self.nodes[node_id]
        try:
            node.update(params)
        except Exception as error:
            self._failed(node_id, node, error)

    async def close_all(self) -> None:
        """Close all that are open, one after the other."""
        await self._close(self._opened)

    async def close(self, nodes: dict[str, Node]) -> None:
        """Close some, one after the other, even if that is cancelled meanwhile."""
        if nodes:
            await to_its_end(asyncio.get_running_loop().create_task(self._close(nodes)))

    async def _close(self, nodes: dict[str, Node]) -> None:
        while nodes:
            node_id = next(iter(nodes))
            try:
                await self._close_one(node_id, nodes.pop(node_id))
            except BaseException:
                await self._close(nodes)
                raise

    async def _close_one(self, node_id: str, node: Node) -> None:
        try:
            waiting = node.close()
            if inspect.isawaitable(waiting):
                async with deadline(self._clock, self._timeout_us):
                    await waiting
        except Exception as error:
            self._failed(node_id, node, error)


async def to_its_end(closing: asyncio.Task[Any]) -> None:
    """Wait for what is closed. A cancellation comes after it: it does not take long."""
    cancelled: asyncio.CancelledError | None = None
    while not closing.done():
        try:
            await asyncio.wait([closing])
        except asyncio.CancelledError as error:
            cancelled = error
    closing.result()
    if cancelled is not None:
        raise cancelled
