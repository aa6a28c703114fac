"""What onnxruntime can run a model on, by short names."""

from __future__ import annotations

import onnxruntime

from remotemedia.errors import UnavailableError, nearest

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
CPU = "cpu"

_SUFFIX = "ExecutionProvider"
_INSTALL = {
    "cuda": "pip install onnxruntime-gpu, with CUDA 12 and cuDNN 9",
    "tensorrt": "pip install onnxruntime-gpu, with TensorRT 10",
    "coreml": "onnxruntime for macOS has it",
    "directml": "pip install onnxruntime-directml, on Windows",
    "openvino": "pip install onnxruntime-openvino",
}


def available() -> list[str]:
    """What this onnxruntime was built for, by our names, its own preference first.

    That it was built for a device does not say that there is one.
    """
    names = {theirs: ours for ours, theirs in PROVIDERS.items()}
    return [
        names.get(each, each.removesuffix(_SUFFIX).lower())
        for each in onnxruntime.get_available_providers()
        if each != "AzureExecutionProvider"  # calls somebody else's server
    ]


def full_name(name: str) -> str:
    """What onnxruntime calls a provider.

    Raises
    ------
    UnavailableError
        There is none of that name, or this onnxruntime was not built for it.
    """
    ours = name.removesuffix(_SUFFIX).lower()
    ours = {"dml": "directml"}.get(ours, ours)
    theirs = {
        each.removesuffix(_SUFFIX).lower(): each for each in onnxruntime.get_available_providers()
    }
    found = PROVIDERS.get(ours) or theirs.get(ours)
    if found is None:
        known = list(dict.fromkeys([*PROVIDERS, *available()]))
        hint = nearest(ours, known) or f" (one of {', '.join(known)})"
        raise UnavailableError(f"onnxruntime knows no provider {name!r}{hint}")
    if found not in theirs.values():
        fix = _INSTALL.get(ours, "another build of onnxruntime has it")
        raise UnavailableError(f"this onnxruntime was built without {ours}: {fix}")
    return found
