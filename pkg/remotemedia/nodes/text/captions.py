"""Captions: SRT or WebVTT out of what was said, and when."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from remotemedia.data import Json, Text
from remotemedia.node import Node, NodeParams
from remotemedia.nodes.text.transcript import Final, Word, read_final

HEADER = "WEBVTT\n"
STOPS = ".!?…。！？"

_Milliseconds = Annotated[int, msgspec.Meta(ge=100, le=60_000)]


class Captions(Node):
    """Makes captions of ``final`` events, as SRT [1]_ or WebVTT [2]_.

    Each cue is one `Text`. Written as lines, as ``-o captions.txt`` does, the texts of a stream are
    a file of the format: a line break behind each makes the blank line between cues. JSON
    of other kinds is passed over, so all events of a recogniser may be connected.

    Words are taken into a cue as long as they fit into its lines and its `max_ms`; it also ends
    with a sentence, once it is `min_ms` long. It stands from the start of its first word to the end
    of its last, but for `min_ms` at least and `max_ms` at most. Cues do not overlap: where the one
    before has to stand longer than its words, the next one begins as much later.

    Input cases. An event without words has those of its text, evenly spread over its time. White
    space in words is one space; a word that is longer than a cue is cut. ``& < >`` are escaped in
    WebVTT; ``-->`` becomes an arrow in SRT, which cannot escape it. Times before 0 are 0. Streams
    by `stream_id` have cues and numbers of their own. WebVTT of a stream without cues is its
    header, if there was an event.

    Latency: none, cues come with their event.

    References
    ----------
    .. [1] SubRip text file format, Library of Congress, fdd000569.
    .. [2] WebVTT: The Web Video Text Tracks Format, W3C.

    Examples
    --------
    ::

        - {id: captions, node_type: Captions, params: {format: webvtt}}
    """

    class Params(NodeParams, frozen=True):
        format: Annotated[
            Literal["srt", "webvtt"], msgspec.Meta(description="Format of the captions.")
        ] = "srt"
        line_length: Annotated[
            int, msgspec.Meta(ge=8, le=200, description="Characters of a line at most.")
        ] = 42
        lines: Annotated[int, msgspec.Meta(ge=1, le=4, description="Lines of a cue at most.")] = 2
        min_ms: Annotated[
            _Milliseconds, msgspec.Meta(description="How long a cue stands at least, ms.")
        ] = 1000
        max_ms: Annotated[
            _Milliseconds,
            msgspec.Meta(description="And at most, ms; not less than min_ms, which wins."),
        ] = 7000

    input_caps = "json"
    output_caps = "text"

    params: Params

    def __init__(self, params: NodeParams | None = None, **fields: object) -> None:
        super().__init__(params, **fields)
        self._streams: dict[str | None, _Cues] = {}

    def process(self, data: Json) -> Iterator[Text]:
        """The cues of an event."""
        if (final := read_final(data)) is None:
            return
        cues = self._streams.setdefault(data.stream_id, _Cues(self.params))
        for start_us, text in cues.of(final):
            yield Text(text, "captions", start_us, data.stream_id, data.metadata)

    def finish(self) -> Iterator[Text]:
        """The header of every stream that has no cue."""
        for stream_id, cues in self._streams.items():
            if cues.head:
                yield Text(cues.head, "captions", None, stream_id)
        self._streams.clear()

    def reset(self) -> None:
        """Forget all streams."""
        self._streams.clear()

    def close(self) -> None:
        """Let go of all streams."""
        self._streams.clear()


class _Cues:
    """The cues of one stream."""

    def __init__(self, params: Captions.Params) -> None:
        self._webvtt = params.format == "webvtt"
        self.head = HEADER if self._webvtt else ""
        self._width, self._lines = params.line_length, params.lines
        self._min_us = params.min_ms * 1000
        self._max_us = max(params.min_ms, params.max_ms) * 1000
        self._number = 0
        self._end_us = 0  # of the last cue

    def of(self, final: Final) -> Iterator[tuple[int, str]]:
        """Start and text of each cue of the event."""
        cue: list[Word] = []
        for word in self._words(final):
            if cue and not self._fits(cue, word):
                yield self._cue(cue)
                cue = []
            cue.append(word)
        if cue:
            yield self._cue(cue)

    def _words(self, final: Final) -> Iterator[Word]:
        words = final.words
        if not words:
            texts = final.text.split()
            span = final.end_us - final.start_us
            edges = [final.start_us + span * i // max(1, len(texts)) for i in range(len(texts) + 1)]
            words = tuple(map(Word, texts, edges, edges[1:]))
        longest = self._width * self._lines
        for word in words:
            text = " ".join(word.text.split())
            for first in range(0, len(text), longest):
                yield Word(text[first : first + longest], word.start_us, word.end_us)

    def _fits(self, cue: list[Word], word: Word) -> bool:
        start_us, end_us = cue[0].start_us, cue[-1].end_us
        if cue[-1].text.rstrip("\"'”’)")[-1:] in tuple(STOPS) and end_us - start_us >= self._min_us:
            return False
        if word.end_us - start_us > self._max_us:
            return False
        return len(self._broken([*cue, word])) <= self._lines

    def _broken(self, cue: list[Word]) -> list[str]:
        return textwrap.wrap(
            " ".join(word.text for word in cue), self._width, break_on_hyphens=False
        )

    def _cue(self, cue: list[Word]) -> tuple[int, str]:
        start_us = max(cue[0].start_us, self._end_us)
        shown_us = min(max(cue[-1].end_us - start_us, self._min_us), self._max_us)
        self._end_us = start_us + shown_us
        self._number += 1
        text = "\n".join(self._broken(cue))
        if self._webvtt:
            text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        else:
            text = text.replace("-->", "→")
        head, self.head = self.head and f"{self.head}\n", ""
        number = "" if self._webvtt else f"{self._number}\n"
        return start_us, f"{head}{number}{self._span(start_us)}{text}\n"

    def _span(self, start_us: int) -> str:
        mark = "." if self._webvtt else ","
        return f"{_clock(start_us, mark)} --> {_clock(self._end_us, mark)}\n"


def _clock(time_us: int, mark: str) -> str:
    seconds, ms = divmod(time_us // 1000, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{mark}{ms:03}"
