"""YAML front end: PyYAML's event stream, resolved by the core schema of YAML 1.2.

Only events are used. PyYAML's composer recurses (libyaml's crashes on deep nesting), and its
resolver follows YAML 1.1, where ``no`` is false and ``1:30`` is ninety.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from remotemedia.manifest.tree import Handler, Mark, Stop

if TYPE_CHECKING:
    import yaml

_NOT_PRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# YAML 1.2.2, section 10.3.2: tag resolution of the core schema.
_WORDS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NUMBER_START = frozenset("+-.0123456789")
_MAX_DIGITS = 40  # `int` of a long text is slow, then refused by Python


def resolve(text: str) -> object:
    """The value of a plain scalar by the core schema of YAML 1.2."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START:
        return text
    if _INT.fullmatch(text):
        if len(text) > _MAX_DIGITS:
            return 1 << 64  # what the builder refuses
        # Base 0 would refuse leading zeros, which mean nothing in YAML 1.2.
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    return float(text) if _FLOAT.fullmatch(text) else text


def position(mark: Mark) -> tuple[int, int]:
    """Line and column from 1."""
    place: Any = mark
    return place.line + 1, place.column + 1


def feed(text: str, handler: Handler) -> None:
    """Send the events of the one document in `text` to `handler`."""
    import yaml

    bad = _NOT_PRINTABLE.search(text)
    if bad is not None:
        handler.stop(f"character U+{ord(bad[0]):04X} is not allowed in YAML", _mark_of(text, bad))
    try:
        loader = (getattr(yaml, "CSafeLoader", None) or _quick_loader())(text)
    except yaml.reader.ReaderError as error:  # pragma: no cover - what the check above let through
        raise Stop(f"YAML: {error.reason}") from None
    try:
        _feed_events(loader, handler)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        handler.stop(_explain(error), mark)
    finally:
        loader.dispose()


@functools.cache
def _quick_loader() -> type[yaml.SafeLoader]:
    """PyYAML's own loader, a fifth faster, for where there is no libyaml.

    It asks a dozen times per token whether it must look further ahead, which it must only while
    what it has read may yet turn out to be a key. Here the answer is found with fewer calls.
    """
    import yaml

    class QuickLoader(yaml.SafeLoader):
        def need_more_tokens(self) -> bool:
            if self.done or not self.tokens:
                return not self.done
            keys = self.possible_simple_keys
            if not keys:
                return False
            self.stale_possible_simple_keys()
            first = min((key.token_number for key in keys.values()), default=None)
            return first == self.tokens_taken

        def check_token(self, *choices: Any) -> bool:
            if self.possible_simple_keys or not self.tokens:
                while self.need_more_tokens():
                    self.fetch_more_tokens()
            return bool(self.tokens) and (not choices or isinstance(self.tokens[0], choices))

    return QuickLoader


def _feed_events(loader: Any, handler: Handler) -> None:
    from yaml import events

    next_event = loader.get_event
    while True:
        event = next_event()
        kind = type(event)
        if kind is events.ScalarEvent:
            if event.tag is not None:
                _refuse_tag(event, handler)
            if handler.wants_key:
                handler.key(event.value, event.start_mark)
                continue
            value = resolve(event.value) if event.implicit[0] else event.value
            handler.value(value, event.start_mark, event.anchor)
        elif kind is events.MappingEndEvent or kind is events.SequenceEndEvent:
            handler.close()
        elif kind is events.MappingStartEvent or kind is events.SequenceStartEvent:
            if event.tag is not None:
                _refuse_tag(event, handler)
            if handler.wants_key:
                handler.stop("a key is plain text, no mapping or list", event.start_mark)
            container: Any = {} if kind is events.MappingStartEvent else []
            handler.open(container, event.start_mark, event.anchor)
        elif kind is events.AliasEvent:
            handler.alias(event.anchor, event.start_mark)
        elif kind is events.DocumentEndEvent:
            break
        elif kind is events.StreamEndEvent:  # without any document
            return
    event = next_event()
    if type(event) is not events.StreamEndEvent:
        handler.stop("a second document starts; a manifest is one", event.start_mark)


def _refuse_tag(event: yaml.ScalarEvent | yaml.CollectionStartEvent, handler: Handler) -> None:
    tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")[:60]
    handler.problem(f"tags are not accepted; remove {tag}", event.start_mark)


def _explain(error: yaml.MarkedYAMLError) -> str:
    problem = str(error.problem or "cannot be read")
    context = f" {error.context}" if error.context else ""
    hint = (
        "; indent with spaces, not tabs"
        if "\\t" in problem or "cannot start any token" in problem
        else ""
    )
    return f"YAML: {problem}{context}{hint}"


class _Mark:
    def __init__(self, line: int, column: int) -> None:
        self.line = line
        self.column = column


def _mark_of(text: str, match: re.Match[str]) -> _Mark:
    start = match.start()
    return _Mark(text.count("\n", 0, start), start - text.rfind("\n", 0, start) - 1)
