"""Json: what JSON can say, and where a value says something else."""

from collections import OrderedDict

import numpy as np
import pytest

from remotemedia.data import Json
from remotemedia.data.json import MAX_DEPTH, check_json
from remotemedia.errors import DataError


def nested(depth, kind=list):
    value = None
    for _ in range(depth):
        value = [value] if kind is list else {"k": value}
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (-(2**63), "-9223372036854775808"),
        (2**64 - 1, "18446744073709551615"),
        (1.5, "1.5"),
        ("ü\0", '"ü\\u0000"'),
        ([], "[]"),
        ((1, "a"), '[1,"a"]'),
        ({"a": {"b": [None]}}, '{"a":{"b":[null]}}'),
        (OrderedDict(z=1, a=2), '{"z":1,"a":2}'),
    ],
)
def test_what_json_can_say(value, text):
    json = Json(value)
    assert json.value is value
    assert json.encode().decode() == text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2**64, "value: an integer that does not fit 64 bits"),
        (-(2**63) - 1, "value: an integer that does not fit 64 bits"),
        (10**5000, "value: an integer that does not fit 64 bits"),
        (float("nan"), "value: nan is not JSON: NaN and infinity have no form there"),
        ([0, float("-inf")], "value[1]: -inf is not JSON: NaN and infinity have no form there"),
        (b"x", "value: a bytes is not JSON"),
        ({"a": [{"b": {1, 2}}]}, "value.a[0].b: a set is not JSON"),
        ({"a": {3: 4}}, "value.a: key 3 is not a str"),
        (np.float64(1), "value: a numpy.float64 is not JSON: use .item() or .tolist()"),
        (np.zeros(2), "value: a numpy.ndarray is not JSON: use .item() or .tolist()"),
        ("\ud800", "value: text is not valid Unicode: surrogates not allowed"),
        ({"\udfff": 1}, "value: text is not valid Unicode: surrogates not allowed"),
    ],
    ids="big small huge nan inf bytes set key scalar array text key-text".split(),
)
def test_what_it_cannot(value, message):
    with pytest.raises(DataError) as caught:
        Json(value)
    assert str(caught.value) == message


@pytest.mark.parametrize("kind", [list, dict])
def test_depth(kind):
    assert Json(nested(MAX_DEPTH, kind)).value == nested(MAX_DEPTH, kind)
    with pytest.raises(DataError, match=r"nested deeper than 64$"):
        Json(nested(MAX_DEPTH + 1, kind))


def test_a_value_that_contains_itself_is_too_deep():
    loop = []
    loop.append(loop)
    with pytest.raises(DataError, match="nested deeper than 64"):
        Json(loop)


def test_a_long_place_is_cut():
    with pytest.raises(DataError) as caught:
        Json({"k" * 100_000: {1}})
    assert str(caught.value) == f"value.{'k' * 194}…: a set is not JSON"


def test_the_place_begins_with_the_name_that_is_given():
    with pytest.raises(DataError, match=r"^arguments\[2\]: a set"):
        check_json([1, 2, {3}], "arguments")


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ({"a": [1]}, {"a": [1]}, True),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ([1, 2], (1, 2), True),
        (1, 1.0, False),
        (1, True, False),
        ({"a": [0]}, {"a": [False]}, False),
        ([1], [1, 1], False),
        ({"a": 1}, {"b": 1}, False),
        (None, [], False),
        ({}, [], False),
        ([], {}, False),
        ("1", 1, False),
    ],
)
def test_equals(a, b, same):
    assert Json(a).equals(Json(b)) is same
