"""The scheduler of the worker's loop on a host of wood: time passes only when nothing else does."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
import math
import random
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "wasm" / "python"))
import programs

from remotemedia_wasm.scheduler import MAX_TIMEOUT_MS, SPARE_TIMERS, Scheduler

READING_S = 1e-9  # what it takes to read the clock
ENDLESS_S = 1e-4


class WoodenHost:
    """JavaScript's event loop: messages, and timeouts on virtual time.

    Timeouts are of whole ms, unless they are `exact`: then none is later than a timer.
    """

    def __init__(self) -> None:
        self.time = 0.0
        self.exact = False
        self.messages = 0
        self.posted = 0
        self.timeouts: list[tuple[float, int]] = []
        self.asked_ms: list[int] = []
        self.numbers = itertools.count()
        self.cleared: set[int] = set()

    def now(self) -> float:
        self.time += READING_S
        return self.time

    def post(self) -> None:
        self.messages += 1
        self.posted += 1

    def set_timeout(self, ms: int) -> int:
        assert 0 < ms <= MAX_TIMEOUT_MS
        number = next(self.numbers)
        self.asked_ms.append(ms)
        heapq.heappush(self.timeouts, (self.time + ms / 1000, number))
        return number

    def clear_timeout(self, timeout: Any) -> None:
        assert timeout in {number for _, number in self.timeouts}
        self.cleared.add(timeout)

    def step(self, loop: Loop) -> bool:
        """Deliver one message or timeout; False if there is none."""
        if self.messages:
            self.messages -= 1
            loop.on_message()
            return True
        while self.timeouts:
            due, number = heapq.heappop(self.timeouts)
            if number not in self.cleared:
                if self.exact:
                    due = min(due, loop._timers[0][2])
                self.time = max(self.time, due)
                loop.on_timeout()
                return True
        return False

    def waiting(self) -> int:
        """Timeouts that will come."""
        return sum(number not in self.cleared for _, number in self.timeouts)


class Loop(Scheduler, asyncio.BaseEventLoop):
    def __init__(self, budget_s: float = ENDLESS_S) -> None:
        asyncio.BaseEventLoop.__init__(self)
        self.host = WoodenHost()
        Scheduler.__init__(
            self,
            post=self.host.post,
            set_timeout=self.host.set_timeout,
            clear_timeout=self.host.clear_timeout,
            now=self.host.now,
            budget_s=budget_s,
        )
        self.errors: list[dict[str, Any]] = []

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context)
        super().call_exception_handler(context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        pass

    def run_until_idle(self) -> None:
        while self.host.step(self):
            pass

    def turn(self) -> None:
        assert self.host.step(self)

    def __del__(self) -> None:
        pass


@pytest.fixture
def loop():
    with running(Loop()) as made:
        yield made


class running:  # noqa: N801 - a context manager
    """Make a loop the one that runs."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.before = asyncio._get_running_loop()
        self.hooks = sys.get_asyncgen_hooks()

    def __enter__(self) -> Loop:
        asyncio._set_running_loop(self.loop)
        finalizer: Any = self.loop._asyncgen_finalizer_hook
        sys.set_asyncgen_hooks(finalizer=finalizer)
        return self.loop

    def __exit__(self, *_: object) -> None:
        asyncio._set_running_loop(self.before)
        sys.set_asyncgen_hooks(*self.hooks)


def run(loop: Loop, coroutine: Coroutine[Any, Any, Any]) -> Any:
    task = loop.create_task(coroutine)
    loop.run_until_idle()
    return task.result()


# -- asyncio's order --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cut_after", [1, 2, 7, None], ids="every 1|every 2|every 7|never".split("|")
)
@pytest.mark.parametrize("kind", [programs.plain, programs.timed])
def test_random_programs_run_as_on_asyncios_own_loop(
    kind: Callable[[int], Coroutine[Any, Any, programs.Trace]], cut_after: int | None
) -> None:
    budget_s = ENDLESS_S if cut_after is None else (cut_after + 0.5) * READING_S
    steps = cut = 0
    for seed in range(40):
        with running(Loop(budget_s)) as loop:
            loop.host.exact = True
            trace = run(loop, kind(seed))
        assert trace == programs.on_reference(kind(seed)), f"seed {seed}"
        steps += len(trace)
        cut += loop.statistics().exhausted
    assert steps > 2000
    assert bool(cut) == (cut_after is not None)


def test_what_a_batch_adds_runs_behind_the_timers_that_are_due(loop: Loop) -> None:
    order: list[str] = []

    def first() -> None:
        order.append("first")
        loop.call_soon(order.append, "added")
        loop.call_at(loop.time(), order.append, "timer")

    loop.call_soon(first)
    loop.call_soon(order.append, "second")
    loop.run_until_idle()
    assert order == ["first", "second", "added", "timer"]
    assert loop.statistics().batches == 2


def test_a_batch_that_is_cut_off_ends_before_due_timers_run() -> None:
    with running(Loop(budget_s=0)) as loop:
        order: list[str] = []

        def first() -> None:
            loop.call_at(0, order.append, "timer")
            loop.call_soon(order.append, "added")

        loop.call_soon(first)
        loop.call_soon(order.append, "second")
        loop.turn()
        loop.run_until_idle()
        assert order == ["second", "added", "timer"]


def test_contexts_are_those_given_or_those_of_the_caller(loop: Loop) -> None:
    seen: list[int] = []

    def look() -> None:
        seen.append(programs.COLOUR.get())

    async def main() -> None:
        programs.COLOUR.set(1)
        loop.call_soon(look)
        loop.call_later(0.001, look)
        loop.call_soon(look, context=contextvars.Context())
        programs.COLOUR.set(2)
        await asyncio.sleep(0.01)

    run(loop, main())
    assert seen == [1, -1, 1]
    assert programs.COLOUR.get() == -1


def test_the_debug_mode_says_where_a_callback_was_made(loop: Loop) -> None:
    loop.set_debug(True)
    loop.call_soon(lambda: 1 / 0)
    loop.run_until_idle()
    (error,) = loop.errors
    assert "test_the_debug_mode" in str(error["source_traceback"])


# -- turns ------------------------------------------------------------------------------------


def test_an_idle_loop_asks_for_one_turn_however_much_is_added(loop: Loop) -> None:
    ran: list[int] = []
    for number in range(100):
        loop.call_soon(ran.append, number)
    assert loop.host.posted == 1
    assert loop.statistics().ready == 100
    loop.run_until_idle()
    assert ran == list(range(100))
    assert loop.host.posted == 1
    statistics = loop.statistics()
    assert (statistics.batches, statistics.callbacks, statistics.exhausted) == (1, 100, 0)
    assert (statistics.ready, statistics.timers) == (0, 0)


def test_a_turn_ends_with_the_callback_that_uses_its_budget_up(loop: Loop) -> None:
    ran: list[int] = []

    def work(number: int) -> None:
        ran.append(number)
        loop.host.time += ENDLESS_S * 0.4

    for number in range(7):
        loop.call_soon(work, number)
    turns = []
    while loop.host.step(loop):
        turns.append(len(ran))
    assert turns == [3, 6, 7]
    assert loop.statistics().exhausted == 2
    assert loop.statistics().longest_batch_us == 120


def test_a_task_that_never_sleeps_leaves_every_turn_at_its_end() -> None:
    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    with running(Loop(budget_s=100 * READING_S)) as loop:
        task = loop.create_task(spin())
        for _ in range(20):
            began = loop.host.time
            loop.turn()
            assert loop.host.time - began < 105 * READING_S
        task.cancel()
        loop.run_until_idle()
        assert task.cancelled()


def test_cancelled_callbacks_do_not_run(loop: Loop) -> None:
    ran: list[str] = []
    second = loop.call_soon(ran.append, "second")
    loop.call_soon(second.cancel)
    third = loop.call_soon(ran.append, "third")
    second.cancel()
    loop.call_soon_threadsafe(ran.append, "fourth")
    loop.run_until_idle()
    assert ran == ["third", "fourth"]
    assert not third.cancelled()


# -- enter ------------------------------------------------------------------------------------


def test_enter_runs_what_became_ready_before_it_returns(loop: Loop) -> None:
    order: list[str] = []

    def callback(word: str) -> str:
        loop.call_soon(order.append, "ready")
        order.append(word)
        return "result"

    assert loop.enter(callback, "callback") == "result"
    assert order == ["callback", "ready"]
    assert loop.host.posted == 0


def test_a_message_under_way_finds_nothing_when_an_entry_was_quicker(loop: Loop) -> None:
    order: list[str] = []
    loop.call_soon(order.append, "earlier")
    loop.enter(order.append, "callback")
    assert order == ["callback", "earlier"]
    loop.turn()
    assert order == ["callback", "earlier"]
    loop.call_soon(order.append, "later")
    loop.run_until_idle()
    assert order[2:] == ["later"]
    assert loop.host.posted == 2


def test_a_message_under_way_is_enough_for_what_an_entry_leaves() -> None:
    with running(Loop(budget_s=0)) as loop:
        ran: list[int] = []
        loop.call_soon(ran.append, 0)
        loop.call_soon(ran.append, 1)
        loop.enter(ran.append, 2)
        assert ran == [2, 0]
        assert loop.host.posted == 1
        loop.run_until_idle()
        assert ran == [2, 0, 1]


def test_enter_inside_a_turn_only_adds(loop: Loop) -> None:
    order: list[str] = []

    def inner() -> int:
        loop.call_soon(order.append, "added by inner")
        order.append("inner")
        return 7

    def outer() -> None:
        loop.call_soon(order.append, "added by outer")
        assert loop.enter(inner) == 7
        order.append("outer")

    loop.enter(outer)
    assert order == ["inner", "outer", "added by outer", "added by inner"]
    loop.call_soon(outer)
    loop.run_until_idle()
    assert order[4:] == order[:4]


def test_enter_inside_a_task_only_adds(loop: Loop) -> None:
    order: list[str] = []

    async def main() -> None:
        loop.enter(lambda: loop.call_soon(order.append, "added"))
        order.append("main")

    task = loop.create_task(main())
    # As Pyodide's own loop runs what it had before `install`.
    loop._queue.popleft()._run()
    assert order == ["main"]
    loop.run_until_idle()
    assert order == ["main", "added"]
    assert task.done()


@pytest.mark.parametrize(
    "error", [ValueError, SystemExit, KeyboardInterrupt, asyncio.CancelledError]
)
def test_what_the_callback_of_enter_raises_comes_out_and_the_loop_goes_on(
    loop: Loop, error: type[BaseException]
) -> None:
    order: list[str] = []

    def callback() -> None:
        loop.call_soon(order.append, "ready")
        raise error("broken")

    with pytest.raises(error, match="broken"):
        loop.enter(callback)
    assert order == ["ready"]
    loop.call_soon(order.append, "later")
    loop.run_until_idle()
    assert order == ["ready", "later"]
    assert loop.errors == []


def test_what_is_over_the_budget_of_enter_gets_a_turn(loop: Loop) -> None:
    ran: list[int] = []

    def callback() -> None:
        for number in range(3):
            loop.call_soon(ran.append, number)
        loop.host.time += ENDLESS_S

    loop.enter(callback)
    assert ran == [0]
    loop.run_until_idle()
    assert ran == [0, 1, 2]


# -- exceptions -------------------------------------------------------------------------------


def test_an_exception_of_a_callback_is_handled_and_the_rest_runs(loop: Loop) -> None:
    ran: list[str] = []
    error = ValueError("broken")

    def broken() -> None:
        raise error

    handle = loop.call_soon(broken)
    loop.call_soon(ran.append, "rest")
    loop.run_until_idle()
    assert ran == ["rest"]
    (context,) = loop.errors
    assert context["exception"] is error
    assert context["handle"] is handle
    assert "broken" in context["message"]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_what_would_end_a_process_does_not_end_the_loop(
    loop: Loop, error: type[BaseException]
) -> None:
    ran: list[object] = []

    def stop() -> None:
        raise error(3)

    async def stopping() -> None:
        raise error(4)

    loop.call_soon(stop)
    loop.call_soon(stop)
    task = loop.create_task(stopping())
    task.add_done_callback(lambda done: ran.append(done.exception()))
    loop.call_later(0.001, ran.append, "later")
    loop.call_soon(ran.append, "rest")
    loop.run_until_idle()
    assert ran[0] == "rest"
    assert isinstance(ran[1], error)
    assert ran[2:] == ["later"]
    assert [type(context["exception"]) for context in loop.errors] == [error] * 3


def test_an_exception_handler_that_stops_does_not_end_the_loop(loop: Loop) -> None:
    ran: list[str] = []

    def handler(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        raise SystemExit

    loop.set_exception_handler(handler)
    loop.call_soon(lambda: 1 / 0)
    loop.call_soon(ran.append, "rest")
    with pytest.raises(SystemExit):
        loop.turn()
    loop.run_until_idle()
    assert ran == ["rest"]


# -- timers -----------------------------------------------------------------------------------


def test_timers_run_in_order_and_never_early(loop: Loop) -> None:
    chance = random.Random(1)
    due = [chance.randrange(100_000) / 1e6 for _ in range(500)]
    ran: list[tuple[float, int]] = []

    def note(number: int) -> None:
        assert loop.host.time >= due[number]
        ran.append((due[number], number))

    for number, when in enumerate(due):
        loop.call_at(when, note, number)
    loop.run_until_idle()
    assert ran == sorted(ran)
    assert len(ran) == 500


def test_timers_of_the_same_microsecond_keep_their_order(loop: Loop) -> None:
    ran: list[int] = []
    for number, when in enumerate([0.3, 0.1 + 0.2, 0.3, 0.29999999999999999, 3 * 0.1]):
        loop.call_at(when, ran.append, number)
    loop.run_until_idle()
    assert ran == [0, 1, 2, 3, 4]


def test_one_timeout_is_armed_for_the_earliest(loop: Loop) -> None:
    ran: list[str] = []
    loop.call_later(0.5, ran.append, "late")
    loop.call_later(0.7, ran.append, "later")
    assert loop.host.asked_ms == [500]
    loop.call_later(0.2, ran.append, "early")
    assert loop.host.asked_ms == [500, 200]
    assert loop.host.waiting() == 1
    loop.run_until_idle()
    assert ran == ["early", "late", "later"]
    assert loop.host.waiting() == 0


def test_timers_that_a_turn_makes_and_cancels_cost_no_timeout(loop: Loop) -> None:
    async def main() -> None:
        for _ in range(50):
            async with asyncio.timeout(1):
                await asyncio.sleep(0)

    run(loop, main())
    assert loop.host.asked_ms == []


def test_a_timeout_that_comes_early_is_armed_again(loop: Loop) -> None:
    ran: list[str] = []
    loop.call_later(0.0105, ran.append, "timer")
    assert loop.host.asked_ms == [11]  # whole ms, rounded up
    loop.host.timeouts.clear()
    loop.host.time = 0.0104
    loop.on_timeout()
    assert ran == []
    loop.run_until_idle()
    assert ran == ["timer"]


def test_a_short_timer_that_a_timer_sets_is_armed_by_a_message(loop: Loop) -> None:
    async def main() -> None:
        for _ in range(4):
            await asyncio.sleep(0.001)

    run(loop, main())
    # Inside timeouts, browsers would make 4 ms of each.
    assert loop.host.posted == 4
    assert len(loop.host.asked_ms) == 4
    assert loop.host.time < 0.01


@pytest.mark.parametrize("delay", [0, -1])
def test_what_is_due_already_needs_no_timeout(loop: Loop, delay: float) -> None:
    ran: list[str] = []
    loop.call_later(delay, ran.append, "timer")
    assert ran == []
    loop.run_until_idle()
    assert ran == ["timer"]
    assert loop.host.asked_ms == []


def test_long_and_infinite_delays(loop: Loop) -> None:
    ran: list[str] = []
    loop.call_later(math.inf, ran.append, "never").cancel()
    loop.call_later(math.inf, ran.append, "never")
    days_100 = 100 * 86400.0
    loop.call_later(days_100, ran.append, "much later")
    loop.run_until_idle()
    assert ran == ["much later"]
    assert loop.host.asked_ms[:4] == [MAX_TIMEOUT_MS] * 4
    assert days_100 <= loop.host.time < days_100 + 0.002
    loop.call_later(1e300, ran.append, "at the end of time")
    assert loop.host.asked_ms[-1] == MAX_TIMEOUT_MS
    with pytest.raises(ValueError, match="NaN"):
        loop.call_later(math.nan, ran.append, "undefined")


def test_cancelled_timers_do_not_pile_up(loop: Loop) -> None:
    kept = [loop.call_later(1000 + number, list) for number in range(10)]
    for number in range(100_000):
        loop.call_later(1 + number % 977, list).cancel()
        assert len(loop._timers) <= 2 * SPARE_TIMERS + len(kept)
    assert loop.statistics().timers == 10
    timers = [loop.call_later(2000 + number, list) for number in range(100_000)]
    for timer in timers:
        timer.cancel()
        timer.cancel()
    assert loop.statistics().timers == 10
    assert len(loop._timers) <= 2 * SPARE_TIMERS
    loop.run_until_idle()
    assert (len(loop._timers), loop.statistics().timers) == (0, 0)


def test_a_timer_that_is_cancelled_when_it_is_due_does_not_run(loop: Loop) -> None:
    ran: list[str] = []
    loop.call_at(0.001, lambda: second.cancel())
    second = loop.call_at(0.001, ran.append, "second")
    loop.call_at(0.001, ran.append, "third")
    loop.run_until_idle()
    assert ran == ["third"]
    assert loop.statistics().timers == 0


# -- suspension -------------------------------------------------------------------------------


def test_what_waits_goes_on_while_a_turn_is_suspended(loop: Loop) -> None:
    """`run_sync` comes back when the turns that it needs have run: here, inside of it."""
    order: list[str] = []

    def suspended() -> None:
        order.append("suspended")
        loop.on_suspended()
        loop.call_later(0.001, order.append, "timer")
        loop.run_until_idle()
        order.append("back")
        loop.call_soon(order.append, "added")

    loop.call_soon(suspended)
    loop.call_soon(order.append, "rest")
    loop.run_until_idle()
    assert order == ["suspended", "rest", "timer", "back", "added"]


def test_a_turn_that_ended_is_not_suspended(loop: Loop) -> None:
    loop.enter(lambda: None)
    loop.on_suspended()
    assert loop.host.posted == 0
