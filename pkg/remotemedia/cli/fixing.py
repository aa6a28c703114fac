"""Fixing: applies what problems suggest to the text of a manifest."""

from __future__ import annotations

from collections.abc import Iterable

from remotemedia.errors import ManifestError, Problem
from remotemedia.manifest.edit import Editor
from remotemedia.negotiation import Change, Insert
from remotemedia.negotiation.apply import new_ids
from remotemedia.pipeline import Pipeline

MAX_ROUNDS = 8


def fix(text: str, name: str) -> tuple[str, list[str]]:
    """The text with everything mended that can be, and what was done.

    Raises
    ------
    EditError
        The text cannot be edited in place.
    """
    done: list[str] = []
    for _ in range(MAX_ROUNDS):
        problems = problems_of(text, name)
        said, mended = _apply(text, name, problems)
        if not said or len(problems_of(mended, name)) >= len(problems):
            break
        text = mended
        done += said
    return text, done


def problems_of(text: str, name: str) -> tuple[Problem, ...]:
    """What is wrong with a manifest, warnings left out."""
    try:
        Pipeline.load(text if "\n" in text else text + "\n", name=name).validate()
    except ManifestError as error:
        return error.problems
    return ()


def _apply(text: str, name: str, problems: Iterable[Problem]) -> tuple[list[str], str]:
    fixes: list[Insert | Change] = []
    for problem in problems:
        for found in problem.fixes:
            if isinstance(found, (Insert, Change)) and found not in fixes:
                fixes.append(found)
    if not fixes:
        return [], text
    graph = Pipeline.load(text if "\n" in text else text + "\n", name=name).graph
    editor = Editor(text)
    taken = set(graph.nodes)
    for one in fixes:
        if isinstance(one, Change):
            node = graph.nodes[one.node]
            names = [one.param, *(a for a, p in node.cls.aliases.items() if p == one.param)]
            names += [_camel(name) for name in names]
            editor.set_param(node.index, names, one.value)
            continue
        target = one.target.partition(":")[0]
        ids = new_ids(target, [step.node_type for step in one.steps], taken)
        for node_id, step in zip(ids, one.steps, strict=True):
            editor.add_node({"id": node_id, "node_type": step.node_type, "params": step.params})
        editor.lead(one.connection, ids)
    return [str(one) for one in fixes], editor.text


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)
