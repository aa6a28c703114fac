"""Text: a piece of text."""

from __future__ import annotations

from typing import ClassVar, Self

from remotemedia.data.base import Data, Metadata, check_common, require_text


class Text(Data, frozen=True, eq=False, gc=False):
    """A piece of text: a token, a sentence, a transcript.

    Parameters
    ----------
    text : str
        The text, without lone surrogates (it has to survive UTF-8).
    channel : str
        Which conversation it belongs to: ``tts`` is spoken, others are for the screen.
    """

    text: str
    channel: str = "tts"
    pts_us: int | None = None
    stream_id: str | None = None
    metadata: Metadata | None = None

    media: ClassVar[str] = "text"
    wire_type: ClassVar[int] = 3

    def _checked(self) -> Self:
        check_common(self)
        require_text("text", self.text)
        require_text("channel", self.channel)
        return self
