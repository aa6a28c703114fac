"""Random calls of all ends, against a model: what is taken, and exactly when there is no room."""

from __future__ import annotations

import itertools
import os

from hypothesis import given, settings
from hypothesis import strategies as st

from remotemedia_native.shm import kinds
from remotemedia_native.shm.base import TopicSpec
from remotemedia_native.shm.layout import first_header

MIB = 2**20
_numbers = itertools.count()

calls = st.one_of(
    st.tuples(st.just("send"), st.integers(0, 7), st.sampled_from([0, 1, 64, 65, 4000])),
    st.tuples(st.just("send"), st.integers(0, 7), st.sampled_from([0, 1, 64, 65, 4000])),
    st.tuples(st.just("send at once"), st.integers(0, 7), st.sampled_from([0, 1, 64, 65, 4000])),
    st.tuples(st.just("take all"), st.integers(0, 2), st.integers(1, 5)),
    st.tuples(st.just("discard"), st.just(0), st.just(9)),
    st.tuples(st.just("take"), st.integers(0, 2), st.just(0)),
    st.tuples(st.just("take"), st.integers(0, 2), st.just(0)),
    st.tuples(st.just("drop"), st.integers(0, 30), st.just(0)),
    st.tuples(st.just("new writer"), st.just(0), st.just(0)),
    st.tuples(st.just("new reader"), st.integers(0, 2), st.booleans()),
)


class Model:
    """What should be: a list of all messages, and who still has to take or give back which."""

    def __init__(self, spec: TopicSpec) -> None:
        self.spec = spec
        self.masks: list[int] = []
        self.sizes: list[int] = []
        self.taken = [0] * spec.readers  # numbers before it are taken or skipped, by reader
        self.lent: list[set[int]] = [set() for _ in range(spec.readers)]

    def needed(self, reader: int) -> set[int]:
        """What a reader has not taken."""
        numbers = range(self.taken[reader], len(self.masks))
        return {number for number in numbers if self.masks[number] >> reader & 1}

    def has_room(self) -> bool:
        readers = range(self.spec.readers)
        if self.spec.kind == "ring":
            live = set().union(*(self.needed(r) | self.lent[r] for r in readers))
            old = len(self.masks) - first_header(self.spec).entries
            kept = any(old in self.needed(reader) for reader in readers)
            return len(live) < self.spec.messages and not kept
        return all(
            len(self.masks) - self.taken[r] + len(self.lent[r]) < self.spec.messages
            for r in readers
        )

    def limit(self) -> int:
        readers = self.spec.readers if self.spec.kind == "ring" else 1
        return min(self.spec.borrowed, (self.spec.messages - 1) // readers)


@settings(max_examples=150)
@given(
    readers=st.integers(1, 3),
    messages=st.sampled_from([1, 2, 3, 8]),
    borrowed=st.integers(0, 3),
    script=st.lists(calls, max_size=60),
)
def test_ring(readers, messages, borrowed, script):
    play("ring", readers, messages, borrowed, script)


@settings(max_examples=25)
@given(
    readers=st.integers(1, 3),
    messages=st.sampled_from([1, 2, 3, 8]),
    borrowed=st.integers(0, 3),
    script=st.lists(calls, max_size=60),
)
def test_iceoryx2(readers, messages, borrowed, script):
    play("iceoryx2", readers, messages, borrowed, script)


def play(kind, readers, messages, borrowed, script):
    module = kinds.find(kind)
    # All messages fit the first segment, so that the model can say when it is full.
    name = f"rmmodel{os.getpid()}_{next(_numbers)}"
    spec = TopicSpec(kind, name, readers, messages, borrowed, size=4000, max_size=MIB)
    topic = module.make(spec)
    model = Model(spec)
    writer = module.open_writer(spec)
    ends = [module.open_reader(spec, reader, lambda: None) for reader in range(readers)]
    views: list[tuple[int, int, object]] = []
    try:
        for call, which, size in script:
            if call in ("send", "discard"):
                room = model.has_room()
                view = writer.loan(size)
                assert (view is not None) == room
                if view is None:
                    continue
                view[:] = (len(model.masks) * 7 + 1) % 256
                if call == "discard":
                    view[:] = 0
                    writer.discard()
                else:
                    mask = which & (1 << readers) - 1
                    assert writer.commit(mask) == len(model.masks)
                    model.masks.append(mask)
                    model.sizes.append(size)
            elif call == "send at once":
                mask = which & (1 << readers) - 1
                content = bytes([(len(model.masks) * 7 + 1) % 256]) * size
                room = model.has_room()
                number = writer.send(mask, content[:10], memoryview(content[10:]))
                assert number == (len(model.masks) if room else -1)
                if room:
                    model.masks.append(mask)
                    model.sizes.append(size)
            elif call == "take all":
                reader = which % readers
                found = ends[reader].take_all(size)
                expected = wanted = sorted(model.needed(reader))[:size]
                lendable = model.limit() - len(model.lent[reader])
                if kind == "ring":  # what has to be copied comes alone
                    expected = expected[: max(1, lendable)]
                assert [message.number for message in reversed(found)] == expected
                while found:
                    message = found.pop()
                    assert message.view.size == model.sizes[message.number]
                    if len(model.lent[reader]) < model.limit():
                        model.lent[reader].add(message.number)
                    views.append((reader, message.number, message.view))
                    model.taken[reader] = message.number + 1
                if expected == wanted and len(wanted) < size:  # it has looked at all
                    model.taken[reader] = len(model.masks)
                del found
                message = None
            elif call == "take":
                reader = which % readers
                expected = min(model.needed(reader), default=None)
                message = ends[reader].take()
                if expected is None:
                    assert message is None
                    model.taken[reader] = len(model.masks)
                else:
                    assert message.number == expected
                    assert message.view.size == model.sizes[expected]
                    if len(model.lent[reader]) < model.limit():
                        model.lent[reader].add(expected)
                    model.taken[reader] = expected + 1
                    views.append((reader, expected, message.view))
                del message
            elif call == "drop" and views:
                reader, number, view = views.pop(which % len(views))
                model.lent[reader].discard(number)
                del view
            elif call == "new writer":
                if kind == "iceoryx2" and any(map(model.needed, range(readers))):
                    continue  # it may be lost with the writer: see iceoryx.py
                writer.loan(5)
                writer.close()
                topic.forget_writer()
                writer = module.open_writer(spec)
            elif call == "new reader" and which < readers:
                ends[which].close()
                topic.forget_reader(which, topic.taken(which))
                ends[which] = module.open_reader(spec, which, lambda: None)
                writer.refresh()
                views = [each for each in views if each[0] != which]
                model.lent[which].clear()
            for reader, number, view in views:
                assert (view == (number * 7 + 1) % 256).all(), (reader, number)
            for reader, end in enumerate(ends):
                assert end.statistics().borrowed == len(model.lent[reader])
        views.clear()
        view = None
        for reader, end in enumerate(ends):
            for number in sorted(model.needed(reader)):
                assert end.take().number == number
            assert end.take() is None
        for _ in range(messages):  # no memory is lost
            assert writer.loan(4000) is not None
            writer.commit((1 << readers) - 1)
        assert writer.loan(1) is None
    finally:
        writer.close()
        for end in ends:
            end.close()
        topic.close()
    assert not [each for each in os.listdir("/dev/shm") if each.startswith(f"{name}")]
