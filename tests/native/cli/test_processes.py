"""The command line as people use it: real processes, pipes, signals and terminals."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "remotemedia"]
GAIN = "{version: v1, nodes: [{id: gain, node_type: Gain}]}"
LEVEL = "{version: v1, nodes: [{id: level, node_type: AudioLevel, params: {interval_ms: 10}}]}"
PLUGIN = '''
import numpy as np
import remotemedia as rm
from remotemedia.clock import sleep

class Slow(rm.Node):
    """Waits on the session clock."""
    input_caps = output_caps = "audio"
    def open(self, ctx):
        self.clock = ctx.clock
    async def process(self, audio):
        await sleep(self.clock, 100)
        return audio

class Tone(rm.Node):
    """Never ends."""
    output_caps = "audio"
    def produce(self):
        while True:
            yield rm.Audio(np.full(800, 0.5, np.float32), 8000)

class SlowTone(rm.Node):
    """Never ends either."""
    output_caps = "audio"
    def open(self, ctx):
        self.clock = ctx.clock
    async def produce(self):
        while True:
            await sleep(self.clock, 100)
            yield rm.Audio(np.full(800, 0.5, np.float32), 8000)

class Failing(rm.Node):
    """Fails on every second block."""
    input_caps = output_caps = "audio"
    count = 0
    async def process(self, audio):
        self.count += 1
        if self.count % 2:
            raise ValueError("odd")
        return audio

SUMMARY = "says hello"
def add_arguments(parser):
    parser.add_argument("name")
def run(options):
    print(f"hello {options.name}")
    return 7
'''
ENTRY_POINTS = """\
[remotemedia.nodes]
Slow = a_plugin:Slow
Failing = a_plugin:Failing
Tone = a_plugin:Tone
SlowTone = a_plugin:SlowTone
Absent = no_such_module:Absent

[remotemedia.commands]
hello = a_plugin
broken = no_such_module
"""


@pytest.fixture
def gain(tmp_path: Path) -> str:
    (tmp_path / "gain.yaml").write_text(GAIN)
    return str(tmp_path / "gain.yaml")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """2 s of 16-bit mono at 8 kHz."""
    path = tmp_path / "in.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(range(256)) * 125)
    return path


@pytest.fixture
def plugin(tmp_path: Path) -> dict[str, str]:
    """An environment in which a plugin is installed."""
    folder = tmp_path / "site"
    info = folder / "a_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "a_plugin.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: a-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}


def run(
    *arguments: object, stdin: bytes = b"", env: dict[str, str] | None = None
) -> tuple[int, bytes, str]:
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env=env,
        timeout=50,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr.decode()


def samples(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        return file.readframes(1 << 24)


def start(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,  # type: ignore[call-overload]
    )


# -- pipes ---------------------------------------------------------------------------------------


def test_from_stdin_to_stdout(gain: str, recording: Path) -> None:
    code, out, err = run(
        *("run", gain, "-i", "-", "-o", "-", "--output-format", "wav"), stdin=recording.read_bytes()
    )
    assert code == 0, err
    assert out[44:] == samples(recording)
    assert "wrote stdout: 2.000 s, 8000 Hz, mono, pcm16" in err
    assert "\x1b" not in err  # not a terminal: no colour, no progress


@pytest.mark.parametrize("mode", ["wb", "ab"])
def test_stdout_to_a_file(mode: str, gain: str, recording: Path, tmp_path: Path) -> None:
    with (tmp_path / "out.wav").open(mode) as out:
        command = [*COMMAND, "run", gain, "-q", "-i", str(recording), "-o", "-"]
        subprocess.run([*command, "--output-format", "wav"], stdout=out, check=True, timeout=50)
    content = (tmp_path / "out.wav").read_bytes()
    assert content.endswith(samples(recording))
    assert content.count(b"RIFF") == 1
    # What can be filled in is: a file that is appended to cannot.
    (size,) = struct.unpack_from("<I", content, content.index(b"data") + 4)
    assert size == (len(samples(recording)) if mode == "wb" else 0xFFFFFFFF)


def test_a_reader_that_goes_away_ends_it_quietly(recording: Path, tmp_path: Path) -> None:
    (tmp_path / "l.yaml").write_text(LEVEL)
    arguments = ("run", tmp_path / "l.yaml", "-i", recording, "-o", "-", "--output-format", "jsonl")
    with start(*arguments) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
        assert process.wait(50) == 141
    assert err == b""


def test_named_pipes(gain: str, recording: Path, tmp_path: Path) -> None:
    source, sink = tmp_path / "source.wav", tmp_path / "sink.wav"
    os.mkfifo(source)
    os.mkfifo(sink)
    with start("run", gain, "-q", "-i", source, "-o", sink) as process:
        source.write_bytes(recording.read_bytes())
        assert sink.read_bytes()[44:] == samples(recording)
        assert process.wait(50) == 0


def test_a_manifest_from_a_named_pipe(gain: str, recording: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with start("run", pipe, "-q", "-i", recording, "-o", tmp_path / "out.wav") as process:
        pipe.write_text(GAIN)
        assert process.wait(50) == 0
    assert samples(tmp_path / "out.wav") == samples(recording)


def test_output_that_the_encoding_lacks_is_escaped(tmp_path: Path) -> None:
    manifest = tmp_path / "p.yaml"
    manifest.write_text("{version: v1, nodes: [{id: p, node_type: PassThrough}]}")
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    arguments = ("run", manifest, "-i", "-", "--input-format", "text")
    code, out, err = run(*arguments, stdin="naïve ×\n".encode(), env=env)
    assert (code, out) == (0, b"na\\xefve \\xd7\n")
    assert "Traceback" not in err


def test_data_comes_out_before_the_input_ends(tmp_path: Path) -> None:
    manifest = tmp_path / "p.yaml"
    manifest.write_text("{version: v1, nodes: [{id: p, node_type: PassThrough}]}")
    with start("run", manifest, "-q", "-i", "-", "--input-format", "text") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in (b"one\n", b"two\n"):
            process.stdin.write(line)
            process.stdin.flush()
            assert process.stdout.readline() == line
        process.stdin.close()
        assert process.wait(50) == 0


# -- files that cannot be written ----------------------------------------------------------------


@pytest.mark.parametrize("kind", ["wav", "jsonl"])
def test_a_full_disk(kind: str, recording: Path, tmp_path: Path, gain: str) -> None:
    code, _, err = run(
        "run", gain, "-i", recording, "-o", "gain=/dev/full", "--output-format", kind
    )
    assert code == 1
    assert err == "error: -o /dev/full: writing failed: No space left on device\n"


def test_a_folder_that_may_not_be_written(gain: str, recording: Path) -> None:
    code, _, err = run("run", gain, "-i", recording, "-o", "/sys/x.wav")  # not even by root
    assert code == 1
    assert err == "error: -o /sys/x.wav: cannot be written: Permission denied (in /sys)\n"


def test_modes_and_links_of_files_are_kept(gain: str, recording: Path, tmp_path: Path) -> None:
    real, link = tmp_path / "real.wav", tmp_path / "link.wav"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    assert run("run", gain, "-i", recording, "-o", link)[0] == 0
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert samples(real) == samples(recording)


# -- signals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
@pytest.mark.parametrize("node", ["Gain", "Slow"])
def test_a_signal_ends_the_input(
    node: str, number: int, code: int, recording: Path, tmp_path: Path, plugin: dict[str, str]
) -> None:
    manifest, out = tmp_path / "p.yaml", tmp_path / "out.wav"
    manifest.write_text(f"{{version: v1, nodes: [{{id: n, node_type: {node}}}]}}")
    arguments = ("run", manifest, "-i", "-", "-o", out, "-o", f"n={tmp_path / 'n.jsonl'}")
    with start(*arguments, env=plugin) as process:
        assert process.stdin is not None
        process.stdin.write(recording.read_bytes())
        process.stdin.flush()
        # Nearly all has come out as soon as the hidden part of the WAV has grown that far: files
        # are written by pages, so the last few blocks may be on their way, or not read yet.
        wait_until(
            process, lambda: [p for p in tmp_path.glob(".out.wav.*") if p.stat().st_size > 30_000]
        )
        process.send_signal(number)
        assert process.stderr is not None
        err = process.stderr.read().decode()
        assert process.wait(50) == code
    assert "Traceback" not in err
    assert "interrupted after " in err
    written = samples(out)
    assert len(written) > 29_900
    assert samples(recording).startswith(written)
    assert len((tmp_path / "n.jsonl").read_text().splitlines()) * 320 == len(written)
    assert not list(tmp_path.glob(".out*"))


def test_a_signal_while_it_paces(gain: str, recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    with start("run", gain, "-i", recording, "--realtime", "-o", out) as process:
        wait_until(process, lambda: list(tmp_path.glob(".out.wav.*")))
        process.send_signal(signal.SIGINT)
        assert process.wait(50) == 130
    assert samples(recording).startswith(samples(out))


@pytest.mark.parametrize("node", ["Tone", "SlowTone"])
def test_a_signal_ends_sources(node: str, tmp_path: Path, plugin: dict[str, str]) -> None:
    manifest, out = tmp_path / "p.yaml", tmp_path / "out.wav"
    manifest.write_text(f"{{version: v1, nodes: [{{id: n, node_type: {node}}}]}}")
    with start("run", manifest, "-o", out, env=plugin) as process:
        wait_until(
            process, lambda: [p for p in tmp_path.glob(".out.wav.*") if p.stat().st_size > 9000]
        )
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        err = process.stderr.read().decode()
        assert process.wait(50) == 130
    assert "Traceback" not in err
    found = samples(out)
    assert len(found) >= 3200
    assert found == b"\x00\x40" * (len(found) // 2)


def wait_until(process: subprocess.Popen[bytes], condition: Callable[[], object]) -> None:
    # The processes are real, so is the clock: but nothing is asserted of how long it takes.
    import time

    while not condition():
        assert process.poll() is None, "it has ended"
        time.sleep(0.01)


# -- terminals -----------------------------------------------------------------------------------


def on_terminal(*arguments: object, env: dict[str, str]) -> str:
    """What a process shows on a terminal of its own."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdin=child, stdout=child, stderr=child, env=env
    )
    os.close(child)
    shown = b"".join(read_all(parent))
    os.close(parent)
    process.wait(50)
    return shown.decode()


def read_all(descriptor: int) -> Iterator[bytes]:
    while select.select([descriptor], [], [], 50)[0]:
        try:
            piece = os.read(descriptor, 65_536)
        except OSError:  # the other end was closed
            return
        if not piece:
            return
        yield piece


@pytest.mark.parametrize("no_color", ["", "1"])
def test_progress_and_colour_on_a_terminal(no_color: str, gain: str, recording: Path) -> None:
    env = {**os.environ, "TERM": "xterm", "NO_COLOR": no_color, "PYTHONIOENCODING": "utf-8"}
    shown = on_terminal("run", gain, "-i", recording, "--realtime", env=env)
    assert re.search(r"\r\x1b\[K +\d+% █*░* \d\.\d of 2\.0 s  ", shown)
    shown = on_terminal("run", "no.yaml", env=env)
    assert ("\x1b[31merror:\x1b[0m" in shown) == (not no_color)


# -- plugins and async graphs --------------------------------------------------------------------


def test_plugins_bring_nodes_and_commands(plugin: dict[str, str]) -> None:
    assert run("hello", "you", env=plugin)[:2] == (7, b"hello you\n")
    out = run("--help", env=plugin)[1].decode()
    assert "  hello     says hello" in out
    assert "  broken    cannot be loaded: ModuleNotFoundError" in out
    out = run("nodes", env=plugin)[1].decode()
    assert "a-plugin\n  Absent" in out
    assert "(not available here)" in out
    code, raw, _ = run("doctor", env=plugin)
    assert code == 0
    assert "warning  Absent" in raw.decode()
    assert "fix: reinstall or remove its package" in raw.decode()


@pytest.mark.parametrize("realtime", [[], ["--realtime"]])
def test_async_graphs_run(
    realtime: list[str], recording: Path, tmp_path: Path, plugin: dict[str, str]
) -> None:
    manifest = tmp_path / "p.yaml"
    manifest.write_text(
        "{version: v1, nodes: [{id: a, node_type: Slow}, {id: b, node_type: AudioLevel}],"
        " connections: [{from: a, to: b}]}"
    )
    out = tmp_path / "out.wav"
    arguments = ["run", manifest, "-o", f"a={out}", "--json", *realtime]
    code, lines, err = run(*arguments, "-i", recording, env=plugin)
    assert (code, err) == (0, "")
    assert samples(out) == samples(recording)
    *packets, summary = map(json.loads, lines.splitlines())
    assert len(packets) == 21
    assert summary["metrics"]["nodes"][0]["count"] == 100
    if not realtime:
        code, again, _ = run(*arguments, "-i", "-", env=plugin, stdin=recording.read_bytes())
        assert (code, again.splitlines()[:-1]) == (0, lines.splitlines()[:-1])


def test_errors_of_async_nodes(recording: Path, tmp_path: Path, plugin: dict[str, str]) -> None:
    manifest = tmp_path / "p.yaml"
    manifest.write_text("{version: v1, nodes: [{id: n, node_type: Failing}]}")
    code, _, err = run("run", manifest, "-i", recording, env=plugin)
    assert code == 1
    assert "error: node 'n' (Failing) raised ValueError: odd" in err
    assert "Traceback" not in err
    code, _, err = run("run", manifest, "-i", recording, "--on-error", "skip", env=plugin)
    assert code == 1
    assert err.count("warning: skipped an item: node 'n' (Failing) raised ValueError: odd") == 20
    assert "warning: 30 more items were skipped" in err


# -- other programs read what we write -----------------------------------------------------------


@pytest.mark.parametrize("encoding", ["pcm8", "pcm16", "pcm24", "pcm32", "float32"])
def test_sox_reads_what_is_written(
    encoding: str, gain: str, recording: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.wav"
    assert run("run", gain, "-q", "-i", recording, "-o", out, "--encoding", encoding)[0] == 0
    if shutil.which("sox") is None:  # then the standard library has to do
        if encoding == "pcm16":
            assert samples(out) == samples(recording)
        return
    command = ["sox", "-D", str(out), "-t", "raw", "-e", "signed-integer", "-b", "16", "-"]
    read = subprocess.run(command, check=True, capture_output=True)
    assert read.stderr == b""
    if encoding == "pcm8":
        assert len(read.stdout) == len(samples(recording))
    else:
        assert read.stdout == samples(recording)
