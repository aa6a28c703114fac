"""The other end of a topic, in a process of its own, told what to do by lines.

``child.py reader SPEC NUMBER`` understands ``take N``: it keeps the views and says the numbers; and
``drop``: it lets go of the views. ``child.py writer SPEC`` understands ``send N SIZE``: messages
with a checksum, for reader 0; ``loan SIZE``: and writes to it; ``flood SEED``: until it is killed.
"""

from __future__ import annotations

import base64
import random
import select
import sys
import zlib

import msgspec
import numpy as np

from remotemedia_native.shm import kinds
from remotemedia_native.shm.base import TopicSpec, Writer


def fill(view: np.ndarray, seed: int) -> None:
    """Random bytes behind their checksum."""
    if view.size >= 4:
        body = random.Random(seed).randbytes(view.size - 4)
        view[4:] = np.frombuffer(body, np.uint8)
        view[:4].view(np.uint32)[0] = zlib.crc32(body)


def is_whole(view: np.ndarray) -> bool:
    """Whether the checksum is that of the rest."""
    return view.size < 4 or int(view[:4].view(np.uint32)[0]) == zlib.crc32(view[4:])


def say(*words: object) -> None:
    """A line to who started this."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def read(spec: TopicSpec, number: int) -> None:
    reader = kinds.find(spec.kind).open_reader(spec, number, lambda: None)
    kept = []
    say("ready")
    for line in sys.stdin:
        command, *rest = line.split()
        if command == "take":
            took = [reader.take() for _ in range(int(rest[0]))]
            kept += took
            assert all(is_whole(message.view) for message in took)
            say(*(message.number for message in took))
            del took
        elif command == "drop":
            kept.clear()
            say("dropped")


def write(spec: TopicSpec) -> None:
    writer = kinds.find(spec.kind).open_writer(spec)
    say("ready")
    for line in sys.stdin:
        command, *rest = line.split()
        if command == "send":
            numbers = []
            for seed in range(int(rest[0])):
                fill(writer.loan(int(rest[1])), seed)
                numbers.append(writer.commit())
            say(*numbers)
        elif command == "loan":
            fill(writer.loan(int(rest[0])), 1)
            say("loaned")
        elif command == "flood":
            flood(writer, int(rest[0]))


def flood(writer: Writer, seed: int) -> None:
    """Sizes that grow the topic, some loans given back, as quickly as there is room."""
    draw = random.Random(seed)
    while True:
        view = writer.loan(draw.choice((0, 10, 200, 3000, 30_000)))
        if view is None:
            select.select([], [], [], 0.001)  # who waits looks again every few milliseconds
            continue
        fill(view, draw.randrange(1 << 30))
        if draw.random() < 0.1:
            writer.discard()
        else:
            writer.commit()


if __name__ == "__main__":
    role, packed, *arguments = sys.argv[1:]
    of_topic = msgspec.msgpack.decode(base64.b64decode(packed), type=TopicSpec)
    if role == "reader":
        read(of_topic, int(arguments[0]))
    else:
        write(of_topic)
