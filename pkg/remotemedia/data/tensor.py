"""Tensor: an n-dimensional array."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from remotemedia.data.base import Data, Metadata, check_common, unchecked
from remotemedia.data.formats import TENSOR_DTYPES, frozen
from remotemedia.errors import DataError

MAX_DIMENSIONS = 32  # what every numpy supports


class Tensor(Data, frozen=True, eq=False, gc=False):
    """An n-dimensional array.

    Parameters
    ----------
    values : np.ndarray [shape=any, dtype=bool, (u)int8 to (u)int64, float16 to float64]
        A writable array is copied, a read-only C-contiguous one is taken as it is.

    Raises
    ------
    DataError
        For any other dtype (objects, strings, complex numbers).
    """

    values: NDArray[Any]
    pts_us: int | None = None
    stream_id: str | None = None
    metadata: Metadata | None = None

    media: ClassVar[str] = "tensor"
    wire_type: ClassVar[int] = 6

    def caps_fields(self) -> dict[str, object]:
        """`shape`, `dtype`."""
        return {"shape": self.values.shape, "dtype": str(self.values.dtype)}

    def _checked(self) -> Self:
        check_common(self)
        values = self.values
        if not isinstance(values, np.ndarray):
            raise DataError(
                f"values must be a numpy array, not {type(values).__name__}: use np.asarray(values)"
            )
        dtype = values.dtype.newbyteorder("=")
        if dtype not in TENSOR_DTYPES:
            raise DataError(
                f"a tensor of dtype {values.dtype} is not supported (use bool, an integer of 8 to "
                "64 bits, or float16 to float64)"
            )
        if values.ndim > MAX_DIMENSIONS:
            raise DataError(f"a tensor has at most {MAX_DIMENSIONS} dimensions, not {values.ndim}")
        good = frozen(np.asarray(values), dtype)
        if good is values:
            return self
        copy: Self = unchecked(type(self), good, self.pts_us, self.stream_id, self.metadata)
        return copy
