"""The public door: what `import remotemedia` offers."""

import importlib
import inspect
import sys
import types
from importlib.resources import files

import pytest

import remotemedia as rm


def test_all_is_what_is_exported():
    for name in rm.__all__:
        getattr(rm, name)
    public = {
        name
        for name, value in vars(rm).items()
        if not name.startswith("_")
        and not isinstance(value, types.ModuleType)
        and name not in ("annotations", "TYPE_CHECKING")
    }
    assert sorted(public) == sorted(rm.__all__)


def test_all_is_sorted_and_has_no_name_twice():
    assert rm.__all__ == sorted(set(rm.__all__), key=lambda name: (name.islower(), name))


def test_dir_lists_all():
    assert set(rm.__all__) <= set(dir(rm))


@pytest.mark.parametrize("name", sorted(rm._LAZY))
def test_every_lazy_name_resolves(name):
    assert name in rm.__all__
    vars(rm).pop(name, None)
    value = getattr(rm, name)
    module = importlib.import_module(f"remotemedia.{rm._LAZY[name]}")
    assert value is getattr(module, name)
    assert vars(rm)[name] is value  # looked up once


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'remotemedia' has no attribute 'Pipelin'"):
        rm.Pipelin  # noqa: B018


def test_node_is_the_decorator_and_the_module_stays_importable():
    assert inspect.isfunction(rm.node)
    from remotemedia.node import Node

    assert Node is rm.Node
    assert inspect.isfunction(rm.node)
    assert isinstance(importlib.import_module("remotemedia.node"), types.ModuleType)
    assert inspect.isfunction(rm.node)


def test_params_is_the_base_of_all_parameters():
    assert rm.Params is sys.modules["remotemedia.node"].NodeParams


def test_types_are_shipped():
    assert files(rm).joinpath("py.typed").is_file()


def test_version_is_three_numbers():
    assert [part.isdigit() for part in rm.__version__.split(".")] == [True] * 3
