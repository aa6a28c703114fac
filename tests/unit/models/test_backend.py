"""Finding backends: by name, the first that works, and why one does not."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from model_backends import Called
from remotemedia.errors import UnavailableError
from remotemedia.models import backend
from remotemedia.models.backend import ENTRY_POINT_GROUP, HERE, backends, find_backend

THERE = {"onnxruntime": "onnxruntime-web", "onnxruntime-web": "onnxruntime"}[HERE]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> object:
    """Have backends installed: by name, the class in `model_backends`."""

    def only(**classes: str) -> None:
        points = [
            EntryPoint(name.replace("_", "-"), f"model_backends:{cls}", ENTRY_POINT_GROUP)
            for name, cls in classes.items()
        ]
        groups = {ENTRY_POINT_GROUP: sorted(points)}
        monkeypatch.setattr(backend, "entry_points", groups.__getitem__)

    return only


def here(cls: str) -> dict[str, str]:
    return {HERE.replace("-", "_"): cls}


def refusal(name: str | None) -> str:
    with pytest.raises(UnavailableError) as error:
        find_backend(name)
    return str(error.value)


def test_by_name(install: object) -> None:
    install(called="Called", awaited="Awaited")
    assert find_backend("called").name == "called"
    assert find_backend("awaited").is_async


def test_both_words_for_onnxruntime_mean_that_of_this_world(install: object) -> None:
    install(**here("Called"))
    for name in ("onnxruntime", "onnxruntime-web", None):
        assert isinstance(find_backend(name), Called)
    assert backends() == [(HERE, "")]


def test_by_default_onnxruntime_then_the_first_that_can_be_used(install: object) -> None:
    install(a="Called", **here("Awaited"))
    assert find_backend().name == "awaited"
    install(a="Lacking", b="Broken", c="Called", d="Awaited", **here("Lacking"))
    assert find_backend().name == "called"


def test_none_can_be_used(install: object) -> None:
    install()
    assert refusal(None).startswith(f"backend {HERE!r} is not installed here: ")
    install(a="Lacking", b="Broken")
    said = refusal(None)
    for name in (HERE, "a", "b"):
        assert f"backend {name!r} " in said


def test_why_one_cannot_be_used(install: object) -> None:
    install(lacking="Lacking", broken="Broken", other="NoBackend", gone="Gone")
    assert refusal("lacking") == (
        "backend 'lacking' cannot be used here: multiplication is not installed: pip install "
        "multiplication"
    )
    assert refusal("broken") == (
        "backend 'broken' cannot be loaded here: OSError: libmultiply.so not found"
    )
    assert "'other': model_backends:NoBackend is no Backend" in refusal("other")
    assert "'gone' cannot be loaded here: AttributeError: " in refusal("gone")


def test_the_install_command(install: object) -> None:
    install()
    assert "pip install 'remotemedia[native]'" in refusal("onnxruntime")
    assert "load onnxruntime-web with @remotemedia/web" in refusal("onnxruntime-web")


def test_unknown_names(install: object) -> None:
    install(called="Called")
    assert refusal("caled") == "unknown backend 'caled'; did you mean 'called'?"
    assert refusal("xyz") == ("unknown backend 'xyz' (one of onnxruntime, onnxruntime-web, called)")


def test_all_with_what_is_wrong(install: object) -> None:
    install(called="Called", lacking="Lacking", **here("Broken"))
    found = dict(backends())
    assert list(found) == [HERE, "called", "lacking"]
    assert found["called"] == ""
    assert found[HERE].endswith("OSError: libmultiply.so not found")
    assert found["lacking"] == refusal("lacking")
    install(called="Called")
    found = dict(backends())
    assert list(found) == [HERE, "called"]
    assert THERE not in found
    assert "is not installed here" in found[HERE]
