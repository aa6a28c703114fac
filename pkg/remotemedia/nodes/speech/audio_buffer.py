"""AudioBufferAccumulator: the audio of each segment of speech as one block."""

from __future__ import annotations

from typing import Annotated

import msgspec

from remotemedia.node import NodeParams
from remotemedia.nodes.speech.audio_commit import SpeculativeAudioCommit
from remotemedia.nodes.speech.utterance import Terms


class AudioBufferAccumulator(SpeculativeAudioCommit):
    """Collects the audio of each segment of speech and emits it as one block.

    A `SpeculativeAudioCommit` that waits for nothing: an utterance is a segment, from its start to
    its end, without a pre-roll. Ports, input cases and what is cancelled are described there.

    Latency: a segment comes with the block that follows the one with which its end is known.

    Examples
    --------
    Each segment of a recording, as one block::

        nodes:
          - {id: mic, node_type: PassThrough}
          - {id: vad, node_type: EnergyVAD}
          - {id: whole, node_type: AudioBufferAccumulator, params: {min_utterance_ms: 400}}
        connections:
          - {from: mic, to: vad}
          - {from: mic, to: whole}
          - {from: vad, to: "whole:segments"}
    """

    class Params(NodeParams, frozen=True):
        min_utterance_ms: Annotated[
            int,
            msgspec.Meta(ge=0, le=60_000, description="Shorter segments are dropped, ms."),
        ] = 250
        max_utterance_ms: Annotated[
            int,
            msgspec.Meta(ge=100, le=600_000, description="Length at which one is emitted, ms."),
        ] = 30_000

    def _terms(self) -> Terms:
        return Terms(0, 0, self.params.min_utterance_ms, self.params.max_utterance_ms)
