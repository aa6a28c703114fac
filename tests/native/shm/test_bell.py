"""Bells: what rings, what silences, and what another process makes of the descriptors."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import subprocess
import sys
import threading

import pytest

from remotemedia_native.shm import bell as module
from remotemedia_native.shm.bell import Bell


@pytest.fixture(params=["eventfd", "pipe"])
def bell(request, monkeypatch):
    if request.param == "pipe":
        monkeypatch.setattr(module, "_EVENTFD", False)
        monkeypatch.setattr(module, "_MOST", 1 << 16)
    bell = Bell()
    yield bell
    bell.close()


def rang(bell):
    return bool(select.select([bell], [], [], 0)[0])


def test_rings_add_up(bell):
    assert not rang(bell)
    bell.clear()
    for _ in range(3):
        bell.ring()
        assert rang(bell)
    bell.clear()
    assert not rang(bell)
    bell.ring()
    assert rang(bell)


def test_it_never_waits_however_often_it_rings(bell):
    for _ in range(70_000):  # more than a pipe holds
        bell.ring()
    assert rang(bell)
    bell.clear()
    assert not rang(bell)


def test_a_counter_that_is_full_rings_still():
    bell = Bell()
    os.eventfd_write(bell.fileno(), 2**64 - 2)
    bell.ring()
    assert rang(bell)
    bell.clear()
    assert not rang(bell)
    bell.close()


def test_nobody_is_there(bell):
    bell.close()
    bell.ring()
    bell.clear()
    bell.close()
    assert bell.fileno() == -1
    assert bell.fds == ()


def test_the_other_end_is_gone():
    bell = Bell()
    end, other = socket.socketpair()
    other.close()
    broken = Bell.from_fds([end.fileno()])
    broken.ring()
    bell.close()
    end.close()


def test_it_wakes_a_loop(bell):
    async def main():
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()

        def on_ring():
            bell.clear()
            woken.set()

        loop.add_reader(bell.fileno(), on_ring)
        thread = threading.Thread(target=bell.ring)
        thread.start()
        await woken.wait()
        thread.join()
        loop.remove_reader(bell.fileno())

    asyncio.run(main())
    assert not rang(bell)


def test_another_process_inherits_it(bell):
    code = (
        "import sys; from remotemedia_native.shm.bell import Bell; "
        "Bell.from_fds(list(map(int, sys.argv[1:]))).ring()"
    )
    subprocess.run([sys.executable, "-c", code, *map(str, bell.fds)], pass_fds=bell.fds, check=True)
    assert rang(bell)


def test_its_descriptors_cross_a_socket(bell):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        socket.send_fds(ours, [b"."], bell.fds)
        _, fds, _, _ = socket.recv_fds(theirs, 1, 4)
        other = Bell.from_fds(fds)
        other.ring()
        assert rang(bell)
        other.close()
        bell.clear()
        assert not rang(bell)
