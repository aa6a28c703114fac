"""Messages and file descriptors between two ends."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import socket
import struct

import pytest

from remotemedia_native.process.control import Control, pair
from remotemedia_native.process.errors import ControlFullError, ControlMessageTooLargeError


class Ends:
    """Two ends; what each gets is kept."""

    def __init__(self, **limits: int) -> None:
        near, far = pair()
        self.near, self.far = Control(near, **limits), Control(far, **limits)
        self.got: list[bytes] = []
        self.fds: list[list[int]] = []
        self.closed: list[str] = []
        self.far.on_message = self.take
        self.far.on_closed = self.closed.append

    def take(self, message: bytes, fds: list[int]) -> None:
        self.got.append(message)
        self.fds.append(fds)

    async def wait(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.got) < count:
                await asyncio.sleep(0.001)

    async def wait_closed(self) -> None:
        async with asyncio.timeout(20):
            while not self.closed:
                await asyncio.sleep(0.001)

    def close(self) -> None:
        self.near.close()
        self.far.close()


async def test_messages_come_whole_and_in_order() -> None:
    ends = Ends()
    random.seed(4)
    sizes = [
        0,
        1,
        65_535,
        65_536,
        65_537,
        3_000_000,
        2,
        250_000,
        *random.choices(range(9000), k=99),
    ]
    sent = [random.randbytes(size) for size in sizes]
    for message in sent:
        assert ends.near.send(message)
    assert ends.near.waiting > 0  # no socket takes so much at once
    await ends.wait(len(sent))
    assert ends.got == sent
    assert ends.near.waiting == 0
    ends.close()


async def test_both_directions_at_once() -> None:
    ends = Ends()
    back: list[bytes] = []
    ends.near.on_message = lambda message, _: back.append(message)
    big = bytes(4_000_000)
    ends.near.send(big)
    ends.far.send(big)
    await ends.wait(1)
    async with asyncio.timeout(20):
        while not back:
            await asyncio.sleep(0.001)
    assert back == ends.got == [big]
    ends.close()


async def test_poll_reads_without_the_loop() -> None:
    ends = Ends()
    ends.near.send(b"one")
    ends.near.send(b"two")
    ends.far.poll()
    assert ends.got == [b"one", b"two"]
    ends.close()


async def test_poll_within_a_message_keeps_the_order() -> None:
    ends = Ends()
    order: list[bytes] = []

    def take(message: bytes, fds: list[int]) -> None:
        order.append(message)
        if message == b"0":
            ends.near.send(b"3")
            ends.far.poll()

    ends.far.on_message = take
    for number in range(3):
        ends.near.send(b"%d" % number)
    ends.far.poll()
    assert order == [b"0", b"1", b"2", b"3"]
    ends.close()


async def test_nothing_is_read_while_nobody_listens() -> None:
    ends = Ends()
    first: list[bytes] = []

    def once(message: bytes, fds: list[int]) -> None:
        first.append(message)
        ends.far.on_message = None

    ends.far.on_message = once
    for message in (b"a", b"b", b"c"):
        ends.near.send(message)
    await asyncio.sleep(0.01)
    assert first == [b"a"]
    ends.far.on_message = ends.take
    await ends.wait(2)
    assert ends.got == [b"b", b"c"]
    ends.close()


async def test_a_callback_that_fails_loses_no_other_message() -> None:
    ends = Ends()
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: failures.append(context["exception"])
    )

    def take(message: bytes, fds: list[int]) -> None:
        if message == b"bad":
            raise ValueError("no")
        ends.take(message, fds)

    ends.far.on_message = take
    for message in (b"a", b"bad", b"c"):
        ends.near.send(message)
    await ends.wait(2)
    assert ends.got == [b"a", b"c"]
    assert [str(failure) for failure in failures] == ["no"]
    ends.close()


async def test_file_descriptors_come_with_their_message() -> None:
    ends = Ends()
    pipes = [os.pipe() for _ in range(3)]
    ends.near.send(b"plain")
    ends.near.send(b"two", [pipes[0][1], pipes[1][1]])
    ends.near.send(bytes(2_000_000))  # from here on it waits
    ends.near.send(b"one", [pipes[2][1]])
    for _, write in pipes:
        os.close(write)
    await ends.wait(4)
    assert [len(fds) for fds in ends.fds] == [0, 2, 0, 1]
    for number, fd in enumerate(fd for fds in ends.fds for fd in fds):
        assert not os.get_inheritable(fd)
        os.write(fd, b"%d" % number)
        os.close(fd)
        assert os.read(pipes[number][0], 10) == b"%d" % number
        assert os.read(pipes[number][0], 10) == b""  # no copy is open any more
        os.close(pipes[number][0])
    ends.close()


async def test_file_descriptors_that_nobody_took_are_closed() -> None:
    gc.collect()
    ends = Ends()
    before = len(os.listdir("/proc/self/fd"))
    read, write = os.pipe()
    ends.near._connection.sendmsg(
        [struct.pack("<IB", 10, 1) + b"half"],
        [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", write))],
    )
    ends.far.poll()
    os.close(write)
    ends.close()
    assert os.read(read, 1) == b""
    os.close(read)
    assert len(os.listdir("/proc/self/fd")) == before - 2


async def test_last_words_come_before_the_end() -> None:
    ends = Ends()
    ends.far.send(b"never read")  # makes the kernel report a reset instead of an end
    ends.near.send(b"last words")
    ends.near.close()
    assert not ends.far.send(b"too late")
    await ends.wait_closed()
    assert ends.got == [b"last words"]
    assert len(ends.closed) == 1
    assert ends.far.closed
    assert not ends.far.send(b"x")


async def test_who_closes_is_not_told() -> None:
    ends = Ends()
    ends.far.close()
    ends.far.close()
    ends.near.on_message = lambda message, fds: None
    told: list[str] = []
    ends.near.on_closed = told.append
    async with asyncio.timeout(20):
        while not told:
            await asyncio.sleep(0.001)
    assert told == [""]
    assert ends.closed == []
    assert not ends.near.send(b"x")


async def test_limits_are_named() -> None:
    ends = Ends(max_message=1000, max_waiting=3_000_000)
    with pytest.raises(ControlMessageTooLargeError, match=r"1,001 bytes .* limit of 1,000"):
        ends.near.send(bytes(1001))
    with pytest.raises(ControlMessageTooLargeError, match="254 file descriptors"):
        ends.near.send(b"", [0] * 254)
    with pytest.raises(ControlFullError, match="limit of 3,000,000"):
        for _ in range(10_000):
            ends.near.send(bytes(1000))
    waits = ends.near.waiting
    assert 2_998_000 <= waits <= 3_010_000
    ends.close()


async def test_a_larger_message_than_agreed_closes() -> None:
    near, far = pair()
    end = Control(far, max_message=10)
    closed: list[str] = []
    end.on_message = lambda message, fds: None
    end.on_closed = closed.append
    near.sendall(struct.pack("<IB", 11, 0))
    end.poll()
    assert closed == ["it sent 11 bytes at once; the limit is 10"]
    assert near.recv(1) == b""
    near.close()
