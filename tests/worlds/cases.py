"""What every built-in node is run on, to compare the worlds: a table of cases per node type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from remotemedia.data import (
    Audio,
    Binary,
    Control,
    Data,
    File,
    Image,
    Json,
    Tensor,
    Text,
    Video,
)
from remotemedia.data.formats import AUDIO_DTYPES
from remotemedia.data.messages import CancelSpeculation
from worlds.signals import (
    UNEVEN,
    Signal,
    blocks,
    broken,
    held,
    integers,
    noise,
    speech,
    speech_in_noise,
    steps,
    sweep,
)

Inputs = Callable[[int], Iterable[Data]]
"""Makes them of a seed."""


@dataclass(frozen=True)
class Case:
    """A node with its parameters, and what it is given."""

    node_type: str
    name: str
    params: dict[str, object]
    inputs: Inputs

    def __str__(self) -> str:
        return f"{self.node_type}: {self.name}"


Cases = Iterator[tuple[str, dict[str, object], Inputs]]


def audio(
    signal: Signal,
    rate: int,
    seconds: float,
    channels: int = 1,
    *,
    sizes: Iterable[int] = UNEVEN,
    stream_id: str | None = None,
    gap_every: int = 0,
) -> Inputs:
    """One signal, in blocks."""

    def make(seed: int) -> Iterable[Data]:
        samples = signal(seed, channels, round(seconds * rate))
        return blocks(samples, rate, sizes, stream_id=stream_id, gap_every=gap_every)

    return make


def in_turns(*inputs: Inputs) -> Inputs:
    """All of them, one block of each at a time."""
    return lambda seed: chain.from_iterable(zip(*(make(seed) for make in inputs), strict=False))


def one_after_another(*inputs: Inputs) -> Inputs:
    return lambda seed: chain.from_iterable(make(seed) for make in inputs)


def audio_resample() -> Cases:
    rates = [
        (48_000, 16_000),
        (44_100, 16_000),
        (44_100, 48_000),
        (48_000, 44_100),
        (16_000, 48_000),
        (8_000, 16_000),
        (11_025, 16_000),
        (8_000, 192_000),
        (44_056, 48_000),  # many segments of taps
        (8_001, 8_000),  # interpolated taps
        (191_999, 8_000),
    ]
    for source, target in rates:
        for signal in (noise, sweep, steps):
            given = audio(signal, source, 20_000 / max(source, target))
            yield f"{source} to {target}, {signal.__name__}", {"target_rate": target}, given
    for quality in ("low", "medium", "high"):
        params: dict[str, object] = {"target_rate": 16_000, "quality": quality}
        yield f"{quality}, stereo speech", params, audio(held(speech, 6), 48_000, 1, channels=2)
        yield f"{quality}, interpolated", params, audio(noise, 44_101, 0.2)
    limited: dict[str, object] = {"target_rate": 16_000, "source_rate": 48_000, "channels": 2}
    yield "gaps", limited, audio(noise, 48_000, 0.5, channels=2, gap_every=3)
    yield "not finite", {}, audio(broken, 44_100, 0.5)
    yield "blocks of one sample", {"target_rate": 8_000}, audio(noise, 48_000, 0.02, sizes=[1])
    streams = [audio(noise, 48_000, 0.2, stream_id=name) for name in "ab"]
    yield "two streams", {}, in_turns(*streams)
    changing = one_after_another(audio(noise, 48_000, 0.1), audio(noise, 32_000, 0.1, channels=2))
    yield "another rate in between", {}, changing


def audio_level() -> Cases:
    for rate in (8_000, 22_050, 48_000):
        for signal in (noise, steps, speech, sweep):
            yield f"{rate} Hz, {signal.__name__}", {}, audio(signal, rate, 4)
    yield "96000 Hz", {}, audio(steps, 96_000, 3.5)
    for channels in (2, 3, 4, 5, 6, 8):
        yield f"{channels} channels", {"interval_ms": 500}, audio(steps, 16_000, 4, channels)
    by_own: dict[str, object] = {"channel_weights": [2, 0.5, 0]}
    yield "own weights", by_own, audio(steps, 16_000, 4, channels=3)
    thresholds: dict[str, object] = {"low_volume_dbfs": -31.7, "silence_dbfs": -45.3}
    yield "thresholds", thresholds, audio(steps, 48_000, 5)
    yield "steps of 10 ms", {"interval_ms": 10}, audio(speech, 8_000, 4, sizes=[1_000])
    split: dict[str, object] = {"interval_ms": None, "split_at_gaps": True}
    yield "segments", split, audio(speech, 8_000, 8, gap_every=7)
    yield "without loudness", {"loudness": False}, audio(steps, 44_100, 4, channels=2)
    yield "not finite", {}, audio(broken, 16_000, 4, channels=2)
    streams = [audio(steps, 16_000, 2, stream_id=name) for name in "ab"]
    yield "two streams", {}, in_turns(*streams)


def energy_vad() -> Cases:
    for rate in (8_000, 16_000, 24_000, 48_000):
        yield f"{rate} Hz", {}, audio(held(speech, rate // 8_000), rate, 5)
        yield f"{rate} Hz, noise", {}, audio(held(speech_in_noise, rate // 8_000), rate, 5)
    for params in (
        {"adaptive": False, "energy_threshold": 0.003},
        {"frame_ms": 5, "noise_window_ms": 700},
        {"frame_ms": 37, "threshold_db": 9.7, "release_db": 2.3},
        {"speech_range_db": 11.9, "pre_roll_ms": 400, "hangover_ms": 700},
    ):
        text = ", ".join(f"{name}={value}" for name, value in params.items())
        yield text, dict(params), audio(speech_in_noise, 8_000, 10)
    # Segments short and many, so that there are many snr_db.
    hasty = {"min_speech_ms": 20, "min_silence_ms": 20, "pre_roll_ms": 0, "hangover_ms": 10}
    yield "short segments", dict(hasty), audio(speech_in_noise, 8_000, 40)
    yield "stereo", {}, audio(speech_in_noise, 8_000, 10, channels=2)
    yield "11,025 Hz", {}, audio(speech, 11_025, 8)
    yield "gaps", {}, audio(speech, 8_000, 10, gap_every=9)
    yield "not finite", {}, audio(broken, 8_000, 10)
    streams = [audio(speech, 8_000, 6, stream_id=name) for name in "ab"]
    yield "two streams", {}, in_turns(*streams)


def silero_vad() -> Cases:
    """By onnxruntime natively, by numpy in Pyodide."""
    for rate in (8_000, 16_000):
        yield f"{rate} Hz", {}, audio(held(speech, rate // 8_000), rate, 10)
    hasty = {"min_speech_ms": 32, "min_silence_ms": 32, "speech_pad_ms": 0, "batch_ms": 0}
    yield "short segments", dict(hasty), audio(speech_in_noise, 8_000, 20)
    picky = {"model": "silero-vad", "threshold": 0.6, "negative_threshold": 0.55}
    yield "stereo", dict(picky), audio(speech, 8_000, 10, channels=2)
    yield "not finite", {}, audio(broken, 8_000, 10)
    streams = [audio(speech, 8_000, 6, stream_id=name) for name in "ab"]
    yield "two streams", {}, in_turns(*streams)


def speculative_vad_gate() -> Cases:
    for rate in (8_000, 16_000, 48_000):
        given = audio(held(speech_in_noise, rate // 8_000), rate, 10)
        yield f"{rate} Hz", {"sample_rate": rate}, given
    for params in (
        {"vad_threshold": 0.23, "lookback_ms": 40, "lookahead_ms": 10},
        {"vad_threshold": 1, "min_speech_ms": 600, "speech_pad_ms": 90},
        {"min_silence_ms": 300, "min_speech_ms": 900},
    ):
        text = ", ".join(f"{name}={value}" for name, value in params.items())
        yield text, dict(params), audio(speech_in_noise, 8_000, 20)
    yield "stereo", {}, audio(speech_in_noise, 8_000, 10, channels=2)
    yield "11,025 Hz", {}, audio(speech, 11_025, 8)
    yield "gaps", {"min_speech_ms": 700}, audio(speech, 8_000, 10, gap_every=9)
    yield "not finite", {}, audio(broken, 8_000, 10)
    streams = [audio(speech, 8_000, 6, stream_id=name) for name in "ab"]
    yield "two streams", {}, in_turns(*streams)


def speculative_audio_commit() -> Cases:
    for params in (
        {},
        {"commit_delay_ms": 400, "pre_roll_ms": 70},
        {"commit_delay_ms": 0, "min_utterance_ms": 900},
        {"max_utterance_ms": 1_100, "pre_roll_ms": 1_000},
    ):
        text = ", ".join(f"{name}={value}" for name, value in params.items()) or "defaults"
        yield text, dict(params), told(audio(speech, 11_025, 12, stream_id="a"))
        yield f"{text}, gaps", dict(params), told(audio(speech, 8_000, 9, 2, gap_every=5), None)


def audio_buffer_accumulator() -> Cases:
    for params in ({}, {"min_utterance_ms": 700, "max_utterance_ms": 800}):
        text = ", ".join(f"{name}={value}" for name, value in params.items()) or "defaults"
        yield text, dict(params), told(audio(speech, 44_100, 9, stream_id="a"))


def told(inputs: Inputs, stream_id: str | None = "a") -> Inputs:
    """Audio, and before it what is said of its speech: a third of the segments is taken back."""

    def make(seed: int) -> Iterator[Data]:
        end_us = 0
        for number, bits in enumerate(integers(seed, 9).tolist()):
            start_us = end_us + bits % 900_001
            end_us = start_us + (bits >> 32) % 1_200_001 + 1
            start = {"event": "start", "start_us": start_us, "known_us": start_us + 60_000}
            end = {"event": "end", "start_us": start_us, "end_us": end_us, "state": "confirmed"}
            yield Json(start, stream_id=stream_id)
            if number % 3 == 1:
                yield CancelSpeculation(start_us, end_us).to_control(stream_id=stream_id)
                end["state"] = "cancelled"
            yield Json(end, stream_id=stream_id)
        yield from inputs(seed)

    return make


def conversation_coordinator() -> Cases:
    for params in (
        {},
        {"min_sentence_length": 25, "first_chunk_min_chars": 8, "debounce_ms": 0},
        {"split_pattern": "[.!?,;:]+", "yield_partial_on_end": False},
        {"barge_in_targets": ["tts"], "llm_silence_timeout_ms": 0},
    ):
        text = ", ".join(f"{name}={value}" for name, value in params.items()) or "defaults"
        yield text, dict(params), turns


def turns(seed: int) -> Iterator[Data]:
    """A reply, now and then spoken into."""
    for number, text in enumerate(texts(seed)):
        start_us = number * 1_000_000
        length_us = integers(seed + number, 1).tolist()[0] % 300_000
        end = {"event": "end", "start_us": start_us, "end_us": start_us + length_us}
        if number % 13 == 5:
            yield Json({"event": "start", "start_us": start_us}, stream_id="mic")
        if number % 13 == 7:
            yield Json(end, stream_id="mic")
        yield text if number % 17 else text.replace(metadata={"end_of_turn": True})
        if number % 29 == 0:
            yield Control("playback_ended")


def channel_mix() -> Cases:
    given = one_after_another(
        *(audio(noise, 16_000, 0.05, channels) for channels in (1, 2, 3, 4, 5, 6, 7, 8, 10))
    )
    for channels in (1, 2, 3, 6, 8, 10):
        for normalize in (True, False):
            params = {"channels": channels, "normalize": normalize}
            yield f"to {channels}, normalize={normalize}", dict(params), given
    rows = [[0.1, -0.7, 1 / 3], [1, 2.5, -1000]]
    yield "matrix", {"channels": 2, "matrix": rows}, audio(noise, 16_000, 0.1, 3)


def gain() -> Cases:
    for gain_db in (-200, -96.3, -6, -3.01, -0.1, 0, 0.7, 3, 6.02, 20, 77.7, 200):
        yield f"{gain_db} dB", {"gain_db": gain_db}, audio(noise, 48_000, 0.1, 2)
    yield "not finite", {"gain_db": -1}, audio(broken, 16_000, 0.5)


def iir_filter() -> Cases:
    rates: dict[str, dict[str, object]] = {}
    for order in range(1, 9):
        rates[f"order {order}"] = {"order": order}
    rates |= {
        "lowpass at 20 Hz": {"cutoff_hz": 20, "order": 5},
        "lowpass near the top": {"cutoff_hz": 7_999, "order": 8},
        "highpass": {"kind": "highpass", "cutoff_hz": 80},
        "highpass at 3.3 kHz": {"kind": "highpass", "cutoff_hz": 3_333.3, "order": 7},
        "bandpass": {"kind": "bandpass", "order": 3},
        "narrow": {"kind": "bandpass", "low_hz": 997, "high_hz": 1_013, "order": 4},
        "wide": {"kind": "bandpass", "low_hz": 5, "high_hz": 7_900, "order": 8},
    }
    for name, params in rates.items():
        for signal in (noise, steps, sweep):
            yield f"{name}, {signal.__name__}", params, audio(signal, 16_000, 1, channels=2)
    high: dict[str, object] = {"kind": "highpass", "cutoff_hz": 80, "order": 4}
    for rate in (8_000, 22_050, 44_100, 48_000, 192_000):
        yield f"{rate} Hz", high, audio(noise, rate, 30_000 / rate)
    yield "speech", high, audio(held(speech, 6), 48_000, 1)
    yield "gaps", high, audio(noise, 48_000, 0.5, gap_every=3)
    yield "not finite, then silence", {"order": 8}, audio(broken, 8_000, 20, channels=2)
    yield "blocks of one sample", {}, audio(noise, 8_000, 0.1, sizes=[1])
    streams = [audio(noise, 48_000, 0.2, stream_id=name) for name in "ab"]
    yield "two streams", high, in_turns(*streams)
    changing = one_after_another(audio(noise, 48_000, 0.1), audio(noise, 32_000, 0.1, channels=2))
    yield "another rate in between", high, changing


def audio_format_convert() -> Cases:
    given = one_after_another(*map(of_format, AUDIO_DTYPES))
    for target in AUDIO_DTYPES:
        for dither in ("none", "tpdf"):
            params = {"format": target, "dither": dither, "seed": 7}
            yield f"to {target}, dither={dither}", dict(params), given
    yield "not finite", {"format": "I16"}, audio(broken, 16_000, 0.5)


def of_format(name: str) -> Inputs:
    frames, rate = 5_000, 48_000

    def make(seed: int) -> Iterable[Data]:
        if name == "F32":  # beyond full scale, to be clipped
            return blocks(noise(seed, 2, frames) * np.float32(1.25), rate)
        numbers = integers(seed, 2 * frames).view(AUDIO_DTYPES[name])
        return blocks(numbers[: 2 * frames].reshape(2, frames), rate)

    return make


def audio_chunker() -> Cases:
    for params in (
        {},
        {"chunk_size": 100},
        {"chunk_ms": 2.5},
        {"chunk_ms": 25, "hop_ms": 10, "remainder": "pad"},
        {"chunk_size": 300, "hop_size": 50, "remainder": "drop"},
        {"chunk_size": 50, "hop_size": 300},
    ):
        text = ", ".join(f"{name}={value}" for name, value in params.items()) or "512"
        yield text, dict(params), audio(noise, 44_100, 0.3, gap_every=5)
    yield "I16", {"chunk_size": 333}, of_format("I16")


def time_stretch() -> Cases:
    for speed in (0.5, 0.8, 1, 1.05, 1.25, 2):
        for signal in (noise, sweep, steps, speech):
            given = audio(signal, 8_000, 3)
            yield f"{speed}, {signal.__name__}", {"speed": speed}, given
    for rate in (16_000, 44_100, 48_000, 192_000):
        given = audio(held(speech_in_noise, rate // 8_000), rate, 2)
        yield f"{rate} Hz", {"speed": 1.25}, given
    for channels in (2, 6):
        given = audio(speech, 8_000, 3, channels)
        yield f"{channels} channels", {"speed": 1.1234}, given
    for window_ms, search_ms in ((4, 2), (33.3, 7.7), (100, 100)):
        params: dict[str, object] = {
            "speed": 0.9,
            "window_ms": window_ms,
            "search_ms": search_ms,
        }
        yield f"{window_ms} ms, {search_ms} ms", params, audio(speech, 11_025, 3)
    for name in AUDIO_DTYPES:
        yield name, {"speed": 1.25}, of_format(name)
    yield "gaps", {"speed": 1.25}, audio(speech, 8_000, 3, gap_every=5)
    yield "not finite", {"speed": 1.25}, audio(broken, 8_000, 4, channels=2)
    streams = [audio(speech, 16_000, 1, stream_id=name) for name in "ab"]
    yield "two streams", {"speed": 2}, in_turns(*streams)
    changing = one_after_another(audio(noise, 48_000, 0.1), audio(noise, 32_000, 0.1, channels=2))
    yield "another rate in between", {"speed": 1.5}, changing


def calculator() -> Cases:
    for operation in ("add", "subtract", "multiply", "divide"):
        params: dict[str, object] = {"operation": operation}
        yield operation, params, pairs
        yield f"{operation} 0.1", {**params, "operand": 0.1}, numbers


def pairs(seed: int) -> Iterator[Json]:
    for bits in integers(seed, 200).tolist():
        a, b = (bits >> 33) - 2**30, bits % 999 + 1
        yield Json({"operands": [a, b]})
        yield Json({"operands": [a / b, b / 7]})


def numbers(seed: int) -> Iterator[Json]:
    return (Json(bits / 977) for bits in integers(seed, 200).tolist())


def text_collector() -> Cases:
    for params in (
        {},
        {"min_sentence_length": 25},
        {"max_sentence_length": 16, "yield_partial_on_end": False},
        {"split_pattern": "[.!?,;:]+"},
    ):
        text = ", ".join(f"{name}={value}" for name, value in params.items()) or "defaults"
        yield text, dict(params), texts


def captions() -> Cases:
    for params in (
        {},
        {"format": "webvtt", "line_length": 20, "lines": 3},
        {"min_ms": 2_000, "max_ms": 3_000},
    ):
        text = ", ".join(f"{name}={value}" for name, value in params.items()) or "defaults"
        yield text, dict(params), finals


def finals(seed: int) -> Iterator[Json]:
    """What was said in ten segments, with the times of the words."""
    start_us = 0
    words = "It was the best of times, it was <the> worst of & times.".split()
    for segment, number in enumerate(integers(seed, 10), 1):
        said = words[: 1 + int(number) % len(words)]
        times = [start_us + 250_000 * index for index in range(len(said) + 1)]
        yield Json(
            {
                "event": "final",
                "segment": segment,
                "text": " ".join(said),
                "start_us": times[0],
                "end_us": times[-1],
                "words": [
                    {"text": f" {word}", "start_us": a, "end_us": b, "probability": 0.5}
                    for word, a, b in zip(said, times, times[1:], strict=False)
                ],
            }
        )
        start_us = times[-1] + 700_000


def texts(seed: int) -> Iterator[Text]:
    story = (
        "Dr. Müller paid 3.14 € to J. Bach… “Really?” he asked.  Yes! 今日は。元気ですか？はい\n"
        "1. Wash, e.g. in the U.S. on Sept. 3; 2. dry 👩‍👩‍👧‍👦 slowly... \n\n(End.) and then "
    )
    rest = story * 3
    for number, bits in enumerate(integers(seed, len(rest)).tolist()):
        size = bits % 9 + 1
        yield Text(rest[:size], "ab"[number % 7 > 4], number * 1_000)
        rest = rest[size:]
        if not rest:
            return


def pass_through() -> Cases:
    yield "every type of data", {}, every_type


def every_type(seed: int) -> Iterator[Data]:
    bits = integers(seed, 64).view(np.uint8)
    raw = bits.tobytes()
    yield Audio(noise(seed, 2, 99), 44_100, 5, "a", {"x": [1, 0.1, None]})
    yield Video(bits[: 8 * 4 * 3], 8, 4, frame_number=3, pts_us=7)
    yield Image(raw, "PNG", 2, 2)
    yield Tensor(noise(seed, 3, 4).reshape(3, 2, 2), 9)
    yield Text("Grüße 👋", "user", -1)
    yield Json({"a": [1.5, True, "z"], "b": 2**60}, 1)
    yield Control("interrupt", {"why": None}, "s1", 12)
    yield Binary(raw, "application/x-test")
    yield File("/a/b.wav", "b.wav", "audio/wav", 12, 0, 4, 1, "s")


_TABLE: dict[str, Callable[[], Cases]] = {
    "AudioBufferAccumulator": audio_buffer_accumulator,
    "AudioChunker": audio_chunker,
    "AudioFormatConvert": audio_format_convert,
    "AudioLevel": audio_level,
    "AudioResample": audio_resample,
    "Calculator": calculator,
    "Captions": captions,
    "ChannelMix": channel_mix,
    "ConversationCoordinator": conversation_coordinator,
    "EnergyVAD": energy_vad,
    "Gain": gain,
    "IIRFilter": iir_filter,
    "PassThrough": pass_through,
    "SileroVAD": silero_vad,
    "SpeculativeAudioCommit": speculative_audio_commit,
    "SpeculativeVADGate": speculative_vad_gate,
    "TextCollector": text_collector,
    "TimeStretch": time_stretch,
}

NEED_A_RUNTIME = ("Denoise", "OnnxNode", "TextToSpeech", "TurnDetector", "WakeWord")
"""There is no ONNX runtime in Pyodide under Node: tests/e2e/test_models.py compares these."""

CASES = [
    Case(node_type, name, params, inputs)
    for node_type, make in _TABLE.items()
    for name, params, inputs in make()
]
