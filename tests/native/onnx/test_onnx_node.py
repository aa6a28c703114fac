"""OnnxNode: windows, state and shapes on small models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnx_writer import graph, model, node, value
from remotemedia.data import Audio, Json, Tensor
from remotemedia.errors import FormatError, ModelError, ParamsError, RemoteMediaError
from remotemedia.nodes.models.onnx_node import OnnxNode
from remotemedia.testing import Interrupt, Pause, run_node
from remotemedia_native.onnx.session import open_sessions

RATE = 16_000
RAMP = np.arange(1, 26, dtype=np.float32)  # no zero, so that padding shows


@pytest.fixture(autouse=True)
def all_are_closed() -> object:
    assert open_sessions() == 0
    yield
    assert open_sessions() == 0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "m.onnx"


def identity(shape: list[int | str], dtype: str = "float32") -> bytes:
    return model(
        graph(
            [node("Identity", ["x"], ["y"])], [value("x", dtype, shape)], [value("y", dtype, shape)]
        )
    )


def summing() -> bytes:
    """``sum' = sum + Σ x``, ``y = x + sum``, ``n = 2 x``; sum float32 [open]."""
    return model(
        graph(
            [
                node("ReduceSum", ["x"], ["all"], keepdims=0),
                node("Add", ["before", "all"], ["after"]),
                node("Add", ["x", "before"], ["y"]),
                node("Add", ["x", "x"], ["twice"]),
            ],
            [value("x", shape=["n"]), value("before", shape=["one"])],
            [value(n, shape=["n"]) for n in ("after", "y", "twice")],
        )
    )


def blocks(samples: np.ndarray, size: int, **fields: object) -> list[Audio]:
    return [
        Audio(samples[..., i : i + size], RATE, **fields) for i in range(0, samples.shape[-1], size)
    ]


def run(file: Path, inputs: object, **params: object) -> list[object]:
    return run_node(OnnxNode, inputs, params={"model": str(file), **params}).data


def windows(outputs: list[object]) -> list[list[float]]:
    return [each.values.tolist() for each in outputs]


# -- windows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 3, 7, 10, 25])
@pytest.mark.parametrize(
    ("size", "hop", "lead"),
    [
        (10, 10, 0),
        (10, 4, 0),
        (10, 7, 3),
        (4, 10, 0),
        (1, 1, 0),
        (7, 12, 3),
        (25, 25, 0),
        (30, 5, 0),
    ],
)
@pytest.mark.parametrize("pad", [False, True])
def test_windows(file: Path, block: int, size: int, hop: int, lead: int, pad: bool) -> None:
    file.write_bytes(identity(["n"]))
    params = {"window_size": size, "hop_size": hop, "lead": lead, "pad_last": pad}
    outputs = run(file, blocks(RAMP, block, pts_us=None), **params)
    length, expected, covered = len(RAMP), [], 0
    silent = np.concatenate([np.zeros(lead, np.float32), RAMP, np.zeros(100, np.float32)])
    start = 0  # in `silent`; of the stream it is `start - lead`
    while start - lead + size <= length:
        expected.append(silent[start : start + size].tolist())
        covered = start - lead + size
        start += hop
    if pad and length > covered and start < length:
        expected.append(silent[start : start + size].tolist())
    assert windows(outputs) == expected


def test_without_windows_each_block_is_a_run(file: Path) -> None:
    file.write_bytes(identity(["n"]))
    outputs = run(file, blocks(RAMP, 10))
    assert windows(outputs) == [RAMP[:10].tolist(), RAMP[10:20].tolist(), RAMP[20:].tolist()]
    assert run(file, [Audio(RAMP[:0], RATE)]) == []


def test_times(file: Path) -> None:
    """Of the first sample after the lead; at 16 kHz 16 samples last 1 ms."""
    file.write_bytes(identity(["n"]))
    samples = np.ones(80, np.float32)
    given = [Audio(samples[:40], RATE, 5000, "a"), Audio(samples[40:], RATE, 7500, "a")]
    outputs = run(file, given, window_size=40, hop_size=32, lead=8, gives="json")
    assert [(each.pts_us, each.stream_id) for each in outputs] == [
        (5000, "a"),
        (7000, "a"),
        (9000, "a"),
    ]
    spans = [(each.value["start_sample"], each.value["end_sample"]) for each in outputs]
    assert spans == [(0, 32), (32, 64), (64, 80)]
    assert outputs[0].value["values"] == [0] * 8 + [1] * 32


def test_a_gap_starts_anew(file: Path) -> None:
    file.write_bytes(summing())
    given = [
        Audio(RAMP[:5], RATE, 0),
        Audio(RAMP[:4], RATE, 1_000_000, metadata={"from": "b"}),
    ]
    outputs = run(file, given, window_size=4, input="x", state={"after": "before"})
    assert windows(outputs) == [[1, 2, 3, 4], [5 + 10, 10, 10, 10], [1, 2, 3, 4]]
    assert [each.metadata for each in outputs] == [
        None,
        None,
        {"from": "b", "gap_us": 1_000_000 - 312},  # 5 samples at 16 kHz last 312.5 µs
    ]
    assert [each.pts_us for each in outputs] == [0, 250, 1_000_000]


# -- state, streams, scale -------------------------------------------------------------------------


def test_state_is_carried_and_forgotten(file: Path) -> None:
    file.write_bytes(summing())
    params = {"window_size": 2, "input": "x", "state": {"after": "before"}}
    params["outputs"] = {"sum": "after", "out": "y"}
    first, second = (Audio(np.float32(each), RATE) for each in ([1, 2, 3, 4], [5, 6]))
    given = [first, Pause(1000), Interrupt(), second]  # outputs are read before the interrupt
    result = run_node(OnnxNode, given, params={"model": str(file), **params})
    found = [(packet.port, packet.data.values.tolist()) for packet in result.packets]
    assert found == [
        ("sum", [3]),
        ("out", [1, 2]),
        ("sum", [10]),
        ("out", [3 + 3, 4 + 3]),
        ("sum", [11]),
        ("out", [5, 6]),
    ]


def test_streams_have_a_state_each(file: Path) -> None:
    file.write_bytes(summing())
    given = [
        make(np.float32([n, n]), stream)
        for make in (lambda v, s: Tensor(v, stream_id=s),)
        for n in (1, 2)
        for stream in ("a", "b")
    ]
    params = {"input": "x", "state": {"after": "before"}}
    expected = [("a", [1, 1]), ("b", [1, 1]), ("a", [2 + 2, 4]), ("b", [4, 4])]
    outputs = run(file, given, takes="tensor", **params)
    assert [(each.stream_id, each.values.tolist()) for each in outputs] == expected
    given = [Audio(each.values, RATE, stream_id=each.stream_id) for each in given]
    outputs = run(file, given, **params)
    assert [(each.stream_id, each.values.tolist()) for each in outputs] == expected


def test_scale_before_and_after(file: Path) -> None:
    file.write_bytes(identity(["n"], "int64"))
    params = {"scale": 32768, "offset": 1, "output_scale": 0.5, "output_offset": -3}
    (output,) = run(file, [Audio(np.float32([0.5, -1, 0]), RATE)], **params)
    assert output.values.dtype == np.float32
    assert output.values.tolist() == [16385 / 2 - 3, -32767 / 2 - 3, 0.5 - 3]


# -- shapes and types ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape", [["c", "n"], [2, "n"], [2, 4], [1, 2, 4], ["b", "c", "n"], [1, "c", "n"]]
)
def test_channels(file: Path, shape: list[int | str]) -> None:
    file.write_bytes(identity(shape))
    stereo = np.stack([RAMP[:8], -RAMP[:8]])
    params = {"channels": 2, "window_size": 4}
    outputs = run(file, blocks(stereo, 3), **params)
    front = (1,) * (len(shape) - 2)
    assert [each.values.shape for each in outputs] == [(*front, 2, 4)] * 2
    audio = run(file, blocks(stereo, 3), gives="audio", output_rate=8000, **params)
    assert {each.sample_rate for each in audio} == {8000}
    np.testing.assert_array_equal(np.concatenate([each.samples for each in audio], 1), stereo)


def test_tensors_go_as_they_are(file: Path) -> None:
    file.write_bytes(identity([2, "n", 1], "float64"))
    given = Tensor(np.arange(6.0).reshape(2, 3, 1), pts_us=7, metadata={"a": 1})
    (output,) = run(file, [given], takes="tensor")
    np.testing.assert_array_equal(output.values, given.values)
    assert (output.values.dtype, output.pts_us, output.metadata) == ("float64", 7, {"a": 1})
    (output,) = run(file, [given], takes="tensor", gives="json")
    assert isinstance(output, Json)
    assert output.value == {"values": given.values.tolist()}
    with pytest.raises(ModelError, match=r"was given \[3, 3, 1\]: dimension 0 must be 2, not 3"):
        run(file, [Tensor(np.zeros((3, 3, 1)))], takes="tensor")


def test_nan_goes_to_the_model(file: Path) -> None:
    file.write_bytes(identity(["n"]))
    (output,) = run(file, [Audio(np.float32([np.nan, np.inf]), RATE)])
    assert str(output.values) == "[nan inf]"
    with pytest.raises(RemoteMediaError, match=r"value\.values\[0\]"):
        run(file, [Audio(np.float32([np.nan]), RATE)], gives="json")


def test_caps_come_of_the_parameters(file: Path) -> None:
    params = OnnxNode.Params(
        model="m", gives="audio", sample_rate=8000, channels=2, output_rate=24_000,
        outputs={"a": "x", "b": "y"},
    )  # fmt: skip
    assert str(OnnxNode.input_ports(params)["in"]) == (
        "audio(sample_rate=8000, channels=2, format=F32)"
    )
    assert {port: str(caps) for port, caps in OnnxNode.output_ports(params).items()} == {
        "a": "audio(sample_rate=24000, format=F32)",
        "b": "audio(sample_rate=24000, format=F32)",
    }
    file.write_bytes(identity(["n"]))
    with pytest.raises(FormatError):
        run(file, [Audio(RAMP, 44_100)])


@pytest.mark.parametrize(
    ("content", "params", "said"),
    [
        (summing(), {}, "takes the data? It has x (float32 [n]), before (float32 [one])"),
        (summing(), {"input": "X"}, "no input 'X'; did you mean 'x'?"),
        (summing(), {"input": "x"}, "input before (float32 [one]) is given nothing"),
        (summing(), {"state": {"y2": "before"}}, "no output 'y2'; did you mean 'y'?"),
        (summing(), {"state": {"after": "q"}}, "no input 'q' (it has x, before)"),
        (
            summing(),
            {"input": "before", "state": {"after": "before"}, "constants": {"x": [1]}},
            "input before (float32 [one]) is to take data, and a constant or state too",
        ),
        (identity(["n"]), {"outputs": {"out": "z"}}, "no output 'z' (it has y)"),
        (identity(["n"]), {"channels": 2}, "is not for 2 channel(s) of audio"),
        (identity([1, 1, 1, 9]), {}, "is not for 1 channel(s) of audio"),
        (identity([1, 512]), {}, "input x (float32 [1, 512]) needs window_size=512"),
        (identity([1, 512]), {"window_size": 256}, "input x (float32 [1, 512]) is given [1, 256]"),
        (identity([2, "n"]), {}, "input x (float32 [2, n]) is given [1, n]: set channels=1"),
        (
            identity(["n"], "int64"),
            {"constants": {"x": 0.5}},
            "constant 0.5 is not of the dtype of its input x (int64 [n])",
        ),
        (
            identity([2]),
            {"constants": {"x": [1, 2, 3]}},
            "constant [1, 2, 3] has not the shape of its input x (float32 [2])",
        ),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)  # fmt: skip
def test_what_does_not_fit_the_model(
    file: Path, content: bytes, params: dict[str, object], said: str
) -> None:
    file.write_bytes(content)
    with pytest.raises(ModelError) as error:
        run(file, [Audio(RAMP, RATE)], **params)
    assert said in str(error.value)
    assert f"model {str(file)!r}" in str(error.value)


def test_states_that_do_not_match(file: Path) -> None:
    made = graph(
        [node("Identity", ["x"], ["y"]), node("Identity", ["s"], ["t"])],
        [value("x", shape=["n"]), value("s", "int64", [2])],
        [value("y", shape=["n"]), value("t", "int64", [2])],
    )
    file.write_bytes(model(made))
    with pytest.raises(ModelError, match=r"state y \(float32 \[n\]\) cannot be its input s"):
        run(file, [Audio(RAMP, RATE)], state={"y": "s"})


def test_parameters_that_contradict_each_other() -> None:
    for params in ({"lead": 1}, {"lead": 4, "window_size": 4}):
        with pytest.raises(ParamsError, match="must be less than window_size"):
            OnnxNode(model="m", **params)


def test_what_is_no_audio(file: Path) -> None:
    file.write_bytes(identity([2, 2, "n"]))
    given = Tensor(np.zeros((2, 2, 3), np.float32))
    with pytest.raises(ModelError, match=r"gives \[2, 2, 3\], which is no audio"):
        run(file, [given], takes="tensor", gives="audio")
