"""Opening models by onnxruntime: sessions that are shared, and files that are no models."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from onnx_writer import doubling, graph, model, node, value
from remotemedia.errors import ModelError, ModelNotFoundError, UnavailableError
from remotemedia.models.backend import ModelOptions
from remotemedia_native.onnx import session
from remotemedia_native.onnx.backend import OnnxRuntime
from remotemedia_native.onnx.session import open_sessions

OPTIONS = ModelOptions()
BACKEND = OnnxRuntime()
X = np.ones((1, 4), np.float32)


@pytest.fixture(autouse=True)
def all_are_closed() -> object:
    assert open_sessions() == 0
    yield
    assert open_sessions() == 0


def test_one_session_for_all_who_use_a_file(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(doubling())
    (tmp_path / "link.onnx").symlink_to(file)
    models = [BACKEND.open(each, OPTIONS) for each in (file, tmp_path / "link.onnx", file)]
    assert open_sessions() == 1
    models[0].close()
    models[0].close()  # counts once
    models[1].close()
    assert open_sessions() == 1
    assert models[2].run({"x": X})["y"].tolist() == [[2, 2, 2, 2]]
    models[2].close()
    assert open_sessions() == 0


def test_one_session_for_the_same_bytes() -> None:
    models = [BACKEND.open(bytes(bytearray(doubling())), OPTIONS) for _ in range(2)]
    assert open_sessions() == 1
    for each in models:
        each.close()


def test_what_differs_is_not_shared(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(doubling())
    models = [BACKEND.open(file, OPTIONS), BACKEND.open(file, ModelOptions(threads=2))]
    assert open_sessions() == 2
    # Another model in its place, of the same size.
    negated = doubling().replace(b"\x03Add", b"\x03Sub")
    assert len(negated) == len(doubling())
    file.write_bytes(negated)
    os.utime(file, ns=(1, 1))
    models.append(BACKEND.open(file, OPTIONS))
    assert [each.run({"x": X})["y"][0, 0] for each in models] == [2, 2, 0]
    for each in models:
        each.close()


def test_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is opened once, and all may run it at the same time."""
    opens = []
    real = session._start

    def counted(*given: object) -> object:
        opens.append(threading.get_ident())
        return real(*given)

    monkeypatch.setattr(session, "_start", counted)
    together = threading.Barrier(8)

    def use(number: int) -> list[float]:
        together.wait()
        opened = BACKEND.open(doubling(["n"]), OPTIONS)
        sums = [
            float(opened.run({"x": np.full(n, number, np.float32)})["y"].sum())
            for n in range(1, 200)
        ]
        together.wait()
        opened.close()
        return sums

    with ThreadPoolExecutor(8) as pool:
        for number, sums in enumerate(pool.map(use, range(8))):
            assert sums == [2 * number * n for n in range(1, 200)]
    assert len(opens) == 1


def test_a_model_that_fails_to_open_is_tried_again(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(b"not yet")
    with pytest.raises(ModelError):
        BACKEND.open(file, OPTIONS)
    file.write_bytes(doubling())
    BACKEND.open(file, OPTIONS).close()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no ONNX model, or only part of one"),
        (b"<!doctype html><title>404</title>", "is no ONNX model, or only part of one"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is no ONNX model"),
        (doubling()[:-20], "is no ONNX model, or only part of one"),
        (doubling(ir=99), r"has IR version 99, and \d+ is the highest supported by onnxruntime"),
        (doubling(opset=99), r"uses opset 99 of ai\.onnx, and \d+ is the highest supported by"),
        (
            model(graph([node("Nope", ["x"], ["y"])], [value("x")], [value("y")])),
            "uses the operation Nope of opset 17, which onnxruntime .* does not have",
        ),
        (
            model(graph([node("Neg", ["z"], ["y"])], [value("x")], [value("y")])),
            "cannot be opened by onnxruntime .*z",
        ),
        (
            model(graph([node("Neg", ["x"], ["y"])], [value("x")], [value("y", "int64")])),
            "cannot be opened by onnxruntime .*Type Error",
        ),
    ],
)
def test_what_is_no_model(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        BACKEND.open(content, OPTIONS)
    file = tmp_path / "broken.onnx"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=r"^the model broken\.onnx \(/.*" + said):
        BACKEND.open(file, OPTIONS)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"no\.onnx cannot be read: No such file"):
        BACKEND.open(tmp_path / "no.onnx", OPTIONS)
    with pytest.raises(ModelNotFoundError, match=r"is no file: give the path of an \.onnx file"):
        BACKEND.open(tmp_path, OPTIONS)


# -- providers: this is the onnxruntime for CPUs, so all others are missing ---------------------


def test_providers() -> None:
    assert BACKEND.providers() == ["cpu"]
    for names in ((), ("cpu",), ("cuda", "cpu"), ("TensorrtExecutionProvider", "CPU")):
        opened = BACKEND.open(doubling(), ModelOptions(providers=names))
        assert opened.provider == "cpu"
        opened.close()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("cuda",), "cannot run on cuda: this onnxruntime was built without cuda: pip install "),
        (("dml",), "was built without directml: pip install onnxruntime-directml"),
        (("cuda", "coreml"), "cannot run on cuda or coreml: .*cuda.*; .*coreml.*; or add 'cpu'"),
        (("cud",), "knows no provider 'cud'; did you mean 'cuda'?"),
        (("abacus",), "knows no provider 'abacus' .one of cpu, cuda, "),
    ],
)
def test_providers_that_are_missing(names: tuple[str, ...], said: str) -> None:
    with pytest.raises(UnavailableError, match=said):
        BACKEND.open(doubling(), ModelOptions(providers=names))


class NoDevice:
    """As onnxruntime is where it was built for a device that there is not: it takes the CPU."""

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]


def test_a_device_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    built_for = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: built_for)
    monkeypatch.setattr(session, "_start", lambda *_: NoDevice())
    with pytest.raises(UnavailableError, match="there is nothing here that cuda can run on"):
        BACKEND.open(doubling(), ModelOptions(providers=("cuda",)))
