"""Either side is killed, at any moment: its heir goes on, nothing is torn, nothing lost."""

from __future__ import annotations

import dis
import os
import random
import select
import sys
import zlib
from collections.abc import Callable
from types import FrameType

import numpy as np
import pytest

from remotemedia_native.shm import kinds, ring, ring_reader, ring_writer, store
from remotemedia_native.shm.base import TopicSpec
from remotemedia_native.shm.ring_reader import _Held

KILLS = int(os.environ.get("REMOTEMEDIA_TEST_KILLS", "6"))  # of processes that send; 100 take 40 s


def take_numbers(reader):
    found = []
    while (message := reader.take()) is not None:
        assert is_whole(message.view)
        found.append(message.number)
    return found


def is_whole(view):
    return view.size < 4 or int(view[:4].view(np.uint32)[0]) == zlib.crc32(view[4:])


# -- real processes --------------------------------------------------------------------------------


@pytest.mark.parametrize("drops", [False, True])
def test_a_reader_is_killed(ends, child, drops):
    made = ends(messages=8, borrowed=4)
    writer = child("writer", made.spec)
    reader = child("reader", made.spec, 0)
    assert writer.ask("send 6 100") == "0 1 2 3 4 5"
    assert reader.ask("take 3") == "0 1 2"
    if drops:
        assert reader.ask("drop") == "dropped"
    reader.kill()
    assert made.topic.taken(0) == 3
    made.topic.forget_reader(0, 3)
    heir = child("reader", made.spec, 0)
    assert writer.ask("send 1 100") == "6"
    assert heir.ask("take 4") == "3 4 5 6"
    assert heir.ask("drop") == "dropped"
    # All memory is there again: eight messages that nobody takes.
    assert writer.ask("send 8 100") == "7 8 9 10 11 12 13 14"
    assert heir.ask("take 8") == "7 8 9 10 11 12 13 14"


def test_a_reader_is_killed_before_it_took_anything(ends, child):
    made = ends(messages=8)
    writer = made.writer()
    reader = child("reader", made.spec, 0)
    for _ in range(3):
        writer.loan(100)[:] = 0
        writer.commit()
    reader.kill()
    made.topic.forget_reader(0, made.topic.taken(0))
    heir = made.reader()
    writer.refresh()
    found = []
    while (message := heir.take()) is not None:
        found.append(message.number)
    assert found == [0, 1, 2]


def test_what_a_killed_reader_borrowed_is_delivered_again(ends, child):
    made = ends(messages=8, borrowed=7)
    writer = child("writer", made.spec)
    reader = child("reader", made.spec, 0)
    assert writer.ask("send 6 100") == "0 1 2 3 4 5"
    assert reader.ask("take 5") == "0 1 2 3 4"
    reader.kill()
    made.topic.forget_reader(0, 2)
    heir = child("reader", made.spec, 0)
    assert writer.ask("send 2 100") == "6 7"
    assert heir.ask("take 6") == "2 3 4 5 6 7"


def test_a_writer_is_killed_with_a_loan(ends, child):
    made = ends(messages=4)
    reader = made.reader()
    for round_ in range(3):
        writer = child("writer", made.spec)
        assert writer.ask("send 1 100") == f"{2 * round_}"
        assert take_numbers(reader) == [2 * round_]
        assert writer.ask("send 1 100") == f"{2 * round_ + 1}"
        assert writer.ask("loan 100") == "loaned"
        writer.kill()
        made.topic.forget_writer()
        assert take_numbers(reader) == [2 * round_ + 1]
    writer = made.writer()
    for number in range(4):
        assert writer.loan(100) is not None
        assert writer.commit() == 6 + number


def test_writers_are_killed_while_they_send(ends, child):
    made = ends(messages=8, size=64)
    reader = made.reader()
    draw = random.Random(6)
    found = []
    for seed in range(KILLS):
        writer = child("writer", made.spec)
        writer.tell(f"flood {seed}")
        until = len(found) + draw.randrange(1, 400)
        while len(found) < until:
            found += take_numbers(reader)
        select.select([], [], [], draw.random() / 2000)  # the moment to be killed at
        writer.kill()
        made.topic.forget_writer()
        found += take_numbers(reader)
    if made.spec.kind == "ring":
        assert found == list(range(len(found)))
    else:  # of a number that was not sent, and messages before it connects: see iceoryx.py
        assert found == sorted(set(found))
    last = made.writer()
    for _ in range(8):
        assert last.loan(64) is not None
        last.commit()


# -- after every single bytecode: what a ring's end does cannot be cut anywhere else ---------------


class Killed(BaseException):
    """Ends a call; the object that it was made on is never used again, as after a kill."""


CODE = {module.__file__ for module in (ring_writer, ring_reader, store)}


def killed_at(count: int, call: Callable[[], object]) -> bool:
    """Cut a call before its bytecode of that number; whether it was cut.

    What the call had made must not clean up after itself.
    """
    left = count
    end = _Held.__del__

    def trace(frame: FrameType, event: str, _: object):
        nonlocal left
        if frame.f_code.co_filename not in CODE:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left < 0:
                _Held.__del__ = lambda held: None
                raise Killed
        return trace

    sys.settrace(trace)
    cut = False
    kept = None
    try:
        kept = call()  # its end is not part of the call
    except Killed:
        cut = True
    finally:
        sys.settrace(None)
    _Held.__del__ = end
    del kept
    return cut


@pytest.fixture
def ring_spec():
    names = iter(range(100_000))
    return lambda **fields: TopicSpec("ring", f"rmdeath{os.getpid()}_{next(names)}", **fields)


def numbers_and_sizes(reader):
    found = []
    while (message := reader.take()) is not None:
        assert (message.view == message.number + 1).all()
        found.append((message.number, message.view.size))
    return found


def send(writer, number, size, readers=1):
    view = writer.loan(size)
    view[:] = number + 1
    return writer.commit(readers)


def send_at_once(writer, number, size, readers=1):
    body = memoryview(bytes([number + 1]) * (size - 10))
    return writer.send(readers, bytes([number + 1]) * 10, body)


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("size", [50, 5000])  # into the first segment; into one that is made
def test_a_writer_is_killed_at_every_bytecode(ring_spec, size, at_once):
    last_send = send_at_once if at_once else send
    cut = True
    point = 0
    while cut:
        spec = ring_spec(readers=2, messages=3, size=64, max_size=10_000)
        topic = ring.make(spec)
        reader, other = (ring.open_reader(spec, each, lambda: None) for each in range(2))
        writer = ring.open_writer(spec)
        for number in range(7):  # so that entries and all slots are used for the second time
            send(writer, number, 50)
            if number >= 2:
                assert numbers_and_sizes(reader)[-1] == (number, 50)
        send(writer, 7, 50)
        cut = killed_at(point, lambda writer=writer: last_send(writer, 8, size, 0b11))
        point += 1
        topic.forget_writer()
        heir = ring.open_writer(spec)
        found = numbers_and_sizes(reader)
        assert found in ([(7, 50)], [(7, 50), (8, size)])
        assert cut or len(found) == 2
        assert numbers_and_sizes(other) == found[1:]
        following = 7 + len(found)
        for number in range(following, following + 3):  # no slot is lost, of either segment
            assert send(heir, number, size) == number
        assert numbers_and_sizes(reader) == [(following + each, size) for each in range(3)]
        assert heir.loan(50) is not None
        for end in (writer, heir, reader, other, topic):
            end.close()
        assert not [name for name in os.listdir("/dev/shm") if name.startswith(f"{spec.name}")]
    assert point > 80


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("borrows", [True, False])
def test_a_reader_is_killed_at_every_bytecode(ring_spec, borrows, at_once):
    def use(reader):
        if at_once:
            messages = reader.take_all(2)
            assert [message.number for message in messages] == ([3, 1] if borrows else [1])
            return messages, None if borrows else reader.take()
        message = reader.take()
        assert message.number == 1
        held = message.view.base
        if isinstance(held, _Held):  # what `del message` does, but an exception comes out of it
            held.__del__()
            del held.loan
        return message, reader.take()

    cut = True
    point = 0
    while cut:
        spec = ring_spec(readers=2, messages=7, size=64, borrowed=3 if borrows else 0)
        topic = ring.make(spec)
        writer = ring.open_writer(spec)
        reader, other = (ring.open_reader(spec, number, lambda: None) for number in range(2))
        for number, mask in enumerate((0b10, 0b11, 0b10, 0b11, 0b11)):
            send(writer, number, 50, mask)
        cut = killed_at(point, lambda reader=reader: use(reader))
        point += 1
        topic.forget_reader(0, topic.taken(0))
        heir = ring.open_reader(spec, 0, lambda: None)
        found = [number for number, _ in numbers_and_sizes(heir)]
        # What was taken is not given again, and nothing after it is missed.
        assert found in ([1, 3, 4], [3, 4], [4])
        assert cut or found == [4]
        assert [number for number, _ in numbers_and_sizes(other)] == [0, 1, 2, 3, 4]
        for number in range(5, 12):
            assert send(writer, number, 50, 0b11) == number
        for end in (heir, other):
            assert [number for number, _ in numbers_and_sizes(end)] == list(range(5, 12))
        for end in (writer, reader, heir, other, topic):
            end.close()
    assert point > 80


def test_an_heir_gives_back_what_it_cannot_find(ring_spec):
    """A dead reader had borrowed it, it is to be delivered again, and its entry is overwritten."""
    spec = ring_spec(readers=2, messages=4, borrowed=3, size=64)
    topic = ring.make(spec)
    writer = ring.open_writer(spec)
    reader, other = (ring.open_reader(spec, number, lambda: None) for number in range(2))
    kept = []
    send(writer, 0, 50, 0b01)
    kept.append(reader.take())
    for number in range(1, 30):
        send(writer, number, 50, 0b10)
        assert [found for found, _ in numbers_and_sizes(other)] == [number]
    reader.take()
    topic.forget_reader(0, 0)
    heir = ring.open_reader(spec, 0, lambda: None)
    assert heir.take() is None
    for number in range(30, 34):
        assert send(writer, number, 50, 0b11) == number
    assert [number for number, _ in numbers_and_sizes(heir)] == [30, 31, 32, 33]
    for end in (writer, reader, other, heir, topic):
        end.close()


def test_what_was_given_back_is_not_delivered_again(ring_spec):
    """Not what is still there, and not other messages in its place."""
    spec = ring_spec(messages=4, borrowed=3, size=64)
    topic = ring.make(spec)
    writer = ring.open_writer(spec)
    reader = ring.open_reader(spec, 0, lambda: None)
    for number in range(30):
        send(writer, number, 50)
        assert numbers_and_sizes(reader) == [(number, 50)]
    send(writer, 30, 50)
    send(writer, 31, 50)
    kept = reader.take()
    assert reader.take().number == 31
    send(writer, 32, 50)
    topic.forget_reader(0, 0)
    heir = ring.open_reader(spec, 0, lambda: None)
    assert numbers_and_sizes(heir) == [(30, 50), (32, 50)]
    assert kept.number == 30
    for end in (writer, reader, heir, topic):
        end.close()


def test_opcodes_are_traced():
    """Else the tests above would pass without cutting anything."""
    names = {each.opname for each in dis.get_instructions(ring_writer.RingWriter._publish)}
    assert "STORE_SUBSCR" in names
    assert killed_at(0, lambda: kinds.find("ring").available()) is False
