"""The command line as a whole: help, unknown commands, plugins, exit codes."""

from __future__ import annotations

import sys
import types
from importlib.metadata import EntryPoint

import pytest

import remotemedia
from remotemedia.cli import main
from remotemedia.cli.commands import BUILT_IN

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_command(arguments: list[str], capsys: Capture) -> None:
    assert main(arguments) == 0
    out = capsys.readouterr().out
    for name, summary in BUILT_IN.items():
        assert f"  {name} " in out
        assert summary in out


@pytest.mark.parametrize("arguments", [["--version"], ["-V"]])
def test_version(arguments: list[str], capsys: Capture) -> None:
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"remotemedia {remotemedia.__version__}\n"


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_command_has_help(name: str, capsys: Capture) -> None:
    assert main([name, "--help"]) == 0
    assert f"usage: remotemedia {name}" in capsys.readouterr().out
    assert main(["help", name]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["valdate"], "unknown command 'valdate'; did you mean 'validate'?"),
        (["xyz"], "unknown command 'xyz' (see: remotemedia --help)"),
        (["--loud"], "unknown option --loud before a command (see: remotemedia --help)"),
    ],
)
def test_what_is_unknown_is_refused(arguments: list[str], message: str, capsys: Capture) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"error: {message}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "the following arguments are required: MANIFEST"),
        ("p.yaml --realtim", "unknown option --realtim; did you mean '--realtime'?"),
        ("p.yaml --encodin=pcm8", "unknown option --encodin; did you mean '--encoding'?"),
        ("p.yaml --xyzzy", "unknown option --xyzzy"),
        ("p.yaml in.wav", "'in.wav' is one argument too many"),
        ("p.yaml --block-ms x", "argument --block-ms: 'x' is no number within 0.1 to 10000, ms"),
        (
            "p.yaml --block-ms nan",
            "argument --block-ms: 'nan' is no number within 0.1 to 10000, ms",
        ),
    ],
)
def test_wrong_options_are_refused_in_one_line(
    arguments: str, message: str, capsys: Capture
) -> None:
    assert main(["run", *arguments.split()]) == 2
    assert capsys.readouterr().err == f"error: {message} (see: remotemedia run --help)\n"


def test_choices_are_listed_as_they_are_written(capsys: Capture) -> None:
    assert main(["run", "p.yaml", "--encoding", "mp3"]) == 2
    assert "<Encoding" not in capsys.readouterr().err


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A plugin's command ``serve``, a broken one, and one that would replace ours."""
    module = types.ModuleType("a_plugin")
    module.SUMMARY = "serve pipelines"  # type: ignore[attr-defined]
    module.add_arguments = lambda parser: parser.add_argument("--port", type=int)  # type: ignore[attr-defined]
    module.run = lambda options: options.port  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_plugin", module)
    group = "remotemedia.commands"
    points = [
        EntryPoint("serve", "a_plugin", group),
        EntryPoint("brokn", "no_such_module", group),
        EntryPoint("run", "a_plugin", group),
    ]
    monkeypatch.setattr("remotemedia.registry.entry_points", lambda name: points)
    return module


def test_plugins_bring_commands(plugins: types.ModuleType, capsys: Capture) -> None:
    assert main(["serve", "--port", "80"]) == 80
    assert main(["run", "--help"]) == 0
    assert "Run a pipeline over a file" in capsys.readouterr().out


def test_a_broken_plugin_is_listed_with_the_reason(
    plugins: types.ModuleType, capsys: Capture
) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert (
        "  brokn     cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'" in out
    )
    assert "  serve     serve pipelines" in out
    assert main(["brokn"]) == 1
    assert capsys.readouterr().err == (
        "error: command 'brokn' of a plugin cannot be loaded: "
        "ModuleNotFoundError: No module named 'no_such_module'\n"
    )


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            OSError(28, "No space left on device", "x.wav"),
            1,
            "error: x.wav: No space left on device",
        ),
        (ZeroDivisionError("oops"), 1, "error: ZeroDivisionError: oops\nThis is a bug"),
        (BrokenPipeError(), 141, ""),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_errors_have_a_line_and_a_code(
    error: BaseException,
    code: int,
    message: str,
    plugins: types.ModuleType,
    capsys: Capture,
) -> None:
    def fail(options: object) -> int:
        raise error

    plugins.run = fail  # type: ignore[attr-defined]
    assert main(["serve"]) == code
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
    if isinstance(error, Exception) and code == 1:
        assert main(["serve", "--debug"]) == code
        assert "Traceback" in capsys.readouterr().err
