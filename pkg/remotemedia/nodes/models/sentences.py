"""Sentences: what is to be said of streamed text, and when."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from remotemedia.data import Audio, Json, Text
from remotemedia.data.timeline import sample_time_us
from remotemedia.node import Emit, Output
from remotemedia.nodes.text.collector import TextCollector

MARKS = "marks"
"""The port that says which text each audio is."""
SPOKEN = "tts"
"""The channel of text that is meant to be heard."""
END_OF_TURN = "end_of_turn"
"""In the metadata of a text, as for `ConversationCoordinator`: nothing follows for now."""
LONGEST = 1000  # characters of a sentence


class SpokenStream:
    """One stream: the unfinished sentence, and where its audio is.

    Parameters
    ----------
    sample_rate : int
        Of the audio, Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self.collector = TextCollector(max_sentence_length=LONGEST)
        self.frames = 0
        self._rate = sample_rate
        self._start_us = 0
        self._since = 0  # frames since then

    def say(
        self, sentence: Text, samples: NDArray[np.float32], phonemes: str = "", last: bool = True
    ) -> Iterator[Output]:
        """A sentence or a part of one: its mark, and its audio.

        Parameters
        ----------
        sentence : Text
        samples : np.ndarray [shape=(n,)]
        phonemes : str
            Of this part; empty if they are not known.
        last : bool
            Nothing of the sentence follows.
        """
        start, self.frames = self.frames, self.frames + len(samples)
        pts_us = self._place(sentence.pts_us, start == 0)
        self._since += len(samples)
        mark = {
            "text": sentence.text,
            **({"phonemes": phonemes} if phonemes else {}),
            "last": last,
            "start_sample": start,
            "end_sample": self.frames,
        }
        stream = sentence.stream_id
        yield Emit(MARKS, Json(mark, pts_us=pts_us, stream_id=stream))
        yield Audio(
            samples, self._rate, pts_us=pts_us, stream_id=stream, metadata=sentence.metadata
        )

    def _place(self, pts_us: int | None, is_first: bool) -> int:
        """Where the next audio is, µs: at the wanted time, or behind what is before."""
        end_us = self._start_us + sample_time_us(self._since, self._rate)
        if pts_us is None or not (is_first or pts_us > end_us):
            return end_us
        self._start_us, self._since = pts_us, 0
        return pts_us


class Sentences:
    """Collects the sentences of all streams.

    Parameters
    ----------
    sample_rate : int
        Of their audio, Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._streams: dict[str | None, SpokenStream] = {}

    def add(self, text: Text, is_whole: bool = False) -> Iterator[tuple[SpokenStream, Text]]:
        """The sentences that a text completes; all of it if it `is_whole`."""
        if text.channel != SPOKEN:
            return
        stream = self._streams.get(text.stream_id)
        if stream is None:
            stream = self._streams[text.stream_id] = SpokenStream(self._rate)
        metadata = text.metadata
        if metadata and END_OF_TURN in metadata:
            is_whole = is_whole or metadata[END_OF_TURN] is True
            rest = {name: value for name, value in metadata.items() if name != END_OF_TURN}
            text = text.replace(metadata=rest or None)
        for sentence in stream.collector.process(text):
            yield stream, sentence
        if is_whole:
            for sentence in stream.collector.finish():
                yield stream, sentence

    def finish(self) -> Iterator[tuple[SpokenStream, Text]]:
        """What is left of every stream."""
        for stream in self._streams.values():
            for sentence in stream.collector.finish():
                yield stream, sentence

    def clear(self) -> None:
        """Forget all streams."""
        self._streams.clear()
