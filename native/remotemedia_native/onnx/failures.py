"""What onnxruntime raises, as errors that say which model, why, and the fix."""

from __future__ import annotations

import re

from remotemedia.errors import ModelError

_OPSET = re.compile(
    r"Opset (\d+) is under development.*domain (\S+) is till opset (\d+)", re.DOTALL
)
_IR = re.compile(r"Unsupported model IR version: (\d+), max supported IR version: (\d+)")
_OPERATION = re.compile(r"No Op registered for (\S+) with domain_version of (\d+)")
_MEMORY = re.compile(r"Failed to allocate memory(?:.* of size (\d+))?|bad.?alloc", re.IGNORECASE)
_BROKEN = ("INVALID_PROTOBUF", "No graph was found")
_TERMINATED = "terminate flag"
# Where in onnxruntime's own source it was raised says nothing to a user of a model.
_NOISE = re.compile(
    r"^\[ONNXRuntimeError\] : \d+ : \w+ : |/onnxruntime_src/\S+ .*?\) (?=[A-Z0-9a-z])"
)
MIB = 2**20


def why_not_opened(name: str, error: Exception, version: str) -> ModelError:
    """What is wrong with a model that onnxruntime refuses.

    Parameters
    ----------
    name : str
        The model, for people.
    error : Exception
        What onnxruntime raised.
    version : str
        Of onnxruntime.
    """
    text = str(error)
    newer = f"onnxruntime {version}: pip install -U onnxruntime, or export the model"
    if found := _OPSET.search(text):
        ours, domain, highest = found.groups()
        return ModelError(
            f"{name} uses opset {ours} of {domain}, and {highest} is the highest supported by "
            f"{newer} with opset {highest}"
        )
    if found := _IR.search(text):
        return ModelError(
            f"{name} has IR version {found[1]}, and {found[2]} is the highest supported by {newer} "
            "with an older onnx"
        )
    if found := _OPERATION.search(text):
        return ModelError(
            f"{name} uses the operation {found[1]} of opset {found[2]}, which onnxruntime "
            f"{version} does not have: pip install -U onnxruntime, or export the model without it"
        )
    if any(sign in text for sign in _BROKEN):
        return ModelError(
            f"{name} is no ONNX model, or only part of one: get the file again, and see that it is "
            "no page of HTML or pointer of Git LFS"
        )
    if memory := _out_of_memory(text, error):
        return ModelError(f"{name} does not fit in memory{memory}")
    return ModelError(f"{name} cannot be opened by onnxruntime {version}: {_short(text)}")


def why_failed(name: str, error: Exception) -> ModelError:
    """What went wrong in a run."""
    text = str(error)
    if memory := _out_of_memory(text, error):
        return ModelError(
            f"{name} ran out of memory{memory}: give it shorter inputs or a smaller batch"
        )
    return ModelError(f"{name} failed in a run: {_short(text)}")


def is_terminated(error: Exception) -> bool:
    """Whether a run was ended from outside."""
    return _TERMINATED in str(error)


def _out_of_memory(text: str, error: Exception) -> str:
    found = _MEMORY.search(text)
    if found is None:
        return " (MemoryError)" if isinstance(error, MemoryError) else ""
    return f" ({int(found[1]) / MIB:,.0f} MiB at once)" if found[1] else " (allocation failed)"


def _short(text: str) -> str:
    for _ in range(8):
        shorter = _NOISE.sub("", text, count=1)
        if shorter == text:
            break
        text = shorter
    return " ".join(text.split())[:1000]
