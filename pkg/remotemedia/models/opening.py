"""From what a node says of its models to the models, open."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, cast

from remotemedia.errors import ModelError, UnavailableError
from remotemedia.models.backend import (
    AsyncBackend,
    Backend,
    Model,
    ModelOptions,
    SyncBackend,
    find_backend,
)
from remotemedia.models.store import Files, find_store


class Told(Protocol):
    """Of a node's `Context`, what opening a model needs."""

    @property
    def progress(self) -> Callable[..., None]:
        """Tells how far it is."""


class UsesModels(Protocol):
    """What a node says of its models: `ModelNode`."""

    backend: str | None
    backends: ClassVar[tuple[str, ...]]  # the first choice first
    own_backends: ClassVar[tuple[str, ...]]
    model_files: ClassVar[tuple[str, ...]]

    @property
    def model_reference(self) -> str:
        """What to open."""

    @property
    def further_models(self) -> Sequence[str]:
        """What else to open: of each, its only file."""

    @property
    def model_options(self) -> ModelOptions:
        """How to run it."""

    def own_model(self, name: str, file: Path | bytes) -> Model:
        """The model, by a backend that the node itself implements."""

    def quicker(self, file: Path | bytes) -> Path | bytes:
        """What backends open in the place of a file."""


class Opened(NamedTuple):
    """What a node computes with."""

    files: Files
    models: tuple[Model, ...]


def open_models(node: UsesModels, ctx: Told) -> Opened:
    """Find and open the models of a node.

    Raises
    ------
    UnavailableError
        No backend of the node can be used here; says why of each.
    ModelError
        A model is not there, or broken.
    """
    backend = _choose(node, ctx)
    if not isinstance(backend, str) and backend.is_async:
        raise UnavailableError(
            f"{type(node).__name__}: backend {backend.name!r} has to be waited for, which only a "
            "page does"
        )
    store = find_store()
    files = cast(Files, store.find(node.model_reference, progress=ctx.progress))
    chosen = [*_pick(node, files)]
    for reference in node.further_models:
        chosen += _first(cast(Files, store.find(reference, progress=ctx.progress)))
    models, options = list[Model](), node.model_options
    try:
        for file in chosen:
            if isinstance(backend, str):
                models.append(node.own_model(backend, file))
            else:
                models.append(cast(SyncBackend, backend).open(node.quicker(file), options))
    except BaseException:
        _close(models)
        raise
    return Opened(files, tuple(models))


async def aopen_models(node: UsesModels, ctx: Told) -> Opened:
    """The same, where files and models are waited for."""
    backend = _choose(node, ctx)
    store = find_store()

    async def find(reference: str) -> Files:
        found: Any = store.find(reference, progress=ctx.progress)
        files: Files = await found if inspect.isawaitable(found) else found
        return files

    files = await find(node.model_reference)
    chosen = [*_pick(node, files)]
    for reference in node.further_models:
        chosen += _first(await find(reference))
    models, options = list[Model](), node.model_options
    try:
        for file in chosen:
            if isinstance(backend, str):
                models.append(node.own_model(backend, file))
            elif backend.is_async:
                models.append(await cast(AsyncBackend, backend).aopen(node.quicker(file), options))
            else:
                models.append(cast(SyncBackend, backend).open(node.quicker(file), options))
    except BaseException:  # cancelled, too
        _close(models)
        raise
    return Opened(files, tuple(models))


def _close(models: Iterable[Model]) -> None:
    """Nobody else closes those of a node that did not open."""
    for model in models:
        model.close()


def _pick(node: UsesModels, files: Files) -> Sequence[Path | bytes]:
    """The files to open as models."""
    if not node.model_files:
        return _first(files)
    if missing := [name for name in node.model_files if name not in files]:
        raise ModelError(
            f"{type(node).__name__}: model {node.model_reference!r} lacks {', '.join(missing)}; "
            f"it has {', '.join(files)}"
        )
    return [files[name] for name in node.model_files]


def _first(files: Files) -> list[Path | bytes]:
    return [next(iter(files.values()))]


def _choose(node: UsesModels, ctx: Told) -> Backend | str:
    """The backend that is asked for, or the first that can be used; a str: the node's own."""
    names: Iterable[str] = node.backends if node.backend is None else (node.backend,)
    reasons: dict[str, None] = {}  # both words for onnxruntime give the same
    for name in names:
        if name in node.own_backends:
            if reasons:
                ctx.progress(f"computes with {name}, which is slower: {'; '.join(reasons)}")
            return name
        try:
            return find_backend(name)
        except UnavailableError as error:
            reasons[str(error)] = None
    raise UnavailableError(f"{type(node).__name__}: {'; '.join(reasons) or 'it has no backends'}")
