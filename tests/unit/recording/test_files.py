"""Recordings in files: parts, the oldest deleted, read through a memory map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.errors import RecordingError
from remotemedia.recording import FileParts, Recorder, open_recording
from remotemedia.testing import VirtualClock


def record(parts: FileParts, count: int, max_bytes: int | None = None) -> Recorder:
    clock = VirtualClock()
    recorder = Recorder(parts, None, clock, max_bytes=max_bytes, next_sink=parts.next)
    for number in range(count):
        samples = np.full(100, number, np.float32)
        recorder.received(rm.Packet(rm.Audio(samples, 8000), "a", sequence=number))
        clock.advance(1000)
    recorder.close()
    parts.close()
    return recorder


def sequences(*paths: str) -> list[int]:
    return [record.packet.sequence for record in open_recording(*paths) if record.packet]


def test_one_file(tmp_path: Path) -> None:
    path = str(tmp_path / "talk.rmrec")
    record(FileParts(path), 10)
    assert sequences(path) == list(range(10))
    packets = [record.packet for record in open_recording(path)]
    assert [packet.data.samples[0, 0] for packet in packets if packet] == list(range(10))  # type: ignore[attr-defined]


def test_all_parts_are_kept(tmp_path: Path) -> None:
    parts = FileParts(str(tmp_path / "talk.rmrec"))
    recorder = record(parts, 20, max_bytes=2500)
    assert recorder.error is None
    names = [Path(path).name for path in parts.paths]
    assert names[:3] == ["talk.rmrec", "talk.1.rmrec", "talk.2.rmrec"]
    assert sorted(names) == sorted(path.name for path in tmp_path.iterdir())
    assert all(path.stat().st_size <= 2500 for path in tmp_path.iterdir())
    assert sequences(*parts.paths) == list(range(20))


def test_the_oldest_parts_are_deleted(tmp_path: Path) -> None:
    parts = FileParts(str(tmp_path / "talk.rmrec"), max_files=2)
    record(parts, 20, max_bytes=2500)
    assert sorted(map(str, tmp_path.iterdir())) == sorted(parts.paths)
    assert len(parts.paths) == 2
    found = sequences(*parts.paths)
    assert found == list(range(found[0], 20))
    assert 0 < found[0] < 18


def test_nothing_is_held_back_in_a_buffer(tmp_path: Path) -> None:
    path = str(tmp_path / "talk.rmrec")
    parts = FileParts(path)
    recorder = Recorder(parts, None, VirtualClock())
    recorder.received(rm.Packet(rm.Text("x"), "a"))
    assert sequences(path) == [0]  # as after a crash: nothing was closed
    recorder.close()
    parts.close()


def test_an_empty_file_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "talk.rmrec"
    path.write_bytes(b"")
    with pytest.raises(RecordingError, match="this is no recording"):
        open_recording(str(path))


def test_at_least_one_file(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="max_files is at least 1, not 0"):
        FileParts(str(tmp_path / "talk.rmrec"), max_files=0)
