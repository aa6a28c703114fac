"""What SpeechToText writes down behind WakeWord: what is said to it, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.data import Audio, Json, Text
from remotemedia.testing import run_node

pytest.importorskip("faster_whisper", reason="the extra 'asr' is not installed")
pytest.importorskip("onnxruntime")

RATE = 16_000
MANIFEST = {
    "version": "v1",
    "metadata": {"name": "ears"},
    "nodes": [
        {"id": "vad", "node_type": "SileroVAD", "params": {"min_silence_ms": 500}},
        {"id": "wake", "node_type": "WakeWord", "params": {"words": ["hey_jarvis", "alexa"]}},
        {"id": "asr", "node_type": "SpeechToText", "params": {"partial_ms": 0, "language": "en"}},
    ],
    "connections": [
        {"from": "vad:audio", "to": "wake"},
        {"from": "vad:segments", "to": "wake:segments"},
        {"from": "wake:audio", "to": "asr"},
        {"from": "wake:segments", "to": "asr:segments"},
    ],
}


def spoken(text: str) -> np.ndarray:
    """By the voice of TextToSpeech, at 16 kHz."""
    voice = run_node("TextToSpeech", [Text(text)], params={"whole_texts": True}).data
    given = [each for each in voice if isinstance(each, Audio)]
    outputs = run_node("AudioResample", given, target_rate=RATE).data
    return np.concatenate([each.samples[0] for each in outputs])


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def test_only_what_is_said_to_it() -> None:
    """In one breath with the word and after a pause; neither what is said before nor much later."""
    parts = (
        *(silence(1), spoken("This is not meant for anybody.")),
        *(silence(2), spoken("Hey Jarvis, what time is it?")),
        *(silence(9), spoken("Nor is this.")),
        *(silence(3), spoken("Alexa!"), silence(1.5), spoken("Turn on the light in the kitchen.")),
        silence(1),
    )
    samples = np.concatenate(parts).astype(np.float32)
    samples += 0.001 * np.random.default_rng(1).standard_normal(len(samples)).astype(np.float32)
    blocks = [
        Audio(samples[at : at + 320], RATE, at * 1_000_000 // RATE)
        for at in range(0, len(samples), 320)
    ]
    packets = list(rm.Pipeline.load(MANIFEST).run(blocks))
    words = [each.data.value for each in packets if each.port == "words"]
    assert [each["word"] for each in words] == ["hey_jarvis", "alexa"]
    texts = [each.data.text for each in packets if isinstance(each.data, Text)]
    heard = [text.strip(" .?!").lower() for text in texts if text.strip()]
    assert heard == ["what time is it", "turn on the light in the kitchen"]
    finals = [
        each.data.value for each in packets if each.node == "asr" and isinstance(each.data, Json)
    ]
    assert all(each["start_us"] >= words[0]["end_us"] for each in finals)
