"""The backend ``onnxruntime-web``."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from remotemedia.errors import ModelError, UnavailableError, nearest
from remotemedia.models.backend import Model, ModelOptions
from remotemedia.models.onnx_file import called

PROVIDERS = {"cpu": "wasm", "wasm": "wasm", "webgpu": "webgpu"}


class OnnxRuntimeWeb:
    """Models by onnxruntime-web, in this worker: in WebAssembly, unless they ask for WebGPU."""

    name = "onnxruntime-web"
    is_async = True

    def available(self) -> str:
        """Why it cannot be used here; empty if it can."""
        if importlib.util.find_spec("remotemedia_onnx") is None:
            return "it runs in a page only, with @remotemedia/web"
        return ""

    def providers(self) -> list[str]:
        """What models can run on in this browser."""
        import remotemedia_onnx

        return list(remotemedia_onnx.providers())

    async def aopen(self, file: Path | bytes, options: ModelOptions) -> Model:
        """Open a model; see `SyncBackend.open`."""
        import remotemedia_onnx
        from pyodide.ffi import JsException, to_js

        from remotemedia_wasm.models.model import Runs, WebModel

        provider = self._choose(options.providers)
        content = file if isinstance(file, bytes) else file.read_bytes()
        name = called(file)
        runs = Runs()
        try:
            session: Any = await remotemedia_onnx.open(
                to_js(content), to_js([provider]), options.threads, runs.done
            )
        except JsException as error:
            runs.close()
            raise ModelError(
                f"{name} cannot be opened by onnxruntime-web: {_words(error)}"
            ) from None
        return WebModel(session, runs, json.loads(session.describe()), name, provider)

    def _choose(self, wanted: tuple[str, ...]) -> str:
        there = self.providers()
        for each in wanted or ("cpu",):
            if each not in PROVIDERS:
                hint = nearest(each, list(PROVIDERS)) or f" (one of {', '.join(PROVIDERS)})"
                raise UnavailableError(f"onnxruntime-web knows no provider {each!r}{hint}")
            if PROVIDERS[each] in there:
                return PROVIDERS[each]
        raise UnavailableError(
            f"this browser has no {' or '.join(wanted)} (it has {', '.join(there)}): add 'cpu' to "
            "the providers"
        )


def _words(error: Any) -> str:
    """What JavaScript says, without the name of its class."""
    return str(getattr(error, "message", "") or error)
