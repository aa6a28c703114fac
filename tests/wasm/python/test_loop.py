"""The worker's event loop on a real JavaScript event loop; run by runner.py, in Node or a browser.

How the queue and the timers behave in every detail is in tests/unit/wasm/test_scheduler.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import io
import math
import time
import weakref
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import js
import programs
from pyodide.code import eval_code_async
from pyodide.ffi import JsException, can_run_sync, create_proxy, run_sync, to_js
from pyodide.http import pyfetch
from pyodide.webloop import PyodideFuture, PyodideTask, WebLoop

from remotemedia_wasm.loop import BatchedLoop, install, uninstall

GIVEN: dict[str, Any] = {}
"""Given by whoever runs the tests: ``native traces``, by seed, of CPython's own asyncio."""


def here() -> BatchedLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, BatchedLoop)
    return loop


@contextlib.contextmanager
def proxied(function: Callable[..., Any]) -> Iterator[Any]:
    """A function of JavaScript that calls this one."""
    proxy = create_proxy(function)
    try:
        yield proxy
    finally:
        proxy.destroy()


def through_javascript(proxy: Any, *arguments: Any) -> Any:
    """Python calls JavaScript, which calls Python, at once."""
    return proxy.call(None, *arguments)


@contextlib.contextmanager
def errors_kept() -> Iterator[list[dict[str, Any]]]:
    """What the loop's exception handler gets meanwhile."""
    loop, kept = here(), []
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda loop, context: kept.append(context))
    try:
        yield kept
    finally:
        loop.set_exception_handler(before)


@contextlib.contextmanager
def raises(kind: type[BaseException], words: str = "") -> Iterator[None]:
    """As pytest's, which is not here."""
    try:
        yield
    except kind as error:
        if words in str(error):
            return
        raise
    raise AssertionError(f"no {kind.__name__}")


async def after_javascript() -> None:
    """Wait until what JavaScript had in its queues has run."""
    loop = here()
    done = loop.create_future()
    with proxied(lambda: done.set_result(None)) as proxy:
        js.setTimeout(proxy, 1)
        await done


# -- being installed --------------------------------------------------------------------------


async def test_the_loop_that_runs_is_still_the_same_object() -> None:
    loop = here()
    assert install() is loop
    task = asyncio.current_task()
    waiting = loop.create_future()
    uninstall()
    assert asyncio.get_running_loop() is loop
    assert type(loop) is WebLoop
    assert asyncio.current_task() is task
    loop.call_soon(waiting.set_result, 1)
    assert await waiting == 1  # a future of the one, on the other
    assert install() is loop
    await asyncio.sleep(0)
    assert asyncio.get_event_loop_policy().get_event_loop() is loop


async def test_what_waits_goes_on_when_it_is_uninstalled() -> None:
    loop, order = here(), []
    loop.call_later(0.03, order.append, "later")
    loop.call_later(-1, order.append, "due")
    loop.call_later(math.inf, order.append, "never")
    loop.call_later(0.01, order.append, "cancelled").cancel()
    loop.call_soon(order.append, "second")
    loop.call_soon(order.append, "cancelled").cancel()
    sleeping = asyncio.ensure_future(asyncio.sleep(0.02, "slept"))
    await asyncio.sleep(0)
    loop.call_soon(order.append, "third")
    uninstall()
    assert await sleeping == "slept"
    await asyncio.sleep(0.05)
    assert order == ["second", "due", "third", "later"]
    install()


async def test_it_can_be_installed_and_uninstalled_often() -> None:
    for _ in range(30):
        uninstall()
        await asyncio.sleep(0)
        install()
        await asyncio.sleep(0.001)
    assert here().statistics().timers == 0


# -- order ------------------------------------------------------------------------------------


async def test_random_programs_run_as_on_asyncios_own_loop() -> None:
    loop, steps = here(), 0
    for seed in range(60):
        trace = await programs.plain(seed)
        expected = loop.create_future()
        # From a callback, for there another loop can run.
        loop.call_soon(
            lambda to, of: to.set_result(programs.on_reference(of)), expected, programs.plain(seed)
        )
        assert trace == await expected, f"seed {seed}"
        steps += len(trace)
    assert steps > 3000


async def test_random_programs_run_as_in_native_python() -> None:
    for seed, expected in GIVEN.get("native traces", {}).items():
        assert await programs.portable(int(seed)) == expected, f"seed {seed}"


async def test_random_programs_side_by_side_with_floods_of_messages() -> None:
    """Turns that begin anywhere and end anywhere do not change the order."""
    loop = here()
    alone = [await programs.plain(seed) for seed in range(20)]
    loop._budget_s = 0
    got = 0

    def take(_event: Any) -> None:
        nonlocal got
        got += 1
        channel.port2.postMessage(None)

    channel = js.MessageChannel.new()
    with proxied(lambda event: loop.enter(take, event)) as proxy:
        channel.port1.onmessage = proxy
        channel.port2.postMessage(None)
        for seed, expected in enumerate(alone):
            assert await programs.plain(seed) == expected, f"seed {seed}"
        channel.port1.onmessage = None
        channel.port1.close()
    assert got > 100
    assert loop.statistics().exhausted > 1000


# -- fairness ---------------------------------------------------------------------------------


async def spin() -> None:
    while True:
        await asyncio.sleep(0)


async def test_a_task_that_spins_starves_no_message_and_no_timeout() -> None:
    loop = here()
    turns: dict[str, int] = {}

    def arrived(what: str) -> None:
        turns[what] = loop.statistics().exhausted - began

    channel = js.MessageChannel.new()
    task = asyncio.ensure_future(spin())
    await asyncio.sleep(0)
    with (
        proxied(lambda event: arrived("message")) as on_message,
        proxied(lambda: arrived("timeout")) as on_timeout,
    ):
        channel.port1.onmessage = on_message
        began = loop.statistics().exhausted
        channel.port2.postMessage(None)
        js.setTimeout(on_timeout, 1)
        while len(turns) < 2:
            await asyncio.sleep(0)
            assert loop.statistics().exhausted - began < 100, turns
        channel.port1.close()
    task.cancel()
    # The turn that runs, and in Node or with `run_sync` a few in the way.
    assert turns["message"] <= 3
    assert turns["timeout"] <= 6


async def test_a_flood_of_messages_starves_no_task() -> None:
    loop = here()
    got = 0
    channel = js.MessageChannel.new()

    def take(_event: Any) -> None:
        nonlocal got
        got += 1
        channel.port2.postMessage(None)

    with proxied(take) as proxy:
        channel.port1.onmessage = proxy
        for _ in range(100):
            channel.port2.postMessage(None)
        loop._budget_s = 0
        await after_javascript()  # from here on, each step needs a turn of its own
        for _ in range(20):
            await asyncio.sleep(0)
        timer = asyncio.ensure_future(asyncio.sleep(0.001))
        await timer
        channel.port1.onmessage = None
        channel.port1.close()
    # Node takes 1000 from a port before it looks at another.
    assert 20 <= got <= 40 * 1100
    assert loop.statistics().exhausted >= 20


# -- entries from JavaScript ------------------------------------------------------------------


async def test_an_entry_runs_at_once_what_it_wakes() -> None:
    loop, order = here(), []
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def consume() -> None:
        while True:
            order.append(f"got {await queue.get()}")

    def entry() -> None:
        order.append("in")
        loop.enter(queue.put_nowait, 1)
        order.append("out")
        ended.set()

    ended = asyncio.Event()
    task = asyncio.ensure_future(consume())
    await asyncio.sleep(0)
    with proxied(entry) as proxy:
        js.setTimeout(proxy, 0)
        await ended.wait()
    task.cancel()
    assert order == ["in", "got 1", "out"]


async def test_an_entry_inside_a_task_or_a_callback_only_adds() -> None:
    loop, order = here(), []

    def entry(word: str) -> str:
        order.append(word)
        loop.call_soon(order.append, f"{word} woke")
        return f"{word} returns"

    with proxied(lambda word: loop.enter(entry, word)) as proxy:
        assert through_javascript(proxy, "task") == "task returns"
        assert order == ["task"]
        await asyncio.sleep(0)
        assert order == ["task", "task woke"]
        ran = loop.create_future()

        def callback() -> None:
            order.append(through_javascript(proxy, "callback"))
            loop.call_soon(ran.set_result, None)

        loop.call_soon(callback)
        await ran
    assert order[2:] == ["callback", "callback returns", "callback woke"]


async def test_an_entry_inside_a_task_of_the_stock_loop_only_adds() -> None:
    uninstall()
    order: list[str] = []
    finished = asyncio.Event()

    async def main() -> None:
        loop = install()
        with proxied(lambda: loop.enter(loop.call_soon, order.append, "woke")) as proxy:
            through_javascript(proxy)
            order.append("main")
            await asyncio.sleep(0)
        finished.set()

    task = asyncio.ensure_future(main())
    await finished.wait()
    await task
    assert order == ["main", "woke"]


async def test_the_exception_of_an_entry_reaches_javascript_and_the_loop_goes_on() -> None:
    loop, order = here(), []
    caught = loop.create_future()

    def entry() -> None:
        loop.call_soon(order.append, "woke")
        raise ValueError("broken entry")

    def outside() -> None:
        try:
            through_javascript(entering)
        except ValueError as error:
            order.append("caught")
            caught.set_result(str(error))

    with proxied(lambda: loop.enter(entry)) as entering, proxied(outside) as proxy:
        js.setTimeout(proxy, 0)
        assert "broken entry" in await caught
    assert order == ["woke", "caught"]


# -- timers -----------------------------------------------------------------------------------


async def test_no_sleep_is_too_short() -> None:
    loop = here()
    for delay in (0.0003, 0.001, 0.002, 0.0035, 0.005, 0.011):
        for _ in range(5):
            began = time.monotonic()
            await asyncio.sleep(delay)
            assert time.monotonic() - began >= delay
    began = time.monotonic()
    fired: list[float] = []
    for number in range(40):
        loop.call_later(
            number / 2000, lambda due: fired.append(time.monotonic() - due), began + number / 2000
        )
    await asyncio.sleep(0.03)
    assert len(fired) == 40
    assert min(fired) >= 0


async def test_timers_run_in_the_order_in_which_they_are_due() -> None:
    loop, order = here(), []
    now = loop.time()
    for number in (5, 3, 9, 1, 7, 3, 5):
        loop.call_at(now + number / 500, order.append, number)
    loop.call_at(now - 1, order.append, 0)
    never = loop.call_later(math.inf, order.append, "never")
    later = loop.call_later(2.0**40, order.append, "in 35000 years")
    loop.call_later(0.001, order.append, "cancelled").cancel()
    await asyncio.sleep(0.03)
    assert order == [0, 1, 3, 3, 5, 5, 7, 9]
    assert loop.statistics().timers == 1
    later.cancel()
    assert not never.cancelled()
    assert loop.statistics().timers == 0


async def test_a_timer_goes_off_while_a_task_spins() -> None:
    task = asyncio.ensure_future(spin())
    await asyncio.sleep(0.01)
    task.cancel()


async def test_asyncios_deadlines() -> None:
    async with asyncio.timeout(60):
        await asyncio.sleep(0.001)
    with raises(TimeoutError):
        async with asyncio.timeout(0.005):
            await asyncio.sleep(60)
    with raises(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 0.005)


# -- asyncio ----------------------------------------------------------------------------------


async def test_what_a_callback_raises_is_handled_and_the_rest_runs() -> None:
    loop, order = here(), []
    with errors_kept() as errors:
        handle = loop.call_soon(lambda: 1 / 0)
        loop.call_soon(order.append, "rest")
        await asyncio.sleep(0)
    assert order == ["rest"]
    (context,) = errors
    assert isinstance(context["exception"], ZeroDivisionError)
    assert context["handle"] is handle


async def test_what_would_end_a_process_goes_to_pyodides_handlers() -> None:
    loop, order = here(), []

    def stop(error: BaseException) -> None:
        raise error

    def stop_all() -> None:
        loop.call_soon(stop, SystemExit(3))
        loop.call_soon(stop, KeyboardInterrupt())
        loop.call_soon(order.append, "rest")

    with errors_kept() as errors:
        stop_all()
        await asyncio.sleep(0)
    assert order == ["rest"]
    assert [type(context["exception"]) for context in errors] == [SystemExit, KeyboardInterrupt]
    loop._system_exit_handler = lambda code: order.append(f"exit {code}")
    loop._keyboard_interrupt_handler = lambda: order.append("interrupt")
    try:
        with errors_kept() as errors:
            stop_all()
            await asyncio.sleep(0)
    finally:
        loop._system_exit_handler = loop._keyboard_interrupt_handler = None
    assert order[1:] == ["exit 3", "interrupt", "rest"]
    assert errors == []


async def test_an_error_that_is_looked_at_later_is_not_reported() -> None:
    async def fail() -> None:
        raise ValueError("seen later")

    with errors_kept() as errors:
        task = asyncio.ensure_future(fail())
        await asyncio.sleep(0.001)
        (error,) = await asyncio.gather(task, return_exceptions=True)
        assert str(error) == "seen later"
        del task, error
        gc.collect()
        assert errors == []
        forgotten = asyncio.ensure_future(fail())
        await asyncio.sleep(0)
        del forgotten
        await asyncio.sleep(0)
        gc.collect()
        assert [str(context["exception"]) for context in errors] == ["seen later"]


async def test_every_task_has_its_own_context() -> None:
    colour: contextvars.ContextVar[int] = contextvars.ContextVar("colour", default=0)
    loop, seen = here(), []

    async def paint(value: int) -> int:
        colour.set(value)
        await asyncio.sleep(0.001 * (5 - value))
        loop.call_soon(lambda: seen.append((value, colour.get())))
        return colour.get()

    assert await asyncio.gather(*map(paint, range(5))) == list(range(5))
    own = contextvars.Context()
    own.run(colour.set, 9)

    async def look() -> int:
        return colour.get()

    assert await loop.create_task(look(), context=own) == 9
    assert sorted(seen) == [(value, value) for value in range(5)]
    assert colour.get() == 0


async def test_tasks_groups_and_what_they_wait_for() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(1)
    lock, condition, got = asyncio.Lock(), asyncio.Condition(), []

    async def produce() -> None:
        for number in range(50):
            await queue.put(number)
        async with condition:
            condition.notify_all()

    async def consume() -> None:
        for _ in range(25):
            number = await queue.get()
            async with lock:
                await asyncio.sleep(0)
                got.append(number)

    async def wait() -> None:
        async with condition:
            await condition.wait()
        got.append(-1)

    async with asyncio.TaskGroup() as group:
        group.create_task(wait())
        group.create_task(produce(), name="producer")
        consumers = [group.create_task(consume()) for _ in range(2)]
    assert sorted(got) == list(range(-1, 50))
    assert all(task.done() for task in consumers)
    with raises(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(60))
            group.create_task(broken())


async def broken() -> None:
    raise ValueError("broken")


async def test_cancellation_can_be_refused_and_is_counted() -> None:
    async def stubborn() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.001)
            return f"cancelled {asyncio.current_task().cancelling()}"
        return ""

    task = asyncio.ensure_future(stubborn())
    await asyncio.sleep(0)
    assert task.cancel("reason")
    assert await task == "cancelled 1"


async def test_eager_tasks_and_factories() -> None:
    loop, order = here(), []

    async def work(word: str) -> str:
        order.append(word)
        await asyncio.sleep(0)
        order.append(f"{word} again")
        return word

    lazy = asyncio.create_task(work("lazy"), name="by name")
    eager = asyncio.create_task(work("eager"), eager_start=True)
    assert order == ["eager"]
    assert lazy.get_name() == "by name"
    assert isinstance(eager, PyodideTask)
    assert await asyncio.gather(lazy, eager) == ["lazy", "eager"]
    loop.set_task_factory(asyncio.eager_task_factory)
    try:
        assert loop.get_task_factory() is asyncio.eager_task_factory
        order.clear()
        task = asyncio.create_task(
            work("made"), name="eager by name", context=contextvars.Context()
        )
        assert order == ["made"]
        assert task.get_name() == "eager by name"
        assert await task == "made"
        assert await asyncio.create_task(finished()) == "at once"
    finally:
        loop.set_task_factory(None)


async def finished() -> str:
    return "at once"


async def test_a_generator_that_is_left_alone_is_closed() -> None:
    order: list[str] = []

    async def generate() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            order.append("closed")

    async for _ in generate():
        break
    gc.collect()
    await spinning(10)
    assert order == ["closed"]


async def test_what_is_in_progress() -> None:
    loop = here()
    idle: list[int] = []
    before = loop._in_progress
    tasks = [asyncio.ensure_future(asyncio.sleep(0.001)) for _ in range(3)]
    loop.create_future()
    assert loop._in_progress == before + 3
    loop._no_in_progress_handler = lambda: idle.append(1)
    try:
        await asyncio.gather(*tasks)
        await spinning(10)
        assert loop._in_progress == before
        assert idle == []
        loop._in_progress, rest = 0, loop._in_progress
        task = asyncio.ensure_future(asyncio.sleep(0))
        await task
        await asyncio.sleep(0)
        loop._in_progress += rest
        assert idle == [1]
    finally:
        loop._no_in_progress_handler = None


async def test_nothing_is_left_of_tasks_that_are_cancelled() -> None:
    loop = here()

    def alive() -> int:
        gc.collect()
        kinds = (asyncio.Handle, asyncio.Future)
        return sum(isinstance(thing, kinds) for thing in gc.get_objects())

    last: weakref.ref[Any] | None = None
    before = alive()
    for _ in range(100):
        tasks = [loop.create_task(asyncio.sleep(3600)) for _ in range(1000)]
        await asyncio.sleep(0)
        assert loop.statistics().timers == 1000
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await asyncio.sleep(0)
        last = weakref.ref(tasks[-1])
        del task, tasks
        statistics = loop.statistics()
        assert (statistics.ready, statistics.timers) == (0, 0)
    gc.collect()
    assert last is not None
    assert last() is None
    assert len(loop._timers) <= 128
    assert alive() <= before + 128
    assert len(asyncio.all_tasks()) == 2


# -- Pyodide ----------------------------------------------------------------------------------


async def test_promises_are_awaited_and_coroutines_are_promises() -> None:
    assert await js.Promise.resolve(3) == 3
    with raises(JsException, "refused"):
        await js.Promise.reject(js.Error.new("refused"))

    async def work(value: int) -> int:
        await asyncio.sleep(0.001)
        if value < 0:
            raise ValueError("negative")
        return value + 1

    with proxied(work) as proxy:
        promises = [through_javascript(proxy, value) for value in (1, 2)]
        assert await asyncio.gather(*promises) == [2, 3]
        results = await js.Promise.all(to_js([through_javascript(proxy, 3)]))
        assert list(results) == [4]
        with raises(JsException, "negative"):
            await js.Promise.resolve(through_javascript(proxy, -1))


async def test_code_that_pyodide_evaluates() -> None:
    names: dict[str, Any] = {}
    code = "import asyncio\nx = await asyncio.gather(asyncio.sleep(0.001, 5))\nx"
    assert await eval_code_async(code, names) == [5]


async def test_futures_have_what_pyodides_have() -> None:
    loop = here()
    future = loop.create_future()
    assert isinstance(future, PyodideFuture)
    chained = future.then(lambda value: value + 1).finally_(lambda: None)
    loop.call_soon(future.set_result, 1)
    assert await chained == 2
    task = asyncio.ensure_future(broken())
    assert await task.catch(lambda error: str(error)) == "broken"
    assert await loop.run_in_executor(None, lambda: 7) == 7


async def test_pyfetch() -> None:
    location = getattr(js, "location", None)
    address = location.href if location is not None else "data:text/plain,fetched"
    response = await pyfetch(address)
    assert response.ok
    assert await response.string()


async def test_micropip_installs() -> None:
    try:
        import micropip
    except ModuleNotFoundError:
        return  # whoever runs this has not loaded it
    wheel = Path("/tmp/tiny_package-1.0-py3-none-any.whl")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("tiny_package.py", "ANSWER = 42\n")
        about = "tiny_package-1.0.dist-info"
        archive.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny-package\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    wheel.write_bytes(content.getvalue())
    await micropip.install(f"emfs:{wheel}")
    import tiny_package

    assert tiny_package.ANSWER == 42


async def test_run_sync_suspends_a_callback_and_the_rest_goes_on() -> None:
    loop, order = here(), []
    if not hasattr(js.WebAssembly, "Suspending") or not loop._host.suspendable:
        assert not can_run_sync()
        with raises(RuntimeError, "stack switch"):
            run_sync(loop.create_future())
        return
    await after_javascript()
    assert can_run_sync()
    assert loop.run_until_complete(asyncio.sleep(0.001, 8)) == 8
    events = [asyncio.Event() for _ in range(4)]

    def suspended() -> None:
        order.append("in")
        run_sync(events[0].wait())
        order.append("out")

    async def tick() -> None:
        for number in range(3):
            await asyncio.sleep(0.002)
            order.append(number)
        events[0].set()

    ticking = asyncio.ensure_future(tick())
    loop.call_soon(suspended)
    await ticking
    await after_javascript()
    assert order == ["in", 0, 1, 2, "out"]
    order.clear()
    events[0].clear()

    async def nested(number: int) -> int:
        run_sync(events[number].wait())
        order.append(number)
        run_sync(spinning(100))
        if number:
            events[number - 1].set()
        return number

    all_nested = asyncio.gather(*map(nested, range(4)))
    await asyncio.sleep(0.001)
    assert order == []
    events[3].set()
    assert await all_nested == [0, 1, 2, 3]
    assert order == [3, 2, 1, 0]
    assert asyncio.get_running_loop() is loop
    await after_javascript()
    assert loop.statistics().ready == 0


async def spinning(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


# -- figures ----------------------------------------------------------------------------------


async def test_statistics() -> None:
    loop = here()
    await after_javascript()
    before = loop.statistics()
    assert before.timers == 0
    for _ in range(10):
        await asyncio.sleep(0)
    timer = loop.call_later(60, list)
    handle = loop.call_soon(list)
    after = loop.statistics()
    assert after.batches == before.batches + 10
    assert after.callbacks == before.callbacks + 10
    assert (after.timers, after.ready) == (1, 1)
    timer.cancel()
    handle.cancel()

    def busy() -> None:
        until = time.monotonic() + 0.02
        while time.monotonic() < until:
            pass

    loop.call_soon(busy)
    loop.call_soon(list)
    await asyncio.sleep(0)
    assert loop.statistics().exhausted == after.exhausted + 1
    assert loop.statistics().longest_batch_us >= 20_000
