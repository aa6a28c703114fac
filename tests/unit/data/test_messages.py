"""Control data that have a form of their own."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

import remotemedia as rm
from remotemedia.data import Control
from remotemedia.data.messages import (
    BatchHint,
    CancelSpeculation,
    DeadlineWarning,
    Message,
    read_message,
)
from remotemedia.errors import DataError

MESSAGES: list[Message] = [
    CancelSpeculation(-5, 7, "too_short"),
    BatchHint(1),
    BatchHint(100),
    DeadlineWarning(1),
]


@pytest.mark.parametrize("message", MESSAGES, ids=str)
def test_what_is_written_is_read(message: Message) -> None:
    control = message.to_control(12, "s1", "mic")
    assert (control.timestamp_ms, control.segment_id, control.stream_id) == (12, "s1", "mic")
    assert control.message_type == type(message).__name__
    assert control.replace().equals(control)
    assert read_message(control) == message


def test_the_value_is_plain_and_the_time_is_that_of_its_start() -> None:
    control = CancelSpeculation(1_000, 2_000).to_control()
    assert control.value == {"from_us": 1_000, "to_us": 2_000, "reason": ""}
    assert control.pts_us == 1_000
    assert BatchHint(3).to_control().pts_us is None


def test_the_names_of_the_reference_system_are_read() -> None:
    value = {"type": "CancelSpeculation", "from_timestamp": 5, "to_timestamp": 6}
    assert read_message(Control("CancelSpeculation", value)) == CancelSpeculation(5, 6)


def test_another_type_is_none() -> None:
    assert read_message(Control("barge_in", 5)) is None


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        ("CancelSpeculation", {"from_us": 5, "to_us": 5}, "from_us must be before to_us, not 5 to"),
        ("CancelSpeculation", {"from_us": 5.0, "to_us": 6}, "from_us must be an integer of 64 bit"),
        ("CancelSpeculation", {"from_us": 5, "to_us": 2**63}, "to_us must be an integer of 64 bit"),
        ("CancelSpeculation", {"from_us": 5}, "to_us is missing in {'from_us': 5}"),
        ("CancelSpeculation", {"from_us": 5, "to_us": 6, "reason": 1}, "reason must be a str"),
        ("CancelSpeculation", None, "value must be an object with its fields, not None"),
        ("BatchHint", {"suggested_batch_size": 0}, "an integer of 1 to 100, not 0"),
        ("BatchHint", {"suggested_batch_size": 101}, "an integer of 1 to 100, not 101"),
        ("BatchHint", {"suggested_batch_size": True}, "an integer of 1 to 100, not True"),
        ("DeadlineWarning", {"deadline_us": 0}, "deadline_us must be an integer of at least 1"),
    ],
)
def test_what_is_refused(kind: str, value: Mapping[str, object], problem: str) -> None:
    with pytest.raises(DataError) as caught:
        read_message(Control(kind, value))
    assert str(caught.value).startswith(f"{kind}: ")
    assert problem in str(caught.value)


def test_they_are_checked_when_they_are_made() -> None:
    with pytest.raises(DataError, match="from_us must be before to_us"):
        CancelSpeculation(2, 1)


@given(age_ms=st.integers(-100, 5_000), now_ms=st.integers(10_000, 2**45))
def test_an_old_one_is_refused(age_ms: int, now_ms: int) -> None:
    control = BatchHint(2).to_control(timestamp_ms=now_ms - age_ms)
    if age_ms <= 1_000:
        assert read_message(control, now_ms) == BatchHint(2)
    else:
        with pytest.raises(DataError, match=f"{age_ms} ms ago, and at most 1000"):
            read_message(control, now_ms)
    assert read_message(control) == BatchHint(2)
    assert read_message(BatchHint(2).to_control(), now_ms) == BatchHint(2)  # nobody knows when


def test_they_are_at_the_front_door() -> None:
    assert rm.CancelSpeculation is CancelSpeculation
    assert rm.read_message is read_message
