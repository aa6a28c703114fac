"""Fixing: applies what problems suggest to the text of a manifest."""

from __future__ import annotations

from typing import Any

from remotemedia.errors import EditError, ManifestError, Problem
from remotemedia.graph import Graph
from remotemedia.manifest import load_manifest
from remotemedia.manifest.edit import Editor
from remotemedia.negotiation import Change, Insert
from remotemedia.negotiation.apply import new_ids
from remotemedia.pipeline import Pipeline

MAX_FIXES = 256


def fix(text: str, name: str) -> tuple[str, list[str], list[str]]:
    """The text with everything mended that can be.

    One problem after the other: what is done about it has to change just what it says, to make an
    end of the problem, and to bring no more of them.

    Returns
    -------
    tuple of (str, list of str, list of str)
        The text, what was done, and what could not be done, with the reason.
    """
    done: list[str] = []
    failed: dict[str, str] = {}
    for _ in range(MAX_FIXES):
        problems = problems_of(text, name)
        for problem in problems:
            fixes = _fixes(problem)
            said = " and ".join(map(str, fixes))
            if not fixes or said in failed:
                continue
            try:
                mended = text
                for one in fixes:
                    mended = apply(mended, name, one)
            except EditError as error:
                failed[said] = f"{said}: {error}"
                continue
            left = [each.message for each in problems_of(mended, name)]
            if problem.message in left or len(left) > len(problems):
                failed[said] = f"{said}: that would not be enough"
                continue
            text = mended
            done.append(said)
            break
        else:
            break
    return text, done, list(failed.values())


def problems_of(text: str, name: str) -> tuple[Problem, ...]:
    """What is wrong with a manifest, warnings left out."""
    try:
        _load(text, name).validate()
    except ManifestError as error:
        return error.problems
    return ()


def apply(text: str, name: str, one: Insert | Change) -> str:
    """The text with one fix.

    Raises
    ------
    EditError
        It cannot be done in place, or would change something else, too.
    """
    graph = _load(text, name).graph
    editor = Editor(text)
    expected: dict[str, Any] = load_manifest(text.encode(), name=name).to_dict()
    if isinstance(one, Change):
        _change(graph, editor, expected, one)
    else:
        _insert(graph, editor, expected, one)
    mended = editor.text
    try:
        found = load_manifest(mended.encode(), name=name).to_dict()
    except ManifestError as error:
        raise EditError(f"the text would be broken by it ({error.problems[0]})") from None
    if found != expected:
        raise EditError("it would change something else in this text, too: do it by hand")
    return mended


def _fixes(problem: Problem) -> list[Insert | Change]:
    """What a problem suggests; from behind, so that numbers of connections stay right."""
    found = [one for one in problem.fixes if isinstance(one, (Insert, Change))]
    return sorted(found, key=lambda one: -one.connection if isinstance(one, Insert) else 1)


def _change(graph: Graph, editor: Editor, expected: dict[str, Any], one: Change) -> None:
    node = graph.nodes[one.node]
    names = [one.param, *(alias for alias, to in node.cls.aliases.items() if to == one.param)]
    names += [_camel(name) for name in names]
    used = editor.set_param(node.index, names, one.value)
    entry = expected["nodes"][node.index]
    entry["params"] = {**entry.get("params", {}), used: one.value}


def _insert(graph: Graph, editor: Editor, expected: dict[str, Any], one: Insert) -> None:
    target = one.target.partition(":")[0]
    ids = new_ids(target, [step.node_type for step in one.steps], set(graph.nodes))
    for node_id, step in zip(ids, one.steps, strict=True):
        entry = {"id": node_id, "node_type": step.node_type, "params": step.params}
        editor.add_node(entry)
        expected["nodes"].append(entry)
    editor.lead(one.connection, ids)
    connections = expected["connections"]
    given = connections[one.connection]
    ends = [*ids, given["to"]]
    given["to"] = ids[0]
    connections[one.connection + 1 : one.connection + 1] = [
        {"from": source, "to": following} for source, following in zip(ids, ends[1:], strict=True)
    ]


def _load(text: str, name: str) -> Pipeline:
    return Pipeline.load(text.encode(), name=name)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)
