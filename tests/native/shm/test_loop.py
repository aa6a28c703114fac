"""Bells in asyncio: on a loop that answers them while it waits, and on one that knows no bells."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from remotemedia_native.shm.bell import Bell
from remotemedia_native.shm.loop import BellLoop, add_bell, remove_bell


@pytest.fixture(params=[BellLoop, asyncio.SelectorEventLoop])
def loop(request):
    loop = request.param()
    yield loop
    loop.close()


@pytest.fixture
def bell():
    bell = Bell()
    yield bell
    bell.close()


def test_each_ring_is_answered(loop, bell):
    answered = []

    def answer():
        answered.append(len(answered))
        if len(answered) == 5:
            loop.stop()
        else:
            bell.ring()

    add_bell(loop, bell, answer)
    bell.ring()
    loop.run_forever()
    assert answered == [0, 1, 2, 3, 4]


def test_an_answer_wakes_a_task_and_tasks_wake_each_other(loop, bell):
    async def main():
        seen = []
        rung = asyncio.Event()
        add_bell(loop, bell, rung.set)
        for number in range(3):
            bell.ring()
            await rung.wait()
            rung.clear()
            seen.append(number)
            await asyncio.sleep(0)
        return seen

    assert loop.run_until_complete(main()) == [0, 1, 2]


def test_what_an_answer_schedules_is_done(loop, bell):
    async def main():
        done = loop.create_future()

        def answer():
            loop.call_later(0.001, lambda: loop.create_task(end()))

        async def end():
            done.set_result("done")

        add_bell(loop, bell, answer)
        bell.ring()
        return await done

    assert loop.run_until_complete(main()) == "done"


def test_timers_readers_and_threads_are_served_beside_bells(loop, bell):
    reading, writing = os.pipe()
    found = set()

    def note(what):
        found.add(what)
        if found == {"bell", "reader", "writer", "timer", "thread"}:
            loop.stop()

    def answer():  # rings for ever, and must not keep others from their turn
        note("bell")
        bell.ring()

    add_bell(loop, bell, answer)
    loop.add_reader(reading, lambda: (os.read(reading, 1), note("reader")))
    spare_reading, spare_writing = os.pipe()
    loop.add_writer(spare_writing, lambda: (loop.remove_writer(spare_writing), note("writer")))
    loop.call_later(0.002, note, "timer")
    thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(note, "thread"))
    os.write(writing, b".")
    bell.ring()
    thread.start()
    loop.run_forever()
    thread.join()
    loop.remove_reader(reading)
    for fd in (reading, writing, spare_reading, spare_writing):
        os.close(fd)
    assert len(found) == 5


def test_what_an_answer_raises_goes_to_the_handler(loop, bell):
    told = []
    loop.set_exception_handler(lambda _, context: (told.append(context["exception"]), loop.stop()))

    def answer():
        raise ValueError("broken")

    add_bell(loop, bell, answer)
    bell.ring()
    loop.run_forever()
    assert [str(error) for error in told] == ["broken"]


def test_one_that_asks_for_the_end_gets_it(loop, bell):
    def answer():
        raise KeyboardInterrupt

    add_bell(loop, bell, answer)
    bell.ring()
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()


def test_a_bell_that_is_removed_is_left_alone(loop, bell):
    answered = []
    other = Bell()
    add_bell(loop, bell, lambda: answered.append("bell"))
    add_bell(loop, other, loop.stop)
    remove_bell(loop, bell)
    remove_bell(loop, bell)
    bell.ring()
    other.ring()
    loop.run_forever()
    assert answered == []
    remove_bell(loop, other)
    other.close()


def test_a_bell_is_added_again_with_another_answer(loop, bell):
    add_bell(loop, bell, lambda: pytest.fail("not this one"))
    add_bell(loop, bell, loop.stop)
    bell.ring()
    loop.run_forever()
