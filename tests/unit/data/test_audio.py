"""Audio: what is taken, what is converted, what is refused, and what it says then."""

import numpy as np
import pytest

from remotemedia.data import Audio, Text
from remotemedia.errors import DataError


def frozen(array):
    array.setflags(write=False)
    return array


def refusal(*args, **kwargs):
    with pytest.raises(DataError) as caught:
        Audio(*args, **kwargs)
    return str(caught.value)


class TestSamples:
    def test_a_writable_array_is_copied(self):
        samples = np.array([[1.0, 2.0]], np.float32)
        audio = Audio(samples, 16000)
        samples[:] = 0
        assert audio.samples.tolist() == [[1.0, 2.0]]
        assert not np.shares_memory(audio.samples, samples)

    def test_a_read_only_array_is_taken(self):
        samples = frozen(np.zeros((2, 3), np.float32))
        assert Audio(samples, 16000).samples is samples

    @pytest.mark.parametrize("dtype", ["float32", "int16", "int32", "uint8"])
    def test_all_sample_formats_stay_as_they_are(self, dtype):
        audio = Audio(np.arange(6).reshape(2, 3).astype(dtype), 8000)
        assert audio.samples.dtype == dtype
        assert audio.samples.tolist() == [[0, 1, 2], [3, 4, 5]]

    def test_1_d_is_one_channel(self):
        audio = Audio(np.array([1, 2, 3], np.int16), 8000)
        assert audio.samples.shape == (1, 3)
        assert audio.samples.tolist() == [[1, 2, 3]]

    def test_a_read_only_1_d_array_is_viewed(self):
        samples = frozen(np.zeros(4, np.float32))
        assert np.shares_memory(Audio(samples, 8000).samples, samples)

    def test_float64_becomes_float32(self):
        audio = Audio(np.array([[0.1, -1.5]]), 8000)
        assert audio.samples.dtype == np.float32
        assert audio.samples.tolist() == [[np.float32(0.1), -1.5]]

    @pytest.mark.parametrize(
        ("given", "kept"),
        [(">f4", "float32"), (">i2", "int16"), (">i4", "int32"), (">f8", "float32")],
    )
    def test_big_endian_becomes_native(self, given, kept):
        audio = Audio(frozen(np.array([[1, -2]], given)), 8000)
        assert audio.samples.dtype == np.dtype(kept)
        assert audio.samples.dtype.isnative
        assert audio.samples.tolist() == [[1, -2]]

    @pytest.mark.parametrize(
        "samples",
        [
            np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
            np.arange(12, dtype=np.float32).reshape(2, 6)[:, ::2],
            np.arange(6, dtype=np.float32).reshape(3, 2).T,
            np.broadcast_to(np.arange(3, dtype=np.float32), (2, 3)),
        ],
        ids=["fortran", "strided", "transposed", "broadcast"],
    )
    @pytest.mark.parametrize("writeable", [True, False])
    def test_is_c_contiguous_and_read_only(self, samples, writeable):
        samples = samples if not writeable else np.array(samples, order="K", copy=True)
        if not writeable:
            samples = samples.view()
            samples.setflags(write=False)
        audio = Audio(samples, 8000)
        assert audio.samples.flags.c_contiguous
        assert not audio.samples.flags.writeable
        assert audio.samples.tolist() == samples.tolist()
        with pytest.raises(ValueError, match="read-only"):
            audio.samples[0, 0] = 1

    def test_a_subclass_becomes_a_plain_array(self):
        class Tagged(np.ndarray):
            pass

        samples = frozen(np.zeros((1, 3), np.float32)).view(Tagged)
        audio = Audio(samples, 8000)
        assert type(audio.samples) is np.ndarray
        assert np.shares_memory(audio.samples, samples)
        assert type(Audio(np.zeros(3, np.float32).view(Tagged), 8000).samples) is np.ndarray

    @pytest.mark.parametrize("shape", [(0,), (1, 0), (2, 0)])
    def test_no_frames_is_audio(self, shape):
        audio = Audio(np.zeros(shape, np.float32), 8000)
        assert audio.frames == 0
        assert audio.channels == (shape[0] if len(shape) == 2 else 1)
        assert audio.duration_us == 0

    def test_a_list_is_refused(self):
        assert refusal([0.0], 8000) == (
            "samples must be a numpy array, not list: use np.asarray(samples, dtype=np.float32)"
        )

    @pytest.mark.parametrize("shape", [(), (0, 5), (1, 2, 3)])
    def test_another_shape_is_refused(self, shape):
        assert refusal(np.zeros(shape, np.float32), 8000) == (
            "samples must have shape (channels, frames), with at least one channel, or (frames,), "
            f"not {shape}"
        )

    def test_frames_by_channels_is_refused(self):
        assert refusal(np.zeros((480, 2), np.float32), 48000) == (
            "samples of shape (480, 2) have 480 channels, and at most 256 are supported: "
            "if the shape is (frames, channels), give samples.T"
        )
        assert refusal(frozen(np.zeros((257, 1), np.float32)), 48000).startswith("samples of shape")
        assert Audio(np.zeros((256, 1), np.float32), 48000).channels == 256

    @pytest.mark.parametrize("dtype", ["int64", "float16", "bool", "complex64", "uint16", "O"])
    def test_another_dtype_is_refused(self, dtype):
        message = refusal(np.zeros((1, 2), dtype), 8000)
        assert message == (
            f"samples of dtype {np.dtype(dtype)} are not supported (use float32, int16, int32, "
            "uint8): scale them to one of these, e.g. (samples / 2**23).astype(np.float32) for "
            "24-bit"
        )


class TestRate:
    @pytest.mark.parametrize("rate", [0, -1, 44100.0, "48000", None, True])
    def test_no_positive_integer(self, rate):
        expected = f"sample_rate must be an integer of at least 1, not {rate!r}"
        assert refusal(np.zeros(1, np.float32), rate) == expected
        assert refusal(frozen(np.zeros((1, 1), np.float32)), rate) == expected

    def test_too_large(self):
        assert Audio(np.zeros(1, np.float32), 10_000_000).sample_rate == 10_000_000
        assert refusal(np.zeros(1, np.float32), 10_000_001) == (
            "sample_rate must be at most 10000000 Hz, not 10000001"
        )

    def test_numpy_integers_become_int(self):
        audio = Audio(frozen(np.zeros((1, 1), np.float32)), np.int64(44100))
        assert type(audio.sample_rate) is int


class TestCommonFields:
    """The fields that all types share, tried on both ways through the check."""

    @pytest.fixture(params=[True, False], ids=["taken", "copied"])
    def samples(self, request):
        samples = np.zeros((1, 1), np.float32)
        return frozen(samples) if request.param else samples

    def test_are_kept(self, samples):
        audio = Audio(samples, 8000, -5, "left", {"gain": [1, None, {"a": "ü"}]})
        assert (audio.pts_us, audio.stream_id) == (-5, "left")
        assert audio.metadata == {"gain": [1, None, {"a": "ü"}]}

    @pytest.mark.parametrize("pts_us", [1.5, "1", True, np.int64(3)])
    def test_pts_is_an_int(self, samples, pts_us):
        assert refusal(samples, 8000, pts_us) == (
            f"pts_us must be an int of microseconds or None, not {pts_us!r}"
        )

    @pytest.mark.parametrize("stream_id", [0, b"", 7, ()])
    def test_stream_id_is_a_str(self, samples, stream_id):
        kind = type(stream_id).__name__
        assert refusal(samples, 8000, stream_id=stream_id) == (
            f"stream_id must be a str or None, not {stream_id!r} ({kind})"
        )

    def test_stream_id_survives_utf_8(self, samples):
        assert Audio(samples, 8000, stream_id="").stream_id == ""
        assert "stream_id is not valid Unicode" in refusal(samples, 8000, stream_id="\ud800")

    @pytest.mark.parametrize(
        ("metadata", "message"),
        [
            ("x", "metadata must be a mapping with str keys or None, not str"),
            ([], "metadata must be a mapping with str keys or None, not list"),
            ({1: 2}, "metadata: key 1 is not a str"),
            ({"a": {1}}, "metadata.a: a set is not JSON"),
            (
                {"a": [0, np.float32(1)]},
                "metadata.a[1]: a numpy.float32 is not JSON: use .item() or .tolist()",
            ),
        ],
    )
    def test_metadata_is_json(self, samples, metadata, message):
        assert refusal(samples, 8000, metadata=metadata) == message


class TestOtherWays:
    def test_properties(self):
        audio = Audio(np.zeros((2, 441), np.int16), 44100)
        assert (audio.channels, audio.frames, audio.format) == (2, 441, "I16")
        assert audio.duration_us == 10_000
        assert audio.caps_fields() == {
            "sample_rate": 44100,
            "channels": 2,
            "format": "I16",
            "layout": "planar",
        }

    def test_duration_is_rounded(self):
        assert Audio(np.zeros(1, np.float32), 44100).duration_us == 23  # 22.68
        assert Audio(np.zeros(1, np.float32), 48000).duration_us == 21  # 20.83

    def test_with_samples_takes_over_without_a_copy(self):
        audio = Audio(np.zeros(3, np.float32), 8000, 7, "s", {"a": 1})
        fresh = np.ones((1, 5), np.float32)
        other = audio.with_samples(fresh)
        assert other.samples is fresh
        assert not fresh.flags.writeable
        assert (other.sample_rate, other.pts_us, other.stream_id) == (8000, 7, "s")
        assert other.metadata is audio.metadata

    def test_unchecked_checks_nothing(self):
        samples = np.zeros(3)
        assert Audio.unchecked(samples, -1, None, None, None).samples is samples
        assert Audio.unchecked(samples, 8000).pts_us is None

    def test_replace_is_checked(self):
        audio = Audio(np.zeros(3, np.float32), 8000, 7, "s", {"a": 1})
        other = audio.replace(sample_rate=16000, pts_us=None)
        assert (other.sample_rate, other.pts_us, other.stream_id) == (16000, None, "s")
        assert other.samples is audio.samples
        with pytest.raises(DataError, match="sample_rate must be"):
            audio.replace(sample_rate=0)
        with pytest.raises(TypeError, match="rate"):
            audio.replace(rate=1)

    def test_is_frozen(self):
        audio = Audio(np.zeros(3, np.float32), 8000)
        with pytest.raises(AttributeError, match="immutable"):
            audio.sample_rate = 1

    def test_identity_is_its_equality(self):
        samples = frozen(np.zeros((1, 1), np.float32))
        a, b = Audio(samples, 8000), Audio(samples, 8000)
        assert a != b
        assert len({a, b}) == 2
        assert a.equals(b)


class TestEquals:
    AUDIO = Audio(np.array([[0.0, 1.0]], np.float32), 8000, 5, "s", {"a": 1})

    @pytest.mark.parametrize(
        "changes",
        [
            {"samples": np.array([[0.0, 2.0]], np.float32)},
            {"samples": np.array([[-0.0, 1.0]], np.float32)},
            {"samples": np.array([[0.0], [1.0]], np.float32)},
            {"samples": np.array([[0, 1]], np.int32)},
            {"sample_rate": 8001},
            {"pts_us": None},
            {"stream_id": "t"},
            {"metadata": {"a": 2}},
            {"metadata": {"a": 1.0}},
            {"metadata": {"a": True}},
            {"metadata": {"a": 1, "b": 1}},
            {"metadata": None},
        ],
    )
    def test_any_difference_counts(self, changes):
        assert not self.AUDIO.equals(self.AUDIO.replace(**changes))

    def test_the_same_values_are_equal(self):
        assert self.AUDIO.equals(self.AUDIO)
        assert self.AUDIO.equals(self.AUDIO.replace(samples=self.AUDIO.samples.copy()))

    def test_another_type_is_not(self):
        assert not self.AUDIO.equals(Text("x"))
        assert not self.AUDIO.equals(None)

    def test_nan_by_its_bits(self):
        quiet = np.array([0x7FC00000], np.uint32).view(np.float32)
        other = np.array([0x7FC00001], np.uint32).view(np.float32)
        assert Audio(quiet, 8000).equals(Audio(quiet.copy(), 8000))
        assert not Audio(quiet, 8000).equals(Audio(other, 8000))
