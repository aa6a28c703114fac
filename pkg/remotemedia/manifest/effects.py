"""Fields that are accepted and kept but change nothing here, and the warnings that say so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from remotemedia.errors import Problem
from remotemedia.manifest.model import AUTO, Connection, Manifest, NodeSpec, default_of
from remotemedia.manifest.tree import Path

MANIFEST = {
    "python_env": "packages are installed by the user, see `remotemedia doctor`",
    "runtime": "the same manifest runs on every host",
    "config": "parameters belong to a node, in its params",
    "defaults": "parameters belong to a node, in its params",
}
NODE = {
    "is_streaming": "every node streams",
    "capabilities": "executor says where a node runs",
    "runtime_hint": "nodes run in the Python that loads the manifest, or where executor says",
    "execution": "executor says where a node runs",
    "docker": "there is no container executor",
    "fast_path": "every synchronous inline node takes the fast path",
}
INLINE_NODE = {
    "host": "it is for nodes with executor: remote",
    "python_deps": "inline nodes use the packages that are installed",
}
NO_PROCESS = {
    "process_group": "it is for nodes with executor: process",
    "process": "it is for nodes with executor: process",
}
CONNECTION = {
    "type": "ports declare what they carry",
    "params": "edges have no parameters but queue",
}


def warnings(manifest: Manifest, renamed: Mapping[Path, Path]) -> list[Problem]:
    """One warning per field without effect, at its first use, with the number of uses."""
    found: dict[str, tuple[Path, str, int]] = {}

    def look(part: msgspec.Struct, path: Path, reasons: Iterable[tuple[str, str, object]]) -> None:
        for name, reason, default in reasons:
            if getattr(part, name) != default:
                place, _, count = found.get(name, ((*path, name), "", 0))
                found[name] = (place, reason, count + 1)

    look(manifest, (), with_defaults(Manifest, MANIFEST))
    always, inline, no_process = (
        with_defaults(NodeSpec, reasons) for reasons in (NODE, INLINE_NODE, NO_PROCESS)
    )
    for index, node in enumerate(manifest.nodes):
        look(node, ("nodes", index), always)
        if node.executor in (AUTO, "inline"):
            look(node, ("nodes", index), inline)
        if node.executor == "inline":  # else it depends on the node: see policy_effects
            look(node, ("nodes", index), no_process)
    of_connections = with_defaults(Connection, CONNECTION)
    for index, connection in enumerate(manifest.connections):
        look(connection, ("connections", index), of_connections)
    problems = [
        Problem(f"{name} has no effect here: {reason}{times(count)}", path, at_key=True)
        for name, (path, reason, count) in found.items()
    ]
    configs = [path for path, given in renamed.items() if given[-1] == "config"]
    if configs:
        problems.append(
            Problem(f"config is read as params{times(len(configs))}", configs[0], at_key=True)
        )
    problems += [
        Problem(f"{name!r} is kept, but means nothing here", ("metadata", name), at_key=True)
        for name in list(manifest.metadata.extra)[:10]
    ]
    return problems


def with_defaults(
    kind: type[msgspec.Struct], reasons: Mapping[str, str]
) -> list[tuple[str, str, object]]:
    """Name, reason and default value of each field."""
    defaults = {field.name: default_of(field) for field in msgspec.structs.fields(kind)}
    return [(name, reason, defaults[name]) for name, reason in reasons.items()]


def times(count: int) -> str:
    """``" (3 times)"``, for what is told once."""
    return f" ({count:,} times)" if count > 1 else ""
