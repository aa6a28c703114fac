"""A document: the text or mapping that a manifest is read from, and the places in it."""

from __future__ import annotations

import contextlib
import gc
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import NoReturn

from remotemedia.errors import ManifestError, Problem
from remotemedia.manifest import json_text, limits, plain, yaml_text
from remotemedia.manifest.tree import Feed, Locator, Path, Position, Stop, TreeBuilder, show

Source = str | bytes | os.PathLike[str] | Mapping[str, object]
"""What a manifest can be loaded from."""

_MAX_PATH = 4096  # characters; what is longer is no path anywhere


class Document:
    """A tree of plain values with the way back to its text.

    Attributes
    ----------
    name : str
        File name, or what the caller calls it.
    tree : object
        Mappings, lists and scalars. Parts behind aliases are shared, never cyclic.
    problems : list of Problem
        What is wrong with the text itself (keys given twice, tags, NaN …); the rest was read.
    renamed : dict of path to path
        Where the loader gave a field its present name or place: where the text has it.
    """

    def __init__(self, feed: Feed, position: Position, name: str) -> None:
        self.name = name
        self.renamed: dict[Path, Path] = {}
        self._feed = feed
        self._position = position
        builder = TreeBuilder(position)
        try:
            with _no_collection():
                feed(builder)
        except Stop as stop:
            problems = builder.problems or [Problem(stop.message)]
            raise ManifestError(problems, name) from None
        self.tree = builder.root
        self.problems = builder.problems

    def locate(self, problems: Iterable[Problem]) -> list[Problem]:
        """The problems with line and column, sorted by them; a second pass over the text."""
        found = list(problems)
        paths = {problem.path: self._original(problem.path) for problem in found}
        locator = Locator(paths.values())
        with _no_collection():
            self._feed(locator)
        located = []
        for problem in found:
            mark = locator.find(paths[problem.path], problem.at_key)
            place = self._position(mark) if mark is not None and problem.line is None else None
            if place is not None:
                problem = Problem(
                    problem.message,
                    problem.path,
                    *place,
                    at_key=problem.at_key,
                    fixes=problem.fixes,
                )
            located.append(problem)
        return sorted(located, key=lambda problem: (problem.line or 0, problem.column or 0))

    def _original(self, path: Path) -> Path:
        """The path as the text has it."""
        for length in range(len(path) if self.renamed else 0, 0, -1):
            original = self.renamed.get(path[:length])
            if original is not None:
                return original + path[length:]
        return path


def read_document(source: Source, name: str | None = None) -> Document:
    """Read a path, a mapping, or YAML or JSON text.

    A str is text if it has a newline or starts with ``{``, else a path; bytes are text. The name
    decides between YAML and JSON if it ends in ``.json``, ``.yaml`` or ``.yml``; other text is
    JSON if it starts with ``{"`` or ``[``.

    Raises
    ------
    ManifestError
        It cannot be read, or is beyond the limits.
    """
    if isinstance(source, Mapping):
        mapping = source
        return Document(
            lambda handler: plain.feed(mapping, handler), lambda mark: None, name or "manifest"
        )
    if isinstance(source, str) and _is_text(source):
        text: str | bytes = source
        name = name or "manifest"
    elif isinstance(source, bytes):
        text = source
        name = name or "manifest"
    elif isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        name = name or path
        text = _read_file(path, name, isinstance(source, str))
    else:
        raise TypeError(
            "a manifest is loaded from a path, YAML or JSON text, or a mapping, "
            f"not from {type(source).__name__}"
        )
    text = _decode(text, name)
    if _is_json(text, name):
        feed, position = json_text.feed, json_text.position(text)
    else:
        feed, position = yaml_text.feed, yaml_text.position
    return Document(lambda handler: feed(text, handler), position, name)


def _is_text(source: str) -> bool:
    return "\n" in source or len(source) > _MAX_PATH or source.lstrip().startswith("{")


def _read_file(path: str, name: str, guessed: bool) -> bytes:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            _fail(f"{show(path)} is no file", name)
        if status.st_size > limits.MAX_BYTES:
            _fail(_too_long(status.st_size), name)
        with open(path, "rb") as file:
            return file.read(limits.MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "; text has several lines, or starts with '{'" if guessed else ""
        _fail(f"file {show(path)} cannot be read: {reason}{hint}", name)


def _decode(text: str | bytes, name: str) -> str:
    """The text, without byte order mark, if it is valid and not too long."""
    if len(text) > limits.MAX_BYTES:
        _fail(_too_long(len(text)), name)
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        elif len(size := text.encode("utf-8")) > limits.MAX_BYTES:
            _fail(_too_long(len(size)), name)
    except UnicodeError as error:
        where = (
            f"{error.reason}, at {error.start}" if isinstance(error, UnicodeDecodeError) else error
        )
        _fail(f"no valid UTF-8 ({where})"[:160] + ": save it as UTF-8, or name another file", name)
    return text.removeprefix("\ufeff")


def _too_long(size: int) -> str:
    return f"{size:,} bytes are more than the {limits.MAX_BYTES:,} that a manifest may have"


def _fail(message: str, name: str) -> NoReturn:
    raise ManifestError([Problem(message)], name)


def _is_json(text: str, name: str) -> bool:
    suffix = os.path.splitext(name)[1].lower()
    if suffix in (".json", ".yaml", ".yml"):
        return suffix == ".json"
    start = text[:4096].lstrip()
    return start.startswith("[") or (start[:1] == "{" and start[1:].lstrip()[:1] in ('"', "}"))


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector from walking the growing tree: a factor of four in time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
