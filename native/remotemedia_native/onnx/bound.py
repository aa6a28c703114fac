"""BoundFeeds: arrays that a model is run on again and again, known to onnxruntime already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from remotemedia.models.backend import Feeds


class BoundFeeds(dict[str, NDArray[Any]]):
    """What a model is run on, where only the contents of the arrays change, and what is carried.

    A run then makes no arrays, and onnxruntime looks at none: that is a tenth of a small model.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
    feeds : mapping of str to np.ndarray
        They are kept, contiguous.
    outputs : mapping of str to np.ndarray
        Of the shapes and dtypes that the model gives.
    carry : mapping of str to str
        Output → the input that it is in the next run.
    """

    __slots__ = ("_bindings", "_carried", "_found", "_inputs", "_run", "_turn")

    def __init__(
        self,
        session: Any,
        feeds: Feeds,
        outputs: Mapping[str, NDArray[Any]],
        carry: Mapping[str, str],
    ) -> None:
        super().__init__({name: np.ascontiguousarray(array) for name, array in feeds.items()})
        # What is carried is written to one array and read from the other, in turns.
        others = {name: np.empty_like(self[name]) for name in carry.values()}
        self._inputs = [{name: self[name] for name in others}, others]
        rest = {name: np.empty_like(outputs[name]) for name in outputs if name not in carry}
        self._found = [
            {
                name: self._inputs[1 - turn][carry[name]] if name in carry else rest[name]
                for name in outputs
            }
            for turn in (0, 1)
        ]
        self._carried = tuple(others)
        # The public method checks so much that binding would not pay.
        self._run: Any = session._sess.run_with_iobinding
        self._bindings = [
            _bind(session, {**self, **self._inputs[turn]}, self._found[turn]) for turn in (0, 1)
        ]
        self._turn = 0

    def run(self, options: Any) -> dict[str, NDArray[Any]]:
        """Run the model; the outputs are written anew by the next run, or the one after it."""
        turn = self._turn
        inputs = self._inputs[turn]
        for name in self._carried:
            if self[name] is not inputs[name]:  # somebody else ran the model meanwhile
                inputs[name][...] = self[name]
        self._run(self._bindings[turn], options)
        self._turn = 1 - turn
        return self._found[turn]


def _bind(session: Any, inputs: Feeds, outputs: Feeds) -> Any:
    binding = session.io_binding()
    for name, array in inputs.items():
        binding.bind_ortvalue_input(name, _in_place(array))
    for name, array in outputs.items():
        binding.bind_ortvalue_output(name, _in_place(array))
    return binding._iobinding


def _in_place(array: NDArray[Any]) -> Any:
    return onnxruntime.OrtValue.ortvalue_from_numpy(array)
