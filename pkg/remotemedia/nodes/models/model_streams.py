"""PerModelStream: `PerStream`, for nodes that compute with a model."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

from remotemedia.data import Audio
from remotemedia.data.timeline import Timeline
from remotemedia.node import NodeParams
from remotemedia.nodes.models.model_node import ModelNode, Work
from remotemedia.nodes.streams import check_streams


class ModelStream(Protocol):
    """The state of one stream of audio."""

    timeline: Timeline

    def continues(self, audio: Audio) -> bool:
        """Whether the block belongs to the stream as it is: same rate, same channels."""

    def push_block(self, audio: Audio) -> Work[list[Any]]:
        """What the block completes."""

    def finish_all(self) -> Work[list[Any]]:
        """The tail."""


S = TypeVar("S", bound=ModelStream)


class PerModelStream(ModelNode, Generic[S]):
    """A node with a state per `Audio.stream_id`; see `PerStream`."""

    def __init__(self, params: NodeParams | None = None, **fields: object) -> None:
        super().__init__(params, **fields)
        self._streams: dict[str | None, S] = {}

    def start(self, audio: Audio, timeline: Timeline) -> S:
        """The state of a stream that starts with this block."""
        raise NotImplementedError

    def work(self, audio: Audio) -> Work[list[Any]]:
        """What the block completes."""
        stream = self._streams.get(audio.stream_id)
        if stream is None or not stream.continues(audio):
            return self._begin(audio, stream)
        return stream.push_block(audio)

    def _begin(self, audio: Audio, before: S | None) -> Work[list[Any]]:
        """The tail of the stream `before`, and what the first block of a new one completes."""
        timeline = Timeline(audio.sample_rate)
        tail: list[Any] = []
        if before is not None:
            tail = yield from before.finish_all()
            timeline = before.timeline.continued(audio.sample_rate)
        else:
            check_streams(self, self._streams, audio)
        stream = self._streams[audio.stream_id] = self.start(audio, timeline)
        done = yield from stream.push_block(audio)
        return tail + done

    def tail(self) -> Work[list[Any]]:
        """The tail of every stream."""
        found: list[Any] = []
        while self._streams:
            found += yield from self._streams.pop(next(iter(self._streams))).finish_all()
        return found

    def reset(self) -> None:
        """Forget all streams."""
        self._streams.clear()

    def close(self) -> None:
        """Let go of the model and of all streams."""
        self._streams.clear()
        super().close()
