"""Backends: what runs a model. They plug in by entry point."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import msgspec
from numpy.typing import NDArray

from remotemedia.errors import UnavailableError, nearest
from remotemedia.models.tensor_info import TensorInfo
from remotemedia.plugins import entry_points

ENTRY_POINT_GROUP = "remotemedia.backends"

Feeds: TypeAlias = Mapping[str, NDArray[Any]]

HERE = "onnxruntime-web" if sys.platform == "emscripten" else "onnxruntime"
"""What onnxruntime is called where this runs: both words mean it, in both worlds."""

_INSTALL = {
    "onnxruntime": "pip install 'remotemedia[native]'",
    "onnxruntime-web": "in a page, load onnxruntime-web with @remotemedia/web",
}


class ModelOptions(msgspec.Struct, frozen=True):
    """How a model is run.

    Attributes
    ----------
    providers : tuple of str
        What it may run on, the first choice first: ``("cuda", "cpu")``. Empty: the CPU.
    threads : int
        For one run. A second one hardly helps a small model, and makes its worst case worse.
    timeout_ms : float, optional
        When a run is ended.
    """

    providers: tuple[str, ...] = ()
    threads: int = 1
    timeout_ms: float | None = None


class Model(Protocol):
    """A model that is open.

    Attributes
    ----------
    backend, provider : str
        What runs it, and on what: ``onnxruntime``, ``cpu``.
    inputs, outputs : tuple of TensorInfo
    """

    backend: str
    provider: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """Run it on an array for each input; gives one, a new one, for each output.

        Raises
        ------
        ModelError
            An input is missing, or not as the model says; or the run fails or takes too long.
        """

    async def arun(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """The same, where a run is waited for."""

    def close(self) -> None:
        """Let go of it."""


@runtime_checkable
class Backend(Protocol):
    """What runs models."""

    name: str
    is_async: bool
    """Whether its models are opened by ``await aopen(file, options)``, and run by `arun` only."""

    def available(self) -> str:
        """Why it cannot be used here, with the fix; empty if it can."""

    def providers(self) -> list[str]:
        """What models can run on here."""


class SyncBackend(Backend, Protocol):
    """One whose models are simply called."""

    def open(self, file: Path | bytes, options: ModelOptions) -> Model:
        """Open a model.

        Raises
        ------
        ModelError
            It is broken, or not for this runtime.
        UnavailableError
            None of the providers that it may run on can be used here.
        """


class AsyncBackend(Backend, Protocol):
    """One whose models give promises."""

    async def aopen(self, file: Path | bytes, options: ModelOptions) -> Model:
        """Open a model; see `SyncBackend.open`."""


def find_backend(name: str | None = None) -> Backend:
    """The backend of that name; by default the first that can be used here.

    Raises
    ------
    UnavailableError
        It cannot be used here; says why, and what to install.
    """
    points = {point.name: point for point in entry_points(ENTRY_POINT_GROUP)}
    if name is None:
        reasons = []
        for each in dict.fromkeys([HERE, *points]):
            try:
                return find_backend(each)
            except UnavailableError as error:
                reasons.append(str(error))
        raise UnavailableError("; ".join(reasons))
    if name in _INSTALL and HERE in points:
        name = HERE
    if name not in points:
        if name in _INSTALL:
            raise UnavailableError(f"backend {name!r} is not installed here: {_INSTALL[name]}")
        known = [*dict.fromkeys([*_INSTALL, *points])]
        hint = nearest(name, known) or f" (one of {', '.join(known)})"
        raise UnavailableError(f"unknown backend {name!r}{hint}")
    try:
        backend = points[name].load()()
    except Exception as error:
        raise UnavailableError(
            f"backend {name!r} cannot be loaded here: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(backend, Backend):
        raise UnavailableError(f"backend {name!r}: {points[name].value} is no Backend")
    if why := backend.available():
        raise UnavailableError(f"backend {name!r} cannot be used here: {why}")
    return backend


def backends() -> list[tuple[str, str]]:
    """Every backend that is known here, and why it cannot be used; empty if it can."""
    names = [HERE, *(point.name for point in entry_points(ENTRY_POINT_GROUP))]
    found = []
    for name in dict.fromkeys(names):
        if name in _INSTALL and name != HERE:  # that of the other world
            continue
        try:
            find_backend(name)
        except UnavailableError as error:
            found.append((name, str(error)))
        else:
            found.append((name, ""))
    return found


def bind(model: Model, feeds: Feeds, carry: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """`feeds` for many runs of a model, which where its backend can take less time on them.

    The arrays stay the same: before a run, new values are written into them. Only what is carried
    is exchanged, for an output of the last run. What a run on them gives is valid until the next.

    Parameters
    ----------
    model : Model
    feeds : mapping of str to np.ndarray
    carry : mapping of str to str
        Output → the input that it is in the next run.
    """
    own = getattr(model, "bind", None)
    return dict(feeds) if own is None else own(feeds, carry)
