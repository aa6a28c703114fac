"""Topics of each kind, removed after the test; processes at their other ends."""

from __future__ import annotations

import base64
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from remotemedia.errors import UnavailableError
from remotemedia_native.shm import kinds
from remotemedia_native.shm.base import Kind, Reader, Topic, TopicSpec, Writer

CHILD = Path(__file__).with_name("child.py")
_numbers = itertools.count()


class Ends:
    """A topic, and its ends in this process."""

    def __init__(self, kind: Kind, spec: TopicSpec) -> None:
        self.kind = kind
        self.spec = spec
        self.topic: Topic = kind.make(spec)
        self.rings = 0
        self._open: list[Reader | Writer] = []

    def _ring(self) -> None:
        self.rings += 1

    def writer(self) -> Writer:
        return self._kept(self.kind.open_writer(self.spec))

    def reader(self, number: int = 0) -> Reader:
        return self._kept(self.kind.open_reader(self.spec, number, self._ring))

    def _kept(self, end):
        self._open.append(end)
        return end

    def close(self) -> None:
        for end in self._open:
            end.close()
        self.topic.close()


@pytest.fixture(params=kinds.KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    try:
        kinds.find(request.param)
    except UnavailableError as error:
        pytest.skip(str(error))
    return request.param


@pytest.fixture
def spec(kind: str) -> Callable[..., TopicSpec]:
    """Make a spec with a name of its own."""

    def make(**fields: object) -> TopicSpec:
        return TopicSpec(kind, f"rmtest{os.getpid()}_{next(_numbers)}", **fields)

    return make


@pytest.fixture
def ends(kind: str, spec: Callable[..., TopicSpec]) -> Iterator[Callable[..., Ends]]:
    """Make a topic by the fields of its spec."""
    made: list[Ends] = []

    def make(**fields: object) -> Ends:
        made.append(Ends(kinds.find(kind), spec(**fields)))
        return made[-1]

    yield make
    for each in made:
        each.close()
        assert leftovers(each.spec) == []


def leftovers(spec: TopicSpec) -> list[str]:
    """What a topic has in shared memory."""
    return [name for name in os.listdir("/dev/shm") if name.startswith(spec.name)]


class Child:
    """A process at the other end: see child.py for what it can be told."""

    def __init__(self, role: str, spec: TopicSpec, *arguments: object) -> None:
        packed = base64.b64encode(msgspec.msgpack.encode(spec)).decode()
        self.process = subprocess.Popen(
            [sys.executable, str(CHILD), role, packed, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdin is not None
        self._out = self.process.stdout
        self._in = self.process.stdin
        assert self._out.readline() == "ready\n"

    def tell(self, command: str) -> None:
        self._in.write(f"{command}\n")
        self._in.flush()

    def ask(self, command: str) -> str:
        self.tell(command)
        return self._out.readline().rstrip("\n")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._in.close()
        self._out.close()


@pytest.fixture
def child() -> Iterator[Callable[..., Child]]:
    """Start a process: role, spec, arguments."""
    started: list[Child] = []

    def start(role: str, spec: TopicSpec, *arguments: object) -> Child:
        started.append(Child(role, spec, *arguments))
        return started[-1]

    yield start
    for each in started:
        if each.process.returncode is None:
            each.kill()
