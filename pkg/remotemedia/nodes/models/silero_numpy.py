"""SileroNumpy: Silero's network by numpy, for where no ONNX runtime is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from remotemedia.errors import ModelError
from remotemedia.models.backend import Feeds
from remotemedia.models.onnx_file import OnnxFile
from remotemedia.nodes.models.silero_weights import F32, UNITS, SileroWeights, silero_weights


class SileroNumpy:
    """The model of a file, as an ONNX runtime would give it: see `Model`, and `SileroWeights`.

    Parameters
    ----------
    file : OnnxFile
        Of Silero VAD 5 or 6.

    Raises
    ------
    ModelError
        It has other weights.
    """

    backend = "numpy"
    provider = "cpu"

    def __init__(self, file: OnnxFile) -> None:
        self.name = file.name
        self.inputs = file.inputs
        self.outputs = file.outputs
        try:
            networks = silero_weights(file)
        except ModelError as error:
            raise ModelError(
                f"{error}; numpy can compute nothing else: install onnxruntime for it"
            ) from None
        self._networks = {rate: _Network(weights) for rate, weights in networks.items()}

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """Run it; see `Model.run`."""
        rate = int(feeds["sr"])
        if rate not in self._networks:
            rates = " and ".join(map(str, sorted(self._networks)))
            raise ModelError(f"{self.name} is for {rates} Hz, not {rate}")
        output, state = self._networks[rate].run(feeds["input"], feeds["state"])
        return {"output": output, "stateN": state}

    async def arun(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """The same."""
        return self.run(feeds)

    def close(self) -> None:
        """Nothing is held."""


class _Network:
    """The network for one sample rate.

    Of the kernels of the last two convolutions only that part is used which does not fall on
    padding: their inputs are two columns and one column wide.
    """

    def __init__(self, weights: SileroWeights) -> None:
        self._window = weights.basis.shape[1]
        self._bins = weights.bins
        self._basis = np.ascontiguousarray(weights.basis)
        first, second, third, fourth = weights.convolutions
        self._first = _layer(first, slice(None))
        self._second = _layer(second, slice(None))
        self._third = _layer(third, slice(1, None))
        self._fourth = _layer(fourth, slice(1, 2))
        self._lstm = np.concatenate(weights.lstm, 1)
        of_input, of_hidden = weights.lstm_biases
        self._lstm_bias = (of_input + of_hidden)[:, None]
        self._last = weights.last
        self._last_bias = weights.last_bias[0]

    def run(self, samples: F32, state: F32) -> tuple[F32, F32]:
        """Probability [shape=(B, 1)] and next state [shape=(2, B, 128)]."""
        batch, size = samples.shape
        hop = self._window // 2
        padded = np.concatenate([samples, samples[:, -2 : -hop // 2 - 2 : -1]], 1)
        frames = 1 + (padded.shape[1] - self._window) // hop
        if frames != 4:
            raise ModelError(
                f"Silero VAD takes {(5 * hop) - hop // 2} samples at this rate, not {size}"
            )
        at = np.arange(frames)[:, None] * hop + np.arange(self._window)
        # Columns are (batch, frame): one product for all of them.
        spectrum = self._basis @ padded[:, at].reshape(-1, self._window).T
        power = np.square(spectrum)
        magnitude = np.sqrt(power[: self._bins] + power[self._bins :])
        one = _relu(self._first, _columns(magnitude.reshape(self._bins, batch, 4), 1))
        two = _relu(self._second, _columns(one.reshape(UNITS, batch, 4), 2))
        wide = two.reshape(UNITS // 2, batch, 2).transpose(0, 2, 1)
        three = _relu(self._third, wide.reshape(-1, batch))
        four = _relu(self._fourth, three)
        gates = _product(self._lstm, np.concatenate([four, state[0].T])) + self._lstm_bias
        taken, kept, shown = (
            _sigmoid(gates[start : start + UNITS]) for start in (0, UNITS, 3 * UNITS)
        )
        cell = kept * state[1].T + taken * np.tanh(gates[2 * UNITS : 3 * UNITS])
        hidden = shown * np.tanh(cell)
        level = self._last @ np.maximum(hidden, 0) + self._last_bias
        output = _sigmoid(level).astype(np.float32)[:, None]
        return output, np.stack([hidden.T, cell.T]).astype(np.float32, copy=False)


def _columns(data: F32, stride: int) -> F32:
    """What a kernel of three meets [shape=(channels * 3, batch * frames)]; data is (C, B, T)."""
    channels, batch, size = data.shape
    padded = np.zeros((channels, batch, size + 2), np.float32)
    padded[:, :, 1:-1] = data
    made = (size - 1) // stride + 1
    taps = [padded[:, None, :, tap : tap + stride * (made - 1) + 1 : stride] for tap in range(3)]
    return np.concatenate(taps, 1).reshape(channels * 3, batch * made)


def _layer(convolution: tuple[F32, F32], taps: slice) -> tuple[F32, F32]:
    weights, bias = convolution
    return np.ascontiguousarray(weights[:, :, taps].reshape(len(weights), -1)), bias[:, None]


def _relu(layer: tuple[F32, F32], data: F32) -> F32:
    weights, bias = layer
    found = _product(weights, data)
    found += bias
    return np.maximum(found, 0, out=found)


def _product(weights: F32, data: F32) -> F32:
    """Matrix product, by what is quicker for one column where numpy has no BLAS: in a page."""
    if data.shape[1] == 1:
        found: F32 = np.einsum("ij,j->i", weights, np.ascontiguousarray(data[:, 0]))[:, None]
        return found
    return weights @ data


def _sigmoid(data: F32) -> F32:
    found: F32 = (1 / (1 + np.exp(-data))).astype(np.float32, copy=False)
    return found
