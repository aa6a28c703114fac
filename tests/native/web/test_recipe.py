"""wasm/recipe/meta.yaml, read by pyodide-build itself, and against what it is made from."""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
RECIPE = REPOSITORY / "wasm" / "recipe" / "meta.yaml"


@pytest.fixture(scope="module")
def recipe():
    try:
        module = importlib.import_module("pyodide_build.recipe.spec")
    except ModuleNotFoundError:  # as it was called up to Python 3.11
        module = importlib.import_module("pyodide_build.io")
    return module.MetaConfig.from_yaml(RECIPE)


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def test_it_is_this_project(recipe, project):
    assert recipe.package.name == project["name"]
    assert recipe.package.version == project["version"]
    assert recipe.about.license == project["license"]
    assert recipe.about.summary == project["description"]


def test_it_is_built_from_this_checkout(recipe):
    assert recipe.source.path.resolve() == REPOSITORY
    assert recipe.build.package_type == "package"


def test_it_needs_what_the_wheel_needs(recipe, project):
    names = [re.match(r"[\w-]+", text)[0].lower() for text in project["dependencies"]]
    assert recipe.requirements.run == names
    assert recipe.requirements.host == []


def test_what_it_says_is_there_can_be_imported(recipe):
    assert recipe.test.imports == recipe.package.top_level
    for name in recipe.test.imports:
        importlib.import_module(name)
