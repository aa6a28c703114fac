"""The ends of a page in memory, and the page itself: what the tests of its bridge talk to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import remotemedia as rm
from remotemedia import protocol, wire
from remotemedia.session.unit import turn
from remotemedia.testing import VirtualClock
from remotemedia_wasm import messages
from remotemedia_wasm.bridge import Bridge
from remotemedia_wasm.sources import LOST

GAIN = {
    "version": "v1",
    "nodes": [{"id": "louder", "node_type": "Gain", "params": {"gain_db": 6}}],
}


class Wake:
    """What JavaScript would call."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.destroyed = False

    def __call__(self) -> None:
        self.callback()

    def destroy(self) -> None:
        self.destroyed = True


class View:
    """A typed array."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def assign_to(self, buffer: np.ndarray) -> None:
        assert buffer.nbytes == self.array.nbytes
        buffer.reshape(-1)[:] = self.array

    def assign(self, buffer: np.ndarray) -> None:
        assert buffer.nbytes == self.array.nbytes
        self.array[:] = buffer.reshape(-1)

    def subarray(self, start: int, end: int) -> View:
        return View(self.array[start:end])

    def to_bytes(self) -> bytes:
        return self.array.tobytes()


class Reader:
    """A captured stream: blocks, and (lost, block) where samples are missing before one."""

    def __init__(self, channels: int, rate: int, frames: int) -> None:
        self.channels, self.sampleRate, self.blockFrames = channels, rate, frames
        self.memory = np.zeros(channels * frames, np.float32)
        self.staging = View(self.memory)
        self.lost = 0
        self.waiting: list[tuple[int, np.ndarray]] = []
        self.ended = self.closed = False
        self.wake: Callable[[], None] | None = None

    def push(self, block: np.ndarray, lost: int = 0) -> None:
        self.waiting.append((lost, block))
        self._ready()

    def end(self) -> None:
        self.ended = True
        self._ready()

    def _ready(self) -> None:
        wake, self.wake = self.wake, None
        if wake is not None:
            wake()

    def take(self) -> int:
        if not self.waiting:
            return -1 if self.ended else 0
        self.lost, block = self.waiting.pop(0)
        self.memory[: block.size] = block.reshape(-1)
        return block.shape[1] | (LOST if self.lost else 0)

    def arm(self, wake: Callable[[], None]) -> None:
        if self.waiting or self.ended:
            wake()
        else:
            self.wake = wake

    def close(self) -> None:
        self.closed = True


class Writer:
    """A speaker with a small buffer."""

    def __init__(self, channels: int, rate: int, capacity: int, live: bool = False) -> None:
        self.channels, self.sampleRate, self.maxFrames = channels, rate, 480
        self.live = live
        self.capacity = capacity
        self.filled = 0
        self.memory = np.zeros(channels * self.maxFrames, np.float32)
        self.staging = View(self.memory)
        self.played: list[np.ndarray] = []
        self.cleared = 0
        self.fades: list[int] = []
        self.ended = self.closed = False
        self.wanted: tuple[Callable[[], None], int] | None = None

    def room(self) -> int:
        return self.capacity - self.filled

    def put(self, frames: int, channels: int) -> int:
        assert self.live or frames <= self.room()
        samples = self.memory[: channels * frames].reshape(channels, frames)
        self.played.append(np.broadcast_to(samples, (self.channels, frames)).copy())
        self.filled += frames
        return frames

    def drain(self) -> None:
        self.filled = 0
        if self.wanted is not None:
            (wake, _frames), self.wanted = self.wanted, None
            wake()

    def arm(self, wake: Callable[[], None], frames: int) -> None:
        if self.room() >= frames:
            wake()
        else:
            self.wanted = wake, frames

    def clear(self, fade: int) -> None:
        self.cleared += 1
        self.fades.append(fade)
        self.filled = 0

    def end(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.closed = True

    def samples(self) -> np.ndarray:
        return np.concatenate(self.played, axis=1)


class Page:
    """The page: asks, and keeps what the bridge posts."""

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self.bridge = Bridge(self, Wake, lambda content: content, clock)
        self.answers: list[Any] = []
        self.packets: list[rm.Packet] = []
        self.seen: dict[str, list[rm.Packet]] = {}
        self.parts: dict[str, list[bytes]] = {}
        self.beside: Any = None
        self._next = 0

    def answer(self, text: str, attachment: Any = None) -> None:
        self.answers.append(protocol.decode(text, protocol.Answer))  # type: ignore[arg-type]
        if attachment is not None:
            self.beside = attachment

    def packet(self, frame: bytes, subscription: str | None) -> None:
        item = wire.decode(frame)[2]
        assert isinstance(item, rm.Packet)
        if subscription is None:
            self.packets.append(item)
        else:
            self.seen.setdefault(subscription, []).append(item)

    def recorded(self, recording: str, content: bytes) -> None:
        self.parts.setdefault(recording, []).append(content)

    def post(self, kind: type[protocol.Message], attachment: Any = None, **fields: Any) -> int:
        self._next += 1
        self.bridge.receive(protocol.encode(kind(id=self._next, **fields)), attachment)
        return self._next

    def answered(self, number: int) -> Any:
        return next((one for one in self.answers if getattr(one, "id", None) == number), None)

    async def ask(self, kind: type[protocol.Message], attachment: Any = None, **fields: Any) -> Any:
        number = self.post(kind, attachment, **fields)
        await idle()
        answer = self.answered(number)
        assert answer is not None, f"{kind.__name__} was not answered"
        return answer

    async def did(self, kind: type[protocol.Message], attachment: Any = None, **fields: Any) -> Any:
        answer = await self.ask(kind, attachment, **fields)
        assert isinstance(answer, protocol.Done), answer
        return answer.result

    async def refused(
        self, kind: type[protocol.Message], attachment: Any = None, **fields: Any
    ) -> protocol.ErrorInfo:
        answer = await self.ask(kind, attachment, **fields)
        assert isinstance(answer, protocol.Failed), answer
        return answer.error

    def events(self) -> list[protocol.Happened]:
        return [one for one in self.answers if isinstance(one, protocol.Happened)]

    def ended(self) -> list[protocol.Ended]:
        return [one for one in self.answers if isinstance(one, protocol.Ended)]


async def idle() -> None:
    for _ in range(300):
        await turn()


async def running(
    manifest: Any = GAIN, clock: VirtualClock | None = None, source: str = "", **options: Any
) -> Page:
    made = Page(clock)
    if source:
        await made.did(messages.Define, source=source)
    await made.did(protocol.Load, manifest=manifest)
    await made.did(protocol.Start, **options)
    return made


def frame(data: rm.Data) -> View:
    return View(np.frombuffer(wire.encode(rm.Packet(data, "", "")), np.uint8))


def ramp(channels: int, frames: int, start: int = 0) -> np.ndarray:
    row = np.arange(start, start + frames, dtype=np.float32) / 65_536
    return np.stack([row + np.float32(c) for c in range(channels)])
