"""ConversationCoordinator: turns under a virtual clock, in live sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import remotemedia as rm
from remotemedia.clock import sleep
from remotemedia.data.messages import BatchHint, CancelSpeculation
from remotemedia.errors import ParamsError
from remotemedia.node import Emit, make_params
from remotemedia.nodes.speech.coordinator import ConversationCoordinator
from remotemedia.nodes.speech.reply import Reply
from remotemedia.nodes.text.collector import TextCollector
from remotemedia.testing import VirtualClock

MS = 1_000
END_OF_TURN = {"end_of_turn": True}


def start(at_ms: int) -> rm.Json:
    return rm.Json({"event": "start", "start_us": at_ms * MS}, stream_id="mic")


def confirm(at_ms: int) -> rm.Json:
    return rm.Json({"event": "confirm", "start_us": at_ms * MS}, stream_id="mic")


def end(first_ms: int, at_ms: int, state: str = "confirmed") -> rm.Json:
    times = {"start_us": first_ms * MS, "end_us": at_ms * MS}
    return rm.Json({"event": "end", "state": state, **times}, stream_id="mic")


def word(text: str, **fields: Any) -> rm.Text:
    return rm.Text(text, stream_id="llm", **fields)


def shown(data: rm.Data) -> object:
    """A sentence as text, a request as its targets, an event without its name."""
    if isinstance(data, rm.Text):
        return data.text
    value: Any = data.value  # type: ignore[attr-defined]
    if isinstance(data, rm.Control):
        return value["targets"]
    return value["state"] if value["event"] == "state" else value


class Live:
    """A session with a coordinator in it."""

    def __init__(self, session: rm.Session, clock: VirtualClock) -> None:
        self.session = session
        self.clock = clock

    async def say(self, *items: rm.Data) -> list[object]:
        for item in items:
            await self.session.send(item)
        return await self.after(0)

    async def after(self, ms: int) -> list[object]:
        """What has come out once so much time has passed."""
        await sleep(self.clock, ms * MS)
        for _ in range(5):
            await sleep(self.clock, 0)
        return [shown(packet.data) for packet in iter(self.session.outputs().poll, None)]


@asynccontextmanager
async def live(clock: VirtualClock, **params: object) -> AsyncIterator[Live]:
    p = rm.Pipeline()
    p.add("ConversationCoordinator", id="turns", **params)
    async with p.session(clock=clock) as session:
        yield Live(session, clock)


async def test_a_conversation(clock: VirtualClock) -> None:
    async with live(clock) as turns:
        assert await turns.say(start(0)) == ["listening"]
        assert await turns.say(end(0, 900)) == ["thinking"]
        assert await turns.say(word("It is"), word(" five. So")) == ["speaking", "It is five."]
        assert await turns.say(word(" it is", metadata=END_OF_TURN)) == ["So it is"]
        await turns.after(3_600_000)  # the reply is complete: nobody waits for it
        assert await turns.say(rm.Control("playback_ended")) == ["idle"]


async def test_barge_in(clock: VirtualClock) -> None:
    async with live(clock, barge_in_targets=["llm", "tts"]) as turns:
        await turns.say(end(0, 900), word("One two three. And "))
        assert await turns.say(start(5_000)) == []
        assert await turns.after(149) == []
        assert await turns.say(word("four. Five")) == ["And four."]  # it is not sure yet
        assert await turns.after(1) == [["llm", "tts"], "listening"]
        assert await turns.say(word(" six. Seven"), word(". Eight")) == []
        dropped = {"event": "dropped", "characters": len(" six. Seven. Eight")}
        assert await turns.say(end(5_000, 6_000)) == [dropped, "thinking"]
        assert await turns.say(word("Yes? No")) == ["speaking", "Yes?"]


async def test_the_request_says_where_and_when(clock: VirtualClock) -> None:
    node = ConversationCoordinator(debounce_ms=0)
    assert [*node.process(word("Hello there"), "in")]
    control, listening = node.process(start(5_000), "segments")
    assert isinstance(control, Emit)
    assert control.port == "control"
    assert control.data.equals(
        rm.Control(
            "barge_in",
            {"targets": ["llm", "audio"], "start_us": 5_000_000},
            pts_us=5_000_000,
            stream_id="mic",
        )
    )
    assert isinstance(listening, Emit)
    assert listening.data.equals(rm.Json({"event": "state", "state": "listening"}, None, "mic"))


async def test_stale_text_ends_with_the_reply(clock: VirtualClock) -> None:
    async with live(clock, debounce_ms=0) as turns:
        await turns.say(word("One. Two"))
        assert await turns.say(start(0)) == [["llm", "audio"], "listening"]
        assert await turns.say(word(" three. "), word("", metadata=END_OF_TURN)) == []
        # What comes now, while the user still speaks, is another reply that has to stop.
        assert await turns.say(word("Four. Five")) == [["llm", "audio"]]


async def test_a_reply_to_what_the_user_goes_on_saying(clock: VirtualClock) -> None:
    async with live(clock) as turns:
        await turns.say(start(0), end(0, 900), start(1_200))
        assert await turns.after(150) == ["listening"]  # nothing has been said: nothing to stop
        assert await turns.say(word("Well, ")) == [["llm", "audio"]]
        assert await turns.say(word("no. ")) == []


@pytest.mark.parametrize(
    "taken_back",
    [
        end(5_000, 5_400, "cancelled"),
        end(5_000, 5_149),
        CancelSpeculation(5_000 * MS, 5_400 * MS).to_control(stream_id="mic"),
    ],
)
async def test_a_cough_stops_nobody(clock: VirtualClock, taken_back: rm.Data) -> None:
    async with live(clock) as turns:
        await turns.say(word("One. Two"))
        assert await turns.say(start(5_000)) == []
        assert await turns.after(149) == []
        assert await turns.say(taken_back) == []
        assert await turns.after(10_000) == []
        assert await turns.say(word(" three. Four")) == ["Two three."]


async def test_a_message_about_another_time_or_stream_takes_nothing_back(
    clock: VirtualClock,
) -> None:
    async with live(clock) as turns:
        await turns.say(word("One. Two"), start(5_000))
        await turns.say(CancelSpeculation(5_001 * MS, 6_000 * MS).to_control(stream_id="mic"))
        await turns.say(CancelSpeculation(4_000 * MS, 6_000 * MS).to_control(stream_id="door"))
        await turns.say(BatchHint(2).to_control(), rm.Control("other"), rm.Json({"event": "x"}))
        assert await turns.after(150) == [["llm", "audio"], "listening"]


@pytest.mark.parametrize("sure", [confirm(5_000), end(5_000, 5_150)])
async def test_speech_that_is_sure_counts_at_once(clock: VirtualClock, sure: rm.Data) -> None:
    async with live(clock) as turns:
        await turns.say(word("One. Two"), start(5_000))
        assert (await turns.say(sure))[:2] == [["llm", "audio"], "listening"]
        assert ["llm", "audio"] not in await turns.after(1_000)


async def test_a_cough_in_silence(clock: VirtualClock) -> None:
    async with live(clock) as turns:
        assert await turns.say(start(0)) == ["listening"]
        assert await turns.say(end(0, 300, "cancelled")) == ["idle"]
        assert await turns.after(100_000) == []


async def test_a_second_cough_has_its_own_time(clock: VirtualClock) -> None:
    async with live(clock) as turns:
        await turns.say(word("One. Two"), start(5_000))
        await turns.after(100)
        await turns.say(end(5_000, 5_090), start(5_200))
        assert await turns.after(149) == []
        assert await turns.after(1) == [["llm", "audio"], "listening"]


async def test_the_silence_of_the_model_is_told(clock: VirtualClock) -> None:
    silent = {"event": "llm_silence", "silence_ms": 45_000}
    async with live(clock) as turns:
        await turns.say(start(0), end(0, 900))
        assert await turns.after(44_999) == []
        assert await turns.after(1) == [silent, "idle"]
        assert await turns.say(word("Sorry, I")) == ["speaking"]
        await turns.after(40_000)
        await turns.say(word(" am"))
        assert await turns.after(44_999) == []
        assert await turns.after(1) == [silent, "Sorry, I am", "idle"]
        assert await turns.after(1_000_000) == []


async def test_no_silence_is_told_where_none_is_wanted(clock: VirtualClock) -> None:
    async with live(clock, llm_silence_timeout_ms=0) as turns:
        await turns.say(word("One. Two"))
        assert await turns.after(1_000_000) == []
    async with live(clock) as turns:
        await turns.say(word("One. Two"), start(0))
        await turns.after(150)
        assert await turns.after(1_000_000) == []  # it is the user's turn


async def test_an_interrupt_forgets_the_turn(clock: VirtualClock) -> None:
    async with live(clock) as turns:
        await turns.say(word("One. Two"), start(5_000))
        await turns.session.interrupt()
        assert await turns.after(100_000) == []
        assert await turns.say(end(5_000, 5_900)) == ["thinking"]
        assert await turns.say(word("Three. Four")) == ["speaking", "Three."]


async def test_acting_on_the_request_leaves_nothing_stale(clock: VirtualClock) -> None:
    p = rm.Pipeline()
    p.add("PassThrough", id="llm")
    p.add("ConversationCoordinator", id="turns")
    p.add("PassThrough", id="audio")
    p.connect("llm", "turns").connect("turns", "audio")
    async with p.session(clock=clock) as session:
        turns = Live(session, clock)
        await session.send(word("One. Two"), to="llm")
        await session.send(start(5_000), to="turns:segments")
        assert await turns.after(0) == ["speaking", "One."]
        assert await turns.after(150) == [["llm", "audio"], "listening"]
        await session.send(word(" three. Four"), to="llm")
        for target in ("llm", "audio"):
            await session.interrupt(from_node=target)
        assert await turns.after(0) == []
        await session.send(end(5_000, 6_000), to="turns:segments")
        await session.send(word("New. "), to="llm")
        assert await turns.after(0) == ["thinking", "speaking", "New."]


def test_outside_a_session_the_end_of_speech_decides() -> None:
    p = rm.Pipeline()
    p.add("ConversationCoordinator", id="turns")
    items: list[rm.Data] = [word("One. Two"), start(0), end(0, 149), start(200), end(200, 350)]
    assert [shown(packet.data) for packet in p.run([*items, word("Yes")])] == [
        "speaking",
        "One.",
        ["llm", "audio"],
        "listening",
        "thinking",
        "speaking",
        "Yes",
    ]


def test_what_is_left_at_the_end_can_be_dropped() -> None:
    node = ConversationCoordinator(yield_partial_on_end=False)
    said = [*node.process(word("Done. Not do"), "in"), *node.finish()]
    assert [shown(item.data if isinstance(item, Emit) else item) for item in said] == [
        "speaking",
        "Done.",
    ]


def test_sentences_keep_what_texts_have() -> None:
    node = ConversationCoordinator()
    text = word("Yes. No", channel="ui", pts_us=5, metadata={"a": 1, **END_OF_TURN})
    _, first, second = node.process(text, "in")
    assert first.equals(rm.Text("Yes.", "ui", 5, "llm", {"a": 1}))  # type: ignore[union-attr]
    assert second.equals(rm.Text("No", "ui", 5, "llm", {"a": 1}))  # type: ignore[union-attr]


# -- the first piece -----------------------------------------------------------------------------


def pieces(reply: Reply, *texts: str) -> list[str]:
    made = [piece.text for text in texts for piece in reply.process(rm.Text(text))]
    return made + [piece.text for piece in reply.end()]


@pytest.mark.parametrize(
    ("least", "expected"),
    [
        (0, ["Well, if you ask me, yes.", "Or, rather, no."]),
        (1, ["Well,", "if you ask me, yes.", "Or, rather, no."]),
        (6, ["Well, if you ask me,", "yes.", "Or, rather, no."]),
        (100, ["Well, if you ask me, yes.", "Or, rather, no."]),
    ],
)
def test_the_first_piece_may_end_at_a_clause(least: int, expected: list[str]) -> None:
    reply = Reply(least, TextCollector.Params())
    text = "Well, if you ask me, yes. Or, rather, no."
    assert pieces(reply, text) == expected
    assert pieces(reply, *text) == expected  # another reply, character by character
    list(reply.process(rm.Text("Well, so")))
    reply.reset()
    assert pieces(reply, text) == expected


def test_a_number_has_no_clauses() -> None:
    assert pieces(Reply(1, TextCollector.Params()), "About 3,14 or so, I think") == [
        "About 3,14 or so,",
        "I think",
    ]


@given(
    text=st.text(alphabet="ab, .!;\n", max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=6).map(sorted),
    least=st.integers(0, 8),
    shortest=st.integers(0, 6),
)
def test_any_cut_gives_the_same_pieces(
    text: str, cuts: list[int], least: int, shortest: int
) -> None:
    params = TextCollector.Params(min_sentence_length=shortest)
    edges = [0, *cuts, len(text)]
    parts = [text[a:b] for a, b in pairwise(edges)]
    whole = pieces(Reply(least, params), text)
    assert pieces(Reply(least, params), *parts) == whole
    assert "".join("".join(whole).split()) == "".join(text.split())


@pytest.mark.parametrize("text", ["a," * 50_000, ", " * 50_000, "x " * 50_000])
def test_hostile_text_takes_linear_time(text: str) -> None:
    assert pieces(
        Reply(2000, TextCollector.Params()), *(text[k : k + 2] for k in range(0, 4000, 2))
    )


def test_names_of_the_reference_system_are_understood() -> None:
    given = {"llm_silence_timeout": 1000, "bargeInTargets": ["x"], "debounce": 20}
    params = make_params(ConversationCoordinator, given)
    assert isinstance(params, ConversationCoordinator.Params)
    assert (params.llm_silence_timeout_ms, params.debounce_ms) == (1000, 20)
    assert params.barge_in_targets == ("x",)
    with pytest.raises(ParamsError, match="one quantifier"):
        ConversationCoordinator(split_pattern="(a+)+")
