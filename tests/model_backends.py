"""Backends of models for tests, in numpy: their "files" are of no matter, they multiply."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remotemedia.errors import ModelError
from remotemedia.models.backend import ModelOptions
from remotemedia.models.tensor_info import TensorInfo


class Multiplying:
    """A model whose file is its factor: ``y = factor * x``."""

    provider = "cpu"
    inputs = (TensorInfo("x", "float32", ("n",)),)
    outputs = (TensorInfo("y", "float32", ("n",)),)

    def __init__(self, backend: str, file: Path | bytes) -> None:
        self.backend = backend
        text = file if isinstance(file, bytes) else file.read_bytes()
        try:
            self.factor = np.float32(text)
        except ValueError as error:
            raise ModelError(f"{text!r} is no factor") from error
        self.closed = 0

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return {"y": self.factor * feeds["x"]}

    async def arun(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        await asyncio.sleep(0)
        return self.run(feeds)

    def close(self) -> None:
        self.closed += 1


class Called:
    """One whose models are called."""

    name = "called"
    is_async = False

    def available(self) -> str:
        return ""

    def providers(self) -> list[str]:
        return ["cpu"]

    def open(self, file: Path | bytes, options: ModelOptions) -> Multiplying:
        return Multiplying(self.name, file)


class Awaited:
    """One whose models are waited for."""

    name = "awaited"
    is_async = True

    def available(self) -> str:
        return ""

    def providers(self) -> list[str]:
        return ["cpu"]

    async def aopen(self, file: Path | bytes, options: ModelOptions) -> Multiplying:
        await asyncio.sleep(0)
        return Multiplying(self.name, file)


class Lacking(Called):
    """One that lacks a package."""

    name = "lacking"

    def available(self) -> str:
        return "multiplication is not installed: pip install multiplication"


class Broken(Called):
    """One that cannot be made."""

    def __init__(self) -> None:
        raise OSError("libmultiply.so not found")


class NoBackend:
    """Something else."""


class Summing(Multiplying):
    """``after = before + Σ x``, ``y = x + before``: a model with a state."""

    inputs = (TensorInfo("x", "float32", ("n",)), TensorInfo("before", "float32", ("one",)))
    outputs = (TensorInfo("after", "float32", ("one",)), TensorInfo("y", "float32", ("n",)))

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        before = feeds["before"]
        return {"after": before + feeds["x"].sum(), "y": feeds["x"] + before}


class CalledSum(Called):
    """`Summing`, called."""

    def open(self, file: Path | bytes, options: ModelOptions) -> Multiplying:
        return Summing(self.name, file)


class AwaitedSum(Awaited):
    """`Summing`, waited for."""

    async def aopen(self, file: Path | bytes, options: ModelOptions) -> Multiplying:
        await asyncio.sleep(0)
        return Summing(self.name, file)
