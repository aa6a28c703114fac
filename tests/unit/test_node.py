"""The node contract, parameters, and nodes made of functions."""

import enum
import inspect
from typing import Annotated, ClassVar

import msgspec
import pytest

import remotemedia as rm
from remotemedia.caps import parse_caps
from remotemedia.data import Text
from remotemedia.errors import CapsSyntaxError, NodeError, ParamsError
from remotemedia.node import (
    Emit,
    Node,
    NodeParams,
    broken_contract,
    function_node,
    is_async,
    is_source,
    make_params,
    parameter_name,
)


class Mode(enum.Enum):
    SOFT = "soft"
    HARD = "hard"


class Limiter(Node):
    class Params(NodeParams, frozen=True):
        ceiling_db: Annotated[float, msgspec.Meta(ge=-60, le=0)] = -1.0
        mode: Mode = Mode.SOFT
        bands: tuple[int, ...] = ()

    input_caps = "audio(format=F32)"
    output_caps: ClassVar = {"out": "audio(format=F32)", "meter": "json"}
    aliases: ClassVar = {"threshold_db": "ceiling_db"}

    def process(self, data):
        return data


class Needy(Node):
    class Params(NodeParams, frozen=True):
        path: str


# -- ports --------------------------------------------------------------------------------------


def test_ports_have_default_names_or_those_declared():
    params = Limiter.Params()
    assert Limiter.input_ports(params) == {"in": parse_caps("audio(format=F32)")}
    assert list(Limiter.output_ports(params)) == ["out", "meter"]
    assert Node.input_ports(NodeParams()) == {"in": parse_caps("any")}
    assert Node.output_ports(NodeParams()) == {"out": parse_caps("any")}


def test_malformed_caps_say_whose_they_are():
    class Bad(Node):
        input_caps: ClassVar = {"main": "audio", "side": "audio("}

    with pytest.raises(CapsSyntaxError) as caught:
        Bad.input_ports(NodeParams())
    assert str(caught.value).startswith(
        "column 7 of 'audio(': input_caps of Bad, port 'side': expected a field of audio"
    )


def test_caps_that_are_no_text():
    class Bad(Node):
        output_caps = rm.Audio

    with pytest.raises(NodeError, match=r"^output_caps of Bad must be caps in text form or a map"):
        Bad.output_ports(NodeParams())


def test_static_nodes_produce_what_they_declare():
    given = {"in": parse_caps("audio(channels=1)")}
    assert Limiter.output_formats(Limiter.Params(), given) == Limiter.output_ports(Limiter.Params())


def test_passthrough_nodes_produce_what_they_are_given_within_what_they_declare():
    class Through(Node):
        input_caps = "audio"
        output_caps = "audio(format=F32)"
        capabilities = "passthrough"

    formats = Through.output_formats(NodeParams(), {"in": parse_caps("audio(channels=1)")})
    assert formats == {"out": parse_caps("audio(channels=1, format=F32)")}
    assert Through.output_formats(NodeParams(), {}) == {"out": parse_caps("audio(format=F32)")}
    # What never can be is reported where the edge is checked; here the declared caps stand.
    formats = Through.output_formats(NodeParams(), {"in": parse_caps("text")})
    assert formats == {"out": parse_caps("audio(format=F32)")}


# -- life ---------------------------------------------------------------------------------------


def test_the_base_does_nothing_but_process_says_so():
    node = Needy(path="x")
    assert [node.finish(), node.close(), node.reset()] == [None] * 3
    with pytest.raises(NotImplementedError, match=r"Needy has no process\(\)"):
        node.process(Text("x"))


def test_async_and_source_are_told_from_the_methods():
    class Waits(Node):
        async def process(self, data): ...

    class Streams(Node):
        async def process(self, data):
            yield data

    class Produces(Node):
        def produce(self):
            return []

    class ProducesLater(Node):
        async def produce(self):
            yield Text("x")

    found = {cls: (is_async(cls), is_source(cls)) for cls in (Waits, Streams, Produces)}
    assert found == {Waits: (True, False), Streams: (True, False), Produces: (False, True)}
    assert (is_async(ProducesLater), is_source(ProducesLater)) == (True, True)
    assert (is_async(Limiter()), is_source(Limiter())) == (False, False)


class AsyncOpen(Node):
    async def open(self, ctx): ...
    def process(self, data): ...


class AsyncReset(Node):
    async def process(self, data): ...
    async def reset(self): ...


class AsyncLife(Node):
    async def open(self, ctx): ...
    async def process(self, data): ...
    async def close(self): ...


@pytest.mark.parametrize(
    ("cls", "problem"),
    [
        (Limiter, ""),
        (AsyncLife, ""),
        (int, "it is no subclass of remotemedia.Node"),
        (len, "it is no subclass of remotemedia.Node"),
        (AsyncOpen, "its open() is async, so its process() must be 'async def' too"),
        (AsyncReset, "its reset() is async: it is called directly, so it cannot wait"),
        (
            type("X", (Limiter,), {"capabilities": "magic"}),
            "its capabilities are 'magic', not one of static, configured, passthrough, adaptive, "
            "runtime_discovered",
        ),
        (
            type("X", (Limiter,), {"requires": "scipy"}),
            "its requires are 'scipy': write a tuple, ('…',)",
        ),
        (
            type("X", (Limiter,), {"backends": "soxr"}),
            "its backends are 'soxr': write a tuple, ('…',)",
        ),
    ],
)
def test_broken_contracts(cls, problem):
    assert broken_contract(cls) == problem


def test_emit_is_a_port_and_data():
    text = Text("x")
    assert Emit("left", text) == ("left", text)


# -- parameters ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ceiling_db", "ceiling_db"),
        ("ceilingDb", "ceiling_db"),
        ("threshold_db", "ceiling_db"),
        ("thresholdDb", "ceiling_db"),
        ("mode", "mode"),
        ("unknownName", "unknownName"),
    ],
)
def test_parameter_names(name, meant):
    assert parameter_name(Limiter, name) == meant


def test_values_are_converted():
    params = make_params(Limiter, {"thresholdDb": -3, "mode": "hard", "bands": [1, 2]})
    assert params == Limiter.Params(ceiling_db=-3.0, mode=Mode.HARD, bands=(1, 2))
    assert make_params(Limiter, {}) == Limiter.Params()
    assert make_params(Limiter, {"mode": Mode.HARD}).mode is Mode.HARD


@pytest.mark.parametrize(
    ("cls", "fields", "message"),
    [
        (Limiter, {"ceiling": 1}, "Limiter has no parameter 'ceiling'; did you mean 'ceiling_db'?"),
        (Limiter, {"x": 1}, "Limiter has no parameter 'x' (it has: ceiling_db, mode, bands)"),
        (Node, {"x": 1}, "Node has no parameter 'x' (it has: none)"),
        (
            Limiter,
            {"ceiling_db": 3},
            "Limiter: parameter ceiling_db: expected `float` <= 0.0, given 3",
        ),
        (
            Limiter,
            {"thresholdDb": "loud"},
            "Limiter: parameter ceiling_db: expected `float`, got `str`, given 'loud'",
        ),
        (
            Limiter,
            {"mode": "mild"},
            "Limiter: parameter mode: invalid enum value 'mild', given 'mild'",
        ),
        (
            Limiter,
            {"bands": [1, "x"]},
            "Limiter: parameter bands[1]: expected `int`, got `str`, given [1, 'x']",
        ),
        (
            Limiter,
            {"ceiling_db": -1, "threshold_db": -2},
            "Limiter: parameter 'ceiling_db' is given twice, once as 'threshold_db'",
        ),
        (Needy, {}, "Needy: there is no parameter `path`"),
    ],
)
def test_wrong_parameters(cls, fields, message):
    with pytest.raises(ParamsError) as caught:
        make_params(cls, fields, "limit")
    assert str(caught.value) == message
    assert caught.value.node == "limit"
    with pytest.raises(ParamsError) as caught:
        cls(**fields)
    assert str(caught.value) == message


def test_a_node_takes_params_or_keywords():
    params = Limiter.Params(ceiling_db=-2.0)
    assert Limiter(params).params is params
    assert Limiter(ceilingDb=-2).params == params
    with pytest.raises(ParamsError, match=r"Limiter takes an instance of its Params.*not dict$"):
        Limiter({"ceiling_db": -2})
    with pytest.raises(ParamsError, match=r"not Needy\.Params$"):
        Limiter(Needy.Params(path="x"))
    with pytest.raises(ParamsError, match=r"not Limiter\.Params and keywords$"):
        Limiter(params, mode="hard")


# -- functions ----------------------------------------------------------------------------------


def plain(text: rm.Text, *, marks: int = 1, word: str) -> rm.Text:
    """Shouts."""
    return text.replace(text=text.text + word + "!" * marks)


def generator(text: rm.Text, *, times: int = 2):
    for _ in range(times):
        yield text


async def coroutine(text, *, suffix: str = "…"):
    return text.replace(text=text.text + suffix)


async def stream(text, *, times=2):
    for _ in range(times):
        yield text


def test_a_function():
    cls = function_node(plain)
    assert (cls.__name__, cls.__doc__, cls.__module__) == ("plain", "Shouts.", __name__)
    assert not is_async(cls)
    node = cls(marks=2, word="?")
    assert node.process(Text("a")).text == "a?!!"
    assert node.params == cls.Params(marks=2, word="?")
    with pytest.raises(ParamsError, match="plain: there is no parameter `word`"):
        cls()
    with pytest.raises(ParamsError, match="parameter marks: expected `int`, got `str`, given 'x'"):
        cls(marks="x", word="")


def test_a_function_without_parameters():
    cls = function_node(lambda data: data)
    text = Text("x")
    assert cls().process(text) is text
    assert cls.Params.__struct_fields__ == ()


def test_a_function_of_data_and_port():
    cls = function_node(lambda data, port, /: Emit(port, data))
    text = Text("x")
    assert cls().process(text, "left") == Emit("left", text)


def test_a_generator():
    node = function_node(generator)(times=3)
    assert not is_async(node)
    assert [item.text for item in node.process(Text("a"))] == ["a"] * 3


async def test_a_coroutine():
    node = function_node(coroutine)()
    assert is_async(node)
    assert (await node.process(Text("a"))).text == "a…"


async def test_an_async_generator():
    node = function_node(stream)(times=3)
    assert is_async(node)
    assert inspect.isasyncgenfunction(node.process)
    assert [item.text async for item in node.process(Text("a"))] == ["a"] * 3


def test_a_parameter_without_annotation_may_be_anything():
    assert function_node(stream)(times="x").params.times == "x"


def no_data(*, marks: int = 1): ...
def three(a, b, c): ...
def default(text, marks=1): ...
def star(*texts): ...
def stars(text, **rest): ...
def unknown_type(text: "NoSuchType"): ...  # noqa: F821


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (no_data, "parameters after a '*'; it takes 0 positional arguments"),
        (three, "parameters after a '*'; it takes 3 positional arguments"),
        (default, "parameter 'marks' has to stand after a '*'"),
        (star, "*args and **kwargs are no parameters of a node"),
        (stars, "*args and **kwargs are no parameters of a node"),
        (unknown_type, "'NoSuchType' is not defined: its annotations are read when it is defined"),
    ],
)
def test_functions_that_make_no_node(function, message):
    with pytest.raises(NodeError) as caught:
        function_node(function)
    text = str(caught.value)
    assert text.startswith(f"node function {function.__name__}")
    assert text.endswith(message)
