"""What the page brings: manifests, Python source, packages."""

from __future__ import annotations

import contextlib
import importlib
import linecache
import sys
import types
from collections.abc import Iterable
from typing import Any

from remotemedia import diagram, protocol
from remotemedia.errors import Problem, UnavailableError, UnknownNodeTypeError
from remotemedia.graph import requirements
from remotemedia.manifest import load_manifest
from remotemedia.pipeline import Pipeline
from remotemedia.plan import Plan
from remotemedia.registry import default_registry
from remotemedia_wasm import messages as page
from remotemedia_wasm.live import Handlers

MODEL_NODES = "remotemedia.nodes.models."
PAGE_MODULE = "page_source"
"""The module that source from the page is run in."""

_brought = {"source": ""}
_installs: list[tuple[tuple[str, ...], tuple[str, ...]]] = []


def as_source(manifest: dict[str, Any] | str) -> dict[str, Any] | str:
    """Text that `Pipeline.load` cannot take for a path."""
    if isinstance(manifest, str) and "\n" not in manifest:
        return manifest + "\n"
    return manifest


def describe(
    pipeline: Pipeline, plan: Plan, name: str, warnings: Iterable[Problem]
) -> protocol.GraphInfo:
    """A pipeline as the page is told of it."""
    metadata = pipeline.manifest.metadata
    return protocol.graph_info(
        plan,
        metadata.name or name,
        metadata.description or "",
        diagram.mermaid(plan.graph),
        list(map(protocol.problem_info, warnings)),
    )


def run_source(source: str) -> None:
    """Run Python source of the page in a module of its own; tracebacks show its lines."""
    file = f"<{PAGE_MODULE}>"
    module = types.ModuleType(PAGE_MODULE)
    module.__file__ = file
    sys.modules[PAGE_MODULE] = module
    lines = source.splitlines(keepends=True)
    linecache.cache[file] = len(source), None, lines, file
    code = compile(source, file, "exec", dont_inherit=True)
    exec(code, module.__dict__)  # noqa: S102 - the page's own code, as its JavaScript is


def brought() -> tuple[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]]:
    """The source that was run last, and what was installed: another worker does the same."""
    return _brought["source"], tuple(_installs)


async def _define(request: page.Define, _: object) -> None:
    run_source(request.source)
    _brought["source"] = request.source


async def _requirements(request: page.Requirements, _: object) -> page.Needs:
    manifest = load_manifest(as_source(request.manifest), name=request.name)
    parts = []
    if any(node.executor in ("process", "worker") for node in manifest.nodes):
        parts.append("workers")
    if any(_computes_with_models(node.node_type) for node in manifest.nodes):
        parts.append("models")
    return page.Needs(requirements(manifest), tuple(parts))


def _computes_with_models(node_type: str) -> bool:
    with contextlib.suppress(UnknownNodeTypeError):
        return default_registry().info(node_type).target.startswith(MODEL_NODES)
    return False


async def install(packages: Iterable[str], index_urls: Iterable[str]) -> None:
    """Install packages with micropip.

    Raises
    ------
    UnavailableError
        One that cannot be had.
    """
    for package in packages:
        import micropip

        try:
            await micropip.install(package, index_urls=list(index_urls) or None)
        except Exception as error:
            raise UnavailableError(
                f"package {package} cannot be installed: {type(error).__name__}: {error} "
                "(is that its address, and is it a pure Python wheel?)"
            ) from error
    importlib.invalidate_caches()


async def _install(request: page.Install, _: object) -> None:
    await install(request.packages, request.index_urls)
    _installs.append((request.packages, request.index_urls))


HANDLERS: Handlers = {
    page.Define: _define,
    page.Requirements: _requirements,
    page.Install: _install,
}
