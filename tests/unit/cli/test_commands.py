"""validate, nodes, graph, schema, init and doctor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from remotemedia.cli import doctor, main
from remotemedia.cli.nodes import describe
from remotemedia.nodes import TABLE
from remotemedia.registry import default_registry

Capture = pytest.CaptureFixture[str]

GOOD = "{version: v1, nodes: [{id: a, node_type: Gain}]}\n"
BAD = """\
version: v1
nodes:
  - {id: a, node_type: Gian}
  - {id: b, node_type: Gain, params: {gain_db: high}}
connections:
  - {from: a, to: c}
"""
MISMATCH = """\
version: v1
nodes:
  - {id: a, node_type: AudioResample, params: {target_rate: 16000}}
  - {id: b, node_type: AudioResample, params: {source_rate: 48000}}
connections:
  - {from: a, to: b}
"""
WARNING = "{version: v1, nodes: [{id: a, node_type: Gain, fast_path: true}]}\n"


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


# -- validate ------------------------------------------------------------------------------------


def test_validate_lists_every_problem_with_its_place(tmp_path: Path, capsys: Capture) -> None:
    good, bad = write(tmp_path / "good.yaml", GOOD), write(tmp_path / "bad.yaml", BAD)
    assert main(["validate", good, bad]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{good}: valid, 1 node, 0 connections"
    assert lines[1] == f"{bad}:3:24: error: unknown node_type 'Gian'; did you mean 'Gain'?"
    assert lines[2] == f"{bad}:4:48: error: expected a number, got 'high'"
    assert lines[3] == f"{bad}:6:19: error: there is no node 'c'"
    assert len(lines) == 4


def test_validate_checks_formats(tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path / "p.yaml", MISMATCH)
    assert main(["validate", path]) == 2
    out = capsys.readouterr().out
    assert out.startswith(f"{path}:6:5: error: a:out (AudioResample) produces ")
    assert out.endswith("; set target_rate of a to 48000\n")


def test_validate_strict(tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path / "p.yaml", WARNING)
    assert main(["validate", path]) == 0
    assert ":1:48: warning: fast_path has no effect here" in capsys.readouterr().out
    assert main(["validate", "--strict", path]) == 2


def test_validate_for_programs(tmp_path: Path, capsys: Capture) -> None:
    bad, missing = write(tmp_path / "bad.yaml", BAD), str(tmp_path / "no.yaml")
    assert main(["validate", "--format", "json", bad, missing]) == 2
    first, second = json.loads(capsys.readouterr().out)
    assert (first["manifest"], first["valid"]) == (bad, False)
    assert first["problems"][0] == {
        "line": 3,
        "column": 24,
        "path": ["nodes", 0, "node_type"],
        "message": "unknown node_type 'Gian'; did you mean 'Gain'?",
        "fixes": [],
    }
    assert "cannot be read" in second["problems"][0]["message"]


# -- nodes ---------------------------------------------------------------------------------------


def test_nodes_lists_all_by_folder(capsys: Capture) -> None:
    assert main(["nodes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = {line.split()[0] for line in lines if line.startswith("  ")}
    assert listed >= TABLE.keys()
    assert {line for line in lines if not line.startswith(" ")} >= {"audio", "analysis", "flow"}


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_node_has_a_reference(name: str, capsys: Capture) -> None:
    assert main(["nodes", name]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{name} (")
    assert "\nInputs\n" in out
    assert "\nOutputs\n" in out
    reference = describe(default_registry(), name)
    assert reference.summary
    assert reference.unavailable is None
    for param in reference.params:
        assert param.description, f"{name}.{param.name} says not what it is"
        assert f"  {param.name}: {param.type}" in out


def test_nodes_takes_aliases(capsys: Capture) -> None:
    assert main(["nodes", "RustResampleNode"]) == 0
    out = capsys.readouterr().out
    assert "  target_rate: integer 8000..192000, default 16000\n" in out
    assert "Also: output_rate, target_sample_rate." in out
    assert '  quality: "high" or "low" or "medium"' in out
    assert "\nBackends\n  numpy, soxr\n" in out
    assert "RustResampleNode" in out.partition("Other names")[2]


def test_nodes_that_are_unknown(capsys: Capture) -> None:
    assert main(["nodes", "AudioResampl"]) == 2
    assert capsys.readouterr().err == (
        "error: unknown node_type 'AudioResampl'; did you mean 'AudioResample'?\n"
    )


def test_nodes_for_programs(capsys: Capture) -> None:
    assert main(["nodes", "--json"]) == 0
    all_of_them = json.loads(capsys.readouterr().out)
    assert {one["name"] for one in all_of_them} >= TABLE.keys()
    assert main(["nodes", "Gain", "--json"]) == 0
    gain = json.loads(capsys.readouterr().out)
    assert gain["params"] == [
        {
            "name": "gain_db",
            "type": "number -200..200",
            "required": False,
            "default": 0.0,
            "description": "Gain, dB; 6.02 doubles the samples.",
            "aliases": [],
        }
    ]
    assert gain["inputs"] == {"in": "audio(format=F32)"}


# -- graph, schema, init -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "start"), [("mermaid", "flowchart LR\n"), ("dot", "digraph "), ("json", "{\n")]
)
def test_graph(form: str, start: str, tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path / "p.yaml", GOOD)
    assert main(["graph", path, "--format", form]) == 0
    out = capsys.readouterr().out
    assert out.startswith(start)
    assert "Gain" in out


def test_schema(tmp_path: Path, capsys: Capture) -> None:
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["title"] == "RemoteMedia manifest"
    assert main(["schema", "-o", str(tmp_path / "s.json")]) == 0
    assert json.loads((tmp_path / "s.json").read_text()) == schema


def test_init_writes_a_manifest_that_is_valid(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    assert "wrote pipeline.yaml; next: remotemedia validate" in capsys.readouterr().err
    text = (tmp_path / "pipeline.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=remotemedia.schema.json\n")
    assert main(["validate", "--strict", "pipeline.yaml"]) == 0
    capsys.readouterr()
    assert main(["init", "-"]) == 0
    assert capsys.readouterr().out == text.replace("pipeline.yaml", "-")


def test_init_does_not_overwrite(tmp_path: Path, capsys: Capture) -> None:
    path = write(tmp_path / "p.yaml", "mine")
    assert main(["init", path]) == 2
    assert "exists already: choose another name, or --force" in capsys.readouterr().err
    assert Path(path).read_text() == "mine"
    assert main(["init", path, "--force"]) == 0
    assert Path(path).read_text() != "mine"
    assert main(["init", str(tmp_path / "p.json")]) == 2
    assert "a commented manifest is YAML; name it .yaml" in capsys.readouterr().err


# -- doctor --------------------------------------------------------------------------------------


def test_doctor(capsys: Capture) -> None:
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for section in ("core", "nodes", "machine"):
        assert f"\n{section}\n" in f"\n{out}"
    assert "broken" not in out


def test_doctor_for_programs(capsys: Capture) -> None:
    assert main(["doctor", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)
    by_name = {check["name"]: check for check in checks}
    assert by_name["numpy"]["status"] == "ok"
    assert by_name["profiling clock"]["detail"].startswith("steps of ")
    assert all(check["fix"] for check in checks if check["status"] != "ok")


def test_doctor_fails_if_the_core_lacks_something(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    needed = [("numpy", "999", None), ("no-such-thing", "1.0", None), ("no-extra", "1", "audio")]
    monkeypatch.setattr(doctor, "requirements", lambda: needed)
    assert main(["doctor"]) == 1
    out, err = capsys.readouterr()
    assert "is older than 999" in out
    assert "fix: pip install 'no-such-thing>=1.0'" in out
    assert "missing  no-extra" in out
    assert "fix: pip install 'remotemedia[audio]'" in out
    assert err == "2 of these the core needs\n"


class Point:
    """An entry point without a package."""

    def __init__(self, name: str, loaded: object) -> None:
        self.name = name
        self.loaded = loaded

    def load(self) -> object:
        if isinstance(self.loaded, Exception):
            raise self.loaded
        return self.loaded


def test_doctor_asks_other_packages(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def look(clean: bool) -> Iterator[doctor.Check]:
        yield doctor.Check("bees", "queen", "ok", f"clean={clean}")
        yield doctor.Check("bees", "honey", "missing", "none", "wait")
        raise ValueError("stung")

    points = [Point("bees", look), Point("wasps", ImportError("no wasps"))]
    monkeypatch.setattr(doctor, "entry_points", lambda group: points)
    for options in ([], ["--clean"]):
        assert main(["doctor", "--json", *options]) == 0
        *_, queen, honey, stung, wasps = json.loads(capsys.readouterr().out)
        assert queen["detail"] == f"clean={bool(options)}"
        assert (honey["status"], honey["fix"]) == ("missing", "wait")
        assert (stung["name"], stung["status"]) == ("bees", "warning")
        assert stung["detail"] == "ValueError: stung"
        assert wasps["detail"] == "ImportError: no wasps"


def test_requirements_are_read_from_the_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = [
        "numpy>=2.4",
        "pyyaml >= 6.0.2",
        "msgspec",
        "soxr>=1.0; sys_platform != 'emscripten' and extra == 'native'",
        'pytest<9.2,>=9.1; (sys_platform != "emscripten") and extra == "dev"',
    ]
    monkeypatch.setattr("importlib.metadata.requires", lambda name: declared)
    assert doctor.requirements() == [
        ("numpy", "2.4", None),
        ("pyyaml", "6.0.2", None),
        ("msgspec", "0", None),
        ("soxr", "1.0", "native"),
        ("pytest", "9.1", "dev"),
    ]


def test_init_refuses_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--force", str(tmp_path)]) == 2
    assert f"{tmp_path}: it is a folder; name a file" in capsys.readouterr().err
