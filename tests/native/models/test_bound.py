"""Runs on arrays that are bound give what runs on any others give, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from remotemedia.errors import ModelError
from remotemedia.models.backend import Model, ModelOptions, bind
from remotemedia_native.onnx.backend import OnnxRuntime
from remotemedia_native.onnx.bound import BoundFeeds

CARRY = {"stateN": "state"}
Feeds = dict[str, NDArray[Any]]


def silent() -> Feeds:
    return {
        "input": np.zeros((1, 576), np.float32),
        "state": np.zeros((2, 1, 128), np.float32),
        "sr": np.array(16_000, np.int64),
    }


@pytest.fixture
def model(silero: Path) -> Any:
    opened = OnnxRuntime().open(silero, ModelOptions())
    yield opened
    opened.close()


def frames(count: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(7)
    return rng.normal(0, 0.1, (count, 1, 576)).astype(np.float32)


def run_on(model: Model, feeds: Feeds, frame: NDArray[np.float32]) -> bytes:
    """What comes of a frame; carries the state on."""
    feeds["input"][...] = frame
    outputs = model.run(feeds)
    feeds["state"] = outputs["stateN"]
    return outputs["output"].tobytes() + outputs["stateN"].tobytes()


def test_it_gives_the_same(model: Model) -> None:
    bound = bind(model, silent(), CARRY)
    assert isinstance(bound, BoundFeeds)
    plain = silent()
    for frame in frames(50):
        assert run_on(model, bound, frame) == run_on(model, plain, frame)


def test_the_state_may_come_from_elsewhere(model: Model) -> None:
    bound, plain = bind(model, silent(), CARRY), silent()
    for count, frame in enumerate(frames(30)):
        if count % 3 == 1:  # as after a batch: run by somebody, on a copy
            feeds = dict(bound)
            run_on(model, feeds, frame)
            bound["state"] = feeds["state"][:, :1]
            run_on(model, plain, frame)
        else:
            assert run_on(model, bound, frame) == run_on(model, plain, frame)
        assert bound["state"].tobytes() == plain["state"].tobytes()


def test_two_streams_of_a_model_have_nothing_to_do_with_each_other(model: Model) -> None:
    both = [bind(model, silent(), CARRY) for _ in range(2)]
    plain = [silent() for _ in range(2)]
    for frame in frames(20):
        for sign, bound, other in zip((1, -1), both, plain, strict=True):
            assert run_on(model, bound, sign * frame) == run_on(model, other, sign * frame)


def test_a_time_limit_holds_all_the_same(silero: Path) -> None:
    model = OnnxRuntime().open(silero, ModelOptions(timeout_ms=10_000))
    bound, plain = bind(model, silent(), CARRY), silent()
    for frame in frames(10):
        assert run_on(model, bound, frame) == run_on(model, plain, frame)
    model.close()


def test_what_does_not_fit_is_refused_at_once(model: Model) -> None:
    wrong = silent() | {"state": np.zeros((2, 1, 64), np.float32)}
    with pytest.raises(ModelError, match="dimension 2 must be 128, not 64"):
        bind(model, wrong, CARRY)


def test_a_closed_model_is_not_run(silero: Path) -> None:
    model = OnnxRuntime().open(silero, ModelOptions())
    bound = bind(model, silent(), CARRY)
    model.close()
    with pytest.raises(ModelError, match="is closed, and cannot be run"):
        model.run(bound)
