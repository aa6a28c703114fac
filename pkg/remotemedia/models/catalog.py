"""The models that are known by name: where they come from, what they must be, whose licence."""

from __future__ import annotations

import msgspec

from remotemedia.errors import ModelNotFoundError, nearest


class ModelFile(msgspec.Struct, frozen=True):
    """One file of a model.

    Attributes
    ----------
    name : str
    size : int
        Bytes.
    sha256 : str
        Hexadecimal.
    url : str
        Where its makers have it; empty if only in the package.
    place : str
        Path in the package that carries it.
    """

    name: str
    size: int
    sha256: str
    url: str = ""
    place: str = ""


class KnownModel(msgspec.Struct, frozen=True):
    """A model with a name.

    Attributes
    ----------
    name, description, licence : str
    files : tuple of ModelFile
    package : str
        The distribution that carries it; empty if none.
    """

    name: str
    description: str
    licence: str
    files: tuple[ModelFile, ...]
    package: str = ""

    @property
    def size(self) -> int:
        """Of all files, bytes."""
        return sum(file.size for file in self.files)


_KNOWN = [
    KnownModel(
        "silero-vad",
        "speech or not, 8 and 16 kHz, version 6.2",
        "MIT",
        (
            ModelFile(
                "silero_vad_op18_ifless.onnx",
                2_845_718,
                "7671cd04b004e9076da0d4a7b1a5aec36adf161c39230c1cb94a4fd5db6bbd28",
                "https://github.com/snakers4/silero-vad/raw/v6.2/src/silero_vad/data/silero_vad_op18_ifless.onnx",
                "silero_vad/data/silero_vad_op18_ifless.onnx",
            ),
        ),
        "silero-vad",
    ),
]
CATALOG = {model.name: model for model in _KNOWN}


def known_model(name: str) -> KnownModel:
    """The model of that name.

    Raises
    ------
    ModelNotFoundError
        There is none; names the nearest.
    """
    if name not in CATALOG:
        hint = nearest(name, list(CATALOG)) or f" (one of {', '.join(CATALOG)})"
        raise ModelNotFoundError(f"no model is known by the name {name!r}{hint}")
    return CATALOG[name]
