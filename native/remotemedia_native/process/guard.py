"""A child that ends when its parent does, whatever ends the parent and whatever the child does.

Linux: the kernel kills it (`PR_SET_PDEATHSIG`). macOS: a thread waits for the parent's end with
kqueue. Windows: a thread waits for the parent's handle. The latter two are written by the book and
have not been run. Everywhere but on Windows a thread watches the control socket, too: a parent that
replaced its program, or gave the child up, is not dead but closes it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time

GRACE_S = 5.0
"""Time in which a child has to end by itself once its living parent has closed the socket."""

_PR_SET_PDEATHSIG = 1
_STEP_S = 0.02


def die_with(parent: int, fd: int) -> None:
    """Tie this process to its parent.

    On Linux the parent is the *thread* that started this process: see `launch`.

    Parameters
    ----------
    parent : int
        Its process id, from itself: by now it may be gone.
    fd : int
        A socket whose other end only the parent has.
    """
    if sys.platform == "linux":
        import ctypes

        # Where it is forbidden, the thread below is what is left.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    elif sys.platform == "darwin":
        _in_thread(_wait_for_exit, parent)
    elif sys.platform == "win32":
        _in_thread(_wait_for_handle, parent)
        return
    if os.getppid() != parent:  # it died before it was watched
        os._exit(1)
    _in_thread(_wait_for_hang_up, parent, fd)


def _in_thread(wait: object, *arguments: int) -> None:
    threading.Thread(target=wait, args=arguments, name="guard", daemon=True).start()  # type: ignore[arg-type]


def _wait_for_hang_up(parent: int, fd: int) -> None:
    import select

    poll = select.poll()
    poll.register(fd, 0)  # hang-ups are reported unasked, and nothing else
    poll.poll()
    until = time.monotonic() + GRACE_S
    while os.getppid() == parent and time.monotonic() < until:
        time.sleep(_STEP_S)
    os.kill(os.getpid(), signal.SIGKILL)


if sys.platform == "darwin":
    import select

    def _wait_for_exit(parent: int) -> None:
        event = select.kevent(
            parent,
            filter=select.KQ_FILTER_PROC,
            flags=select.KQ_EV_ADD | select.KQ_EV_ONESHOT,
            fflags=select.KQ_NOTE_EXIT,
        )
        with contextlib.suppress(ProcessLookupError):
            select.kqueue().control([event], 1)
        os.kill(os.getpid(), signal.SIGKILL)


if sys.platform == "win32":
    import ctypes

    _SYNCHRONIZE = 0x0010_0000
    _INFINITE = 0xFFFF_FFFF

    def _wait_for_handle(parent: int) -> None:
        handle = ctypes.windll.kernel32.OpenProcess(_SYNCHRONIZE, False, parent)
        if handle:  # else it is gone
            ctypes.windll.kernel32.WaitForSingleObject(handle, _INFINITE)
        os._exit(1)
