"""Denoise: takes the noise out of speech by a neural network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from remotemedia.data import Audio
from remotemedia.data.timeline import Timeline
from remotemedia.errors import ModelError
from remotemedia.models.store import Files
from remotemedia.node import NodeParams
from remotemedia.nodes.models.denoise_stream import (
    BINS,
    UNITS,
    WINDOW,
    DenoiseStream,
    Network,
)
from remotemedia.nodes.models.model_node import Run
from remotemedia.nodes.models.model_streams import PerModelStream


class Denoise(PerModelStream[DenoiseStream]):
    """Takes noise out of speech with DTLN, the Dual-Signal Transformation LSTM Network.

    As many samples come out as go in, at the same times: sample i of the output is sample i of the
    input without the noise. What is no speech, music too, counts as noise.

    Method [1]_. Every 8 ms a window of 32 ms goes through two networks. The first looks at the
    magnitudes of its spectrum and gives a mask for them; the phase stays. The second masks features
    of what comes of that, in the time domain. The windows are added up where they overlap. Both
    networks carry a state from window to window, by which they know the noise.

    Input cases. 16 kHz; each channel is cleaned by itself. Silence stays silence. NaN and infinity
    count as 0, and what is louder than 1e6 is cut off there. At a gap in the time stamps the tail
    comes out, as before silence, and the windows start anew after it, while the networks keep what
    they know of the noise; the first block after it carries ``gap_us`` in its metadata. Where the
    number of channels changes they start anew, too. Blocks of different `stream_id` are different
    streams. An empty block gives nothing. Other metadata are those of the block that completes the
    output. The samples are the same, bit for bit, however the input is cut into blocks.

    Latency: a sample waits for the 24 ms after its hop of 8 ms, so 24 to 32 ms.

    References
    ----------
    .. [1] N. L. Westhausen, B. T. Meyer, "Dual-Signal Transformation LSTM Network for Real-Time
           Noise Suppression", Proc. Interspeech 2020.

    Examples
    --------
    ::

        nodes:
          - {id: to16k, node_type: AudioResample, params: {target_rate: 16000}}
          - {id: clean, node_type: Denoise, params: {mix: 0.1}}
        connections:
          - {from: to16k, to: clean}
    """

    class Params(NodeParams, frozen=True):
        model: Annotated[
            str,
            msgspec.Meta(description="Name of a known model, folder, or URL with its SHA-256."),
        ] = "dtln"
        mix: Annotated[
            float,
            msgspec.Meta(ge=0, le=1, description="How much of the original is kept; 1: only that."),
        ] = 0.0

    input_caps = "audio(sample_rate=16000, format=F32)"
    output_caps = "audio(sample_rate=16000, format=F32)"
    capabilities = "passthrough"
    model_files = ("model_1.onnx", "model_2.onnx")
    live_params = ("mix",)

    params: Params

    def prepare(self, files: Files) -> None:
        """Check that the models are those of DTLN."""
        for name, model, size in zip(self.model_files, self.models, (BINS, WINDOW), strict=True):
            expected = [(1, 1, size), (1, 2, UNITS, 2)]
            for side, tensors in (("inputs", model.inputs), ("outputs", model.outputs)):
                shapes = [each.shape for each in tensors]
                if shapes != expected:
                    raise ModelError(
                        f"Denoise: {name} of model {self.model_reference!r} is not DTLN's: its "
                        f"{side} have the shapes {shapes}, not {expected}"
                    )

    def warm_up(self) -> Iterable[Run]:
        """Silence."""
        for model, size in zip(self.models, (BINS, WINDOW), strict=True):
            yield model, Network(model, size).feeds

    def start(self, audio: Audio, timeline: Timeline) -> DenoiseStream:
        """The state of a stream that starts with this block."""
        return DenoiseStream(self.models, audio, self.params.mix, timeline)

    def update(self, params: Params) -> None:
        """Another mix, from the next block on."""
        self.params = params
        for stream in self._streams.values():
            stream.mix = params.mix
