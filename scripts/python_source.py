"""Python source that weighs less to download: what JavaScript's minifiers do, but no names change.

Lines stay where they are and read as they did, so that tracebacks tell the right ones. Gone is what
no run reads: comments, docstrings, annotations of functions and variables, imports for these alone,
and most of the indentation. Annotations in classes stay: fields are made of them.
"""

from __future__ import annotations

import ast
import bisect
import io
import re
import token
import tokenize
from collections.abc import Iterator

Place = tuple[int, int]
"""A line (from 1), and a column in bytes."""
Edits = dict[tuple[Place, Place], bytes]
"""What to put in place of what is from here to there."""

# Of functions that are decorated with anything else, someone may read the annotations.
BLIND_DECORATORS = frozenset(
    {
        *("abstractmethod", "cache", "cached_property", "classmethod", "contextmanager"),
        *("asynccontextmanager", "lru_cache", "property", "setter", "staticmethod"),
    }
)
NOTHING = b'""'  # a statement that does nothing


def slimmed(source: bytes, *, keep_classes: bool = True) -> bytes:
    """The same program without what only people, type checkers and editors read.

    Parameters
    ----------
    source : bytes
        Of a module.
    keep_classes : bool
        Leave the first paragraph of the docstrings of classes: a node's is shown to people.
    """
    before = ast.parse(source)
    tokens = list(tokenize.tokenize(io.BytesIO(source).readline))
    text = _Text(source)
    edits = {**_comments(tokens, text), **_unread(before, text, keep_classes)}
    edits |= _annotations(before, tokens, text)
    slim = text.edited(edits)
    slim = _Text(slim).edited(_imports(before, ast.parse(slim)))
    return _dedented(slim)


class _Text:
    """Source by line and column."""

    def __init__(self, source: bytes) -> None:
        self.lines = source.splitlines(keepends=True)

    def place(self, position: Place) -> Place:
        """The place of a token, whose column counts characters."""
        row, column = position
        line = self.lines[row - 1]
        return row, column if line.isascii() else len(line.decode()[:column].encode())

    def alone(self, node: ast.stmt) -> bool:
        """Whether a statement shares its lines with nothing but comments."""
        (first, start), (last, end) = _span(node)
        behind = self.lines[last - 1][end:].strip()
        return not self.lines[first - 1][:start].strip() and behind[:1] in (b"", b"#")

    def back(self, place: Place) -> Place:
        """The place behind what stands before this one."""
        row, column = place
        return row, len(self.lines[row - 1][:column].rstrip())

    def without_annotation(self, argument: ast.arg) -> Edits:
        """Its name alone; with the default as it looks then."""
        (row, column), (last, end) = _span(argument)
        equals = self.lines[last - 1][end : end + 3] == b" = "
        begin = row, column + len(argument.arg.encode())
        return {(begin, (last, end + 3 * equals)): b"=" * equals}

    def first_paragraph(self, docstring: ast.stmt) -> Edits:
        """The docstring without what comes behind its first empty line."""
        (first, _), (last, end) = _span(docstring)
        for row in range(first + 1, last):
            if not self.lines[row - 1].strip():
                return {((row - 1, len(self.lines[row - 2].rstrip())), (last, end)): b'"""'}
        return {}

    def edited(self, edits: Edits) -> bytes:
        """The source with the edits made, and as many lines as before."""
        lines = list(self.lines)
        for (first, start), (last, end), instead in reversed(_outermost(edits)):
            line = lines[first - 1][:start] + instead + lines[last - 1][end:]
            lines[first - 1 : last] = [line.rstrip() + b"\n", *[b"\n"] * (last - first)]
        return b"".join(lines)


def _outermost(edits: Edits) -> list[tuple[Place, Place, bytes]]:
    """The edits in order, without those inside others."""
    found: list[tuple[Place, Place, bytes]] = []
    for (begin, end), instead in sorted(
        edits.items(), key=lambda edit: (edit[0][0], -edit[0][1][0])
    ):
        if not found or begin >= found[-1][1]:
            found.append((begin, end, instead))
    return found


def _span(node: ast.stmt | ast.expr | ast.arg) -> tuple[Place, Place]:
    if node.end_lineno is None or node.end_col_offset is None:
        raise ValueError(f"line {node.lineno}: it has no end")
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def _comments(tokens: list[tokenize.TokenInfo], text: _Text) -> Edits:
    return {
        (text.place(each.start), text.place(each.end)): b""
        for each in tokens
        if each.type == token.COMMENT
    }


# -- statements ------------------------------------------------------------------------------------


def _unread(tree: ast.Module, text: _Text, keep_classes: bool) -> Edits:
    """Statements without effect: docstrings, what is for type checkers, variables only declared."""
    edits: Edits = {}
    fields = _fields(tree)
    for parent in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            body = getattr(parent, field, None)
            if not isinstance(body, list):
                continue
            gone = [statement for statement in body if _has_no_effect(statement, fields)]
            if keep_classes and isinstance(parent, ast.ClassDef) and gone[:1] == body[:1]:
                edits |= text.first_paragraph(gone.pop(0))
            for statement in gone:
                # A body, unlike a module, cannot be empty.
                needed = statement is body[0] and len(gone) == len(body) and parent is not tree
                instead = b"" if text.alone(statement) and not needed else NOTHING
                edits[_span(statement)] = instead
    return edits


def _has_no_effect(statement: ast.stmt, fields: set[ast.AST]) -> bool:
    match statement:
        case ast.Expr(ast.Constant(str())) | ast.If(ast.Name("TYPE_CHECKING"), _, []):
            return True
        case ast.AnnAssign(value=None):
            return statement not in fields
    return False


def _fields(tree: ast.AST, in_class: bool = False) -> set[ast.AST]:
    """The annotated variables of classes."""
    found: set[ast.AST] = {tree} if in_class and isinstance(tree, ast.AnnAssign) else set()
    if isinstance(tree, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        in_class = isinstance(tree, ast.ClassDef)
    for child in ast.iter_child_nodes(tree):
        if not isinstance(child, ast.expr):
            found |= _fields(child, in_class)
    return found


# -- annotations -----------------------------------------------------------------------------------


def _annotations(tree: ast.Module, tokens: list[tokenize.TokenInfo], text: _Text) -> Edits:
    """Those of functions, and of variables that are no fields of a class."""
    edits: Edits = {}
    marks = [
        (text.place(each.start), each) for each in tokens if each.type in (token.OP, token.NAME)
    ]
    starts = [place for place, _ in marks]
    fields = _fields(tree)

    def find(sign: str, begin: Place) -> Place:
        """The next such sign that is not in parentheses."""
        depth = 0
        for place, each in marks[bisect.bisect_left(starts, begin) :]:
            if depth == 0 and each.string == sign:
                return place
            depth += (each.string in "([{") - (each.string in ")]}")
        raise ValueError(f"line {begin[0]}: no {sign!r} behind it")

    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and all(
            map(_is_blind, node.decorator_list)
        ):
            for argument in _arguments(node.args):
                if argument.annotation is not None:
                    edits |= text.without_annotation(argument)
            if node.returns is not None:
                begin = find("->", (node.lineno, node.col_offset))
                edits[text.back(begin), find(":", begin)] = b""
        elif isinstance(node, ast.AnnAssign) and node.value is not None and node not in fields:
            begin = find(":", _span(node.target)[0])
            edits[text.back(begin), find("=", _span(node.annotation)[0])] = b" "
    return edits


def _arguments(arguments: ast.arguments) -> Iterator[ast.arg]:
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from (each for each in (arguments.vararg, arguments.kwarg) if each is not None)


def _is_blind(decorator: ast.expr) -> bool:
    if isinstance(decorator, ast.Call):
        decorator = decorator.func
    name = decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")
    return name in BLIND_DECORATORS


# -- imports ---------------------------------------------------------------------------------------


def _imports(before: ast.Module, after: ast.Module) -> Edits:
    """Imports of the module that only annotations needed."""
    edits: Edits = {}
    gone = _names(before) - _names(after)
    for statement in after.body:
        if not isinstance(statement, ast.Import | ast.ImportFrom):
            continue
        left = [each for each in statement.names if _bound(each) not in gone]
        if len(left) == len(statement.names):
            continue
        statement.names = left
        edits[_span(statement)] = ast.unparse(statement).encode() if left else b""
    return edits


def _bound(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _names(tree: ast.Module) -> set[str]:
    """What it may refer to, in texts as well: annotations, `__all__`."""
    found: set[str] = set()
    docstrings: set[ast.AST] = set()
    for node in ast.walk(tree):  # a statement comes before what it consists of
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Expr):
            docstrings.add(node.value)
        elif isinstance(node, ast.Constant) and node not in docstrings:
            found.update(re.findall(r"\w+", str(node.value)))
    return found


# -- indentation -----------------------------------------------------------------------------------


def _dedented(source: bytes) -> bytes:
    """The program with one space for four. Tracebacks show lines without indentation anyway."""
    lines = source.splitlines(keepends=True)
    depth = 0
    logical: dict[int, int] = {}
    inside: set[int] = set()
    opened: list[int] = []
    fresh = True
    for each in tokenize.tokenize(io.BytesIO(source).readline):
        kind = token.tok_name[each.type]
        if kind == "INDENT":
            depth += 1
        elif kind == "DEDENT":
            depth -= 1
        elif kind.endswith("STRING_START"):
            opened.append(each.start[0])
        elif kind.endswith("STRING_END"):
            inside.update(range(opened.pop() + 1, each.end[0] + 1))
        elif kind == "STRING":
            inside.update(range(each.start[0] + 1, each.end[0] + 1))
        if kind == "NEWLINE":
            fresh = True
        elif fresh and kind not in ("INDENT", "DEDENT", "NL", "COMMENT", "ENCODING"):
            logical[each.start[0]] = depth
            fresh = False
    for row, line in enumerate(lines, 1):
        if row in inside:
            continue
        bare = line.lstrip(b" ")
        spaces = logical.get(row, (len(line) - len(bare)) // 4)
        lines[row - 1] = b" " * spaces + bare
    return b"".join(lines)
