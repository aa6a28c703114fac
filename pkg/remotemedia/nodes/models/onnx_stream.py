"""OnnxStream: one stream of audio that a model of an `OnnxNode` is run on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remotemedia.data import Audio, Data, Json, Metadata, Tensor
from remotemedia.data.timeline import Timeline, mark_gap
from remotemedia.errors import ModelError
from remotemedia.node import Emit
from remotemedia.nodes.models.model_node import Work

if TYPE_CHECKING:
    from remotemedia.nodes.models.onnx_binding import Binding
    from remotemedia.nodes.models.onnx_node import OnnxNode

Array = NDArray[Any]


class OnnxStream:
    """Cuts a stream into windows, and runs the model on each.

    Parameters
    ----------
    binding : Binding
    params : OnnxNode.Params
    audio : Audio
        Its first block, not yet pushed.
    timeline : Timeline
        Of its samples.
    """

    def __init__(
        self, binding: Binding, params: OnnxNode.Params, audio: Audio, timeline: Timeline
    ) -> None:
        self.timeline = timeline
        self._binding = binding
        self._params = params
        self._like = audio
        self._size = params.window_size
        self._hop = params.hop_size or params.window_size or 0
        self._gap_us = 0  # to be marked on the next output
        self._metadata: Metadata | None = None
        self._begin(0)

    def _begin(self, position: int) -> None:
        """Start anew at that sample: after `lead` zeros, without state."""
        self._feeds = self._binding.start()
        lead = self._params.lead
        self._pending: Array = np.zeros((self._like.channels, lead), np.float32)
        self._held = position - lead  # the first pending sample; also before those that skip
        self._covered = position  # end of the last window

    def continues(self, audio: Audio) -> bool:
        """Whether the block has the format of the stream."""
        like = self._like
        return audio.sample_rate == like.sample_rate and audio.channels == like.channels

    def push_block(self, audio: Audio) -> Work[list[Emit]]:
        """What the windows that a block completes give."""
        found: list[Emit] = []
        position = self.timeline.frames
        gap_us = self.timeline.feed(audio.pts_us, audio.frames)
        if gap_us:
            found += yield from self._end(position)
            self._gap_us += gap_us
        self._metadata = audio.metadata
        size = self._size
        if size is None:
            if audio.frames:
                found += yield from self._run(audio.samples, position, self.timeline.frames)
                self.timeline.forget(self.timeline.frames)
            return found
        samples = audio.samples
        skipped = self._held - position  # what lies between two windows is passed over
        if self._pending.shape[1]:
            samples = np.concatenate((self._pending, samples), axis=1)
        elif skipped > 0:
            samples = samples[:, skipped:]
        start = 0
        while start + size <= samples.shape[1]:
            first = self._held + start
            self._covered = first + size
            window = samples[:, start : start + size]
            start += self._hop
            found += yield from self._run(window, first + self._params.lead, first + size)
        # A copy, lest a few samples keep a long block alive.
        self._pending = samples[:, start:].copy()
        self._held += start
        self.timeline.forget(self._held + self._params.lead)
        return found

    def finish_all(self) -> Work[list[Emit]]:
        """The tail."""
        return (yield from self._end(self.timeline.frames))

    def _end(self, position: int) -> Work[list[Emit]]:
        """Run the model on what is left, with zeros behind it; `position` is its end."""
        found: list[Emit] = []
        size, rest = self._size, self._pending
        first = self._held + self._params.lead
        # Samples that no window has had yet, and that do not lie between two.
        if size is not None and self._params.pad_last and position > max(self._covered, first):
            window = np.zeros((len(rest), size), np.float32)
            window[:, : rest.shape[1]] = rest
            found = yield from self._run(window, first, position)
        self._begin(position)
        return found

    def _run(self, samples: Array, start: int, end: int) -> Work[list[Emit]]:
        arrays = yield from self._binding.run(self._feeds, samples)
        pts_us = self.timeline.pts_us(start)
        metadata = mark_gap(self._metadata, self._gap_us)
        self._gap_us = 0
        like, params = self._like, self._params
        span = {"start_sample": start, "end_sample": end}
        return [
            Emit(port, as_data(array, params, span, pts_us, like.stream_id, metadata))
            for port, array in arrays.items()
        ]


def as_data(
    array: Array,
    params: OnnxNode.Params,
    span: dict[str, int],
    pts_us: int | None,
    stream_id: str | None,
    metadata: Metadata | None,
) -> Data:
    """What a model has given, as the node gives it."""
    if params.gives == "json":
        value = {**span, "values": array.tolist()}
        return Json(value, pts_us=pts_us, stream_id=stream_id, metadata=metadata)
    array.setflags(write=False)  # so that it is taken as it is
    if params.gives == "tensor":
        return Tensor(array, pts_us=pts_us, stream_id=stream_id, metadata=metadata)
    shape = array.shape
    while array.ndim > 2 and len(array) == 1:
        array = array[0]
    if array.ndim not in (1, 2):
        raise ModelError(
            f"OnnxNode: model {params.model!r} gives {list(shape)}, which is no audio: that is [n] "
            "or [channels, n], with any number of 1 in front; or set gives to tensor"
        )
    rate = params.output_rate or params.sample_rate
    samples = array.astype(np.float32, copy=False)
    return Audio(samples, rate, pts_us=pts_us, stream_id=stream_id, metadata=metadata)
