"""Data: the typed values that flow through a pipeline, one type per file.

A new type is a file here, a line in `TYPES`, a golden vector and its TypeScript twin.
"""

from __future__ import annotations

from remotemedia.data.audio import Audio
from remotemedia.data.base import Data, Metadata
from remotemedia.data.binary import Binary
from remotemedia.data.control import Control
from remotemedia.data.file import File
from remotemedia.data.image import Image
from remotemedia.data.json import Json
from remotemedia.data.packet import Packet
from remotemedia.data.tensor import Tensor
from remotemedia.data.text import Text
from remotemedia.data.video import Video

TYPES: tuple[type[Data], ...] = (
    Audio,
    Video,
    Text,
    Control,
    Tensor,
    File,
    Json,
    Image,
    Binary,
)
"""Every data type."""

DATA_TYPES: frozenset[type[Data]] = frozenset(TYPES)
"""The same as a set, for the test that every output of every node has to pass."""

BY_MEDIA: dict[str, type[Data]] = {kind.media: kind for kind in TYPES}
BY_WIRE_TYPE: dict[int, type[Data]] = {kind.wire_type: kind for kind in TYPES}

__all__ = [
    "BY_MEDIA",
    "BY_WIRE_TYPE",
    "DATA_TYPES",
    "TYPES",
    "Audio",
    "Binary",
    "Control",
    "Data",
    "File",
    "Image",
    "Json",
    "Metadata",
    "Packet",
    "Tensor",
    "Text",
    "Video",
]
