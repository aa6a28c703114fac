"""The native side of a comparison: the same manifest on the same file, in this process."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

import remotemedia as rm
from remotemedia import wire
from remotemedia.data.timeline import sample_time_us
from remotemedia.wav import WavDecoder
from worlds.compare import Comparison, Runs, judge
from worlds.tolerances import rows

BLOCK_MS = 20


def blocks(file: bytes) -> Iterable[rm.Audio]:
    """A WAV file in blocks of 20 ms, as `remotemedia run` reads it."""
    wav = WavDecoder(BLOCK_MS, len(file))
    position = 0
    for samples in [*wav.feed(file), *wav.finish()]:
        assert wav.info is not None
        rate = wav.info.sample_rate
        yield rm.Audio(samples, rate, sample_time_us(position, rate))
        position += samples.shape[1]


def run(manifest: Path | dict[str, object], inputs: Iterable[rm.Data]) -> list[rm.Packet]:
    return in_order(rm.Pipeline.load(manifest).run(inputs))


def in_order(packets: Iterable[rm.Packet]) -> list[rm.Packet]:
    """Port by port: between two ports, a live session gives no order."""
    cleaned = [msgspec.structs.replace(packet, timestamp_us=0) for packet in packets]
    return sorted(cleaned, key=lambda packet: (packet.node, packet.port))


def frames(content: bytes) -> list[rm.Packet]:
    """The packets of wire frames, one after the other."""
    packets = []
    for frame in wire.split(content):
        packet = wire.decode(frame)[2]
        assert isinstance(packet, rm.Packet)
        packets.append(packet)
    return in_order(packets)


def differences(name: str, native: list[rm.Packet], page: list[rm.Packet]) -> list[str]:
    """What is not within the table of tolerances; `name` as in the table: ``examples/01-…``."""
    comparison = Comparison()
    ours: Runs = {f"{name}: page": native}
    theirs: Runs = {f"{name}: page": page}
    comparison.compare(ours, theirs)
    return [*comparison.problems, *judge(comparison.fields, rows(), partial=True)]
