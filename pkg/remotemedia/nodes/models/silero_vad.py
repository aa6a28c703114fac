"""SileroVAD: finds speech by a neural network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
import numpy as np

from remotemedia.data import Audio
from remotemedia.data.timeline import Timeline
from remotemedia.errors import ModelError
from remotemedia.models.onnx_file import MadeFile, OnnxFile, called
from remotemedia.node import NodeParams
from remotemedia.nodes.analysis.energy_vad import Milliseconds
from remotemedia.nodes.analysis.speech_stream import AUDIO, SEGMENTS
from remotemedia.nodes.models.model_node import Run
from remotemedia.nodes.models.model_streams import PerModelStream
from remotemedia.nodes.models.silero_graph import as_products
from remotemedia.nodes.models.silero_numpy import SileroNumpy
from remotemedia.nodes.models.silero_stream import CONTEXT_MS, FRAME_MS, UNITS, SileroStream

if TYPE_CHECKING:
    from remotemedia.models.backend import Model

Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]


class SileroVAD(PerModelStream[SileroStream]):
    """Finds speech with Silero's network, which knows it from music, noise and breath.

    Port ``segments`` (the default output) emits two `Json` events per segment, port ``audio`` the
    samples of the segments and nothing else: both as `EnergyVAD`, whose place it can take, but that
    an ``end`` has ``probability``, the mean of the segment, instead of ``snr_db``.

    Method. Every 32 ms the network gives the probability of speech. A segment begins with the first
    frame whose probability reaches `threshold`; it ends where it fell below `negative_threshold`
    and did not reach `threshold` for `min_silence_ms`. What is not longer than `min_speech_ms` is
    no segment. It is given out with `speech_pad_ms` before and after, never into the one before.
    These are the segments of Silero's own `get_speech_timestamps` [1]_, but for one thing: where
    the silence between two segments is shorter than both their pads, that shares it between them,
    and here the first has its pad.

    Input cases. 8 or 16 kHz, any number of channels: their mean is looked at. NaN and infinity
    count as 0 but stay in the audio. Gaps, formats that change, and streams by `stream_id`, as
    `EnergyVAD`. Frames are counted from the start of the stream, so that what comes out does not
    depend on how the input is cut into blocks.

    Batches. Where so many live sessions of an event loop use the model that three frames or more
    come in one turn of the loop, they wait for one another, for at most `batch_ms`, and it runs on
    all at once, which takes a quarter of the time for each. Fewer never wait. 0: only those of the
    same turn are put together. null: every frame is by itself.

    Backends. ``onnxruntime`` natively, ``onnxruntime-web`` in a page, ``numpy`` in both: the same
    probabilities within 1e-3, but slower. Without `backend` it is the first that can be used. What
    runtimes are given is not the file itself but the same network as products of matrices, made of
    its weights, which takes them about half the time (`silero_graph`); other networks go as they
    are.

    Latency: a ``start`` and the audio come `min_speech_ms` after the sound, an ``end``
    `min_silence_ms`; each up to a frame later.

    References
    ----------
    .. [1] Silero Team, "Silero VAD: pre-trained enterprise-grade Voice Activity Detector",
           https://github.com/snakers4/silero-vad, MIT licence.

    Examples
    --------
    ::

        nodes:
          - {id: to16k, node_type: AudioResample, params: {target_rate: 16000}}
          - {id: vad, node_type: SileroVAD, params: {min_silence_ms: 500}}
          - {id: level, node_type: AudioLevel, params: {interval_ms: null}}
        connections:
          - {from: to16k, to: vad}
          - {from: "vad:audio", to: level}
    """

    class Params(NodeParams, frozen=True):
        model: Annotated[
            str,
            msgspec.Meta(description="Name of a known model, path, or URL with its SHA-256."),
        ] = "silero-vad"
        threshold: Annotated[
            Probability, msgspec.Meta(description="Probability from which on it is speech.")
        ] = 0.5
        negative_threshold: (
            Annotated[
                Probability,
                msgspec.Meta(
                    description="Probability below which it is none. Default: threshold - 0.15."
                ),
            ]
            | None
        ) = None
        min_speech_ms: Annotated[
            Milliseconds, msgspec.Meta(description="What is not longer is no speech, ms.")
        ] = 250
        min_silence_ms: Annotated[
            Milliseconds, msgspec.Meta(description="Silence that ends a segment, ms.")
        ] = 100
        speech_pad_ms: Annotated[
            Milliseconds, msgspec.Meta(description="Audio kept before and after speech, ms.")
        ] = 30
        batch_ms: (
            Annotated[
                Milliseconds,
                msgspec.Meta(
                    description="Longest wait for other sessions, where there are many, to run the "
                    "model on all at once, ms; null: every frame by itself."
                ),
            ]
            | None
        ) = 10

    input_caps = "audio(sample_rate=[8000, 16000], format=F32)"
    output_caps: ClassVar[Mapping[str, str]] = {SEGMENTS: "json", AUDIO: "audio(format=F32)"}
    capabilities = "passthrough"
    backends = ("onnxruntime", "onnxruntime-web", "numpy")
    own_backends = ("numpy",)
    aliases: ClassVar[Mapping[str, str]] = {
        "min_silence_duration_ms": "min_silence_ms",
        "min_speech_duration_ms": "min_speech_ms",
        "neg_threshold": "negative_threshold",
    }

    batch_axes: ClassVar[Mapping[str, int]] = {"input": 0, "state": 1, "output": 0, "stateN": 1}

    params: Params

    def own_model(self, name: str, file: Path | bytes) -> Model:
        """The model by numpy."""
        return SileroNumpy(OnnxFile.read(file))

    def quicker(self, file: Path | bytes) -> Path | bytes:
        """The network as products of matrices; a file that is another goes as it is."""
        try:
            return _as_products(file, None if isinstance(file, bytes) else file.stat().st_mtime_ns)
        except (OSError, ModelError):
            return file  # the backend says what is wrong with it

    def start(self, audio: Audio, timeline: Timeline) -> SileroStream:
        """The state of a stream that starts with this block."""
        return SileroStream(self.model, audio, self.params, timeline)

    def warm_up(self) -> Iterable[Run]:
        """Silence, at both rates."""
        for rate in (8000, 16000):
            size = rate * (FRAME_MS + CONTEXT_MS) // 1000
            feeds: dict[str, Any] = {
                "input": np.zeros((1, size), np.float32),
                "state": np.zeros((2, 1, UNITS), np.float32),
                "sr": np.array(rate, np.int64),
            }
            yield self.model, feeds


@lru_cache(maxsize=2)
def _as_products(file: Path | bytes, changed: int | None) -> MadeFile:
    """For all sessions of a process once."""
    return MadeFile(as_products(OnnxFile.read(file)), called(file))
