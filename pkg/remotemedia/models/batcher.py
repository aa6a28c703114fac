"""Batcher: runs of a model that several nodes want at about the same time, made as one run."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remotemedia.clock import Clock, SystemClock, Timer
from remotemedia.models.backend import Feeds, Model

PAYS = 3
"""Runs from which on it pays to make one of them."""
REMEMBERED = 16
"""Turns of the event loop by which it is judged how many runs come in one."""
MOST = 32
"""Runs in a batch: more would save nothing, and hold up the event loop."""

Outputs = Mapping[str, NDArray[Any]]
Axes = Mapping[str, int]


class Wanted:
    """A run that is wanted.

    Attributes
    ----------
    model : Model
    feeds : mapping of str to np.ndarray
    key : hashable
        What can be run together has the same.
    is_done : bool
    """

    __slots__ = ("_answer", "_batcher", "_callback", "feeds", "is_done", "key", "model")

    def __init__(self, batcher: Batcher, model: Model, feeds: Feeds, key: Hashable) -> None:
        self.model = model
        self.feeds = feeds
        self.key = key
        self.is_done = False
        self._batcher = batcher
        self._answer: Any = None
        self._callback: Callable[[Any], object] | None = None

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        """Have this called, with this, once it is done."""
        self._callback = callback

    def outputs(self) -> Outputs:
        """What the model gave; runs the batch now if nobody did.

        Raises
        ------
        ModelError
            What the run raised.
        """
        if not self.is_done:
            self._batcher.run()
        if isinstance(self._answer, BaseException):
            raise self._answer
        answer: Outputs = self._answer
        return answer

    def withdraw(self) -> None:
        """It is no longer wanted, if it is not done."""
        if not self.is_done and self in self._batcher.waiting:
            self._batcher.waiting.remove(self)

    def settle(self, answer: Outputs | BaseException) -> None:
        """Be done: this came of it."""
        self._answer = answer
        self.is_done = True
        if self._callback is not None:
            self._callback(self)


class Batcher:
    """Gathers the runs of a model that the nodes of an event loop want.

    Whoever wants one says how long it may take until it is begun. When the first has no more time,
    all run that are wanted by then; if all who use the model wait, nobody needs to any longer. Who
    has no time waits for those only who ask in the same turn of the event loop: under little load
    that is nobody, and the more there is to do, the more there are.

    Parameters
    ----------
    axes : mapping of str to int
        The axis of each input and output along which runs are put together. Inputs without one
        must be equal.
    clock : Clock
        The time of all who use it.
    soon : callable
        Calls what it is given in the next turn of the event loop.
    end : callable
        Called when its last user has left.

    Attributes
    ----------
    users : int
        Nodes that may want runs.
    waiting : list of Wanted
        In the order in which they came.
    """

    def __init__(
        self,
        axes: Axes,
        clock: Clock,
        soon: Callable[[Callable[[], None]], object],
        end: Callable[[], object],
    ) -> None:
        self.users = 0
        self.waiting: list[Wanted] = []
        self._axes = axes
        self._clock = clock
        self._soon = soon
        self._end = end
        self._timer: Timer | None = None
        self._due_us = 0
        self._is_due = False
        self._is_running = False
        self._in_turn = 0  # runs that are wanted in this turn of the event loop
        self._crowd = 0.0  # in a turn, as it has been of late

    def pays(self) -> bool:
        """Whether so much is to be done that it pays to ask; else run the model by oneself.

        Call it once for each run.
        """
        if not self._in_turn:
            self._soon(self._look_back)
        self._in_turn += 1
        return self._crowd >= PAYS and self.users >= PAYS

    def _look_back(self) -> None:
        """After a turn of the event loop in which runs were wanted."""
        self._crowd += (self._in_turn - self._crowd) / REMEMBERED
        self._in_turn = 0

    def leave(self) -> None:
        """One user less."""
        self.users -= 1
        if not self.users:
            self._stop_timer()
            self._end()

    def want(self, model: Model, feeds: Feeds, delay_us: int) -> Wanted:
        """Ask for a run within a time; the arrays must stay as they are until it is done."""
        axes = self._axes
        key = tuple([x.shape if name in axes else x.tobytes() for name, x in feeds.items()])
        wanted = Wanted(self, model, feeds, key)
        waiting = self.waiting
        waiting.append(wanted)
        if len(waiting) >= min(self.users, MOST) and not self._is_running:
            self.run()
            return wanted
        if delay_us <= 0:
            if not self._is_due:
                self._is_due = True
                self._soon(self.run)
            return wanted
        due_us = self._clock.now_us() + delay_us
        if self._timer is None or due_us < self._due_us:
            self._stop_timer()
            self._timer = self._clock.call_later(delay_us, self.run)
            self._due_us = due_us
        return wanted

    def run(self) -> None:
        """Run all that is wanted."""
        self._is_due = False
        self._stop_timer()
        waiting, self.waiting = self.waiting, []
        before, self._is_running = self._is_running, True  # who has its answer may want more
        try:
            while waiting:
                key = waiting[0].key
                together = [each for each in waiting if each.key == key]
                waiting = [each for each in waiting if each.key != key]
                for first in range(0, len(together), MOST):
                    self._run_together(together[first : first + MOST])
        finally:
            self._is_running = before

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run_together(self, batch: list[Wanted]) -> None:
        if len(batch) == 1:
            _run_alone(batch[0])
            return
        axes, like = self._axes, batch[0].feeds
        try:
            feeds = {
                name: np.concatenate([each.feeds[name] for each in batch], axes[name])
                if name in axes
                else array
                for name, array in like.items()
            }
            outputs = batch[0].model.run(feeds)
            parts = [_parts(array, axes.get(name), len(batch)) for name, array in outputs.items()]
            answers = [
                dict(zip(outputs, arrays, strict=True)) for arrays in zip(*parts, strict=True)
            ]
        except Exception:
            for each in batch:
                _run_alone(each)
            return
        for each, answer in zip(batch, answers, strict=True):
            each.settle(answer)


def join(model: Model, axes: Axes, clock: Clock) -> Batcher | None:
    """The batcher of all nodes of this event loop that use the model; `Batcher.leave` it.

    None where runs of the model cannot be put together, because nobody else can use it.
    """
    import asyncio

    shared = getattr(model, "shared", None)
    if shared is None:
        return None
    time = SystemClock if clock.__class__ is SystemClock else clock  # all of those have the same
    loop = asyncio.get_running_loop()
    key = loop, shared, time, *axes.items()
    batcher = _BATCHERS.get(key)
    if batcher is None:
        batcher = _BATCHERS[key] = Batcher(axes, clock, loop.call_soon, lambda: _BATCHERS.pop(key))
    batcher.users += 1
    return batcher


_BATCHERS: dict[Hashable, Batcher] = {}


def _run_alone(wanted: Wanted) -> None:
    answer: Outputs | BaseException
    try:
        answer = wanted.model.run(wanted.feeds)
    except Exception as error:
        answer = error
    wanted.settle(answer)


def _parts(array: NDArray[Any], axis: int | None, count: int) -> Iterable[NDArray[Any]]:
    """What each of so many runs gets of an output: views."""
    if axis is None:
        return repeat(array, count)
    before, behind = array.shape[:axis], array.shape[axis + 1 :]
    return np.moveaxis(array.reshape(*before, count, -1, *behind), axis, 0)
