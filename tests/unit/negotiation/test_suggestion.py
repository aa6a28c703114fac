"""Suggestions: each names converters that, in that order, make the formats fit."""

import pytest

from remotemedia.caps import parse_caps
from remotemedia.negotiation import suggest
from remotemedia.negotiation.suggestion import differences


@pytest.mark.parametrize(
    ("produced", "accepted", "way"),
    [
        (
            "audio(sample_rate=48000)",
            "audio(sample_rate=16000)",
            "AudioResample {target_rate: 16000}",
        ),
        ("audio(channels=2)", "audio(channels=1)", "ChannelMix {channels: 1}"),
        ("audio(format=F32)", "audio(format=[I16, U8])", "AudioFormatConvert {format: I16}"),
        (
            "audio(sample_rate=44100, channels=2, format=F32)",
            "audio(sample_rate=16000, channels=1, format=F32)",
            # Mixed first: then there is less to resample.
            "ChannelMix {channels: 1}, then AudioResample {target_rate: 16000}",
        ),
        # Resampling and mixing work on F32, so what is not comes and goes through it.
        (
            "audio(sample_rate=48000, format=I16)",
            "audio(sample_rate=16000, format=F32)",
            "AudioFormatConvert {format: F32}, then AudioResample {target_rate: 16000}",
        ),
        (
            "audio(sample_rate=48000, format=F32)",
            "audio(sample_rate=16000, format=I16)",
            "AudioResample {target_rate: 16000}, then AudioFormatConvert {format: I16}",
        ),
        (
            "audio(channels=2, format=I16)",
            "audio(channels=1, format=I16)",
            "AudioFormatConvert {format: F32}, then ChannelMix {channels: 1}, "
            "then AudioFormatConvert {format: I16}",
        ),
        # The nearer end of a range.
        (
            "audio(sample_rate=192000)",
            "audio(sample_rate=8000..48000)",
            "AudioResample {target_rate: 48000}",
        ),
        (
            "audio(sample_rate=8000)",
            "audio(sample_rate=16000..48000)",
            "AudioResample {target_rate: 16000}",
        ),
        ("audio(channels=4..8)", "audio(channels=1..2)", "ChannelMix {channels: 2}"),
        # The shortest of several ways.
        (
            "audio(sample_rate=48000, channels=2)",
            "audio(sample_rate=16000, channels=1) | audio(sample_rate=48000, channels=1)",
            "ChannelMix {channels: 1}",
        ),
        # None: another medium, a field that no node converts, rates beyond the resampler.
        ("text", "audio", ""),
        ("video(width=640)", "video(width=320)", ""),
        ("text(encoding=a)", "text(encoding=b)", ""),
        ("audio(sample_rate=384000)", "audio(sample_rate=16000)", ""),
        ("audio(sample_rate=48000)", "audio(sample_rate=384000)", ""),
        ("any", "audio", ""),
        ("audio", "any", ""),
    ],
)
def test_suggest(produced, accepted, way):
    text = suggest(parse_caps(produced), parse_caps(accepted))
    assert text == (f"insert {way} between them" if way else "")


@pytest.mark.parametrize(
    ("produced", "accepted", "text"),
    [
        ("text", "audio", "another media type"),
        (
            "audio(sample_rate=48000, channels=2)",
            "audio(sample_rate=16000, channels=1..8)",
            "sample_rate is 48000 but must be 16000",
        ),
        (
            "text | audio(sample_rate=48000, channels=2)",
            "audio(sample_rate=[8000, 16000], channels=1)",
            "sample_rate is 48000 but must be [8000, 16000], channels is 2 but must be 1",
        ),
    ],
)
def test_differences(produced, accepted, text):
    assert differences(parse_caps(produced), parse_caps(accepted)) == text
