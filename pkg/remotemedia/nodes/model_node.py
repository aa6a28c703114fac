"""ModelNode: what nodes share that compute with a model."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from numpy.typing import NDArray

from remotemedia.models.opening import aopen_model, open_model
from remotemedia.node import Context, Node

if TYPE_CHECKING:
    from remotemedia.models.backend import Model

Feeds = Mapping[str, NDArray[Any]]
Outputs = Mapping[str, NDArray[Any]]
T = TypeVar("T")
Work = Generator[Feeds, Outputs, T]
"""Yields what the model is to be run on, is sent its outputs, returns what comes of them."""

IN_A_PAGE = sys.platform == "emscripten"


class ModelNode(Node):
    """A node that computes with a model.

    It is written once for both worlds: as generators (`work`, `tail`) that yield the inputs of each
    run of the model and are sent its outputs. Natively a run is a plain call, and the node a
    synchronous one; in a page it is awaited.

    Attributes
    ----------
    model : Model
        Once open.
    """

    backends = ("onnxruntime", "onnxruntime-web")
    model: Model

    @property
    def model_reference(self) -> str:
        """What to open: the name of a known model, a path, or a URL with its SHA-256."""
        return str(self.params.model)

    def work(self, data: Any) -> Work[Any]:
        """One input → what comes of it, as `Node.process` returns it."""
        raise NotImplementedError(f"{type(self).__name__} has no work()")

    def tail(self) -> Work[Iterable[Any]]:
        """End of input → the tail."""
        return ()
        yield  # a generator

    def warm_up(self) -> Iterable[Feeds]:
        """Inputs to run the model on once it is open, so that the first real run is no slower."""
        return ()

    if IN_A_PAGE:

        async def open(self, ctx: Context) -> None:
            """Open the model, and run it for the first time."""
            self.model = await aopen_model(self, ctx)
            for feeds in self.warm_up():
                await self.model.arun(feeds)

        async def process(self, data: Any) -> Any:
            """What comes of one input."""
            return await self._adrive(self.work(data))

        async def finish(self) -> Any:
            """The tail."""
            return await self._adrive(self.tail())

        async def _adrive(self, work: Work[T]) -> T:
            try:
                feeds = next(work)
                while True:
                    feeds = work.send(await self.model.arun(feeds))
            except StopIteration as done:
                value: T = done.value
                return value

    else:

        def open(self, ctx: Context) -> None:
            """Open the model, and run it for the first time."""
            self.model = open_model(self, ctx)
            for feeds in self.warm_up():
                self.model.run(feeds)

        def process(self, data: Any) -> Any:
            """What comes of one input."""
            return self._drive(self.work(data))

        def finish(self) -> Any:
            """The tail."""
            return self._drive(self.tail())

        def _drive(self, work: Work[T]) -> T:
            run = self.model.run
            try:
                feeds = next(work)
                while True:
                    feeds = work.send(run(feeds))
            except StopIteration as done:
                value: T = done.value
                return value

    def close(self) -> None:
        """Let go of the model."""
        self.model.close()
