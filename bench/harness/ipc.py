"""Two ends of a way between processes, for bench/ipc.py: raw iceoryx2, and our topics.

All write the same samples into shared memory with numpy, and read one on the other side. As a
script, this is the process at the other end: it answers every message, or every so many.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol, Self

import iceoryx2 as iox
import msgspec
import numpy as np

from remotemedia.data import Audio, Packet
from remotemedia_native.process import envelope
from remotemedia_native.shm import kinds
from remotemedia_native.shm.base import Topic, TopicSpec
from remotemedia_native.shm.bell import Bell
from remotemedia_native.shm.loop import BellLoop, add_bell, remove_bell

MESSAGES, BORROWED = 16, 4
PR_SET_PDEATHSIG = 1
RATE = 48_000
PLACES = [("n", "out")]


class Way(msgspec.Struct, frozen=True):
    """How two processes talk.

    Attributes
    ----------
    means : str
        ``raw``: iceoryx2 alone; ``topic``: `specs` there and back.
    size : int
        Of a message, bytes.
    loop : str
        Where both wait: in asyncio's loop (``asyncio``), in ours (``bells``), or in one call,
        `timed_wait` or `poll` (empty).
    packets : bool
        Whether they send packets in envelopes, as sessions do, else bare samples.
    answers_each : int
        The other end answers every so many messages.
    name : str
        On this host.
    root : str
        Folder for files.
    specs : tuple of TopicSpec
        There and back.
    bells : tuple of int
        Descriptors of the bell of the first end, then of the other.
    """

    means: str
    size: int
    loop: str
    packets: bool
    answers_each: int
    name: str
    root: str
    specs: tuple[TopicSpec, ...] = ()
    bells: tuple[int, ...] = ()


class End(Protocol):
    """One end of a way."""

    def fileno(self) -> int:
        """What is readable when there is a message."""

    def clear(self) -> None:
        """Silence that."""

    def send(self) -> bool:
        """Send the samples; false if there is no room."""

    def take(self) -> float | None:
        """The last sample of the next message; None if there is none."""

    def wait(self) -> None:
        """Until there may be a message."""


class Raw:
    """An end of iceoryx2, as one would write it by hand: its data path, and its events."""

    def __init__(self, way: Way, far: bool) -> None:
        there, back = ("back", "there") if far else ("there", "back")
        config = iox.config.default()
        config.global_cfg.prefix = iox.FileName.new(f"{way.name}_")
        config.global_cfg.root_path = iox.Path.new(way.root)
        builder = iox.NodeBuilder.new().config(config)
        disabled = iox.SignalHandlingMode.Disabled
        self._node = builder.signal_handling_mode(disabled).create(iox.ServiceType.Ipc)
        self._services = [self._service(there), self._service(back)]
        events = [self._events(there), self._events(back)]
        self._port = (
            self._services[0]
            .publisher_builder()
            .initial_max_slice_len(way.size)
            .max_loaned_samples(2)
            .backpressure_strategy(iox.BackpressureStrategy.DiscardData)
            .create()
        )
        self._subscriber = self._services[1].subscriber_builder().buffer_size(MESSAGES).create()
        before = set(os.listdir("/proc/self/fd"))
        self._listener = events[1].listener_builder().create()
        (self._fd,) = (int(fd) for fd in os.listdir("/proc/self/fd") if is_new_socket(fd, before))
        self._notifier = events[0].notifier_builder().create()
        self._size = way.size
        self._array = ctypes.c_uint8 * way.size
        self._samples = samples(way.size)
        self._second = iox.Duration.from_secs(1)

    def _service(self, name: str) -> Any:
        builder = self._node.service_builder(iox.ServiceName.new(name))
        return (
            builder.publish_subscribe(iox.Slice[ctypes.c_uint8])
            .payload_alignment(iox.Alignment.new(64))
            .subscriber_max_buffer_size(MESSAGES)
            .subscriber_max_borrowed_samples(BORROWED)
            .enable_safe_overflow(False)
            .open_or_create()
        )

    def _events(self, name: str) -> Any:
        builder = self._node.service_builder(iox.ServiceName.new(f"{name}/event"))
        return builder.event().open_or_create()

    def fileno(self) -> int:
        return self._fd

    def clear(self) -> None:
        self._listener.try_wait()

    def send(self) -> bool:
        sample = self._port.loan_slice_uninit(self._size)
        view = np.frombuffer(self._array.from_address(sample.payload_ptr), np.float32)
        view[:] = self._samples
        if not sample.assume_init().send():
            return False
        self._notifier.notify()
        return True

    def take(self) -> float | None:
        sample = self._subscriber.receive()
        if sample is None:
            return None
        view = np.frombuffer(self._array.from_address(sample.payload_ptr), np.float32)
        value = view[-1]
        sample.delete()
        return float(value)

    def wait(self) -> None:
        self._listener.timed_wait(self._second)


class Topics:
    """An end of two topics of ours, with a bell on either side."""

    def __init__(self, way: Way, far: bool) -> None:
        there, back = reversed(way.specs) if far else way.specs
        middle = len(way.bells) // 2
        bells = [Bell.from_fds(way.bells[:middle]), Bell.from_fds(way.bells[middle:])]
        self.bell, self._theirs = reversed(bells) if far else bells
        kind = kinds.find(there.kind)
        self._writer = kind.open_writer(there)
        self._reader = kind.open_reader(back, 0, self._theirs.ring)
        self._packets = way.packets
        self._size = way.size
        self._samples = samples(way.size)
        self._bytes = self._samples.view(np.uint8)
        audio = Audio(self._samples, RATE, pts_us=20_000)
        self._packet = Packet(audio, "n", "out", 1)
        self._poll = select.poll()
        self._poll.register(self.bell, select.POLLIN)

    def fileno(self) -> int:
        return self.bell.fileno()

    def clear(self) -> None:
        self.bell.clear()

    def send(self) -> bool:
        if self._packets:
            if not envelope.send(self._writer, 1, 0, self._packet):
                return False
        else:
            view = self._writer.loan(self._size)
            if view is None:
                return False
            view[:] = self._bytes
            self._writer.commit()
        self._theirs.ring()
        return True

    def take(self) -> float | None:
        message = self._reader.take()
        if message is None:
            return None
        if self._packets:
            _, _, packet = envelope.read(message.view, PLACES)
            return float(packet.data.samples[0, -1])
        return float(message.view.view(np.float32)[-1])

    def wait(self) -> None:
        self._poll.poll(2)  # ms: a ring for room may be lost
        self.bell.clear()


def samples(size: int) -> np.ndarray:
    """What is sent: read-only, as live data are."""
    values = np.random.default_rng(1).standard_normal(size // 4).astype(np.float32)
    values.flags.writeable = False
    return values


def is_new_socket(fd: str, before: set[str]) -> bool:
    """Whether a descriptor was not there before, and is a socket."""
    path = f"/proc/self/fd/{fd}"
    return fd not in before and os.path.lexists(path) and os.readlink(path).startswith("socket")


def open_end(way: Way, far: bool) -> End:
    """An end of either means."""
    return (Raw if way.means == "raw" else Topics)(way, far)


# -- the other process ---------------------------------------------------------------------------


def serve(way: Way) -> None:
    """Answer until killed, or until who started this is."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    end = open_end(way, far=True)
    count = 0

    def answer_all() -> None:
        nonlocal count
        while end.take() is not None:
            count += 1
            if count % way.answers_each == 0:
                end.send()

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if way.loop:
        forever(end, answer_all, way.loop == "bells")
    else:
        while True:
            answer_all()
            end.wait()


def watch(loop: asyncio.AbstractEventLoop, end: End, woken: Callable[[], None]) -> None:
    """Have the loop call it when there is a message."""
    if isinstance(end, Topics):
        add_bell(loop, end.bell, woken)
        return

    def heard() -> None:
        end.clear()
        woken()

    loop.add_reader(end.fileno(), heard)


def leave(loop: asyncio.AbstractEventLoop, end: End) -> None:
    """No more."""
    if isinstance(end, Topics):
        remove_bell(loop, end.bell)
    else:
        loop.remove_reader(end.fileno())


def forever(end: End, woken: Callable[[], None], quick: bool) -> None:
    """Call it whenever the end says so."""

    async def main() -> None:
        watch(asyncio.get_running_loop(), end, woken)
        woken()
        await asyncio.get_running_loop().create_future()

    with asyncio.Runner(loop_factory=BellLoop if quick else None) as runner:
        runner.run(main())


# -- this process --------------------------------------------------------------------------------


class Link:
    """A way with a process at its other end.

    Parameters
    ----------
    way : Way
        Which; its specs and bells are made here.
    kind : str
        Of its topics, if it has any.
    """

    def __init__(self, way: Way, kind: str = "") -> None:
        self._bells: list[Bell] = []
        self._topics: list[Topic] = []
        if kind:
            made = tuple(
                TopicSpec(
                    kind,
                    f"{way.name}_{name}",
                    messages=MESSAGES,
                    borrowed=BORROWED,
                    size=way.size + 4096 if way.packets else way.size,
                    root=way.root,
                )
                for name in ("there", "back")
            )
            self._topics = [kinds.find(kind).make(spec) for spec in made]
            self._bells = [Bell(), Bell()]
            fds = tuple(fd for bell in self._bells for fd in bell.fds)
            way = msgspec.structs.replace(way, specs=made, bells=fds)
        packed = msgspec.json.encode(way).decode()
        self._process = subprocess.Popen(
            [sys.executable, __file__, packed], stdout=subprocess.PIPE, pass_fds=way.bells
        )
        self._end = open_end(way, far=False)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"
        self._way = way

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        for topic in self._topics:
            topic.close()

    def round_trips(self, count: int) -> list[int]:
        """Times of one message and its answer after the other, ns."""
        times: list[int] = []
        end = self._end
        if not self._way.loop:
            for _ in range(count):
                began = time.perf_counter_ns()
                end.send()
                while end.take() is None:
                    end.wait()
                times.append(time.perf_counter_ns() - began)
            return times

        async def main() -> None:
            loop = asyncio.get_running_loop()
            done = loop.create_future()
            began = 0

            def woken() -> None:
                nonlocal began
                while end.take() is not None:
                    now = time.perf_counter_ns()
                    times.append(now - began)
                    if len(times) == count:
                        done.set_result(None)
                        return
                    began = time.perf_counter_ns()
                    end.send()

            watch(loop, end, woken)
            began = time.perf_counter_ns()
            end.send()
            await done
            leave(loop, end)

        self._run(main())
        return times

    def stream(self, count: int) -> float:
        """Send so many as quickly as there is room; seconds until the other side had them."""
        end = self._end
        if not self._way.loop:
            began = time.perf_counter()
            for _ in range(count):
                while not end.send():
                    if self._way.means == "raw":
                        os.sched_yield()  # iceoryx2 does not tell when there is room
                    else:
                        end.wait()
            while end.take() is None:
                end.wait()
            return time.perf_counter() - began

        async def main() -> None:
            loop = asyncio.get_running_loop()
            done = loop.create_future()
            sent = 0

            def go_on() -> None:
                nonlocal sent
                while sent < count:
                    if not end.send():
                        loop.call_later(0.002, go_on)  # in case a ring is lost
                        return
                    sent += 1

            def woken() -> None:
                go_on()
                if end.take() is not None:
                    done.set_result(None)

            watch(loop, end, woken)
            go_on()
            await done
            leave(loop, end)

        began = time.perf_counter()
        self._run(main())
        return time.perf_counter() - began

    def _run(self, main: Coroutine[object, object, None]) -> None:
        quick = self._way.loop == "bells"
        with asyncio.Runner(loop_factory=BellLoop if quick else None) as runner:
            runner.run(main)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    serve(msgspec.json.decode(sys.argv[1], type=Way))
