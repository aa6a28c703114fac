"""Runs that take for ever are ended, and no other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from onnx_writer import counting
from remotemedia.errors import ModelError
from remotemedia.models.backend import Model, ModelOptions
from remotemedia_native.onnx.backend import OnnxRuntime
from remotemedia_native.onnx.watchdog import WATCHDOG, Watchdog

FOR_EVER = np.array(2**62)
SOON_MS = 50.0
LATE_MS = 3_600_000.0  # a run that is ended by this one fails its test by pytest's time-out


def opened(timeout_ms: float | None) -> Model:
    return OnnxRuntime().open(counting(), ModelOptions(timeout_ms=timeout_ms))


@pytest.fixture
def quick() -> Iterator[Model]:
    model = opened(SOON_MS)
    yield model
    model.close()
    assert not watchdogs()


def watchdogs() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "onnx-watchdog"]


def total(model: Model, times: int) -> int:
    return int(model.run({"times": np.array(times)})["y"])


def test_a_run_that_takes_for_ever_is_ended(quick: Model) -> None:
    for _ in range(3):
        with pytest.raises(ModelError, match="longer than timeout_ms=50: give it shorter inputs"):
            quick.run({"times": FOR_EVER})
        assert total(quick, 10) == 45  # and the model goes on


def test_many_at_once(quick: Model) -> None:
    def endless(_: int) -> str:
        with pytest.raises(ModelError) as error:
            quick.run({"times": FOR_EVER})
        return str(error.value)

    with ThreadPoolExecutor(6) as pool:
        assert all("timeout_ms=50" in said for said in pool.map(endless, range(12)))


def test_of_two_only_the_late_one_is_ended(quick: Model) -> None:
    """They share the session, and the watchdog sleeps until the deadline of the patient one."""
    patient = opened(LATE_MS)
    done = threading.Event()
    with ThreadPoolExecutor(1) as pool:

        def count() -> list[int]:
            found = []
            while not done.is_set():
                found.append(total(patient, 1000))
            return found

        counted = pool.submit(count)
        with pytest.raises(ModelError, match="timeout_ms=50"):
            quick.run({"times": FOR_EVER})
        done.set()
        assert set(counted.result()) <= {499_500}
    patient.close()


def test_a_thread_only_while_it_is_asked_for() -> None:
    assert not watchdogs()
    unwatched = opened(None)
    assert total(unwatched, 5) == 10
    assert not watchdogs()
    watched = [opened(LATE_MS), opened(LATE_MS)]
    assert len(watchdogs()) == 1
    watched[0].close()
    watched[0].close()
    assert total(watched[1], 5) == 10
    assert len(watchdogs()) == 1
    watched[1].close()
    unwatched.close()
    assert not watchdogs()


def test_a_run_is_ended_though_its_model_was_closed_meanwhile() -> None:
    model = opened(500.0)
    begun = threading.Event()
    begin = WATCHDOG.begin

    def told(options: object, timeout_s: float) -> object:
        run = begin(options, timeout_s)
        begun.set()
        return run

    WATCHDOG.begin = told
    try:
        with ThreadPoolExecutor(1) as pool:
            hung = pool.submit(model.run, {"times": FOR_EVER})
            begun.wait()
            model.close()
            with pytest.raises(ModelError, match="timeout_ms=500"):
                hung.result()
    finally:
        del WATCHDOG.begin


class Options:
    """Of a run, which tell when it is ended."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    @property
    def terminate(self) -> bool:
        return self.ended.is_set()

    @terminate.setter
    def terminate(self, value: bool) -> None:
        assert value
        self.ended.set()


def test_each_at_its_deadline_whatever_the_order() -> None:
    dog = Watchdog()
    dog.keep()
    late = [Options() for _ in range(3)]
    runs = [dog.begin(options, 3600) for options in late]
    soon, over = Options(), Options()
    ending = dog.begin(over, 0.05)
    dog.end(ending)
    first = dog.begin(soon, 0.05)
    soon.ended.wait()
    assert first.expired
    assert not over.terminate
    assert not ending.expired
    assert not any(options.terminate for options in late)
    for run in [*runs, first]:
        dog.end(run)
    dog.release()
    assert not watchdogs()
