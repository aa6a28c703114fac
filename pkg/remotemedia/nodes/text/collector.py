"""TextCollector: sentences out of streamed text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Protocol

import msgspec

from remotemedia.data import Metadata, Text
from remotemedia.errors import ParamsError
from remotemedia.node import Node, NodeParams

STOPS = ".!?…"
WIDE_STOPS = "。！？｡"  # no space follows these
CLOSERS = "\"'”’»)]}」』）"
OPENERS = "\"'“‘„«([{「『（"
ABBREVIATIONS = frozenset(
    "approx apr aug bros bzw ca capt cf co corp dec dept dr etc feb fr ggf hon hr inc jan jr jul "
    "jun lt ltd maj messrs mlle mme mr mrs ms mt nov nr oct pp prof rev sept sgt sr st tel usw vol "
    "vs".split()
)
LONGEST_WORD = 16  # characters looked at before a full stop

_DOTTED = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]")
_SYNTAX = re.compile(
    r"\\. | \[\^?\]?(?:\\.|[^\]\\])*\] | \(\?<?[=!]"  # escape, set, lookaround: all harmless
    r"| (?P<group>\() | (?P<quantifier>(?:[*+?]|\{[0-9,]*\})[?+]?)",
    re.VERBOSE | re.DOTALL,
)


class TextCollector(Node):
    r"""Collects streamed text, such as the tokens of a language model, into sentences.

    A sentence ends after ``. ! ? …`` and any closing quotes or brackets, when white space follows;
    after ``。 ！ ？`` when anything follows; and at a line break. The full stop of an abbreviation
    (``Dr.``, ``e.g.``, ``U.S.``), of an initial (``J. Bach``), of a number at the start of a
    sentence (``1. Wash``) and within a number (``3.14``) ends nothing. A sentence shorter than
    `min_sentence_length` is kept and opens the next; one that reaches `max_sentence_length` is cut
    at its last space. White space around sentences is dropped.

    With `split_pattern` a sentence ends after every match of that regular expression instead, once
    a character follows the match.

    Input cases. Every pair of `stream_id` and `channel` is collected by itself. A sentence carries
    the time stamp of the text in which it begins and the metadata of that in which it ends. At the
    end what is left is emitted, or dropped if `yield_partial_on_end` is false.

    Time is linear in the length of the text, whatever it is. As Python cannot stop a regular
    expression that backtracks without end, `split_pattern` may contain one quantifier (one of
    ``* + ? {}``) and no group; lookarounds are allowed.

    Latency: the end of a sentence is known with the first character after it.

    Examples
    --------
    ::

        - {id: sentences, node_type: TextCollector}
        - {id: clauses, node_type: TextCollector, params: {split_pattern: '[.!?,;:\n]+'}}
    """

    class Params(NodeParams, frozen=True):
        split_pattern: (
            Annotated[
                str,
                msgspec.Meta(
                    min_length=1,
                    max_length=200,
                    description="Regular expression after which a sentence ends, with at most one "
                    "quantifier and no group. Default: the rules of the node.",
                ),
            ]
            | None
        ) = None
        min_sentence_length: Annotated[
            int,
            msgspec.Meta(
                ge=0, le=2000, description="Shorter ones are joined to the next, characters."
            ),
        ] = 3
        max_sentence_length: Annotated[
            int,
            msgspec.Meta(ge=16, le=10_000, description="Longer ones are cut, characters."),
        ] = 2000
        yield_partial_on_end: Annotated[
            bool, msgspec.Meta(description="Whether to emit an unfinished sentence at the end.")
        ] = True

    input_caps = "text"
    output_caps = "text"
    aliases: ClassVar[Mapping[str, str]] = {
        "min_length": "min_sentence_length",
        "pattern": "split_pattern",
    }

    params: Params

    def __init__(self, params: NodeParams | None = None, **fields: object) -> None:
        super().__init__(params, **fields)
        pattern = self.params.split_pattern
        self._pattern = None if pattern is None else _compiled(pattern)
        self._open: dict[tuple[str | None, str], _Sentence] = {}

    def process(self, data: Text) -> Iterator[Text]:
        """The sentences that the text completes."""
        key = data.stream_id, data.channel
        sentence = self._open.pop(key, None) or _Sentence(self._ends())
        ended = list(sentence.add(data, self.params))
        if sentence.text:
            self._open[key] = sentence
        yield from ended

    def finish(self) -> Iterator[Text]:
        """What is left of every stream."""
        left, self._open = self._open, {}
        for (stream_id, channel), sentence in left.items():
            text = sentence.text.strip()
            if text and self.params.yield_partial_on_end:
                yield Text(text, channel, sentence.pts_us, stream_id, sentence.metadata)

    def reset(self) -> None:
        """Forget all unfinished sentences."""
        self._open.clear()

    def close(self) -> None:
        """Let go of all unfinished sentences."""
        self._open.clear()

    def _ends(self) -> Ends:
        return _Rules() if self._pattern is None else _Matches(self._pattern)


class Ends(Protocol):
    """Finds where sentences end, in a text that grows at its end."""

    def find(self, text: str) -> int:
        """Where the next sentence ends, as far as can be told by now; -1 for nowhere."""

    def restart(self) -> None:
        """The text has been cut: begin at its start again."""


class _Sentence:
    """The sentence that one stream is in; its text never begins with white space."""

    def __init__(self, ends: Ends) -> None:
        self.text = ""
        self.pts_us: int | None = None
        self.metadata: Metadata | None = None
        self._ends = ends

    def add(self, data: Text, params: TextCollector.Params) -> Iterator[Text]:
        limit = params.max_sentence_length
        self.metadata = data.metadata
        # Piece by piece: what is held stays short, so cutting it costs little.
        for first in range(0, len(data.text), limit):
            piece = data.text[first : first + limit]
            if not self.text:
                self.pts_us = data.pts_us
                piece = piece.lstrip()
            self.text += piece
            while (end := self._next_end(params.min_sentence_length, limit)) > 0:
                sentence = self.text[:end].rstrip()
                self.text = self.text[end:].lstrip()
                self._ends.restart()
                pts_us, self.pts_us = self.pts_us, data.pts_us
                yield Text(sentence, data.channel, pts_us, data.stream_id, data.metadata)

    def _next_end(self, shortest: int, limit: int) -> int:
        while (end := self._ends.find(self.text)) > 0:
            if len(self.text[:end].rstrip()) >= max(1, shortest):
                return end
        if len(self.text) < limit:
            return -1
        space = self.text.rfind(" ", 1, limit)
        return space if space > 0 else limit


class _Rules:
    """The ends that `TextCollector` describes; looks at every character once."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._position = 0
        self._stop = -1  # where the stop is after which a sentence may end
        self._wide = False
        self._blank = True  # nothing but white space since the last end

    def find(self, text: str) -> int:
        for index in range(self._position, len(text)):
            char = text[index]
            if self._stop >= 0:
                if char in STOPS or char in CLOSERS:
                    continue
                if char in WIDE_STOPS:
                    self._wide = True
                    continue
                stop, self._stop = self._stop, -1
                if self._wide or (char.isspace() and not _stop_within(text, stop)):
                    self._position, self._wide, self._blank = index, False, True
                    return index
            if char == "\n" and not self._blank:
                self._position, self._blank = index + 1, True
                return index + 1
            if char in STOPS or char in WIDE_STOPS:
                self._stop, self._wide = index, char in WIDE_STOPS
            if not char.isspace():
                self._blank = False
        self._position = len(text)
        return -1


class _Matches:
    """An end after every match of a pattern that something follows."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self._position = 0

    def restart(self) -> None:
        self._position = 0

    def find(self, text: str) -> int:
        start = self._position
        while match := self._pattern.search(text, start):
            end = match.end()
            if end == len(text):
                break  # it may go on
            if end > self._position:
                self._position = end
                return end
            start += 1
        return -1


def _stop_within(text: str, stop: int) -> bool:
    """Whether the stop belongs to an abbreviation, an initial or the number of a list item."""
    if text[stop] != "." or text[stop + 1 : stop + 2] in tuple(STOPS):
        return False
    words = text[max(0, stop - LONGEST_WORD) : stop].split()
    word = words[-1].lstrip(OPENERS) if words else ""
    return (
        word.lower() in ABBREVIATIONS
        or (len(word) == 1 and word.isupper() and word != "I")
        or _DOTTED.fullmatch(word) is not None
        or (word.isdigit() and stop == len(word))
    )


def _compiled(pattern: str) -> re.Pattern[str]:
    """The pattern, unless a text could make it run for ever.

    One quantifier and no alternatives but at the top leave at most length² ways to match.
    """
    syntax = [match.lastgroup for match in _SYNTAX.finditer(pattern)]
    if "group" in syntax or syntax.count("quantifier") > 1:
        raise ParamsError(
            f"TextCollector: split_pattern {pattern!r} may have one quantifier (* + ? {{}}) and no "
            "group, so that no text can stall it: write, for example, [.!?]+"
        )
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ParamsError(f"TextCollector: split_pattern {pattern!r}: {error}") from None
