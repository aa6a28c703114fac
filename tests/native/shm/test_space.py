"""A host with hardly any memory to share: an error that says so, never SIGBUS."""

from __future__ import annotations

import subprocess
import sys

import pytest

MOUNTED = "mount -t tmpfs -o size=4m tmpfs /dev/shm && exec "


def in_small_memory(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python where /dev/shm is of 4 MiB."""
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", MOUNTED + '"$@"', "sh", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module", autouse=True)
def _may_mount():
    if sys.platform != "linux":
        pytest.skip("mounts of one's own are of Linux")
    tried = subprocess.run(
        ["unshare", "-m", "sh", "-c", MOUNTED + "true"], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"mounting is not allowed here: {tried.stderr.strip()}")


START = """
import os
import numpy as np
from remotemedia_native.shm import kinds
from remotemedia_native.shm.base import TopicSpec
from remotemedia_native.shm.errors import SharedMemoryFullError
kind = kinds.find({kind!r})
def spec(**fields):
    return TopicSpec({kind!r}, f"rmsmall{{os.getpid()}}", **fields)
"""


def check(kind: str, code: str) -> None:
    done = in_small_memory(START.format(kind=kind) + code)
    assert done.returncode == 0, (done.returncode, done.stderr)
    assert done.stdout == "done\n"


def test_a_message_for_which_there_is_no_room(kind):
    check(
        kind,
        """
of = spec(messages=4, borrowed=2)
topic, writer, reader = kind.make(of), kind.open_writer(of), kind.open_reader(of, 0, print)
before = os.listdir("/dev/shm")
for size in (8 << 20, 8 << 20, 5 << 20):
    try:
        writer.loan(size)
    except SharedMemoryFullError as error:
        assert error.wanted >= size, error
        assert 0 < error.free < 4 << 20, error
        assert "--shm-size" in str(error) and "smaller max_size" in str(error)
        assert error.to_dict()["code"] == "shared_memory_full"
    else:
        raise AssertionError(size)
assert sorted(os.listdir("/dev/shm")) == sorted(before)
for number in range(40):
    writer.loan(3000)[:] = number
    assert writer.commit() == number
    message = reader.take()
    assert (message.view == number).all()
    del message
for end in (writer, reader, topic):
    end.close()
assert os.listdir("/dev/shm") == []
print("done")
""",
    )


def test_a_topic_for_which_there_is_no_room(kind):
    check(
        kind,
        """
fd = os.open("/dev/shm/other", os.O_CREAT | os.O_RDWR)
os.posix_fallocate(fd, 0, 4 << 20)
try:
    kind.make(spec())
except SharedMemoryFullError as error:
    assert error.free == 0
else:
    raise AssertionError
assert os.listdir("/dev/shm") == ["other"]
print("done")
""",
    )


def test_the_ring_goes_on_with_what_there_is():
    """Fewer messages under way, copies instead of loans, but none is lost and nothing stands."""
    check(
        "ring",
        """
of = spec(messages=64, borrowed=32)
topic, writer, reader = kind.make(of), kind.open_writer(of), kind.open_reader(of, 0, lambda: None)
held, sent = [], 0
for value in range(50):
    while (loan := writer.loan(900_000)) is not None:  # until memory is full, and no SIGBUS
        loan[:] = sent
        assert writer.commit() == sent
        sent += 1
    assert writer.statistics().refused
    message = reader.take()
    assert (message.view == message.number % 256).all()
    held.append(message)
assert sent >= 50
statistics = reader.statistics()
assert statistics.borrowed in (1, 2), statistics
assert statistics.copied == 50 - statistics.borrowed
print("done")
""",
    )


@pytest.mark.parametrize("kind", ["iceoryx2"], indirect=True)
def test_iceoryx2_says_so_before_memory_is_full(kind):
    check(
        kind,
        """
of = spec(messages=64, borrowed=32)
topic, writer, reader = kind.make(of), kind.open_writer(of), kind.open_reader(of, 0, lambda: None)
try:
    for number in range(20):
        writer.loan(900_000)[:] = number
        writer.commit()
except SharedMemoryFullError:
    assert number >= 1
else:
    raise AssertionError
message = reader.take()
assert (message.view == 0).all()
print("done")
""",
    )
