"""OnnxNode in both worlds: called natively, waited for in a page, by a backend in numpy.

With onnxruntime and with what does not fit a model: tests/native/onnx/test_onnx_node.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from remotemedia.data import Audio, Tensor
from remotemedia.errors import ModelError, ParamsError
from remotemedia.models import backend, opening
from remotemedia.models.backend import ENTRY_POINT_GROUP, HERE
from remotemedia.nodes.models.onnx_node import OnnxNode
from remotemedia.testing import Interrupt, Pause, run_node

RATE = 16_000
SUMMED = {"input": "x", "state": {"after": "before"}}


class Store:
    """The factor 2, whatever is asked."""

    def find(self, reference: str, *, progress: object = None) -> Mapping[str, bytes]:
        return {"m.onnx": b"2"}


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    cls = "AwaitedSum" if HERE == "onnxruntime-web" else "CalledSum"
    points = [EntryPoint(HERE, f"model_backends:{cls}", ENTRY_POINT_GROUP)]
    monkeypatch.setattr(backend, "entry_points", {ENTRY_POINT_GROUP: points}.__getitem__)
    monkeypatch.setattr(opening, "find_store", Store)


def run(inputs: object, **params: object) -> list[list[float]]:
    outputs = run_node(OnnxNode, inputs, params={"model": "m", **SUMMED, **params}).data
    return [each.values.tolist() for each in outputs]


@pytest.mark.parametrize("block", [1, 2, 3, 10])
def test_windows_with_state(block: int) -> None:
    """Windows 0 1 2, 2 3 4, 4 5 6, 6 7 8 and the padded 8 9 0; sums 3, 12, 27, 48."""
    samples = np.arange(10, dtype=np.float32)
    blocks = [Audio(samples[i : i + block], RATE) for i in range(0, 10, block)]
    params = {"window_size": 3, "hop_size": 2, "outputs": {"out": "y"}}
    whole = [[0, 1, 2], [5, 6, 7], [16, 17, 18], [33, 34, 35]]
    assert run(blocks, **params) == [*whole, [8 + 48, 9 + 48, 0 + 48]]
    assert run(blocks, pad_last=False, **params) == whole


def test_by_default_the_first_output_that_is_no_state() -> None:
    assert run([Audio(np.float32([1, 2]), RATE)]) == [[1, 2]]


def test_a_lead_of_zeros() -> None:
    blocks = [Audio(np.float32([1, 2, 3, 4]), RATE, 0)]
    params = {"window_size": 3, "hop_size": 2, "lead": 1, **SUMMED}
    outputs = run_node(OnnxNode, blocks, params={"model": "m", **params}).data
    assert [each.values.tolist() for each in outputs] == [[0, 1, 2], [5, 6, 7]]
    assert [each.pts_us for each in outputs] == [0, 125]


def test_an_interrupt_forgets_the_state() -> None:
    first, second = (Tensor(np.float32(each)) for each in ([1, 2], [3, 4]))
    given = [first, second, Pause(1000), Interrupt(), second]
    expected = [[1, 2], [6, 7], [3, 4]]
    assert run(given, takes="tensor") == expected
    given = [Audio(each.values, RATE) if isinstance(each, Tensor) else each for each in given]
    assert run(given) == expected


def test_scale() -> None:
    params = {"scale": 2, "offset": 1, "output_scale": 10, "output_offset": -1}
    assert run([Audio(np.float32([1, 2]), RATE)], **params) == [[29, 49]]


def test_what_does_not_fit() -> None:
    with pytest.raises(ModelError, match="which input takes the data"):
        run([Audio(np.float32([1]), RATE)], input=None, state={})
    with pytest.raises(ParamsError, match="lead=3 must be less than window_size=3"):
        run([], window_size=3, lead=3)
