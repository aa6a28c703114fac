"""Nodes that the tests of process nodes are made of; in a module that the processes can import."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np

import remotemedia as rm


def act(how: str) -> None:
    """Do what a node should not."""
    if how == "raise":
        raise ValueError("on purpose")
    if how == "exit":
        os._exit(7)
    if how == "sys.exit":
        raise SystemExit(3)
    if how == "segfault":
        ctypes.string_at(0)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    while how == "loop":
        pass
    if how == "sleep":
        time.sleep(100)
    held = []
    while how == "memory":
        held.append(np.ones(2**20))
        time.sleep(0.001)


@rm.node("TestFaulty")
class Faulty(rm.Node):
    """Hands audio on; does what it should not at one point of its life, or when an item says so."""

    class Params(rm.Params, frozen=True):
        at: str = ""
        how: str = ""
        note: str = ""

    input_caps = "any"
    output_caps = "any"

    def _reach(self, point: str) -> None:
        if self.params.at == point:
            act(self.params.how)

    def open(self, ctx: rm.Context) -> None:
        self._reach("open")

    def process(self, data: rm.Data) -> rm.Data:
        if data.metadata is not None and "how" in data.metadata:
            act(str(data.metadata["how"]))
        self._reach("process")
        return data

    def finish(self) -> None:
        self._reach("finish")

    def close(self) -> None:
        self._reach("close")


@rm.node("TestSpeak")
class Speak(rm.Node):
    """Forty blocks of audio whose samples are the number in the text; a synchronous generator."""

    input_caps = "text"
    output_caps = "audio(sample_rate=48000, channels=1)"

    def process(self, text: rm.Text) -> Iterator[rm.Audio]:
        for _ in range(40):
            time.sleep(0.0005)
            yield rm.Audio(np.full(960, float(text.text), np.float32), 48_000)


@rm.node("TestSpeakAsync")
class SpeakAsync(Speak):
    """The same, as an async generator."""

    async def process(self, text: rm.Text) -> AsyncIterator[rm.Audio]:  # type: ignore[override]
        for _ in range(40):
            await asyncio.sleep(0.0005)
            yield rm.Audio(np.full(960, float(text.text), np.float32), 48_000)


@rm.node("TestWhere", input_caps="text", output_caps="text")
def where(text: rm.Text) -> rm.Text:
    """In which process it runs."""
    return rm.Text(str(os.getpid()))


@rm.node("TestHeavy")
class Heavy(rm.Node):
    """In which process it runs; its own, unless told otherwise."""

    input_caps = "text"
    output_caps = "text"
    default_executor = "process"

    def process(self, text: rm.Text) -> rm.Text:
        return rm.Text(str(os.getpid()))


@rm.node("TestTwice", input_caps="text", output_caps="text")
def twice(text: rm.Text) -> Iterator[rm.Text]:
    """Two for one."""
    yield rm.Text(f"{text.text}a")
    yield rm.Text(f"{text.text}b")


@rm.node("TestLater", input_caps="text", output_caps="text")
async def later(text: rm.Text) -> rm.Text:
    """After other tasks had their turn."""
    await asyncio.sleep(0)
    return rm.Text(f"{text.text}l")


@rm.node("TestTail")
class Tail(rm.Node):
    """Text and, at the end, how many there were."""

    input_caps = "text"
    output_caps = "text"

    def open(self, ctx: rm.Context) -> None:
        self._count = 0

    def process(self, text: rm.Text) -> rm.Text:
        self._count += 1
        return text.replace(text=f"{text.text}t")

    def finish(self) -> rm.Text:
        return rm.Text(f"{self._count} in all")

    def reset(self) -> None:
        self._count = 0


@rm.node("TestTwoPorts")
class TwoPorts(rm.Node):
    """Texts of even length by one port, others by the other; from two inputs."""

    input_caps = {"first": "text", "second": "text"}  # noqa: RUF012
    output_caps = {"even": "text", "odd": "text"}  # noqa: RUF012

    def process(self, text: rm.Text, port: str) -> rm.Emit:
        return rm.Emit("odd" if len(text.text) % 2 else "even", rm.Text(f"{text.text}{port[0]}"))


@rm.node("TestLoud")
class Loud(rm.Node):
    """Text, as loud as its parameter says, which may change while it runs."""

    class Params(rm.Params, frozen=True):
        marks: int = 1

    input_caps = "text"
    output_caps = "text"
    live_params = ("marks",)

    def process(self, text: rm.Text) -> rm.Text:
        return rm.Text(text.text + "!" * self.params.marks)


@rm.node("TestPrints", input_caps="text", output_caps="text")
def prints(text: rm.Text) -> rm.Text:
    """Says it in two ways."""
    print("printed", text.text)  # noqa: T201
    logging.getLogger("mine").warning("logged %s", text.text)
    return text


@rm.node("TestHalfBusy", input_caps="audio", output_caps="audio")
def busy(audio: rm.Audio) -> rm.Audio:
    """Works for half of the time, at fifty items a second."""
    time.sleep(0.01)
    return audio


@rm.node("TestLoads")
class Loads(rm.Node):
    """Takes long to open, and says how far it is."""

    input_caps = "text"
    output_caps = "text"

    def open(self, ctx: rm.Context) -> None:
        ctx.progress("loading the model", 0.5)

    def process(self, text: rm.Text) -> rm.Text:
        return text


@rm.node("TestSink")
class Sink(rm.Node):
    """Writes what comes to a file; gives nothing."""

    class Params(rm.Params, frozen=True):
        path: str

    input_caps = "text"
    output_caps = {}  # noqa: RUF012

    async def process(self, text: rm.Text) -> None:
        await asyncio.sleep(0.001)
        self._write(text.text)

    def finish(self) -> None:
        self._write("end")

    def _write(self, line: str) -> None:
        with Path(self.params.path).open("a") as file:
            file.write(line + "\n")


@rm.node("TestFinds")
class Finds(rm.Node):
    """Finds out only when it is open what it gives."""

    capabilities = "runtime_discovered"
    input_caps = "text"
    output_caps = "audio"

    def actual_formats(self) -> dict[str, str]:
        return {"out": "audio(sample_rate=22050, channels=1)"}

    def process(self, text: rm.Text) -> rm.Audio:
        return rm.Audio(np.zeros(4, np.float32), 22_050)


@rm.node("TestTold")
class Told(rm.Node):
    """Gives what it was told when it was opened, for each item."""

    input_caps = "audio"
    output_caps = "text"

    def open(self, ctx: rm.Context) -> None:
        self._told = str(ctx.inputs["in"])

    def process(self, audio: rm.Audio) -> rm.Text:
        return rm.Text(self._told)


@rm.node("TestMortal")
class Mortal(rm.Node):
    """Text on; dies of "die", once per file; what comes after the first life may fail to open."""

    class Params(rm.Params, frozen=True):
        file: str
        slow_ms: float = 0
        bad_opens: int = 0

    input_caps = "text"
    output_caps = "text"

    def open(self, ctx: rm.Context) -> None:
        lives = Path(self.params.file)
        with lives.open("a") as file:
            file.write("open\n")
        if 0 < len(lives.read_text().split()) - 1 <= self.params.bad_opens:
            raise ValueError("not yet")

    def process(self, text: rm.Text) -> rm.Text:
        time.sleep(self.params.slow_ms / 1000)
        if text.text == "die" and Path(self.params.file).read_text().split() == ["open"]:
            os._exit(9)
        return text

    def finish(self) -> rm.Text:
        return rm.Text("tail")


@rm.node("TestMany", input_caps="text", output_caps="text")
def many(text: rm.Text) -> Iterator[rm.Text]:
    """A hundred for one."""
    for number in range(100):
        yield rm.Text(f"{text.text}.{number}")
