from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotemedia.data import Json
from remotemedia.errors import DataError, ParamsError
from remotemedia.node import make_params
from remotemedia.nodes.flow.calculator import Calculator


def result(value: object, **params: object) -> object:
    output = Calculator(**params).process(Json(value)).value
    assert isinstance(output, dict)
    return output["result"]


@pytest.mark.parametrize(
    ("operation", "expected"), [("add", 9), ("subtract", 5), ("multiply", 14), ("divide", 3.5)]
)
def test_operations(operation: str, expected: float) -> None:
    assert result({"operation": operation, "operands": [7, 2]}) == expected
    assert result({"operands": [7, 2]}, operation=operation) == expected
    assert result({"operands": [7]}, operation=operation, operand=2) == expected
    assert result(7, operation=operation, operand=2) == expected


@given(a=st.integers(-(2**31), 2**31), b=st.integers(-(2**31), 2**31))
def test_integers_stay_exact(a: int, b: int) -> None:
    product = result({"operation": "multiply", "operands": [a, b]})
    assert product == a * b
    assert type(product) is int


def test_data_goes_before_parameters() -> None:
    assert result({"operation": "add", "operands": [1, 2]}, operation="divide", operand=5) == 3


def test_stamp_stream_and_metadata_stay() -> None:
    node = Calculator(operation="add", operand=1)
    output = node.process(Json(1, pts_us=5, stream_id="s", metadata={"k": 1}))
    assert output.equals(Json({"result": 2}, 5, "s", {"k": 1}))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"operation": "divide", "operands": [1, 0]}, "division by zero: 1 / 0"),
        ({"operation": "divide", "operands": [1.5, 0.0]}, "division by zero"),
        ({"operation": "power", "operands": [1, 2]}, "one of add, subtract, .*; not 'power'"),
        ({"operation": ["add"], "operands": [1, 2]}, "operation must be"),
        ({"operands": [1, 2]}, "none is given"),
        ({"operation": "add"}, "operands must be a list, not None"),
        ({"operation": "add", "operands": [1]}, "two operands, not 1"),
        ({"operation": "add", "operands": [1, 2, 3]}, "two operands, not 3"),
        ({"operation": "add", "operands": [1, "2"]}, "must be numbers, not '2'"),
        ({"operation": "add", "operands": [True, 2]}, "must be numbers, not True"),
        ({"operation": "multiply", "operands": [2**62, 4]}, "does not fit 64 bits"),
        ({"operation": "multiply", "operands": [1e300, 1e300]}, "infinity"),
        ({"operation": "divide", "operands": [2**63, 5e-324]}, "infinity|out of range"),
        ("7", "none is given"),
    ],
)
def test_what_cannot_be_calculated(value: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Calculator().process(Json(value))


def test_parameters_are_checked() -> None:
    with pytest.raises(ParamsError, match="operation"):
        make_params(Calculator, {"operation": "modulo"})
