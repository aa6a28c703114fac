// The graphs that are measured.

/**
 * 48 kHz → mix, resample to 16 kHz, VAD, level, chunk. `heard`: what is resampled goes to the other ring, so that every
 * block has something to wait for; else the chunks of speech do.
 */
export function dspGraph(quality: string, heard = false): Record<string, unknown> {
  return {
    version: "v1",
    nodes: [
      { id: "mix", node_type: "ChannelMix", params: { channels: 1 } },
      { id: "to16k", node_type: "AudioResample", params: { target_rate: 16000, quality }, is_output_node: heard },
      { id: "level", node_type: "AudioLevel" },
      { id: "vad", node_type: "EnergyVAD" },
      { id: "chunk", node_type: "AudioChunker", params: { chunk_ms: 20 } },
    ],
    connections: [
      { from: "mix", to: "to16k" },
      { from: "to16k", to: "level" },
      { from: "to16k", to: "vad" },
      { from: "vad:audio", to: "chunk" },
    ],
  };
}

export const PASS = { version: "v1", nodes: [{ id: "pass", node_type: "PassThrough" }] };

/** The same five nodes, called by hand on the same blocks; gives seconds per block, of each round. */
export const DIRECT = `
import time
import numpy as np
import remotemedia as rm
from remotemedia.data.timeline import sample_time_us
from remotemedia.registry import default_registry


@rm.node("Direct", input_caps="audio", output_caps="json")
def direct(audio: rm.Audio, *, quality: str = "medium", rounds: int = 5):
    find = default_registry().find
    samples = audio.samples
    blocks = []
    for start in range(0, samples.shape[1] - 959, 960):
        part = np.ascontiguousarray(samples[:, start : start + 960])
        part.setflags(write=False)
        blocks.append(rm.Audio(part, audio.sample_rate, sample_time_us(start, audio.sample_rate)))

    def listed(result):
        if result is None:
            return ()
        return (result,) if isinstance(result, (rm.Data, rm.Emit)) else list(result)

    took = []
    for _ in range(rounds):
        mix = find("ChannelMix")(channels=1).process
        resample = find("AudioResample")(target_rate=16000, quality=quality).process
        level, vad = find("AudioLevel")().process, find("EnergyVAD")().process
        chunk = find("AudioChunker")(chunk_ms=20).process
        began = time.perf_counter()
        for block in blocks:
            for resampled in listed(resample(mix(block))):
                listed(level(resampled))
                for item in listed(vad(resampled)):
                    if isinstance(item, rm.Emit) and item.port == "audio":
                        listed(chunk(item.data))
        took.append((time.perf_counter() - began) / len(blocks))
    return rm.Json({"seconds_per_block": took, "blocks": len(blocks)})
`;
