"""A conversation with a voice that can be interrupted, in virtual time.

    python barge_in.py two_cities.wav

The assistant speaks; the user coughs, which stops nobody, and then speaks, which does.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np

import remotemedia as rm
from remotemedia.clock import sleep
from remotemedia.testing import VirtualClock, signals
from remotemedia.wav import WavDecoder

BLOCK_MS = 20
REPLY = (
    "It was the best of times. It was the worst of times. It was the age of wisdom. "
    "It was the age of foolishness. It was the epoch of belief."
)


@rm.node("ExampleVoice", input_caps="text", output_caps="audio(sample_rate=16000, format=F32)")
class Voice(rm.Node):
    """Speaks a sentence in real time: 60 ms of a tone for each character."""

    def open(self, ctx: rm.Context) -> None:
        self.clock = ctx.clock

    async def process(self, text: rm.Text) -> AsyncIterator[rm.Audio]:
        tone = signals.tone(220, 0.06 * len(text.text), sample_rate=16_000, amplitude=0.2)
        for block in signals.blocks(tone, ms=BLOCK_MS):
            yield block
            await sleep(self.clock, BLOCK_MS * 1000)


def conversation() -> rm.Pipeline:
    """Ears that hear speech, turns that are kept, and a voice."""
    p = rm.Pipeline()
    p.add("SpeculativeVADGate", id="ears")
    p.add("ConversationCoordinator", id="turns", barge_in_targets=["voice"], debounce_ms=250)
    p.add("ExampleVoice", id="voice")
    p.connect("ears:segments", "turns:segments").connect("ears:control", "turns:control")
    return p.connect("turns", "voice")


def microphone(path: str) -> rm.Audio:
    """4 s of silence with a cough after 2 s, then the first words of the recording."""
    decoder = WavDecoder()
    read = np.concatenate(list(decoder.feed(Path(path).read_bytes())), axis=1)
    assert decoder.info is not None
    rate = decoder.info.sample_rate
    speech = read[:1, rate : 5 * rate]
    hiss = np.random.default_rng(1).normal(0, 1e-4, (1, 4 * rate)).astype(np.float32)
    cough = np.random.default_rng(2).normal(0, 0.1, 120 * rate // 1000).astype(np.float32)
    hiss[0, 2 * rate : 2 * rate + cough.size] += cough
    return rm.Audio(np.concatenate([hiss, speech], axis=1), rate, pts_us=0)


class Conversation:
    """One session, and what happens in it."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.session = conversation().session(clock=clock)
        self.heard_ms = 0

    def say(self, what: str) -> None:
        print(f"{self.clock.now_us() / 1e6:6.2f} s  {what}")

    async def run(self, path: str) -> None:
        async with self.session:
            reading = asyncio.ensure_future(self.read())
            self.session.tap("ears:control", self.taken_back)
            await self.session.bus.publish("turns:in", rm.Text(REPLY))
            for block in signals.blocks(microphone(path), ms=BLOCK_MS):
                await self.session.send(block, "ears")
                await sleep(self.clock, BLOCK_MS * 1000)
            await self.session.finish()
            await reading
        said = round(60 * len(REPLY))
        self.say(f"the voice was heard for {self.heard_ms} of {said} ms")

    def taken_back(self, packet: rm.Packet) -> None:
        message = rm.read_message(packet.data)
        if isinstance(message, rm.CancelSpeculation):
            self.say(f"{message.from_us / 1e6:.2f} to {message.to_us / 1e6:.2f} s was no speech")

    async def read(self) -> None:
        async for packet in self.session.outputs():
            data = packet.data
            if packet.node == "voice":
                self.heard_ms += data.frames * 1000 // data.sample_rate
            elif packet.port == "events" and data.value["event"] == "state":
                self.say(f"turn: {data.value['state']}")
            elif packet.port == "control" and data.message_type == "barge_in":
                await self.session.interrupt(from_node="voice")
                self.say("the voice is silent")


if __name__ == "__main__":
    virtual = VirtualClock()
    virtual.run(Conversation(virtual).run(sys.argv[1]))
