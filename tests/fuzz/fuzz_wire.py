"""Throws mutated frames at the decoder: nothing but `WireError` may come out.

    .venv/bin/python tests/fuzz/fuzz_wire.py 1000000 --seed 1

Seeds are the golden vectors and packets that hypothesis draws. A frame that is accepted must hold
data that its constructor accepts too, and must survive our form. Of a sample, the memory is traced:
a frame that is refused may allocate its own size, six times that for text outside ASCII, and a
small sum.
"""

from __future__ import annotations

import argparse
import random
import struct
import sys
import time
import tracemalloc
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import msgspec

sys.path.insert(0, str(Path(__file__).parent.parent))
from fuzz.packets import OWN, PLAIN, ends, packets
from remotemedia import wire
from remotemedia.data import Packet
from remotemedia.errors import WireError

GOLDEN = Path(__file__).parent.parent / "golden" / "wire"
DRAWN = 30  # packets per type and form
LARGE = 4096  # seeds above that are taken rarely, so that the small ones get their turns
TRACED = 200  # one frame in so many has its memory traced
SLACK = 8192  # bytes: the error itself, its traceback, msgspec's and numpy's own objects
INTERESTING = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1]
VALUES: list[object] = [
    *INTERESTING, -1, -(2**63), 2**63, 2**64 - 1, None, True, False, 0.0, -0.5, float("nan"),
    float("inf"), "", "a", "\0", "ä" * 40, "F32", "I16", "U8", "RAW", "PNG", "RGB24", "I420", "VP8",
    "float64", "bool", "object", [], [0], [1, 2], [2**40, 0], [1] * 33, {}, {"a": [None]}, {1: 2},
    b"bytes", {"deep": [[[[[[]]]]]]},
]  # fmt: skip
OPCODES = bytes([0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, *range(0xC0, 0xE0), 0xE0, 0xFF])


class Report:
    """What came out."""

    def __init__(self) -> None:
        self.accepted = 0
        self.refused: dict[str, int] = {}
        self.traced = 0
        self.worst = 0.0
        """Largest peak of memory of a refused frame, less `SLACK`, over the frame's size."""

    def __str__(self) -> str:
        refused = sum(self.refused.values())
        fields = sorted(self.refused, key=lambda field: -self.refused[field])
        top = ", ".join(f"{field!r} {self.refused[field]}" for field in fields[:12])
        return (
            f"accepted {self.accepted}, refused {refused} with WireError, anything else 0\n"
            f"fields named: {len(fields)}; most often {top}\n"
            f"memory traced of {self.traced}: worst refused frame (peak - {SLACK}) / size "
            f"= {self.worst:.2f}"
        )


def seeds(seed: int) -> list[bytes]:
    """Golden vectors, and frames of drawn packets in both forms."""
    frames = [path.read_bytes() for path in sorted(GOLDEN.glob("*.bin"))]

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=DRAWN,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(st.data())
    def draw(source: st.DataObject) -> None:
        own = [source.draw(packets(data)) for data in OWN.values()]
        plain = [Packet(source.draw(data), "n") for data in PLAIN.values()]
        frames.extend(wire.encode(packet, "s") for packet in own)
        frames.extend(wire.encode(packet, "s", plain=True) for packet in plain)
        frames.append(wire.encode(source.draw(ends())))

    draw()
    return frames


class Mutator:
    """Makes hostile frames out of good ones, the same ones for the same seed."""

    def __init__(self, frames: list[bytes], seed: int) -> None:
        self.random = random.Random(seed)
        self.small = [frame for frame in frames if 0 < len(frame) <= LARGE]
        self.large = [frame for frame in frames if len(frame) > LARGE]

    def next(self) -> bytes:
        """One mutated frame."""
        rng = self.random
        pool = self.large if self.large and rng.random() < 0.01 else self.small
        whole = rng.choice(pool)
        parts = split_map(whole) if rng.random() < 0.6 else None
        if parts and rng.random() < 0.5:
            return with_map(parts[0], self.edit(parts[1]), parts[2])
        frame = bytearray(parts[1] if parts else whole)
        for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
            if not frame:
                frame = bytearray(rng.choice(self.small))
            rng.choice(MUTATIONS)(self, frame)
        if parts:
            return with_map(parts[0], bytes(frame), parts[2])
        if rng.random() < 0.8:  # else hardly anything would get past the head
            repair(frame)
        return bytes(frame)

    def spot(self, frame: bytearray) -> int:
        """Somewhere in the frame, near its start more often."""
        end = len(frame)
        return self.random.randrange(min(end, 160) if self.random.random() < 0.8 else end)

    def edit(self, packed: bytes) -> bytes:
        """A map with a key less or more, or with another value: well formed, but wrong."""
        rng = self.random
        if packed.count(0x91) > 100:  # a depth bomb, and msgspec unguarded here
            return packed
        try:
            fields = msgspec.msgpack.decode(packed)
        except ValueError:
            return packed
        if not isinstance(fields, dict) or not fields:
            return packed
        for _ in range(rng.choice((1, 1, 2))):
            key = rng.choice(list(fields))
            other = rng.choice(VALUES)
            kind = rng.randrange(8)
            if kind == 0 and len(fields) > 1:
                del fields[key]
            elif kind == 1:
                fields["later"] = other
            elif kind == 2:
                fields[key] = fields[rng.choice(list(fields))]
            elif kind == 3:
                fields = {name: fields[name] for name in rng.sample(list(fields), len(fields))}
            else:
                fields[key] = other
        return msgspec.msgpack.encode(fields)

    def flip(self, frame: bytearray) -> None:
        frame[self.spot(frame)] ^= 1 << self.random.randrange(8)

    def set(self, frame: bytearray) -> None:
        frame[self.spot(frame)] = self.random.randrange(256)

    def opcode(self, frame: bytearray) -> None:
        """A msgpack opcode in the place of another byte."""
        frame[self.spot(frame)] = self.random.choice(OPCODES)

    def truncate(self, frame: bytearray) -> None:
        del frame[self.spot(frame) :]

    def extend(self, frame: bytearray) -> None:
        frame += self.random.randbytes(self.random.randrange(1, 70))

    def remove(self, frame: bytearray) -> None:
        start = self.spot(frame)
        del frame[start : start + self.random.randrange(1, 9)]

    def insert(self, frame: bytearray) -> None:
        start = self.spot(frame)
        frame[start:start] = self.random.randbytes(self.random.randrange(1, 9))

    def repeat(self, frame: bytearray) -> None:
        """A piece of the frame twice: keys, for one."""
        start = self.spot(frame)
        frame[start:start] = frame[start : start + self.random.randrange(1, 30)]

    def splice(self, frame: bytearray) -> None:
        """The start of one frame, the end of another."""
        other = self.random.choice(self.small)
        frame[self.spot(frame) :] = other[self.random.randrange(len(other) + 1) :]

    def length(self, frame: bytearray) -> None:
        """A length, or what could be one, replaced by an extreme."""
        form, mask = self.random.choice((("B", 0xFF), ("<H", 0xFFFF), ("<I", 2**32 - 1)))
        size = struct.calcsize(form)
        if len(frame) >= size:
            value = self.random.choice(INTERESTING) + self.random.choice((0, 0, 1, -1))
            start = min(self.spot(frame), len(frame) - size)
            struct.pack_into(form, frame, start, value & mask)

    def claim(self, frame: bytearray) -> None:
        """A container or string that claims to be long, in msgpack's big-endian."""
        opcode = self.random.choice((0xDB, 0xDC, 0xDD, 0xDE, 0xDF, 0xC6, 0xC9))
        start = self.spot(frame)
        frame[start : start + 1] = struct.pack(
            ">BI", opcode, self.random.choice(INTERESTING) & 0xFFFF_FFFF
        )

    def nest(self, frame: bytearray) -> None:
        """Many brackets in the place of one byte."""
        opener = self.random.choice((b"\x91", b"\x81\xa1a", b"[", b'{"a":'))
        start = self.spot(frame)
        frame[start : start + 1] = opener * self.random.choice((3, 63, 64, 65, 66, 3000))


MUTATIONS = (
    Mutator.flip,
    Mutator.set,
    Mutator.opcode,
    Mutator.truncate,
    Mutator.extend,
    Mutator.remove,
    Mutator.insert,
    Mutator.repeat,
    Mutator.splice,
    Mutator.length,
    Mutator.claim,
    Mutator.nest,
)


def split_map(frame: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Type and session, map, and body of a frame of our form, where its lengths are right."""
    if len(frame) < 19 or not frame[0] & 0x80:
        return None
    start = 15 + struct.unpack_from("<H", frame, 1)[0]
    if len(frame) < start + 4:
        return None
    end = start + 4 + struct.unpack_from("<I", frame, start)[0]
    if end > len(frame):
        return None
    body = end + -end % 64
    return frame[: start - 4], frame[start + 4 : end], frame[body:]


def with_map(head: bytes, packed: bytes, body: bytes) -> bytes:
    """A frame around a changed map, all its lengths right."""
    end = len(head) + 4 + 4 + len(packed)
    gap = -end % 64 if head[0] in (0x81, 0x82, 0x86, 0x8A, 0x8B) else 0
    payload = struct.pack("<I", len(packed)) + packed + bytes(gap) + body
    return head + struct.pack("<I", len(payload)) + payload


def repair(frame: bytearray) -> None:
    """Make payload_len right, so that deeper layers are reached."""
    if len(frame) < 15:
        return
    start = 15 + struct.unpack_from("<H", frame, 1)[0]
    if len(frame) < start:
        struct.pack_into("<H", frame, 1, 0)
        start = 15
    struct.pack_into("<I", frame, start - 4, len(frame) - start)


def check(frame: bytes, report: Report) -> None:
    """Decode one frame; raises what must not come out."""
    try:
        session, _, item = wire.decode(frame, bare_audio_rate=None if frame[-1:] < b"@" else 8000)
    except WireError as error:
        report.refused[error.field] = report.refused.get(error.field, 0) + 1
        if not 0 <= error.offset <= len(frame):
            raise AssertionError(
                f"offset {error.offset} is outside of {len(frame)} bytes"
            ) from error
        return
    report.accepted += 1
    if isinstance(item, Packet):
        if item.data._checked() is not item.data:
            raise AssertionError(f"the constructor would change {item.data!r}")
        if report.accepted % 8 == 0:
            again = wire.decode(wire.encode(item, session))[2]
            if not isinstance(again, Packet) or not again.data.equals(item.data):
                raise AssertionError(f"our form changes {item.data!r}")


def trace(frame: bytes, report: Report) -> None:
    """Decode one frame, watching memory."""
    tracemalloc.start()
    try:
        wire.decode(frame)
    except WireError:
        peak = tracemalloc.get_traced_memory()[1]
    else:
        return
    finally:
        tracemalloc.stop()
    report.traced += 1
    ratio = (peak - SLACK) / max(len(frame), 1)
    report.worst = max(report.worst, ratio)
    if ratio > 7:  # text of 2 bytes per character lives on while it is copied to 4
        raise AssertionError(f"{peak} bytes allocated to refuse {len(frame)}")


def fuzz(count: int, seed: int, drawn: bool = True) -> Report:
    """Run `count` mutated frames; raises on the first that does what it must not."""
    frames = seeds(seed) if drawn else [path.read_bytes() for path in sorted(GOLDEN.glob("*.bin"))]
    mutator = Mutator(frames, seed)
    report = Report()
    for index in range(count):
        frame = mutator.next()
        try:
            check(frame, report)
            if index % TRACED == 0:
                trace(frame, report)
        except Exception as error:
            shown = frame[:400].hex() + ("..." if len(frame) > 400 else "")
            raise AssertionError(f"seed {seed}, frame {index}: {error!r}\n{shown}") from error
    return report


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    start = time.perf_counter()
    report = fuzz(arguments.count, arguments.seed)
    seconds = time.perf_counter() - start
    line = f"{arguments.count} frames, seed {arguments.seed}, {seconds:.1f} s"
    sys.stdout.write(f"{line}\n{report}\n")


if __name__ == "__main__":
    main()
