"""Routing: which output ports go to which file."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from remotemedia.cli.failure import UsageError
from remotemedia.graph import Graph
from remotemedia.plan import Plan

Port = tuple[str, str]
"""Node id and port."""

KINDS = {
    ".wav": "wav",
    ".wave": "wav",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".txt": "text",
    ".text": "text",
}
_SELECTOR = re.compile(r"([A-Za-z0-9_.-]{1,64})(?::([A-Za-z0-9_.-]{1,64}))?=(.*)", re.DOTALL)


class Target(NamedTuple):
    """One ``-o``: ``[NODE[:PORT]=]PATH``."""

    node: str | None
    port: str | None
    path: str
    kind: str

    def __str__(self) -> str:
        return "stdout" if self.path == "-" else self.path


def parse_target(text: str, graph: Graph, kind: str | None) -> Target:
    """Read one ``-o``.

    Raises
    ------
    UsageError
        There is no such node or port, or the kind of file is unknown.
    """
    node = port = None
    path = text
    match = _SELECTOR.fullmatch(text)
    if match is not None:
        node, port, path = match.groups()
        if node not in graph.nodes:
            known = ", ".join(graph.nodes)
            raise UsageError(
                f"-o {text}: there is no node {node!r} (nodes: {known}); "
                f"for a file name with '=' write ./{text}"
            )
        ports = graph.nodes[node].outputs
        port = port or next(iter(ports), None)
        if port not in ports:
            raise UsageError(
                f"-o {text}: {node!r} has no output {port!r} (it has: {', '.join(ports)})"
            )
    if not path:
        raise UsageError(f"-o {text}: a path is missing after '='")
    found = kind or KINDS.get(os.path.splitext(path)[1].lower())
    if found is None:
        if path == "-":
            raise UsageError("-o -: say what to write to stdout: --output-format wav|jsonl|text")
        raise UsageError(
            f"-o {text}: what to write is told by the extension ({', '.join(KINDS)}) "
            "or by --output-format wav|jsonl|text"
        )
    return Target(node, port, path, found)


def ports_of(target: Target, plan: Plan, outlets: frozenset[Port]) -> list[Port]:
    """The output ports that a target takes."""
    if target.node is not None and target.port is not None:
        return [(target.node, target.port)]
    in_order = [
        (node, port)
        for node in plan.graph.order
        for port in plan.graph.nodes[node].outputs
        if (node, port) in outlets
    ]
    sure: list[Port] = []
    maybe: list[Port] = []
    for port in in_order:
        formats = plan.formats.outputs[port].formats
        if formats is None:
            maybe.append(port)
        elif any(_fits(format_.media, target.kind) for format_ in formats):
            sure.append(port)
    found = sure or maybe
    if target.kind == "jsonl":
        return sure + maybe or in_order
    if target.kind == "text" and found:
        return sure + maybe
    what = "audio" if target.kind == "wav" else "text"
    names = ", ".join(f"{node}:{port}" for node, port in found)
    if not found:
        known = ", ".join(
            f"{node}:{port} {plan.formats.outputs[node, port]}" for node, port in in_order
        )
        raise UsageError(
            f"-o {target.path}: no {what} comes out of this pipeline, only {known or 'nothing'}; "
            f"-o NODE:PORT={target.path} takes it from inside"
            + (", -o FILE.jsonl what is no text" if what == "text" else "")
        )
    if len(found) > 1:
        raise UsageError(
            f"-o {target.path}: audio comes out of {len(found)} ports ({names}): "
            f"say which, e.g. -o {found[0][0]}:{found[0][1]}={target.path}"
        )
    return found


def _fits(media: str, kind: str) -> bool:
    """Whether a kind of file is made for this: text for text, JSON lines for all but audio."""
    if kind == "jsonl":
        return media != "audio"
    return media == ("audio" if kind == "wav" else "text")


def check_paths(targets: list[Target], *read: str | None) -> None:
    """Refuse to write what is read, and the same file twice."""
    seen: set[str] = set()
    for target in targets:
        real = target.path if target.path == "-" else os.path.realpath(target.path)
        if real in seen:
            raise UsageError(f"-o {target.path} is given twice")
        seen.add(real)
        if target.path == "-" or not os.path.exists(target.path):
            continue
        if os.path.isdir(target.path):
            raise UsageError(f"-o {target.path}: it is a folder; name a file")
        for path in read:
            if path in (None, "-") or not os.path.isfile(path):
                continue
            if os.path.samefile(path, target.path):
                raise UsageError(f"-o {target.path} would overwrite what is read: {path}")
