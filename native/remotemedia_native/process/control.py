"""The control socket: messages and file descriptors between a process and its child.

For what is said now and then: start, interrupt, finish, figures. Media go through shared memory.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence

from remotemedia_native.process.errors import ControlFullError, ControlMessageTooLargeError

MAX_MESSAGE = 64 * 2**20  # bytes
MAX_WAITING = 256 * 2**20  # bytes
MAX_FDS = 253  # per message: SCM_MAX_FD of Linux

HEAD = struct.Struct("<IB")  # size of the message in bytes, number of its file descriptors
_CHUNK = 65_536  # bytes that are read at a time
_JOINED = 65_536  # up to here a copy is cheaper than a second buffer
_TURN = 64  # chunks, after which the loop has its turn
_ANCILLARY = socket.CMSG_SPACE(MAX_FDS * 4)
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)

OnMessage = Callable[[bytes, list[int]], None]
OnClosed = Callable[[str], None]


class Control:
    """One end of a pair of stream sockets, on the loop that is running; both ends are alike.

    Only that loop's thread may use it. Messages come whole, once, and in their order, and what the
    other end said before it died comes before `on_closed`.

    Parameters
    ----------
    connection : socket
        A connected AF_UNIX stream socket; it belongs to this object from now on.
    max_message : int
        Largest message, bytes; the same at both ends.
    max_waiting : int
        Bytes that may wait here for the other end to read.

    Attributes
    ----------
    on_closed : callable or None
        Told once that the other end is gone: empty if it was closed, else why. Not after `close`.
    """

    def __init__(
        self,
        connection: socket.socket,
        *,
        max_message: int = MAX_MESSAGE,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        connection.setblocking(False)
        self.max_message = max_message
        self.max_waiting = max_waiting
        self.on_closed: OnClosed | None = None
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._on_message: OnMessage | None = None
        self._read_on: asyncio.Handle | None = None
        self._buffer: bytes | bytearray = b""
        self._start = 0  # of what was not handed over, in the buffer
        self._fds: deque[int] = deque()  # whose messages are not complete yet
        self._queue: deque[tuple[memoryview, list[int]]] = deque()
        self._waiting = 0
        self._deaf = False  # the other end takes nothing any more
        self._closed = False

    @property
    def on_message(self) -> OnMessage | None:
        """Called with each message and its file descriptors, which are then the callee's to close.

        While it is None nothing is read.
        """
        return self._on_message

    @on_message.setter
    def on_message(self, callback: OnMessage | None) -> None:
        if self._closed:
            return
        if callback is None:
            self._loop.remove_reader(self._connection)
        elif self._on_message is None:
            self._loop.add_reader(self._connection, self._readable)
            if self._buffer:
                self._dispatch_soon()
        self._on_message = callback

    @property
    def closed(self) -> bool:
        """Whether this end is closed, by its owner or because the other one is gone."""
        return self._closed

    @property
    def waiting(self) -> int:
        """Bytes that wait for the other end to read."""
        return self._waiting

    def fileno(self) -> int:
        """The file descriptor of the socket; -1 once it is closed."""
        return self._connection.fileno()

    def send(self, message: bytes, fds: Sequence[int] = ()) -> bool:
        """Send a message; never waits.

        Parameters
        ----------
        message : bytes
            What to say.
        fds : sequence of int
            File descriptors that the other process gets copies of; yours stay yours.

        Returns
        -------
        bool
            False if the other end is gone: `on_closed` tells, or has told.

        Raises
        ------
        ControlMessageTooLargeError
            It is larger than `max_message`.
        ControlFullError
            The other end does not read, and `max_waiting` bytes wait.
        """
        size = len(message)
        if size > self.max_message:
            raise ControlMessageTooLargeError(
                f"a control message of {size:,} bytes is over the limit of {self.max_message:,}: "
                "raise max_message_mb of the node's process, or put large data in a file"
            )
        if self._closed or self._deaf:
            return False
        if self._queue or fds or size > _JOINED:
            return self._send_parts(message, fds)
        data = HEAD.pack(size, 0) + message
        try:
            sent = self._connection.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._deaf = True  # there may be last words to read: the reader finds the end
            return False
        if sent < len(data):
            self._wait([memoryview(data)[sent:]], ())
        return True

    def _send_parts(self, message: bytes, fds: Sequence[int]) -> bool:
        if len(fds) > MAX_FDS:
            raise ControlMessageTooLargeError(
                f"{len(fds)} file descriptors in one control message: at most {MAX_FDS}"
            )
        if self._waiting + len(message) > self.max_waiting:
            raise ControlFullError(
                f"{self._waiting:,} bytes of control messages wait for the other process, which "
                f"does not read them; {len(message):,} more are over the limit of "
                f"{self.max_waiting:,}"
            )
        parts = [memoryview(HEAD.pack(len(message), len(fds))), memoryview(message)]
        if not self._queue:
            try:
                sent = self._connection.sendmsg(parts, _rights(fds))
            except BlockingIOError:
                sent = 0
            except OSError:
                self._deaf = True
                return False
            if sent:
                fds = ()
            for index, part in enumerate(parts):
                cut = min(sent, len(part))
                parts[index], sent = part[cut:], sent - cut
        self._wait([part for part in parts if part], fds)
        return True

    def _wait(self, parts: Sequence[memoryview], fds: Sequence[int]) -> None:
        """Let the loop send the rest; the file descriptors go with the first part."""
        for part in parts:
            if not self._queue:
                self._loop.add_writer(self._connection, self._writable)
            # The caller may close its own before they are sent.
            self._queue.append((part, [os.dup(fd) for fd in fds]))
            self._waiting += len(part)
            fds = ()

    def _writable(self) -> None:
        while self._queue:
            part, fds = self._queue[0]
            try:
                sent = self._connection.sendmsg([part], _rights(fds))
            except BlockingIOError:
                return
            except OSError:
                self._deaf = True
                self._drop_queue()
                return
            for fd in fds:
                os.close(fd)
            self._waiting -= sent
            if sent < len(part):
                self._queue[0] = part[sent:], []
                return
            self._queue.popleft()
        self._loop.remove_writer(self._connection)

    def poll(self) -> None:
        """Read and hand over all that is there now, without waiting for the loop's turn."""
        while self._on_message is not None and self._read():
            pass

    def _readable(self) -> None:
        for _ in range(_TURN):
            if not self._read() or len(self._buffer) - self._start < _CHUNK:
                return

    def _read(self) -> bool:
        """Read once and hand over what is complete; False if nothing was there."""
        if self._closed:
            return False
        try:
            data, ancillary, _, _ = self._connection.recvmsg(_CHUNK, _ANCILLARY, _CLOSE_ON_EXEC)
        except BlockingIOError:
            return False
        except OSError as error:
            self._lost(error.strerror or str(error))
            return False
        for _, _, rights in ancillary:
            self._receive(array.array("i", rights[: len(rights) // 4 * 4]))
        if not data:
            self._lost("")
            return False
        if self._start == len(self._buffer):
            self._buffer = data
        else:
            if isinstance(self._buffer, bytes):
                self._buffer = bytearray(self._buffer)
            del self._buffer[: self._start]
            self._buffer += data
        self._start = 0
        self._dispatch()
        return True

    def _receive(self, fds: array.array[int]) -> None:
        if not _CLOSE_ON_EXEC:
            for fd in fds:
                os.set_inheritable(fd, False)
        self._fds.extend(fds)

    def _dispatch(self) -> None:
        # A callee may poll, take another callback or close: all state is read anew each time.
        while (on_message := self._on_message) is not None:
            buffer, start = self._buffer, self._start + HEAD.size
            if len(buffer) < start:
                break
            size, count = HEAD.unpack_from(buffer, self._start)
            if size > self.max_message:
                self._lost(f"it sent {size:,} bytes at once; the limit is {self.max_message:,}")
                break
            end = start + size
            if len(buffer) < end:
                break
            if len(self._fds) < count:  # the kernel could not make them here
                self._lost("its file descriptors did not arrive: too many open files (ulimit -n)")
                break
            self._start = end
            fds = [self._fds.popleft() for _ in range(count)] if count else []
            try:
                on_message(bytes(buffer[start:end]), fds)
            except BaseException:
                self._dispatch_soon()
                raise

    def _dispatch_soon(self) -> None:
        if self._read_on is None:
            self._read_on = self._loop.call_soon(self._dispatch_now)

    def _dispatch_now(self) -> None:
        self._read_on = None
        self._dispatch()

    def _lost(self, reason: str) -> None:
        on_closed = self.on_closed
        self.close()
        if on_closed is not None:
            on_closed(reason)

    def close(self) -> None:
        """Close this end, once or more often; what waits is dropped, what was sent arrives."""
        if self._closed:
            return
        self._closed = True
        self._on_message = self.on_closed = None  # callbacks often hold what holds this
        self._loop.remove_reader(self._connection)
        self._drop_queue()
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()
        self._buffer, self._start = b"", 0
        with contextlib.suppress(OSError):
            # Copies of the socket in other processes, or in a thread that polls it, hold it open.
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _drop_queue(self) -> None:
        self._loop.remove_writer(self._connection)
        for _, fds in self._queue:
            for fd in fds:
                os.close(fd)
        self._queue.clear()
        self._waiting = 0


def pair() -> tuple[socket.socket, socket.socket]:
    """Two sockets for two `Control`."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)


def _rights(fds: Sequence[int]) -> list[tuple[int, int, array.array[int]]]:
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
