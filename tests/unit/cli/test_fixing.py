"""`validate --fix` on texts that are odd, but legal."""

from __future__ import annotations

from pathlib import Path

import pytest

from remotemedia.cli import main

Capture = pytest.CaptureFixture[str]

BODY = """\
nodes:
  - {id: src, node_type: AudioFormatConvert, params: {format: I16}}
  - {id: split, node_type: PassThrough}
  - {id: vad, node_type: EnergyVAD}
  - id: gain
    node_type: Gain
    description: |
      Two lines,
      of text.
"""
EDGES = """\
connections:
  - {from: src, to: split}
  - {from: split, to: vad}   # one
  - {from: split, to: gain}  # two
"""


def write(path: Path, text: str) -> str:
    path.write_bytes(text.encode())
    return str(path)


@pytest.mark.parametrize(
    "text",
    [
        f"version: v1\n{BODY}{EDGES}metadata: {{name: x}}\n",
        f"version: v1\n{EDGES}{BODY}metadata: {{name: x}}\n",
        f"version: v1\n{EDGES}{BODY}# the end\n",
    ],
)
def test_two_faults_around_a_block_of_text(text: str, tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path / "p.yaml", text)
    assert main(["validate", "--fix", path]) == 0
    after = Path(path).read_text()
    assert all(comment in after for comment in ("# one", "# two"))
    assert "Two lines,\n      of text." in after
    said = capsys.readouterr()
    assert "fixed:" in said.err
    assert "valid" in said.out


def test_shared_parameters_are_not_changed_for_both(tmp_path: Path, capsys: Capture) -> None:
    text = (
        "version: v1\nnodes:\n"
        "  - {id: a, node_type: AudioResample, params: &p {target_rate: 16000}}\n"
        "  - {id: b, node_type: AudioResample, params: *p}\n"
        "  - {id: end, node_type: AudioLevel, "
        'media_capabilities: {inputs: {in: "audio(sample_rate=48000)"}}}\n'
        "connections:\n  - {from: a, to: end}\n"
    )
    path = write(tmp_path / "p.yaml", text)
    assert main(["validate", "--fix", path]) == 2
    assert Path(path).read_text() == text
    assert "not fixed: set target_rate of a to 48000: it would change something else" in (
        capsys.readouterr().err
    )


def test_one_file_that_cannot_be_edited_does_not_stop_the_next(
    tmp_path: Path, capsys: Capture
) -> None:
    whole = f"version: v1\n{BODY}{EDGES}"
    aliased = write(
        tmp_path / "a.yaml",
        whole.replace("id: vad,", "id: &v vad,")
        .replace("to: vad", "to: *v")
        .replace("params: {format: I16}", "params: &q {format: I16}")
        .replace("node_type: PassThrough}", "node_type: AudioFormatConvert, params: *q}"),
    )
    other = write(tmp_path / "b.yaml", whole)
    assert main(["validate", "--fix", aliased, other]) == 2
    said = capsys.readouterr()
    assert "not fixed:" in said.err
    assert f"{other}: valid" in said.out


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real = write(tmp_path / "real.yaml", f"version: v1\n{BODY}{EDGES}")
    link = tmp_path / "link.yaml"
    link.symlink_to(real)
    assert main(["validate", "--fix", str(link)]) == 0
    assert link.is_symlink()
    assert "AudioFormatConvert" in Path(real).read_text()


def test_line_ends_stay(tmp_path: Path) -> None:
    path = write(tmp_path / "p.yaml", f"version: v1\n{BODY}{EDGES}".replace("\n", "\r\n"))
    assert main(["validate", "--fix", path]) == 0
    after = Path(path).read_bytes()
    assert after.count(b"\r\n") == after.count(b"\n")
