"""Silero's network as matrix products: another ONNX file, which every runtime computes quicker."""

from __future__ import annotations

import numpy as np

from remotemedia.errors import ModelError
from remotemedia.models.onnx_file import OnnxFile
from remotemedia.models.onnx_graph import OnnxGraph
from remotemedia.models.tensor_info import TensorInfo
from remotemedia.nodes.models.silero_weights import UNITS, SileroWeights, silero_weights

HIGH, LOW = 16_000, 8_000
FRAMES = 4
"""Of the spectrogram of one frame of the model."""


def as_products(file: OnnxFile) -> bytes:
    """A file that takes and gives the same, from the same weights.

    A runtime computes convolutions over four columns much slower than products of matrices: laid
    side by side, what a kernel meets is a matrix that needs no more than slices to be made. All
    sums are of the same terms, in another order.

    Raises
    ------
    ModelError
        It is not Silero VAD 5 or 6, or for one rate only.
    """
    networks = silero_weights(file)
    if len(networks) < 2:  # a rate that it is not made for is the business of whoever runs it
        raise ModelError(f"{file.name} is for one sample rate only")
    graph = OnnxGraph()
    outputs = _infos("output", "stateN")
    is_high = graph.op("Equal", "sr", graph.constant(np.array(HIGH, np.int64)))
    branches = {}
    for name, rate in (("then_branch", HIGH), ("else_branch", LOW)):
        branch = OnnxGraph(name)
        results = f"{name}_output", f"{name}_state"
        _network(branch, networks[rate], *results)
        branches[name] = branch.content((), _infos(*results))
    graph.ops("If", is_high, outputs=("output", "stateN"), **branches)
    inputs = [
        TensorInfo("input", "float32", ("batch", "samples")),
        TensorInfo("state", "float32", (2, "batch", UNITS)),
        TensorInfo("sr", "int64", ()),
    ]
    return graph.model(inputs, outputs)


def _infos(output: str, state: str) -> list[TensorInfo]:
    return [
        TensorInfo(output, "float32", ("batch", 1)),
        TensorInfo(state, "float32", (2, "batch", UNITS)),
    ]


def _network(graph: OnnxGraph, weights: SileroWeights, output: str, state: str) -> None:
    """Append the network; rows are those of a batch times columns, until these are used up."""

    def slices(value: str, first: int, last: int, axis: int = 1, step: int = 1) -> str:
        ends = [graph.constant([place]) for place in (first, last, axis, step)]
        return graph.op("Slice", value, *ends)

    def rows(value: str, *size: int) -> str:
        return graph.op("Reshape", value, graph.constant([-1, *size]))

    def padded(value: str, before: int, after: int = 0) -> str:
        return graph.op("Pad", value, graph.constant([0, before, 0, after]))

    def side_by_side(values: list[str], axis: int = 1) -> str:
        return graph.op("Concat", *values, axis=axis)

    def layer(value: str, index: int, taps: slice) -> str:
        kernel, bias = weights.convolutions[index]
        matrix = kernel[:, :, taps].transpose(2, 1, 0).reshape(-1, len(kernel))
        return graph.op("Relu", graph.op("Gemm", value, *map(graph.constant, (matrix, bias))))

    bins, hop = weights.bins, weights.basis.shape[1] // 2
    size = FRAMES * hop + hop // 2
    # Half a hop more, mirrored: then it is five hops, and each frame of the spectrogram is two.
    mirrored = slices("input", size - 2, size - 2 - hop // 2, step=-1)
    hops = rows(side_by_side(["input", mirrored]), FRAMES + 1, hop)
    frames = side_by_side([slices(hops, 0, FRAMES), slices(hops, 1, FRAMES + 1)], axis=2)
    spectrum = graph.op("MatMul", rows(frames, 2 * hop), graph.constant(weights.basis.T))
    halves = graph.ops(
        "Split",
        graph.op("Mul", spectrum, spectrum),
        graph.constant([bins, bins]),
        outputs=2,
        axis=1,
    )
    magnitude = rows(graph.op("Sqrt", graph.op("Add", *halves)), FRAMES * bins)

    columns = padded(magnitude, bins, bins)
    met = [slices(columns, at * bins, (at + 3) * bins) for at in range(FRAMES)]
    one = layer(rows(side_by_side(met), 3 * bins), 0, slice(None))
    columns = padded(rows(one, FRAMES * UNITS), UNITS)
    met = [slices(columns, at * UNITS, (at + 3) * UNITS) for at in (0, 2)]
    two = layer(rows(side_by_side(met), 3 * UNITS), 1, slice(None))
    # Two columns, then one: what is left of the kernels meets padding.
    three = layer(rows(two, UNITS), 2, slice(1, None))
    four = layer(three, 3, slice(1, 2))

    step = graph.op("Unsqueeze", four, graph.constant([0]))
    before = graph.ops("Split", "state", graph.constant([1, 1]), outputs=2, axis=0)
    after = graph.ops(
        "LSTM",
        step,
        *(graph.constant(_in_order(each)[np.newaxis]) for each in weights.lstm),
        graph.constant(np.concatenate([*map(_in_order, weights.lstm_biases)])[np.newaxis]),
        "",
        *before,
        outputs=("", graph.name(), graph.name()),
        hidden_size=UNITS,
    )[1:]
    graph.ops("Concat", *after, outputs=(state,), axis=0)
    shown = graph.op("Relu", rows(after[0], UNITS))
    last = [graph.constant(weights.last[:, np.newaxis]), graph.constant(weights.last_bias)]
    graph.ops("Sigmoid", graph.op("Gemm", shown, *last), outputs=(output,))


def _in_order(gates: np.ndarray) -> np.ndarray:
    """ONNX's order of gates: input, output, forget, cell."""
    taken, kept, cell, shown = np.split(gates, 4)
    return np.concatenate([taken, shown, kept, cell])
