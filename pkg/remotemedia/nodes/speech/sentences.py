"""Sentences: what is to be said of streamed text, and when."""

from __future__ import annotations

from collections.abc import Iterator

from remotemedia.data import Text
from remotemedia.data.timeline import sample_time_us
from remotemedia.nodes.text.collector import TextCollector

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

    def place(self, pts_us: int | None, frames: int) -> int:
        """Where audio of so many frames is, µs: at the wanted time, or behind what is before."""
        end_us = self._start_us + sample_time_us(self._since, self._rate)
        if pts_us is not None and (pts_us > end_us or not self.frames):
            self._start_us, self._since, end_us = pts_us, 0, pts_us
        self._since += frames
        self.frames += frames
        return end_us


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
