"""PerStream: what nodes share that follow each stream of audio by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import Any, Generic, Protocol, TypeVar

from remotemedia.data import Audio, Data
from remotemedia.data.timeline import Timeline
from remotemedia.errors import DataError
from remotemedia.node import Node, NodeParams

MAX_STREAMS = 4096  # per node; a sender that makes up ids must not fill the memory


class Stream(Protocol):
    """The state of one stream of audio."""

    timeline: Timeline

    def continues(self, audio: Audio) -> bool:
        """Whether the block belongs to the stream as it is: same rate, same channels."""

    def push(self, audio: Audio) -> list[Any]:
        """What the block completes."""

    def finish(self) -> Iterable[Any]:
        """The tail."""


S = TypeVar("S", bound=Stream)


class PerStream(Node, Generic[S]):
    """A node with a state per `Audio.stream_id`.

    When the format of a stream changes, its tail comes out and it starts anew, in the same time.
    """

    def __init__(self, params: NodeParams | None = None, **fields: object) -> None:
        super().__init__(params, **fields)
        self._streams: dict[str | None, S] = {}

    def start(self, audio: Audio, timeline: Timeline) -> S:
        """The state of a stream that starts with this block."""
        raise NotImplementedError

    def process(self, audio: Audio) -> Any:
        """What the block completes: one item, a list of several, or None."""
        stream = self._streams.get(audio.stream_id)
        if stream is None or not stream.continues(audio):
            done = self._begin(audio, stream)
        else:
            done = stream.push(audio)
        return done[0] if len(done) == 1 else done or None

    def _begin(self, audio: Audio, before: S | None) -> list[Any]:
        """The tail of the stream `before`, and what the first block of a new one completes."""
        timeline = Timeline(audio.sample_rate)
        tail: list[Any] = []
        if before is not None:
            tail += before.finish()
            timeline = before.timeline.continued(audio.sample_rate)
        else:
            check_streams(self, self._streams, audio)
        stream = self._streams[audio.stream_id] = self.start(audio, timeline)
        return [*tail, *stream.push(audio)]

    def finish(self) -> Iterator[Any]:
        """The tail of every stream."""
        while self._streams:
            yield from self._streams.pop(next(iter(self._streams))).finish()

    def reset(self) -> None:
        """Forget all streams."""
        self._streams.clear()

    def close(self) -> None:
        """Let go of all streams."""
        self._streams.clear()


def check_streams(node: Node, streams: Sized, data: Data) -> None:
    """Raise DataError if a node follows too many streams to begin one more."""
    if len(streams) >= MAX_STREAMS:
        raise DataError(
            f"{type(node).__name__} follows {MAX_STREAMS} streams already, and "
            f"{data.stream_id!r} would be one more: end the session, or reset it"
        )
