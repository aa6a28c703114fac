"""What stands in a session for nodes that run in another process: nodes, and units of them."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import TYPE_CHECKING, Any

from remotemedia.graph import GraphNode
from remotemedia.node import Context, Node
from remotemedia.session.boundary import Boundary
from remotemedia.session.chain import Link, Step
from remotemedia.session.inbox import Inbox
from remotemedia.session.unit import Hooks, Unit

if TYPE_CHECKING:
    from remotemedia_native.process.part import Part

SETTLE_S = 0.01  # that an interrupt waits for a process; what that still makes is stale anyhow


class RemoteNode(Node):
    """Stands for a node that runs in the process of a part."""

    def __init__(self, node: GraphNode, part: Part) -> None:
        super().__init__(Node.Params())
        self.params = node.params
        self.capabilities = node.cls.capabilities  # type: ignore[misc]
        self._id = node.id
        self._part = part
        self._actual: dict[str, str] | None = None

    async def open(self, ctx: Context) -> None:
        """Wait until the node is open there."""
        self._actual = await self._part.open(self._id, ctx)

    def actual_formats(self) -> dict[str, str] | None:
        """What the node has found there."""
        return self._actual

    def update(self, params: Any) -> None:
        """New parameters, for the node there."""
        self.params = params
        self._part.update(self._id, params)

    async def close(self) -> None:
        """Wait until all nodes of the part are closed."""
        await self._part.closed()


class RemoteWiring:
    """In the place of a wiring: there is nothing to call here."""

    def __init__(self, steps: dict[str, Step], changed: Callable[[Step], None]) -> None:
        self.steps = steps
        self.arrivals: dict[Any, Any] = {}
        self.links: dict[Any, Link] = {}
        self.client_links: dict[Any, Link] = {}
        self._changed = changed

    def recompose(self, step: Step) -> None:
        """The state of a node, or who looks at its ports, has changed."""
        self._changed(step)

    def hand_over(self) -> None:
        """Another wiring has these steps now."""
        self.steps = {}


class RemoteUnit(Unit):
    """Stands for an island that runs in the process of a part.

    Parameters
    ----------
    steps : dict of node id to Step
    part : Part
        Who runs it.
    hooks : Hooks
    """

    def __init__(self, steps: dict[str, Step], part: Part, hooks: Hooks) -> None:
        wiring: Any = RemoteWiring(steps, part.set_state)
        super().__init__(wiring, Inbox(), hooks)
        self._part = part
        self._steps = steps

    async def run(self) -> None:
        """Be there until the island has ended."""
        self._part.start()
        await self._part.ended(self._steps.keys())
        self.ended = True

    async def settle(self) -> None:
        """Wait until what an interrupt cut off has ended there, but not for long.

        What a call that cannot be cut off still makes is stale, and is dropped where it arrives.
        """
        await self._part.settled(self.generation, SETTLE_S)

    def _forget(self, nodes: Set[str]) -> None:
        """That is done there."""

    async def pause(self, draining: list[Boundary]) -> None:
        """It is never paused: what runs elsewhere is not changed."""

    @property
    def is_quiet(self) -> bool:
        """Whatever it does."""
        return True

    async def let_out(self, nodes: Set[str]) -> None:
        """Nothing of it is taken out."""

    def begin_anew(self, nodes: Set[str]) -> None:
        """Nothing of it was taken out."""

    def go_on(self) -> None:
        """It was not paused."""
