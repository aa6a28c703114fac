"""run_node: nodes of every kind, and what is said of those that fail."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import ClassVar

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.clock import SystemClock, sleep
from remotemedia.errors import AddressError, FormatError, NodeOutputError, ParamsError
from remotemedia.testing import (
    DeadlockError,
    Interrupt,
    Pause,
    VirtualClock,
    arun_node,
    run_node,
    signals,
)
from session_nodes import Count, Log, Slow, Ticks, Traced, Two, texts


class Echo(rm.Node):
    """Keeps one text back; not registered."""

    class Params(rm.Params, frozen=True):
        mark: str = "!"
        fail_in: str = ""

    input_caps = "text"
    output_caps = "text"

    def open(self, ctx: rm.Context) -> None:
        self.calls = 0
        self.held: rm.Text | None = None
        self._fail("open")

    def process(self, text: rm.Text) -> rm.Text | None:
        self.calls += 1
        before, self.held = self.held, rm.Text(text.text + self.params.mark)
        return before

    def finish(self) -> rm.Text | None:
        self._fail("finish")
        return self.held

    def close(self) -> None:
        self._fail("close")

    def reset(self) -> None:
        self.held = None

    def _fail(self, place: str) -> None:
        if self.params.fail_in == place:
            raise ZeroDivisionError(f"no {place}")


def words(result: object) -> list[str]:
    return [text.text for text in result.all(rm.Text)]  # type: ignore[attr-defined]


# -- kinds of nodes ------------------------------------------------------------------------------


def test_a_class_that_is_not_registered() -> None:
    result = run_node(Echo, texts("a", "b"), mark="?")
    assert words(result) == ["a?", "b?"]
    assert (result.node_type, result.ports, len(result)) == ("Echo", ("out",), 2)
    assert [packet.sequence for packet in result.packets] == [1, 1]


def test_its_whole_life_in_order() -> None:
    Log.lines.clear()
    run_node(Traced, texts("a", "b"), name="T")
    assert Log.lines == ["open Traced", "T a", "T b", "finish T", "close T"]


def test_a_node_by_its_type_or_alias() -> None:
    given = signals.tone(100, 0.1)
    for name in ("AudioResample", "RustResampleNode"):
        result = run_node(name, [given], target_rate=16_000)
        assert result.node_type == "AudioResample"
        assert result.audio().sample_rate == 16_000


def test_a_node_that_was_made_already_can_be_looked_at_afterwards() -> None:
    node = Echo(mark="~")
    assert words(run_node(node, texts("a"))) == ["a~"]
    assert node.calls == 1
    with pytest.raises(rm.NodeError, match="Echo was made with its parameters already"):
        run_node(node, texts("a"), mark="?")


def test_a_node_with_several_inputs() -> None:
    result = run_node(Two, [("left", rm.Text("a")), rm.Emit("right", rm.Text("b"))])
    assert words(result) == ["left a", "right b"]
    with pytest.raises(AddressError, match=r"input ports left, right: give \('left', data\)"):
        run_node(Two, texts("a"))


def test_a_node_with_several_outputs() -> None:
    result = run_node("TestOdd", texts("1", "2", "3", "0"))
    assert [(port, data.text) for port, data in result] == [
        ("odd", "1"),
        ("even", "2"),
        ("odd", "3"),
    ]  # type: ignore[attr-defined]
    assert [data.text for data in result["odd"]] == ["1", "3"]  # type: ignore[attr-defined]
    assert [text.text for text in result.all(rm.Text, "even")] == ["2"]
    with pytest.raises(KeyError, match=r"TestOdd has no output port 'evn'; did you mean 'even'?"):
        result["evn"]


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("TestRepeat", ["a.0", "a.1", "b.0", "b.1"]),
        ("TestList", ["aa", "ab", "ba", "bb"]),
        ("TestStream", ["a.0", "a.1", "a.2", "b.0", "b.1", "b.2"]),
        ("TestSlow", ["a", "b", "slow tail"]),
    ],
)
def test_generators_lists_and_asynchronous_nodes(node: str, expected: list[str]) -> None:
    assert words(run_node(node, texts("a", "b"))) == expected


def test_sources() -> None:
    assert words(run_node(Count, count=4)) == ["0", "1", "2", "3"]
    clock = VirtualClock()
    assert words(run_node(Ticks, clock=clock, count=4)) == ["0", "1", "2", "3"]
    assert clock.now_us() == 80_000
    with pytest.raises(AddressError, match="is a source: nothing can be sent to it"):
        run_node(Count, texts("a"))


class Prompted(rm.Node):
    """A source that can be told something."""

    input_caps: ClassVar = {"say": "text"}
    output_caps = "text"
    said = ""

    def process(self, text: rm.Text) -> None:
        self.said = text.text

    async def produce(self) -> AsyncIterator[rm.Text]:
        yield rm.Text("on its own")


def test_sources_that_were_made_already() -> None:
    assert words(run_node(Count(count=2))) == ["0", "1"]
    assert words(run_node(Prompted())) == words(run_node(Prompted)) == ["on its own"]
    for source in (Prompted, Prompted()):
        with pytest.raises(AddressError, match="Prompted:say accepts text"):
            run_node(source, [rm.Json(1)])


@pytest.mark.parametrize("kind", [Count, Ticks])
def test_a_source_that_does_not_end_is_limited(kind: type[rm.Node]) -> None:
    assert words(run_node(kind, limit=5, count=10**9)) == ["0", "1", "2", "3", "4"]
    with pytest.raises(ValueError, match="limit is at least 1 output, not 0"):
        run_node(kind, limit=0)


def test_inputs_that_never_end_are_taken_one_by_one() -> None:
    given = (rm.Text(str(number)) for number in itertools.count())
    assert words(run_node("PassThrough", given, limit=3)) == ["0", "1", "2"]


def test_inputs_that_fail_by_themselves() -> None:
    def broken() -> Iterator[rm.Text]:
        yield rm.Text("a")
        raise ZeroDivisionError("no more")

    with pytest.raises(ZeroDivisionError, match="no more"):
        run_node("PassThrough", broken())


def test_more_inputs_and_outputs_than_any_queue_holds() -> None:
    result = run_node("TestRepeat", texts(*map(str, range(500))), times=10)
    assert words(result) == [f"{a}.{b}" for a in range(500) for b in range(10)]


# -- parameters and formats ----------------------------------------------------------------------


def test_parameters_in_every_form() -> None:
    for given in (Echo.Params(mark="x"), {"mark": "x"}):
        assert words(run_node(Echo, texts("a"), params=given)) == ["ax"]
    with pytest.raises(ParamsError, match=r"Echo has no parameter 'marc'; did you mean 'mark'?"):
        run_node(Echo, marc="x")
    with pytest.raises(ParamsError, match="Echo takes an instance of its Params or their fields"):
        run_node(Echo, params=Echo.Params(), mark="x")
    with pytest.raises(ParamsError, match="expected `float`"):
        run_node("Gain", gain_db="loud")


class Nested(rm.Node):
    """Has parameters that are structs themselves."""

    class Params(rm.Params, frozen=True):
        inner: Echo.Params = Echo.Params()
        many: tuple[Echo.Params, ...] = ()

    input_caps = "text"
    output_caps = "text"

    def process(self, text: rm.Text) -> rm.Text:
        return rm.Text(text.text + self.params.inner.mark + str(len(self.params.many)))


def test_parameters_that_are_structs() -> None:
    params = Nested.Params(inner=Echo.Params(mark="+"), many=(Echo.Params(), Echo.Params()))
    assert words(run_node(Nested, texts("a"), params=params)) == ["a+2"]
    assert words(run_node(Nested(params), texts("a"))) == ["a+2"]
    assert words(run_node(Nested, texts("a"), inner={"mark": "-"})) == ["a-0"]


class Told(rm.Node):
    """Says what it was told when it opened."""

    input_caps = "audio"
    output_caps = "text"

    def open(self, ctx: rm.Context) -> None:
        self.told = f"{ctx.node}: {ctx.inputs['in']} to {ctx.outputs['out']}"

    def process(self, audio: rm.Audio) -> rm.Text:
        return rm.Text(self.told)


def test_open_is_told_what_was_negotiated() -> None:
    given = [signals.silence(0.01, sample_rate=16_000)]
    formats = {"in": "audio(sample_rate=16000)"}
    assert words(run_node(Told, given, input_formats=formats)) == [
        "Told: audio(sample_rate=16000) to text"
    ]
    assert words(run_node(Told, given)) == ["Told: audio to text"]
    with pytest.raises(FormatError, match=r"accepts audio.sample_rate=16000.*48000") as caught:
        run_node(Told, [signals.silence(0.01)], input_formats=formats)
    assert caught.value.__notes__ == [
        "run_node: given as input 0, Audio(samples=float32[1, 480], sample_rate=48000, pts_us=0)"
    ]


def test_outputs_have_to_be_as_declared() -> None:
    class Liar(rm.Node):
        input_caps = "text"
        output_caps = "json"

        def process(self, text: rm.Text) -> rm.Text:
            return text

    with pytest.raises(FormatError, match="Liar:out is declared as json, but gave text") as caught:
        run_node(Liar, texts("a"))
    assert caught.value.__notes__[0].startswith("run_node: it gave Text(text='a'")


def test_what_is_no_node() -> None:
    for wrong in (int, object(), rm.Text):
        with pytest.raises(rm.NodeError, match=r"it is no subclass of remotemedia.Node"):
            run_node(wrong)  # type: ignore[arg-type]


# -- failures ------------------------------------------------------------------------------------


def test_an_item_that_fails_is_named() -> None:
    with pytest.raises(rm.NodeError, match=r"TestFail.* raised ZeroDivisionError") as caught:
        run_node("TestFail", texts("a", "bad", "c"))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    (note,) = caught.value.__notes__
    assert note.startswith("run_node: raised at input 1, Text(text='bad'")


def test_items_that_fail_can_be_skipped() -> None:
    result = run_node("TestFail", texts("a", "bad", "c", "bad"), on_error="skip")
    assert words(result) == ["a", "c"]
    assert [event.sequence for event in result.events] == [1, 3]
    assert [error.__notes__[0][:28] for error in result.errors] == [
        "run_node: raised at input 1,",
        "run_node: raised at input 3,",
    ]
    (node,) = result.metrics.nodes
    assert node.errors == 2
    with pytest.raises(ValueError, match="on_error is 'raise' or 'skip', not 'pass'"):
        run_node("TestFail", on_error="pass")  # type: ignore[arg-type]


@pytest.mark.parametrize("place", ["open", "finish", "close"])
def test_other_failures_are_named_by_where_they_are(place: str) -> None:
    with pytest.raises(rm.NodeError, match=f"ZeroDivisionError: no {place}") as caught:
        run_node(Echo, texts("a"), fail_in=place)
    if place != "open":  # nothing but opening goes on then
        assert caught.value.__notes__ == [f"run_node: raised in {place}()"]


def test_a_source_that_fails() -> None:
    with pytest.raises(rm.NodeError, match="source broke") as caught:
        run_node(Count, count=2, fail=True)
    assert caught.value.__notes__ == ["run_node: raised after 1 outputs"]


@pytest.mark.parametrize("given", ["str", "dict", "in a list", "port", "class"])
def test_outputs_that_are_no_data(given: str) -> None:
    with pytest.raises(NodeOutputError):
        run_node("TestWrong", texts(given))


@pytest.mark.parametrize("given", ["text", ("left", "text"), ("left", rm.Text("a"), 1), None, 7])
def test_inputs_that_are_no_data(given: object) -> None:
    with pytest.raises(AddressError, match=r"Pause or Interrupt|input ports left, right") as caught:
        run_node(Two, [("left", rm.Text("first")), given])  # type: ignore[list-item]
    assert caught.value.__notes__[0].startswith("run_node: given as input 1, ")


def test_a_node_that_waits_for_ever() -> None:
    with pytest.raises(DeadlockError, match="forgiving"):
        run_node("TestForgiving", texts("a"))


def test_nothing_is_left_behind_when_an_input_is_refused() -> None:
    clock = VirtualClock()
    with pytest.raises(AddressError):
        run_node(Slow, [rm.Text("a"), rm.Json(1)], clock=clock)
    assert clock.timers == ()
    assert words(run_node(Slow, texts("b"), clock=clock)) == ["b", "slow tail"]


# -- time ----------------------------------------------------------------------------------------


class Arrivals(rm.Node):
    """Emits when each item came, in µs since it opened."""

    input_caps = "any"
    output_caps = "json"

    def open(self, ctx: rm.Context) -> None:
        self.clock, self.start_us = ctx.clock, ctx.clock.now_us()

    def process(self, data: rm.Data) -> rm.Json:
        return rm.Json(self.clock.now_us() - self.start_us)


def test_time_passes_in_pauses() -> None:
    given = [rm.Text("a"), Pause(250_000), rm.Text("b"), rm.Text("c"), Pause(5), rm.Text("d")]
    result = run_node(Arrivals, given)
    assert [json.value for json in result.all(rm.Json)] == [0, 250_000, 250_000, 250_005]


def test_real_time_paces_by_media_time() -> None:
    clock = VirtualClock()
    clock.advance(1_000)
    blocks = signals.blocks(signals.silence(0.06).replace(pts_us=500_000), ms=20)
    given = [rm.Text("no time"), *blocks, rm.Text("none either")]
    result = run_node(Arrivals, given, clock=clock, real_time=True)
    assert [json.value for json in result.all(rm.Json)] == [0, 0, 20_000, 40_000, 40_000]
    assert clock.now_us() == 41_000


class Remind(rm.Node):
    """Gives each text again, that many ms later as it is long; fails on "bad"."""

    input_caps = "text"
    output_caps = "text"

    def open(self, ctx: rm.Context) -> None:
        self.ctx = ctx

    def process(self, text: rm.Text) -> rm.Text:
        self.ctx.set_timer(len(text.text) * 1_000, text.text)
        return text

    def wake(self, token: str) -> rm.Text:
        if token == "bad":
            raise ZeroDivisionError("woken up too early")
        return rm.Text(token.upper())


def test_timers_of_a_node() -> None:
    clock = VirtualClock()
    given = [rm.Text("four"), rm.Text("a"), Pause(2_000), rm.Text("b"), Pause(2_000)]
    assert words(run_node(Remind, given, clock=clock)) == ["four", "a", "A", "b", "B", "FOUR"]
    assert (clock.now_us(), clock.timers) == (4_000, ())
    assert words(run_node(Remind, given[:-1])) == ["four", "a", "A", "b"]  # they end with the input
    with pytest.raises(rm.NodeError, match="woken up too early") as caught:
        run_node(Remind, [rm.Text("bad"), rm.Text("b"), Pause(5_000)])
    assert caught.value.__notes__ == ["run_node: raised in wake()"]


class Flaky(rm.Node):
    """Fails twice on every text."""

    input_caps = "text"
    output_caps = "text"

    def open(self, ctx: rm.Context) -> None:
        self.calls = 0

    async def process(self, text: rm.Text) -> rm.Text:
        self.calls += 1
        if self.calls % 3:
            raise ConnectionError(f"call {self.calls}")
        return text


def test_policies() -> None:
    clock = VirtualClock()
    policy: dict[str, object] = {
        "retry": {"attempts": 3, "backoff": "exponential", "delay_ms": 100, "factor": 2}
    }
    assert words(run_node(Flaky, texts("a", "b"), policy=policy, clock=clock)) == ["a", "b"]
    assert clock.now_us() == 2 * (100_000 + 200_000)
    with pytest.raises(rm.NodeError, match="call 1"):
        run_node(Flaky, texts("a"))
    breaker: dict[str, object] = {"circuit_breaker": {"failures": 2, "reset_ms": 1_000}}
    result = run_node(Flaky, texts("a", "b", "c"), policy=breaker, on_error="skip")
    assert [event.kind for event in result.events].count("breaker") == 1
    assert len(result.errors) == 2  # the third was not tried


def test_an_interrupt_drops_what_is_in_flight_and_resets() -> None:
    # The pauses: "a" is out before it, "b" is cut off in the middle.
    given = [rm.Text("a"), Pause(15_000), rm.Text("b"), Pause(5_000), Interrupt(), rm.Text("c")]
    assert words(run_node(Slow, given)) == ["a", "c", "slow tail"]
    held = [rm.Text("a"), Pause(), Interrupt(), rm.Text("b")]
    result = run_node(Echo, held)
    assert words(result) == ["b!"]
    assert result.packets[0].generation == 1


def test_a_pause_without_time_lets_everything_run() -> None:
    class Turns(rm.Node):
        input_caps = "text"
        output_caps = "text"

        async def process(self, text: rm.Text) -> rm.Text:
            for _ in range(100):
                await asyncio.sleep(0)
            return text

    given = [rm.Text("a"), Pause(), Interrupt(), rm.Text("b"), Interrupt(), rm.Text("c")]
    assert words(run_node(Turns, given)) == ["a", "c"]


async def test_in_a_coroutine(clock: VirtualClock) -> None:
    result = await arun_node(Ticks, clock=clock, count=2)
    assert words(result) == ["0", "1"]
    assert clock.now_us() == 40_000
    with pytest.raises(RuntimeError, match="driven from synchronous code only"):
        run_node(Echo, clock=clock)


def test_on_a_system_clock() -> None:
    class Now(rm.Node):
        input_caps = "text"
        output_caps = "text"

        async def process(self, text: rm.Text) -> AsyncIterator[rm.Text]:
            yield text
            await sleep(SystemClock(), 0)
            yield text

    loop = VirtualClock()  # only as an event loop, in both worlds
    given = [rm.Text("a"), Pause(), rm.Text("b")]
    assert words(loop.run(arun_node(Now, given, clock=SystemClock()))) == ["a", "a", "b", "b"]


def test_it_is_repeatable() -> None:
    one, two = (run_node(Ticks, count=20) for _ in range(2))
    assert [packet.timestamp_us for packet in one.packets] == [
        packet.timestamp_us for packet in two.packets
    ]


# -- the result ----------------------------------------------------------------------------------


class Split(rm.Node):
    """Audio on two ports, and a text on a third."""

    input_caps = "audio"
    output_caps: ClassVar = {"loud": "audio", "soft": "audio", "note": "text"}

    def process(self, audio: rm.Audio) -> Iterator[rm.Emit]:
        yield rm.Emit("loud" if np.abs(audio.samples).max() > 0.3 else "soft", audio)
        yield rm.Emit("note", rm.Text("seen"))


def test_audio_in_one_piece() -> None:
    tone = signals.tone(440, 1, channels=2)
    given = signals.blocks(tone, sizes=range(1, 2_000), seed=1)
    result = run_node("PassThrough", given)
    assert result.audio().equals(tone)
    assert result.audio("out").equals(tone)
    assert len(result.data) == len(given)


def test_audio_of_several_ports() -> None:
    tone = signals.tone(440, 0.1)
    result = run_node(Split, [tone])
    assert result.audio().equals(tone)
    assert result.audio("loud").equals(tone)
    with pytest.raises(AssertionError, match="Split gave no audio on 'soft'; 2 outputs in all"):
        result.audio("soft")
    both = run_node(Split, [tone, signals.silence(0.1)])
    with pytest.raises(
        AssertionError, match=r"gave audio on loud, soft: say which, audio\('loud'\)"
    ):
        both.audio()
    with pytest.raises(AssertionError, match=r"gave Text.* on 'note': expected only Audio"):
        both.all(rm.Audio, "note")


def test_audio_with_a_gap_is_no_piece() -> None:
    parts = signals.blocks(signals.tone(440, 0.1), ms=20)
    with pytest.raises(AssertionError, match=r"block 2 of 4 .* a gap of 20000 µs"):
        run_node("PassThrough", parts[:2] + parts[3:]).audio()


def test_asyncio_of_the_node_is_virtual_too() -> None:
    class Naps(rm.Node):
        input_caps = "text"
        output_caps = "text"

        async def process(self, text: rm.Text) -> rm.Text:
            await asyncio.sleep(3_000)
            return text

    clock = VirtualClock()
    assert words(run_node(Naps, texts("a"), clock=clock)) == ["a"]
    assert clock.now_us() == 3_000_000_000
