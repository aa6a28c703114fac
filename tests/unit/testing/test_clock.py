"""VirtualClock: its order of events, its deadlock report, and that no error is lost."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotemedia.clock import deadline, sleep
from remotemedia.testing import DeadlockError, VirtualClock

MS = 1_000
HOUR = 3_600_000_000


def test_an_hour_passes_at_once(clock):
    async def main() -> str:
        await sleep(clock, HOUR)
        return "done"

    assert clock.run(main()) == "done"
    assert clock.now_us() == HOUR


def test_wall_time_runs_with_virtual_time():
    clock = VirtualClock(wall_start_us=1_000_000)
    clock.advance(250)
    assert (clock.now_us(), clock.wall_us()) == (250, 1_000_250)


def test_time_goes_on_from_run_to_run(clock):
    clock.run(sleep(clock, 5 * MS))
    clock.run(sleep(clock, 5 * MS))
    assert clock.now_us() == 10 * MS


async def test_asyncio_timers_are_virtual_too(clock):
    await asyncio.sleep(90.5)
    assert clock.now_us() == 90_500_000
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 0.25)
    assert clock.now_us() == 90_750_000


async def test_timers_of_one_instant_keep_their_order(clock):
    order = []
    for number in range(50):
        clock.call_later(7, lambda number=number: order.append(number))
    await sleep(clock, 7)
    assert order == list(range(50))


@given(st.lists(st.integers(0, 20), max_size=30))
async def test_timers_fire_by_time_then_by_order(delays):
    # A clock of its own for every example, taken from the loop that it runs on.
    loop = asyncio.get_running_loop()
    fired = []
    for number, delay_us in enumerate(delays):
        loop.call_later(delay_us / 1e6, fired.append, (delay_us, number))
    await asyncio.sleep(1)
    assert fired == sorted((delay_us, number) for number, delay_us in enumerate(delays))


async def test_cancelled_timers_do_not_move_time(clock):
    clock.call_later(5 * MS, lambda: None).cancel()
    await sleep(clock, 10 * MS)
    clock.call_later(5 * MS, lambda: None).cancel()
    await clock.idle()
    assert clock.now_us() == 10 * MS


async def test_idle_lets_everything_run_while_time_stands(clock):
    queue = asyncio.Queue()
    got = []

    async def reader() -> None:
        while True:
            got.append(await queue.get())
            await sleep(clock, 0)

    task = asyncio.create_task(reader())
    clock.call_later(1, lambda: got.append("too far"))
    for item in "abc":
        queue.put_nowait(item)
    await clock.idle()
    assert got == ["a", "b", "c"]
    assert clock.now_us() == 0
    task.cancel()


def test_advance_from_synchronous_code(clock):
    fired = []
    clock.call_later(5, lambda: fired.append(5))
    clock.call_later(10, lambda: clock.call_later(0, lambda: fired.append(10)))
    clock.call_later(11, lambda: fired.append(11))
    clock.advance(4)
    assert (fired, clock.now_us()) == ([], 4)
    clock.advance(6)
    assert (fired, clock.now_us()) == ([5, 10], 10)
    clock.run_until_idle()
    assert (fired, clock.now_us()) == ([5, 10], 10)


def test_error_of_a_callback_comes_out_of_advance(clock):
    clock.call_later(5, lambda: 1 // 0)
    with pytest.raises(ExceptionGroup) as caught:
        clock.advance(5)
    assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]


def test_deadlock_says_who_waits_where(clock):
    async def reader(queue: asyncio.Queue[int]) -> None:
        await queue.get()

    async def main() -> None:
        await asyncio.create_task(reader(asyncio.Queue()), name="the reader")

    with pytest.raises(DeadlockError) as caught:
        clock.run(main())
    message = str(caught.value)
    assert "no timer is pending" in message
    line = next(line for line in message.splitlines() if "the reader" in line)
    assert "test_clock.py:" in line
    assert "reader, for Queue.get" in line


def test_ticking_for_ever_is_a_deadlock_too(clock):
    async def ticker() -> None:
        while True:
            await sleep(clock, 1_000_000)

    async def main() -> None:
        kept.append(asyncio.create_task(ticker()))
        await asyncio.Event().wait()

    kept = []
    with pytest.raises(DeadlockError, match="something ticks"):
        clock.run(main(), limit_us=60_000_000)
    assert clock.now_us() == 60_000_000


def test_the_clock_works_after_a_deadlock(clock):
    async def stuck() -> None:
        await asyncio.Event().wait()

    with pytest.raises(DeadlockError):
        clock.run(stuck())
    clock.run(sleep(clock, 5))
    assert clock.now_us() == 5


def test_tasks_left_behind_are_cancelled_and_waited_for(clock):
    log = []

    async def worker() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await sleep(clock, 5 * MS)
            log.append(clock.now_us())

    async def main() -> None:
        log.append(asyncio.create_task(worker()))
        await sleep(clock, 1 * MS)

    clock.run(main())
    assert log[1:] == [6 * MS]
    assert log[0].cancelled()


def test_generators_left_behind_are_closed(clock):
    log = []

    async def numbers():
        try:
            yield 1
            yield 2
        finally:
            await sleep(clock, 5)
            log.append("closed")

    kept = numbers()

    async def main() -> int:
        return await anext(kept)

    assert clock.run(main()) == 1
    assert log == ["closed"]


def test_timers_left_behind_are_dropped(clock):
    fired = []

    async def main() -> None:
        clock.call_later(5, lambda: fired.append(1))

    clock.run(main())
    clock.advance(10)
    assert fired == []


def test_error_of_a_callback_is_not_lost(clock):
    async def main() -> None:
        clock.call_later(1, lambda: [][0])
        await sleep(clock, 2)

    with pytest.raises(ExceptionGroup) as caught:
        clock.run(main())
    assert [type(error) for error in caught.value.exceptions] == [IndexError]


def test_error_of_a_task_that_no_one_awaits_is_not_lost(clock):
    async def fails() -> None:
        raise LookupError("alone")

    async def main() -> None:
        kept.append(asyncio.create_task(fails()))
        await sleep(clock, 1)

    kept = []
    with pytest.raises(ExceptionGroup) as caught:
        clock.run(main())
    assert [str(error) for error in caught.value.exceptions] == ["alone"]


def test_error_of_a_task_that_was_awaited_is_seen_once(clock):
    async def fails() -> None:
        raise LookupError

    async def main() -> None:
        with pytest.raises(LookupError):
            await asyncio.create_task(fails())

    clock.run(main())


def test_a_task_that_will_not_be_cancelled_is_named(clock):
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue

    async def main() -> None:
        kept.append(asyncio.create_task(stubborn(), name="the stubborn one"))
        await sleep(clock, 1)

    kept = []
    with pytest.raises(ExceptionGroup) as caught:
        clock.run(main())
    (error,) = caught.value.exceptions
    assert isinstance(error, DeadlockError)
    assert "the stubborn one" in str(error)


def test_what_the_loop_reports_without_an_exception_is_not_lost(clock):
    async def main() -> None:
        asyncio.get_running_loop().call_exception_handler({"message": "a socket leaked"})

    with pytest.raises(ExceptionGroup) as caught:
        clock.run(main())
    assert [str(error) for error in caught.value.exceptions] == ["a socket leaked"]


def test_what_is_reported_after_the_end_is_a_warning(clock):
    async def main() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    loop = clock.run(main())
    with pytest.warns(RuntimeWarning, match="too late: KeyError"):
        loop.call_exception_handler({"message": "too late", "exception": KeyError("x")})


def test_deadlock_after_a_lost_task_names_its_error(clock):
    async def main() -> None:
        event = asyncio.Event()

        async def setter() -> None:
            raise LookupError("before it could set")

        kept.append(asyncio.create_task(setter()))
        await event.wait()

    kept = []
    with pytest.raises(DeadlockError) as caught:
        clock.run(main())
    assert "before it could set" in "".join(caught.value.__notes__)


@pytest.mark.parametrize("in_task", [True, False])
def test_what_must_stop_the_program_stops_the_loop(clock, in_task):
    class Stop(BaseException):
        """As a test runner's time-out is."""

    def stop() -> None:
        raise Stop

    async def stop_in_task() -> None:
        stop()

    async def main() -> None:
        if in_task:
            kept.append(asyncio.create_task(stop_in_task()))
        else:
            clock.call_later(1, stop)
        await asyncio.Event().wait()

    kept = []
    with pytest.raises(Stop):
        clock.run(main())


async def test_a_clock_is_not_driven_from_asynchronous_code(clock):
    # A running task is what tells asynchronous code in both worlds.
    for clock_to_drive in (clock, VirtualClock()):
        with pytest.raises(RuntimeError, match="synchronous code only"):
            clock_to_drive.run(sleep(clock_to_drive, 1))
        with pytest.raises(RuntimeError, match="synchronous code only"):
            clock_to_drive.advance(1)


async def test_a_clock_on_a_foreign_loop_is_refused():
    stranger = VirtualClock()
    with pytest.raises(RuntimeError, match="stands still here"):
        stranger.call_later(1, lambda: None)


def test_the_host_loop_is_the_running_one_again_afterwards(clock):
    before = asyncio._get_running_loop()
    clock.run(sleep(clock, 1))
    assert asyncio._get_running_loop() is before


async def test_timers_are_listed_until_they_fire_or_are_cancelled(clock):
    assert clock.timers == ()
    await sleep(clock, 3)
    late = clock.call_later(20, lambda: None)
    clock.call_later(10, lambda: None)
    async with deadline(clock, 15):
        assert clock.timers == (13, 18, 23)
        await sleep(clock, 12)
        assert clock.timers == (18, 23)
    assert clock.timers == (23,)
    late.cancel()
    assert clock.timers == ()


async def test_a_deadline_is_of_virtual_time(clock):
    with pytest.raises(TimeoutError, match="not done within 250000 µs"):
        async with deadline(clock, 250_000):
            await sleep(clock, HOUR)
    assert clock.now_us() == 250_000
