"""What speech costs while it is spoken: how soon a voice is heard, and captions are read.

- TextToSpeech: from giving a paragraph to the node, open already, to its first audio.
- TurnDetector: from the end of a segment to whether the turn is over, for 8 s of it, beside a run
  of its model alone, in turn.
- The voice, read by SpeechToText: word error rate over the first twenty of the Harvard sentences
  [1]_, which were made to be hard, and over everyday sentences. Case and punctuation do not count;
  numbers are read out.
- Live captions: the example 03-live-captions as it is, fed the recording in real time, 20 ms at a
  time, each block when its last sample would have been recorded. Of every word, from its end in
  the recording (the recogniser's own times of the final) to the first event that shows it in its
  place, as the final has it: partial or final.

Model files and recordings are fetched on first use.

.. [1] "IEEE Recommended Practice for Speech Quality Measurements", IEEE Trans. Audio
   Electroacoust. 17 (3), 1969, lists 1 and 2.

    .venv/bin/python bench/speech_live.py
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from harness.recordings import recording
from harness.report import REPOSITORY, RESULTS, Report, percentile, spread, versions

sys.path.insert(0, str(REPOSITORY / "scripts"))
import fetch_models
import remotemedia as rm
from remotemedia.node import Context
from remotemedia.nodes.models.text_to_speech import TextToSpeech
from remotemedia.nodes.models.turn_detector import TurnDetector
from remotemedia.testing import VirtualClock, run_node

CAPTIONS = REPOSITORY / "examples" / "03-live-captions" / "captions.yaml"
BLOCK_S = 0.02
TOLD = "told"

HARVARD = """
The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. It's easy to
tell the depth of a well. These days a chicken leg is a rare dish. Rice is often served in round
bowls. The juice of lemons makes fine punch. The box was thrown beside the parked truck. The hogs
were fed chopped corn and garbage. Four hours of steady work faced us. A large size in stockings is
hard to sell. The boy was there when the sun rose. A rod is used to catch pink salmon. The source of
the huge river is the clear spring. Kick the ball straight and follow through. Help the woman get
back to her feet. A pot of tea helps to pass the evening. Smoky fires lack flame and heat. The soft
cushion broke the man's fall. The salt breeze came across from the sea. The girl at the booth sold
fifty bonds.
"""
EVERYDAY = """
Good morning, and thank you for calling. Your order was sent on Monday and should arrive tomorrow.
If you would like to change the address, please tell me the new one now. I am sorry that the first
parcel was damaged. We will send you another one at no cost. The weather in the north will be cold
and windy, with a little rain in the evening. Take the second street on the left and walk to the
end of the park. The museum opens at ten in the morning and closes at six. Would you like a table by
the window, or do you prefer to sit outside? My sister bought a small house near the river last
summer. Remember to switch off the lights before you leave the office. The train to the airport
leaves every twenty minutes from platform four.
"""
NUMBERS = {"4": "four", "6": "six", "10": "ten", "20": "twenty", "50": "fifty"}


def words_of(text: str) -> list[str]:
    """Words, in lower case, without punctuation."""
    found = re.sub(r"[^a-z0-9' ]", " ", text.lower().replace("\n", " ")).split()
    return [NUMBERS.get(word, word) for word in found]


def errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Words to put in, leave out or change (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        before, row = row, [i]
        for j, other in enumerate(heard, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (word != other)))
    return row[-1]


def add_first_audio(report: Report, folder: Path, rounds: int) -> None:
    """How soon a voice is heard."""
    node: Any = TextToSpeech(model=str(folder / "hibari"))
    node.open(Context("voice", VirtualClock(), {}, {}))
    times = []
    for _ in range(rounds):
        start = perf_counter()
        outputs = iter(node.process(rm.Text(EVERYDAY)))
        while not isinstance(next(outputs), rm.Audio):
            pass
        times.append((perf_counter() - start) * 1e3)
        node.reset()
    node.close()
    found = spread(times)
    report.body["first_audio_ms"] = found
    report.table(
        ["TextToSpeech", "n", "p50", "p99", "max"],
        [["first audio, ms", str(rounds), *(f"{found[key]:.1f}" for key in ("p50", "p99", "max"))]],
    )
    report.claim("first audio", found["p50"], at_most=100, unit=" ms")


def add_turns(report: Report, folder: Path, rounds: int) -> None:
    """How soon it is known whether a turn is over."""
    node: Any = TurnDetector(model=str(folder / "smart-turn" / "smart-turn-v3.2-cpu.onnx"))
    node.open(Context("turn", VirtualClock(), {}, {}))
    noise = np.random.default_rng(0).standard_normal(9 * 16_000).astype(np.float32) / 100
    feeds = {node.model.inputs[0].name: np.zeros((1, 80, 800), np.float32)}
    times, bare = [], []
    for _ in range(rounds):
        start = perf_counter()
        node.model.run(feeds)
        bare.append((perf_counter() - start) * 1e3)
        node.reset()
        node.process(rm.Audio(noise, 16_000, 0))
        about = {"start_us": 1_000_000, "known_us": 1_250_000}
        node.process(rm.Json({"event": "start", **about}), "segments")
        about |= {"end_us": 8_800_000, "known_us": 9_000_000}
        start = perf_counter()
        (*_, verdict) = node.process(rm.Json({"event": "end", **about}), "segments")
        times.append((perf_counter() - start) * 1e3)
        if verdict.value["probability"] is None:
            raise RuntimeError("TurnDetector judged nothing")
    node.close()
    found = {"verdict": spread(times), "its model alone": spread(bare)}
    report.body["turn_ms"] = found
    report.table(
        ["TurnDetector, ms", "n", "p50", "p99", "max"],
        [
            [name, str(rounds), *(f"{each[key]:.1f}" for key in ("p50", "p99", "max"))]
            for name, each in found.items()
        ],
    )
    more = found["verdict"]["p50"] - found["its model alone"]["p50"]
    report.claim("a verdict on a turn, more than its model", more, at_most=10, unit=" ms")


def add_reading_back(report: Report, folder: Path) -> None:
    """Whether the voice is understood."""
    rows, figures = [], {}
    for name, text in (("Harvard", HARVARD), ("everyday", EVERYDAY)):
        sentences = re.findall(r"[^.?!]+[.?!]", " ".join(text.split()))
        voice = {"model": str(folder / "hibari"), "whole_texts": True}
        wrong = count = 0
        for sentence in sentences:
            said = run_node("TextToSpeech", [rm.Text(sentence.strip())], params=voice).data
            audio = [each for each in said if isinstance(each, rm.Audio)]
            blocks = [
                ("in", each) for each in run_node("AudioResample", audio, target_rate=16_000).data
            ]
            asr = {"model": str(folder / "whisper-tiny.en"), "partial_ms": 0, "language": "en"}
            heard: list[Any] = run_node("SpeechToText", blocks, params=asr).data
            texts = [each.text for each in heard if isinstance(each, rm.Text)]
            wrong += errors(words_of(sentence), words_of(" ".join(texts)))
            count += len(words_of(sentence))
        figures[name] = {"words": count, "errors": wrong, "wer": wrong / count}
        rows.append([name, str(len(sentences)), str(count), str(wrong), f"{wrong / count:.2%}"])
    report.body["reading_back"] = figures
    report.table(["what the voice says", "sentences", "words", "errors", "WER"], rows)
    for name, figure in figures.items():
        rate = 100 * figure["wer"]
        report.claim(f"WER of {name} sentences read back", rate, at_most=5, unit=" %")


def live(folder: Path, seconds: float, **params: object) -> list[tuple[float, dict[str, Any]]]:
    """The recogniser's events, each with the time of its arrival since the recording began, s."""
    pipeline = rm.Pipeline.load(CAPTIONS)
    pipeline.set_params("vad", model=str(folder / "silero-vad" / "silero_vad_op18_ifless.onnx"))
    pipeline.set_params("asr", model=str(folder / "whisper-tiny.en"), **params)
    pipeline.add("PassThrough", id=TOLD)
    pipeline.connect("asr:events", TOLD)
    samples, rate = recording("two_cities", seconds)
    size = round(rate * BLOCK_S)

    async def main() -> list[tuple[float, dict[str, Any]]]:
        found: list[tuple[float, dict[str, Any]]] = []
        async with pipeline.session() as session:
            start = perf_counter()

            async def feed() -> None:
                for index, at in enumerate(range(0, len(samples), size)):
                    await asyncio.sleep(start + (index + 1) * BLOCK_S - perf_counter())
                    pts_us = index * round(BLOCK_S * 1e6)
                    await session.send(rm.Audio(samples[at : at + size], rate, pts_us))
                await session.finish()

            feeder = asyncio.create_task(feed())
            found.extend(
                [
                    (perf_counter() - start, packet.data.value)
                    async for packet in session.outputs()
                    if packet.node == TOLD
                ]
            )
            await feeder
        return found

    return asyncio.run(main())


def matched(said: list[str], shown: list[str]) -> list[int]:
    """Which of the words that were said are shown in their place, other words left out."""
    blocks = SequenceMatcher(None, said, shown, autojunk=False).get_matching_blocks()
    return [index for block in blocks for index in range(block.a, block.a + block.size)]


def latencies(events: Iterable[tuple[float, dict[str, Any]]]) -> dict[str, list[float]]:
    """Of every word of the finals: s until it is shown, and until it is final."""
    segments: dict[int, list[tuple[float, dict[str, Any]]]] = {}
    for arrival, event in events:
        segments.setdefault(event["segment"], []).append((arrival, event))
    shown, final = [], []
    for told in segments.values():
        last_s, last = told[-1]
        words = [(piece, word) for word in last["words"] for piece in words_of(word["text"])]
        said = [piece for piece, _ in words]
        first_s = [last_s] * len(words)
        for arrival, event in reversed(told):
            for index in matched(said, words_of(event["text"])):
                first_s[index] = arrival
        for at_s, (_, word) in zip(first_s, words, strict=True):
            shown.append(at_s - word["end_us"] / 1e6)
            final.append(last_s - word["end_us"] / 1e6)
    return {"shown": shown, "final": final}


def add_captions(report: Report, folder: Path, seconds: float) -> None:
    """How soon captions are read."""
    found = latencies(live(folder, seconds))
    rows, figures = [], {}
    for name, values in found.items():
        shape = {key: percentile(values, at) for key, at in (("p50", 50), ("p95", 95))}
        figures[name] = {"n": len(values), **shape, "max": max(values)}
        rows.append([name, str(len(values)), *(f"{figures[name][k]:.2f}" for k in (*shape, "max"))])
    report.body["captions_s"] = figures
    report.table(["a word of live captions is, s", "n", "p50", "p95", "max"], rows)
    report.claim("a word is shown after, p95", figures["shown"]["p95"], at_most=1.5, unit=" s")


def main() -> int:
    """Run; exit code 1 if a claim is not met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=44, help="of the recording")
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    report = Report(
        "speech_live",
        versions=versions("numpy", "onnxruntime", "faster-whisper"),
        n=f"{options.rounds} rounds; {options.seconds:g} s of the recording",
    )
    folder = fetch_models.fetch()
    add_first_audio(report, folder, options.rounds)
    add_turns(report, folder, options.rounds)
    add_reading_back(report, folder)
    add_captions(report, folder, options.seconds)
    return report.end(options.json or RESULTS / "speech_live.json")


if __name__ == "__main__":
    sys.exit(main())
