"""Nodes in Web Workers of their own: as inline, watched over, and gone when they are to be."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import native_run
import pytest
from e2e_site import Site
from firefox import Firefox
from my_nodes import write_wheel
from playwright.sync_api import Page

Open = Callable[..., Page]
Check = Callable[[Any], None]

REPOSITORY = Path(__file__).resolve().parents[2]
RECORDING = "two_cities.wav"
CALL = "async (name, ...given) => (await import('/page/worker_nodes.js'))[name](...given)"


def check_data(answer: Any) -> None:
    inline, there = answer["inline"], answer["process"]
    assert there["found"] == inline["found"]
    assert inline["found"].count('"type":') == 9
    assert there["nodes"] == inline["nodes"] == [["a", 9, 0], ["b", 9, 0]]
    assert (inline["workers"], there["workers"] >= 2) == (0, True)  # and perhaps a spare


def check_surroundings(answer: Any) -> None:
    assert answer["texts"] == ["yes", "last"]
    (error,) = answer["errors"]
    assert (error["code"], error["sequence"]) == ("node", 1)
    assert error["message"] == "node 'f' (fragile) raised LookupError: nothing there"
    assert 'raise LookupError("nothing there")' in error["traceback"]
    assert answer["workers"] == 1
    assert answer["warnings"] == [
        "threads has no effect here: a worker of a page is one thread",
        "threads has no effect here: a worker of a page is one thread",
    ]


def check_death(words: str, output: list[str], errors: int = 2) -> Check:
    def check(answer: Any) -> None:
        assert answer["texts"] == output
        first, *rest = answer["errors"]
        assert first["code"] == "process_died"
        assert first["message"].startswith(f"the worker of node 'f' {words}")
        assert "\n    got before" in first["message"]
        assert [error["sequence"] for error in rest] == [1] * (errors - 1)
        assert all("an item is lost that was being worked on" in e["message"] for e in rest)
        told, again = answer["restarts"]
        assert told.endswith("; it is started again in 20 ms")
        assert again == "the worker of node 'f' runs again"
        assert answer["state"] == "running"

    return check


def check_loop(answer: Any) -> None:
    assert answer["state"] == "failed"
    for words in ("the worker of node 'f' trapped", "got trap", "ended 2 times within 60 s"):
        assert words in answer["message"]


def check_interrupts(answer: Any) -> None:
    assert (answer["stale"], answer["fresh"], answer["errors"]) == (0, 2_000, 0)


def check_cycles(answer: Any) -> None:
    assert answer == {"most": 1, "left": 0}


def check_changes(answer: Any) -> None:
    assert answer == {"texts": ["1", "2", "3"], "during": 1}


SCENARIOS: dict[str, tuple[list[Any], Check]] = {
    "data": (["data"], check_data),
    "surroundings": (["surroundings"], check_surroundings),
    "one that closes itself": (
        ["death", "end", {}],
        check_death("ended by itself", ["before", "after"], errors=1),
    ),
    "one that traps": (["death", "trap", {}], check_death("trapped: ", ["before", "after"])),
    "one that hangs": (
        ["death", "hang", {"hang_timeout_ms": 800}],
        check_death("made no progress for ", ["before", "after"]),
    ),
    "one that takes too much memory": (
        ["death", "memory", {}, {"memory_limit_mb": 150}],
        check_death("uses ", ["before", "memory", "after"], errors=1),
    ),
    "a spare": (
        ["death", "trap", {"spare": True}],
        check_death("trapped: ", ["before", "after"]),
    ),
    "again and again": (["loop"], check_loop),
    "interrupts": (["interrupts", 100], check_interrupts),
    "cycles": (["cycles", 5], check_cycles),
    "changes": (["changes"], check_changes),
}


@pytest.mark.timeout(150)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_in_chromium(site: Site, open_page: Open, scenario: str) -> None:
    given, check = SCENARIOS[scenario]
    page = open_page(site)
    check(page.evaluate(f"(given) => ({CALL})(...given)", given))
    end = time.monotonic() + 5  # the browser ends a terminated worker in its own time
    while node_workers(page) and time.monotonic() < end:
        page.wait_for_timeout(20)
    assert node_workers(page) == 0


@pytest.mark.timeout(150)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_in_firefox(site: Site, firefox: Firefox, scenario: str) -> None:
    given, check = SCENARIOS[scenario]
    firefox.open(site)
    check(firefox.call(CALL, *given))


@pytest.mark.parametrize("scenario", ["data", "one that closes itself"])
def test_without_isolation(plain_site: Site, open_page: Open, scenario: str) -> None:
    given, check = SCENARIOS[scenario]
    page = open_page(plain_site)
    check(page.evaluate(f"(given) => ({CALL})(...given)", given))


def node_workers(page: Page) -> int:
    """Workers of nodes that the browser itself knows of."""
    browser = page.context.browser
    assert browser is not None
    session = browser.new_browser_cdp_session()
    targets = session.send("Target.getTargets", {"filter": [{"type": "worker"}]})["targetInfos"]
    session.detach()
    return sum(target["title"] == "remotemedia nodes" for target in targets)


EXAMPLE = REPOSITORY / "examples" / "01-speech-segments" / "pipeline.yaml"
IN_WORKERS = {"mono": "front", "to16k": "front", "vad": None, "loudness": None}


def of_tails(packets: list[Any]) -> list[Any]:
    """With no number in the tail of the last node.

    It is that of the last packet that reached its island, which for a node by itself is another.
    """
    last = max(n for n, packet in enumerate(packets) if packet.node == "loudness")
    packets[last] = msgspec.structs.replace(packets[last], sequence=0)
    return packets


def test_an_example_gives_what_it_gives_natively(site: Site, open_page: Open) -> None:
    import remotemedia as rm

    manifest: Any = rm.Pipeline.load(EXAMPLE).to_dict()
    for node in manifest["nodes"]:
        group = IN_WORKERS[node["id"]]
        node |= {"executor": "worker", **({"process_group": group} if group else {})}
        node["policy"] = {"restart": {"spare": False}}
    page = open_page(site)
    answer = page.evaluate(
        "([manifest, file]) => window.runFile(manifest, file, '/posted')",
        [manifest, f"/recordings/{RECORDING}"],
    )
    found = of_tails(native_run.frames(site.posted["/posted"]))
    assert len(found) == answer["count"] == answer["frames"]
    recording = site.find(f"/recordings/{RECORDING}")
    assert recording is not None
    native = of_tails(native_run.run(EXAMPLE, native_run.blocks(recording.read_bytes())))
    assert len(native) > 1_000
    assert native_run.differences("examples/01-speech-segments", native, found) == []


def test_packages_are_there_too_and_nothing_is_downloaded_twice(
    site: Site, open_page: Open, tmp_path: Path, folders: dict[str, Path]
) -> None:
    wheel = write_wheel(tmp_path)
    site.folders = {**folders, "/mine/": tmp_path}
    page = open_page(site)
    answer = page.evaluate(f"(given) => ({CALL})('packages', given)", f"../mine/{wheel.name}")
    assert answer == ["HELLO!", 480]
    ours = [path for path in site.requests if path.endswith(".whl.xz")]
    assert len(ours) == len(set(ours)) == 3
    assert any("remotemedia_workers" in path for path in ours)


def test_a_page_without_such_nodes_loads_nothing_of_them(site: Site, open_page: Open) -> None:
    page = open_page(site)
    page.evaluate(
        """async () => {
            const manifest = { version: "v1", nodes: [{ id: "p", node_type: "PassThrough" }] };
            const pipeline = await window.load(manifest);
            await pipeline.start();
            await pipeline.close();
        }"""
    )
    assert [path for path in site.requests if "remotemedia_workers" in path] == []
