"""WebModel: a model that onnxruntime-web runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyodide.ffi import create_proxy, to_js

from remotemedia.errors import ModelError
from remotemedia.models.backend import Feeds
from remotemedia.models.feed_check import FeedCheck
from remotemedia.models.tensor_info import TensorInfo


class Runs:
    """Wakes who waits for the run of a model; JavaScript calls `done`."""

    def __init__(self) -> None:
        self.done: Any = create_proxy(self._done)
        self._loop: Any = asyncio.get_running_loop()
        self._enter = getattr(self._loop, "enter", None)
        self.running: asyncio.Future[str] | None = None
        self.arrange: Callable[[str], None] = lambda layout: None
        """Told the layout of the outputs, before the run counts as over, when it is a new one."""

    def start(self) -> asyncio.Future[str]:
        """The end of the run that begins now: what went wrong."""
        running: asyncio.Future[str] = self._loop.create_future()
        self.running = running
        return running

    def give_up(self) -> None:
        """Nobody waits for it any longer, but JavaScript goes on with it."""
        if self.running is not None:
            self.running = self._loop.create_future()

    def close(self) -> None:
        """Let go of the proxy."""
        self.done.destroy()

    def _done(self, layout: str = "", failure: str = "") -> None:
        if self._enter is None:
            self._wake(layout, failure)
        else:
            self._enter(self._wake, layout, failure)

    def _wake(self, layout: str, failure: str) -> None:
        if layout:
            self.arrange(layout)
        running, self.running = self.running, None
        if running is not None and not running.done():
            running.set_result(failure)


class WebModel:
    """A model, open in this worker.

    Its inputs are copied to where they stay, from which JavaScript takes them; it writes the
    outputs into memory of Python too, so that no object has to be made for a run.
    """

    backend = "onnxruntime-web"

    def __init__(
        self, session: Any, runs: Runs, about: dict[str, Any], name: str, provider: str
    ) -> None:
        if odd := [each["name"] for each in about["inputs"] if not each["dtype"]]:
            raise ModelError(
                f"{name} takes {', '.join(odd)}, which no array can be: export the model with "
                "tensors of numbers"
            )
        self.provider = provider
        self.inputs = tuple(map(_info, about["inputs"]))
        self.outputs = tuple(_info(each) for each in about["outputs"] if each["dtype"])
        self._session: Any = session
        self._run: Any = session.run  # to look it up takes as long as to call it
        self._runs = runs
        runs.arrange = self._arrange
        self._name = name
        self._check = FeedCheck(name, self.inputs)
        self._names = [each.name for each in self.outputs]
        self._given: dict[str, NDArray[Any]] = {}
        self._found: list[NDArray[Any]] = []

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """There is no such thing here."""
        raise ModelError(f"{self._name}: models of onnxruntime-web are awaited: use arun")

    async def arun(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """Run it; see `Model.run`."""
        self._check.check(feeds)
        while (before := self._runs.running) is not None:  # one whose caller was interrupted
            await asyncio.wait([before])
        if self._session is None:
            raise ModelError(f"{self._name} is closed, and cannot be run")
        given = self._given
        if len(feeds) != len(given) or any(
            name not in given or given[name].shape != array.shape for name, array in feeds.items()
        ):
            given = self._place(feeds)
        for name, array in feeds.items():
            given[name][...] = array
        end = self._runs.start()
        self._run()
        try:
            failure = await end
        except asyncio.CancelledError:
            self._runs.give_up()
            raise
        if failure:
            raise ModelError(f"{self._name} failed in a run: {failure}")
        return {name: found.copy() for name, found in zip(self._names, self._found, strict=True)}

    def close(self) -> None:
        """Let go of it, when the run that goes on is over. Again, it does nothing."""
        session, self._session, self._run = self._session, None, None
        if session is None:
            return
        if (running := self._runs.running) is None:
            self._release(session)
        else:
            running.add_done_callback(lambda _: self._release(session))

    def _release(self, session: Any) -> None:
        session.close()
        self._runs.close()

    def _arrange(self, layout: str) -> None:
        self._found = [np.empty(shape, dtype) for dtype, shape in json.loads(layout)]
        if self._session is not None:
            self._session.take(to_js([array.ctypes.data for array in self._found]))

    def _place(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        self._given = {name: np.empty_like(array, order="C") for name, array in feeds.items()}
        places = [
            {
                "name": name,
                "dtype": str(array.dtype),
                "shape": array.shape,
                "address": array.ctypes.data,
            }
            for name, array in self._given.items()
        ]
        self._session.place(json.dumps({"inputs": places, "outputs": self._names}))
        return self._given


def _info(about: dict[str, Any]) -> TensorInfo:
    return TensorInfo(about["name"], about["dtype"], tuple(about["shape"]))
