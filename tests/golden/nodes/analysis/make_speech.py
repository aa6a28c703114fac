"""Writes speech.npy and speech.json: real speech, and where Silero VAD finds it.

    python make_speech.py two_cities.wav silero_vad_16k_op15.onnx     (needs scipy, onnxruntime)

The recording is in the wheel of moonshine-voice 0.1.5 (MIT), moonshine_voice/assets/two_cities.wav,
a reading of Dickens, "A Tale of Two Cities" (public domain); 12.4 s of it, at 8 kHz. The model is
in the wheel of silero-vad 6.2.3 (MIT). Segments are made of its probabilities as its own
get_speech_timestamps makes them, with its defaults. Nothing of remotemedia is used.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import scipy
from scipy.io import wavfile
from scipy.signal import resample_poly

HERE = Path(__file__).parent
START, END = 4.8, 17.2  # s, both in pauses
FRAME, CONTEXT = 512, 64


def probabilities(x: np.ndarray, model: str) -> list[float]:
    session = onnxruntime.InferenceSession(model)
    state = np.zeros((2, 1, 128), np.float32)
    x = np.concatenate([np.zeros(CONTEXT, np.float32), x.astype(np.float32)])
    found = []
    for start in range(0, len(x) - FRAME - CONTEXT + 1, FRAME):
        frame = x[np.newaxis, start : start + FRAME + CONTEXT]
        feed = {"input": frame, "state": state, "sr": np.array(16_000, np.int64)}
        output, state = session.run(None, feed)
        found.append(float(output[0, 0]))
    return found


def segments(found: list[float], frames: int) -> list[list[int]]:
    """Threshold 0.5 up and 0.35 down, speech ≥ 250 ms, silence ≥ 100 ms, 30 ms added around."""
    spans, start, silence = [], None, None
    for index, value in enumerate([*found, 0.0, 0.0, 0.0, 0.0, 0.0]):
        here = index * FRAME
        if value >= 0.5:
            silence = None
            start = here if start is None else start
        elif value < 0.35 and start is not None:
            silence = here if silence is None else silence
            if here - silence >= 1600:
                if silence - start > 4000:
                    spans.append([max(0, start - 480), min(frames, silence + 480)])
                start = silence = None
    return spans


def main(recording: str, model: str) -> None:
    rate, samples = wavfile.read(recording)
    assert rate == 48_000, rate
    part = samples[int(START * rate) : int(END * rate)] / 2**15
    at_16k = resample_poly(part, 1, 3)
    found = segments(probabilities(at_16k, model), len(at_16k))
    at_8k = np.rint(resample_poly(part, 1, 6) * 2**15).astype(np.int16)
    np.save(HERE / "speech.npy", at_8k)
    value = {
        "speech": f"moonshine-voice 0.1.5 two_cities.wav, {START} to {END} s, 8 kHz, int16",
        "licence": "MIT, as the wheel; the text is in the public domain",
        "segments": "Silero VAD 6.2.3 at 16 kHz, in samples at 8 kHz",
        "tools": f"onnxruntime {onnxruntime.__version__}, scipy {scipy.__version__}",
        "expected": [[a // 2, b // 2] for a, b in found],
    }
    (HERE / "speech.json").write_text(json.dumps(value, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
