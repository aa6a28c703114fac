"""``record``, ``replay`` and ``peek`` with real files, and a recording process that is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from remotemedia.cli import main
from remotemedia.recording import open_recording
from remotemedia.testing import assert_replays
from remotemedia.wav import Encoding, WavWriter

Capture = pytest.CaptureFixture[str]

EXAMPLE = Path(__file__).parents[3] / "examples/01-speech-segments/pipeline.yaml"
GAIN = "{version: v1, nodes: [{id: gain, node_type: Gain}]}"


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """3 s at 48 kHz: a second of quiet, of a loud buzz, and of quiet."""
    rate = 48_000
    random = np.random.default_rng(7)
    loudness = np.repeat([0.0005, 0.2, 0.0005], rate)
    buzz = np.sign(np.sin(2 * np.pi * 180 * np.arange(3 * rate) / rate))
    samples = loudness * (0.7 * buzz + 0.3 * random.standard_normal(3 * rate))
    path = tmp_path / "speech.wav"
    with path.open("wb") as file:
        writer = WavWriter(file, rate, 1, Encoding.PCM16)
        writer.write(samples.astype(np.float32)[None])
        writer.finish()
    return path


@pytest.fixture
def recorded(speech: Path, tmp_path: Path, capsys: Capture) -> Path:
    path = tmp_path / "talk.rmrec"
    assert cli("record", EXAMPLE, "-i", speech, "-o", path, "--tap", "to16k") == 0
    assert re.search(rf"^wrote {re.escape(str(path))}: \d+ kB$", capsys.readouterr().err, re.M)
    return path


def cli(*arguments: object) -> int:
    return main([*map(str, arguments)])


def test_a_recording_replays_byte_for_byte(recorded: Path, capsys: Capture) -> None:
    recording = open_recording(str(recorded))
    sent = [r.packet for r in recording if r.kind == "sent" and r.packet]
    assert sum(packet.data.frames for packet in sent) == 3 * 48_000  # type: ignore[attr-defined]
    assert {(packet.node, packet.port) for packet in sent} == {("mono", "in")}
    tapped = [r.packet for r in recording if r.kind == "tapped" and r.packet]
    assert {(packet.node, packet.port) for packet in tapped} == {("to16k", "out")}
    assert sum(packet.data.frames for packet in tapped) == 3 * 16_000  # type: ignore[attr-defined]
    assert [mark.kind for mark in recording.marks()] == ["finished", "closed"]
    assert_replays(recording)
    count = sum(record.kind == "received" for record in recording)
    assert count > 40
    assert cli("replay", recorded, "--check") == 0
    assert f"the same: {count} packets\n" in capsys.readouterr().err


def test_a_replay_writes_what_a_run_writes(recorded: Path, speech: Path, tmp_path: Path) -> None:
    assert cli("run", EXAMPLE, "-q", "-i", speech, "-o", tmp_path / "run.wav") == 0
    assert cli("replay", recorded, "-q", "-o", tmp_path / "replay.wav") == 0
    run = (tmp_path / "run.wav").read_bytes()
    assert len(run) > 30_000
    assert (tmp_path / "replay.wav").read_bytes() == run


def test_run_records_beside_its_outputs(
    speech: Path, recorded: Path, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "beside.rmrec"
    outputs = ["-o", tmp_path / "out.wav", "-o", tmp_path / "out.jsonl"]
    assert cli("run", EXAMPLE, "-q", "-i", speech, *outputs, "--record", path) == 0
    assert cli("replay", path, "-q", "--check") == 0
    assert capsys.readouterr().err == ""
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert {json.loads(line)["node"] for line in lines} == {"vad", "loudness"}


def test_what_differs_is_said(recorded: Path, capsys: Capture) -> None:
    assert cli("replay", recorded, "-q", "--check", "--params", "vad.min_speech_ms=2000") == 1
    err = capsys.readouterr().err
    assert re.search(r"^vad:audio: \d+ packets were recorded, the replay gave 0$", err, re.M)


def test_what_differs_a_little(speech: Path, tmp_path: Path, capsys: Capture) -> None:
    path, manifest = tmp_path / "gain.rmrec", tmp_path / "gain.yaml"
    manifest.write_text(GAIN)
    assert cli("record", manifest, "-q", "-i", speech, "-o", path) == 0
    check = ["replay", path, "--check", "--params", "gain.gain_db=0.001"]  # 1.000115 of at most 1
    assert cli(*check) == 1
    assert cli(*check, "--tolerance", "1e-5") == 1
    assert cli(*check, "--tolerance", "gain=1e-5", "--tolerance", "1") == 1
    capsys.readouterr()
    assert cli(*check, "--tolerance", "0.00012") == 0
    assert "the same: 150 packets, within the tolerance\n" in capsys.readouterr().err
    assert cli(*check, "--tolerance", "gain=0.00012") == 0


def test_another_manifest(recorded: Path, tmp_path: Path, capsys: Capture) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("{version: v1, nodes: [{id: mono, node_type: PassThrough}]}")
    out = tmp_path / "input.wav"
    assert cli("replay", recorded, "-q", "--manifest", other, "-o", out) == 0
    assert out.read_bytes()[-1000:] == (tmp_path / "speech.wav").read_bytes()[-1000:]
    other.write_text("{version: v1, nodes: [{id: momo, node_type: PassThrough}]}")
    assert cli("replay", recorded, "-q", "--manifest", other) == 1
    assert "no node 'mono'" in capsys.readouterr().err


def test_in_real_time(recorded: Path, capsys: Capture) -> None:
    assert cli("replay", recorded, "--check", "--speed", "1") == 0
    assert "the same: " in capsys.readouterr().err


def test_step_by_step(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    (tmp_path / "keys").write_text("\n\nq\n")
    with (tmp_path / "keys").open() as keys:
        monkeypatch.setattr("sys.stdin", keys)
        assert cli("replay", recorded, "--json", "--step") == 0
    out, err = capsys.readouterr()
    asked = r" s  sent +mono:in  (\d)\.0  audio\([^)]*\)  960 frames  \[Enter, q\] "
    assert re.findall(asked, err) == ["0", "1", "2"]
    summary = json.loads(out.splitlines()[-1])
    assert summary["metrics"]["nodes"][0]["count"] == 2


def test_peek(recorded: Path, capsys: Capture) -> None:
    assert cli("peek", recorded) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{recorded}: 0.")
    assert lines[2] == (
        "of speech-segments: mono (ChannelMix), to16k (AudioResample), vad (EnergyVAD), "
        "loudness (AudioLevel)"
    )
    rows = {tuple(line.split()[:3]) for line in lines[5:-2]}
    assert ("sent", "mono:in", "150") in rows
    assert ("received", "loudness:out", "1") in rows
    assert lines[-2].endswith(" s  end of input")
    assert lines[-1].endswith(" s  end of the recording")
    assert any("audio(sample_rate=48000, channels=1, format=F32)" in line for line in lines)


def test_peek_at_packets(recorded: Path, capsys: Capture) -> None:
    assert cli("peek", recorded, "--node", "mono", "--json") == 0
    *packets, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert [packet["sequence"] for packet in packets] == list(range(150))
    assert {packet["type"] for packet in packets} == {"sent"}
    assert [mark["type"] for mark in summary["marks"]] == ["finished", "closed"]
    times = [packet["time_us"] for packet in packets]
    start, end = times[50] / 1e6, times[100] / 1e6
    assert cli("peek", recorded, "--from", start, "--to", end, "--node", "mono", "--json") == 0
    *some, _ = map(json.loads, capsys.readouterr().out.splitlines())
    assert some == [packet for packet in packets if times[50] <= packet["time_us"] < times[100]]
    assert cli("peek", recorded, "--port", "segments") == 0
    shown = capsys.readouterr().out
    line = r"^ +0\.\d{3} s  received  vad:segments  \d+\.0  json  {"
    assert len(re.findall(line, shown, re.M)) == 2


def test_parts(speech: Path, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "talk.rmrec"
    limits = ["--max-size", "100k", "--max-files", "100"]
    assert cli("record", EXAMPLE, "-q", "-i", speech, "-o", path, *limits) == 0
    parts = sorted(tmp_path.glob("talk*.rmrec"), key=os.path.getmtime)
    assert len(parts) > 5
    assert all(part.stat().st_size <= 100_000 for part in parts)
    assert cli("replay", *parts, "--check", "-q") == 0
    assert cli("peek", parts[1], parts[0]) == 1
    assert "is not the file that follows" in capsys.readouterr().err
    assert cli("record", EXAMPLE, "-q", "-i", speech, "-o", path, *limits[:2]) == 0
    err = capsys.readouterr().err
    assert f"warning: {path}: the recording has reached its 100,000 bytes; the run goes on" in err
    assert cli("replay", path, "--check", "-q") == 0


def test_a_torn_file_is_read_as_far_as_it_goes(recorded: Path, capsys: Capture) -> None:
    content = recorded.read_bytes()
    recorded.write_bytes(content[: len(content) // 2])
    assert cli("replay", recorded, "--check") == 0
    err = capsys.readouterr().err
    assert re.search(
        rf"^warning: {recorded}: record at byte [\d,]+: cut short: .*; all before", err
    )
    assert "the same: " in err
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 1
    recorded.write_bytes(damaged)
    assert cli("peek", recorded) == 0
    assert "its checksum is wrong; all before it is read" in capsys.readouterr().err


def test_a_killed_process_leaves_a_valid_recording(tmp_path: Path) -> None:
    path, manifest = tmp_path / "live.rmrec", tmp_path / "gain.yaml"
    manifest.write_text(GAIN)
    command = ["-m", "remotemedia", "record", manifest, "-i", "-", "-o", path]
    process = subprocess.Popen(
        [sys.executable, *map(str, command), "--input-format", "wav"],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    header = tmp_path / "header.wav"
    with header.open("wb") as file:
        writer = WavWriter(file, 8000, 1, Encoding.PCM16, seekable=False)
        writer.write(np.zeros((1, 8000), np.float32))
    process.stdin.write(header.read_bytes())
    process.stdin.flush()
    while not path.exists() or path.stat().st_size < 50 * 700:  # 50 blocks in and out
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdin.close()
    recording = open_recording(str(path))
    sent = [r.packet for r in recording if r.kind == "sent" and r.packet]
    assert len(sent) >= 15
    assert [packet.sequence for packet in sent] == list(range(len(sent)))
    assert recording.marks() == []
    assert_replays(recording)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("replay none.rmrec", 2, "error: none.rmrec: No such file or directory"),
        ("peek MANIFEST", 1, "MANIFEST: this is no recording (a .rmrec file)"),
        ("replay FILE --speed fast", 2, "'fast' is neither max nor a number, 0.01 to 1000"),
        ("replay FILE --check -o mono=x.wav", 2, "--check needs the recorded outputs alone"),
        ("replay FILE -o FILE --output-format wav", 2, "would overwrite what is read"),
        ("replay FILE --tolerance 1", 2, "--tolerance is of use with --check only"),
        ("replay FILE --check --tolerance vod=1", 2, "there is no node 'vod'"),
        ("replay FILE --check --tolerance x=y", 2, "'x=y' is no X or NODE=X with a number X"),
        ("peek FILE --from -1", 2, "argument --from: "),
        ("record MANIFEST -i WAV", 2, "the following arguments are required: -o/--output"),
        (
            "record MANIFEST -i WAV -o no/such/talk.rmrec",
            1,
            "cannot be written: no/such/talk.rmrec",
        ),
        ("record MANIFEST -i WAV -o x.rmrec --tap vod", 2, "--tap vod: there is no node 'vod'"),
        ("record MANIFEST -i WAV -o x.rmrec --tap vad:x", 2, "'vad' has no port 'x' (it has: "),
        ("record MANIFEST -i WAV -o x.rmrec --max-files 3", 2, "--max-files needs --max-size"),
        ("record MANIFEST -i WAV -o x.rmrec --max-size 1k", 2, "'1k' is no size of 4096 bytes"),
        ("record MANIFEST -i WAV -o WAV", 2, "would overwrite what is read"),
        ("run MANIFEST -i WAV --tap vad", 2, "--tap is of use with --record FILE only"),
    ],
)
def test_errors_say_what_to_do(
    arguments: str,
    code: int,
    message: str,
    recorded: Path,
    speech: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"MANIFEST": str(EXAMPLE), "FILE": str(recorded), "WAV": str(speech)}

    def named(text: str) -> str:
        return " ".join(names.get(word, word) for word in text.split(" "))

    assert cli(*named(arguments).split()) == code
    err = capsys.readouterr().err
    for name, path in names.items():
        err = err.replace(path, name)
    assert message in err
    assert "Traceback" not in err


def test_what_is_no_error_is_noted(speech: Path, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "queue.yaml"
    path.write_text(
        """\
version: v1
nodes:
  - {id: gain, node_type: Gain}
  - {id: vad, node_type: EnergyVAD}
connections:
  - {from: gain, to: vad, queue: {capacity: 8, high: 4}}
"""
    )
    assert cli("run", path, "-i", speech, "--record", tmp_path / "take.rmrec") == 0
    said = capsys.readouterr().err
    assert "note: gain:out → vad:in: high water, 4 packets" in said
    assert "skipped" not in said
