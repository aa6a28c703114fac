"""openWakeWord's own code, on the files that scripts/models.toml pins."""

from __future__ import annotations

import importlib
import shutil
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

FRAME = 1280

Peer = Callable[[np.ndarray, Sequence[str]], dict[str, np.ndarray]]
"""From samples [dtype=int16] and words to the scores of each label, frame by frame."""


@contextmanager
def peer(models: Path, folder: Path) -> Iterator[Peer]:
    """Their `Model`; what it imports for training, downloads and progress bars is left out."""
    shutil.copytree(models / "openwakeword-peer", folder / "openwakeword")
    unused = {
        "requests": types.ModuleType("requests"),
        "tqdm": types.ModuleType("tqdm"),
        "openwakeword.custom_verifier_model": types.ModuleType("verifier"),
    }
    unused["tqdm"].tqdm = None
    unused["openwakeword.custom_verifier_model"].train_custom_verifier = None
    before = {name: sys.modules.get(name) for name in unused}
    sys.modules.update(unused)
    sys.path.insert(0, str(folder))
    try:
        theirs = importlib.import_module("openwakeword.model").Model

        def scores(samples: np.ndarray, words: Sequence[str]) -> dict[str, np.ndarray]:
            model = theirs(
                wakeword_models=[str(models / word / f"{word}_v0.1.onnx") for word in words],
                class_mapping_dicts=[],
                inference_framework="onnx",
                melspec_model_path=str(models / "openwakeword" / "melspectrogram.onnx"),
                embedding_model_path=str(models / "openwakeword" / "embedding_model.onnx"),
            )
            for _ in range(60):  # they begin with noise that is drawn anew; ours is silent before
                model.predict(np.zeros(FRAME, np.int16))
            frames = [samples[i : i + FRAME] for i in range(0, len(samples) - FRAME + 1, FRAME)]
            found = [dict(model.predict(frame)) for frame in frames]
            return {name: np.array([float(each[name]) for each in found]) for name in found[0]}

        yield scores
    finally:
        sys.path.remove(str(folder))
        for name in [each for each in sys.modules if each.split(".")[0] == "openwakeword"]:
            del sys.modules[name]
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module
