"""Batches: what each gets is what it would have got alone, and who fails, fails alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from remotemedia.clock import SystemClock
from remotemedia.errors import ModelError
from remotemedia.models.batcher import MOST, Batcher, join
from remotemedia.models.tensor_info import TensorInfo
from remotemedia.testing import VirtualClock

AXES = {"x": 0, "state": 1, "y": 0, "next": 1}
Feeds = Mapping[str, NDArray[Any]]
DELAY_US = 10_000


class Sums:
    """Adds each row of x to its state, times a gain; refuses NaN."""

    backend, provider = "test", "here"
    inputs: tuple[TensorInfo, ...] = ()
    outputs: tuple[TensorInfo, ...] = ()

    def __init__(self, shared: object = None) -> None:
        self.shared = shared
        self.sizes: list[int] = []

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        self.sizes.append(len(feeds["x"]))
        if np.isnan(feeds["x"]).any():
            raise ModelError("a sample is NaN")
        y = feeds["gain"] * feeds["x"].sum(1, keepdims=True) + feeds["state"][0]
        return {"y": y, "next": y[np.newaxis] + 1, "gain": feeds["gain"]}

    async def arun(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        return self.run(feeds)

    def close(self) -> None:
        """There is nothing to close."""


def feeds(*x: float, state: float = 0, gain: float = 2) -> dict[str, NDArray[Any]]:
    return {
        "x": np.array([x], np.float32),
        "state": np.full((1, 1, 1), state, np.float32),
        "gain": np.array(gain, np.float32),
    }


def batcher(users: int, clock: VirtualClock | None = None) -> Batcher:
    made = Batcher(AXES, clock or VirtualClock(), [].append, lambda: None)
    made.users = users
    return made


def test_all_who_wait_are_run_at_once_and_each_gets_its_own() -> None:
    model, together = Sums(), batcher(10)
    wanted = [together.want(model, feeds(k, 1, state=10 * k), DELAY_US) for k in range(5)]
    assert not any(each.is_done for each in wanted)
    told = []
    for each in wanted:
        each.add_done_callback(told.append)
    for k, each in enumerate(wanted):
        found = each.outputs()
        assert found["y"].tolist() == [[2 * (k + 1) + 10 * k]]
        assert found["next"].tolist() == [[[2 * (k + 1) + 10 * k + 1]]]
        assert found["gain"] == 2
    assert model.sizes == [5]
    assert told == wanted


def test_nobody_waits_once_all_have_asked() -> None:
    model, together = Sums(), batcher(3)
    wanted = [together.want(model, feeds(k), DELAY_US) for k in range(3)]
    assert all(each.is_done for each in wanted)
    assert model.sizes == [3]


def test_what_differs_is_run_by_itself() -> None:
    model, together = Sums(), batcher(9)
    given = [feeds(1), feeds(1, 2), feeds(3), feeds(1, gain=5), feeds(4, 5)]
    wanted = [together.want(model, each, DELAY_US) for each in given]
    assert [each.outputs()["y"].item() for each in wanted] == [2, 6, 6, 5, 18]
    assert sorted(model.sizes) == [1, 2, 2]


def test_who_is_to_blame_fails_alone() -> None:
    model, together = Sums(), batcher(9)
    wanted = [together.want(model, feeds(value), DELAY_US) for value in (1, np.nan, 3)]
    assert wanted[0].outputs()["y"].item() == 2
    with pytest.raises(ModelError, match="NaN"):
        wanted[1].outputs()
    assert wanted[2].outputs()["y"].item() == 6


def test_a_model_that_gives_no_more_for_more_is_run_for_each() -> None:
    class OneForAll(Sums):
        def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
            return {"y": super().run(feeds)["y"][:1]}

    model, together = OneForAll(), batcher(9)
    wanted = [together.want(model, feeds(k), DELAY_US) for k in range(3)]
    assert [each.outputs()["y"].item() for each in wanted] == [0, 2, 4]
    assert model.sizes == [3, 1, 1, 1]


def test_who_withdraws_is_not_run() -> None:
    model, together = Sums(), batcher(9)
    first, second = (
        together.want(model, feeds(1), DELAY_US),
        together.want(model, feeds(2), DELAY_US),
    )
    first.withdraw()
    assert second.outputs()["y"].item() == 4
    first.withdraw()  # again
    second.withdraw()  # when it is done
    assert model.sizes == [1]


def test_who_has_the_least_time_has_all_run() -> None:
    model, clock = Sums(), VirtualClock()
    together = batcher(9, clock)
    first = together.want(model, feeds(1), 10_000)
    clock.advance(2_000)
    second, third = (
        together.want(model, feeds(k), delay_us) for k, delay_us in ((2, 5_000), (3, 9_000))
    )
    first.withdraw()  # its time is not that of the others
    clock.advance(4_999)
    assert not model.sizes
    clock.advance(1)
    assert model.sizes == [2]
    assert (second.is_done, third.is_done) == (True, True)
    assert not clock.timers


def test_a_batch_that_is_full_takes_its_timer_along() -> None:
    model, clock = Sums(), VirtualClock()
    together = batcher(2, clock)
    together.want(model, feeds(1), 10_000)
    together.want(model, feeds(2), 10_000)
    assert not clock.timers
    together.want(model, feeds(3), 10_000)
    assert len(clock.timers) == 1
    together.leave()
    together.leave()
    assert not clock.timers


def test_who_has_no_time_waits_for_the_turn_to_end() -> None:
    model, turns = Sums(), list[Callable[[], None]]()
    together = Batcher(AXES, VirtualClock(), turns.append, lambda: None)
    together.users = 9
    first, second = together.want(model, feeds(1), 0), together.want(model, feeds(2), 0)
    assert not model.sizes
    (over,) = turns
    over()
    assert model.sizes == [2]
    assert [each.outputs()["y"].item() for each in (first, second)] == [2, 4]


def test_it_pays_once_there_are_many_in_a_turn() -> None:
    turns = list[Callable[[], None]]()
    together = Batcher(AXES, VirtualClock(), turns.append, lambda: None)
    together.users = 9

    def turn(runs: int) -> int:
        """How many of so many runs wait."""
        waiting = 0
        for _ in range(runs):
            waiting += together.pays()
        for over in (ended := turns[:]):
            over()
        del turns[: len(ended)]
        return waiting

    for _ in range(100):
        assert turn(2) == 0  # too few, however long
    assert turn(8) == 0
    for _ in range(20):
        turn(8)
    assert turn(8) == 8
    for _ in range(40):
        turn(1)
    assert turn(8) == 0
    for _ in range(40):
        turn(8)
    together.users = 2
    assert turn(8) == 0


def test_sessions_of_other_times_do_not_wait_for_one_another() -> None:
    shared = object()

    async def members() -> list[Batcher | None]:
        clocks = [SystemClock(), SystemClock(), VirtualClock(), VirtualClock()]
        return [join(Sums(shared), AXES, clock) for clock in clocks]

    first, same, *others = VirtualClock().run(members())
    assert first is same
    assert len({id(each) for each in (first, *others)}) == 3


def test_a_batch_is_bounded() -> None:
    model, together = Sums(), batcher(1000)
    wanted = [together.want(model, feeds(k), DELAY_US) for k in range(2 * MOST + 3)]
    assert [each.outputs()["y"].item() for each in wanted] == [2 * k for k in range(len(wanted))]
    assert model.sizes == [MOST, MOST, 3]


def test_one_batcher_for_all_who_share_a_model_on_an_event_loop() -> None:
    shared, other = object(), object()

    async def members() -> list[Batcher | None]:
        models = [Sums(shared), Sums(shared), Sums(other), Sums()]
        return [join(model, AXES, SystemClock()) for model in models]

    first, second, third, alone = VirtualClock().run(members())
    assert first is not None
    assert third is not None
    assert first is second
    assert first is not third
    assert alone is None
    assert (first.users, third.users) == (2, 1)
    assert VirtualClock().run(members())[0] is not first  # another event loop
    third.leave()
    assert third.users == 0
