"""TensorInfo: what a model takes or gives by one name."""

from __future__ import annotations

from typing import NamedTuple


class TensorInfo(NamedTuple):
    """An input or output of a model.

    Attributes
    ----------
    name : str
    dtype : str
        numpy's name of it: ``float32``.
    shape : tuple
        An int is a fixed size, a str the name of one that is open, None unknown.
    """

    name: str
    dtype: str
    shape: tuple[int | str | None, ...]

    def __str__(self) -> str:
        shape = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.name} ({self.dtype} [{shape}])"
