"""Gain: makes audio louder or softer."""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np

from remotemedia.data import Audio
from remotemedia.node import Node, NodeParams


class Gain(Node):
    """Multiplies all samples by a constant.

    Nothing is clipped: float samples may go beyond ±1. Latency: none.

    Examples
    --------
    ::

        - {id: quieter, node_type: Gain, params: {gain_db: -6}}
    """

    class Params(NodeParams, frozen=True):
        gain_db: Annotated[
            float, msgspec.Meta(ge=-200, le=200, description="Gain, dB; 6.02 doubles the samples.")
        ] = 0.0

    input_caps = "audio(format=F32)"
    output_caps = "audio(format=F32)"
    capabilities = "passthrough"
    live_params = ("gain_db",)

    def __init__(self, params: NodeParams | None = None, **fields: object) -> None:
        super().__init__(params, **fields)
        self.update(self.params)

    def update(self, params: Params) -> None:
        """Another gain, from the next block on."""
        self.params = params
        self._factor = np.float32(10 ** (params.gain_db / 20))

    def process(self, audio: Audio) -> Audio:
        """The block times the gain."""
        return audio.with_samples(audio.samples * self._factor)
