"""WAV files: read as they arrive, written so that what is there is always a valid file.

Pure Python and numpy, in both worlds; other formats are for `remotemedia_native.media_io`.
"""

from __future__ import annotations

from remotemedia.wav.decoder import WavDecoder, WavInfo
from remotemedia.wav.encoding import Encoding
from remotemedia.wav.writer import WavWriter

__all__ = ["Encoding", "WavDecoder", "WavInfo", "WavWriter"]
