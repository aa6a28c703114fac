"""What slimming leaves of Python source: the same program in the same lines."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def slimmed(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "scripts")
    return importlib.import_module("python_source").slimmed


@pytest.fixture
def sources(monkeypatch):
    """All that a page gets."""
    monkeypatch.syspath_prepend(REPOSITORY / "scripts")
    left_out = importlib.import_module("web_assets").NOT_IN_A_PAGE
    roots = [REPOSITORY / "pkg", REPOSITORY / "wasm/python"]
    return [
        source
        for root in roots
        for source in root.rglob("*.py")
        if not source.relative_to(root).as_posix().startswith(left_out)
    ]


class Bare(ast.NodeTransformer):
    """A program without docstrings, what is for type checkers, and annotations but of fields."""

    def __init__(self, classes):
        self.classes = classes  # whether their docstrings stay
        self.scopes = [None]

    def generic_visit(self, node):
        scope = isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if scope:
            self.scopes.append(node)
        super().generic_visit(node)
        if scope:
            self.scopes.pop()
        if getattr(node, "body", None) == []:
            node.body = [ast.Expr(ast.Constant(""))]
        return node

    def visit_FunctionDef(self, node):
        node.returns = None
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_AnnAssign(self, node):
        if isinstance(self.scopes[-1], ast.ClassDef):
            return node
        if node.value is None:
            return None
        return self.generic_visit(ast.copy_location(ast.Assign([node.target], node.value), node))

    def visit_Expr(self, node):
        if not isinstance(node.value, ast.Constant) or not isinstance(node.value.value, str):
            return self.generic_visit(node)
        scope = self.scopes[-1]
        kept = self.classes and isinstance(scope, ast.ClassDef) and scope.body[0] is node
        if kept:
            node.value.value = inspect.cleandoc(node.value.value).partition("\n\n")[0]
        return node if kept else None

    def visit_If(self, node):
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


def shape(source, classes):
    """What a program does and in which lines; and what it imports at once."""
    tree = ast.parse(source)
    imports = {
        (node.lineno, getattr(node, "module", None), alias.name, alias.asname)
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    tree.body = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    tree = Bare(classes).visit(tree)
    lines = [
        (type(node).__name__, node.lineno) for node in ast.walk(tree) if hasattr(node, "lineno")
    ]
    return ast.dump(tree), lines, imports


@pytest.mark.parametrize("classes", [True, False])
def test_the_same_program_in_the_same_lines(slimmed, sources, classes, tmp_path):
    assert len(sources) > 100
    fewer = 0
    for number, source in enumerate(sources):
        content = source.read_bytes()
        slim = slimmed(content, keep_classes=classes)
        *actual, imports = shape(slim, classes)
        *expected, all_imports = shape(content, classes)
        assert actual == expected, source
        assert imports <= all_imports, source
        fewer += len(all_imports) - len(imports)
        assert len(slim.splitlines()) == len(content.splitlines()), source
        (tmp_path / f"module_{number}.py").write_bytes(slim)
    assert fewer > 100
    # An import too few would leave a name that nothing defines.
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select=F821"]
    done = subprocess.run([*ruff, tmp_path], capture_output=True, text=True, check=False)
    assert done.stdout == "All checks passed!\n"


def test_comments_and_docstrings(slimmed):
    source = (
        '"""Module."""\n# gone\nclass A:  # gone\n    """Kept: # not a comment."""\n\n'
        '    def ü(self):\n        """Go\n        ne."""\n'
        '        return "# kept", ("ü"  # gone\n)\n    x = 1\n    """Gone."""\n'
        'def b(): """Gone."""; return 1  # gone\n'
        'class C:\n    """Kept\n    or not.\n\n    Gone.\n    """\n'
    )
    slim = (
        '\n\nclass A:\n """Kept: # not a comment."""\n\n'
        ' def ü(self):\n\n\n  return "# kept", ("ü"\n)\n x = 1\n\n'
        'def b(): ""; return 1\n'
        'class C:\n """Kept\n    or not."""\n\n\n\n'
    )
    assert slimmed(source.encode()).decode() == slim
    without = slim.replace(' """Kept: # not a comment."""', "")
    without = without.replace('"""Kept\n    or not."""', '""\n')
    assert slimmed(source.encode(), keep_classes=False).decode() == without


CASES = {
    "arguments": (
        "def f(a: int, /, b: 'x, y: z' = 1, *c: (int), d: A[1:2] = 2, **e: A) -> B: pass",
        "def f(a, /, b=1, *c, d=2, **e): pass",
    ),
    "several lines": (
        "async def f(\n    a: A[\n        B\n    ] = (lambda: 1),\n) -> C[\n    D\n]:\n    pass",
        "async def f(\n a=(lambda: 1),\n\n\n):\n\n\n pass",
    ),
    "bytes are no characters": (
        "def ü(é: 'ü' = 'ü') -> 'ü': return é",
        "def ü(é='ü'): return é",
    ),
    "read by a decorator": (
        "@rm.node('N')\ndef f(a: Audio, *, gain: float = 1) -> Audio: pass",
        "@rm.node('N')\ndef f(a: Audio, *, gain: float = 1) -> Audio: pass",
    ),
    "not read by a decorator": (
        "@x.setter\n@lru_cache(8)\ndef f(a: int) -> int: pass",
        "@x.setter\n@lru_cache(8)\ndef f(a): pass",
    ),
    "variables": (
        "x: int = 1\ny: int\nz: tuple[int, ...] = 1, 2\nif a:\n    y: int",
        'x = 1\n\nz = 1, 2\nif a:\n ""',
    ),
    "local variables": (
        "def f(a):\n    a.b: int = 1\n    a[1:2]: A[x] = 2\n    c: int\n    d: int",
        "def f(a):\n a.b = 1\n a[1:2] = 2\n\n",
    ),
    "nothing else": ("def f():\n    c: int\n    d: int", 'def f():\n ""\n'),
    "fields": (
        "class A:\n    x: int\n    if B:\n        y: int = 1\n    def f(self):\n        z: int = 2",
        "class A:\n x: int\n if B:\n  y: int = 1\n def f(self):\n  z = 2",
    ),
    "for type checkers": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a\nx = 1",
        "\n\n\nx = 1",
    ),
    "for type checkers or not": (
        "if TYPE_CHECKING:\n    import a\nelse:\n    a = 1",
        "if TYPE_CHECKING:\n import a\nelse:\n a = 1",
    ),
    "imports": (
        "import a.b, c\nfrom d import (\n    E,\n    F as G,\n    H,\n)\nx: 'a.b[G, E]' = H(c)",
        "import c\nfrom d import H\n\n\n\n\nx = H(c)",
    ),
    "imports for fields": (
        "from a import B, C\nclass E:\n    x: 'B'\ny: C = 1",
        "from a import B\nclass E:\n x: 'B'\ny = 1",
    ),
    "imports for what they do": (
        "'''a'''\nimport a\ndef f(x: b): pass",
        "\nimport a\ndef f(x): pass",
    ),
    "exports": (
        "import a, b\n__all__ = ['a']\ndef f(x: a, y: b): pass",
        "import a\n__all__ = ['a']\ndef f(x, y): pass",
    ),
    "text": (
        "def f():\n    return '''\n    x\n''', f'''\n    {1}\n ''', 'a\\\n  b', (\n    1\n    )",
        "def f():\n return '''\n    x\n''', f'''\n    {1}\n ''', 'a\\\n  b', (\n 1\n )",
    ),
}


@pytest.mark.parametrize(("source", "slim"), CASES.values(), ids=CASES.keys())
def test_what_is_left(slimmed, source, slim):
    assert slimmed(f"{source}\n".encode()).decode() == f"{slim}\n"
