"""The session clock, on a virtual loop: no test here waits for real time."""

import asyncio

import pytest

from remotemedia.clock import SystemClock, deadline, sleep
from remotemedia.testing import VirtualClock

MS = 1_000


class SteppedClock(SystemClock):
    """A system clock that shows the given times, one per reading."""

    def __init__(self, *times_us: int) -> None:
        self.times = list(times_us)

    def now_us(self) -> int:
        return self.times.pop(0)


def test_system_clock_is_monotonic_in_integers():
    clock = SystemClock()
    times = [clock.now_us() for _ in range(100)]
    assert times == sorted(times)
    assert type(times[0]) is int


def test_system_clock_wall_time_is_of_this_century_in_microseconds():
    assert 1_700_000_000_000_000 < SystemClock().wall_us() < 5_000_000_000_000_000


def test_system_clock_needs_a_running_loop():
    host = asyncio._get_running_loop()  # a page always has one
    asyncio._set_running_loop(None)
    try:
        with pytest.raises(RuntimeError, match="no running event loop"):
            SystemClock().call_later(5, lambda: None)
    finally:
        asyncio._set_running_loop(host)


async def test_system_timer_goes_round_again_when_the_loop_is_early(clock):
    # Set at 0 for 5 ms; the loop calls at 1 ms (too early), then at 5 ms.
    stepped = SteppedClock(0, 1 * MS, 5 * MS)
    fired_at = []
    stepped.call_later(5 * MS, lambda: fired_at.append(clock.now_us()))
    await sleep(clock, 20 * MS)
    # 5 ms of loop time, then the missing 4.
    assert fired_at == [9 * MS]
    assert stepped.times == []


async def test_cancelled_system_timer_never_fires(clock):
    fired = []
    timer = SteppedClock(0, 1 * MS).call_later(5 * MS, lambda: fired.append(1))
    await sleep(clock, 6 * MS)
    timer.cancel()
    await sleep(clock, 20 * MS)
    assert fired == []


async def test_sleep_takes_exactly_its_time(clock):
    await sleep(clock, 1_234_567)
    assert clock.now_us() == 1_234_567


@pytest.mark.parametrize("delay_us", [0, -5])
async def test_sleep_of_nothing_gives_others_one_turn(clock, delay_us):
    order = []

    async def other() -> None:
        order.append("other")

    task = asyncio.create_task(other())
    await sleep(clock, delay_us)
    order.append("sleeper")
    await task
    assert order == ["other", "sleeper"]
    assert clock.now_us() == 0


async def test_cancelled_sleep_drops_its_timer(clock):
    task = asyncio.create_task(sleep(clock, 10 * MS))
    await sleep(clock, 1 * MS)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.now_us() == 1 * MS


async def test_deadline_cancels_the_body_and_raises_timeout(clock):
    with pytest.raises(TimeoutError, match="not done within 5000 µs"):
        async with deadline(clock, 5 * MS) as limit:
            await sleep(clock, 60 * MS)
    assert clock.now_us() == 5 * MS
    assert limit.expired
    assert asyncio.current_task().cancelling() == 0


async def test_deadline_that_is_kept_leaves_nothing_behind(clock):
    async with deadline(clock, 5 * MS) as limit:
        await sleep(clock, 4 * MS)
    await sleep(clock, 60 * MS)
    assert not limit.expired


async def test_no_deadline(clock):
    async with deadline(clock, None) as limit:
        await sleep(clock, 60_000 * MS)
    assert not limit.expired


async def test_error_of_the_body_passes_through(clock):
    with pytest.raises(LookupError):
        async with deadline(clock, 5 * MS):
            raise LookupError


async def test_error_raised_on_the_way_out_wins_over_the_timeout(clock):
    with pytest.raises(LookupError):
        async with deadline(clock, 5 * MS):
            try:
                await sleep(clock, 60 * MS)
            finally:
                raise LookupError
    assert asyncio.current_task().cancelling() == 0


async def test_outer_cancellation_stays_a_cancellation(clock):
    async def body() -> None:
        async with deadline(clock, 5 * MS):
            await sleep(clock, 60 * MS)

    task = asyncio.create_task(body())
    await sleep(clock, 1 * MS)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("cancel_first", [True, False])
async def test_outer_cancellation_in_the_same_instant_is_not_swallowed(clock, cancel_first):
    async def body() -> None:
        async with deadline(clock, 5 * MS):
            await sleep(clock, 60 * MS)

    if cancel_first:
        clock.call_later(5 * MS, lambda: task.cancel())
    task = asyncio.create_task(body())
    await clock.idle()
    if not cancel_first:
        clock.call_later(5 * MS, lambda: task.cancel())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.now_us() == 5 * MS


async def test_inner_deadline_fires_and_the_outer_goes_on(clock):
    async with deadline(clock, 50 * MS):
        with pytest.raises(TimeoutError):
            async with deadline(clock, 5 * MS):
                await sleep(clock, 500 * MS)
        await sleep(clock, 40 * MS)
    assert clock.now_us() == 45 * MS


async def test_outer_deadline_passes_through_an_inner_one(clock):
    reached = []
    with pytest.raises(TimeoutError, match="within 5000 µs"):
        async with deadline(clock, 5 * MS):
            async with deadline(clock, 50 * MS):
                await sleep(clock, 500 * MS)
            reached.append("after inner")
    assert reached == []


async def test_a_deadline_is_entered_once(clock):
    limit = deadline(clock, 5 * MS)
    async with limit:
        pass
    with pytest.raises(RuntimeError, match="entered once"):
        await limit.__aenter__()


def test_two_virtual_runs_take_the_same_steps():
    def steps() -> list[tuple[int, str]]:
        clock = VirtualClock()
        log: list[tuple[int, str]] = []

        async def tick(name: str, period_us: int) -> None:
            for _ in range(5):
                await sleep(clock, period_us)
                log.append((clock.now_us(), name))

        async def main() -> None:
            async with asyncio.TaskGroup() as group:
                for name, period_us in [("a", 200), ("b", 300), ("c", 100)]:
                    group.create_task(tick(name, period_us))

        clock.run(main())
        return log

    assert steps() == steps()
