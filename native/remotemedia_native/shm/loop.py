"""Waiting for bells in asyncio, on any loop, and on one that is quicker at it."""

from __future__ import annotations

import asyncio
import math
import select
import selectors
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from remotemedia_native.shm.bell import Bell

Answer = Callable[[], None]
_QUICK = hasattr(select, "epoll")  # elsewhere bells are readers as any other


def add_bell(loop: asyncio.AbstractEventLoop, bell: Bell, answer: Answer) -> None:
    """Have a loop call `answer` each time that a bell has rung, which is silent again by then.

    The call must not wait. What it raises goes to the exception handler of the loop.
    """
    if _QUICK and isinstance(loop, BellLoop):
        loop.add_bell(bell, answer)
        return

    def rang() -> None:
        bell.clear()
        answer()

    loop.add_reader(bell.fileno(), rang)


def remove_bell(loop: asyncio.AbstractEventLoop, bell: Bell) -> None:
    """Leave a bell alone; before it is closed."""
    if _QUICK and isinstance(loop, BellLoop):
        loop.remove_bell(bell)
    else:
        loop.remove_reader(bell.fileno())


if _QUICK:

    class _Selector(selectors.EpollSelector):
        """asyncio's selector on Linux, which answers bells itself.

        What a loop does between two waits costs as much as waking up: about 3 µs each time. So it
        waits on, as long as the answers leave it nothing to do.
        """

        _selector: select.epoll
        _fd_to_key: dict[int, selectors.SelectorKey]

        def __init__(self) -> None:
            super().__init__()
            self.loop: BellLoop | None = None
            self.bells: dict[int, tuple[Answer, Answer]] = {}  # what clears it, what answers it

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            if not self.bells or self.loop is None:
                return super().select(timeout)
            if timeout is None:
                timeout = -1
            elif timeout > 0:
                timeout = math.ceil(timeout * 1e3) * 1e-3  # as the base class does: never early
            else:
                timeout = 0
            poll, bells, keys, loop = self._selector.poll, self.bells, self._fd_to_key, self.loop
            ready: list[tuple[selectors.SelectorKey, int]] = []
            wakes_at = monotonic() + timeout if timeout > 0 else math.inf
            while True:
                happened = poll(timeout, len(bells) + len(keys))
                for fd, event in happened:
                    if fd in bells:
                        clear, answer = bells[fd]
                        clear()
                        try:
                            answer()
                        except (SystemExit, KeyboardInterrupt):
                            raise
                        except BaseException as error:
                            loop.tell(answer, error)
                        continue
                    events = selectors.EVENT_WRITE if event & ~select.EPOLLIN else 0
                    if event & ~select.EPOLLOUT:
                        events |= selectors.EVENT_READ
                    key = keys.get(fd)
                    if key is not None and events & key.events:
                        ready.append((key, events & key.events))
                # There is no public way to ask whether anything is due. All versions to 3.14 have
                # these; one that had not would go round once per ring, as any loop does.
                try:
                    if ready or timeout == 0 or not happened or loop._ready or loop._stopping:
                        return ready
                    timers = loop._scheduled
                    if timers and timers[0].when() < wakes_at:  # the answer has set one
                        return ready
                except AttributeError:
                    return ready
                if timeout > 0:
                    timeout = wakes_at - monotonic()
                    if timeout <= 0:
                        return ready

    class BellLoop(asyncio.SelectorEventLoop):
        """asyncio's loop, which answers bells from where it waits: for processes of our own."""

        if TYPE_CHECKING:
            _ready: object
            _scheduled: list[asyncio.TimerHandle]
            _stopping: bool

        def __init__(self) -> None:
            self._bells = _Selector()
            super().__init__(self._bells)
            self._bells.loop = self

        def add_bell(self, bell: Bell, answer: Answer) -> None:
            """See the function of that name."""
            fd = bell.fileno()
            if fd not in self._bells.bells:
                self._bells._selector.register(fd, select.EPOLLIN)
            self._bells.bells[fd] = bell.clear, answer

        def remove_bell(self, bell: Bell) -> None:
            """See the function of that name."""
            fd = bell.fileno()
            if self._bells.bells.pop(fd, None) is not None:
                self._bells._selector.unregister(fd)

        def tell(self, answer: Answer, error: BaseException) -> None:
            """An answer failed: as for any callback."""
            self.call_exception_handler(
                {"message": f"Exception in answer to a bell: {answer!r}", "exception": error}
            )

        def close(self) -> None:
            """Close the loop; bells stay what they are."""
            self._bells.bells.clear()
            super().close()

else:
    BellLoop = asyncio.SelectorEventLoop  # type: ignore[misc, assignment]
