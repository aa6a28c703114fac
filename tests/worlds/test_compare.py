"""The comparison of the worlds finds what it has to find."""

from __future__ import annotations

import numpy as np
import pytest

from remotemedia import Audio, Data, Json, Packet, Text
from worlds.compare import Comparison, judge
from worlds.tolerances import Row, problems, rows

ROW = Row("Gain", "samples", "of full scale", 2e-6, 1e-6, 100, "a reason")


def audio(*samples: float, rate: int = 8_000, pts_us: int = 0) -> Audio:
    return Audio(np.array(samples, np.float32), rate, pts_us)


def found(
    native: list[Data], pyodide: list[Data], table: list[Row], *, partial: bool = True
) -> list[str]:
    comparison = Comparison()
    comparison.compare(
        *({"Gain: x/0": [Packet(d, "n") for d in data]} for data in (native, pyodide))
    )
    return [*comparison.problems, *judge(comparison.fields, table, partial=partial)]


@pytest.mark.parametrize(
    "data",
    [
        audio(0.5, -0.0, np.inf, np.nan),
        Audio(np.array([1, 2], np.int16), 8_000),
        Json({"a": [1, 0.5, None, {"b": True}]}),
        Text("x"),
    ],
    ids=lambda data: type(data).__name__,
)
def test_the_same_is_the_same(data: Data) -> None:
    assert not found([data], [data.replace()], [])


@pytest.mark.parametrize(
    ("native", "pyodide"),
    [
        ([audio(0.5)], [audio(0.50000006)]),
        ([audio(0.0)], [audio(-0.0)]),
        ([audio(0.5)], [audio(np.nan)]),
        ([audio(np.inf)], [audio(-np.inf)]),
        ([audio(0.5)], [audio(0.5, 0.5)]),
        ([audio(0.5)], [audio(0.5, rate=16_000)]),
        ([audio(0.5)], [audio(0.5, pts_us=1)]),
        ([audio(0.5)], []),
        ([audio(0.5)], [Text("x")]),
        ([Audio(np.array([1], np.int16), 1)], [Audio(np.array([2], np.int16), 1)]),
        ([Json({"a": 1})], [Json({"a": 1.0})]),
        ([Json({"a": 1})], [Json({"b": 1})]),
        ([Json([True])], [Json([1])]),
        ([Json([0.1])], [Json([None])]),
        ([Text("x")], [Text("y")]),
    ],
)
def test_a_difference_is_found(native: list[Data], pyodide: list[Data]) -> None:
    assert len(found(native, pyodide, [])) == 1


def test_what_the_table_allows_passes() -> None:
    assert not found([audio(0.5, 0.5)], [audio(0.5, 0.5000019)], [ROW])
    (problem,) = found([audio(0.5, 0.5)], [audio(0.5, 0.5000021)], [ROW])
    assert "allowed are 2e-06" in problem


def test_a_stale_row_is_found_when_everything_was_run() -> None:
    native, pyodide = audio(0.5), audio(0.50000006)  # less than a tenth of what the row says
    assert not found([native], [pyodide], [ROW], partial=True)
    (problem,) = found([native], [pyodide], [ROW], partial=False)
    assert "measure again" in problem


def test_the_table_keeps_its_own_rules() -> None:
    assert not list(problems(rows()))
    wide = Row("Gain", "samples", "of full scale", 2.1e-6, 1e-6, 100, "a reason")
    groundless = Row("Gain", "samples", "of full scale", 2e-6, 1e-6, 100, " ")
    assert len(list(problems([wide, groundless]))) == 2
