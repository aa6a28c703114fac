"""The backend ``onnxruntime``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from remotemedia.models.backend import ModelOptions

if TYPE_CHECKING:
    from remotemedia.models.backend import Model

INSTALL = "pip install 'remotemedia[native]'"


class OnnxRuntime:
    """Models by onnxruntime, on the CPU unless they ask for something else."""

    name = "onnxruntime"
    is_async = False

    def available(self) -> str:
        """Why it cannot be used here; empty if it can."""
        if importlib.util.find_spec("onnxruntime") is None:
            return f"onnxruntime is not installed: {INSTALL}"
        try:
            import onnxruntime
        except ImportError as error:  # a library that it needs is missing, or was built for others
            return f"onnxruntime cannot be imported: {error}: reinstall it, {INSTALL}"
        if not hasattr(onnxruntime, "InferenceSession"):
            return f"the folder of onnxruntime is broken: reinstall it, {INSTALL}"
        return ""

    def providers(self) -> list[str]:
        """What models can run on with this build."""
        from remotemedia_native.onnx.providers import available

        return available()

    def open(self, file: Path | bytes, options: ModelOptions) -> Model:
        """Open a model; see `SyncBackend.open`."""
        from remotemedia_native.onnx.model import OnnxModel
        from remotemedia_native.onnx.session import acquire

        shared = acquire(file, options.providers, options.threads)
        try:
            return OnnxModel(shared, options)
        except BaseException:
            shared.release()
            raise
