"""SileroNumpy: Silero's network by numpy, for where no ONNX runtime is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from remotemedia.errors import ModelError
from remotemedia.models.backend import Feeds
from remotemedia.models.onnx_file import OnnxFile

UNITS = 128
FIRST = "encoder.0.reparam_conv.weight"
BINS = {16000: 129, 8000: 65}
"""Sample rate → bins of its spectrum, by which its weights are known."""

F32 = NDArray[np.float32]


class SileroNumpy:
    """The model of a file, as an ONNX runtime would give it: see `Model`.

    The network: a spectrogram by convolution with the file's own basis, its magnitude, four
    convolutions with ReLU, an LSTM cell, and one output unit.

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
        self._networks = {}
        for rate, bins in BINS.items():
            for name, weights in file.weights.items():
                if name.endswith(FIRST) and weights.shape == (UNITS, bins, 3):
                    self._networks[rate] = _Network(file, name.removesuffix(FIRST), bins)
                    break
        if not self._networks:
            raise ModelError(
                f"{file.name} is not Silero VAD: numpy can compute nothing else, and this file has "
                f"no weights {FIRST} [{UNITS}, {BINS[16000]}, 3]: install onnxruntime for it"
            )

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

    def __init__(self, file: OnnxFile, prefix: str, bins: int) -> None:
        def get(name: str, *shape: int) -> F32:
            array = file.weights.get(f"{prefix}{name}")
            if array is None or array.shape != shape or array.dtype != np.float32:
                said = "is missing" if array is None else f"is {array.dtype} {list(array.shape)}"
                raise ModelError(
                    f"{file.name} is not Silero VAD 5 or 6: {prefix}{name} {said}, not float32 "
                    f"{list(shape)}"
                )
            return array

        self._window = 2 * (bins - 1)
        self._bins = bins
        self._basis = np.ascontiguousarray(
            get("stft.forward_basis_buffer", 2 * bins, 1, self._window)[:, 0]
        )
        first, second, third, fourth = (
            get(f"encoder.{index}.reparam_conv.weight", made, taken, 3)
            for index, (made, taken) in enumerate(
                [(UNITS, bins), (UNITS // 2, UNITS), (UNITS // 2, UNITS // 2), (UNITS, UNITS // 2)]
            )
        )
        biases = [
            get(f"encoder.{index}.reparam_conv.bias", made)[:, None]
            for index, made in enumerate((UNITS, UNITS // 2, UNITS // 2, UNITS))
        ]
        self._first = np.ascontiguousarray(first.reshape(UNITS, -1)), biases[0]
        self._second = np.ascontiguousarray(second.reshape(UNITS // 2, -1)), biases[1]
        self._third = np.ascontiguousarray(third[:, :, 1:].reshape(UNITS // 2, -1)), biases[2]
        self._fourth = np.ascontiguousarray(fourth[:, :, 1]), biases[3]
        self._lstm = np.concatenate(
            [get("decoder.rnn.weight_ih", 512, UNITS), get("decoder.rnn.weight_hh", 512, UNITS)], 1
        )
        self._lstm_bias = (get("decoder.rnn.bias_ih", 512) + get("decoder.rnn.bias_hh", 512))[
            :, None
        ]
        self._last = get("decoder.decoder.2.weight", 1, UNITS, 1)[0, :, 0]
        self._last_bias = get("decoder.decoder.2.bias", 1)[0]

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
