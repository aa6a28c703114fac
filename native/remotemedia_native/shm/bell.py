"""Bells: how one process wakes another that waits in `select`, `poll` or an event loop."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

_EVENTFD = hasattr(os, "eventfd")
# An eventfd wants eight bytes, a number in the order of the machine; a pipe takes any.
_ONE = (1).to_bytes(8, sys.byteorder)
_MOST = 8 if _EVENTFD else 1 << 16  # bytes: all that a pipe holds, so that one read empties it


class Bell:
    """Wakes one process: that which watches `fileno`.

    Rings add up: however often it rang, one `clear` silences it. On Linux it is an eventfd, which
    costs one descriptor; elsewhere a pipe. Its descriptors can be inherited, or sent over a socket,
    by processes that ring it; they rebuild it with `from_fds`.

    Close it when nobody in this process rings it any more: its descriptor may soon be another's.

    Examples
    --------
    ::

        bell = Bell()
        loop.add_reader(bell.fileno(), on_ring)   # on_ring: bell.clear(), then take all there is
        ...
        Bell.from_fds(received).ring()            # in another process
    """

    __slots__ = ("_fd", "_fds", "_ring_fd")

    def __init__(self) -> None:
        if _EVENTFD:
            self._own((os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC),))
            return
        self._own(os.pipe())
        for fd in self._fds:
            os.set_blocking(fd, False)

    @classmethod
    def from_fds(cls, fds: Sequence[int]) -> Bell:
        """Rebuild one from its descriptors, which it owns from now on."""
        bell = cls.__new__(cls)
        bell._own(tuple(fds))
        return bell

    @property
    def fds(self) -> tuple[int, ...]:
        """Descriptors to hand to another process: one on Linux, two elsewhere; none once closed."""
        return self._fds

    def fileno(self) -> int:
        """The descriptor that is readable while the bell has rung; -1 once closed."""
        return self._fd

    # `suppress` would cost as much as the system call.

    def ring(self) -> None:
        """Wake the other side. From any thread; never waits, never raises: also if it is gone."""
        try:  # noqa: SIM105
            os.write(self._ring_fd, _ONE)
        except OSError:  # it rings already, nobody is there, or it is closed
            pass

    def clear(self) -> None:
        """Silence it. Do so before looking for what it rang for, or a ring may be missed."""
        try:  # noqa: SIM105
            os.read(self._fd, _MOST)
        except OSError:  # it has not rung, or is closed
            pass

    def close(self) -> None:
        """Let go of the descriptors."""
        fds = self._fds
        self._own(())
        for fd in fds:
            os.close(fd)

    def _own(self, fds: tuple[int, ...]) -> None:
        self._fds = fds
        self._fd, self._ring_fd = (fds[0], fds[-1]) if fds else (-1, -1)
