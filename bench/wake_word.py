"""What WakeWord costs, and what it hears.

- Cost: 2 s of a recording at 16 kHz in blocks of 80 ms. The node, opened once and called by hand,
  beside bare calls of onnxruntime on the same windows: openWakeWord's three models, one thread
  each. Milliseconds per frame of 80 ms, round by round in turn; for one word and for four, which
  share the first two models. That both give the same scores is checked on the words, spoken.
- Words: four, said by the voice of TextToSpeech in five sentences at three speeds, clean and with
  white noise or other speech behind them; how many were heard, and how many others. Then what is
  heard in recordings of reading.

Model files and recordings are fetched on first use.

    .venv/bin/python bench/wake_word.py
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from harness.recordings import at_16k, names, recording
from harness.report import REPOSITORY, RESULTS, Report, in_turns, quartiles, ratios, versions
from numpy.typing import NDArray

sys.path.insert(0, str(REPOSITORY / "scripts"))
import fetch_models
import remotemedia as rm
from remotemedia.node import Context
from remotemedia.nodes.models.wake_word import WakeWord
from remotemedia.testing import VirtualClock, run_node

RATE, FRAME, CONTEXT = 16_000, 1280, 480
WORDS = {
    "hey_jarvis": "Hey Jarvis",
    "alexa": "Alexa",
    "hey_mycroft": "Hey Mycroft",
    "hey_rhasspy": "Hey Rhasspy",
}
SENTENCES = (
    "{}!",
    "{}, what time is it?",
    "{}, turn on the light in the kitchen.",
    "Well, {}, play some music.",
    "I was not sure. {}! Stop.",
)
SPEEDS = (0.8, 1.0, 1.25)
BEHIND = (("clean", 0), *((kind, db) for kind in ("noise", "speech") for db in (20, 10, 5, 0)))

Samples = NDArray[np.float32]


def by_node(
    words: Sequence[str], samples: Samples, threshold: float
) -> Callable[[], list[dict[str, Any]]]:
    """All frames through one node, open already; gives its events."""
    node: Any = WakeWord(words=tuple(words), threshold=threshold)
    node.open(Context("wake", VirtualClock(), {}, {}))
    blocks = [rm.Audio(samples[i : i + FRAME], RATE) for i in range(0, len(samples), FRAME)]

    def work() -> list[dict[str, Any]]:
        node.reset()
        found = [each for block in blocks for each in node.process(block)]
        return [each.data.value for each in found if each.port == "words"]

    return work


def by_hand(words: Sequence[str], samples: Samples) -> Callable[[], list[list[float]]]:
    """The scores of all frames by bare calls, from silence on."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    folder = fetch_models.fetch()

    def session(name: str) -> Any:
        return onnxruntime.InferenceSession(folder / name, options)

    spectra = session("openwakeword/melspectrogram.onnx")
    embedding = session("openwakeword/embedding_model.onnx")
    classifiers = [session(f"{word}/{word}_v0.1.onnx") for word in words]
    names = [each.get_inputs()[0].name for each in classifiers]
    padded = np.concatenate([np.zeros(CONTEXT, np.float32), samples * np.float32(32768)])

    def work() -> list[list[float]]:
        mels = np.full((1, 76, 32, 1), -8, np.float32)
        silent = embedding.run(None, {"input_1": mels})[0].reshape(-1)
        last = np.tile(silent, (16, 1))
        found = []
        for start in range(0, len(samples) - FRAME + 1, FRAME):
            window = padded[np.newaxis, start : start + CONTEXT + FRAME]
            new = spectra.run(None, {"input": window})[0][0, 0] / np.float32(10) + np.float32(2)
            mels = np.concatenate([mels[:, 8:], new[np.newaxis, :, :, np.newaxis]], axis=1)
            made = embedding.run(None, {"input_1": mels})[0].reshape(1, -1)
            last = np.concatenate([last[1:], made])
            given = last[np.newaxis]
            found.append(
                [
                    float(each.run(None, {name: given})[0][0, 0])
                    for each, name in zip(classifiers, names, strict=True)
                ]
            )
        return found

    return work


def add_cost(report: Report, rounds: int, words: Sequence[str], samples: Samples) -> None:
    """Of the node, and of bare calls."""
    works: dict[str, Callable[[], Any]] = {
        "WakeWord": by_node(words, samples, 0.0),  # audio is let out, too
        "by hand": by_hand(words, samples),
    }
    said = np.concatenate([np.pad(spoken(f"{WORDS[word]}!", 1.0), RATE // 2) for word in words])
    scores = by_hand(words, said)()
    events = by_node(words, said, 0.5)()
    assert {each["word"] for each in events} == set(words)
    apart = max(
        abs(each["score"] - scores[each["end_sample"] // FRAME - 1][words.index(each["word"])])
        for each in events
    )
    seconds = in_turns(works, rounds)
    frames = len(samples) / FRAME
    figures: dict[str, Any] = {"apart": apart}
    rows = []
    for name, values in seconds.items():
        ms = quartiles([value / frames * 1e3 for value in values])
        rate = ratios(seconds["WakeWord"], values)
        figures[name] = {"ms_per_frame": ms, "rate_of_ours_by_it": rate}
        shown = [f"{ms[key]:.3f}" for key in ("p50", "p25", "p75")]
        rows.append([name, *shown, f"{FRAME / RATE * 1e3 / ms['p50']:.0f}", f"{rate['p50']:.2f}"])
    title = f"{len(words)} word{'s' if len(words) > 1 else ''}"
    report.body[title] = figures
    head = [title, "ms per frame", "p25", "p75", "realtime factor", "ours ÷ it"]
    report.table(head, rows)
    report.claim(f"{title}: scores by hand, to", apart, at_most=1e-6)
    rate = figures["by hand"]["rate_of_ours_by_it"]["p50"]
    report.claim(f"{title}: of the rate by hand", rate, at_least=0.85)


def heard(samples: Samples, words: Sequence[str]) -> list[str]:
    inputs = [rm.Emit("in", rm.Audio(samples.astype(np.float32), RATE))]
    outputs: list[Any] = run_node(WakeWord, inputs, words=tuple(words)).data
    values = [each.value for each in outputs if isinstance(each, rm.Json)]
    return [value["word"] for value in values if value["event"] == "wake_word"]


def spoken(text: str, speed: float) -> Samples:
    params = {"whole_texts": True, "speed": speed}
    outputs: list[Any] = run_node("TextToSpeech", [rm.Text(text)], params=params).data
    voice = [each for each in outputs if isinstance(each, rm.Audio)]
    return at_16k(np.concatenate([each.samples[0] for each in voice]), voice[0].sample_rate)


def with_sound(voice: Samples, kind: str, snr_db: int, speech: Samples, draw: Any) -> Samples:
    """A second of silence around the voice, and something behind it, so many dB below it."""
    samples = np.pad(voice, RATE)
    if kind == "clean":
        return samples
    behind = draw.standard_normal(len(samples))
    if kind == "speech":
        start = draw.integers(len(speech) - len(samples))
        behind = speech[start : start + len(samples)]
    gain = np.sqrt((voice**2).mean() / (behind**2).mean()) / 10 ** (snr_db / 20)
    mixed = samples + gain * behind
    return np.asarray(mixed * min(1.0, 0.9 / np.abs(mixed).max()), np.float32)


def add_words(report: Report, speech: Samples) -> None:
    """What is heard of the words."""
    draw = np.random.default_rng(7)
    hits = {word: dict.fromkeys(BEHIND, 0) for word in WORDS}
    others = dict.fromkeys(BEHIND, 0)
    for word, name in WORDS.items():
        for sentence in SENTENCES:
            for speed in SPEEDS:
                voice = spoken(sentence.format(name), speed)
                for kind, snr_db in BEHIND:
                    found = heard(with_sound(voice, kind, snr_db, speech, draw), list(WORDS))
                    hits[word][kind, snr_db] += word in found
                    others[kind, snr_db] += len([each for each in found if each != word])
    total = len(SENTENCES) * len(SPEEDS)
    report.table(
        [f"heard of {total}", *WORDS, "others"],
        [
            [
                kind if kind == "clean" else f"{kind}, {snr_db} dB below",
                *(str(hits[word][kind, snr_db]) for word in WORDS),
                str(others[kind, snr_db]),
            ]
            for kind, snr_db in BEHIND
        ],
    )
    report.body["heard"] = {
        word: {f"{kind} {snr_db}": count for (kind, snr_db), count in found.items()}
        for word, found in hits.items()
    }
    report.body["others"] = {f"{kind} {snr_db}": n for (kind, snr_db), n in others.items()}
    for kind, snr_db in BEHIND[:2]:
        least = min(found[kind, snr_db] for found in hits.values())
        report.claim(f"heard of {total}, {kind} {snr_db}", least, at_least=total)
        report.claim(f"others heard, {kind} {snr_db}", others[kind, snr_db], at_most=0)


def main() -> int:
    """Run; exit code 1 if a claim is not met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=75)
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    os.environ["REMOTEMEDIA_MODELS"] = str(fetch_models.fetch())
    report = Report(
        "wake_word",
        versions=versions("numpy", "onnxruntime"),
        n=f"{options.rounds} rounds of 2 s, everyone in turn",
    )
    recordings = {name: at_16k(*recording(name)) for name in names()}
    speech = recordings["two_cities"]
    for count in (1, len(WORDS)):
        add_cost(report, options.rounds, list(WORDS)[:count], speech[: 2 * RATE])
    add_words(report, speech)
    false = {name: heard(samples, list(WORDS)) for name, samples in recordings.items()}
    report.body["reading"] = false
    minutes = sum(len(samples) for samples in recordings.values()) / RATE / 60
    report.claim(
        f"words heard in {minutes:.1f} minutes of reading",
        sum(map(len, false.values())),
        at_most=0,
    )
    return report.end(options.json or RESULTS / "wake_word.json")


if __name__ == "__main__":
    sys.exit(main())
