"""The contract of a topic, for each kind: see remotemedia_native/shm/base.py."""

from __future__ import annotations

import gc
import os

import numpy as np
import pytest

from remotemedia.errors import SessionError, UnavailableError
from remotemedia_native.shm import kinds
from remotemedia_native.shm.errors import MessageTooLargeError

MIB = 2**20


def send(writer, value, size=100, readers=1):
    view = writer.loan(size)
    view[:] = value
    return writer.commit(readers)


def drain(reader):
    """Numbers of all that is there; nothing is kept."""
    found = []
    while (message := reader.take()) is not None:
        found.append(message.number)
    return found


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 3840, 4096, 4097, MIB, 3 * MIB])
def test_sizes(ends, size):
    made = ends(max_size=3 * MIB)
    writer, reader = made.writer(), made.reader()
    content = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    loan = writer.loan(size)
    assert loan.shape == (size,)
    assert loan.dtype == np.uint8
    loan[:] = content
    assert reader.take() is None
    assert writer.commit() == 0
    message = reader.take()
    assert message.number == 0
    assert message.view.shape == (size,)
    assert message.view.dtype == np.uint8
    assert message.view.ctypes.data % 64 == 0
    assert type(message.view) is np.ndarray
    assert not message.view.flags.writeable
    np.testing.assert_array_equal(message.view, content)
    assert reader.take() is None


def test_larger_than_the_most(ends):
    made = ends(max_size=5000)
    writer = made.writer()
    with pytest.raises(MessageTooLargeError, match=r"5,001 bytes.*5,000.*max_size") as caught:
        writer.loan(5001)
    assert isinstance(caught.value, SessionError)
    assert caught.value.to_dict()["code"] == "message_too_large"
    assert send(writer, 1, 5000) == 0


def test_the_most_may_be_less_than_a_slot(ends):
    writer = ends(size=4096, max_size=100).writer()
    with pytest.raises(MessageTooLargeError):
        writer.loan(101)


def test_order_and_growth(ends):
    made = ends(messages=8, size=64, max_size=MIB)
    writer, reader = made.writer(), made.reader()
    sizes = [10, 1000, 10, 70_000, 5, MIB, 64, 1000, 0, 200_000] * 5
    taken = []
    for number, size in enumerate(sizes):
        assert send(writer, number % 251, size) == number
        if number % 3 == 2:
            while (message := reader.take()) is not None:
                assert message.view.size == sizes[message.number]
                assert (message.view == message.number % 251).all()
                taken.append(message.number)
                del message
    taken += drain(reader)
    assert taken == list(range(50))


def test_masks(ends):
    made = ends(readers=3)
    writer = made.writer()
    readers = [made.reader(number) for number in range(3)]
    masks = [0b001, 0b111, 0b100, 0b011, 0b000, 0b110, 0b101]
    for mask in masks:
        send(writer, mask, readers=mask)
    for number, reader in enumerate(readers):
        expected = [place for place, mask in enumerate(masks) if mask >> number & 1]
        assert drain(reader) == expected
        assert made.topic.taken(number) >= expected[-1] + 1


def test_a_mask_of_readers_that_there_are_not(ends):
    writer = ends(readers=2).writer()
    writer.loan(1)
    with pytest.raises(ValueError, match="mask 0b100"):
        writer.commit(0b100)
    assert writer.commit(0b10) == 0


def test_the_slowest_reader_holds_memory(ends):
    made = ends(readers=2, messages=4, borrowed=3)
    writer, first, second = made.writer(), made.reader(0), made.reader(1)
    for number in range(4):
        assert send(writer, number, readers=0b11) == number
    assert drain(first) == [0, 1, 2, 3]
    assert writer.loan(1) is None
    message = second.take()
    assert message.number == 0
    assert (message.view == 0).all()
    del message
    assert writer.loan(1) is not None


@pytest.mark.parametrize(
    "derive",
    [
        lambda view: view,
        lambda view: view[10:20],
        lambda view: view[10:][5:][:1],
        lambda view: view[::7].reshape(3, 5),
        lambda view: view.reshape(10, 10).T,
        lambda view: view[:96].view(np.float32),
        lambda view: np.frombuffer(memoryview(view), np.float32, 4, 8),
        lambda view: np.frombuffer(view, np.uint8)[50:],
        lambda view: np.ndarray((5, 5), np.uint8, memoryview(view), 3),
        lambda view: memoryview(view)[5:],
        lambda view: np.asarray(memoryview(view)),
        lambda view: np.broadcast_to(view[:1], (9, 9)),
    ],
)
def test_memory_is_given_back_with_the_last_that_was_made_of_a_view(ends, derive):
    made = ends(messages=2, borrowed=1)
    writer, reader = made.writer(), made.reader()
    send(writer, 7)
    send(writer, 8)
    kept = derive(reader.take().view)
    assert reader.statistics().borrowed == 1
    assert drain(reader) == [1]  # as a copy, given back at once
    send(writer, 9)
    assert writer.loan(1) is None
    assert (np.asarray(kept).view(np.uint8) == 7).all()
    del kept
    assert reader.statistics().borrowed == 0
    assert writer.loan(1) is not None


def test_a_view_in_a_cycle(ends):
    made = ends(messages=2, borrowed=1)
    writer, reader = made.writer(), made.reader()
    send(writer, 7)
    cycle = [reader.take().view]
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert reader.statistics().borrowed == 0


def test_what_is_borrowed_beyond_the_budget_is_copied(ends):
    made = ends(messages=8, borrowed=2)
    writer, reader = made.writer(), made.reader()
    kept = []
    for number in range(40):  # all are kept, and the writer goes on for ever
        send(writer, number)
        kept.append(reader.take().view)
    for number, view in enumerate(kept):
        assert (view == number).all()
        assert view.ctypes.data % 64 == 0
        assert not view.flags.writeable
    assert reader.statistics() == (40, 4000, 38, 2, 0)
    kept.clear()
    assert reader.statistics().borrowed == 0
    send(writer, 1)
    borrowed = reader.take()
    assert reader.statistics() == (41, 4100, 38, 1, 0)
    del borrowed


def test_a_reader_that_borrows_all_that_there_is_leaves_one_for_the_writer(ends):
    made = ends(messages=4, borrowed=100)
    writer, reader = made.writer(), made.reader()
    kept = []
    for number in range(20):
        send(writer, number)
        kept.append(reader.take().view)
    assert reader.statistics() == (20, 2000, 17, 3, 0)
    assert [int(view[0]) for view in kept] == list(range(20))


def test_back_pressure(ends):
    made = ends(messages=4, borrowed=2)
    writer, reader = made.writer(), made.reader()
    for number in range(4):
        send(writer, number)
    assert made.rings == 0
    assert writer.loan(1) is None
    assert writer.loan(1) is None
    assert writer.statistics() == (4, 400, 0, 0, 2)
    assert made.rings == 0
    message = reader.take()
    del message
    assert made.rings >= 1
    rings = made.rings
    assert writer.loan(1) is not None
    assert writer.statistics() == (4, 400, 0, 1, 2)
    writer.discard()
    assert drain(reader) == [1, 2, 3]
    assert made.rings == rings  # nobody waits


def test_one_loan_at_a_time(ends):
    writer = ends().writer()
    with pytest.raises(RuntimeError, match="nothing is loaned"):
        writer.commit()
    writer.discard()
    writer.loan(1)
    with pytest.raises(RuntimeError, match="commit or discard"):
        writer.loan(1)
    writer.discard()
    writer.loan(1)
    assert writer.commit() == 0


def test_discarded_memory_is_used_again(ends):
    made = ends(messages=2)
    writer, reader = made.writer(), made.reader()
    for _ in range(50):
        writer.loan(200)[:] = 1
        writer.discard()
    assert send(writer, 5) == 0
    assert drain(reader) == [0]


def test_views_outlive_reader_writer_and_topic(ends):
    made = ends(size=64)
    writer, reader = made.writer(), made.reader()
    send(writer, 3, 5000)
    view = reader.take().view[100:]
    reader.close()
    assert (view == 3).all()
    writer.close()
    made.topic.close()
    assert [name for name in os.listdir("/dev/shm") if name.startswith(made.spec.name)] == []
    assert (view == 3).all()
    del view


def test_an_end_takes_up_where_one_was_closed(ends):
    made = ends(messages=4)
    writer, reader = made.writer(), made.reader()
    for number in range(4):
        send(writer, number)
    message = reader.take()
    assert message.number == 0
    del message
    reader.close()
    made.topic.forget_reader(0, made.topic.taken(0))
    reader = made.reader()
    writer.refresh()
    assert drain(reader) == [1, 2, 3]
    writer.loan(100)[:] = 99
    writer.close()
    made.topic.forget_writer()
    writer = made.writer()
    assert send(writer, 4) == 4
    message = reader.take()
    assert message.number == 4
    assert (message.view == 4).all()


def test_a_reader_opened_late_gets_what_was_sent(ends):
    made = ends(messages=8)
    writer = made.writer()
    for number in range(5):
        send(writer, number)
    reader = made.reader()
    writer.refresh()
    assert drain(reader) == [0, 1, 2, 3, 4]


def test_redelivery_of_what_is_not_given_back(ends):
    made = ends(messages=8, borrowed=4)
    writer, reader = made.writer(), made.reader()
    for number in range(6):
        send(writer, number)
    kept = [reader.take() for _ in range(4)]
    assert made.topic.taken(0) == 4
    # It died, and was done with 0 and 1 only.
    made.topic.forget_reader(0, 2)
    assert made.topic.taken(0) == 2
    heir = made.reader()
    writer.refresh()
    found = []
    while (message := heir.take()) is not None:
        assert (message.view == message.number).all()
        found.append(message.number)
    assert found == [2, 3, 4, 5]
    del message, kept
    for number in range(6, 14):
        assert send(writer, number) == number
    assert drain(heir) == list(range(6, 14))


def test_readers_that_there_are_not(ends):
    made = ends(readers=2)
    for number in (-1, 2):
        with pytest.raises(ValueError, match=f"readers 0 to 1, not {number}"):
            made.reader(number)
        with pytest.raises(ValueError, match="readers 0 to 1"):
            made.topic.taken(number)
    with pytest.raises(ValueError, match="cannot resume at 1"):
        made.topic.forget_reader(0, 1)


@pytest.mark.parametrize(
    "fields", [{"readers": 0}, {"readers": 64}, {"messages": 0}, {"borrowed": -1}, {"max_size": 0}]
)
def test_specs_that_no_topic_can_have(kind, spec, fields):
    with pytest.raises(ValueError, match=f"{next(iter(fields))}="):
        kinds.find(kind).make(spec(**fields))


def test_a_name_is_taken_once(ends, kind):
    made = ends()
    writer, reader = made.writer(), made.reader()
    with pytest.raises(FileExistsError):
        kinds.find(kind).make(made.spec)
    send(writer, 1)
    assert drain(reader) == [0]


def test_a_topic_that_is_gone(kind, spec):
    with pytest.raises(FileNotFoundError):
        kinds.find(kind).open_writer(spec())
    with pytest.raises(FileNotFoundError):
        kinds.find(kind).open_reader(spec(), 0, lambda: None)


def test_closing_twice(ends):
    made = ends()
    made.topic.close()
    made.topic.close()


def test_topics_leave_nothing(kind, spec):
    """Neither descriptors nor files."""
    module = kinds.find(kind)

    def use():
        of = spec(readers=2)
        topic = module.make(of)
        writer = module.open_writer(of)
        readers = [module.open_reader(of, number, lambda: None) for number in range(2)]
        send(writer, 1, 10_000, 0b11)
        view = readers[0].take().view
        assert (view == 1).all()
        for end in (writer, *readers, topic):
            end.close()

    def left():
        gc.collect()
        shared = [
            name for name in os.listdir("/dev/shm") if name.startswith(f"rmtest{os.getpid()}_")
        ]
        return len(os.listdir("/proc/self/fd")), sorted(shared)

    use()
    before = left()
    for _ in range(1000 if kind == "ring" else 30):
        use()
    assert left() == before


def test_kinds():
    assert kinds.best() in kinds.KINDS
    assert kinds.find("ring").available() == ""
    with pytest.raises(UnavailableError, match=r"'rings'; did you mean 'ring'\?; there are ring"):
        kinds.find("rings")
