"""Video: raw and encoded frames."""

import numpy as np
import pytest

from remotemedia.data import Video
from remotemedia.errors import DataError

# By hand: luma, then two planes of a quarter each (odd sides are rounded up).
SIZES = {
    "YUV420P": {(4, 2): 8 + 2 + 2, (3, 3): 9 + 4 + 4, (1, 1): 1 + 1 + 1},
    "I420": {(4, 2): 12, (3, 3): 17},
    "NV12": {(4, 2): 12, (3, 3): 17},
    "RGB24": {(4, 2): 24},
    "RGBA32": {(4, 2): 32},
    "BGR24": {(4, 2): 24},
    "BGRA32": {(4, 2): 32},
    "GRAY8": {(4, 2): 8},
}


def pixels(size):
    return np.arange(size, dtype=np.uint8)


@pytest.mark.parametrize(
    ("pixel_format", "side", "size"),
    [(name, side, size) for name, sizes in SIZES.items() for side, size in sizes.items()],
)
def test_raw_frames_have_exact_sizes(pixel_format, side, size):
    width, height = side
    assert Video(pixels(size), width, height, pixel_format).pixels.size == size
    with pytest.raises(DataError) as caught:
        Video(pixels(size + 1), width, height, pixel_format)
    assert str(caught.value) == (
        f"a {width}x{height} {pixel_format} frame has {size} bytes, not {size + 1}"
    )


def test_any_shape_is_kept_flat():
    video = Video(pixels(24).reshape(2, 4, 3), 4, 2)
    assert video.pixels.tolist() == list(range(24))
    assert not video.pixels.flags.writeable
    assert video.image.shape == (2, 4, 3)
    assert np.shares_memory(video.image, video.pixels)
    assert video.caps_fields() == {
        "width": 4,
        "height": 2,
        "pixel_format": "RGB24",
        "codec": None,
    }


def test_read_only_pixels_are_taken_and_writable_ones_copied():
    given = pixels(8)
    copied = Video(given, 4, 2, "GRAY8")
    given[0] = 99
    assert copied.pixels[0] == 0
    given.setflags(write=False)
    assert Video(given, 4, 2, "GRAY8").pixels is given
    assert np.shares_memory(Video(given.reshape(2, 4), 4, 2, "GRAY8").pixels, given)


def test_a_subclass_becomes_a_plain_array():
    class Tagged(np.ndarray):
        pass

    given = pixels(8).view(Tagged)
    given.setflags(write=False)
    assert type(Video(given, 4, 2, "GRAY8").pixels) is np.ndarray


def test_numpy_integers_become_int():
    given = pixels(8)
    given.setflags(write=False)
    video = Video(given, np.int64(4), np.uint8(2), "GRAY8", frame_number=np.int32(3))
    assert [type(n) for n in (video.width, video.height, video.frame_number)] == [int] * 3


@pytest.mark.parametrize("codec", ["VP8", "H264", "AV1"])
def test_an_encoded_frame(codec):
    video = Video(pixels(5), 640, 480, None, codec, 7, False, 40_000)
    assert (video.codec, video.frame_number, video.is_keyframe) == (codec, 7, False)
    assert video.pts_us == 40_000
    with pytest.raises(DataError, match=f"a {codec} frame has no packed pixels"):
        video.image  # noqa: B018


def test_planar_frames_have_no_packed_view():
    with pytest.raises(DataError, match="a I420 frame has no packed pixels"):
        Video(pixels(12), 4, 2, "I420").image  # noqa: B018


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "width must be an integer of at least 1, not 0"),
        ({"height": 2.0}, "height must be an integer of at least 1, not 2.0"),
        ({"frame_number": -1}, "frame_number must be an integer of at least 0, not -1"),
        ({"is_keyframe": 1}, "is_keyframe must be a bool, not 1"),
        ({"pixels": b"x" * 24}, "pixels must be a numpy array of dtype uint8, not bytes"),
        (
            {"pixels": np.zeros(24, np.float32)},
            "pixels must be a numpy array of dtype uint8, not float32",
        ),
        (
            {"codec": "VP8"},
            "give pixel_format for a raw frame, or codec and pixel_format=None for an encoded "
            "one; pixel_format is RGB24 and codec VP8",
        ),
        (
            {"pixel_format": None},
            "give pixel_format for a raw frame, or codec and pixel_format=None for an encoded "
            "one; pixel_format is None and codec None",
        ),
        (
            {"pixel_format": "RGB"},
            "pixel_format must be one of YUV420P, I420, NV12, RGB24, RGBA32, BGR24, BGRA32, "
            "GRAY8, not 'RGB'; did you mean 'RGB24'?",
        ),
        (
            {"pixel_format": None, "codec": "h264"},
            "codec must be one of VP8, H264, AV1, not 'h264'; did you mean 'H264'?",
        ),
        ({"pixel_format": None, "codec": 5}, "codec must be one of VP8, H264, AV1, not 5"),
        ({"pixel_format": None, "codec": []}, "codec must be one of VP8, H264, AV1, not []"),
        ({"pts_us": 1.0}, "pts_us must be an int of microseconds or None, not 1.0"),
    ],
)
def test_refusals(changes, message):
    with pytest.raises(DataError) as caught:
        Video(**{"pixels": pixels(24), "width": 4, "height": 2, **changes})
    assert str(caught.value) == message
