"""TimedModelNode: a `ModelNode` with several input ports, that sets timers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from remotemedia.node import INPUT, Context
from remotemedia.nodes.models.model_node import IN_A_PAGE, ModelNode, Work


class TimedModelNode(ModelNode):
    """A `ModelNode` with several input ports, that sets timers.

    Attributes
    ----------
    ctx : Context
        What it was told when it was opened.
    """

    ctx: Context

    def work(self, data: Any, port: str = INPUT) -> Work[Any]:
        """One input of a port → what comes of it, as `Node.process` returns it."""
        raise NotImplementedError(f"{type(self).__name__} has no work()")

    def awaken(self, token: str) -> Work[Any]:
        """A timer has run out → what comes of it, as `Node.wake` returns it."""
        raise NotImplementedError(f"{type(self).__name__} has no awaken()")

    if not TYPE_CHECKING and IN_A_PAGE:

        async def open(self, ctx: Context) -> None:
            """Open the models, and run them for the first time."""
            self.ctx = ctx
            await super().open(ctx)

        async def process(self, data: Any, port: str = INPUT) -> Any:
            """What comes of one input."""
            return await self._adrive(self.work(data, port))

        async def wake(self, token: str) -> Any:
            """What comes of a timer that has run out."""
            return await self._adrive(self.awaken(token))

    else:

        def open(self, ctx: Context) -> None:
            """Open the models, and run them for the first time."""
            self.ctx = ctx
            super().open(ctx)

        def process(self, data: Any, port: str = INPUT) -> Any:
            """What comes of one input."""
            return self._drive(self.work(data, port))

        def wake(self, token: str) -> Any:
            """What comes of a timer that has run out."""
            return self._drive(self.awaken(token))
