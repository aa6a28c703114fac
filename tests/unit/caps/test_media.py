"""Formats and caps: what they accept, share and contain."""

import numpy as np
import pytest

from remotemedia.caps import (
    ANY,
    FIELDS,
    Caps,
    Exact,
    Format,
    OneOf,
    Range,
    differing_fields,
    make_format,
    parse_caps,
)
from remotemedia.data import BY_MEDIA, Audio, File, Image, Json, Tensor, Text, Video

MONO_16K = Audio(np.zeros(1, np.float32), 16000)


def test_every_data_type_has_its_fields():
    assert FIELDS.keys() == BY_MEDIA.keys()


@pytest.mark.parametrize(
    ("caps", "accepts"),
    [
        ("any", True),
        ("audio", True),
        ("text", False),
        ("text | audio", True),
        ("audio(sample_rate=16000)", True),
        ("audio(sample_rate=48000)", False),
        ("audio(sample_rate=8000..16000, channels=[2, 1], format=F32)", True),
        ("audio(sample_rate=8000..15999)", False),
        ("audio(channels=2)", False),
        ("audio(channels=2) | audio(format=F32)", True),
    ],
)
def test_accepts_audio(caps, accepts):
    assert parse_caps(caps).accepts(MONO_16K) is accepts


@pytest.mark.parametrize(
    ("data", "caps", "accepts"),
    [
        (Video(np.zeros(3, np.uint8), 1, 1), "video(pixel_format=RGB24)", True),
        (Video(np.zeros(3, np.uint8), 1, 1), "video(codec=VP8)", False),
        (Video(np.zeros(3, np.uint8), 1, 1, None, "VP8"), "video(codec=[AV1, VP8])", True),
        (Video(np.zeros(3, np.uint8), 1, 1, None, "VP8"), "video(pixel_format=RGB24)", False),
        (Video(np.zeros(3, np.uint8), 1, 1), "video(framerate=30)", True),  # a frame cannot tell
        (Image(b"", "PNG"), "image(format=[PNG, WEBP])", True),
        (Tensor(np.zeros(2, np.int8)), "tensor(dtype=int8)", True),
        (Tensor(np.zeros(2, np.int8)), "tensor(dtype=float32)", False),
        (File("a.wav"), "file(extension=wav)", True),
        (File("a.mp3"), "file(extension=[wav, flac])", False),
        (Json(1), "json(schema=speech_v1)", True),
        (Text("x"), "text(encoding=utf-8)", True),
    ],
)
def test_accepts_other_media(data, caps, accepts):
    assert parse_caps(caps).accepts(data) is accepts


@pytest.mark.parametrize(
    ("a", "b", "both"),
    [
        ("any", "any", "any"),
        ("any", "text", "text"),
        ("audio", "text", None),
        ("audio", "audio(channels=1)", "audio(channels=1)"),
        ("audio(format=F32)", "audio(channels=1)", "audio(channels=1, format=F32)"),
        ("audio(channels=1..2)", "audio(channels=2..8)", "audio(channels=2)"),
        ("audio(channels=1)", "audio(channels=2)", None),
        ("text | audio", "audio(channels=1) | text", "text | audio(channels=1)"),
        (
            "audio(format=[I16, F32])",
            "audio(format=F32) | audio(format=I16)",
            "audio(format=F32) | audio(format=I16)",
        ),
        ("audio | audio(channels=1)", "audio(channels=1)", "audio(channels=1)"),
    ],
)
def test_intersect(a, b, both):
    found = parse_caps(a).intersect(parse_caps(b))
    assert (found if found is None else str(found)) == both
    other = parse_caps(b).intersect(parse_caps(a))
    assert (found is None) == (other is None)
    if found is not None and found.formats is not None:
        assert set(found.formats) == set(other.formats)


@pytest.mark.parametrize(
    ("a", "b", "inside"),
    [
        ("any", "any", True),
        ("any", "audio", False),
        ("audio", "any", True),
        ("audio(channels=1)", "audio", True),
        ("audio", "audio(channels=1)", False),
        ("audio(channels=1, format=F32)", "audio(channels=1..2)", True),
        ("audio(channels=1..2)", "audio(channels=1)", False),
        ("audio(channels=1) | text", "text | audio", True),
        ("audio(channels=1) | text", "audio", False),
        ("text", "audio", False),
    ],
)
def test_is_subset(a, b, inside):
    assert parse_caps(a).is_subset(parse_caps(b)) is inside


def test_is_any():
    assert ANY.is_any
    assert not parse_caps("audio").is_any
    assert str(ANY) == "any"


def test_fields_are_put_in_order():
    fields = {"format": Exact("F32"), "channels": None, "sample_rate": Range(1, 2)}
    format_ = make_format("audio", fields)
    assert format_.fields == (("sample_rate", Range(1, 2)), ("format", Exact("F32")))
    assert format_.get("format") == Exact("F32")
    assert format_.get("channels") is None


def test_with_fields_sets_and_lifts():
    format_ = make_format("audio", {"channels": Exact(1), "format": Exact("F32")})
    changed = format_.with_fields({"channels": None, "sample_rate": OneOf((1, 2))})
    assert str(changed) == "audio(sample_rate=[1, 2], format=F32)"
    assert str(format_) == "audio(channels=1, format=F32)"


def test_differing_fields():
    (produced,) = parse_caps("audio(sample_rate=48000, channels=2)").formats
    (accepted,) = parse_caps("audio(sample_rate=8000..16000, channels=[2, 1], format=F32)").formats
    assert list(differing_fields(produced, accepted)) == [("sample_rate", "48000", "8000..16000")]


def test_caps_compare_and_hash_by_value():
    assert Caps((Format("text"),)) == parse_caps("text")
    assert hash(parse_caps("audio(channels=1)")) == hash(parse_caps("audio( channels = 1 )"))
