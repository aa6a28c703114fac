"""The one builder that turns events of YAML, JSON or plain objects into a tree, within the limits.

Nothing here recurses: a hostile text must not decide how deep the interpreter's stack gets. The
front ends (`yaml_text`, `json_text`, `plain`) call the methods of a `Handler`; a *mark* is
whatever the front end's `position` can turn into line and column.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import NoReturn, Protocol

from remotemedia.errors import Problem
from remotemedia.manifest import limits

Mark = object
Path = tuple[str | int, ...]
Position = Callable[[Mark], tuple[int, int] | None]
Feed = Callable[["Handler"], None]

_SURROGATE = re.compile("[\ud800-\udfff]")


class Stop(Exception):  # noqa: N818 - ends a pass, like StopIteration
    """Reading cannot or must not go on."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Handler(Protocol):
    """What a front end feeds."""

    wants_key: bool
    """Whether the next scalar is the key of a mapping."""

    def key(self, text: str, mark: Mark) -> None: ...
    def value(self, value: object, mark: Mark, anchor: str | None = None) -> None: ...
    def open(self, container: Container, mark: Mark, anchor: str | None = None) -> None: ...
    def close(self) -> None: ...
    def alias(self, name: str, mark: Mark) -> None: ...
    def problem(self, message: str, mark: Mark) -> None: ...
    def stop(self, message: str, mark: Mark) -> NoReturn: ...


Container = dict[str, object] | list[object]


class _Frame:
    __slots__ = ("anchor", "before", "container", "height", "key", "limit", "skip")

    def __init__(
        self, container: Container, key: str, limit: int, before: int, anchor: str | None
    ) -> None:
        self.container = container
        self.key = key
        self.limit = limit
        self.before = before  # values counted when it was opened
        self.anchor = anchor
        self.height = 1
        self.skip = False  # the key was there before: its value is dropped


class TreeBuilder:
    """Builds the tree; `problems` are what was wrong with it but did not keep it from growing."""

    def __init__(self, position: Position) -> None:
        self.problems: list[Problem] = []
        self.wants_key = False
        self._position = position
        self._top: list[object] = []
        self._frame = _Frame(self._top, "", 1, 0, None)
        self._stack: list[_Frame] = []
        self._values = 0
        self._aliases = 0
        self._anchors: dict[str, tuple[object, int, int] | None] = {}

    @property
    def root(self) -> object:
        """The outcome; None for an empty text."""
        return self._top[0] if self._top else None

    def key(self, text: str, mark: Mark) -> None:
        """The key of the next value."""
        self._count(1, mark)
        frame = self._frame
        frame.key = text
        frame.skip = text in frame.container
        self.wants_key = False
        if frame.skip:
            self.problem(f"{show(text)} is given twice", mark, at_key=True)
        elif len(frame.container) >= frame.limit:
            self.stop(f"a mapping has at most {frame.limit:,} entries", mark)
        if len(text) > limits.MAX_SCALAR or not text.isascii():
            self._check_text(text, mark)

    def value(self, value: object, mark: Mark, anchor: str | None = None) -> None:
        """A scalar."""
        self._count(1, mark)
        kind = type(value)
        if kind is str:
            if len(value) > limits.MAX_SCALAR or not value.isascii():  # type: ignore[arg-type, attr-defined]
                self._check_text(value, mark)  # type: ignore[arg-type]
        elif kind is float:
            if not math.isfinite(value):  # type: ignore[arg-type]
                self.problem(f"{value} is no number that a manifest can hold", mark)
        elif kind is int and not limits.MIN_INT <= value <= limits.MAX_INT:  # type: ignore[operator]
            self.problem("whole numbers have at most 64 bits", mark)
        self._put(value, mark)
        if anchor is not None:
            self._anchors[anchor] = (value, 1, 0)

    def open(self, container: Container, mark: Mark, anchor: str | None = None) -> None:
        """An empty mapping or list starts; what follows goes into it, until `close`."""
        self._count(1, mark)
        if len(self._stack) >= limits.MAX_DEPTH:
            self.stop(f"nested more than {limits.MAX_DEPTH} deep", mark)
        parent = self._frame
        limit = limits.MAX_ITEMS
        if parent.key == "nodes" and len(self._stack) == 1 and type(container) is list:
            limit = limits.MAX_NODES
        self._put(container, mark)
        if anchor is not None:
            self._anchors[anchor] = None
        self._stack.append(parent)
        self._frame = _Frame(container, "", limit, self._values - 1, anchor)
        self.wants_key = type(container) is dict

    def close(self) -> None:
        """The mapping or list that was opened last ends."""
        done = self._frame
        parent = self._frame = self._stack.pop()
        parent.height = max(parent.height, done.height + 1)
        self.wants_key = type(parent.container) is dict
        if done.anchor is not None:
            size = self._values - done.before
            self._anchors[done.anchor] = (done.container, size, done.height)

    def alias(self, name: str, mark: Mark) -> None:
        """What was anchored by that name, once more."""
        if self.wants_key:
            self.stop("a key is plain text, no alias", mark)
        self._aliases += 1
        if self._aliases > limits.MAX_ALIASES:
            self.stop(f"more than {limits.MAX_ALIASES:,} aliases", mark)
        if name not in self._anchors:
            self.stop(f"alias *{show(name)} has no anchor before it", mark)
        anchored = self._anchors[name]
        if anchored is None:
            self.stop(f"alias *{show(name)} is inside what it stands for", mark)
        value, size, height = anchored
        self._count(size, mark)
        if len(self._stack) + height > limits.MAX_DEPTH:
            self.stop(f"nested more than {limits.MAX_DEPTH} deep", mark)
        self._frame.height = max(self._frame.height, height + 1)
        self._put(value, mark)

    def problem(self, message: str, mark: Mark, at_key: bool = False) -> None:
        """Note what is wrong at this place and go on; give up when there is too much."""
        line, column = self._position(mark) or (None, None)
        self.problems.append(Problem(message, self._path(), line, column, at_key))
        if len(self.problems) >= limits.MAX_PROBLEMS:
            self.problems.append(Problem(limits.TOO_MANY_PROBLEMS))
            raise Stop(limits.TOO_MANY_PROBLEMS)

    def stop(self, message: str, mark: Mark) -> NoReturn:
        """Note what is wrong and give up."""
        line, column = self._position(mark) or (None, None)
        self.problems.append(Problem(message, self._path(), line, column))
        raise Stop(message)

    def _put(self, value: object, mark: Mark) -> None:
        frame = self._frame
        container = frame.container
        if type(container) is list:
            if len(container) >= frame.limit:
                what = "nodes" if frame.limit == limits.MAX_NODES else "entries in one list"
                self.stop(f"more than {frame.limit:,} {what}", mark)
            container.append(value)
        else:
            if not frame.skip:
                container[frame.key] = value  # type: ignore[call-overload]
            self.wants_key = True

    def _count(self, values: int, mark: Mark) -> None:
        self._values += values
        if self._values > limits.MAX_VALUES:
            self.stop(f"more than {limits.MAX_VALUES:,} values in all", mark)

    def _check_text(self, text: str, mark: Mark) -> None:
        if len(text) > limits.MAX_SCALAR:
            self.problem(f"a text has at most {limits.MAX_SCALAR:,} characters", mark)
        if _SURROGATE.search(text):
            self.problem("a text with half of a surrogate pair is no Unicode", mark)

    def _path(self) -> Path:
        steps: list[str | int] = []
        for frame in [*self._stack[1:], self._frame] if self._stack else []:
            if type(frame.container) is list:
                # What is open is in its list already, the value at hand is not.
                steps.append(len(frame.container) - (frame is not self._frame))
            elif frame.key:
                steps.append(frame.key)
        return tuple(steps)


class Locator:
    """Finds the places of paths in a second pass over events that passed the builder."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.wants_key = False
        self._wanted = {path[:length] for path in paths for length in range(len(path) + 1)}
        self._marks: dict[Path, tuple[Mark, Mark]] = {}
        # One entry per open container: its path, or None where nothing in it is wanted;
        # whether it is a mapping; and the key or index of the next entry.
        self._stack: list[tuple[Path | None, bool, str | int]] = []
        self._key_mark: Mark = None

    def find(self, path: Path, at_key: bool) -> Mark:
        """The mark of a path, or of what would contain it."""
        for length in range(len(path), -1, -1):
            marks = self._marks.get(path[:length])
            if marks is not None:
                return marks[0] if at_key and length == len(path) and marks[0] else marks[1]
        return None

    def key(self, text: str, mark: Mark) -> None:
        """The key of the next value."""
        path, _, _ = self._stack[-1]
        self._stack[-1] = (path, True, text)
        self._key_mark = mark
        self.wants_key = False

    def value(self, value: object, mark: Mark, anchor: str | None = None) -> None:
        """A scalar."""
        self._enter(mark)

    def open(self, container: Container, mark: Mark, anchor: str | None = None) -> None:
        """A mapping or list starts."""
        path = self._enter(mark)
        mapping = type(container) is dict
        self._stack.append((path, mapping, "" if mapping else 0))
        self.wants_key = mapping

    def close(self) -> None:
        """It ends."""
        self._stack.pop()
        self.wants_key = bool(self._stack) and self._stack[-1][1]

    def alias(self, name: str, mark: Mark) -> None:
        """An alias; what is inside it is found at the alias."""
        self._enter(mark)

    def problem(self, message: str, mark: Mark) -> None:
        """Known from the first pass."""

    def stop(self, message: str, mark: Mark) -> NoReturn:
        """Unreachable: the text passed the builder."""
        raise Stop(message)

    def _enter(self, mark: Mark) -> Path | None:
        if not self._stack:
            path: Path | None = ()
        else:
            parent, mapping, step = self._stack[-1]
            path = None if parent is None else (*parent, step)
            if mapping:
                self.wants_key = True
            else:
                self._stack[-1] = (parent, False, step + 1)  # type: ignore[operator]
                self._key_mark = None
        if path not in self._wanted:
            return None
        # A key given twice was reported; the first one is in the tree.
        self._marks.setdefault(path, (self._key_mark, mark))
        return path


def show(value: object) -> str:
    """A value for a message, in quotes if it is text, never long."""
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else f"{value[:57]}...")
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
