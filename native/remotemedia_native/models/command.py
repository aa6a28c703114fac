"""Models by name: which are known and here, fetch them, remove them, check their content.

They are kept in the folder that REMOTEMEDIA_MODELS names, or in the cache of this user.
"""

# ruff: noqa: T201 - a command prints

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import msgspec

from remotemedia.cli.failure import UsageError
from remotemedia.cli.terminal import is_terminal, table
from remotemedia.errors import ModelNotFoundError, nearest
from remotemedia.models.catalog import CATALOG, KnownModel
from remotemedia.models.store import ModelRef, how_to_get, packaged_files, sha256_of
from remotemedia_native.models.store import ModelStore

SUMMARY = "list, fetch, remove and verify the models that nodes know by name"
ACTIONS = {
    "list": "show which models are known, and where they are",
    "fetch": "download models into the cache",
    "remove": "delete models from the cache",
    "verify": "check the SHA-256 of every file",
}
MIB = 2**20


class State(msgspec.Struct):
    """A model on this machine, as ``--json`` prints it."""

    name: str
    where: str
    """``cache``, ``package``, or empty: not here."""
    size: int
    licence: str
    description: str
    files: list[str]
    problem: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action, summary in ACTIONS.items():
        each = actions.add_parser(action, help=summary, description=summary)
        names = "known models, or URLs with #sha256=…"
        default = "" if action in ("fetch", "remove") else "; by default all"
        each.add_argument("names", metavar="NAME", nargs="*", help=names + default)
        each.add_argument("--json", action="store_true", help="for programs")


def run(options: argparse.Namespace) -> int:
    """Do it."""
    store = ModelStore()
    models = [_model(name) for name in options.names]
    if not models:
        if options.action in ("fetch", "remove"):
            raise UsageError(f"models {options.action}: name a model (one of {', '.join(CATALOG)})")
        models = list(CATALOG.values())
    if options.action == "fetch":
        for model in models:
            _fetch(store, model)
    elif options.action == "remove":
        for model in models:
            folder = store.folder / model.folder
            if folder.exists():
                shutil.rmtree(folder)
    states = [_state(store, model) for model in models]
    if options.action == "verify":
        for model, state in zip(models, states, strict=True):
            state.problem = _problem(model, state, asked=bool(options.names))
    _show(states, options.json, options.action)
    return 1 if any(state.problem for state in states) else 0


def _model(name: str) -> KnownModel:
    if name not in CATALOG and "://" not in name:
        hint = nearest(name, CATALOG) or f" (known: {', '.join(CATALOG)})"
        raise UsageError(f"no model is known as {name!r}{hint}")
    model = ModelRef.parse(name).model
    if model is None:
        raise UsageError(f"{name!r} is no model that can be fetched")
    return model


def _fetch(store: ModelStore, model: KnownModel) -> None:
    if store.offline and not store.cached_files(model):
        raise ModelNotFoundError(
            f"model {model.name!r} is not fetched: REMOTEMEDIA_OFFLINE forbids it"
        )
    shown = is_terminal(sys.stderr)

    def progress(message: str, fraction: float | None = None) -> None:
        if shown:
            share = "" if fraction is None else f" {fraction:4.0%}"
            sys.stderr.write(f"\r\x1b[K{message}{share}")
            sys.stderr.flush()

    try:
        store.fetch(model, progress=progress)
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")


def _state(store: ModelStore, model: KnownModel) -> State:
    where, found = "cache", store.cached_files(model)
    if not found:
        where, found = "package", packaged_files(model)
    size = sum(path.stat().st_size for path in found.values()) or model.size
    paths = [str(path) for path in found.values()]
    return State(model.name, where if found else "", size, model.licence, model.description, paths)


def _problem(model: KnownModel, state: State, *, asked: bool) -> str:
    """What is wrong with the files of a model; empty: nothing."""
    if not state.files:
        return f"not here: {how_to_get(model)}" if asked else ""
    for file, path in zip(model.files, state.files, strict=True):
        if (found := sha256_of(Path(path))) != file.sha256:
            return (
                f"{path}: its SHA-256 is {found}, not {file.sha256}; "
                f"remotemedia models remove {model.name}, then fetch it"
            )
    return ""


def _show(states: list[State], as_json: bool, action: str) -> None:
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(states), indent=2).decode())
        return
    rows = [("model", "here", "MiB", "licence", "what it does")]
    for state in states:
        here = state.where or "no"
        if action == "verify" and state.files and not state.problem:
            here += ", verified"
        size = f"{state.size / MIB:.1f}" if state.size else "?"
        rows.append((state.name, here, size, state.licence or "?", state.description))
    print("\n".join(table(rows, right=[2])))
    for state in states:
        if state.problem:
            print(f"{state.name}: {state.problem}", file=sys.stderr)
