"""A node of your own: edit it and press Apply, it runs in this tab."""

import numpy as np

import remotemedia as rm


@rm.node("Robot")
class Robot(rm.Node):
    """Multiplies audio by a sine: ring modulation, the robots of early television."""

    class Params(rm.Params, frozen=True):
        carrier_hz: float = 70.0

    input_caps = "audio(format=F32)"
    output_caps = "audio(format=F32)"
    capabilities = "passthrough"

    def open(self, ctx: rm.Context) -> None:
        self._phase = 0.0  # of the carrier, in turns

    def process(self, audio: rm.Audio) -> rm.Audio:
        step = self.params.carrier_hz / audio.sample_rate
        turns = self._phase + step * np.arange(audio.frames)
        self._phase = (self._phase + step * audio.frames) % 1.0
        carrier = np.sin(2 * np.pi * turns).astype(np.float32)
        return audio.with_samples(audio.samples * carrier)

    def reset(self) -> None:
        self._phase = 0.0
