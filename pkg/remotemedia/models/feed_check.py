"""FeedCheck: whether arrays are what a model takes, in words that name the input and the fix."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from remotemedia.errors import ModelError, nearest
from remotemedia.models.backend import Feeds
from remotemedia.models.tensor_info import TensorInfo


class FeedCheck:
    """Looks at what a model is to be run on, before its runtime does so in its own words.

    Parameters
    ----------
    model : str
        What messages call it.
    inputs : iterable of TensorInfo
    """

    def __init__(self, model: str, inputs: Iterable[TensorInfo]) -> None:
        self._model = model
        self._infos = {each.name: each for each in inputs}
        self._wanted = {name: np.dtype(info.dtype) for name, info in self._infos.items()}
        self._shapes: dict[str, tuple[int, ...] | None] = dict.fromkeys(self._wanted)

    def check(self, feeds: Feeds) -> None:
        """Raise unless they fit.

        Raises
        ------
        ModelError
            One is missing, unknown, or of another dtype or shape.
        """
        if len(feeds) != len(self._wanted):
            self._check_names(feeds)
        shapes = self._shapes
        for name, dtype in self._wanted.items():
            array = feeds.get(name)
            # A shape that was looked at before needs no second look.
            if type(array) is not np.ndarray or array.dtype != dtype or array.shape != shapes[name]:
                self._check(name, array, feeds)

    def _check_names(self, feeds: Feeds) -> None:
        known = list(self._wanted)
        for name in feeds:
            if name not in self._wanted:
                hint = nearest(name, known) or f" (it has {', '.join(known)})"
                raise ModelError(f"{self._model} has no input {name!r}{hint}")

    def _check(self, name: str, array: object, feeds: Feeds) -> None:
        info = self._infos[name]
        if array is None:
            self._check_names(feeds)
            given = ", ".join(feeds) or "nothing"
            raise ModelError(f"{self._model} was not given its input {info}; it was given {given}")
        if not isinstance(array, np.ndarray):
            raise ModelError(
                f"{self._model}: input {info} must be a numpy array, not {type(array).__name__}: "
                "use np.asarray(values)"
            )
        shape = array.shape
        if array.dtype != self._wanted[name]:
            raise ModelError(
                f"{self._model}: input {info} was given {array.dtype} {list(shape)}: use "
                f".astype(np.{info.dtype})"
            )
        # Runtimes say [] of a scalar, and of a shape of which nothing is known as well.
        if info.shape and len(shape) != len(info.shape):
            raise ModelError(
                f"{self._model}: input {info} was given {list(shape)}: it takes "
                f"{len(info.shape)} dimensions, not {len(shape)}"
            )
        for axis, (size, given) in enumerate(zip(info.shape, shape, strict=False)):
            if isinstance(size, int) and size != given:
                raise ModelError(
                    f"{self._model}: input {info} was given {list(shape)}: dimension {axis} must "
                    f"be {size}, not {given}"
                )
        self._shapes[name] = shape
