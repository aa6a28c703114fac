"""SileroWeights: what Silero's network computes with, out of its file."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from remotemedia.errors import ModelError
from remotemedia.models.onnx_file import OnnxFile

UNITS = 128
FIRST = "encoder.0.reparam_conv.weight"
BINS = {16000: 129, 8000: 65}
"""Sample rate → bins of its spectrum, by which its weights are known."""

F32 = NDArray[np.float32]


class SileroWeights(NamedTuple):
    """Of the network for one sample rate.

    The network: a spectrogram by convolution with a basis, its magnitude, four convolutions with
    ReLU of widths 3 and strides 1, 2, 2, 1, an LSTM cell, and one output unit.

    Attributes
    ----------
    basis : np.ndarray [shape=(2 * bins, window)]
        Cosines, then sines.
    convolutions : tuple of (np.ndarray [shape=(made, taken, 3)], np.ndarray [shape=(made,)])
    lstm : tuple of np.ndarray [shape=(512, 128)]
        For the input, for the hidden state. Rows are gates: input, forget, cell, output.
    lstm_biases : tuple of np.ndarray [shape=(512,)]
    last : np.ndarray [shape=(128,)]
    last_bias : np.ndarray [shape=(1,)]
    """

    basis: F32
    convolutions: tuple[tuple[F32, F32], ...]
    lstm: tuple[F32, F32]
    lstm_biases: tuple[F32, F32]
    last: F32
    last_bias: F32

    @property
    def bins(self) -> int:
        """Of the spectrum."""
        return len(self.basis) // 2


def silero_weights(file: OnnxFile) -> dict[int, SileroWeights]:
    """The networks of a file, by sample rate.

    Raises
    ------
    ModelError
        It is not Silero VAD 5 or 6.
    """
    found = {}
    for rate, bins in BINS.items():
        for name, weights in file.weights.items():
            if name.endswith(FIRST) and weights.shape == (UNITS, bins, 3):
                found[rate] = _read(file, name.removesuffix(FIRST), bins)
                break
    if not found:
        raise ModelError(
            f"{file.name} is not Silero VAD: it has no weights {FIRST} [{UNITS}, {BINS[16000]}, 3]"
        )
    return found


def _read(file: OnnxFile, prefix: str, bins: int) -> SileroWeights:
    def get(name: str, *shape: int) -> NDArray[Any]:
        array = file.weights.get(f"{prefix}{name}")
        if array is None or array.shape != shape or array.dtype != np.float32:
            said = "is missing" if array is None else f"is {array.dtype} {list(array.shape)}"
            raise ModelError(
                f"{file.name} is not Silero VAD 5 or 6: {prefix}{name} {said}, not float32 "
                f"{list(shape)}"
            )
        return array

    window = 2 * (bins - 1)
    half = UNITS // 2
    return SileroWeights(
        get("stft.forward_basis_buffer", 2 * bins, 1, window)[:, 0],
        tuple(
            (
                get(f"encoder.{index}.reparam_conv.weight", made, taken, 3),
                get(f"encoder.{index}.reparam_conv.bias", made),
            )
            for index, (made, taken) in enumerate(
                [(UNITS, bins), (half, UNITS), (half, half), (UNITS, half)]
            )
        ),
        (
            get("decoder.rnn.weight_ih", 4 * UNITS, UNITS),
            get("decoder.rnn.weight_hh", 4 * UNITS, UNITS),
        ),
        (get("decoder.rnn.bias_ih", 4 * UNITS), get("decoder.rnn.bias_hh", 4 * UNITS)),
        get("decoder.decoder.2.weight", 1, UNITS, 1)[0, :, 0],
        get("decoder.decoder.2.bias", 1),
    )
