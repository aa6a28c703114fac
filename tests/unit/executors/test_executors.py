"""Executors: finding one, and what it makes of a node."""

import importlib
import sys

import pytest

from remotemedia.errors import DataError, NodeError, UnavailableError
from remotemedia.executors import Executor, Inline, find_executor
from remotemedia.graph import Graph
from remotemedia.manifest import Manifest, NodeSpec
from remotemedia.node import Node
from remotemedia.registry import Registry

SOURCE = """
class Good:
    def create(self, node):
        return node
class NoExecutor:
    pass
def broken():
    raise RuntimeError("no GPU")
"""


class Fragile(Node):
    backends = ("numpy", "soxr")

    class Params(Node.Params):
        fault: str = ""

    def __init__(self, params=None, **fields):
        super().__init__(params, **fields)
        if self.params.fault == "data":
            raise DataError("rows differ")
        if self.params.fault:
            raise KeyError(self.params.fault)

    def process(self, data):
        return data


def graph_node(**spec):
    registry = Registry({}, {})
    registry.add("Fragile", Fragile)
    nodes = (NodeSpec(id="f", node_type="Fragile", **spec),)
    return Graph.build(Manifest(nodes=nodes), registry).nodes["f"]


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    folder = tmp_path / "rm_executors-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: rm-executors\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        "[remotemedia.executors]\n"
        "good = rm_executors:Good\nempty = rm_executors:NoExecutor\n"
        "broken = rm_executors:broken\nabsent = rm_no_such_module:X\n"
    )
    (tmp_path / "rm_executors.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield
    sys.modules.pop("rm_executors", None)


def test_inline_gives_the_node_itself():
    executor = find_executor("inline")
    assert isinstance(executor, Inline)
    assert isinstance(executor, Executor)
    node = graph_node(backend="soxr")
    created = executor.create(node)
    assert type(created) is Fragile
    assert created.params is node.params
    assert created.backend == "soxr"
    assert executor.create(node) is not created


def test_a_node_that_cannot_be_made_is_named():
    with pytest.raises(DataError, match="rows differ") as caught:
        Inline().create(graph_node(params={"fault": "data"}))
    assert caught.value.node == "f"
    with pytest.raises(NodeError) as caught:
        Inline().create(graph_node(params={"fault": "key"}))
    assert str(caught.value) == "node 'f' (Fragile) cannot be made: KeyError: 'key'"
    assert caught.value.node == "f"
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "remote",
            "executor 'remote' comes with the server package, which this version does not ship "
            "yet: use 'executor: inline' (the default)",
        ),
        ("proces", "unknown executor 'proces'; did you mean 'process'?"),
        ("gpu", "unknown executor 'gpu' (one of inline, process, worker, remote, ray)"),
    ],
)
def test_one_that_is_not_here(name, message):
    with pytest.raises(UnavailableError) as caught:
        find_executor(name)
    assert str(caught.value) == message


def test_plugins(plugin):
    good = find_executor("good")
    assert type(good).__name__ == "Good"
    with pytest.raises(UnavailableError) as caught:
        find_executor("empty")
    assert str(caught.value) == "executor 'empty': rm_executors:NoExecutor has no create(node)"
    with pytest.raises(UnavailableError, match="'broken' cannot be loaded here: RuntimeErr"):
        find_executor("broken")
    with pytest.raises(UnavailableError, match="'absent' cannot be loaded here: ModuleNotFoundErr"):
        find_executor("absent")
