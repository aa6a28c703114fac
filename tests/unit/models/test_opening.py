"""From what a node says of its models to the models, open."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from model_backends import Multiplying
from remotemedia.errors import ModelError, UnavailableError
from remotemedia.models import backend, opening
from remotemedia.models.backend import ENTRY_POINT_GROUP, ModelOptions
from remotemedia.models.opening import Opened, aopen_models, open_models

FILES: Mapping[str, bytes] = {"two.onnx": b"2", "three.onnx": b"3", "notes.txt": b"?"}


class FilesStore:
    """A store that has the same files for whatever is asked."""

    def find(self, reference: str, *, progress: object = None) -> Mapping[str, Path | bytes]:
        progress(f"looking for {reference}")
        return FILES


class AwaitedStore:
    """The same, where finding is a promise."""

    async def find(self, reference: str, *, progress: object = None) -> Mapping[str, Path | bytes]:
        return FilesStore().find(reference, progress=progress)


class User:
    """What uses models, as `ModelNode` does."""

    backend: str | None = None
    backends: ClassVar[tuple[str, ...]] = ("lacking", "called")
    own_backends: ClassVar[tuple[str, ...]] = ("own",)
    model_files: ClassVar[tuple[str, ...]] = ()
    model_reference = "numbers"
    further_models: tuple[str, ...] = ()
    model_options = ModelOptions()

    def __init__(self, **changes: object) -> None:
        self.told: list[str] = []
        for name, value in changes.items():
            setattr(self, name, value)

    def progress(self, message: str, fraction: float | None = None) -> None:
        self.told.append(message)

    def own_model(self, name: str, file: Path | bytes) -> Multiplying:
        return Multiplying(name, file)

    def quicker(self, file: Path | bytes) -> Path | bytes:
        return file


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint(cls.lower(), f"model_backends:{cls}", ENTRY_POINT_GROUP)
        for cls in ("Awaited", "Called", "Lacking")
    ]
    monkeypatch.setattr(backend, "entry_points", {ENTRY_POINT_GROUP: points}.__getitem__)
    monkeypatch.setattr(opening, "find_store", FilesStore)


def factors(opened: Opened) -> list[float]:
    return [float(each.run({"x": np.ones(1, np.float32)})["y"][0]) for each in opened.models]


def test_the_first_backend_that_can_be_used_opens_the_first_file() -> None:
    user = User()
    opened = open_models(user, user)
    assert opened.files == FILES
    assert [each.backend for each in opened.models] == ["called"]
    assert factors(opened) == [2]
    assert user.told == ["looking for numbers"]


def test_several_files_in_the_order_of_the_node() -> None:
    user = User(model_files=("three.onnx", "two.onnx"))
    assert factors(open_models(user, user)) == [3, 2]


@pytest.mark.parametrize("store", [FilesStore, AwaitedStore])
async def test_more_than_one_reference(store: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each further one the first file, behind those of the first."""
    more = User(model_files=("three.onnx", "two.onnx"), further_models=("some", "others"))
    opened = open_models(more, more)
    assert factors(opened) == [3, 2, 2, 2]
    assert opened.files == FILES
    expected = ["looking for numbers", "looking for some", "looking for others"]
    assert more.told == expected
    monkeypatch.setattr(opening, "find_store", store)
    assert factors(await aopen_models(more, more)) == [3, 2, 2, 2]
    assert more.told == expected * 2


@pytest.mark.parametrize(("name", "expected"), [("called", 3), ("awaited", 3), ("own", 2)])
async def test_backends_open_what_is_quicker(name: str, expected: int) -> None:
    """What the node implements itself knows best."""
    user = User(backend=name, quicker=lambda file: FILES["three.onnx"])
    opened = [await aopen_models(user, user)]
    if name != "awaited":
        opened.append(open_models(user, user))
    for each in opened:
        assert factors(each) == [expected]
        assert each.files == FILES


def test_files_that_are_missing() -> None:
    user = User(model_files=("two.onnx", "four.onnx", "five.onnx"))
    with pytest.raises(ModelError, match=r"'numbers' lacks four\.onnx, five\.onnx; it has two"):
        open_models(user, user)


def test_its_own_backend_and_that_it_is_slower() -> None:
    user = User(backends=("lacking", "own"))
    (model,) = open_models(user, user).models
    assert model.backend == "own"
    (slower, looking) = user.told
    assert slower.startswith("computes with own, which is slower: backend 'lacking' cannot be used")
    assert "pip install multiplication" in slower
    assert looking == "looking for numbers"


def test_asked_for_it_is_not_called_slower() -> None:
    user = User(backend="own")
    assert open_models(user, user).models[0].backend == "own"
    assert user.told == ["looking for numbers"]


def test_no_backend() -> None:
    for user, said in (
        (User(backend="lacking"), "User: backend 'lacking' cannot be used here"),
        (User(backends=("lacking", "none")), "'lacking' cannot .*; unknown backend 'none'"),
        (User(backends=()), "User: it has no backends"),
    ):
        with pytest.raises(UnavailableError, match=said):
            open_models(user, user)


def test_who_does_not_wait_has_no_backend_that_is_waited_for() -> None:
    user = User(backend="awaited")
    with pytest.raises(UnavailableError, match="'awaited' has to be waited for"):
        open_models(user, user)


@pytest.mark.parametrize("store", [FilesStore, AwaitedStore])
@pytest.mark.parametrize("name", ["awaited", "called", "own"])
async def test_waiting(name: str, store: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "find_store", store)
    user = User(backend=name, model_files=("three.onnx", "two.onnx"))
    opened = await aopen_models(user, user)
    assert [each.backend for each in opened.models] == [name, name]
    assert factors(opened) == [3, 2]


class Keeping(User):
    """It knows its models, even those that it never got."""

    backend = "own"
    model_files = ("two.onnx", "three.onnx", "notes.txt")

    def own_model(self, name: str, file: Path | bytes) -> Multiplying:
        self.made: list[Multiplying] = getattr(self, "made", [])
        self.made.append(Multiplying(name, file))
        return self.made[-1]


async def test_where_one_is_broken_the_others_are_closed() -> None:
    user = Keeping()
    with pytest.raises(ModelError, match="is no factor"):
        open_models(user, user)
    assert [each.closed for each in user.made] == [1, 1]
    user = Keeping()
    with pytest.raises(ModelError, match="is no factor"):
        await aopen_models(user, user)
    assert [each.closed for each in user.made] == [1, 1]
