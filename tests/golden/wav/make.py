"""Makes the WAV files of this folder with SoX and FFmpeg, and what they hold, as read by others.

    apt-get install sox ffmpeg; .venv/bin/python tests/golden/wav/make.py

Made with SoX 14.4.2, FFmpeg 5.1, SciPy 1.17. For every NAME.wav, NAME.f32 is its samples as
interleaved little-endian float32, full scale ±1: read by SciPy, or by SoX where SciPy cannot.
"""

from __future__ import annotations

import struct
import subprocess
import warnings
from pathlib import Path

import numpy as np
from scipy.io import wavfile

HERE = Path(__file__).parent
SOX = {
    "pcm8": "-e unsigned-integer -b 8",
    "pcm16": "-e signed-integer -b 16",
    "pcm24-extensible": "-e signed-integer -b 24",
    "pcm32-extensible": "-e signed-integer -b 32",
    "float32": "-e floating-point -b 32",
    "float64": "-e floating-point -b 64",
    "alaw": "-e a-law",
    "mulaw": "-e u-law",
    "rifx16": "-e signed-integer -b 16 -B",
    "rifx24": "-e signed-integer -b 24 -B",
}
FFMPEG = {
    "rf64": "-c:a pcm_s16le -rf64 always",
    "ffmpeg-list-chunk": "-c:a pcm_s16le -metadata title=golden",
    "ffmpeg-pcm24": "-c:a pcm_s24le",
    "ffmpeg-f32-5.1": "-c:a pcm_f32le -ac 6",
}
BY_SOX = {"alaw", "mulaw", "rf64", "rifx24"}


def run(command: str, stdin: bytes | None = None) -> bytes:
    return subprocess.run(command, shell=True, check=True, input=stdin, capture_output=True).stdout


def sox_floats(path: Path) -> bytes:
    return run(f"sox {path} -t raw -e floating-point -b 32 -L -")


def scipy_floats(path: Path) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wavfile.WavFileWarning)
        _, samples = wavfile.read(path)
    if samples.dtype == np.uint8:
        return ((samples.astype(np.float64) - 128) / 128).astype("<f4").tobytes()
    if samples.dtype.kind == "i":  # 24 bits come as the upper ones of 32
        full = 2.0 ** (8 * samples.dtype.itemsize - 1)
        return (samples.astype(np.float64) / full).astype("<f4").tobytes()
    return samples.astype("<f4").tobytes()


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def by_hand(plain: bytes) -> dict[str, bytes]:
    """Rearrangements of a plain 16-bit file: 44 bytes of header, then samples."""
    form, samples = plain[20:36], plain[44:]
    parts = {b"fmt ": chunk(b"fmt ", form), b"data": chunk(b"data", samples)}
    junk = chunk(b"JUNK", b"an odd length") + chunk(b"LIST", b"INFOISFT\4\0\0\0abc\0")

    def riff(*chunks: bytes) -> bytes:
        return chunk(b"RIFF", b"WAVE" + b"".join(chunks))

    def with_sizes(riff_size: int, data_size: int) -> bytes:
        header = bytearray(plain[:44])
        header[4:8], header[40:44] = struct.pack("<I", riff_size), struct.pack("<I", data_size)
        return bytes(header) + samples

    return {
        "chunks-around": riff(junk, parts[b"fmt "], junk, parts[b"data"], junk),
        "data-before-fmt": riff(parts[b"data"], junk, parts[b"fmt "]),
        "stream-size-ffffffff": with_sizes(0xFFFFFFFF, 0xFFFFFFFF),
        "stream-size-0": with_sizes(0, 0),
        "never-finished": with_sizes(36, 0),
    }


def main() -> None:
    for old in [*HERE.glob("*.wav"), *HERE.glob("*.f32")]:
        old.unlink()
    source = HERE / "source.wav"
    # Two different channels, full scale reached, 400 frames at 8 kHz.
    run(
        f"sox -R -n -r 8000 -c 2 -b 32 -e floating-point {source} "
        "synth 0.05 sine 440 noise gain -n 0"
    )
    for name, options in SOX.items():
        run(f"sox -D {source} {options} {HERE / name}.wav")
    for name, options in FFMPEG.items():
        run(f"ffmpeg -y -loglevel error -i {HERE / 'pcm16.wav'} {options} {HERE / name}.wav")
    plain = (HERE / "pcm16.wav").read_bytes()
    for name, content in by_hand(plain).items():
        (HERE / f"{name}.wav").write_bytes(content)
    expected16 = scipy_floats(HERE / "pcm16.wav")
    for path in HERE.glob("*.wav"):
        if path.stem in by_hand(plain):
            floats = expected16
        elif path.stem in BY_SOX:
            floats = sox_floats(path)
        else:
            floats = scipy_floats(path)
        path.with_suffix(".f32").write_bytes(floats)
    source.unlink()
    source.with_suffix(".f32").unlink()


if __name__ == "__main__":
    main()
