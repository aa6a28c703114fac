"""The pytest plugin, in runs of pytest as a user starts them.

Native: each test starts a process.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PLUGIN = "remotemedia_pytest"
PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """Run pytest on a file with this content."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)

    def start(content: str = "", *options: str) -> pytest.RunResult:
        if content:
            pytester.makepyfile(test_users=content)
        return pytester.runpytest_subprocess("-p", PLUGIN, "-W", "error", *options)

    return start


def test_pytest_finds_it_by_its_entry_point() -> None:
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    # -p NAME looks for an entry point of that name first: so the plugin is never loaded twice.
    assert project["entry-points"]["pytest11"] == {PLUGIN: PLUGIN}


def test_a_project_that_does_not_use_it_does_not_wait_for_it(run) -> None:
    result = run(
        """
        import sys

        def test_nothing_was_imported():
            assert "remotemedia_pytest" in sys.modules
            assert [name for name in sys.modules if name in ("remotemedia", "numpy")] == []
        """
    )
    result.assert_outcomes(passed=1)
    assert "golden" not in result.stdout.str()


def test_the_marker_runs_coroutines_on_a_virtual_clock(run) -> None:
    result = run(
        """
        import asyncio

        import pytest

        from remotemedia.clock import sleep
        from remotemedia.testing import DeadlockError, VirtualClock

        @pytest.mark.virtual_clock
        async def test_an_hour(virtual_clock):
            await sleep(virtual_clock, 3_600_000_000)
            assert virtual_clock.now_us() == 3_600_000_000

        @pytest.mark.virtual_clock
        async def test_without_asking_for_the_clock():
            await asyncio.sleep(86_400 / 2 / 24)

        @pytest.mark.virtual_clock
        @pytest.mark.parametrize("value", [1, 2])
        async def test_parametrized(value, tmp_path):
            assert value in (1, 2) and tmp_path.is_dir()

        @pytest.mark.virtual_clock
        class TestMethods:
            async def test_a_method(self, virtual_clock):
                assert asyncio.get_running_loop().time() == 0
                self.seen = True

            def test_a_plain_one(self, virtual_clock):
                virtual_clock.advance(5)
                assert virtual_clock.now_us() == 5
                assert not hasattr(self, "seen")

        @pytest.mark.virtual_clock
        async def test_that_fails():
            assert 1 == 2

        @pytest.mark.virtual_clock
        async def test_that_waits_for_ever():
            await asyncio.Event().wait()

        @pytest.mark.virtual_clock
        async def test_whose_task_fails():
            async def broken():
                raise ZeroDivisionError("unseen")

            task = asyncio.ensure_future(broken())
            await asyncio.sleep(1)
        """,
        "--strict-markers",
    )
    result.assert_outcomes(passed=6, failed=3)
    said = result.stdout.str()
    assert "assert 1 == 2" in said
    assert "DeadlockError: every task waits and no timer is pending" in said
    assert "errors that no task looked at" in said


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_it_lives_beside_pytest_asyncio(run, mode: str) -> None:
    result = run(
        """
        import asyncio

        import pytest

        from remotemedia.testing.loop import VirtualLoop

        @pytest.mark.virtual_clock
        async def test_ours():
            assert isinstance(asyncio.get_running_loop(), VirtualLoop)
            await asyncio.sleep(3_000)

        @pytest.mark.asyncio
        async def test_theirs():
            assert not isinstance(asyncio.get_running_loop(), VirtualLoop)

        class TestBoth:
            @pytest.mark.virtual_clock
            async def test_ours(self):
                assert isinstance(asyncio.get_running_loop(), VirtualLoop)

            @pytest.mark.asyncio
            async def test_theirs(self):
                assert not isinstance(asyncio.get_running_loop(), VirtualLoop)
        """,
        "-p",
        "pytest_asyncio.plugin",
        "--asyncio-mode",
        mode,
        "-o",
        "asyncio_default_fixture_loop_scope=function",
    )
    result.assert_outcomes(passed=4)


def test_it_lives_beside_anyio(run) -> None:
    result = run(
        """
        import asyncio

        import pytest

        from remotemedia.testing.loop import VirtualLoop

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.mark.virtual_clock
        async def test_ours():
            assert isinstance(asyncio.get_running_loop(), VirtualLoop)

        @pytest.mark.anyio
        async def test_theirs():
            assert not isinstance(asyncio.get_running_loop(), VirtualLoop)
        """,
        "-p",
        "anyio.pytest_plugin",
    )
    result.assert_outcomes(passed=2)


def test_run_node_uses_the_clock_of_the_test(run) -> None:
    result = run(
        """
        from remotemedia import Text
        from remotemedia.testing import Pause

        def test_node(run_node, virtual_clock):
            result = run_node("PassThrough", [Text("a"), Pause(70), Text("b")])
            assert [text.text for text in result.all(Text)] == ["a", "b"]
            assert virtual_clock.now_us() == 70
        """
    )
    result.assert_outcomes(passed=1)


GOLDEN = """
from remotemedia import Text

WORD = "{word}"

def test_first(golden):
    golden("first", [Text(WORD), Text("b")])

def test_second(golden):
    golden("deep/second", [Text("c")])
"""


def test_goldens_are_written_only_when_asked_for(run, pytester: pytest.Pytester) -> None:
    folder = pytester.path / "golden"

    missing = run(GOLDEN.format(word="a"))
    missing.assert_outcomes(failed=2)
    missing.stdout.fnmatch_lines(["*there is no golden *first.frames: *--update-golden*"])
    assert not folder.exists()

    made = run("", "--update-golden")
    made.assert_outcomes(passed=2)
    made.stdout.fnmatch_lines(
        [
            "*golden files written: review them before you commit*",
            "*golden/deep/second.frames by test_users.py::test_second",
            "*golden/first.frames by test_users.py::test_first",
        ]
    )
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert sorted(path.name for path in files) == [
        "first.frames",
        "first.json",
        "second.frames",
        "second.json",
    ]

    again = run()
    again.assert_outcomes(passed=2)
    assert "golden files written" not in again.stdout.str()
    unchanged = run("", "--update-golden")
    unchanged.assert_outcomes(passed=2)
    assert "golden files written" not in unchanged.stdout.str()

    other = run(GOLDEN.format(word="x"))
    other.assert_outcomes(passed=1, failed=1)
    other.stdout.fnmatch_lines(["*packet 0: text from 0 on is 'x', expected 'a'*"])
    assert {path: path.read_bytes() for path in files} == files


def test_one_name_for_two_outputs_is_refused(run) -> None:
    result = run(
        """
        import pytest
        from remotemedia import Text

        @pytest.mark.parametrize("word", ["a", "a", "b"])
        def test_words(golden, word):
            golden("word", Text(word))
        """,
        "--update-golden",
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*--update-golden kept what test_users.py::test_words*gave*"])
