"""ModelNode: what nodes share that compute with a model."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from numpy.typing import NDArray

from remotemedia.data import Data
from remotemedia.models.backend import Model, ModelOptions
from remotemedia.models.opening import aopen_models, open_models
from remotemedia.node import Context, Emit, Node, Pause

if TYPE_CHECKING:
    from remotemedia.models.batcher import Batcher
    from remotemedia.models.store import Files

Feeds = Mapping[str, NDArray[Any]]
Outputs = Mapping[str, NDArray[Any]]
T = TypeVar("T")
Run = tuple[Model, Feeds]
"""A model, and what it is to be run on."""
Work = Generator[Run, Outputs, T]
"""Yields the runs that it wants, is sent the outputs of each, returns what comes of them."""

IN_A_PAGE = sys.platform == "emscripten"


class ModelNode(Node):
    """A node that computes with models.

    It is written once for both worlds: as generators (`work`, `tail`) that yield each run of a
    model, ``outputs = yield self.model, {"input": frame}``, and are sent its outputs. Natively a
    run is a plain call, and the node a synchronous one; in a page it is awaited.

    Attributes
    ----------
    models : tuple of Model
        Once open: one for each of `model_files`, then one for each of `further_models`.
    """

    backends: ClassVar[tuple[str, ...]] = ("onnxruntime", "onnxruntime-web")
    own_backends: ClassVar[tuple[str, ...]] = ()
    """Those of `backends` that the node implements itself, by `own_model`."""
    model_files: ClassVar[tuple[str, ...]] = ()
    """The names of the files to open; empty: the only one."""
    models: tuple[Model, ...] = ()
    batch_axes: ClassVar[Mapping[str, int]] = {}
    """The axis of each input and output along which runs for several streams can be put together;
    empty: they cannot. Inputs without one must be equal. The node then has a parameter
    ``batch_ms``, and natively its runs in live sessions are made together with those of others."""
    _batcher: Any = None  # a Batcher, which no page loads
    _delay_us = 0

    @property
    def model(self) -> Model:
        """The first of `models`."""
        return self.models[0]

    @property
    def model_reference(self) -> str:
        """What to open: the name of a known model, a path, or a URL with its SHA-256."""
        return str(self.params.model)

    @property
    def further_models(self) -> Sequence[str]:
        """What else to open, as `model_reference`: of each, its only file."""
        return ()

    @property
    def model_options(self) -> ModelOptions:
        """How to run it."""
        return ModelOptions()

    def own_model(self, name: str, file: Path | bytes) -> Model:
        """The model, by a backend of `own_backends`."""
        raise NotImplementedError(f"{type(self).__name__} has no own_model()")

    def quicker(self, file: Path | bytes) -> Path | bytes:
        """A file that gives the same and takes less time, for backends to open in its place."""
        return file

    def work(self, data: Any) -> Work[Any]:
        """One input → what comes of it, as `Node.process` returns it."""
        raise NotImplementedError(f"{type(self).__name__} has no work()")

    def tail(self) -> Work[Iterable[Any]]:
        """End of input → the tail."""
        return ()
        yield  # a generator

    def prepare(self, files: Files) -> None:
        """Take what else the node needs from the files of the model, once `models` are open."""

    def warm_up(self) -> Iterable[Run]:
        """Runs to make once the models are open, so that the first real one is no slower."""
        return ()

    if not TYPE_CHECKING and IN_A_PAGE:

        async def open(self, ctx: Context) -> None:
            """Open the models, and run them for the first time."""
            files, self.models = await aopen_models(self, ctx)
            try:
                self.prepare(files)
                for model, feeds in self.warm_up():
                    await model.arun(feeds)
            except BaseException:  # nobody closes a node that did not open
                self.close()
                raise

        async def process(self, data: Any) -> Any:
            """What comes of one input."""
            return await self._adrive(self.work(data))

        async def finish(self) -> Any:
            """The tail."""
            return await self._adrive(self.tail())

        async def _adrive(self, work: Work[T]) -> T:
            try:
                model, feeds = next(work)
                while True:
                    model, feeds = work.send(await model.arun(feeds))
            except StopIteration as done:
                value: T = done.value
                return value

    else:

        def open(self, ctx: Context) -> None:
            """Open the models, and run them for the first time."""
            files, self.models = open_models(self, ctx)
            try:
                self.prepare(files)
                for model, feeds in self.warm_up():
                    model.run(feeds)
                if ctx.is_live and self.batch_axes and self.params.batch_ms is not None:
                    from remotemedia.models.batcher import join

                    self._batcher = join(self.model, self.batch_axes, ctx.clock)
                    self._delay_us = round(self.params.batch_ms * 1000)
            except BaseException:  # nobody closes a node that did not open
                self.close()
                raise

        def process(self, data: Any) -> Any:
            """What comes of one input."""
            work = self.work(data)
            if self._batcher is not None:
                return self._drive_together(self._batcher, work)
            return self._drive(work)

        def finish(self) -> Any:
            """The tail."""
            return self._drive(self.tail())

        def _drive(self, work: Work[T]) -> T:
            try:
                model, feeds = next(work)
                while True:
                    model, feeds = work.send(model.run(feeds))
            except StopIteration as done:
                value: T = done.value
                return value

        def _drive_together(self, batcher: Batcher, work: Work[Any]) -> Any:
            try:
                run = next(work)
                while not batcher.pays():
                    model, feeds = run
                    run = work.send(model.run(feeds))
            except StopIteration as done:
                return done.value
            return self._wait_for(batcher, work, run)

        def _wait_for(self, batcher: Batcher, work: Work[Any], run: Run) -> Iterator[Any]:
            while True:
                wanted = batcher.want(*run, self._delay_us)
                try:
                    if not wanted.is_done:
                        yield Pause(None, wanted)
                    outputs = wanted.outputs()
                finally:
                    wanted.withdraw()
                try:
                    run = work.send(outputs)
                except StopIteration as done:
                    value = done.value
                    if value is not None:
                        yield from (value,) if isinstance(value, Data | Emit) else value
                    return

    def close(self) -> None:
        """Let go of the models."""
        if self._batcher is not None:
            self._batcher.leave()
            self._batcher = None
        for model in self.models:
            model.close()
