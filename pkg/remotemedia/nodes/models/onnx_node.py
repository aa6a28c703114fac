"""OnnxNode: runs any ONNX model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import msgspec
import numpy as np

from remotemedia.caps import Caps, parse_caps
from remotemedia.data import Audio, Tensor
from remotemedia.data.timeline import Timeline
from remotemedia.errors import ParamsError
from remotemedia.models.backend import ModelOptions
from remotemedia.node import INPUT, OUTPUT, Emit, NodeParams
from remotemedia.nodes.models.model_node import Run, Work
from remotemedia.nodes.models.model_streams import PerModelStream
from remotemedia.nodes.models.onnx_binding import Array, Binding
from remotemedia.nodes.models.onnx_stream import OnnxStream, as_data
from remotemedia.nodes.streams import check_streams

if TYPE_CHECKING:
    from remotemedia.models.store import Files

_Samples = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
_Rate = Annotated[int, msgspec.Meta(ge=1, le=768_000)]
_Number = bool | int | float


class OnnxNode(PerModelStream[OnnxStream]):
    """Runs an ONNX model on audio or tensors: what it does is said by parameters alone.

    Each run has one input that takes the data; `constants` go to others; `state` is carried from
    one run to the next: what an output gives, an input takes in the next run, and 0 in the first.
    Sizes of a state that the model leaves open are 1.

    Audio (``takes: audio``) is given as ``[n]`` (mono), ``[channels, n]`` or ``[1, channels, n]``,
    by the number of dimensions that the input has. With `window_size` it is cut into windows,
    window k from sample ``k * hop_size - lead`` on, whatever the blocks that come in; without, each
    block is a run. The first `lead` samples of a window are what a model wants to see before the
    new ones: the first window has zeros there. What is left at the end has zeros behind it
    (`pad_last`), or is dropped. A tensor (``takes: tensor``) is a run, in the shape that it has.

    Before a run values become ``x * scale + offset``, in float32, and then what the input's dtype
    is; after it outputs become ``y * output_scale + output_offset``.

    Each port of `outputs` gives one output of the model, by default ``out`` the first that is no
    state: as a `Tensor`, as `Audio` (``[n]`` or ``[channels, n]``), or as `Json` with ``values``
    and, of audio, the ``start_sample`` and ``end_sample`` of the samples without the lead.

    Input cases. A gap in the time stamps ends what came before as the end of input does: after it
    windows are counted anew, without state, and the first output has ``gap_us`` in its metadata.
    Blocks of different `stream_id` are different streams. NaN and infinity go to the model as they
    are; `Json` cannot say them, which is an error. An output has the time of the first sample of
    its window after the lead. Where names, dtypes or shapes do not fit the model, the node does not
    open, and says what does.

    Latency: a sample waits for the last of its window.

    Examples
    --------
    A model that takes 10 ms at 16 kHz, and gives as much::

        - {id: net, node_type: OnnxNode, params: {model: ./m.onnx, window_size: 160, gives: audio}}

    Silero's model, as `SileroVAD` runs it; each frame of 32 ms is seen with 4 ms before it::

        - id: probability
          node_type: OnnxNode
          params:
            model: silero-vad
            input: input
            window_size: 576
            hop_size: 512
            lead: 64
            constants: {sr: 16000}
            state: {stateN: state}
            gives: json
    """

    class Params(NodeParams, frozen=True):
        model: Annotated[
            str,
            msgspec.Meta(description="Name of a known model, path, or URL with its SHA-256."),
        ]
        takes: Annotated[
            Literal["audio", "tensor"], msgspec.Meta(description="What the node is given.")
        ] = "audio"
        gives: Annotated[
            Literal["tensor", "audio", "json"], msgspec.Meta(description="What outputs become.")
        ] = "tensor"
        input: (
            Annotated[
                str,
                msgspec.Meta(description="Input of the model for the data. Default: the only one."),
            ]
            | None
        ) = None
        outputs: Annotated[
            dict[str, str], msgspec.Meta(description="Port → output of the model.")
        ] = msgspec.field(default_factory=dict)
        constants: Annotated[
            dict[str, _Number | list[_Number]],
            msgspec.Meta(description="Input of the model → what it is always given."),
        ] = msgspec.field(default_factory=dict)
        state: Annotated[
            dict[str, str],
            msgspec.Meta(description="Output of the model → input that has it in the next run."),
        ] = msgspec.field(default_factory=dict)
        sample_rate: Annotated[_Rate, msgspec.Meta(description="Of the audio, Hz.")] = 16_000
        channels: Annotated[int, msgspec.Meta(ge=1, le=256, description="Of the audio.")] = 1
        window_size: (
            Annotated[
                _Samples,
                msgspec.Meta(description="Samples in a run. Default: those of each block."),
            ]
            | None
        ) = None
        hop_size: (
            Annotated[
                _Samples,
                msgspec.Meta(
                    description="From one window to the next, samples. Default: its size."
                ),
            ]
            | None
        ) = None
        lead: Annotated[
            int,
            msgspec.Meta(
                ge=0, le=10_000_000, description="Samples of a window that precede the new ones."
            ),
        ] = 0
        pad_last: Annotated[
            bool, msgspec.Meta(description="Whether the last window is filled with zeros.")
        ] = True
        scale: Annotated[float, msgspec.Meta(description="Factor before a run.")] = 1.0
        offset: Annotated[float, msgspec.Meta(description="Added before a run.")] = 0.0
        output_scale: Annotated[float, msgspec.Meta(description="Factor after a run.")] = 1.0
        output_offset: Annotated[float, msgspec.Meta(description="Added after a run.")] = 0.0
        output_rate: (
            Annotated[
                _Rate, msgspec.Meta(description="Of audio that it gives, Hz. Default: sample_rate.")
            ]
            | None
        ) = None
        providers: Annotated[
            tuple[str, ...],
            msgspec.Meta(description="What to run on, the first choice first. Default: cpu."),
        ] = ()
        threads: Annotated[int, msgspec.Meta(ge=1, le=256, description="For one run.")] = 1
        timeout_ms: (
            Annotated[float, msgspec.Meta(gt=0, description="When a run is ended, ms.")] | None
        ) = None

    capabilities = "configured"
    params: Params

    def __init__(self, params: NodeParams | None = None, **fields: object) -> None:
        super().__init__(params, **fields)
        self._binding: Binding
        self._states: dict[str | None, dict[str, Array]] = {}  # of streams of tensors
        size, lead = self.params.window_size, self.params.lead
        if lead and (size is None or lead >= size):
            raise ParamsError(f"OnnxNode: lead={lead} must be less than window_size={size}")

    @classmethod
    def input_ports(cls, params: NodeParams) -> dict[str, Caps]:
        """Audio of the rate and channels given, or any tensor."""
        used = cast("OnnxNode.Params", params)
        audio = f"audio(sample_rate={used.sample_rate}, channels={used.channels}, format=F32)"
        return {INPUT: parse_caps(audio if used.takes == "audio" else "tensor")}

    @classmethod
    def output_ports(cls, params: NodeParams) -> dict[str, Caps]:
        """A port for each of `outputs`."""
        used = cast("OnnxNode.Params", params)
        rate = used.output_rate or used.sample_rate
        audio = f"audio(sample_rate={rate}, format=F32)"
        caps = parse_caps(audio if used.gives == "audio" else used.gives)
        return dict.fromkeys(used.outputs or [OUTPUT], caps)

    @property
    def model_options(self) -> ModelOptions:
        """How to run it."""
        return ModelOptions(self.params.providers, self.params.threads, self.params.timeout_ms)

    def prepare(self, files: Files) -> None:
        """See that the parameters fit the model."""
        self._binding = Binding(self.model, self.params)

    def warm_up(self) -> Iterable[Run]:
        """A window of silence."""
        if self.params.takes == "audio" and (size := self.params.window_size):
            silence = np.zeros((self.params.channels, size), np.float32)
            yield next(self._binding.run(self._binding.start(), silence))

    def start(self, audio: Audio, timeline: Timeline) -> OnnxStream:
        """The state of a stream that starts with this block."""
        return OnnxStream(self._binding, self.params, audio, timeline)

    def work(self, data: Any) -> Work[list[Any]]:
        """What the block or tensor gives."""
        if isinstance(data, Tensor):
            return (yield from self._on_tensor(data))
        return (yield from super().work(data))

    def _on_tensor(self, tensor: Tensor) -> Work[list[Any]]:
        feeds = self._states.get(tensor.stream_id)
        if feeds is None:
            check_streams(self, self._states, tensor)
            feeds = self._states[tensor.stream_id] = self._binding.start()
        arrays = yield from self._binding.run(feeds, tensor.values)
        about = tensor.pts_us, tensor.stream_id, tensor.metadata
        return [
            Emit(port, as_data(array, self.params, {}, *about)) for port, array in arrays.items()
        ]

    def reset(self) -> None:
        """Forget all streams."""
        self._states.clear()
        super().reset()

    def close(self) -> None:
        """Let go of the model and of all streams."""
        self._states.clear()
        super().close()
