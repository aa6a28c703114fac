"""What the tests of WakeWord share: the words, spoken, and runs of the node."""

from __future__ import annotations

from functools import cache

import numpy as np

import remotemedia as rm
from remotemedia.data import Audio, Json, Text
from remotemedia.node import Context, Emit
from remotemedia.nodes.models.wake_word import WakeWord
from remotemedia.testing import VirtualClock, run_node

RATE = 16000
US = 1_000_000
ALL = ("alexa", "hey_jarvis", "hey_mycroft", "hey_rhasspy", "timer", "weather")
NAMES = {"alexa": "Alexa", "hey_jarvis": "Hey Jarvis", "hey_mycroft": "Hey Mycroft"}
NAMES["hey_rhasspy"] = "Hey Rhasspy"


@cache
def say(text: str, speed: float = 1.0) -> np.ndarray:
    """By the voice of TextToSpeech, at 16 kHz, in whole steps of 16 bits."""
    params = {"whole_texts": True, "speed": speed}
    samples = at_16k(audio_of(run_node("TextToSpeech", [Text(text)], params=params).data), 24000)
    samples.setflags(write=False)
    return samples


def at_16k(samples: np.ndarray, rate: int) -> np.ndarray:
    outputs = run_node("AudioResample", [Audio(samples, rate)], target_rate=RATE).data
    return in_16_bits(audio_of(outputs))


def in_16_bits(samples: np.ndarray) -> np.ndarray:
    return (np.round(samples * 32767) / 32768).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def joined(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate(parts).astype(np.float32)


def run(inputs: list[Audio | Emit], **params: object) -> list[rm.Data]:
    given = [each if isinstance(each, Emit) else Emit("in", each) for each in inputs]
    return run_node(WakeWord, given, params=params).data


def cut(samples: np.ndarray, size: int, start_us: int | None = None) -> list[Audio]:
    return [
        Audio(
            samples[..., i : i + size],
            RATE,
            None if start_us is None else start_us + i * US // RATE,
        )
        for i in range(0, samples.shape[-1], size)
    ]


def words_of(outputs: list[rm.Data]) -> list[dict[str, object]]:
    values = [each.value for each in outputs if isinstance(each, Json)]
    return [value for value in values if value["event"] == "wake_word"]


def segments_of(outputs: list[rm.Data]) -> list[dict[str, object]]:
    values = [each.value for each in outputs if isinstance(each, Json)]
    return [value for value in values if value["event"] != "wake_word"]


def audio_of(outputs: list[rm.Data]) -> np.ndarray:
    blocks = [each.samples for each in outputs if isinstance(each, Audio)]
    return np.concatenate([np.zeros((1, 0), np.float32), *blocks], axis=1)[0]


def opened(**params: object) -> WakeWord:
    node = WakeWord(**params)
    node.open(Context("wake", VirtualClock(), {}, {}))
    return node
