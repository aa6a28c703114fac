"""``remotemedia run``, in this process; with real processes in tests/native/cli."""

from __future__ import annotations

import io
import json
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from remotemedia.cli import main
from remotemedia.wav import Encoding, WavWriter

Capture = pytest.CaptureFixture[str]

GAIN = """\
version: v1
nodes:
  - {id: gain, node_type: Gain, params: {gain_db: 0}}
  - {id: out.2, node_type: PassThrough}
connections:
  - {from: gain, to: out.2}
"""
VAD = """\
version: v1
nodes:
  - {id: vad, node_type: EnergyVAD, is_output_node: true}
  - {id: level, node_type: AudioLevel, params: {interval_ms: null, split_at_gaps: true}}
connections:
  - {from: "vad:audio", to: level}
"""
TEXT = "{version: v1, nodes: [{id: pass, node_type: PassThrough}]}"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return write(tmp_path / "p.yaml", GAIN)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """2,000 samples of 16-bit noise at 8 kHz."""
    samples = np.random.default_rng(1).integers(-30_000, 30_000, (1, 2000), np.int16)
    return save(tmp_path / "in.wav", samples, 8000)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def save(path: Path, samples: np.ndarray, rate: int, encoding: str = "pcm16") -> Path:  # type: ignore[type-arg]
    with path.open("wb") as file:
        writer = WavWriter(file, rate, len(samples), Encoding(encoding))
        writer.write(samples)
        writer.finish()
    return path


def load(path: Path) -> tuple[tuple[int, int, int], bytes]:
    """(channels, bytes per sample, rate), and the samples."""
    with wave.open(str(path)) as file:
        return file.getparams()[:3], file.readframes(1 << 20)


def run(*arguments: object) -> int:
    return main(["run", *map(str, arguments)])


def error(capsys: Capture) -> str:
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return captured.err


def test_audio_in_audio_out(manifest: Path, recording: Path, tmp_path: Path) -> None:
    assert run(manifest, "-i", recording, "-o", tmp_path / "out.wav") == 0
    assert load(tmp_path / "out.wav") == load(recording)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.wav", "out.wav", "p.yaml"]


def test_summary(manifest: Path, recording: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run(manifest, "-i", recording, "-o", tmp_path / "out.wav") == 0
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[1].split() == ["node", "type", "items", "errors", "p50", "p95", "p99", "max"]
    assert lines[2].split()[:4] == ["gain", "Gain", "13", "0"]
    assert lines[3].split()[:4] == ["out.2", "PassThrough", "13", "0"]
    assert lines[4].startswith("0.25 s of audio in ")
    assert lines[4].endswith(" × real time")
    assert lines[5] == f"wrote {tmp_path / 'out.wav'}: 0.250 s, 8000 Hz, mono, pcm16"


def test_quiet(manifest: Path, recording: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run(manifest, "-q", "-i", recording, "-o", tmp_path / "out.wav") == 0
    assert capsys.readouterr() == ("", "")


def test_what_is_not_kept_is_said(manifest: Path, recording: Path, capsys: Capture) -> None:
    assert run(manifest, "-i", recording) == 0
    assert "audio of out.2:out was not kept: -o FILE.wav writes it" in capsys.readouterr().err


def test_block_length(manifest: Path, recording: Path, capsys: Capture) -> None:
    assert run(manifest, "-i", recording, "--block-ms", "50") == 0
    assert capsys.readouterr().err.splitlines()[2].split()[:3] == ["gain", "Gain", "5"]


@pytest.mark.parametrize(
    ("source", "option", "size"),
    [
        ("pcm8", None, 2),
        ("pcm16", None, 2),
        ("pcm24", None, 3),
        ("pcm32", None, 4),
        ("pcm32", "pcm8", 1),
    ],
)
def test_outputs_lose_nothing_of_the_input(
    source: str, option: str | None, size: int, manifest: Path, tmp_path: Path
) -> None:
    path = save(tmp_path / "in.wav", np.array([[0.5, -0.25]], np.float32), 8000, source)
    extra = ["--encoding", option] if option else []
    assert run(manifest, "-q", "-i", path, "-o", tmp_path / "o.wav", *extra) == 0
    assert load(tmp_path / "o.wav")[0] == (1, size, 8000)


def test_params_are_changed(manifest: Path, recording: Path, tmp_path: Path) -> None:
    changes = ["--params", "gain.gain_db=-200"]
    assert run(manifest, "-q", "-i", recording, "-o", tmp_path / "o.wav", *changes) == 0
    assert set(load(tmp_path / "o.wav")[1]) == {0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("gain.gain_db=loud", "--params gain.gain_db: expected a number, got 'loud'"),
        (
            "gain.gain=3",
            "--params gain.gain: unknown field 'gain' of Gain; did you mean 'gain_db'?",
        ),
        ("gani.gain_db=3", "there is no node 'gani'; did you mean 'gain'?"),
        ("xyz.gain_db=3", "there is no node 'xyz' (nodes: gain, out.2)"),
        ("gain_db=3", "write it as NODE.KEY=VALUE"),
        ("gain.gain_db", "write it as NODE.KEY=VALUE"),
        ("gain.gain_db=[1", "the value is no JSON: "),
        ("out.2.x=1", "--params out.2.x: unknown field 'x' of PassThrough"),
    ],
)
def test_wrong_params_are_refused(
    change: str, message: str, manifest: Path, recording: Path, capsys: Capture
) -> None:
    assert run(manifest, "-i", recording, "--params", change) == 2
    assert message in error(capsys)


def test_ports_are_chosen(recording: Path, tmp_path: Path) -> None:
    manifest = write(tmp_path / "p.yaml", GAIN)
    outputs = ["-o", f"gain={tmp_path / 'a.wav'}", "-o", f"out.2:out={tmp_path / 'b.wav'}"]
    assert run(manifest, "-q", "-i", recording, *outputs) == 0
    assert load(tmp_path / "a.wav") == load(tmp_path / "b.wav") == load(recording)


def test_what_was_skipped_is_told_with_its_place(tmp_path: Path, capsys: Capture) -> None:
    manifest = write(
        tmp_path / "p.yaml", "{version: v1, nodes: [{id: sum, node_type: Calculator}]}"
    )
    lines = '{"operation": "add", "operands": [1, 2]}\n{"operation": "add"}\n'
    source = write(tmp_path / "in.jsonl", lines)
    assert run(manifest, "-i", source, "--on-error", "skip") == 1
    err = error(capsys)
    assert "warning: skipped an item: node 'sum': Calculator: operands must be a list" in err
    assert "(item 2 of the input)" in err


def test_a_text_file_takes_text_only(recording: Path, tmp_path: Path, capsys: Capture) -> None:
    manifest = write(tmp_path / "p.yaml", GAIN.replace("PassThrough", "AudioLevel"))
    path = tmp_path / "o.txt"
    assert run(manifest, "-q", "-i", recording, "-o", path) == 2
    assert "no text comes out of this pipeline, only out.2:out json" in error(capsys)
    assert not path.exists()
    assert run(manifest, "-q", "-i", recording, "-o", f"out.2={path}") == 0
    assert "it takes text only; what else came out was left out (3 times)" in error(capsys)


def test_a_tap_does_not_change_what_else_comes_out(
    recording: Path, tmp_path: Path, capsys: Capture
) -> None:
    manifest = write(tmp_path / "p.yaml", GAIN.replace("PassThrough", "AudioLevel"))
    assert run(manifest, "-q", "-i", recording) == 0
    plain = capsys.readouterr().out
    assert run(manifest, "-q", "-i", recording, "-o", f"gain={tmp_path / 'a.wav'}") == 0
    assert capsys.readouterr().out == plain
    assert "momentary LUFS" in plain


def test_segments_are_a_table_of_what_all_ports_tell(tmp_path: Path, capsys: Capture) -> None:
    # Two bursts of 1 s of noise in the band of voices, 100 times over the noise before them.
    random = np.random.default_rng(3)
    noise = random.standard_normal(16_000 * 6)
    noise[32_000:48_000] *= 100
    noise[64_000:80_000] *= 100
    samples = (np.cumsum(noise - noise.mean())[np.newaxis] * 1e-5).astype(np.float32)
    path = save(tmp_path / "in.wav", samples, 16_000, "float32")
    manifest = write(tmp_path / "p.yaml", VAD)
    assert run(manifest, "-q", "-i", path, "-o", tmp_path / "s.wav") == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == "# start s end s duration s loudness LUFS peak dBFS SNR dB".split()
    assert len(rows) >= 1
    for number, row in enumerate(rows, 1):
        cells = row.split()
        assert cells[0] == str(number)
        assert float(cells[2]) - float(cells[1]) == pytest.approx(float(cells[3]), abs=0.0011)
        assert "-" not in cells  # the level meter told of every segment that the VAD found


def test_json_lines(tmp_path: Path, recording: Path, capsys: Capture) -> None:
    manifest = write(tmp_path / "p.yaml", GAIN.replace("PassThrough", "AudioLevel"))
    assert run(manifest, "-q", "-i", recording, "-o", tmp_path / "x.jsonl") == 0
    lines = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [line["value"]["kind"] for line in lines] == ["interim", "interim", "final"]
    assert lines[0]["node"] == "out.2"
    assert lines[0]["media"] == "json"
    assert capsys.readouterr() == ("", "")


def test_json_summary(manifest: Path, recording: Path, capsys: Capture) -> None:
    assert run(manifest, "-i", recording, "--json") == 0
    out, err = capsys.readouterr()
    summary = json.loads(out)
    assert err == ""
    assert summary["type"] == "summary"
    assert summary["packets"] == {"out.2:out": 13}
    assert summary["media_s"] == 0.25
    assert summary["metrics"]["nodes"][0]["count"] == 13
    assert summary["errors"] == []


def test_text_in_text_out(tmp_path: Path) -> None:
    manifest = write(tmp_path / "p.yaml", TEXT)
    (tmp_path / "in.txt").write_bytes("\ufeffone\r\n\ntwo · three".encode())
    assert run(manifest, "-q", "-i", tmp_path / "in.txt", "-o", tmp_path / "out.txt") == 0
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == "one\ntwo · three\n"


def test_json_lines_go_round(tmp_path: Path, capsys: Capture) -> None:
    manifest = write(tmp_path / "p.yaml", TEXT)
    source = write(tmp_path / "in.jsonl", '{"a": [1, "x"]}\n7\nnull\n')
    assert run(manifest, "-q", "-i", source, "-o", tmp_path / "b.jsonl") == 0
    assert run(manifest, "-q", "-i", tmp_path / "b.jsonl", "-o", tmp_path / "c.jsonl") == 0
    first, second = ((tmp_path / name).read_text() for name in ("b.jsonl", "c.jsonl"))
    assert first == second
    assert [json.loads(line).get("value") for line in first.splitlines()] == [
        {"a": [1, "x"]},
        7,
        None,
    ]
    assert run(manifest, "-q", "-i", tmp_path / "b.jsonl") == 0
    assert capsys.readouterr().out == 'pass:out  {"a":[1,"x"]}\npass:out  7\npass:out  null\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1}\n{"a": \n', "in.jsonl: line 2 is no JSON: "),
        (b"[" * 100_000, "in.jsonl: line 1 is no JSON: nested deeper than 64"),
        (b"\xff\n", "in.jsonl: line 1 is no valid UTF-8"),
    ],
)
def test_broken_lines_are_refused(
    content: bytes, message: str, tmp_path: Path, capsys: Capture
) -> None:
    manifest = write(tmp_path / "p.yaml", TEXT)
    (tmp_path / "in.jsonl").write_bytes(content)
    assert run(manifest, "-q", "-i", tmp_path / "in.jsonl") == 1
    assert message in error(capsys)


def test_stdin_and_stdout(
    manifest: Path,
    recording: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(recording.read_bytes())))
    assert run(manifest, "-i", "-", "-o", "-", "--output-format", "wav") == 0
    out, err = capsysbinary.readouterr()
    assert out[40:44] == b"\xff" * 4  # a stream: nobody knows yet how long
    assert out[44:] == load(recording)[1]
    assert b"wrote stdout: 0.250 s" in err


def test_manifest_from_stdin(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GAIN.encode())))
    assert run("-", "-q", "-i", recording, "-o", tmp_path / "o.wav") == 0
    assert load(tmp_path / "o.wav") == load(recording)
    assert run("-", "-i", "-") == 2
    assert "cannot both come from stdin" in error(capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "nothing goes in: give -i FILE, or -i - for stdin (gain:in takes audio(format=F32))"),
        ("-i {t}/no.wav", "-i {t}/no.wav: No such file or directory"),
        ("-i {t}", "-i {t}: it is a folder; name a file"),
        ("-i {p}", "does not look like WAV; say what it is: --input-format wav|text|jsonl"),
        ("-i {i} -o {i}", "-o {i} would overwrite what is read: {i}"),
        ("-i {i} -o gain={p} --output-format wav", "would overwrite what is read: {p}"),
        ("-i {i} -o {t}/x", "what to write is told by the extension"),
        ("-i {i} -o {t}/x.wav -o {t}/x.wav", "-o {t}/x.wav is given twice"),
        ("-i {i} -o nope:out={t}/x.wav", "there is no node 'nope' (nodes: gain, out.2)"),
        ("-i {i} -o gain:x={t}/x.wav", "'gain' has no output 'x' (it has: out)"),
        ("-i {i} -o gain=", "-o gain=: a path is missing after '='"),
        ("-i {i} -o -", "say what to write to stdout: --output-format wav|jsonl|text"),
        ("-i {i} -o - --output-format wav --json", "both want stdout"),
        ("-i {i} --to gian", "--to gian: there is no node 'gian'; did you mean 'gain'?"),
        ("-i {i} --to gain:x", "--to gain:x: 'gain' (Gain) has no input port 'x' (ports: in)"),
    ],
)
def test_wrong_usage(
    arguments: str,
    message: str,
    manifest: Path,
    recording: Path,
    tmp_path: Path,
    capsys: Capture,
) -> None:
    places = {"p": manifest, "i": recording, "t": tmp_path}
    before = recording.read_bytes()
    assert run(manifest, *(one.format(**places) for one in arguments.split())) == 2
    assert message.format(**places) in error(capsys)
    assert recording.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.wav", "p.yaml"]


def test_manifest_problems_have_their_place(tmp_path: Path, capsys: Capture) -> None:
    assert run(tmp_path / "no.yaml") == 2
    assert "cannot be read: No such file or directory" in error(capsys)
    path = write(tmp_path / "p.yaml", GAIN.replace("PassThrough", "PasThrough"))
    assert run(path) == 2
    assert error(capsys) == (
        f"{path}:4:28: error: unknown node_type 'PasThrough'; did you mean 'PassThrough'?\n"
        f"{path}: 1 problem\n"
    )


def test_no_folder_to_write_to(
    manifest: Path, recording: Path, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "no" / "x.wav"
    assert run(manifest, "-i", recording, "-o", path) == 1
    assert f"-o {path}: cannot be written: there is no folder {path.parent}" in error(capsys)


def test_audio_of_several_ports_has_to_be_chosen(
    recording: Path, tmp_path: Path, capsys: Capture
) -> None:
    text = "{version: v1, nodes: [{id: a, node_type: Gain}, {id: b, node_type: Gain}]}"
    manifest = write(tmp_path / "p.yaml", text)
    assert run(manifest, "-i", recording, "-o", tmp_path / "x.wav") == 2
    assert "audio comes out of 2 ports (a:out, b:out): say which, e.g. -o a:out=" in error(capsys)
    level = write(tmp_path / "l.yaml", "{version: v1, nodes: [{id: l, node_type: AudioLevel}]}")
    assert run(level, "-i", recording, "-o", tmp_path / "x.wav") == 2
    assert "no audio comes out of this pipeline, only l:out json" in error(capsys)


def test_an_error_leaves_the_old_output(
    manifest: Path, recording: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = write(tmp_path / "out.wav", "precious")
    recording.write_bytes(recording.read_bytes()[:50] + b"")
    (tmp_path / "bad.wav").write_bytes(b"RIFF\0\0\0\0WAVE")
    assert run(manifest, "-i", tmp_path / "bad.wav", "-o", out) == 1
    assert f"{tmp_path / 'bad.wav'}: it ends before the samples begin" in error(capsys)
    assert out.read_text() == "precious"
    assert not list(tmp_path.glob(".*"))


def test_a_failing_node_stops_or_is_skipped(
    recording: Path, tmp_path: Path, capsys: Capture
) -> None:
    manifest = write(
        tmp_path / "p.yaml",
        "{version: v1, nodes: [{id: r, node_type: AudioResample, params: {source_rate: 16000}}]}",
    )
    arguments = [manifest, "-i", recording, "-o", tmp_path / "x.wav"]
    assert run(*arguments) == 1
    assert "insert AudioResample {target_rate: 16000}" in error(capsys)
    assert not (tmp_path / "x.wav").exists()
    assert run(*arguments, "--on-error", "skip") == 1
    err = error(capsys)
    assert err.count("warning: skipped an item: ") == 13
    assert "no audio came out" in err
    assert load(tmp_path / "x.wav") == ((1, 2, 16_000), b"")


def test_a_format_that_changes_is_refused(tmp_path: Path, capsys: Capture) -> None:
    from remotemedia.cli.outputs import WavSink
    from remotemedia.cli.routing import Target
    from remotemedia.data import Audio, Packet
    from remotemedia.errors import RemoteMediaError

    sink = WavSink(Target(None, None, str(tmp_path / "x.wav"), "wav"), None, None, None)
    sink.write(Packet(Audio(np.zeros(8, np.float32), 8000), "a"))
    with pytest.raises(
        RemoteMediaError, match="changed from 1 channels at 8000 Hz to 2 at 8000 Hz"
    ):
        sink.write(Packet(Audio(np.zeros((2, 8), np.float32), 8000), "a"))
    sink.discard()
    assert list(tmp_path.iterdir()) == []


def test_clipping_is_said(manifest: Path, tmp_path: Path, capsys: Capture) -> None:
    path = save(tmp_path / "in.wav", np.full((1, 100), 0.9, np.float32), 8000)
    extra = ["--params", "gain.gain_db=6"]
    assert run(manifest, "-i", path, "-o", tmp_path / "o.wav", *extra) == 0
    assert "100 samples were beyond full scale and were clipped" in capsys.readouterr().err


def test_metrics_are_written(manifest: Path, recording: Path, tmp_path: Path) -> None:
    out, prom = tmp_path / "metrics.json", tmp_path / "metrics.prom"
    assert run(manifest, "-i", recording, "--metrics", out) == 0
    assert run(manifest, "-i", recording, "--metrics", prom) == 0
    found = json.loads(out.read_text())
    # 2,000 samples at 8 kHz in blocks of 20 ms.
    assert [(node["node"], node["count"]) for node in found["nodes"]] == [
        ("gain", 13),
        ("out.2", 13),
    ]
    lines = prom.read_text().splitlines()
    assert any(
        line.startswith("remotemedia_node_") and 'node="gain"' in line and line.endswith(" 13")
        for line in lines
    )


def test_metrics_that_cannot_be_written(
    manifest: Path, recording: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert run(manifest, "-i", recording, "--metrics", recording) == 2
    assert "in.wav" in error(capsys)
    assert run(manifest, "-i", recording, "--metrics", tmp_path / "no" / "m.json") == 1
    assert "m.json: No such file or directory" in error(capsys)
