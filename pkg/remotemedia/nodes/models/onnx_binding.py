"""Binding: how the data of an `OnnxNode` fit its model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remotemedia.errors import ModelError, nearest
from remotemedia.nodes.models.model_node import Work

if TYPE_CHECKING:
    from remotemedia.models.backend import Model
    from remotemedia.models.tensor_info import TensorInfo
    from remotemedia.nodes.models.onnx_node import OnnxNode

Array = NDArray[Any]


class Binding:
    """Which input and output of a model is what.

    Parameters
    ----------
    model : Model
    params : OnnxNode.Params

    Raises
    ------
    ModelError
        The parameters do not fit the model: says which, and what it has.
    """

    def __init__(self, model: Model, params: OnnxNode.Params) -> None:
        self.model = model
        self._params = params
        inputs = {each.name: each for each in model.inputs}
        outputs = {each.name: each for each in model.outputs}
        for output, into in params.state.items():
            made = self._find("output", output, outputs)
            taken = self._find("input", into, inputs)
            if made.dtype != taken.dtype or not _fits(made.shape, taken.shape):
                raise self._error(f"state {made} cannot be its input {taken}: name two that match")
        self._constants = {
            name: self._constant(self._find("input", name, inputs), value)
            for name, value in params.constants.items()
        }
        self._input = self._data_input(inputs)
        self._state_inputs = [inputs[name] for name in params.state.values()]
        given = params.outputs or {
            "out": next((name for name in outputs if name not in params.state), next(iter(outputs)))
        }
        self.ports = {
            port: self._find("output", name, outputs).name for port, name in given.items()
        }
        if params.takes == "audio":
            self._check_audio()

    def start(self) -> dict[str, Array]:
        """What the model is fed besides the data before the first run: its state is 0.

        Sizes that the model leaves open are 1.
        """
        state = {
            each.name: np.zeros([n if isinstance(n, int) else 1 for n in each.shape], each.dtype)
            for each in self._state_inputs
        }
        return {**self._constants, **state}

    def run(self, feeds: dict[str, Array], values: Array) -> Work[dict[str, Array]]:
        """Run the model on data, and keep its state in `feeds`; gives an array for each port."""
        params = self._params
        if params.takes == "audio":
            rank = len(self._input.shape)
            values = values[0] if rank == 1 else values[np.newaxis] if rank == 3 else values
        values = _scaled(values, params.scale, params.offset)
        feeds[self._input.name] = np.ascontiguousarray(values, self._input.dtype)
        outputs = yield self.model, feeds
        for output, into in params.state.items():
            feeds[into] = outputs[output]
        return {
            port: _scaled(outputs[name], params.output_scale, params.output_offset)
            for port, name in self.ports.items()
        }

    def _data_input(self, inputs: Mapping[str, TensorInfo]) -> TensorInfo:
        params = self._params
        taken = {*params.state.values(), *params.constants}
        rest = [name for name in inputs if name not in taken]
        if params.input is not None:
            wanted = self._find("input", params.input, inputs)
            if others := [name for name in rest if name != params.input]:
                raise self._error(
                    f"input {inputs[others[0]]} is given nothing: name it in constants or state"
                )
            if params.input in taken:
                raise self._error(f"input {wanted} is to take data, and a constant or state too")
            return wanted
        if len(rest) != 1:
            has = ", ".join(str(inputs[name]) for name in rest or inputs)
            raise self._error(
                f"which input takes the data? It has {has}: name it by input, and the others in "
                "constants or state"
            )
        return inputs[rest[0]]

    def _check_audio(self) -> None:
        info, params = self._input, self._params
        rank = len(info.shape)
        given: tuple[int | None, ...] = (params.channels, params.window_size)
        if rank == 1:
            given = given[1:]
        elif rank == 3:
            given = (1, *given)
        if rank > 3 or (rank == 1 and params.channels != 1):
            raise self._error(
                f"input {info} is not for {params.channels} channel(s) of audio, which are [n] if "
                "mono, [channels, n] or [1, channels, n]"
            )
        if rank and not _fits(given, info.shape):
            sizes = ", ".join("n" if size is None else str(size) for size in given)
            raise self._error(
                f"input {info} is given [{sizes}]: set channels={params.channels} and "
                f"window_size={params.window_size} to what it takes"
            )
        if rank and params.window_size is None and isinstance(info.shape[-1], int):
            raise self._error(f"input {info} needs window_size={info.shape[-1]}")

    def _constant(self, info: TensorInfo, value: object) -> Array:
        array = np.asarray(value)
        with np.errstate(invalid="ignore"):  # NaN as an integer
            made: Array = array.astype(info.dtype)
        if made.dtype.kind in "iu" and not np.array_equal(made, array):
            raise self._error(f"constant {value!r:.100} is not of the dtype of its input {info}")
        if info.shape and made.ndim != len(info.shape) and made.size == 1:
            made = made.reshape([1] * len(info.shape))  # 16000 for [1]
        if info.shape and not (made.ndim == len(info.shape) and _fits(made.shape, info.shape)):
            raise self._error(f"constant {value!r:.100} has not the shape of its input {info}")
        return made

    def _find(self, what: str, name: str, known: Mapping[str, TensorInfo]) -> TensorInfo:
        if name not in known:
            raise self._error(f"no {what} {name!r}{_hint(name, known)}")
        return known[name]

    def _error(self, why: str) -> ModelError:
        return ModelError(f"OnnxNode: model {self._params.model!r}: {why}")


def _hint(name: str, known: Iterable[str]) -> str:
    return nearest(name, known) or f" (it has {', '.join(known)})"


def _fits(given: Sequence[object], wanted: Sequence[object]) -> bool:
    """Whether two shapes can be the same; only numbers differ."""
    return len(given) == len(wanted) and not any(
        isinstance(m, int) and isinstance(n, int) and m != n
        for m, n in zip(given, wanted, strict=True)
    )


def _scaled(values: Array, scale: float, offset: float) -> Array:
    """In the precision that they have; integers become float32."""
    if scale == 1 and not offset:
        return values
    if values.dtype.kind != "f":
        values = values.astype(np.float32)
    kind = values.dtype.type
    scaled: Array = values * kind(scale) + kind(offset)
    return scaled
