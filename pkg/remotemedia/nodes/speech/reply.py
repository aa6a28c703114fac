"""Reply: the sentences of what a language model says, the first piece of it early."""

from __future__ import annotations

from collections.abc import Iterator

from remotemedia.data import Text
from remotemedia.nodes.text.collector import Ends, TextCollector

CLAUSE_ENDS = ",;:–—"


class Reply(TextCollector):
    """A `TextCollector` whose first piece may end at a clause.

    Parameters
    ----------
    first_from : int
        From so many characters on; 0: it ends where a sentence does.
    params : TextCollector.Params
    """

    def __init__(self, first_from: int, params: TextCollector.Params) -> None:
        super().__init__(params)
        self.least = max(first_from, params.min_sentence_length)
        self.first = self._early = first_from > 0

    def end(self) -> Iterator[Text]:
        """What is left of the reply; another begins."""
        self.first = self._early
        return self.finish()

    def reset(self) -> None:
        """Forget what is left of the reply; another begins."""
        self.first = self._early
        super().reset()

    def _ends(self) -> Ends:
        return _FirstPiece(self, super()._ends())


class _FirstPiece:
    """The ends of sentences, and those of clauses until there is a first piece."""

    def __init__(self, reply: Reply, sentences: Ends) -> None:
        self._reply = reply
        self._sentences = sentences
        self._position = 0

    def restart(self) -> None:
        self._reply.first = False
        self._position = 0
        self._sentences.restart()

    def find(self, text: str) -> int:
        end = self._sentences.find(text)
        if self._reply.first:
            until = end if end > 0 else len(text)
            for index in range(max(self._position, self._reply.least), until):
                if text[index].isspace() and text[index - 1] in CLAUSE_ENDS:
                    return index
            self._position = until
        return end
