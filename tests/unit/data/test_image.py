"""Image: a file's bytes, or raw pixels."""

import array

import numpy as np
import pytest

from remotemedia.data import Image
from remotemedia.errors import DataError


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_an_encoded_picture_need_not_be_looked_into(format_):
    content = b"\xff\xd8"
    image = Image(content, format_)
    assert image.content is content
    assert (image.width, image.height, image.pixel_format) == (0, 0, None)


def test_raw_pixels():
    image = Image(b"abcdef", "RAW", 2, 1, "RGB24", 5, "cam", {"a": 1})
    assert image.caps_fields() == {
        "width": 2,
        "height": 1,
        "format": "RAW",
        "pixel_format": "RGB24",
    }
    assert (image.pts_us, image.stream_id, image.metadata) == (5, "cam", {"a": 1})


@pytest.mark.parametrize("content", [bytearray(b"abcdef"), memoryview(b"abcdef")])
def test_other_buffers_are_copied(content):
    image = Image(content, "RAW", 2, 1, "RGB24")
    assert image.content == b"abcdef"
    assert type(image.content) is bytes


def test_a_view_of_wider_items_is_counted_in_bytes():
    view = memoryview(array.array("H", [1, 2, 3]))  # 3 items, 6 bytes
    assert len(Image(view, "RAW", 2, 1, "RGB24").content) == 6


def test_numpy_integers_become_int():
    image = Image(b"abcdef", "RAW", np.int64(2), np.int8(1), "RGB24")
    assert [type(image.width), type(image.height)] == [int, int]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"content": "abc"}, "content must be bytes, not str: encode it first"),
        (
            {"content": np.zeros(6, np.uint8)},
            "content must be bytes, not ndarray: use its tobytes()",
        ),
        (
            {"format": "jpg"},
            "format must be one of JPEG, PNG, WEBP, RAW, not 'jpg'; did you mean 'JPEG'?",
        ),
        ({"format": None}, "format must be one of JPEG, PNG, WEBP, RAW, not None"),
        ({"width": -1}, "width must be an integer of at least 0, not -1"),
        (
            {"format": "RAW", "width": 0, "height": 1, "pixel_format": "GRAY8", "content": b""},
            "width must be an integer of at least 1, not 0",
        ),
        (
            {"format": "RAW", "width": 1, "height": 1},
            "pixel_format belongs to format RAW, and only there; "
            "format is RAW and pixel_format None",
        ),
        (
            {"pixel_format": "RGB24"},
            "pixel_format belongs to format RAW, and only there; "
            "format is PNG and pixel_format RGB24",
        ),
        (
            {"format": "RAW", "width": 2, "height": 1, "pixel_format": "RGB24", "content": b"abc"},
            "a 2x1 RGB24 picture has 6 bytes, not 3",
        ),
        (
            {"format": "RAW", "width": 2, "height": 1, "pixel_format": 5},
            "pixel_format must be one of YUV420P, I420, NV12, RGB24, RGBA32, BGR24, BGRA32, "
            "GRAY8, not 5",
        ),
    ],
)
def test_refusals(changes, message):
    with pytest.raises(DataError) as caught:
        Image(**{"content": b"x", "format": "PNG", **changes})
    assert str(caught.value) == message
