"""Loads the manifest of a command, with what its options change."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from remotemedia.cli.failure import UsageError, place, warn
from remotemedia.cli.json_lines import read_json
from remotemedia.errors import ManifestError, nearest
from remotemedia.manifest import Manifest, load_manifest
from remotemedia.pipeline import Pipeline


def add_auto(parser: argparse.ArgumentParser) -> None:
    """Declare the option that inserts converters."""
    parser.add_argument(
        "--auto",
        action="store_true",
        help="insert converters where formats do not fit, as auto_negotiate in the manifest does",
    )


def add_params(parser: argparse.ArgumentParser) -> None:
    """Declare the option that changes parameters."""
    parser.add_argument(
        "--params",
        metavar="NODE.KEY=VALUE",
        action="append",
        default=[],
        help="change a parameter; may be repeated",
    )


def load_pipeline(source: str, overrides: Sequence[str] = (), *, auto: bool = False) -> Pipeline:
    """Load a manifest from a path, or from stdin for ``-``; print its warnings.

    Parameters
    ----------
    source : str
        Path, or ``-``.
    overrides : sequence of str
        Parameters, as ``NODE.KEY=VALUE``.
    auto : bool
        Let converters be inserted, whatever the manifest says.

    Raises
    ------
    ManifestError
        Lists every problem, formats that do not fit included.
    UsageError
        An override names no node.
    """
    text, name = read_source(source)
    return load_text(text, name, overrides, auto=auto)


def load_text(
    text: Any, name: str | None, overrides: Sequence[str] = (), *, auto: bool = False
) -> Pipeline:
    """As `load_pipeline`, of what `load_manifest` takes."""
    if overrides:
        manifest = load_manifest(text, name=name)
        changes = parse_overrides(manifest, overrides)
        pipeline = Pipeline(with_params(manifest, changes))
        _check_overrides(pipeline, changes)
    else:
        pipeline = Pipeline.load(text, name=name)
    if auto:
        pipeline = Pipeline(with_auto(pipeline.manifest))
    for problem in pipeline.validate():
        warn(f"{place(problem, pipeline.manifest.source)}: {problem.message}")
    return pipeline


def read_source(source: str) -> tuple[Any, str | None]:
    """What `load_manifest` takes: a path as it is; of stdin and of pipes the bytes."""
    from pathlib import Path

    from remotemedia.manifest.limits import MAX_BYTES

    if source == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1), "stdin"
    path = Path(source)  # never to be taken for text, whatever the name
    try:
        if path.is_fifo():  # a named pipe, or a shell's <(...)
            with path.open("rb") as pipe:
                return pipe.read(MAX_BYTES + 1), source
    except OSError:
        pass  # loading it says why
    return path, None


Changes = dict[str, dict[str, object]]
"""Node id → parameter → value."""


def parse_overrides(manifest: Manifest, overrides: Iterable[str]) -> Changes:
    """What ``NODE.KEY=VALUE`` changes."""
    changes: Changes = {}
    ids = [node.id for node in manifest.nodes]
    for text in overrides:
        left, equals, value = text.partition("=")
        # Ids may have dots themselves: the longest that fits.
        node = max((one for one in ids if left.startswith(f"{one}.")), key=len, default=None)
        if not equals or (node is None and "." not in left):
            raise UsageError(f"--params {text}: write it as NODE.KEY=VALUE, e.g. gain.gain_db=-6")
        if node is None:
            name = left.rpartition(".")[0]
            hint = nearest(name, ids) or f" (nodes: {', '.join(ids)})"
            raise UsageError(f"--params {text}: there is no node {name!r}{hint}")
        changes.setdefault(node, {})[left[len(node) + 1 :]] = _value(value, text)
    return changes


def _check_overrides(pipeline: Pipeline, changes: Changes) -> None:
    """Say of problems that an option has brought in that it did, not the manifest."""
    nodes = pipeline.manifest.nodes
    try:
        pipeline.graph  # noqa: B018 - is built by being looked at
    except ManifestError as error:
        for problem in error.problems:
            match problem.path:
                case ("nodes", int(index), "params", str(key), *_):
                    node = nodes[index].id
                    if key in changes.get(node, {}):
                        raise UsageError(f"--params {node}.{key}: {problem.message}") from None
        raise


def with_params(manifest: Manifest, changes: Mapping[str, Mapping[str, object]]) -> Manifest:
    """A copy with these parameters; it still knows the places of its text."""
    nodes = tuple(
        msgspec.structs.replace(node, params={**node.params, **changes.get(node.id, {})})
        for node in manifest.nodes
    )
    return keep_places(manifest, msgspec.structs.replace(manifest, nodes=nodes))


def with_outputs(manifest: Manifest, nodes: Iterable[str]) -> Manifest:
    """A copy in which the outputs of these nodes come out even if they are connected."""
    wanted = set(nodes)
    changed = tuple(
        msgspec.structs.replace(node, is_output_node=True) if node.id in wanted else node
        for node in manifest.nodes
    )
    return keep_places(manifest, msgspec.structs.replace(manifest, nodes=changed))


def with_auto(manifest: Manifest) -> Manifest:
    """A copy that lets converters be inserted."""
    metadata = msgspec.structs.replace(manifest.metadata, auto_negotiate=True)
    return keep_places(manifest, msgspec.structs.replace(manifest, metadata=metadata))


def keep_places(old: Manifest, new: Manifest) -> Manifest:
    """Give a changed copy the text that the original came from."""
    document = old.__dict__.get("document")
    return new if document is None else new.attach(document, old.warnings)


def _value(text: str, whole: str) -> object:
    """A value as a manifest would read it; lists and mappings as JSON."""
    from remotemedia.manifest.yaml_text import resolve

    if text[:1] in ("[", "{", '"'):
        try:
            return read_json(text)
        except ValueError as error:
            raise UsageError(f"--params {whole}: the value is no JSON: {error}") from None
    return resolve(text)
