"""The registry: built-in nodes, plugins, and what the program registers."""

import importlib
import os
import shutil
import sys

import pytest

import remotemedia as rm
from remotemedia.errors import CapsSyntaxError, NodeError, UnavailableError, UnknownNodeTypeError
from remotemedia.node import Node
from remotemedia.registry import Registry, default_registry, entry_points, missing_packages

# The reference system's names that have a counterpart here (facts/reference-system.md §2).
REFERENCE_NAMES = {
    "AudioResampleNode": "AudioResample",
    "RustResampleNode": "AudioResample",
    "FastResampleNode": "AudioResample",
    "RustFormatConverterNode": "AudioFormatConvert",
    "RustVADNode": "EnergyVAD",
    "FastVADNode": "EnergyVAD",
    "AudioChunkerNode": "AudioChunker",
    "TextCollectorNode": "TextCollector",
    "SpeculativeAudioCommitNode": "SpeculativeAudioCommit",
    "AudioBufferAccumulatorNode": "AudioBufferAccumulator",
    "ConversationCoordinatorNode": "ConversationCoordinator",
    "CalculatorNode": "Calculator",
    "PassThroughNode": "PassThrough",
}


class Echo(Node):
    def process(self, data):
        return data


class Other(Node):
    def process(self, data):
        return data


@pytest.fixture
def registry():
    return Registry({"Gain": "remotemedia.nodes.audio.gain:Gain"}, {"GainNode": "Gain"})


OURS = ("EspeakTTS", "SpeechToText")  # plugins of this very distribution


@pytest.fixture(autouse=True)
def _without_ours(monkeypatch):
    def others(group):
        return [point for point in entry_points(group) if point.name not in OURS]

    monkeypatch.setattr("remotemedia.registry.entry_points", others)


@pytest.fixture
def plugins(tmp_path, monkeypatch):
    """Writes a distribution with entry points and modules; both are found by import."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def write(name, points, metadata=True, **modules):
        folder = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        if metadata:
            (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(points)
        for module, source in modules.items():
            (tmp_path / f"{module}.py").write_text(source)
        importlib.invalidate_caches()

    yield write
    for module in set(sys.modules) - before:
        del sys.modules[module]


# -- built-in -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("alias", "name"), REFERENCE_NAMES.items())
def test_names_of_the_reference_system(alias, name):
    registry = default_registry()
    assert registry.canonical(alias) == name
    assert registry.find(alias) is registry.find(name)
    assert alias in registry.aliases_of(name)
    assert alias not in registry.names()


def test_info_of_a_built_in(registry):
    info = registry.info("GainNode")
    assert (info.name, info.origin) == ("Gain", "built-in")
    assert info.target == "remotemedia.nodes.audio.gain:Gain"
    assert registry.find("Gain").__name__ == "Gain"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Gian", "unknown node_type 'Gian'; did you mean 'Gain'?"),
        ("gainnod", "unknown node_type 'gainnod'; did you mean 'GainNode'?"),
        ("Whisper", "unknown node_type 'Whisper' (see: remotemedia nodes)"),
    ],
)
def test_unknown(registry, name, message):
    with pytest.raises(UnknownNodeTypeError) as caught:
        registry.find(name)
    assert str(caught.value) == message


# -- registered ---------------------------------------------------------------------------------


def test_add(registry):
    registry.add("Echo", Echo)
    assert registry.find("Echo") is Echo
    assert registry.info("Echo").origin == "registered"
    assert registry.info("Echo").target == f"{__name__}:Echo"
    assert "Echo" in registry.names()
    registry.add("Echo", Echo)  # again, as a notebook does


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "Gain",
            "node type 'Gain' is already defined by built-in remotemedia.nodes.audio.gain:Gain",
        ),
        (
            "GainNode",
            "node type 'GainNode' is already defined (as Gain) by built-in "
            "remotemedia.nodes.audio.gain:Gain",
        ),
        ("Echo", f"node type 'Echo' is already defined by registered {__name__}:Echo"),
    ],
)
def test_a_name_is_given_once(registry, name, message):
    registry.add("Echo", Echo)
    with pytest.raises(NodeError) as caught:
        registry.add(name, Other)
    assert str(caught.value) == f"{message}: choose another name"
    assert registry.find("Echo") is Echo


@pytest.fixture
def fresh(monkeypatch, registry):
    """A registry of the test's own behind the decorator."""
    monkeypatch.setattr("remotemedia.registry._default", registry)
    return registry


def test_decorator_on_a_function(fresh):
    @rm.node("Shout", input_caps="text", output_caps={"loud": "text"}, capabilities="configured")
    def shout(text: rm.Text, *, marks: int = 1) -> rm.Text:
        return text.replace(text=text.text.upper() + "!" * marks)

    assert fresh.find("Shout") is shout
    assert issubclass(shout, rm.Node)
    assert list(shout.output_ports(shout.Params())) == ["loud"]
    assert shout.capabilities == "configured"
    assert shout(marks=2).process(rm.Text("hi")).text == "HI!!"


def test_decorator_on_a_class(fresh):
    @rm.node("Quiet", input_caps="text", requires=())
    class Quiet(rm.Node):
        def process(self, data):
            return None

    assert fresh.find("Quiet") is Quiet
    assert Quiet.input_caps == "text"


def test_decorator_refuses_what_is_no_node(fresh):
    class Plain:
        pass

    with pytest.raises(NodeError, match=r"@node\('P'\) on .*Plain: it is no subclass of remotem"):
        rm.node("P")(Plain)
    with pytest.raises(NodeError, match=r"its requires are 'scipy': write a tuple"):
        rm.node("P", requires="scipy")(lambda data: data)
    with pytest.raises(CapsSyntaxError, match=r"input_caps of .*, port 'in': expected"):
        rm.node("P", input_caps="vidio")(lambda data: data)
    with pytest.raises(CapsSyntaxError, match=r"output_caps of .*, port 'a': expected"):
        rm.node("P", output_caps={"a": "vidio"})(lambda data: data)
    assert fresh.names() == ["Gain"]


@pytest.mark.parametrize("name", [None, "", len])
def test_decorator_needs_a_name(name):
    with pytest.raises(NodeError, match=r"@node takes the name of the node type: @node\('Name'\)"):
        rm.node(name)


# -- plugins ------------------------------------------------------------------------------------

GOOD = """
import remotemedia as rm
class Good(rm.Node):
    def process(self, data):
        return data
"""


def test_plugins_are_found_and_loaded_when_asked_for(registry, plugins):
    plugins("rm-good", "[remotemedia.nodes]\nGood = rm_good:Good\n", rm_good=GOOD)
    assert registry.names() == ["Gain", "Good"]
    assert "rm_good" not in sys.modules
    assert registry.info("Good").origin == "rm-good"
    assert registry.find("Good").__name__ == "Good"
    assert [point.name for point in entry_points("remotemedia.nodes")] == [OURS[0], "Good", OURS[1]]


def test_what_is_installed_and_removed_meanwhile_is_seen(plugins, tmp_path):
    before = entry_points("remotemedia.nodes")
    plugins("rm-good", "[remotemedia.nodes]\nGood = rm_good:Good\n", rm_good=GOOD)
    assert {point.name for point in entry_points("remotemedia.nodes")} == {*OURS, "Good"}
    shutil.rmtree(tmp_path / "rm_good-1.0.dist-info")
    assert entry_points("remotemedia.nodes") == before


def test_a_broken_plugin_is_listed_with_its_reason_and_stops_no_other(registry, plugins):
    plugins(
        "rm-broken",
        "[remotemedia.nodes]\nBroken = rm_broken:Broken\nMissing = rm_good:Missing\n"
        "Function = rm_good:rm.Audio\nBare = rm_good\n",
        rm_broken="import no_such_module_at_all\n",
    )
    plugins("rm-good", "[remotemedia.nodes]\nGood = rm_good:Good [extra]\n", rm_good=GOOD)
    assert registry.find("Good").__name__ == "Good"
    reasons = dict(registry.unavailable())
    assert reasons["Broken"] == (
        "node_type 'Broken' of rm-broken cannot be loaded here: ModuleNotFoundError: "
        "No module named 'no_such_module_at_all'"
    )
    assert "has no attribute 'Missing'" in reasons["Missing"]
    assert reasons["Function"] == (
        "node_type 'Function' of rm-broken is no node: rm_good:rm.Audio: "
        "it is no subclass of remotemedia.Node"
    )
    assert reasons.keys() == {"Broken", "Missing", "Function", "Bare"}
    with pytest.raises(UnavailableError, match="no_such_module_at_all"):
        registry.find("Broken")


def test_a_distribution_that_cannot_be_read_stops_no_other(registry, plugins):
    plugins("rm-torn", "[remotemedia.nodes]\nTorn = rm_good:Good\n", metadata=False)
    plugins("rm-worse", "[remotemedia.nodes]\nthis line says nothing\n")
    plugins("rm-good", "[remotemedia.nodes]\nGood = rm_good:Good\n", rm_good=GOOD)
    assert registry.find("Good").__name__ == "Good"


def test_a_plugin_cannot_replace_a_node(registry, plugins):
    plugins("rm-bold", "[remotemedia.nodes]\nGain = x:X\nGainNode = x:X\nEcho = x:X\n")
    registry.add("Echo", Echo)
    assert registry.names() == ["Echo", "Gain"]
    assert registry.find("Gain").__module__ == "remotemedia.nodes.audio.gain"
    assert registry.find("Echo") is Echo
    assert dict(registry.unavailable()) == {
        "Gain of rm-bold": "node_type 'Gain' of rm-bold is ignored: built-in defines it",
        "GainNode of rm-bold": "node_type 'GainNode' of rm-bold is ignored: built-in defines it",
    }


def test_a_plugin_may_use_the_decorator(fresh, plugins):
    source = """
import remotemedia as rm
@rm.node("Short", input_caps="text")
def short(data):
    return data
"""
    plugins("rm-short", "[remotemedia.nodes]\nShort = rm_short:short\n", rm_short=source)
    assert fresh.info("Short").origin == "rm-short"
    cls = fresh.find("Short")
    assert cls.input_caps == "text"
    assert fresh.find("Short") is cls
    with pytest.raises(NodeError, match=r"already defined by rm-short rm_short:short"):
        fresh.add("Short", Echo)


# -- requirements -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "requirement",
    ["numpy", "numpy>=1", "numpy[extra]; python_version > '3'", "PyYAML>=6", "pyyaml", "json"],
)
def test_what_is_installed_is_not_missing(requirement):
    assert missing_packages(type("X", (Echo,), {"requires": (requirement,)})) == []


def test_requirements_are_known_before_they_are_installed(registry):
    registry.add("Heavy", type("Heavy", (Echo,), {"requires": ("no-such-package>=1.2", "numpy")}))
    assert registry.requirements("Heavy") == ("no-such-package>=1.2", "numpy")
    assert registry.requirements("GainNode") == ()
    with pytest.raises(UnknownNodeTypeError, match="did you mean 'Gain'"):
        registry.requirements("Gian")


def test_a_package_that_is_installed_later_is_found(registry, plugins, tmp_path):
    registry.add("Late", type("Late", (Echo,), {"requires": ("rm-later-module>=1",)}))
    stat = tmp_path.stat()
    for _ in range(2):
        with pytest.raises(UnavailableError, match="needs rm-later-module>=1: pip install"):
            registry.find("Late")
    (tmp_path / "rm_later_module.py").write_text("")
    # As on a file system whose clock is coarse: what was read of the folder looks up to date.
    os.utime(tmp_path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert registry.find("Late").__name__ == "Late"


def test_missing_packages_give_the_install_command(registry):
    wanted = ("numpy", "no-such-package>=1.2", "no_such.sub[all]")
    registry.add("Heavy", type("Heavy", (Echo,), {"requires": wanted}))
    with pytest.raises(UnavailableError) as caught:
        registry.find("Heavy")
    assert str(caught.value) == (
        "node_type 'Heavy' needs no-such-package>=1.2, no_such.sub[all]: "
        "pip install 'no-such-package>=1.2' 'no_such.sub[all]'"
    )
    assert list(registry.unavailable()) == [("Heavy", str(caught.value))]


def test_relations_are_checked_where_the_author_sees_them():
    with pytest.raises(NodeError, match=r"names port 'inn', which it has not; did you mean 'in'\?"):
        rm.node("R", input_caps="audio", output_caps="audio", relations=("out = inn",))(
            lambda data: data
        )
    with pytest.raises(CapsSyntaxError, match="there is no field 'rate'"):
        rm.node("R", relations=("out.rate = in.rate",))(lambda data: data)
    with pytest.raises(CapsSyntaxError, match=r"expected 'out = in'"):
        rm.node("R", relations=("out == in",))(lambda data: data)
    with pytest.raises(CapsSyntaxError, match="a ratio is not 0"):
        rm.node("R", relations=("out.channels = in.channels / 0",))(lambda data: data)
