"""EnergyVAD: finds speech by its energy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import msgspec

from remotemedia.data import Audio
from remotemedia.data.timeline import Timeline
from remotemedia.node import NodeParams
from remotemedia.nodes.analysis.speech_stream import (
    AUDIO,
    MIN_SAMPLE_RATE,
    SEGMENTS,
    SpeechStream,
)
from remotemedia.nodes.streams import PerStream

Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=60_000)]
Decibels = Annotated[float, msgspec.Meta(ge=0, le=100)]


class EnergyVAD(PerStream[SpeechStream]):
    """Finds speech by its energy, with thresholds that adapt to noise and to the speaker.

    Port ``segments`` (the default output) emits two `Json` events per segment, port ``audio`` the
    samples of the segments and nothing else:

    ==================  ===========================================================================
    ``event``           ``start``; or ``end``, which repeats the start
    ``segment``         number of the segment, from 1
    ``start_sample``    first sample, pre-roll included, counted from the start of the stream
    ``end_sample``      the sample after the last, hangover included (``end`` only)
    ``start_us``        the same as media time, µs; from the start of the stream where it has no
    ``end_us``          time stamps (``end_us``: ``end`` only, as all that follow but ``known_us``)
    ``duration_us``
    ``snr_db``          power of speech over noise in the band that is looked at; null if no noise
    ``reason``          ``silence`` or ``end_of_input``
    ``known_us``        media time up to which audio was needed to know it
    ==================  ===========================================================================

    A segment's ``start`` comes before its audio, its ``end`` after it. The first audio block of a
    segment carries ``gap_us`` in its metadata, the time left out before it; blocks have the length
    of a frame, but for the first and last of a segment.

    Method. A frame is active if its power between about 250 and 900 Hz, where voices are strong
    and hiss, breath, hum and rumble are weak, is

    * `threshold_db` above the noise floor, tracked by minimum statistics [1]_ over
      `noise_window_ms`; `release_db` suffices once there are active frames (hysteresis), and
    * not more than `speech_range_db` below the level of the speech so far, and
    * above `energy_threshold`.

    A segment begins when active frames outnumber the others by `min_speech_ms` since the first of
    them, so bursts that are shorter, however loud, and clicks do not count; it ends when none was
    active for `min_silence_ms`. It reaches from `pre_roll_ms` before the first active frame to
    `hangover_ms` after the last, never into the segment before. Noise that sets in or rises by more
    than `threshold_db` looks like speech until the floor has followed, for `noise_window_ms`.

    Input cases. Any rate from 4 kHz, any number of channels: power is averaged over them, so it
    does not matter in which one somebody speaks, nor with which phase. Events and audio blocks
    depend on the samples alone, bit for bit in every world (only `snr_db` within its tolerance),
    not on how they are cut into blocks. NaN and infinity count as 0 but stay in the audio. A gap
    in the time stamps does not end a segment; its audio is cut there and marked. Another rate or
    number of channels ends the stream, as `finish` does, and begins a new one. Blocks of different
    `stream_id` are different streams.

    Latency: ``start`` comes `min_speech_ms`, audio not more than that after the sound, ``end``
    the longer of `min_silence_ms` and `hangover_ms`; each up to a frame later.

    References
    ----------
    .. [1] R. Martin, "Noise power spectral density estimation based on optimal smoothing and
           minimum statistics", IEEE Trans. Speech Audio Process. 9 (5), 2001.

    Examples
    --------
    The segments of a 48 kHz recording, and the loudness of its speech::

        nodes:
          - {id: to16k, node_type: AudioResample, params: {target_rate: 16000}}
          - {id: mono, node_type: ChannelMix, params: {channels: 1}}
          - {id: vad, node_type: EnergyVAD, params: {min_silence_ms: 500}}
          - {id: level, node_type: AudioLevel, params: {interval_ms: null}}
        connections:
          - {from: to16k, to: mono}
          - {from: mono, to: vad}
          - {from: "vad:audio", to: level}
    """

    class Params(NodeParams, frozen=True):
        frame_ms: Annotated[
            int, msgspec.Meta(ge=5, le=100, description="Time between decisions, ms.")
        ] = 20
        adaptive: Annotated[
            bool, msgspec.Meta(description="False: only energy_threshold decides.")
        ] = True
        threshold_db: Annotated[
            Decibels, msgspec.Meta(description="How far speech is above the noise at least, dB.")
        ] = 7.0
        release_db: Annotated[
            Decibels,
            msgspec.Meta(description="The same once there is speech, dB; below threshold_db."),
        ] = 4.0
        speech_range_db: Annotated[
            Decibels,
            msgspec.Meta(description="How far soft speech may be below the mean of speech, dB."),
        ] = 23.0
        energy_threshold: Annotated[
            float,
            msgspec.Meta(
                ge=0, le=10, description="RMS in the band of voices below which nothing is speech."
            ),
        ] = 0.0002
        noise_window_ms: Annotated[
            int,
            msgspec.Meta(
                ge=100, le=60_000, description="How far back the noise is looked for, ms."
            ),
        ] = 3000
        min_speech_ms: Annotated[
            Milliseconds, msgspec.Meta(description="Speech that it takes for a segment, ms.")
        ] = 250
        min_silence_ms: Annotated[
            Milliseconds, msgspec.Meta(description="Silence that ends a segment, ms.")
        ] = 300
        pre_roll_ms: Annotated[
            Milliseconds, msgspec.Meta(description="Audio kept before the first active frame, ms.")
        ] = 60
        hangover_ms: Annotated[
            Milliseconds, msgspec.Meta(description="Audio kept after the last active frame, ms.")
        ] = 120

    input_caps = f"audio(sample_rate={MIN_SAMPLE_RATE}..768000, format=F32)"
    output_caps: ClassVar[Mapping[str, str]] = {SEGMENTS: "json", AUDIO: "audio(format=F32)"}
    capabilities = "passthrough"
    aliases: ClassVar[Mapping[str, str]] = {
        "frame_duration_ms": "frame_ms",
        "min_silence_duration_ms": "min_silence_ms",
        "min_speech_duration_ms": "min_speech_ms",
        "speech_pad_ms": "pre_roll_ms",
    }

    params: Params

    def start(self, audio: Audio, timeline: Timeline) -> SpeechStream:
        """The state of a stream that starts with this block."""
        return SpeechStream(audio, self.params, timeline)
