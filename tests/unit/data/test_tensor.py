"""Tensor: arrays of any shape and of numbers."""

import numpy as np
import pytest

from remotemedia.data import Tensor
from remotemedia.errors import DataError

DTYPES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64".split()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (1, 1, 1, 2)])
def test_dtypes_and_shapes(dtype, shape):
    tensor = Tensor(np.ones(shape, dtype))
    assert tensor.caps_fields() == {"shape": shape, "dtype": dtype}
    assert not tensor.values.flags.writeable
    assert tensor.values.flags.c_contiguous


def test_copy_or_take():
    values = np.arange(3)
    copied = Tensor(values)
    values[0] = 9
    assert copied.values.tolist() == [0, 1, 2]
    values.setflags(write=False)
    assert Tensor(values, 1, "s", {"a": 1}).values is values
    assert Tensor(values[::2]).values.tolist() == [9, 2]


def test_big_endian_becomes_native():
    values = np.array([1.5, -2.0], ">f8")
    values.setflags(write=False)
    tensor = Tensor(values)
    assert tensor.values.dtype == np.float64
    assert tensor.values.dtype.isnative
    assert tensor.values.tolist() == [1.5, -2.0]


def test_a_subclass_becomes_a_plain_array():
    class Tagged(np.ndarray):
        pass

    values = np.arange(3).view(Tagged)
    values.setflags(write=False)
    assert type(Tensor(values).values) is np.ndarray


@pytest.mark.parametrize("dtype", ["complex64", "O", "U3", "M8[us]", "V4"])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(DataError) as caught:
        Tensor(np.zeros(2, dtype))
    assert str(caught.value) == (
        f"a tensor of dtype {np.dtype(dtype)} is not supported (use bool, an integer of 8 to 64 "
        "bits, or float16 to float64)"
    )


@pytest.mark.parametrize("values", [[1, 2], 3, np.float32(1)])
def test_only_arrays(values):
    with pytest.raises(DataError) as caught:
        Tensor(values)
    kind = type(values).__name__
    assert str(caught.value) == f"values must be a numpy array, not {kind}: use np.asarray(values)"


def test_dimensions_have_a_limit():
    assert Tensor(np.zeros((1,) * 32)).values.ndim == 32
    with pytest.raises(DataError, match="a tensor has at most 32 dimensions, not 33"):
        Tensor(np.zeros((1,) * 33))


def test_equals_by_dtype_shape_and_bits():
    assert Tensor(np.zeros(2)).equals(Tensor(np.zeros(2)))
    assert not Tensor(np.zeros(2)).equals(Tensor(np.zeros(2, np.float32)))
    assert not Tensor(np.zeros(2)).equals(Tensor(np.zeros((2, 1))))
    assert not Tensor(np.zeros(2)).equals(Tensor(np.array([0.0, -0.0])))
    assert Tensor(np.array([np.nan])).equals(Tensor(np.array([np.nan])))
