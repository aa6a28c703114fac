"""The quick check of live items, against the caps that it stands for."""

import numpy as np
import pytest

from remotemedia.caps import parse_caps
from remotemedia.data import Audio, File, Json, Tensor, Text, Video
from remotemedia.session.guard import describe, make_guard, refuse


def audio(rate=16000, channels=1, dtype=np.float32):
    return Audio(np.zeros((channels, 2), dtype), rate)


ITEMS = [
    audio(),
    audio(48000),
    audio(channels=2),
    audio(dtype=np.int16),
    Text("x"),
    Json(1),
    Video(np.zeros(3, np.uint8), 1, 1),
    Video(np.zeros(3, np.uint8), 1, 1, None, "VP8"),
    Tensor(np.zeros(2)),
    File("a.wav"),
]


@pytest.mark.parametrize(
    "text",
    [
        "any",
        "audio",
        "text | json",
        "audio(format=F32)",
        "audio(format=I16)",
        "audio(sample_rate=16000, channels=1, format=F32)",
        "audio(sample_rate=8000..16000)",
        "audio(format=F32) | text",
        "video(codec=VP8)",
        "tensor(dtype=float32)",
        "file(extension=wav) | audio(channels=2)",
    ],
)
def test_a_guard_is_a_quick_accepts(text):
    caps = parse_caps(text)
    guard = make_guard(caps)
    for _ in range(2):  # the second time round it remembers
        for item in ITEMS:
            assert guard(item) is caps.accepts(item), item


@pytest.mark.parametrize("text", ["any", "audio", "audio(format=F32)", "audio(channels=1)"])
def test_what_is_no_data_is_refused(text):
    assert not make_guard(parse_caps(text))("text")


def test_a_refusal_says_what_came_what_was_expected_and_what_to_insert():
    error = refuse(audio(48000, 2), parse_caps("audio(sample_rate=16000, format=F32)"), "vad", "in")
    assert str(error) == (
        "vad:in accepts audio(sample_rate=16000, format=F32), but was given "
        "audio(sample_rate=48000, channels=2, format=F32); "
        "insert AudioResample {target_rate: 16000} between them, or set auto_negotiate: true"
    )
    assert (error.node, error.port) == ("vad", "in")


def test_a_refusal_that_nothing_fixes():
    error = refuse(Text("x"), parse_caps("audio"), "vad", "in")
    assert str(error) == "vad:in accepts audio, but was given text"


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (audio(), "audio(sample_rate=16000, channels=1, format=F32)"),
        (Text("x"), "text"),
        (Video(np.zeros(3, np.uint8), 1, 1), "video(width=1, height=1, pixel_format=RGB24)"),
        (Tensor(np.zeros(2)), "tensor(shape=(2), dtype=float64)"),
        (File("a.wav"), "file(extension=wav)"),
    ],
)
def test_describe(item, text):
    assert str(describe(item)) == text
