"""The one door of the testing kit."""

from __future__ import annotations

import importlib
import types

import pytest

from remotemedia import testing
from remotemedia.testing import signals


def test_all_is_sorted_and_is_what_can_be_had() -> None:
    key = lambda name: (name.islower(), name)  # noqa: E731
    assert testing.__all__ == sorted(set(testing.__all__), key=key)
    assert set(testing.__all__) == set(testing._LAZY)
    assert set(testing.__all__) <= set(dir(testing))


@pytest.mark.parametrize("name", sorted(testing._LAZY))
def test_every_name_resolves(name: str) -> None:
    vars(testing).pop(name, None)
    value = getattr(testing, name)
    module = importlib.import_module(f"remotemedia.testing.{testing._LAZY[name]}")
    assert value is (module if name == "signals" else getattr(module, name))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'remotemedia\.testing' has no attribute 'x'"):
        testing.x  # type: ignore[attr-defined]  # noqa: B018


def test_the_signals_are_all_listed() -> None:
    public = {
        name
        for name, value in vars(signals).items()
        if isinstance(value, types.FunctionType) and not name.startswith("_")
    }
    assert public - {"integers", "uniform", "sample_time_us"} == set(signals.__all__)
